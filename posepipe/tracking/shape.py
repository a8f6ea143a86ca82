"""Body size and limb lengths of a person in the picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from posepipe.skeleton import LAYOUTS
from posepipe.types import Keypoints

__all__ = ["Shape", "body_size", "measure", "mirror"]

Float64 = NDArray[np.float64]

_LIMBS = (
    (("left_shoulder", "right_shoulder"),),
    (("left_shoulder", "left_hip"), ("right_shoulder", "right_hip")),
    (("left_hip", "left_knee"), ("right_hip", "right_knee")),
    (("left_knee", "left_ankle"), ("right_knee", "right_ankle")),
    (("left_shoulder", "left_elbow"), ("right_shoulder", "right_elbow")),
    (("left_elbow", "left_wrist"), ("right_elbow", "right_wrist")),
)
_FLOOR = 0.15  # Standard deviation of a log length in one frame: pose and view change it.
_MEMORY = 30  # Sightings over which the running mean forgets.


def body_size(keypoints: Keypoints) -> float:
    """Diagonal of the box around the better-known half of the keypoints, in pixels; NaN without any."""
    seen = np.isfinite(keypoints.xy_px).all(axis=1) & np.isfinite(keypoints.sigma_px)
    if not seen.any():
        return float("nan")
    sigma = keypoints.sigma_px[seen]
    xy = keypoints.xy_px[seen][sigma <= 3.0 * np.partition(sigma, len(sigma) // 2)[len(sigma) // 2]]
    return float(np.hypot(*(xy.max(axis=0) - xy.min(axis=0))))


def measure(keypoints: Keypoints) -> tuple[Float64, Float64]:
    """Log lengths of six body parts in log pixels, and their variances (inf where unknown)."""
    xy, sigma = keypoints.xy_px.astype(np.float64), keypoints.sigma_px.astype(np.float64)
    a, b = _parts(keypoints.layout.name)
    step = xy[a] - xy[b]
    length = np.hypot(step[..., 0], step[..., 1])
    spread = sigma[a] ** 2 + sigma[b] ** 2
    length = np.where(np.isfinite(length) & np.isfinite(spread) & (length > 1e-6), length, 0.0)
    # The longer of left and right is the less foreshortened one.
    pick = length.argmax(axis=1)
    rows = np.arange(len(pick))
    longest, spread = length[rows, pick], spread[rows, pick]
    known = longest > 0.0
    safe = np.where(known, longest, 1.0)
    logs = np.where(known, np.log(safe), np.nan)
    return logs, np.where(known, spread / safe**2 + _FLOOR**2, np.inf)


@dataclass(slots=True)
class Shape:
    """Running mean and spread of one person's log lengths."""

    mean: Float64
    variance: Float64
    count: Float64

    @classmethod
    def start(cls, measured: tuple[Float64, Float64]) -> Shape:
        """From one sighting."""
        logs, spread = measured
        return cls(logs.copy(), spread.copy(), np.isfinite(logs).astype(np.float64))

    def add(self, measured: tuple[Float64, Float64]) -> None:
        """Take another sighting in."""
        logs, spread = measured
        seen = np.isfinite(logs)
        new = seen & (self.count == 0)
        self.mean[new], self.variance[new] = logs[new], spread[new]
        old = seen & ~new
        self.count[seen] = np.minimum(self.count[seen] + 1.0, _MEMORY)
        gain = 1.0 / self.count[old]
        off = logs[old] - self.mean[old]
        self.mean[old] += gain * off
        self.variance[old] += gain * (spread[old] + off**2 - self.variance[old])

    def distance(self, measured: tuple[Float64, Float64]) -> float:
        """How unlike a sighting is: 0 the same, about 0.1 for a common frame of the same person, at most 1."""
        logs, spread = measured
        both = np.isfinite(logs) & (self.count > 0)
        if not both.any():
            return 0.0
        square = (logs[both] - self.mean[both]) ** 2 / (self.variance[both] + spread[both])
        return float(np.mean(np.minimum(square, 9.0)) / 9.0)


@cache
def mirror(layout: str) -> NDArray[np.intp]:
    """Permutation that swaps left and right in a layout given by name."""
    return LAYOUTS[layout].mirror


@cache
def _parts(layout: str) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Ends of the body parts, (6, 2) each: left and right, or the same twice."""
    joints = LAYOUTS[layout]
    ends = np.array([[joints.indices(*pairs[0]), joints.indices(*pairs[-1])] for pairs in _LIMBS], dtype=np.intp)
    return ends[..., 0], ends[..., 1]
