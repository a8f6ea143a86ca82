"""The README's pictures of the app: ``python -m tests.ui.pictures [docs/pictures [WORK]]``; needs chromium and ffmpeg.

Everything in them is what the app makes of rendered people, at the time the script runs. Films and
analyses that already lie in the folder WORK are taken from there.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from posepipe.lab.people.body import BodyShape
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.gait import cameras_for, make_walk, write_film
from posepipe.lab.people.motion import Stance, squat
from posepipe.lab.people.sample import render_clip
from posepipe.media.writer import VideoWriter
from posepipe.pipeline import Config, Pipeline
from posepipe.record.folder import save
from posepipe.record.people import Client, assign, save_client
from posepipe.record.recording import Recording
from posepipe.record.seal import read_record
from tests.ui.clips import fake_camera, squat_film
from tests.ui.conftest import CHROMIUM, start_server
from tests.ui.looking import panel, rtc

SIZE = {"width": 1280, "height": 820}
QUALITY = 78
WEEKS = ((0.55, "2026-03-02"), (0.72, "2026-03-16"), (0.9, "2026-03-30"), (1.05, "2026-04-13"))
"""How deep the squats of each session are, 1 with the thighs level, and its day."""


def main(folder: Path, root: Path) -> None:
    """Make all four."""
    library = root / "library"
    for one in (folder, library):
        one.mkdir(parents=True, exist_ok=True)
    _sessions(root, library)
    _walk(root, library)
    camera = fake_camera(squat_film(root / "live.mp4", reps=6), root / "live.mjpeg", lead_s=2.0, still_s=60.0)
    with _app(library, root) as url, _browser(camera) as page:
        for name, take in (("live", _live), ("analysis", _analysis), ("follow-up", _follow), ("gait", _gait)):
            take(page, url)
            _keep(page, folder / f"{name}.jpg")


def _sessions(root: Path, library: Path) -> None:
    """Squats of one person on four days, deeper each time, analysed."""
    shape = BodyShape(pattern="plain", sleeve=0.33)
    camera = SynthCamera((0.0, -4.2, 1.2), (0.0, 0.0, 0.82), 720.0, 640, 480)
    save_client(Client("P-07", "Ada", height_m=shape.height_m, notes="Right knee, physiotherapy since March"), library)
    for depth, day in WEEKS:
        motion = squat(
            shape, reps=4, depth=depth, fps_hz=20.0, lead_s=1.0, stance=Stance(heading_deg=-35.0, width_m=0.34)
        )
        film, out = root / f"squats-{day}.mp4", library / f"squats {day}"
        if out.exists():
            continue
        with VideoWriter(film, 640, 480, 20.0) as writer:
            for frame in render_clip(motion, shape, camera, supersample=1):
                writer.write(frame.image, frame.time_s)
        _saved(film, out, day, shape.height_m)
        assign(out, "P-07", read_record(out).of)


def _walk(root: Path, library: Path) -> None:
    """A walk past the camera, of somebody whose right knee is stiff."""
    out = library / "walk 2026-04-13"
    if out.exists():
        return
    rng = np.random.default_rng(7)
    walk = make_walk(rng, pattern="stiff_knee", severity=1.0, side="right", fps_hz=30.0, duration_s=9.0)
    film = root / "walk.mp4"
    write_film(film, walk, cameras_for(walk, kind="pan", size_px=(640, 480)))
    _saved(film, out, "2026-04-13", 1.75)


def _saved(film: Path, out: Path, day: str, height_m: float) -> Recording:
    recording = Pipeline(Config(height_m=height_m)).run(film)
    recording = replace(recording, created=f"{day}T10:30:00+00:00")
    save(recording, out)
    return recording


def _live(page: Any, url: str) -> None:
    page.goto(url)
    rtc(page).get_by_role("button", name="Start").click()
    while panel(page).count < 3:
        page.wait_for_timeout(300)


def _analysis(page: Any, url: str) -> None:
    rtc(page).get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="See a sample report").click()
    page.get_by_text("Video, curves and 3D view").first.wait_for(timeout=300_000)
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Squat 2", exact=True).click()
    page.evaluate("document.querySelector('.st-key-player video').currentTime += 1")
    page.get_by_role("combobox", name="Angle in the picture").select_option("left_knee_flexion")
    _top(page, ".st-key-player")


def _follow(page: Any, url: str) -> None:
    page.goto(f"{url}/people")
    page.get_by_role("heading", name=re.compile("Sessions: 4")).wait_for()
    # What changed is shown first.
    page.get_by_role("combobox", name=re.compile("Show")).wait_for()
    page.get_by_test_id("stVegaLiteChart").locator("canvas, svg").first.wait_for()
    page.set_viewport_size({**SIZE, "height": 1000})
    _top(page, "h3")


def _gait(page: Any, url: str) -> None:
    page.goto(f"{url}/gait")
    page.frame_locator("iframe[srcdoc]").get_by_text("A screening aid").first.wait_for(timeout=120_000)
    page.set_viewport_size({**SIZE, "height": 1000})
    page.wait_for_function("document.querySelector('iframe[srcdoc]').clientHeight > 1000")
    _top(page, "iframe[srcdoc]")


def _top(page: Any, selector: str) -> None:
    """Scroll it to the top, below the page's own bar."""
    page.mouse.move(5, 5)
    page.locator(selector).first.evaluate(
        "one => { one.style.scrollMarginTop = '70px'; one.scrollIntoView({ block: 'start' }); }"
    )
    page.wait_for_timeout(1500)


def _keep(page: Any, path: Path) -> None:
    """A small picture of the window."""
    with Image.open(BytesIO(page.screenshot())) as shot:
        shot.convert("RGB").save(path, quality=QUALITY, optimize=True)
    sys.stdout.write(f"{path}: {path.stat().st_size / 1000:.0f} kB\n")


@contextmanager
def _app(library: Path, root: Path) -> Iterator[str]:
    process: subprocess.Popen[bytes]
    process, url = start_server(library, root / "log", root)
    try:
        yield url
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def _browser(camera: Path) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    given = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    given.append(f"--use-file-for-fake-video-capture={camera}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=given)
        page = browser.new_context(viewport=SIZE, permissions=["camera"], locale="en-US").new_page()
        page.set_default_timeout(60_000)
        yield page
        browser.close()


if __name__ == "__main__":
    given = [Path(one) for one in sys.argv[1:]]
    with tempfile.TemporaryDirectory(prefix="posepipe-pictures-") as temporary:
        main(given[0] if given else Path("docs/pictures"), given[1].absolute() if len(given) > 1 else Path(temporary))
