"""Region of interest: a rotated square around one person, the way between it and the picture, and how it moves on.

Conventions are MediaPipe's: the corner of the crop lies on the corner of the square, without half-pixel shifts, and
the square stands on the hips with the body's long axis upright.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Roi", "Steady", "letterbox", "steady"]

FloatArray = NDArray[np.float64]

_SCALE = 1.25
"""The square's side over the diameter of the circle around the body; MediaPipe's."""
_MIN_CUTOFF_HZ, _BETA, _SPEED_CUTOFF_HZ = 0.01, 10.0, 1.0
"""One-Euro filter of the points that the next square stands on: cutoff at rest, its rise for each body size a second,
cutoff of the speed. MediaPipe's, for its auxiliary landmarks."""


@dataclass(frozen=True, slots=True)
class Roi:
    """A rotated square in the picture.

    Attributes:
        x_px, y_px: centre.
        size_px: side.
        angle_rad: turn of the body from upright, clockwise as seen.
    """

    x_px: float
    y_px: float
    size_px: float
    angle_rad: float

    @classmethod
    def around_body(cls, hips_px: NDArray[np.floating[Any]], end_px: NDArray[np.floating[Any]]) -> Roi:
        """Square around a body.

        Args:
            hips_px: (2,) middle of the hips.
            end_px: (2,) point above the head, on the circle that holds the whole body.
        """
        dx, dy = float(end_px[0] - hips_px[0]), float(end_px[1] - hips_px[1])
        angle = math.pi / 2.0 - math.atan2(-dy, dx)
        angle -= 2.0 * math.pi if angle >= math.pi else 0.0
        return cls(float(hips_px[0]), float(hips_px[1]), 2.0 * _SCALE * math.hypot(dx, dy), angle)

    @property
    def usable(self) -> bool:
        """Finite and not a point."""
        return math.isfinite(self.x_px + self.y_px + self.size_px + self.angle_rad) and self.size_px >= 1.0

    def inside(self, width_px: int, height_px: int) -> bool:
        """Whether the centre lies in the picture, or nearer to it than a quarter of the side."""
        margin = self.size_px / 4.0
        return -margin <= self.x_px <= width_px + margin and -margin <= self.y_px <= height_px + margin

    def crop_to_picture(self, crop_px: int) -> NDArray[np.float64]:
        """Affine map (2, 3) from pixels of a square crop of side `crop_px` to pixels of the picture."""
        scale = self.size_px / crop_px
        cos, sin = math.cos(self.angle_rad) * scale, math.sin(self.angle_rad) * scale
        half = crop_px / 2.0
        return np.array(
            [
                [cos, -sin, self.x_px - half * (cos - sin)],
                [sin, cos, self.y_px - half * (sin + cos)],
            ]
        )

    def to_picture(self, points: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Points (N, 2) given as fractions of the crop, as pixels of the picture."""
        matrix = self.crop_to_picture(1)
        xy_px: NDArray[np.float32] = (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
        return xy_px

    def crop(self, image: NDArray[np.uint8], crop_px: int, border: int = cv2.BORDER_REPLICATE) -> NDArray[np.uint8]:
        """Cut the square out of the picture (H, W, 3), upright, `crop_px` wide.

        Bilinear, and like MediaPipe without a filter against aliasing. `border` is OpenCV's name for what lies outside
        the picture: its edge pixels again (MediaPipe for landmarks), or black, ``BORDER_CONSTANT`` (for the detector).
        """
        return cv2.warpAffine(  # type: ignore[return-value]
            image,
            self.crop_to_picture(crop_px),
            (crop_px, crop_px),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=border,
        )


def letterbox(width_px: int, height_px: int) -> Roi:
    """The upright square around a whole picture."""
    return Roi(width_px / 2.0, height_px / 2.0, float(max(width_px, height_px)), 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Steady:
    """The points that the next region stands on, after one frame.

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
    """One step of a One-Euro filter.

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
