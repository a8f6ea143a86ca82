"""The app by keyboard alone: every control is reached, one sees where one is, and all that a mouse does can be done."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from posepipe.edits import read_edits
from posepipe.record.folder import load
from tests.ui.conftest import OpenPage
from tests.ui.keys import tab_to, walk
from tests.ui.looking import finished, open_row, rows, rtc
from tests.ui.practice import ROWS

App = tuple[str, Path, Path, "subprocess.Popen[bytes]"]
Practice = tuple[str, Path]


def settled(page: Any) -> None:
    """Wait until nothing is being drawn any more."""
    page.wait_for_timeout(800)
    page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget], [data-stale=true]')")
    page.wait_for_timeout(700)


def shown(page: Any, url: str, place: str) -> None:
    """Open a page of the app with all that can be unfolded, or a kept result with what corrects it."""
    if place in ("result", "compared"):
        page.goto(f"{url}/library")
        open_row(page, ROWS.index("Woche 3"))
    if place == "result":
        page.get_by_role("button", name="Correct", exact=True).click()
        return
    if place == "compared":
        rows(page).nth(ROWS.index("Woche 1")).get_by_role("checkbox").click()
        page.get_by_role("button", name="Play both").wait_for()
        return
    page.goto(url if place == "live" else f"{url}/{place}")
    if place == "live":
        rtc(page).get_by_role("button", name="Start").wait_for()
    else:
        page.get_by_test_id("stMainBlockContainer").get_by_role("heading", level=1).wait_for()
        settled(page)
    page.get_by_test_id("stExpander").locator("summary").evaluate_all("all => all.forEach(one => one.click())")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("place", "least"),
    [
        ("live", 15),
        ("analyze", 15),
        ("result", 15),
        *(pytest.param(place, 5, marks=pytest.mark.slow) for place in ("people", "gait", "health", "compared")),
    ],
)
def test_every_control_is_reached_and_seen(
    practice_app: Practice, open_page: OpenPage, scheme: str, place: str, least: int
) -> None:
    page = open_page(locale="en-US", color_scheme=scheme)
    shown(page, practice_app[0], place)
    settled(page)
    stops, missed, unseen = walk(page, frame=place == "live")
    assert len(stops) >= least
    assert missed == []
    assert unseen == []


def test_rows_are_opened_ticked_and_sorted_by_keys(practice_app: Practice, open_page: OpenPage) -> None:
    page = open_page(locale="en-US")
    page.goto(f"{practice_app[0]}/library")
    rows(page).first.wait_for()
    settled(page)
    tab_to(page, "Abend")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Woche 3").wait_for()
    page.locator("iframe[srcdoc]").wait_for()
    # The page was drawn again, and the focus is where it was: up to the ticks, one row on.
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    page.get_by_role("heading", name="Woche 2, then Woche 3").wait_for()
    tab_to(page, "Length")
    page.keyboard.press("Enter")
    assert [row.get_by_role("button").inner_text() for row in rows(page).all()][-1] == "Abend"
    page.keyboard.press("Enter")
    assert rows(page).first.get_by_role("button").inner_text() == "Abend"
    # A third tick takes the place of the first.
    rows(page).nth(0).get_by_role("checkbox").focus()
    page.keyboard.press("Space")
    page.get_by_role("heading", name="Woche 2, then Abend").wait_for()


@pytest.mark.timeout(600)
def test_a_joint_is_moved_by_keys(practice_app: Practice, open_page: OpenPage) -> None:
    page, folder = open_page(locale="en-US"), practice_app[1] / "Woche 1"
    page.goto(f"{practice_app[0]}/library")
    open_row(page, ROWS.index("Woche 1"))
    before = load(folder).people[0].keypoints
    settled(page)
    tab_to(page, "Squat 2")
    page.keyboard.press("Enter")
    page.wait_for_timeout(500)
    tab_to(page, "Correct")
    page.keyboard.press("Enter")
    tab_to(page, "Joint to move")
    page.keyboard.type("Right knee")
    tab_to(page, "Right")
    # Ten steps to the right at once, two back, one down.
    page.keyboard.press("Shift+ArrowRight")
    for key in ("ArrowLeft", "ArrowLeft", "ArrowDown"):
        page.keyboard.press(key)
    page.get_by_text("Right knee: Right 23 px, Down 3 px").wait_for()
    tab_to(page, "Put it there")
    page.keyboard.press("Enter")
    for _ in range(240):
        page.wait_for_timeout(500)
        if read_edits(folder):
            break
    (edit,) = read_edits(folder)
    assert (edit.kind, edit.joint) == ("move", "right_knee")
    row = int(abs(before.time_s - edit.start_s).argmin())
    was = before.xy_px[row, before.layout.joints.index("right_knee")]
    assert edit.x_px - was[0] == pytest.approx(8 * 0.004 * 720, abs=0.6)
    assert edit.y_px - was[1] == pytest.approx(0.004 * 720, abs=0.6)
    # The tools came anew, and the keys are still in them.
    page.get_by_role("button", name="Take all back").wait_for()
    page.wait_for_function("window.posepipeHeld === null")
    tab_to(page, "Take all back")
    page.keyboard.press("Enter")
    for _ in range(240):
        page.wait_for_timeout(500)
        if not read_edits(folder):
            break
    assert read_edits(folder) == ()


@pytest.mark.timeout(600)
def test_a_person_in_the_video_is_chosen_by_keys(app: App, open_page: OpenPage, two_people: Path) -> None:
    page = open_page(locale="en-US")
    page.goto(f"{app[0]}/analyze")
    page.locator("input[type=file]").set_input_files([two_people])
    page.get_by_test_id("stMultiSelect").get_by_text("two.mp4").wait_for()
    settled(page)
    # In the form the keyboard alone starts it, too.
    tab_to(page, "Body height")
    page.keyboard.type("174")
    page.keyboard.press("Enter")
    page.get_by_text("Body height: 174 cm").wait_for()
    settled(page)
    page.get_by_test_id("stMainBlockContainer").get_by_role("button", name="Analyze", exact=True).focus()
    page.keyboard.press("Space")
    finished(page)
    page.locator("button.posepipe-person").first.wait_for()
    settled(page)
    page.get_by_role("button", name="Download", exact=True).focus()
    tab_to(page, "Analyze person")
    page.keyboard.press("Enter")
    page.get_by_role("combobox", name="Result").wait_for(timeout=120_000)
    finished(page)


def test_live_goes_on_from_button_to_button(app: App, open_page: OpenPage, squat_camera: Path) -> None:
    page = open_page(squat_camera, locale="en-US")
    page.goto(app[0])
    rtc(page).get_by_role("button", name="Start").wait_for()
    settled(page)
    tab_to(page, "Start")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Pause").wait_for()
    # Start is gone; the keys go on with the next.
    page.wait_for_function(
        "document.activeElement.shadowRoot?.activeElement?.dataset.order === 'pause'", timeout=20_000
    )
    page.locator(".say").filter(has_not_text="Press Start").wait_for()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Go on").wait_for()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Pause").wait_for()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="This session").wait_for()
