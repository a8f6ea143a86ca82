"""The live page with a film for a camera: counts, speed, delay, memory. Slow: it plays in real time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tests.packets import free_port, home, outward, when_open
from tests.ui.clips import fake_camera, squat_film
from tests.ui.conftest import OpenPage, browsing, start_server
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


@dataclass(frozen=True, slots=True)
class Minute:
    """The app at one moment of a long run.

    Attributes:
        at_min: since Start was pressed.
        server_mb: memory of the app's process.
        heap_mb: what the page's scripts hold.
        pictures: that came back to the browser, since Start.
        fps_hz, delay_ms, slow_ms: as the page says them; the last is 95 % of the delays.
        count: repetitions.
        load: of the machine.
    """

    at_min: float
    server_mb: float
    heap_mb: float
    pictures: int
    fps_hz: float
    delay_ms: float
    slow_ms: float
    count: int
    load: float


@dataclass(frozen=True, slots=True)
class Run:
    """A long run with everything on: how long its first two pages took, and how it was every few seconds."""

    first_s: float
    again_s: float
    exercise: str
    looks: tuple[Minute, ...]

    def __str__(self) -> str:
        early, last = self.early(), self.looks[-1]
        late = [look for look in self.looks if look.at_min >= early.at_min]
        return (
            f"{last.at_min:.1f} minutes: {np.median([look.fps_hz for look in late]):.0f} fps "
            f"(least {min(look.fps_hz for look in late):.0f}), "
            f"median delay {np.median([look.delay_ms for look in late]):.0f} ms, "
            f"p95 {max(look.slow_ms for look in late):.0f} ms, {early.server_mb:.0f} to {last.server_mb:.0f} MB, "
            f"{last.pictures} pictures, first page {self.first_s:.1f} s, again {self.again_s:.1f} s, "
            f"{self.exercise} {last.count}, load {last.load:.1f}"
        )

    def early(self) -> Minute:
        """After a fifth of the time, when all that is kept once is there."""
        return next(look for look in self.looks if look.at_min >= 0.2 * self.looks[-1].at_min)


@pytest.fixture(scope="module")
def long_run(
    squat_camera: Path, library: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Run:
    """Minutes of the app with everything on: `POSEPIPE_LIVE_MINUTES`, 5 if it isn't set.

    A line for each minute goes to the file `POSEPIPE_LIVE_LOG`, while it runs. `POSEPIPE_LIVE_HZ` asks the camera for
    fewer pictures a second than the page does, to spare the machine.
    """
    minutes = float(os.environ.get("POSEPIPE_LIVE_MINUTES", "5"))
    folder = tmp_path_factory.mktemp("long")
    log = Path(os.environ.get("POSEPIPE_LIVE_LOG", folder / "minutes.csv"))
    process, url = start_server(library, folder / "log", folder)
    try:
        with browsing(folder) as opened:
            page = opened(squat_camera, locale="en-US")
            if hz := os.environ.get("POSEPIPE_LIVE_HZ"):
                page.add_init_script(_SLOWER % float(hz))
            run = _everything_on(page, url, psutil.Process(process.pid), minutes, log)
    finally:
        process.terminate()
        process.wait(15)
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        sys.stdout.write(f"\nlive, {run}\n")
    return run


def _everything_on(page: Any, url: str, server: psutil.Process, minutes: float, log: Path) -> Run:
    first_s = _opened_s(page, url)
    again_s = _opened_s(page, url)
    # The exercise is found out; besides, the body in space, the clip being recorded, numbers and advice spoken.
    for name in ("3D view beside the picture", "Record the clip"):
        page.get_by_text(name, exact=True).click()
        page.wait_for_timeout(1000)
    page.get_by_text("Say the number").click()
    page.wait_for_timeout(1000)
    rtc(page).get_by_role("button", name="Start").click()
    start_s = heard_s = time.monotonic()
    looks: list[Minute] = []
    log.write_text(",".join(field.name for field in fields(Minute)) + "\n")
    while (at_min := (time.monotonic() - start_s) / 60.0) < minutes:
        seen = watch(page, 5.0, 5.0)[-1]
        dead = page.get_by_role("dialog")
        assert not dead.is_visible(), f"after {at_min:.1f} minutes: {dead.inner_text()}"
        if not seen.speed:
            # Not a picture for five seconds: it begins, or a busy machine stands still.
            assert time.monotonic() - heard_s < _STILL_S, f"the camera ended after {at_min:.1f} minutes"
            continue
        heard_s = time.monotonic()
        pictures, heap = page.evaluate(_RECEIVED)
        now = (
            server.memory_info().rss / 1e6,
            heap / 1e6,
            pictures,
            *_speed(seen.speed),
            seen.count,
            os.getloadavg()[0],
        )
        looks.append(Minute(at_min, *now))
        if len(looks) == 1 or int(looks[-2].at_min) < int(at_min):
            with log.open("a") as file:
                file.write(",".join(f"{value:.6g}" for value in astuple(looks[-1])) + "\n")
    return Run(first_s, again_s, panel(page).exercise, tuple(looks))


_SLOWER = """(() => {
  const devices = navigator.mediaDevices, ask = devices.getUserMedia.bind(devices), frameRate = { max: %g };
  devices.getUserMedia = wanted => ask({ ...wanted, video: { ...wanted.video, frameRate } });
})()"""
_STILL_S = 90.0
_RECEIVED = """async () => {
  const stats = await window.posepipeLive.connection.getStats();
  const pictures = [...stats.values()].find(one => one.type === 'inbound-rtp')?.framesReceived || 0;
  return [pictures, performance.memory.usedJSHeapSize];
}"""


@pytest.mark.timeout(4500)
def test_five_minutes_leave_memory_as_it_was(long_run: Run) -> None:
    """Holds on a busy machine, too: fewer pictures are looked at there, and this says how many."""
    early, last = long_run.early(), long_run.looks[-1]
    assert long_run.exercise == "Squat", str(long_run)
    assert last.pictures - early.pictures > 2 * 60 * (last.at_min - early.at_min), str(long_run)
    assert last.server_mb < 1.05 * early.server_mb, str(long_run)


@pytest.mark.timeout(4500)
def test_five_minutes_of_speed_and_delay(long_run: Run) -> None:
    """Wants a quiet machine."""
    late = [look for look in long_run.looks if look.at_min >= long_run.early().at_min]
    assert np.median([look.fps_hz for look in late]) >= 20.0, str(long_run)
    assert max(look.slow_ms for look in late) <= 150.0, str(long_run)
    assert max(long_run.first_s, long_run.again_s) <= 3.0, str(long_run)


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
    page.get_by_test_id("stMain").get_by_role("button", name="Analyze", exact=True).click()
    finished(page)
    mine = set(temporary.glob("posepipe-app-*")) - before
    assert len(mine) == 1
    page.goto("about:blank")
    until_s = time.monotonic() + 170.0
    while any(folder.exists() for folder in mine):
        assert time.monotonic() < until_s
        time.sleep(2.0)
