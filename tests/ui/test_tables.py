"""Rows of a table say what the result says, with its error bar."""

from __future__ import annotations

from posepipe.results.summary import plain
from posepipe.ui.pages.compare import compare_rows
from posepipe.ui.player import beside_video, with_theme
from posepipe.ui.tables import measured, reason_text, rejected_rows, rep_rows
from posepipe.ui.texts import load
from tests.results.factory import make_exercise, make_gait, make_person, make_recording

ENGLISH, GERMAN = load("en"), load("de")


def test_measured_rounds_to_its_error_bar() -> None:
    assert measured(92.37, 2.4, "°") == "92.4° ± 3.9"
    assert measured(92.37, 12.0, "°") == "92° ± 20"
    assert measured(None, 1.0) == measured(float("nan"), 1.0) == "–"
    assert measured(3.14159, None) == "3.14"


def test_repetitions_and_rejected() -> None:
    section = plain(make_exercise())
    rows = rep_rows(ENGLISH, section)
    assert [row["No."] for row in rows] == ["1", "2", "3"]
    assert {row["Exercise"] for row in rows} == {"Squat"}
    assert rows[0]["Form"] == "good"
    assert rows[1]["Form"] != "good"
    assert rows[0]["Range"] == "104.6° ± 6.7"
    assert rows[0]["Out, back"] == "1.2 s, 1.2 s"
    assert rejected_rows(ENGLISH, section)[0]["Why it didn't count"] == reason_text(ENGLISH, "too_shallow")
    assert reason_text(GERMAN, "too_shallow") != reason_text(ENGLISH, "too_shallow")


def test_withheld_section_has_no_rows() -> None:
    assert rep_rows(ENGLISH, {"withheld": "no_exercise"}) == []
    assert rejected_rows(ENGLISH, {"withheld": "no_exercise"}) == []


def test_comparison_lines_up_both_recordings() -> None:
    walk = make_recording(people=(make_person(gait=make_gait()),))
    squat = make_recording()
    rows = compare_rows(ENGLISH, ("a", walk), ("b", squat))
    by_name = {row["What"]: row for row in rows}
    cadence = by_name["Gait › Cadence (steps/min)"]
    assert cadence["a"] == "109.1 ± 2.8"
    assert cadence["b"] == "–"
    assert by_name["Gait › Step length (m)"]["a"] == reason_text(ENGLISH, "scale_assumed")
    assert by_name["Exercise › Squat"]["a"] == by_name["Exercise › Squat"]["b"] == "3"
    assert all(set(row) == {"What", "a", "b"} for row in rows)
    same = compare_rows(ENGLISH, ("a", walk), ("a", walk), groups=("gait",))
    assert all(row["a"] == row["a (2)"] for row in same)


def test_report_follows_the_pages_theme_and_video() -> None:
    report = "<html><head><style>@media (prefers-color-scheme: dark) { a {} }</style></head><body>x</body></html>"
    assert "@media all" in with_theme(report, dark=True)
    assert "@media not all" in with_theme(report, dark=False)
    shown = beside_video(report, dark=False)
    assert shown.index(".st-key-player video") < shown.index("</body>")
    assert shown.count("</body>") == 1
