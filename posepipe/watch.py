"""Detects people in every frame of an input, on all cores.

BlazePose looks where the person was in the frame before, so frames of one run can't share the work, and its networks
gain little from a second thread. A file is therefore cut into spans that are watched side by side, one core each. Every
span begins a little early and throws those frames away: by then the detector stands where it would have stood.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posepipe.keypoints.base import Detector
from posepipe.media.sources import Source, SourceInfo, open_source
from posepipe.media.thumbnails import shrink
from posepipe.types import Keypoints

__all__ = ["Seen", "cores", "lanes_for", "watch", "watch_spans"]

_WARM_UP_S = 0.3
# What a lane that is ahead has seen waits in memory, about a kilobyte a frame.
_LONGEST_SPAN_S = 600.0
_SHORTEST_SPAN_S = 2.0
_MOST_LANES = 8
_AHEAD = 2

Wanted = Callable[[int], bool]


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
    """

    index: int | None
    time_s: float
    time_estimated: bool
    people: tuple[Keypoints, ...]
    small: NDArray[np.uint8] | None = None
    watched: int = 0


def cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def lanes_for(info: SourceInfo, workers: int) -> int:
    """How many spans of an input to watch side by side; 1 if it has to be read from its beginning."""
    if not info.seekable or not info.fps_hz or not info.duration_s:
        return 1
    return max(1, min(workers, _MOST_LANES, int(info.duration_s / _SHORTEST_SPAN_S)))


def watch(source: Source, detector: Detector, wanted: Wanted) -> Iterator[Seen]:
    """Every frame of an opened source, one after the other.

    Args:
        source: what to watch.
        detector: its networks may use several threads.
        wanted: whether a small picture of the frame of this number is kept.
    """
    with closing(detector.start()) as stream:
        for frame in source:
            small = shrink(frame) if wanted(frame.index) else None
            yield Seen(frame.index, frame.time_s, frame.time_estimated, stream.step(frame), small)


def watch_spans(path: str | Path, info: SourceInfo, detector: Detector, wanted: Wanted, lanes: int) -> Iterator[Seen]:
    """Every frame of a video file, several spans at a time; frames come in order.

    Args:
        path: a file whose `info.seekable` is true.
        info: of that file.
        detector: each of its networks should have one thread.
        wanted: as in `watch`; called with the number that the frame should have by its time.
        lanes: spans at a time.

    Raises:
        SeekError: a span can't be read alone. Frames that came before don't help then: begin again with `watch`.
    """
    stop = threading.Event()
    counter = count(1)
    parts = [_Part(span, counter) for span in _spans(info, lanes)]
    with ThreadPoolExecutor(lanes, thread_name_prefix="posepipe-lane") as pool:
        try:
            for part in parts:
                pool.submit(part.work, path, info, detector, wanted, stop)
            for part in parts:
                yield from part.results()
        finally:
            # Also when the consumer goes away: nobody waits for spans that nobody wants.
            stop.set()


def _spans(info: SourceInfo, lanes: int) -> list[tuple[float, float]]:
    """Equal spans that cover everything, as many as give every lane the same work."""
    assert info.duration_s is not None
    rounds = max(1, -(-int(info.duration_s) // int(lanes * _LONGEST_SPAN_S)))
    number = lanes * rounds
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
        self, path: str | Path, info: SourceInfo, detector: Detector, wanted: Wanted, stop: threading.Event
    ) -> None:
        """Body of a lane's thread. What goes wrong reaches the consumer."""
        try:
            for seen in self._watch(path, info, detector, wanted, stop):
                self._queue.put(seen)
            self._queue.put(None)
        except Exception as error:
            self._queue.put(error)

    def _watch(
        self, path: str | Path, info: SourceInfo, detector: Detector, wanted: Wanted, stop: threading.Event
    ) -> Iterator[Seen]:
        start_s, end_s = self._span_s
        rate_hz = info.fps_hz or 1.0
        with (
            open_source(path, ahead=_AHEAD, span_s=(max(0.0, start_s - _WARM_UP_S), end_s)) as source,
            closing(detector.start()) as stream,
        ):
            for frame in source:
                if stop.is_set():
                    return
                people = stream.step(frame)
                if frame.time_s >= start_s:
                    small = shrink(frame) if wanted(round(frame.time_s * rate_hz)) else None
                    yield Seen(None, frame.time_s, False, people, small, next(self._counter))

    def results(self) -> Iterator[Seen]:
        """What the span held, as it comes. Raises what the lane died of."""
        while (seen := self._queue.get()) is not None:
            if isinstance(seen, Exception):
                raise seen
            yield seen
