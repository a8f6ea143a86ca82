"""How often a film is looked at."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from posepipe.errors import SeekError
from posepipe.media.sources import SourceInfo
from posepipe.skeleton import COCO17
from posepipe.types import NO_PICTURE, Frame, Keypoints
from posepipe.watch import Seen, _look, _needed, watch

IMAGE = np.zeros((8, 8, 3), np.uint8)


class Walker:
    """A detector's stream that sees one person on the way; it notes the frames that it looks at."""

    def __init__(self, speed: float = 30.0, gone: Sequence[int] = ()) -> None:
        self.looks: list[int] = []
        self.speed, self.gone = speed, gone

    def step(self, frame: Frame) -> tuple[Keypoints, ...]:
        self.looks.append(frame.index)
        if frame.index in self.gone:
            return ()
        xy = np.random.default_rng(0).uniform(0.0, 400.0, (17, 2)).astype(np.float32)
        xy[:, 0] += np.float32(self.speed * frame.time_s)
        return (Keypoints(COCO17, xy, np.ones(17, np.float32), np.ones(17, np.float32)),)

    def close(self) -> None:
        pass


def frames(count: int, rate_hz: float, first: int = 0) -> list[Frame]:
    return [Frame(i, i / rate_hz, IMAGE) for i in range(first, first + count)]


def watched(stream: Walker, film: list[Frame], looks_hz: float) -> list[Seen]:
    return list(_look(film, stream, lambda frame: Seen(frame.index, frame.time_s, False, ()), looks_hz))


@pytest.mark.parametrize("rate_hz", [24.0, 25.0, 30000 / 1001, 30.0, 50.0, 60000 / 1001, 60.0, 120.0, 240.0])
def test_looks_come_at_their_rate_and_every_frame_has_its_person(rate_hz: float) -> None:
    stream, film = Walker(), frames(400, rate_hz)
    seen = watched(stream, film, 15.0)
    assert [one.index for one in seen] == list(range(400))
    assert len(stream.looks) == pytest.approx(15.0 * 400 / rate_hz, abs=3)
    gaps = np.diff(stream.looks)
    assert gaps.max() <= math.ceil(rate_hz / 15.0)
    (start,) = Walker().step(film[0])
    way = [one.people[0].xy_px[3, 0] - start.xy_px[3, 0] for one in seen]
    np.testing.assert_allclose(way, [30.0 * frame.time_s for frame in film], atol=1e-2)


@pytest.mark.parametrize(("rate_hz", "looks_hz"), [(15.0, 15.0), (12.0, 15.0), (30.0, math.inf)])
def test_every_frame_where_there_are_no_more(rate_hz: float, looks_hz: float) -> None:
    stream = Walker()
    watched(stream, frames(50, rate_hz), looks_hz)
    assert stream.looks == list(range(50))


def test_parts_of_a_film_look_at_the_same_frames() -> None:
    whole, part = Walker(), Walker()
    watched(whole, frames(300, 30.0), 15.0)
    watched(part, frames(150, 30.0, 101), 15.0)
    assert [i for i in whole.looks if 105 <= i < 250] == [i for i in part.looks if 105 <= i < 250]


def test_the_last_frame_is_looked_at_and_lost_people_are_not_made_up() -> None:
    stream = Walker(gone=range(20, 40))
    seen = watched(stream, frames(60, 30.0), 15.0)
    assert stream.looks[-1] == 59
    there = [bool(one.people) for one in seen]
    assert not any(there[20:40]) and sum(there) >= 38


@pytest.mark.parametrize("rate_hz", [24.0, 25.0, 30000 / 1001, 30.0, 50.0, 60000 / 1001, 60.0, 240.0])
def test_who_looks_seldom_asks_for_few_pictures_and_for_each_that_is_looked_at(rate_hz: float) -> None:
    info = SourceInfo("film", "video", 8, 8, rate_hz, 400, 400 / rate_hz, 0, "h264", False, None, seekable=True)
    needed = _needed(info, (0.0, math.inf), lambda index: index % 100 == 0, 15.0)
    assert needed is not None
    bare = [one if needed(one.time_s) else replace(one, image=NO_PICTURE) for one in frames(400, rate_hz)]
    assert sum(one.seen for one in bare) <= 1.25 * 15.0 * 400 / rate_hz + 10
    full, some = Walker(), Walker()
    seen, again = watched(full, frames(400, rate_hz), 15.0), watched(some, bare, 15.0)
    assert some.looks == full.looks
    assert [one.people[0].xy_px.tolist() for one in seen] == [one.people[0].xy_px.tolist() for one in again]


def test_no_picture_is_looked_at_that_there_is_not() -> None:
    bare = [one if i % 3 == 0 else replace(one, image=NO_PICTURE) for i, one in enumerate(frames(31, 30.0))]
    stream = Walker()
    assert len(watched(stream, bare, 15.0)) == 31
    assert stream.looks == list(range(0, 31, 3))
    for wrong in (bare[1:], bare[:-1]):
        with pytest.raises(SeekError):
            watched(Walker(), wrong, 15.0)


def test_every_picture_is_needed_where_every_frame_is_looked_at() -> None:
    info = SourceInfo("film", "video", 8, 8, 15.0, 400, 20.0, 0, "h264", False, None, seekable=True)
    assert _needed(info, (0.0, math.inf), lambda index: False, 15.0) is None


def test_a_clock_that_stumbles() -> None:
    """Times in whole milliseconds, and a hole of a second, over which nobody is put on a straight way."""
    times = np.round(np.cumsum([0.0, *np.full(200, 1 / 30)]), 3)
    times[100:] += 1.0
    film = [replace(frame, time_s=float(t)) for frame, t in zip(frames(201, 30.0), times, strict=True)]
    stream = Walker()
    seen = watched(stream, film, 15.0)
    assert np.diff(stream.looks).max() <= 3
    assert len(seen) == 201 and sum(not one.people for one in seen) <= 1


class Film:
    """A source whose pictures come smaller."""

    def __init__(self, reduced: int) -> None:
        self.info = SourceInfo("film", "video", 8 * reduced, 8 * reduced, 30.0, 40, 4 / 3, 0, "h264", False, None,
                               reduced=reduced)  # fmt: skip

    def __iter__(self) -> Iterator[Frame]:
        rng = np.random.default_rng(0)
        scene = rng.integers(0, 255, (90, 160, 3), np.uint8).repeat(2, axis=0).repeat(2, axis=1)
        return (Frame(i, i / 30.0, np.ascontiguousarray(np.roll(scene, i, axis=1))) for i in range(40))


def test_what_is_seen_in_smaller_pictures_is_told_in_pixels_of_the_film() -> None:
    def seen(reduced: int) -> list[Seen]:
        film: Any = Film(reduced)
        detector: Any = SimpleNamespace(start=lambda: Walker(speed=0.0))
        return list(watch(film, detector, lambda index: False))

    for one, other in zip(seen(1), seen(2), strict=True):
        np.testing.assert_array_equal(2.0 * one.people[0].xy_px, other.people[0].xy_px)
        np.testing.assert_array_equal(2.0 * one.people[0].sigma_px, other.people[0].sigma_px)
        assert (one.shift is None) == (other.shift is None)
        if one.shift is not None and other.shift is not None:
            np.testing.assert_array_equal(2.0 * one.shift.after_px, other.shift.after_px)
            assert other.shift.small == 2.0 * one.shift.small
