"""The live stage: newest picture only, pause, reset, errors, and a thread that goes away."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from posepipe.errors import ModelError
from posepipe.exercise.types import CoachState
from posepipe.media.sources import open_source
from posepipe.pipeline import Config
from posepipe.types import Frame
from posepipe.ui import stage as stage_module
from posepipe.ui.cameras import LocalCamera
from posepipe.ui.stage import Meter, Stage, to_height

BLACK = np.zeros((480, 640, 3), np.uint8)


class SlowSession:
    """Takes its time, and remembers what it was given."""

    def __init__(self, frame_s: float) -> None:
        self.frame_s = frame_s
        self.frames: list[Frame] = []
        self.closed = False

    def step(self, frame: Frame) -> tuple[()]:
        time.sleep(self.frame_s)
        self.frames.append(frame)
        return ()

    def close(self) -> None:
        self.closed = True


class CountingCoach:
    """Says how many frames it saw."""

    def __init__(self, exercise: str | None = None) -> None:
        self.exercise = exercise
        self.frames = 0

    def nobody(self, time_s: float) -> CoachState:
        self.frames += 1
        return CoachState(time_s, reps=self.frames)

    def summary(self) -> int:
        return self.frames


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowSession]:
    slow = SlowSession(0.03)
    monkeypatch.setattr(stage_module, "open_coach", CountingCoach)
    monkeypatch.setattr(stage_module, "open_session", lambda *_: slow)
    monkeypatch.setattr(stage_module, "_IDLE_S", 0.3)
    yield slow
    wait_for(lambda: not any(thread.name == "posepipe-stage" for thread in threading.enumerate()))


def wait_for(condition: object, timeout_s: float = 10.0) -> None:
    assert callable(condition)
    until_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(0.01)


def feed(stage: Stage, seconds: float, every_s: float = 0.005) -> int:
    """Offer pictures much faster than they can be analysed."""
    offered = 0
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        stage.offer(lambda: BLACK)
        offered += 1
        time.sleep(every_s)
    return offered


def test_only_the_newest_picture_counts(session: SlowSession) -> None:
    stage = Stage(Config())
    offered = feed(stage, 1.0)
    look = stage.look()
    assert look.running
    assert look.ready
    assert 5 <= look.frames < offered / 2
    # Never older than the one that was being worked on, however long it goes on.
    early = [delay for _, delay in list(stage._meter._done)[:8]]
    late = [delay for _, delay in list(stage._meter._done)[-8:]]
    assert np.median(late) < 2.0 * np.median(early) + 0.02
    times_s = [frame.time_s for frame in session.frames]
    assert all(b > a for a, b in pairwise(times_s))


@pytest.mark.parametrize(("slow_s", "height_px"), [(0.002, 480), (0.07, 360)])
def test_a_busy_machine_sends_smaller_pictures(
    monkeypatch: pytest.MonkeyPatch, session: SlowSession, slow_s: float, height_px: int
) -> None:
    monkeypatch.setattr(stage_module, "_BUSY_FRAMES", 5)
    monkeypatch.setattr(session, "frame_s", slow_s)
    stage = Stage(Config())
    feed(stage, 1.0, every_s=0.02)
    newest = stage.picture()
    assert newest is not None
    assert newest[1].shape[0] == height_px
    assert newest[1].shape[1] % 2 == 0


def test_pause_shows_but_does_not_analyse(session: SlowSession) -> None:
    stage = Stage(Config())
    feed(stage, 0.3)
    stage.pause(True)
    feed(stage, 0.1)
    seen = len(session.frames)
    newest = stage.picture()
    feed(stage, 0.2)
    assert len(session.frames) == seen
    after = stage.picture()
    assert newest is not None
    assert after is not None
    assert after[0] > newest[0]
    stage.pause(False)
    feed(stage, 0.2)
    assert len(session.frames) > seen


def test_reset_begins_anew(session: SlowSession) -> None:
    stage = Stage(Config())
    feed(stage, 0.5)
    before = stage.summary()
    assert isinstance(before, int)
    assert before > 5
    stage.reset()
    assert stage.summary() is None
    feed(stage, 0.2)
    after = stage.summary()
    assert isinstance(after, int)
    assert after < before


def test_thread_ends_when_nobody_sends_and_begins_again(session: SlowSession) -> None:
    stage = Stage(Config())
    feed(stage, 0.2)
    wait_for(lambda: not stage.look().running)
    assert session.closed
    counted = stage.summary()
    feed(stage, 0.2)
    now = stage.summary()
    assert isinstance(counted, int)
    assert isinstance(now, int)
    assert now > counted


def test_missing_model_is_said_once(session: SlowSession, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ModelError("no such model file", where="lifter.onnx", hint="Reinstall posepipe")

    monkeypatch.setattr(stage_module, "open_session", refuse)
    stage = Stage(Config())
    feed(stage, 0.2)
    wait_for(lambda: stage.look().error is not None)
    assert isinstance(stage.look().error, ModelError)
    feed(stage, 0.1)
    assert not stage.look().running


def test_two_stages_do_not_mix(session: SlowSession) -> None:
    one, two = Stage(Config()), Stage(Config())
    feed(one, 0.2)
    assert two.picture() is None
    look = two.look()
    assert not (look.running or look.ready or look.seen)
    assert (look.frames, look.coach, look.error) == (0, None, None)


def test_meter() -> None:
    meter = Meter()
    assert meter.fps_hz(0.0) == 0.0
    for frame in range(2000):
        meter.add(frame / 25.0, 0.04 if frame % 10 else 0.1)
    assert meter.fps_hz(2000 / 25.0) == pytest.approx(25.0, rel=0.05)
    assert meter.delay_ms(0.5) == pytest.approx(40.0)
    assert meter.delay_ms(0.95) == pytest.approx(100.0)
    assert len(meter._done) <= 30 * 25 + 1


@pytest.mark.parametrize("size", [(1080, 1920), (1920, 1080), (240, 320), (479, 639), (480, 640)])
def test_pictures_get_one_height_and_even_width(size: tuple[int, int]) -> None:
    image = to_height(np.zeros((*size, 3), np.uint8))
    assert image.shape[0] == 480
    assert image.shape[1] % 2 == 0
    assert image.shape[1] / 480 == pytest.approx(size[1] / size[0], rel=0.01)


def test_real_stages_draw_the_person_mirrored(person_clip: Path) -> None:
    stage = Stage(Config(max_people=1))
    with open_source(person_clip) as source:
        images = [frame.image for frame in source][-20:]
    # The first picture only wakes it.
    stage.offer(lambda: images[0])
    wait_for(lambda: stage.look().ready, 60.0)
    for image in images:
        before = stage.look().frames
        stage.offer(lambda image=image: image)  # type: ignore[misc]
        wait_for(lambda before=before: stage.look().frames > before or stage.look().error, 30.0)  # type: ignore[misc]
    look = stage.look()
    assert look.error is None
    assert look.seen
    assert look.coach is not None
    newest = stage.picture()
    assert newest is not None
    plain = to_height(images[-1])
    shown = newest[1][:, : plain.shape[1]]
    same = np.abs(shown.astype(int) - plain[:, ::-1]).max(axis=2) < 3
    assert same.mean() > 0.8
    assert not same.all()


def test_local_camera_feeds_until_stopped(person_clip: Path, session: SlowSession) -> None:
    stage = Stage(Config())
    camera = LocalCamera(str(person_clip), stage)
    wait_for(lambda: stage.look().frames > 5)
    camera.stop()
    wait_for(lambda: not camera.running)
    assert camera.error is None


def test_local_camera_that_is_not_there(session: SlowSession) -> None:
    camera = LocalCamera("/no/such/camera", Stage(Config()))
    wait_for(lambda: not camera.running)
    assert camera.error is not None
    assert camera.error.hint


def test_forgotten_camera_stops_filming(
    person_clip: Path, session: SlowSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("posepipe.ui.cameras._FORGOTTEN_S", 0.3)
    camera = LocalCamera(str(person_clip), Stage(Config()))
    wait_for(lambda: not camera.running, 1.5)
    assert not camera.running
    assert camera.error is None


_LEAVES = """
import threading, time, numpy as np
from posepipe.media.sources import open_source
from posepipe.pipeline import Config
from posepipe.samples import SAMPLE_VIDEO
from posepipe.ui.stage import Stage

with open_source(SAMPLE_VIDEO) as source:
    image = next(source).image
stage = Stage(Config())

def feed():
    while True:
        stage.offer(lambda: image)
        time.sleep(0.002)

threading.Thread(target=feed, daemon=True).start()
while stage.look().frames < 3 and stage.look().error is None:
    time.sleep(0.01)
"""


def test_the_program_may_end_in_the_midst_of_a_picture() -> None:
    """Without an end of its own the thread came back from a network's code into an interpreter that was gone."""
    done = subprocess.run([sys.executable, "-c", _LEAVES], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
