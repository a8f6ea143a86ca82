"""The report in a real browser: its 3D view, curves and slider show one moment, in every language."""

from __future__ import annotations

from pathlib import Path

import pytest

from posepipe.record.folder import write_report
from posepipe.texts import LANGUAGES
from tests.record.factory import make_recording
from tests.ui.conftest import OpenPage

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
