"""The live page with a film for a camera: counts, speed, delay, memory. Slow: it plays in real time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tests.packets import free_port, home, outward, when_open
from tests.ui.clips import fake_camera, squat_film
from tests.ui.conftest import OpenPage, start_server
from tests.ui.looking import Panel, finished, panel, rtc, start, watch

__all__ = ["home"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

App = tuple[str, Path, Path, "subprocess.Popen[bytes]"]
LEAD_S = 8.0


def _film_s(camera_film: Path, still_s: float) -> float:
    probe = ["ffprobe", "-v", "error", "-count_packets", "-select_streams", "v", "-show_entries"]
    command = [*probe, "stream=nb_read_packets", "-of", "csv=p=0", "-f", "mjpeg", str(camera_film)]
    return int(subprocess.check_output(command).decode().strip().strip(",")) / 30.0 - still_s


def _count(page: Any, url: str, camera_film: Path, still_s: float, exercise: str) -> list[Panel]:
    """Play the film once and look at the panel until it is over."""
    start(page, url, exercise)
    return watch(page, _film_s(camera_film, still_s) + 6.0)


def _speed(said: str) -> tuple[float, float, float]:
    """Pictures a second, median and 95 % delay in ms, as the page says them."""
    numbers = re.findall(r"\d+", said)
    assert len(numbers) == 4, said
    return float(numbers[0]), float(numbers[1]), float(numbers[3])


def test_camera_stays_on_this_machine(open_page: OpenPage, squat_camera: Path, home: Path) -> None:
    """WebRTC takes this machine's own addresses, which lead back to it; nothing is looked up and no server is asked."""
    port = free_port()
    shown: list[str] = []

    def use() -> None:
        when_open(port)
        page = open_page(squat_camera)
        start(page, f"http://localhost:{port}")
        shown.extend(look.speed for look in watch(page, 15.0))

    found = outward(["app", "--no-browser", "--port", str(port)], home, use=use)
    assert any(shown)
    own = {address.address for addresses in psutil.net_if_addrs().values() for address in addresses}
    assert [line for line in found if not any(f" {one}" in line or f'"{one}"' in line for one in own)] == []


def test_rendered_squats_are_counted_exactly(app: App, open_page: OpenPage, squat_camera: Path) -> None:
    page = open_page(squat_camera)
    seen = _count(page, app[0], squat_camera, 40.0, "Squat")
    counts = [look.count for look in seen]
    assert counts[-1] == 5
    assert counts == sorted(counts)
    assert "Squat" in {look.exercise for look in seen}
    assert any(look.verdict for look in seen)
    # Pause, go on, reset, end: summary and download.
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Go on").wait_for()
    page.get_by_role("button", name="Go on").click()
    rtc(page).get_by_role("button", name="Stop").click()
    page.get_by_role("heading", name="This session").wait_for()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download the session").click()
    assert waiting.value.suggested_filename == "posepipe-session.json"
    page.get_by_role("button", name="Reset").click()
    page.wait_for_timeout(2000)
    assert panel(page).count == 0


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "exercise", "reps"),
    [
        ("squat_01_barbell_side", "Squat", 3),
        ("curl_01_barbell_side", "Biceps curl", 3),
        ("jacks_01_front", "Jumping jack", 5),
        ("squat_11_air_side", "Squat", 3),
    ],
)
def test_filmed_repetitions_within_one(
    app: App, open_page: OpenPage, shared_videos: Path, tmp_path: Path, name: str, exercise: str, reps: int
) -> None:
    film = fake_camera(shared_videos / f"{name}.mp4", tmp_path / "film.mjpeg", lead_s=LEAD_S, still_s=30.0)
    seen = _count(open_page(film), app[0], film, 30.0, exercise)
    assert abs(seen[-1].count - reps) <= 1, [(look.exercise, look.count) for look in seen]


def test_two_sessions_at_once(app: App, open_page: OpenPage, squat_camera: Path) -> None:
    one, two = open_page(squat_camera), open_page(squat_camera)
    start(one, app[0])
    start(two, app[0])
    watch(one, 15.0)
    two.reload()
    two.get_by_text("live in another tab").wait_for()
    start(two, app[0])
    watch(one, 15.0)
    speeds = [_speed(look.speed)[0] for page in (one, two) for look in watch(page, 5.0)]
    assert min(speeds) >= 10.0


def test_a_session_outlives_the_other_tab(app: App, open_page: OpenPage, squat_camera: Path) -> None:
    one, two = open_page(squat_camera), open_page(squat_camera)
    start(one, app[0])
    watch(one, 5.0)
    start(two, app[0])
    two.get_by_text("live in another tab").wait_for()
    watch(two, 5.0)
    rtc(one).get_by_role("button", name="Stop").click()
    one.get_by_role("heading", name="This session").wait_for()
    watch(one, 7.0)  # Its stage waits five seconds for more pictures.
    # Each press draws the whole page anew, now without the notice.
    two.get_by_role("button", name="Pause").click()
    two.get_by_role("button", name="Go on").click()
    two.get_by_text("live in another tab").wait_for(state="detached")
    assert all(_speed(look.speed)[0] > 0.0 for look in watch(two, 3.0))
    assert rtc(two).get_by_role("button", name="Stop").is_visible()


@pytest.mark.timeout(4500)
def test_five_minutes(
    open_page: OpenPage, squat_camera: Path, library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Speed, delay and memory with everything on; `POSEPIPE_LIVE_MINUTES` says for how long. Wants a quiet machine."""
    minutes = float(os.environ.get("POSEPIPE_LIVE_MINUTES", "5"))
    process, url = start_server(library, tmp_path / "log", tmp_path)
    try:
        page = open_page(squat_camera, locale="en-US")
        first_s = _opened_s(page, url)
        again_s = _opened_s(page, url)
        # The exercise is found out; besides, the body in space, the clip being recorded, numbers and advice spoken.
        for name in ("3D view beside the picture", "Record the clip"):
            page.get_by_text(name, exact=True).click()
            page.wait_for_timeout(1000)
        page.get_by_text("Say the number").click()
        page.wait_for_timeout(1000)
        rtc(page).get_by_role("button", name="Start").click()
        watch(page, 12.0 * minutes, 5.0)
        server = psutil.Process(process.pid)
        before_mb = server.memory_info().rss / 1e6
        said = [_speed(look.speed) for look in watch(page, 48.0 * minutes, 5.0)]
        after_mb = server.memory_info().rss / 1e6
        counted = panel(page)
    finally:
        process.terminate()
        process.wait(15)
    rates, slow_ms = sorted(one[0] for one in said), max(one[2] for one in said)
    figures = (
        f"{rates[len(rates) // 2]} fps (least {rates[0]}), median delay {np.median([one[1] for one in said]):.0f} ms, "
        f"p95 {slow_ms} ms, {before_mb:.0f} to {after_mb:.0f} MB, first page {first_s:.1f} s, again {again_s:.1f} s, "
        f"{counted.exercise} {counted.count}, load {os.getloadavg()[0]:.1f}"
    )
    with capsys.disabled():
        sys.stdout.write(f"\nlive, {minutes:g} minutes: {figures}\n")
    assert counted.exercise == "Squat", figures
    assert after_mb < 1.05 * before_mb, figures
    assert rates[len(rates) // 2] >= 20.0, figures
    assert slow_ms <= 150.0, figures
    assert max(first_s, again_s) <= 3.0, figures


def _opened_s(page: Any, url: str) -> float:
    """How long until a visitor can press Start."""
    start_s = time.perf_counter()
    page.goto(url)
    rtc(page).get_by_role("button", name="Start").wait_for()
    return time.perf_counter() - start_s


def test_camera_of_the_apps_machine(open_page: OpenPage, library: Path, tmp_path: Path) -> None:
    """Without WebRTC: the app reads the camera itself, here a film that plays at its own speed."""
    film = squat_film(tmp_path / "film.mp4", reps=3, lead_s=5.0)
    process, url = start_server(library, tmp_path / "log", tmp_path, {"POSEPIPE_CAMERA": str(film)})
    try:
        page = open_page()
        page.goto(url)
        page.get_by_role("combobox", name="Exercise").click()
        page.keyboard.type("Squat")
        page.keyboard.press("Enter")
        page.get_by_text("App's machine", exact=True).click()
        page.get_by_text("Camera number").wait_for()
        rtc(page).get_by_role("button", name="Start").click()
        page.wait_for_function(_PICTURE)
        seen = watch(page, 18.0)
        assert seen[-1].count == 3
        page.get_by_role("heading", name="This session").wait_for()
    finally:
        process.terminate()
        process.wait(15)


_PICTURE = """() => [...document.querySelectorAll('*')].some(
  element => element.shadowRoot && element.shadowRoot.querySelector('img')?.naturalWidth > 600)"""


def test_temporary_files_go_after_the_page_was_closed(app: App, open_page: OpenPage, person_clip: Path) -> None:
    url, _, temporary, _ = app
    before = set(temporary.glob("posepipe-app-*"))
    page = open_page()
    page.goto(f"{url}/analyze")
    page.locator("input[type=file]").set_input_files([person_clip])
    page.get_by_test_id("stMain").get_by_role("button", name="Analyze").click()
    finished(page)
    mine = set(temporary.glob("posepipe-app-*")) - before
    assert len(mine) == 1
    page.goto("about:blank")
    until_s = time.monotonic() + 170.0
    while any(folder.exists() for folder in mine):
        assert time.monotonic() < until_s
        time.sleep(2.0)
