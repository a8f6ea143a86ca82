"""Steady the two points that the next region of interest stands on.

MediaPipe filters them always, even where the landmarks themselves aren't smoothed: a crop that trembles makes the
landmarks tremble. One-euro filter of Casiez, Roussel and Vogel (CHI 2012) with MediaPipe's constants.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Steady", "steady"]

FloatArray = NDArray[np.float64]

_MIN_CUTOFF_HZ = 0.01
_BETA = 10.0
_SPEED_CUTOFF_HZ = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Steady:
    """State of the filter after one frame.

    Attributes:
        time_s: of the frame.
        raw_px: (2, 2) points as given.
        points_px: (2, 2) points filtered: hips, end of the body's circle.
        speed: (2, 2) filtered speed, in body sizes per second.
    """

    time_s: float
    raw_px: FloatArray
    points_px: FloatArray
    speed: FloatArray


def steady(before: Steady | None, time_s: float, points_px: NDArray[np.floating[Any]]) -> Steady:
    """One step of the filter.

    Args:
        before: state after the previous frame; None starts anew.
        time_s: time of this frame.
        points_px: (2, 2) hips, and end of the body's circle.
    """
    raw = points_px.astype(np.float64)
    if before is None or time_s <= before.time_s:
        return Steady(time_s, raw, raw, np.zeros_like(raw))
    step_s = time_s - before.time_s
    size_px = max(2.0 * float(np.hypot(*(raw[1] - raw[0]))), 1.0)
    weight = _weight(_SPEED_CUTOFF_HZ, step_s)
    speed = weight * (raw - before.raw_px) / size_px / step_s + (1.0 - weight) * before.speed
    follow = _weight(_MIN_CUTOFF_HZ + _BETA * np.abs(speed), step_s)
    return Steady(time_s, raw, follow * raw + (1.0 - follow) * before.points_px, speed)


def _weight(cutoff_hz: FloatArray | float, step_s: float) -> FloatArray | float:
    """Weight of the new sample in a first-order low-pass."""
    return 1.0 / (1.0 + 1.0 / (2.0 * math.pi * cutoff_hz * step_s))
