"""What readers of inputs have in common: what they say about an input, and the times of its frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Protocol

import numpy as np

from posepipe.types import Frame

__all__ = ["LONGEST_PAUSE_S", "Clock", "Reader", "SourceInfo", "focal_from_35mm"]

Kind = Literal["video", "images", "camera", "stream"]

FULL_FRAME_DIAGONAL_MM = float(np.hypot(36.0, 24.0))

# A step back by more than this is a new timeline (joined recordings, a restarted stream), not a jittered stamp.
_NEW_TIMELINE_S = 1.0
LONGEST_PAUSE_S = 60.0
"""A step ahead by more than this is one, too."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known before the frames are read.

    Attributes:
        name: file name, folder, pattern, "camera 0" or address without password.
        kind: "video", "images", "camera" or "stream".
        width_px, height_px: size of the upright picture.
        fps_hz: mean frame rate as the container states it; None if it doesn't.
        frames: number of frames as the container states it, or from duration and rate; None if unknown.
        duration_s: None if unknown.
        rotation_deg: counter-clockwise turn that makes the stored picture upright: 0, 90, 180 or 270.
        codec: codec name, or the image format.
        live: frames come as they happen and have no known end.
        focal_px: focal length from the metadata, None where there is none.
        seekable: a whole file with an index, so that `open_source` can give a span of it.
        capture_fps_hz: rate at which the pictures were taken, where it was given, or where a tag tells slow motion.
        slowed: how many times slower the film plays than what it shows. All times and rates are of what it shows.
        reduced: how many times smaller, each way, the pictures of the frames are than `width_px` by `height_px`.
    """

    name: str
    kind: Kind
    width_px: int
    height_px: int
    fps_hz: float | None
    frames: int | None
    duration_s: float | None
    rotation_deg: int
    codec: str
    live: bool
    focal_px: float | None
    seekable: bool = False
    capture_fps_hz: float | None = None
    slowed: float = 1.0
    reduced: int = 1


class Reader(Protocol):
    """Delivers the frames of one input in order; runs in the decoder thread.

    Attributes:
        info: facts known at once.
        skipped_frames: pictures that couldn't be decoded so far.
        truncated: why the input seems cut off; None if it doesn't, or as long as its end isn't reached.
        notes: sentences for the user about what was done to the pictures or times so far, by subject.
    """

    info: SourceInfo
    skipped_frames: int
    truncated: str | None
    notes: dict[str, str]

    def frames(self) -> Iterator[Frame]:
        """The frames, once."""

    def close(self) -> None:
        """Release the input; may be called again."""


def focal_from_35mm(equivalent_mm: float, width_px: int, height_px: int) -> float | None:
    """Focal length in pixels from the 35 mm equivalent, which compares diagonals (CIPA DCG-001).

    None unless the value is that of a real lens (4 to 2000 mm).
    """
    if not 4.0 <= equivalent_mm <= 2000.0:
        return None
    return float(equivalent_mm * np.hypot(width_px, height_px) / FULL_FRAME_DIAGONAL_MM)


class Clock:
    """Turns presentation timestamps into times.

    A variable frame rate is kept. A frame without a timestamp comes one mean frame after the one before it; one whose
    timestamp repeats or steps back comes half a frame after it, so that the true timeline is caught up with. Where the
    timeline begins anew, the two follow each other.

    Args:
        rate_hz: mean frame rate, used for those frames only.
        pause_s: longest step ahead; more is a new timeline.

    Attributes:
        jumped_s: how far timelines jumped ahead, in all.
    """

    def __init__(self, rate_hz: float, pause_s: float = LONGEST_PAUSE_S) -> None:
        self.jumped_s = 0.0
        self._pause_s = pause_s
        self._period_s = 1.0 / rate_hz
        self._step_s = self._period_s
        self._origin: Fraction | None = None
        self._offset_s = 0.0
        self._last_s: float | None = None

    def stamp(self, pts: int | None, time_base: Fraction | None) -> tuple[float, bool]:
        """Time in seconds of the next frame, and whether it had to be estimated.

        Args:
            pts: presentation timestamp in units of `time_base`, or None.
            time_base: seconds per unit.
        """
        seconds = None if pts is None or not time_base else Fraction(pts) * time_base
        time_s, estimated = self._next(seconds)
        if not estimated and self._last_s is not None:
            self._step_s = time_s - self._last_s
        self._last_s = time_s
        return time_s, estimated

    def _next(self, seconds: Fraction | None) -> tuple[float, bool]:
        last = self._last_s
        if last is None:
            self._origin = seconds
            return 0.0, seconds is None
        if seconds is None:
            return last + self._period_s, True
        if self._origin is None:
            return self._restart(seconds, last + self._period_s), True
        time_s = self._offset_s + float(seconds - self._origin)
        if time_s > last + self._pause_s:
            self.jumped_s += time_s - last
            # A mean rate over the jump would mean nothing.
            return self._restart(seconds, last + self._step_s), True
        if time_s > last:
            return time_s, False
        if time_s < last - _NEW_TIMELINE_S:
            return self._restart(seconds, last + self._period_s), True
        return last + self._period_s / 2.0, True

    def _restart(self, seconds: Fraction, time_s: float) -> float:
        self._origin, self._offset_s = seconds, time_s
        return time_s
