"""A stranger's first minute: clicks and time before something is counted, or a report is read."""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.ui.conftest import OpenPage, start_server
from tests.ui.looking import finished, rtc, watch

App = tuple[str, Path, Path, "subprocess.Popen[bytes]"]
_COUNTS = "addEventListener('click', event => { if (event.isTrusted) window.clicks = (window.clicks || 0) + 1; }, true)"


def visited(page: Any, url: str) -> None:
    """Open the app as `posepipe app` does, and count clicks from then on."""
    page.add_init_script(_COUNTS)
    page.goto(url)
    rtc(page).get_by_role("button", name="Start").wait_for()


def test_a_repetition_is_counted_after_two_clicks(app: App, open_page: OpenPage, squat_camera: Path) -> None:
    page = open_page(squat_camera, locale="en-US")
    visited(page, app[0])
    rtc(page).get_by_role("button", name="Start").click()
    for _ in range(60):
        if watch(page, 1.0)[-1].count > 0:
            break
    now = watch(page, 0.5)[-1]
    assert (now.exercise, now.count > 0) == ("Squat", True)
    # The second is the browser's own question for the camera, which this one answers by itself.
    assert page.evaluate("window.clicks") == 1


def test_a_samples_report_is_read_after_one(app: App, open_page: OpenPage) -> None:
    page = open_page(locale="en-US")
    visited(page, app[0])
    page.get_by_role("button", name="See a sample report").click()
    finished(page)
    page.get_by_text("Exercise: 3 × squat").first.wait_for()
    page.frame_locator("iframe[srcdoc]").get_by_text("Data quality").wait_for()
    assert page.evaluate("window.clicks") == 1


@pytest.mark.slow
def test_both_within_the_minute(
    open_page: OpenPage, squat_camera: Path, library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From `posepipe app` on, with 11 s in which the film's person gets ready. Wants a quiet machine."""
    if find_spec("streamlit") is None or find_spec("aiortc") is None:
        pytest.skip("the extra app isn't installed")
    spent_s = []
    for what in ("repetition", "report"):
        (tmp_path / what).mkdir()
        start_s = time.perf_counter()
        process, url = start_server(library, tmp_path / what / "log", tmp_path / what)
        try:
            page = open_page(squat_camera, locale="en-US")
            visited(page, url)
            ready_s = time.perf_counter() - start_s
            if what == "repetition":
                rtc(page).get_by_role("button", name="Start").click()
                while watch(page, 0.5)[-1].count == 0:
                    assert time.perf_counter() - start_s < 300.0
            else:
                page.get_by_role("button", name="See a sample report").click()
                finished(page)
                page.frame_locator("iframe[srcdoc]").get_by_text("Data quality").wait_for()
            spent_s.append(time.perf_counter() - start_s)
        finally:
            process.terminate()
            process.wait(30)
        with capsys.disabled():
            sys.stdout.write(
                f"\nfirst {what}: {spent_s[-1]:.1f} s from the command, page ready after {ready_s:.1f} s\n"
            )
    assert max(spent_s) < 60.0
