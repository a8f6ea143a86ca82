"""The report in a real browser: its 3D view, curves and slider show one moment, in every language."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("streamlit")

from posepipe.exercise.types import ExerciseResult
from posepipe.reasons import Reason
from posepipe.record.folder import write_report
from posepipe.reports.blocks import page_html
from posepipe.reports.gait import gait_page
from posepipe.reports.motion import render
from posepipe.texts import LANGUAGES, load
from posepipe.ui.pages.gait import _NARROW
from posepipe.ui.pages.show import beside_video, with_theme
from tests.record.factory import make_exercise, make_gait, make_person, make_recording
from tests.ui.conftest import OpenPage

_PHONE_PX, _BESIDE_PX = 364, 365
"""Room of a report on a phone held upright, and beside the video in a window of 1280."""
_TOO_WIDE = """() => [...document.querySelectorAll('.scroll, section.sheet')]
  .filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.innerText.slice(0, 60))"""
_BONES = "document.querySelectorAll('.viewer .bone:not([visibility=hidden])').length"


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_shows_one_moment(open_page: OpenPage, tmp_path: Path, language: str) -> None:
    path = write_report(make_recording(), tmp_path / "report.html", language=language)
    page = open_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(path.as_uri())
    assert page.evaluate(_BONES) > 10
    page.locator(".viewer input").fill("30")
    at = page.locator(".viewer output").inner_text()
    assert at != "0.00 s"
    readouts = page.locator(".readout").all_inner_texts()
    assert len(readouts) > 10
    assert all(at in text for text in readouts)
    # The curve of the repetitions leads there too.
    page.locator(".plots.wide svg").click(position={"x": 300, "y": 60})
    assert page.locator(".viewer output").inner_text() != at
    play = page.locator("[data-do=play]")
    play.click()
    assert play.inner_text() == "Pause"
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [_PHONE_PX, _BESIDE_PX])
def test_tables_beside_the_video_are_seen_whole(open_page: OpenPage, tmp_path: Path, language: str, width: int) -> None:
    report = beside_video(render(make_recording(people=(make_person(exercise=_told()),)), language), dark=False)
    (tmp_path / "beside.html").write_text(report, encoding="utf-8")
    page = open_page()
    page.set_viewport_size({"width": width, "height": 900})
    page.goto((tmp_path / "beside.html").as_uri())
    assert page.locator(".scroll").count() > 1
    assert page.evaluate(_TOO_WIDE) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_gait_report_fits_a_phone(open_page: OpenPage, tmp_path: Path, language: str) -> None:
    walker = make_person(gait=make_gait(), exercise=ExerciseResult(withheld=Reason.NO_EXERCISE))
    sheets = page_html(gait_page(make_recording(people=(walker,)), walker, load(language)))
    (tmp_path / "gait.html").write_text(with_theme(sheets, dark=False, style=_NARROW), encoding="utf-8")
    page = open_page()
    page.set_viewport_size({"width": _PHONE_PX, "height": 900})
    page.goto((tmp_path / "gait.html").as_uri())
    assert page.locator("section.sheet").count() == 2
    assert page.evaluate(_TOO_WIDE) == []


def _told() -> ExerciseResult:
    """Repetitions whose faults are the catalogue's."""
    result = make_exercise()
    reps = tuple(replace(rep, faults=("knees_in",) if rep.faults else ()) for rep in result.bouts[0].reps)
    return replace(result, bouts=(replace(result.bouts[0], reps=reps),))
