"""Guidance before filming in a real browser: where the phone goes, and what is wrong with the picture now."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from tests.ui.conftest import OpenPage
from tests.ui.looking import pick, rtc

App = tuple[str, Path, Path, "subprocess.Popen[bytes]"]


def choose(page: Any, exercise: str) -> None:
    pick(page, "What will be filmed", exercise, typed=True)


def test_the_live_picture_is_judged(app: App, open_page: OpenPage, squat_camera: Path) -> None:
    page = open_page(squat_camera, locale="en-US")
    page.goto(app[0])
    page.get_by_text("Before filming: where the phone goes").click()
    page.get_by_text("Half from the side, half from the front").wait_for()
    page.get_by_text("Press Start and stand where you will exercise").wait_for()
    # Another exercise, another place.
    choose(page, "Push-up")
    page.get_by_text("the phone sees you in profile").wait_for()
    choose(page, "Squat")
    page.get_by_text("Half from the side, half from the front").wait_for()
    rtc(page).get_by_role("button", name="Start").click()
    for what in ("Whole body", "Distance", "Height of the phone", "Light", "Side"):
        page.get_by_text(f"{what}: good").wait_for()
    page.get_by_text("Pictures a second: ").wait_for()
    # Chosen while the camera is on.
    choose(page, "Lateral")
    page.get_by_text("the phone sees your face").wait_for()


def test_a_clip_is_judged_too(app: App, open_page: OpenPage) -> None:
    page = open_page(locale="de-DE")
    page.goto(f"{app[0]}/analyze")
    page.get_by_text("Vor dem Filmen: wohin das Telefon kommt").click()
    page.get_by_text("Halb von der Seite, halb von vorn").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Beispielbericht ansehen").click()
    page.get_by_text("Wie gefilmt wurde").wait_for(timeout=180_000)
    page.get_by_text("Wie gefilmt wurde").click()
    page.get_by_text("Ganzer Körper: gut").wait_for()
    page.get_by_text("Licht: gut").wait_for()
