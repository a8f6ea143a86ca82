"""A server of the app and a real browser."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posepipe.exercise.types import ExerciseResult
from posepipe.media.sources import open_source
from posepipe.media.writer import VideoWriter
from posepipe.reasons import Reason
from posepipe.record.folder import save
from posepipe.samples import SAMPLE_VIDEO
from tests.record.factory import make_exercise, make_gait, make_person, make_recording
from tests.ui.clips import fake_camera, squat_film
from tests.ui.practice import practice

CHROMIUM = Path("/usr/bin/chromium")
OpenPage = Callable[..., Any]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with three made-up results, one of them a walk."""
    root = tmp_path_factory.mktemp("library")
    for name in ("first", "second"):
        save(make_recording(path=f"{name}.mp4", people=(make_person(exercise=_squats()),), warnings=()), root / name)
    walker = make_person(gait=make_gait(), exercise=ExerciseResult(withheld=Reason.NO_EXERCISE))
    save(make_recording(path="walk.mp4", people=(walker,), warnings=()), root / "walk")
    return root


def _squats() -> ExerciseResult:
    """Squats whose faults are some of the catalogue's, so that they have words."""
    result = make_exercise()
    bouts = [
        replace(bout, reps=tuple(replace(rep, faults=("knees_in",) if rep.faults else ()) for rep in bout.reps))
        for bout in result.bouts
    ]
    return replace(result, bouts=tuple(bouts))


def start_server(
    library: Path,
    log: Path,
    temporary: Path,
    more: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
) -> tuple[subprocess.Popen[bytes], str]:
    """Start the app; returns its process and address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "posepipe.cli.main", "app", "--port", str(port), "--no-browser"]
    settings = {"POSEPIPE_SETTINGS": str(temporary / "settings.json")}
    environment = {**os.environ, "TMPDIR": str(temporary), **settings, **(more or {})}
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*command, "--library", str(library), "--max-upload-mb", "20", *arguments],
            stdout=file,
            stderr=file,
            env=environment,
            cwd=temporary,
        )
    until_s = time.monotonic() + 60.0
    while time.monotonic() < until_s and process.poll() is None:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1.0).close()
            return process, f"http://localhost:{port}"
        time.sleep(0.05)
    process.kill()
    raise AssertionError(log.read_text())


@pytest.fixture(scope="session")
def app(
    library: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path, Path, subprocess.Popen[bytes]]]:
    """Address of a running app, its log, its folder for temporary files, its process."""
    if find_spec("streamlit") is None or find_spec("aiortc") is None:
        pytest.skip("the extra app isn't installed")
    folder = tmp_path_factory.mktemp("app")
    temporary = folder / "tmp"
    temporary.mkdir()
    log = folder / "server.log"
    process, url = start_server(library, log, temporary)
    yield url, log, temporary, process
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def practice_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Address of an app with the library of `tests.ui.practice`, and that library."""
    if find_spec("streamlit") is None or find_spec("aiortc") is None:
        pytest.skip("the extra app isn't installed")
    folder = tmp_path_factory.mktemp("practice")
    for name in ("library", "tmp"):
        (folder / name).mkdir()
    practice(folder / "library")
    process, url = start_server(folder / "library", folder / "server.log", folder / "tmp")
    yield url, folder / "library"
    process.terminate()
    process.wait(30)


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Remember that a test failed, for `open_page`."""
    report: Any = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


@contextmanager
def browsing(shots: Path, failed: Callable[[], bool] = lambda: False) -> Iterator[OpenPage]:
    """A browser for as long as it is needed; what its pages showed at the end is kept as pictures in a folder.

    After a test that failed, what they said is printed, too: where tests run for others, nobody sees the pictures.
    """
    if not CHROMIUM.exists() or find_spec("playwright") is None:
        pytest.skip("no chromium or no playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browsers, pages = [], []

        def opened(
            camera: Path | None = None, *, browser: Any = None, arguments: Sequence[str] = (), **context: Any
        ) -> Any:
            if browser is None:
                given = ["--no-sandbox", *arguments]
                if camera is not None:
                    given += ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
                    given += [f"--use-file-for-fake-video-capture={camera}"]
                browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=given)
                browsers.append(browser)
            allowed = {"permissions": ["camera"]} if camera is not None else {}
            page = browser.new_context(viewport={"width": 1280, "height": 900}, **allowed, **context).new_page()
            page.set_default_timeout(60_000)
            pages.append(page)
            page.posepipe_requests, page.posepipe_news = [], []
            page.on("console", lambda news: page.posepipe_news.append(f"{news.type}: {news.text}"))
            page.on("requestfailed", lambda request: page.posepipe_news.append(f"failed: {request.url}"))
            page.on("request", lambda request: page.posepipe_requests.append(request.url))
            page.on("websocket", lambda socket: page.posepipe_requests.append(socket.url))
            return page

        yield opened
        for number, page in enumerate(pages):
            page.screenshot(path=shots / f"page-{number}.png")
            if failed():
                said = (page.url, page.locator("body").inner_text(), *page.posepipe_news[-20:])
                sys.stderr.write("\n".join(said) + "\n")
        for browser in browsers:
            browser.close()


@pytest.fixture
def open_page(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[OpenPage]:
    """Opens a page in a browser of its own; `camera` is a film, None refuses the camera."""
    with browsing(tmp_path, lambda: request.node.stash.get(_FAILED, False)) as opened:
        yield opened


@pytest.fixture(scope="session")
def squat_camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five rendered squats, then standing still, for the fake camera."""
    folder = tmp_path_factory.mktemp("camera")
    film = squat_film(folder / "squats.mp4", reps=5)
    return fake_camera(film, folder / "squats.mjpeg", lead_s=8.0, still_s=40.0)


@pytest.fixture(scope="session")
def two_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of the sample's person, twice, side by side."""
    path = tmp_path_factory.mktemp("two") / "two.mp4"
    with open_source(SAMPLE_VIDEO) as source:
        width, height = source.info.width_px, source.info.height_px
        with VideoWriter(path, width, height, 30.0) as writer:
            for frame in source:
                if 6.0 <= frame.time_s < 8.0:
                    half = frame.image[:, width // 4 : 3 * width // 4]
                    writer.write(np.concatenate([half, half[:, ::-1]], axis=1), frame.time_s - 6.0)
    return path
