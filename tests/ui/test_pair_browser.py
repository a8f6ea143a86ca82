"""Two videos in step in a real browser, and a clip cut out that its own reader opens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from posepipe.exercise.types import Bout, ExerciseResult, Repetition
from posepipe.gait.types import Event
from posepipe.media.sources import open_source
from posepipe.media.writer import VideoWriter
from posepipe.record.folder import save
from posepipe.record.recording import Person
from posepipe.ui.pages.pair import anchors
from tests.record.factory import make_gait, make_person, make_recording
from tests.ui.conftest import OpenPage, start_server
from tests.ui.looking import tick

VIDEOS = "[0, 1].map(n => document.querySelector(`.st-key-pair${n} video`))"


def squatter(start_s: float, each_s: float, reps: int = 3) -> Person:
    """Down in a third of the time, up in the rest."""
    done = tuple(
        Repetition(at, at + each_s / 3, at + each_s, 90.0, 4.0, (each_s / 3, 2 * each_s / 3))
        for at in (start_s + each_s * number for number in range(reps))
    )
    return make_person(60, exercise=ExerciseResult((Bout("squat", 0.9, start_s, start_s + reps * each_s, done),)))


def walker(*strikes: tuple[float, str]) -> Person:
    gait = make_gait()
    events = tuple(Event(time_s, 0.02, side, "heel_strike", 1.0) for time_s, side in strikes)
    return make_person(60, exercise=ExerciseResult(), gait=replace(gait, walk=replace(gait.walk, events=events)))


def test_repetitions_are_the_same_moments() -> None:
    found = anchors(squatter(1.0, 0.9), squatter(0.3, 1.2, reps=5))
    assert found[:4] == [pytest.approx(pair) for pair in ((1.0, 0.3), (1.3, 0.7), (1.9, 1.5), (2.2, 1.9))]
    assert len(found) == 7
    assert all(np.diff(np.array(found), axis=0).min(axis=0) > 0.0)
    assert anchors(squatter(1.0, 0.9), walker()) == []


def test_strikes_of_the_same_side_until_one_is_missed() -> None:
    one = walker((0.5, "left"), (1.0, "right"), (1.5, "left"), (2.0, "right"))
    other = walker((0.2, "right"), (0.8, "left"), (1.4, "right"), (2.6, "right"))
    assert anchors(one, other) == [(0.5, 0.8), (1.0, 1.4)]


def film(folder: Path, seconds: float) -> None:
    with VideoWriter(folder / "annotated.mp4", 160, 120, 20.0) as writer:
        for number in range(round(20 * seconds)):
            writer.write(np.full((120, 160, 3), (number * 4) % 256, np.uint8), number / 20)


def times(page: Any) -> list[float]:
    found: list[float] = page.evaluate(f"{VIDEOS}.map(video => video.currentTime)")
    return found


def at(page: Any, first_s: float, second_s: float) -> None:
    """Wait until both stand there."""
    near = f"Math.abs(video.currentTime - [{first_s}, {second_s}][n]) < 0.02 && !video.seeking"
    page.wait_for_function(f"{VIDEOS}.every((video, n) => {near})")


def test_two_videos_in_step_and_a_clip(open_page: OpenPage, tmp_path: Path) -> None:
    root = tmp_path / "own"
    for day, (name, person, seconds) in enumerate(
        (("before", squatter(0.3, 1.2), 5.0), ("after", squatter(1.0, 0.9), 4.0)), 1
    ):
        created = f"2026-03-0{day}T05:06:07+00:00"
        save(make_recording(60, people=(person,), created=created, warnings=()), root / name)
        film(root / name, seconds)
    (tmp_path / "tmp").mkdir()
    process, url = start_server(root, tmp_path / "log", tmp_path / "tmp")
    try:
        page = open_page(locale="en-US")
        page.goto(f"{url}/library")
        tick(page, 0)
        page.locator("iframe[srcdoc]").wait_for()
        page.wait_for_timeout(500)
        tick(page, 1)
        heading = page.get_by_role("heading", name="before, then after")
        heading.wait_for()
        page.get_by_role("button", name="Play both").wait_for()
        moment = page.get_by_role("slider", name="Moment")
        page.wait_for_function(f"{VIDEOS}.every(video => video.readyState > 0)")
        # The second repetition begins at 1.5 s in one, at 1.9 s in the other.
        moment.evaluate("slider => { slider.value = 1.5; slider.dispatchEvent(new Event('input')); }")
        at(page, 1.5, 1.9)
        moment.evaluate("slider => { slider.value = 1.7; slider.dispatchEvent(new Event('input')); }")
        at(page, 1.7, 2.05)
        page.get_by_role("combobox", name="In step by").select_option("first")
        at(page, 1.7, 2.4)
        page.get_by_role("combobox", name="In step by").select_option("time")
        at(page, 1.7, 1.7)
        page.get_by_role("combobox", name="In step by").select_option("phase")
        at(page, 1.7, 2.05)
        # One frame by key.
        heading.click()
        page.keyboard.press(".")
        page.wait_for_function(f"Math.abs({VIDEOS}[0].currentTime - 1.7) > 0.02")
        # Played slowly, both go on together.
        page.get_by_role("combobox", name="Speed").select_option("0.5")
        page.get_by_role("button", name="Play both").click()
        page.wait_for_function(f"{VIDEOS}[0].currentTime > 2.0")
        page.get_by_role("button", name="Pause").click()
        page.wait_for_timeout(500)
        left_s, right_s = times(page)
        assert right_s == pytest.approx(1.9 + 0.75 * (left_s - 1.5), abs=0.03)
        assert page.evaluate(f"{VIDEOS}.every(video => video.ariaLabel.includes('skeleton'))")
        # A clip of one result.
        tick(page, 1)
        page.locator("iframe[srcdoc]").wait_for()
        video = page.locator(".st-key-player video")
        video.wait_for()
        page.wait_for_function("document.querySelector('.st-key-player video').ariaLabel?.includes('skeleton')")
        for time_s, name in ((1.0, "Clip from here"), (2.0, "to here: cut out")):
            video.evaluate(f"video => {{ video.currentTime = {time_s} }}")
            page.wait_for_timeout(400)
            page.get_by_role("button", name=name).click()
        with page.expect_download() as waiting:
            page.get_by_role("button", name="Download the clip, 1.0 to 2.0 s").click()
        assert waiting.value.suggested_filename == "squat-1.0-2.0.mp4"
        waiting.value.save_as(tmp_path / "clip.mp4")
        with open_source(tmp_path / "clip.mp4") as source:
            frames = list(source)
        assert len(frames) == pytest.approx(21, abs=1)
        # The picture that is seen, in its full size.
        with page.expect_download() as waiting:
            page.get_by_role("button", name="Save picture").click()
        assert waiting.value.suggested_filename.endswith(".png")
        waiting.value.save_as(tmp_path / "picture.png")
        picture = cv2.imread(str(tmp_path / "picture.png"))
        assert picture.shape == (720, 1280, 3)
        assert picture.mean() > 50.0
        assert "Traceback" not in (tmp_path / "log").read_text()
    finally:
        process.terminate()
        process.wait(20)
