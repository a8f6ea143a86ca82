"""Corrections in a real browser: a joint is dragged, sides exchanged, a repetition taken out, and all taken back."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from posepipe.edits import read_edits
from posepipe.record.folder import load
from tests.ui.conftest import OpenPage
from tests.ui.looking import finished

App = tuple[str, Path, Path, "subprocess.Popen[bytes]"]
_VIDEO = "document.querySelector('.st-key-player video')"


def result_folder(temporary: Path) -> Path:
    """The newest result of the app's sessions."""
    return max(temporary.glob("posepipe-app-*/result-*/summary.json"), key=lambda path: path.stat().st_mtime).parent


def computed(page: Any, folder: Path, edits: int) -> None:
    """Wait until so many corrections hold."""
    button = page.get_by_role("button", name="Correct", exact=True)
    for _ in range(240):
        page.wait_for_timeout(500)
        # While the page is drawn again, the tools of the state before still stand there.
        pressed = button.evaluate_all("all => all.map(one => one.getAttribute('aria-pressed'))")
        waiting = page.get_by_text("Computing again").count() > 0
        if len(read_edits(folder)) == edits and not waiting and pressed == ["false"]:
            return
    raise AssertionError(f"{len(read_edits(folder))} corrections, {button.count()} sets of tools")


@pytest.mark.timeout(900)
def test_correct_and_take_back(app: App, open_page: OpenPage) -> None:
    url, log, temporary, _ = app
    page = open_page(locale="en-US")
    page.goto(url)
    page.get_by_role("button", name="See a sample report").click()
    finished(page)
    folder = result_folder(temporary)
    before = load(folder)
    # Single frames, by key and by button; a repetition is jumped to.
    page.get_by_role("button", name="Squat 2", exact=True).click()
    page.wait_for_function(
        f"Math.abs({_VIDEO}.currentTime - {before.people[0].exercise.bouts[0].reps[1].start_s}) < 0.05"
    )
    at_s = page.evaluate(f"{_VIDEO}.currentTime")
    page.get_by_role("button", name="One frame on").click()
    page.wait_for_function(f"{_VIDEO}.currentTime - {at_s} > 0.02 && {_VIDEO}.currentTime - {at_s} < 0.07")
    page.keyboard.press(",")
    page.wait_for_function(f"Math.abs({_VIDEO}.currentTime - {at_s}) < 0.03")
    page.get_by_role("combobox", name="Speed").select_option("0.25")
    assert page.evaluate(f"{_VIDEO}.playbackRate") == 0.25
    # A repetition that wasn't one.
    page.get_by_role("button", name="Correct", exact=True).click()
    page.get_by_role("button", name="Not one: Squat 2").click()
    computed(page, folder, 1)
    page.get_by_text("Exercise: 2 × squat").first.wait_for()
    # Sides exchanged over a span, and back.
    for edits in (2, 3):
        page.get_by_role("button", name="Correct", exact=True).click()
        page.evaluate(f"{_VIDEO}.currentTime = 4.0")
        page.wait_for_timeout(500)
        page.get_by_role("button", name="Sides wrong from here").click()
        page.evaluate(f"{_VIDEO}.currentTime = 5.0")
        page.wait_for_timeout(500)
        page.get_by_role("button", name="to here: exchange").click()
        computed(page, folder, edits)
    track, first = load(folder).people[0].keypoints, before.people[0].keypoints
    assert abs(track.xy_px - first.xy_px).max() == 0
    # The left knee is dragged to the right.
    page.get_by_role("button", name="Correct", exact=True).click()
    page.evaluate(f"{_VIDEO}.currentTime = 6.01")
    page.wait_for_timeout(800)
    # A walk's heel strikes stand between the picture and the tools.
    page.locator("canvas.posepipe").scroll_into_view_if_needed()
    box = page.locator("canvas.posepipe").bounding_box()
    scale = box["width"] / before.video.width_px
    row = int(abs(first.time_s - 6.0).argmin())
    x, y = (float(number) for number in first.xy_px[row, first.layout.joints.index("left_wrist")])
    page.mouse.move(box["x"] + scale * x, box["y"] + scale * y)
    page.mouse.down()
    page.mouse.move(box["x"] + scale * x + 40, box["y"] + scale * y, steps=4)
    page.mouse.up()
    computed(page, folder, 4)
    edit = read_edits(folder)[-1]
    assert edit.kind == "move"
    moved = load(folder).people[0].keypoints
    joint = moved.layout.joints.index(edit.joint)
    assert moved.xy_px[row, joint, 0] - first.xy_px[row, joint, 0] > 20
    # All of it is taken back.
    page.get_by_role("button", name="Take all back").click()
    computed(page, folder, 0)
    page.get_by_text("Exercise: 3 × squat").first.wait_for()
    assert load(folder).people[0].exercise.reps_total == before.people[0].exercise.reps_total
    assert json.loads((folder / "summary.json").read_text()) == json.loads((folder / "before/summary.json").read_text())
    assert "Traceback" not in log.read_text()
