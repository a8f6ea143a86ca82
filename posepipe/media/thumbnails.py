"""A few small pictures, spread evenly over a video whose length may not be known beforehand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posepipe.types import Frame

__all__ = ["Thumbnail", "Thumbnails", "shrink"]

Thumbnail = tuple[int, float, NDArray[np.uint8]]
"""Frame number, time in seconds, (height, width, 3) BGR picture."""


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
