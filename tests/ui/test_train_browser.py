"""To train by: what a trainee sees from three metres, on a laptop and on a phone, in two languages."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from posepipe.media.sources import open_source
from posepipe.record.session import load_session
from tests.ui.clips import fake_camera
from tests.ui.conftest import OpenPage
from tests.ui.looking import LIBRARY, Panel, only_this_machine, panel, pick, rtc, start, tick, watch

App = tuple[str, Path, Path, "subprocess.Popen[bytes]"]
FILM_S = 60.0
SIZES = {"laptop": (1280, 800), "upright": (390, 844), "across": (844, 390)}


def until(page: Any, count: int, seconds: float = FILM_S) -> Panel:
    """Watch until so many are counted."""
    for _ in range(int(seconds)):
        now = watch(page, 1.0)[-1]
        if now.count >= count:
            return now
    raise AssertionError(panel(page))


def shown(page: Any, selector: str) -> dict[str, float]:
    """Where an element of the board stands in the window, in pixels."""
    box = page.locator(selector).first.bounding_box()
    assert box is not None, selector
    return dict(box)


def inside(page: Any, selector: str) -> bool:
    """Whether all of it is in the window."""
    box, size = shown(page, selector), page.viewport_size
    assert box["width"] > 0 and box["height"] > 0
    return bool(
        box["x"] >= -1
        and box["y"] >= -1
        and box["x"] + box["width"] <= size["width"] + 1
        and box["y"] + box["height"] <= size["height"] + 1
    )


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_finished_set_stays_through_rest_language_exercise_and_stop(
    app: App, open_page: OpenPage, squat_camera: Path
) -> None:
    page = open_page(squat_camera, locale="en-US")
    start(page, app[0])
    until(page, 5)
    after = watch(page, 12.0)
    assert {look.count for look in after} == {5}
    assert {look.exercise for look in after} == {"Squat"}
    # Another language, with the camera on.
    pick(page, "Language", "Deutsch")
    page.get_by_role("button", name="Halt").wait_for()
    assert (panel(page).exercise, panel(page).count) == ("Kniebeuge", 5)
    # Another exercise: what was done stands in the list, and nobody talks of other tabs.
    page.get_by_role("combobox", name="Übung", exact=True).click()
    page.keyboard.type("Ausfall")
    page.keyboard.press("Enter")
    page.get_by_text("Ausfallschritt").first.wait_for()
    page.get_by_text("Kniebeuge: 5").wait_for()
    watch(page, 4.0)
    assert page.get_by_text("auch in einem anderen Fenster").count() == 0
    assert "Bilder pro Sekunde" in panel(page).speed
    rtc(page).get_by_role("button", name="Halt").click()
    page.get_by_role("heading", name="Diese Sitzung").wait_for()
    page.get_by_text("Kniebeuge: 5").wait_for()
    only_this_machine(page)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_after_stop_stands_what_was_done(app: App, open_page: OpenPage, squat_camera: Path) -> None:
    page = open_page(squat_camera, locale="en-US")
    start(page, app[0], "Squat")
    counted = until(page, 3).count
    rtc(page).get_by_role("button", name="Stop").click()
    page.get_by_role("heading", name="This session").wait_for()
    assert panel(page).count >= counted
    # The choice outlives a look at another page.
    page.get_by_role("link", name="Library").click()
    page.get_by_role("heading", name="Library", exact=True).wait_for()
    page.get_by_role("link", name="Live").click()
    page.get_by_role("heading", name="This session").wait_for()
    assert panel(page).count >= counted
    assert page.get_by_role("combobox", name="Exercise", exact=True).input_value() == "Squat"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_picture_and_count_are_seen_without_scrolling(app: App, open_page: OpenPage, size: str, scheme: str) -> None:
    page = open_page(locale="en-US", color_scheme=scheme)
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.goto(app[0])
    rtc(page).get_by_role("button", name="Start").wait_for()
    page.wait_for_timeout(500)
    assert inside(page, ".picture")
    assert inside(page, ".count")
    if size == "laptop":
        # However much the board says, as in a rest, the buttons stay in sight.
        page.locator(".board").evaluate("one => { one.style.minHeight = '1200px'; }")
        assert inside(page, ".controls")
        page.locator(".board").evaluate("one => { one.style.minHeight = ''; }")
    # On a phone the menu is folded away.
    assert shown(page, ".picture")["width"] >= 0.45 * width or size == "laptop"
    page.get_by_role("button", name="Full screen").click()
    page.get_by_role("button", name="Leave full screen").wait_for()
    page.wait_for_timeout(1500)
    for selector in (".picture", ".count", ".say"):
        assert inside(page, selector), (selector, shown(page, selector))
    if size == "laptop":
        assert panel(page).font_px * 0.7 >= 0.18 * height  # A digit is about 0.7 of the font's size high.
        assert shown(page, ".picture")["width"] >= 0.5 * width
        assert shown(page, ".picture")["width"] * 0.75 <= height
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Full screen").wait_for()


def add_to_plan(page: Any, exercise: str, sets: int, target: tuple[str, int], rest_s: int) -> None:
    """Fill the plan's line in and press its button."""
    page.get_by_role("combobox", name="Exercise of the plan").click()
    page.keyboard.type(exercise)
    page.keyboard.press("Enter")
    page.wait_for_timeout(1500)
    for name, value in (("Sets", sets), target, ("Rest (s)", rest_s)):
        box = page.get_by_role("spinbutton", name=name, exact=True)
        box.fill(str(value))
        box.press("Tab")
        page.wait_for_timeout(1000)
    page.get_by_role("button", name="Add to the plan").click()
    page.get_by_text(f"{exercise}: {sets} × {target[1]}").first.wait_for()


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.timeout(500)
def test_a_plan_of_two_exercises_is_trained_kept_and_read_again(
    app: App, library: Path, open_page: OpenPage, squat_camera: Path, shared_videos: Path, tmp_path: Path
) -> None:
    plank = fake_camera(shared_videos / "plank_02_side.mp4", tmp_path / "plank.mjpeg", still_s=20.0)
    film = tmp_path / "film.mjpeg"
    film.write_bytes(squat_camera.read_bytes() + plank.read_bytes())
    page = open_page(film, locale="en-US")
    page.goto(app[0])
    rtc(page).get_by_role("button", name="Start").wait_for()
    page.get_by_text("Plan", exact=True).click()
    add_to_plan(page, "Squat", 1, ("Repetitions", 5), 10)
    add_to_plan(page, "Plank", 1, ("Seconds", 5), 0)
    page.get_by_role("button", name="Train by this plan").click()
    page.get_by_text("Training by the plan").wait_for()
    rtc(page).get_by_role("button", name="Start").click()
    until(page, 5)
    assert page.locator(".target").inner_text() == "/ 5"
    rests = page.locator(".rest").inner_text()
    assert rests.startswith("Rest 0:0"), rests
    # Rest, then the plank, from whose seconds on the plan is done.
    page.locator(".set").filter(has_text="Set 1 of 1").wait_for()
    page.locator(".exercise").filter(has_text="Plank").wait_for()
    page.get_by_text("Plan done").first.wait_for(timeout=120_000)
    assert (panel(page).exercise, panel(page).count) == ("Plank", 5)
    rtc(page).get_by_role("button", name="Stop").click()
    page.get_by_role("heading", name="This session").wait_for()
    page.locator(".sets").get_by_text("Squat: 5 / 5").wait_for()
    page.get_by_role("button", name="Keep").click()
    page.get_by_role("textbox", name="Name").fill("Monday")
    page.get_by_role("textbox", name="Name").press("Enter")
    page.get_by_role("button", name="Keep it there").click()
    page.get_by_text("Kept in").wait_for()
    kept = load_session(library / "Monday")
    assert [(one.exercise, one.count, one.target_reps) for one in kept.sets] == [("squat", 5, 5), ("plank", 0, None)]
    assert len(kept.sets[0].reps) == 5
    assert kept.sets[1].held_s == pytest.approx(5.0, abs=1.0)
    rest_s = kept.sets[1].rest_s
    assert rest_s is not None and rest_s >= 10.0
    assert [(step.exercise, step.reps, step.held_s) for step in kept.plan] == [("squat", 5, None), ("plank", None, 5.0)]
    # Opened again, and compared with a video's result.
    page.get_by_role("link", name="Library").click()
    tick(page, 0)
    page.get_by_role("heading", name="Monday").wait_for()
    tick(page, len(LIBRARY))
    page.get_by_role("heading", name="first, then Monday").wait_for()
    page.get_by_text("Squat: repetitions").first.wait_for(state="attached")


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.timeout(300)
def test_a_plank_has_seconds(app: App, open_page: OpenPage, shared_videos: Path, tmp_path: Path) -> None:
    film = fake_camera(shared_videos / "plank_02_side.mp4", tmp_path / "film.mjpeg", lead_s=8.0, still_s=30.0)
    page = open_page(film, locale="en-US")
    start(page, app[0], "Plank")
    held = until(page, 8)
    assert held.exercise == "Plank"
    assert page.get_by_text("seconds held").is_visible()


@pytest.mark.slow
def test_the_clip_is_recorded_to_download(app: App, open_page: OpenPage, squat_camera: Path, tmp_path: Path) -> None:
    page = open_page(squat_camera, locale="en-US")
    page.goto(app[0])
    rtc(page).get_by_role("button", name="Start").wait_for()
    page.get_by_text("Record the clip", exact=True).click()
    page.wait_for_timeout(1500)
    rtc(page).get_by_role("button", name="Start").click()
    watch(page, 8.0)
    rtc(page).get_by_role("button", name="Stop").click()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download the clip").click()
    clip = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(clip)
    with open_source(clip) as source:
        assert (source.info.width_px, source.info.height_px) == (640, 480)
        # However few pictures a busy machine records, they are spread over those seconds.
        times_s = [frame.time_s for frame in source]
    assert len(times_s) > 5
    assert times_s[-1] - times_s[0] > 4.0
    only_this_machine(page)


def test_a_broken_connection_is_made_anew(app: App, open_page: OpenPage, squat_camera: Path) -> None:
    page = open_page(squat_camera, locale="en-US")
    page.goto(app[0])
    rtc(page).get_by_role("button", name="Start").wait_for()
    page.get_by_text("Record the clip", exact=True).click()
    page.wait_for_timeout(1500)
    rtc(page).get_by_role("button", name="Start").click()
    page.wait_for_function(_CONNECTED)
    # The camera and its recording don't notice.
    page.evaluate("window.before = { ...window.posepipeLive }; window.posepipeLive.connection.close()")
    page.wait_for_function(f"window.posepipeLive.n !== window.before.n && ({_CONNECTED})()")
    assert page.evaluate("['stream', 'recorder'].every(name => window.posepipeLive[name] === window.before[name])")
    watch(page, 3.0)
    assert rtc(page).get_by_role("button", name="Stop").is_visible()
    # Broken again at once it is said.
    page.evaluate("window.posepipeLive.connection.close()")
    page.get_by_role("alert").filter(has_text="The connection to the app broke").wait_for()
    rtc(page).get_by_role("button", name="Start").click()
    page.wait_for_function(_CONNECTED)
    page.get_by_role("alert").filter(has_text="The connection to the app broke").wait_for(state="hidden")


_CONNECTED = "() => window.posepipeLive.connection?.connectionState === 'connected'"


def test_a_refused_camera_is_said_once_in_our_words(app: App, open_page: OpenPage) -> None:
    page = open_page(arguments=["--use-fake-device-for-media-stream"], locale="de-DE")
    page.goto(app[0])
    rtc(page).get_by_role("button", name="Start").click()
    page.get_by_role("alert").filter(has_text="Die Kamera wurde verweigert").wait_for()
    page.wait_for_timeout(1000)
    said = [alert.inner_text() for alert in page.get_by_role("alert").all() if alert.is_visible()]
    said += [text for frame in page.frames[1:] for text in frame.locator("body").all_inner_texts()]
    assert len([text for text in said if text.strip()]) == 1
    assert "denied" not in " ".join(said).lower()


_NO_VOICES = "Object.defineProperty(window, 'speechSynthesis', { value: { getVoices: () => [], speaking: false } });"


def test_no_local_voice_is_said(app: App, open_page: OpenPage) -> None:
    page = open_page(locale="en-US")
    page.add_init_script(_NO_VOICES)
    page.goto(app[0])
    page.get_by_text("Say the number").click()
    page.get_by_text("no voice of this machine for English").wait_for()
    page.get_by_text("Silent", exact=True).click()
    page.get_by_text("no voice of this machine for English").wait_for(state="hidden")
