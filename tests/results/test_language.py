"""The report in other languages: everything has its words, and nothing else changes."""

from __future__ import annotations

import ast
import re
import string
from dataclasses import replace
from pathlib import Path

import pytest

import posepipe.results
from posepipe.errors import UsageError
from posepipe.exercise.labels import LABELS
from posepipe.motion.angles import ANGLES
from posepipe.reasons import Reason, explain
from posepipe.results.language import ENGLISH, LANGUAGES, report_words
from posepipe.results.report import _SCRIPT_WORDS, render
from posepipe.results.sections import verdict, withheld

from .factory import make_gait, make_person, make_recording

OTHERS = [language for language in LANGUAGES if language != "en"]


def _fields(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


def _said() -> set[str]:
    """English words that the report's code says."""
    found = set(_SCRIPT_WORDS)
    for path in Path(posepipe.results.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say":
                words = node.args[0]
                if isinstance(words, ast.Constant):
                    found.add(words.value)
    return found


@pytest.mark.parametrize("language", OTHERS)
def test_everything_has_its_words(language: str) -> None:
    table = report_words(language).table
    wanted = _said() | {explain(reason) for reason in Reason} | {label.replace("_", " ") for label in LABELS}
    for spec in ANGLES:
        wanted |= {spec.label, spec.positive, spec.neutral}
    assert len(wanted) > 150
    assert not wanted - set(table)


@pytest.mark.parametrize("language", OTHERS)
def test_same_values_go_in(language: str) -> None:
    say = report_words(language)
    for english, other in (*say.table.items(), *say.warnings.items()):
        assert _fields(english) == _fields(other), english
        assert other.strip(), english


@pytest.mark.parametrize("language", OTHERS)
def test_numbers_are_the_same(language: str) -> None:
    recording = make_recording(40, people=(make_person(40, gait=make_gait()),))
    ours, theirs = render(recording), render(recording, language)
    assert f'<html lang="{language}">' in theirs
    assert re.findall(r"<svg class=.plot.*?</svg>", ours) != []
    for text in ("109.1 ± 2.8", "105° ± 7"):
        assert text in ours and text in theirs
    assert len(re.findall("<section>", ours)) == len(re.findall("<section>", theirs))


def test_german_reads_as_german() -> None:
    recording = make_recording(40, people=(make_person(40, gait={"withheld": "not_walking"}),))
    text = render(recording, "de")
    for words in ("Gelenkwinkel", "Wiederholungen insgesamt", "Die Person ist nicht gegangen.", "Kniebeugung"):
        assert words in text
    for words in ("Joint angles", "Repetitions", "withheld", "Withheld", "frames"):
        assert words not in re.sub(r"<script.*?</script>|<style.*?</style>|<[^>]*>", "", text, flags=re.DOTALL)
    (person,) = recording.people
    say = report_words("de")
    assert "3 × Kniebeuge" in verdict(recording, person, say)
    assert {item.why for item in withheld(person, say)} >= {"Die Person ist nicht gegangen."}


def test_what_is_held_is_told_in_seconds() -> None:
    bouts = [{"label": "plank", "reps": 0, "start_s": 1.0, "end_s": 13.2}, {"label": "other", "reps": 5}]
    recording = make_recording(40)
    person = replace(recording.people[0], exercise={"segments": bouts, "reps_total": 5})
    assert "plank for 12 s, 5 × other." in verdict(recording, person)
    assert ", 12 s lang, 5 × " in verdict(recording, person, report_words("de"))


def test_what_has_no_words_stays_english() -> None:
    assert report_words("de")("No such sentence") == "No such sentence"
    assert ENGLISH("{a} and {b}", a=1, b="{c}") == "1 and {c}"


def test_warnings_are_said_again() -> None:
    say = report_words("de")
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
        report_words("xx")


@pytest.mark.parametrize(("label", "said"), [("other", "not judged"), ("squat", "no fault seen")])
def test_only_what_has_rules_is_judged(label: str, said: str) -> None:
    reps = [{"start_s": 0.2, "end_s": 1.0, "rom_deg": None, "tempo_s": [0.4, 0.4], "faults": []}]
    bout = {"label": label, "confidence": 0.9, "start_s": 0.0, "end_s": 1.2, "reps": 1, "rep_list": reps}
    recording = make_recording(40)
    person = replace(recording.people[0], exercise={"segments": [bout], "reps_total": 1})
    assert f"<td>{said}</td>" in render(replace(recording, people=(person,)))
