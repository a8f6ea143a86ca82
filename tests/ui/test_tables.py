"""Rows of a table say what the result says, with its error bar."""

from __future__ import annotations

import html
from dataclasses import replace

from posepipe.body.outcomes import Estimate, Outcomes
from posepipe.exercise.types import ExerciseResult
from posepipe.gait.types import Parameters, Value
from posepipe.reasons import Reason
from posepipe.record.recording import Recording
from posepipe.record.session import TrainingSet
from posepipe.reports.blocks import page_html
from posepipe.reports.motion import motion_page
from posepipe.reports.sections import with_error
from posepipe.texts import load
from posepipe.ui.pages.comparing import Side, differences, in_words
from posepipe.ui.pages.kept_session import set_rows, sets_result
from posepipe.ui.pages.room import room_rows
from posepipe.ui.pages.show import (
    beside_video,
    reason_text,
    rejected_rows,
    rep_rows,
    with_theme,
)
from tests.record.factory import make_exercise, make_gait, make_person, make_recording, make_world

ENGLISH, GERMAN = load("en"), load("de")


def test_measured_rounds_to_its_error_bar() -> None:
    assert with_error(92.37, 2.4, "°") == "92.4° ± 3.9"
    assert with_error(92.37, 12.0, "°") == "92° ± 20"
    assert with_error(None, 1.0) == with_error(float("nan"), 1.0) == "–"
    assert with_error(3.14159, None) == "3.14"


def test_repetitions_and_rejected() -> None:
    section = make_exercise()
    rows = rep_rows(ENGLISH, section)
    assert [row["No."] for row in rows] == ["1", "2", "3"]
    assert {row["Exercise"] for row in rows} == {"Squat"}
    assert rows[0]["Form"] == "good"
    assert rows[1]["Form"] == "Knees inward"
    # The score isn't form; what couldn't be judged isn't good.
    assert rows[2]["Form"] == "couldn't be judged"
    # The report says the same of each.
    report = html.unescape(page_html(motion_page(make_recording(), ENGLISH)))
    assert [f"<td>{row['Form']}</td>" in report for row in rows] == [True] * 3
    assert rows[0]["Range"] == "104.6° ± 6.7"
    assert rows[0]["Out, back"] == "1.2 s | 1.2 s"
    assert rejected_rows(ENGLISH, section)[0]["Why it didn't count"] == reason_text(ENGLISH, Reason.TOO_SHALLOW)
    assert reason_text(GERMAN, Reason.TOO_SHALLOW) != reason_text(ENGLISH, Reason.TOO_SHALLOW)


def test_sets_say_form_as_repetitions_do() -> None:
    reps = make_exercise().bouts[0].reps
    one, two = set_rows(
        ENGLISH, (TrainingSet("squat", 1.0, 9.0, 3, reps), TrainingSet("squat", 20.0, 22.0, 1, reps[:1]))
    )
    each = [row["Form"] for row in rep_rows(ENGLISH, sets_result((TrainingSet("squat", 1.0, 9.0, 3, reps),)))]
    assert one["Form"] == "; ".join(f"{each.count(words)} × {words}" for words in dict.fromkeys(each))
    assert two["Form"] == each[0]


def test_withheld_section_has_no_rows() -> None:
    assert rep_rows(ENGLISH, ExerciseResult(withheld=Reason.NO_EXERCISE)) == []
    assert rejected_rows(ENGLISH, ExerciseResult(withheld=Reason.NO_EXERCISE)) == []


def _side(name: str, recording: Recording) -> Side:
    return name, recording.people[0].exercise, (recording, recording.people[0])


def test_comparison_lines_up_both_recordings() -> None:
    walk = make_recording(people=(make_person(gait=make_gait()),))
    squat = make_recording()
    rows = {row.what: row for row in differences(ENGLISH, _side("a", walk), _side("b", squat))}
    assert rows["Cadence (steps/min)"].first == "109.1 ± 2.8"
    assert rows["Cadence (steps/min)"].second == "–"
    assert rows["Squat: repetitions"].first == rows["Squat: repetitions"].second == "3"
    assert rows["Squat: range of motion, mean"].change.startswith("0.0° ±")
    # No key of the data is shown.
    assert not [what for what in rows if "_" in what or "sigma" in what.lower()]
    assert in_words(ENGLISH, list(rows.values())) == "Nothing changed beyond the error bars."


def test_comparison_names_what_changed() -> None:
    first, gait = make_recording(), make_gait()
    bout = first.people[0].exercise.bouts[0]
    more = replace(bout, reps=tuple(replace(rep, rom_deg=rep.rom_deg + 25.0) for rep in bout.reps[:2]))
    second = make_recording(people=(make_person(exercise=ExerciseResult((more,))),))
    rows = {row.what: row for row in differences(ENGLISH, _side("a", first), _side("b", second))}
    assert rows["Squat: repetitions"].change == "−1"
    assert rows["Squat: range of motion, mean"].sure
    assert "Squat: range of motion, mean" in in_words(ENGLISH, list(rows.values()))
    faster = replace(gait, parameters=Parameters(gait.parameters.strides, {"cadence_spm": Value(120.0, 1.7)}))
    walks = [make_recording(people=(make_person(gait=item),)) for item in (gait, faster)]
    german = differences(GERMAN, _side("a", walks[0]), _side("b", walks[1]))
    line = next(row for row in german if row.what == "Schrittfrequenz (Schritte/min)")
    assert line.sure
    assert "+10,9 ± 4,0" in GERMAN.number(line.change)


def test_german_numbers_have_a_decimal_comma() -> None:
    for english, german in (
        ("92.4° ± 3.9", "92,4° ± 3,9"),
        ("1,234 frames", "1.234 frames"),
        ("posepipe 0.1.0", "posepipe 0.1.0"),
        ("2026-03-04 05:06", "2026-03-04 05:06"),
        ("clip.1.mp4", "clip.1.mp4"),
        ("(2.0 s)", "(2,0 s)"),
    ):
        assert GERMAN.number(english) == german
        assert ENGLISH.number(english) == english


def test_report_follows_the_pages_theme_and_video() -> None:
    report = "<html><head><style>@media (prefers-color-scheme: dark) { a {} }</style></head><body>x</body></html>"
    assert "@media all" in with_theme(report, dark=True)
    assert "@media not all" in with_theme(report, dark=False)
    shown = beside_video(report, dark=False)
    assert shown.index(".st-key-player video") < shown.index("</body>")
    assert shown.count("</body>") == 1


def test_every_outcome_of_the_room_has_its_interval_or_why_not() -> None:
    walk = replace(make_gait(), parameters=Parameters({}, {"walking_speed_mps": Value(1.2, 0.05)}))
    bare = make_person(gait=walk)
    person = replace(bare, world=make_world(bare.pose))
    told = Outcomes({"step_width_m": Estimate(0.12, 0.02), "turn_deg": Reason.TOO_FEW_STRIDES})
    rows, missing = room_rows(ENGLISH, replace(person, outcomes=told))
    shown = {row["Measure"]: row["Value"] for row in rows}
    assert shown["Step width (m)"] == "0.120 ± 0.033"
    assert missing == {reason_text(ENGLISH, Reason.TOO_FEW_STRIDES): ["Turn"]}
    # What the gait tells stands here, too, as it tells it.
    assert shown["Walking speed (m/s)"] == with_error(1.2, 0.05)
    assert "±" in shown["Camera over the floor (m)"]
    german = {row["Größe"]: row["Wert"] for row in room_rows(GERMAN, replace(person, outcomes=told))[0]}
    assert german["Schrittbreite (m)"] == "0,120 ± 0,033"
    # A result of a posepipe that didn't know rooms says nothing of them.
    assert room_rows(ENGLISH, replace(person, outcomes=None, world=None)) == ([], {})
