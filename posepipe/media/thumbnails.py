"""A few small pictures, spread evenly over a video whose length isn't known beforehand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posepipe.types import Frame

__all__ = ["Thumbnail", "Thumbnails"]

Thumbnail = tuple[int, float, NDArray[np.uint8]]
"""Frame number, time in seconds, (height, width, 3) BGR picture."""


class Thumbnails:
    """Keeps between half of `most` and `most` pictures, whatever the length.

    Every n-th frame is kept; when there are too many, every other one is dropped and n doubles.

    Args:
        most: upper bound of pictures.
        longer_px: longer side of a picture.
    """

    def __init__(self, most: int = 16, longer_px: int = 480) -> None:
        self._most = most
        self._longer_px = longer_px
        self._every = 1
        self._kept: list[Thumbnail] = []

    def add(self, frame: Frame) -> None:
        """Look at one frame; cheap where it isn't kept."""
        if frame.index % self._every:
            return
        import cv2

        width, height = frame.size_px
        scale = min(1.0, self._longer_px / max(width, height))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = np.asarray(cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA), np.uint8)
        self._kept.append((frame.index, frame.time_s, image))
        if len(self._kept) > self._most:
            self._every *= 2
            self._kept = [kept for kept in self._kept if kept[0] % self._every == 0]

    def pictures(self) -> tuple[Thumbnail, ...]:
        """The pictures kept so far, in order."""
        return tuple(self._kept)
