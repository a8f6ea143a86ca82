"""Detects people in every frame of an input, on all cores.

BlazePose looks where the person was in the frame before, so frames of one run can't share the work, and its networks
gain little from a second thread. A file is therefore cut into spans that are watched side by side, one core each. Every
span begins a little early and throws those frames away: by then the detector stands where it would have stood.

Not every frame needs a look: where so many looks a second will do, people in the frames between are put on the way from
one look to the next.
"""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import count, pairwise, takewhile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posepipe.body.camera_motion import Background, Shift
from posepipe.errors import SeekError
from posepipe.keypoints import Detector, DetectorStream
from posepipe.keypoints.between import between
from posepipe.media.sources import Source, SourceInfo, open_source
from posepipe.types import Frame, Keypoints

__all__ = ["Seen", "Thumbnail", "Thumbnails", "lanes_for", "shrink", "watch", "watch_spans"]

_WARM_UP_S = 0.3
# What a lane that is ahead has seen waits in memory, about a kilobyte a frame.
_LONGEST_SPAN_S = 120.0
_SPANS = ((4.0, 1), (16.0, 2), (60.0, 4))
"""Spans of films shorter than so many seconds, for two cores, four, and eight."""
_MOST_LANES = 8
_ASIDE = 0.13
"""Of a time slot: where none of the usual rates' frames begins, so that rounding decides nothing."""
_UNEVEN = 0.05
"""Of the step between frames: so much too early or late a frame's picture may be needed."""
_END_FRAMES = 2.5
"""So many frames at both ends of a span have their pictures: the first and the last are looked at."""

Wanted = Callable[[int], bool]

Thumbnail = tuple[int, float, NDArray[np.uint8]]
"""Frame number, time in seconds, (height, width, 3) BGR picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What one frame held.

    Attributes:
        index: its number in the input; None where that isn't known: then frames are counted as they come.
        time_s: its time.
        time_estimated: see `posepipe.types.Frame`.
        people: everyone found.
        small: the picture, small, where it was wanted; else None.
        watched: frames watched by then, in all spans.
        shift: how the background moved, in frames that are compared.
    """

    index: int | None
    time_s: float
    time_estimated: bool
    people: tuple[Keypoints, ...]
    small: NDArray[np.uint8] | None = None
    watched: int = 0
    shift: Shift | None = None


def lanes_for(info: SourceInfo, workers: int) -> int:
    """How many spans of an input to watch side by side; 0 if it has to be read from its beginning, in one."""
    spans = _count(info)
    return min(workers, spans) if spans > 1 else 0


def _count(info: SourceInfo) -> int:
    """Spans of an input. Its length alone decides: a person lost at one span's end may be found at another's."""
    if not info.seekable or not info.fps_hz or not info.duration_s:
        return 1
    number = next((number for longest_s, number in _SPANS if info.duration_s < longest_s), _MOST_LANES)
    return number * max(1, -(-int(info.duration_s) // int(number * _LONGEST_SPAN_S)))


def _enlarged(seen: Seen, times: int) -> Seen:
    """What was seen in a picture made smaller, in pixels of the one that was filmed."""
    if times == 1:
        return seen
    people = tuple(
        replace(one, xy_px=one.xy_px * np.float32(times), sigma_px=one.sigma_px * np.float32(times))
        for one in seen.people
    )
    return replace(seen, people=people, shift=None if seen.shift is None else seen.shift.enlarged(times))


def watch(source: Source, detector: Detector, wanted: Wanted, looks_hz: float = math.inf) -> Iterator[Seen]:
    """Every frame of an opened source, one after the other.

    Args:
        source: what to watch.
        detector: its networks may use several threads.
        wanted: whether a small picture of the frame of this number is kept.
        looks_hz: so many looks a second will do.
    """

    def seen(frame: Frame) -> Seen:
        small = shrink(frame) if wanted(frame.index) else None
        return Seen(frame.index, frame.time_s, frame.time_estimated, (), small)

    with closing(detector.start()) as stream:
        for one in _look(source, stream, seen, looks_hz):
            yield _enlarged(one, source.info.reduced)


def _look(
    frames: Iterable[Frame], stream: DetectorStream, seen: Callable[[Frame], Seen], looks_hz: float
) -> Iterator[Seen]:
    """Every frame with its people; `seen` makes what is kept of a frame otherwise.

    A frame is looked at if the next one will lie in a later time slot than the look before did. Slots are those of the
    film's clock, so that spans watched side by side agree. A frame that comes without its picture waits, whatever slot
    it lies in.

    Raises:
        SeekError: the first or the last frame has no picture.
    """
    background = Background()

    def look(frame: Frame) -> Seen:
        people = stream.step(frame)
        return replace(seen(frame), people=people, shift=background.step(frame, people))

    if math.isinf(looks_hz):
        yield from map(look, frames)
        return
    last: Seen | None = None
    waiting: list[Seen] = []
    unseen: Frame | None = None
    before_s, looked = 0.0, -1
    for frame in frames:
        # The next one comes as late as this one did, but after a hole in the film it doesn't.
        since_s = 0.0 if last is None else min(frame.time_s - before_s, 1.0 / looks_hz)
        before_s, slot = frame.time_s, math.floor((frame.time_s + since_s) * looks_hz + _ASIDE)
        if last is None and not frame.seen:
            raise _unread()
        if last is not None and (slot <= looked or not frame.seen):
            waiting.append(seen(frame))
            unseen = frame
            continue
        now = look(frame)
        yield from _between(last, waiting, now, 3.0 / looks_hz)
        yield now
        last, looked, waiting, unseen = now, slot, [], None
    if unseen is not None:
        if not unseen.seen:
            raise _unread()
        waiting.pop()
        now = look(unseen)
        yield from _between(last, waiting, now, 3.0 / looks_hz)
        yield now


def _unread() -> SeekError:
    return SeekError("its frames don't come when they should", where="span", hint="Read it from the beginning")


def _needed(
    info: SourceInfo, span_s: tuple[float, float], wanted: Wanted, looks_hz: float
) -> Callable[[float], bool] | None:
    """Tells by a frame's time whether its picture is needed: for a look, as a small one, or at an end of the span."""
    if info.fps_hz is None or info.duration_s is None or info.fps_hz <= looks_hz:
        return None
    rate_hz, step_s = info.fps_hz, 1.0 / info.fps_hz
    first_s, last_s = span_s[0] + _END_FRAMES * step_s, min(span_s[1], info.duration_s) - _END_FRAMES * step_s

    def slot(time_s: float) -> int:
        return math.floor(time_s * looks_hz + _ASIDE)

    def needed(time_s: float) -> bool:
        early_s, late_s = time_s - _UNEVEN * step_s, time_s + (1.0 + _UNEVEN) * step_s
        return not first_s < time_s < last_s or slot(late_s) > slot(early_s) or wanted(round(time_s * rate_hz))

    return needed


def _between(last: Seen | None, waiting: list[Seen], now: Seen, longest_s: float) -> Iterator[Seen]:
    """Frames between two looks with their people; with none where the film has a hole."""
    for frame in waiting:
        assert last is not None
        lasted_s = now.time_s - last.time_s
        people = between(last.people, now.people, (frame.time_s - last.time_s) / lasted_s)
        yield replace(frame, people=people if lasted_s <= longest_s else ())


def watch_spans(
    path: str | Path,
    info: SourceInfo,
    detector: Detector,
    wanted: Wanted,
    lanes: int,
    looks_hz: float = math.inf,
    most_px: int | None = None,
) -> Iterator[Seen]:
    """Every frame of a video file, several spans at a time; frames come in order.

    Args:
        path: a file whose `info.seekable` is true.
        info: of that file.
        detector: each of its networks should have one thread.
        wanted: as in `watch`; called with the number that the frame should have by its time.
        lanes: spans at a time.
        looks_hz: as in `watch`.
        most_px: see `posepipe.media.sources.open_source`.

    Raises:
        SeekError: a span can't be read alone. Frames that came before don't help then: begin again with `watch`.
    """
    stop = threading.Event()
    counter = count(1)
    parts = [_Part(span, counter) for span in _spans(info)]
    with ThreadPoolExecutor(lanes, thread_name_prefix="posepipe-lane") as pool:
        try:
            for part in parts:
                pool.submit(part.work, path, info, detector, wanted, looks_hz, most_px, stop)
            for part in parts:
                yield from part.results()
        finally:
            # Also when the consumer goes away: nobody waits for spans that nobody wants.
            stop.set()


def _spans(info: SourceInfo) -> list[tuple[float, float]]:
    """Equal spans that cover everything."""
    assert info.duration_s is not None
    number = _count(info)
    # The first span needs no warming up, so it is longer by that much.
    length_s = (info.duration_s + (number - 1) * _WARM_UP_S) / number
    cuts = [k * length_s - max(0, k - 1) * _WARM_UP_S for k in range(number + 1)]
    cuts[0], cuts[-1] = 0.0, float("inf")
    return list(pairwise(cuts))


class _Part:
    """One span and its results on their way to the consumer."""

    def __init__(self, span_s: tuple[float, float], counter: Iterator[int]) -> None:
        self._span_s = span_s
        self._counter = counter
        self._queue: queue.SimpleQueue[Seen | Exception | None] = queue.SimpleQueue()

    def work(
        self,
        path: str | Path,
        info: SourceInfo,
        detector: Detector,
        wanted: Wanted,
        looks_hz: float,
        most_px: int | None,
        stop: threading.Event,
    ) -> None:
        """Body of a lane's thread. What goes wrong reaches the consumer."""
        try:
            for seen in self._watch(path, info, detector, wanted, looks_hz, most_px, stop):
                self._queue.put(seen)
            self._queue.put(None)
        except Exception as error:
            self._queue.put(error)

    def _watch(
        self,
        path: str | Path,
        info: SourceInfo,
        detector: Detector,
        wanted: Wanted,
        looks_hz: float,
        most_px: int | None,
        stop: threading.Event,
    ) -> Iterator[Seen]:
        start_s, end_s = self._span_s
        rate_hz = info.fps_hz or 1.0
        wide_s = max(0.0, start_s - _WARM_UP_S), end_s

        def seen(frame: Frame) -> Seen:
            kept = frame.time_s >= start_s and wanted(round(frame.time_s * rate_hz))
            return Seen(None, frame.time_s, False, (), shrink(frame) if kept else None)

        with (
            open_source(
                path,
                # Every core has its lane: nobody is there to decode ahead.
                ahead=0,
                span_s=wide_s,
                needed=_needed(info, wide_s, wanted, looks_hz),
                capture_fps_hz=info.capture_fps_hz,
                most_px=most_px,
            ) as source,
            closing(detector.start()) as stream,
        ):
            frames = takewhile(lambda _: not stop.is_set(), source)
            for one in _look(frames, stream, seen, looks_hz):
                if one.time_s >= start_s:
                    yield _enlarged(replace(one, watched=next(self._counter)), source.info.reduced)

    def results(self) -> Iterator[Seen]:
        """What the span held, as it comes. Raises what the lane died of."""
        while (seen := self._queue.get()) is not None:
            if isinstance(seen, Exception):
                raise seen
            yield seen


class Thumbnails:
    """Keeps at most `most` pictures, and at least half as many, whatever the length.

    Every n-th frame is wanted; when there are too many, every other one is dropped and n doubles.

    Args:
        most: upper bound of pictures.
        frames: number of frames to come, if known.
    """

    def __init__(self, most: int = 16, frames: int | None = None) -> None:
        self._most = most
        self._every = max(1, -(-(frames or 1) // most))
        self._kept: list[Thumbnail] = []

    def wanted(self, index: int) -> bool:
        """Whether a frame of this number should be kept."""
        return index % self._every == 0

    def keep(self, index: int, time_s: float, small: NDArray[np.uint8]) -> None:
        """Take a picture in."""
        self._kept.append((index, time_s, small))
        if len(self._kept) > self._most:
            self._every *= 2
            self._kept = self._kept[::2]

    def pictures(self) -> tuple[Thumbnail, ...]:
        """The pictures kept so far, in order."""
        return tuple(self._kept)


def shrink(frame: Frame, longer_px: int = 480) -> NDArray[np.uint8]:
    """The picture with its longer side brought down to `longer_px`; never enlarged."""
    import cv2

    width, height = frame.size_px
    scale = min(1.0, longer_px / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA), np.uint8)
