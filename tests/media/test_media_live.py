"""Cameras, the queue and the clock, with hand-made inputs."""

from __future__ import annotations

import threading
import time
from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posepipe.errors import MediaError
from posepipe.media import sources
from posepipe.media._images import natural_key
from posepipe.media._reader import Clock
from posepipe.media.sources import FrameQueue, open_source
from posepipe.types import Frame


class FakeCamera:
    """Stands in for cv2.VideoCapture."""

    count, pause_s, opened = 5, 0.0, True
    released = 0

    def __init__(self, index, backend):
        self.left = self.count

    def isOpened(self):  # noqa: N802
        return self.opened

    def read(self):
        if self.left == 0:
            return False, None
        time.sleep(self.pause_s)
        self.left -= 1
        return True, np.full((4, 6, 3), self.count - self.left, np.uint8)

    def get(self, prop):
        return 30.0

    def release(self):
        type(self).released += 1


@pytest.fixture
def camera(monkeypatch):
    kind = type("Camera", (FakeCamera,), {})
    monkeypatch.setattr(cv2, "VideoCapture", kind)
    return kind


@pytest.mark.parametrize("spec", [0, "0"])
def test_camera(camera, spec):
    got = []
    with open_source(spec) as source, pytest.raises(MediaError, match="no more pictures"):
        for frame in source:
            got.append(frame)
    assert [int(frame.image[0, 0, 0]) for frame in got] == [1, 2, 3, 4, 5]
    assert (np.diff([frame.time_s for frame in got]) > 0).all() and got[0].time_s == 0.0
    info = source.info
    assert (info.kind, info.live, info.frames, info.fps_hz, info.name) == ("camera", True, None, 30.0, "camera 0")
    assert camera.released >= 1


def test_no_camera(camera):
    camera.opened = False
    with pytest.raises(MediaError, match="camera 3") as caught:
        open_source(3)
    assert caught.value.hint


def test_latest_only_skips_what_the_consumer_is_too_slow_for(camera):
    camera.count, camera.pause_s = 60, 0.002
    got = []
    with open_source(0, latest_only=True) as source, pytest.raises(MediaError):
        for frame in source:
            got.append(frame.index)
            time.sleep(0.02)
    assert len(got) < 40
    assert got == sorted(set(got)) and got[-1] == 59
    assert source.dropped_frames == 60 - len(got)


def test_every_frame_without_latest_only(camera):
    camera.count = 30
    with open_source(0, ahead=2) as source, pytest.raises(MediaError):
        for i, frame in enumerate(source):
            assert frame.index == i
            time.sleep(0.001)
    assert source.dropped_frames == 0


def frame(i=0, size=10):
    return Frame(i, float(i), np.zeros((size, size, 3), np.uint8))


def run_producer(queue, count, size=10):
    done = []

    def produce():
        for i in range(count):
            if not queue.put(frame(i, size)):
                return
            done.append(i)
        queue.finish()

    thread = threading.Thread(target=produce)
    thread.start()
    return thread, done


def settle(reached):
    """Wait until it is reached, then a little longer: it must not go beyond."""
    until = time.monotonic() + 10
    while not reached() and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.05)


def test_queue_is_bounded_in_frames():
    queue = FrameQueue(3)
    thread, done = run_producer(queue, 10)
    settle(lambda: len(done) >= 3)
    assert len(done) == 3
    assert [queue.get().index for _ in range(10)] == list(range(10))
    assert queue.get() is None
    thread.join(1)


def test_queue_is_bounded_in_bytes_but_lets_one_through(monkeypatch):
    monkeypatch.setattr(sources, "_MAX_BYTES", 700)
    small, huge = FrameQueue(50), FrameQueue(50)
    threads = [run_producer(small, 5), run_producer(huge, 3, size=100)]
    settle(lambda: [len(done) for _, done in threads] == [2, 1])
    assert [len(done) for _, done in threads] == [2, 1]
    for queue, (thread, _) in zip((small, huge), threads, strict=True):
        queue.stop()
        thread.join(1)
        assert not thread.is_alive() and queue.get() is None


def test_queue_hands_over_frames_before_the_error():
    queue = FrameQueue(3)
    queue.put(frame())
    queue.finish(MediaError("gone"))
    assert queue.get().index == 0
    with pytest.raises(MediaError):
        queue.get()
    assert queue.get() is None


MS = Fraction(1, 1000)


def stamps(clock, pts):
    return [clock.stamp(p, MS) for p in pts]


def test_clock_keeps_good_stamps():
    assert stamps(Clock(25.0), [500, 540, 1000]) == [(0.0, False), (0.04, False), (0.5, False)]


def test_clock_repairs_missing_and_repeated_stamps():
    got = stamps(Clock(25.0), [0, None, 80, 80, 120, 100, 160])
    assert [t for t, _ in got] == pytest.approx([0, 0.04, 0.08, 0.10, 0.12, 0.14, 0.16])
    assert [e for _, e in got] == [False, True, False, True, False, True, False]


def test_clock_goes_on_after_the_timeline_restarts():
    got = stamps(Clock(25.0), [90_000, 90_040, 0, 40, 80])
    assert [t for t, _ in got] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])
    assert [e for _, e in got] == [False, False, True, False, False]


@given(st.lists(st.one_of(st.none(), st.integers(-(10**6), 10**6)), min_size=1, max_size=60))
def test_clock_always_increases(pts):
    got = stamps(Clock(29.97), pts)
    times = [t for t, _ in got]
    assert times[0] == 0.0
    assert (np.diff(times) > 0).all()
    assert all(estimated for (_, estimated), p in zip(got, pts, strict=True) if p is None)


def test_natural_order():
    names = ["a10.png", "A2.png", "a1.png", "b.png", "10.png", "9.png"]
    from pathlib import Path

    ordered = sorted((Path(name) for name in names), key=natural_key)
    assert [path.name for path in ordered] == ["9.png", "10.png", "a1.png", "A2.png", "a10.png", "b.png"]
