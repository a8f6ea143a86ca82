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
    xy = keypoints.xy_px[seen][sigma <= 3.0 * np.median(sigma)]
    return float(np.hypot(*(xy.max(axis=0) - xy.min(axis=0))))


def measure(keypoints: Keypoints) -> tuple[Float64, Float64]:
    """Log lengths of six body parts in log pixels, and their variances (inf where unknown)."""
    xy = keypoints.xy_px.astype(np.float64)
    variance = keypoints.sigma_px.astype(np.float64) ** 2
    pairs, owner = _pairs(keypoints.layout.name)
    length = np.linalg.norm(xy[pairs[:, 0]] - xy[pairs[:, 1]], axis=1)
    relative = np.sqrt(variance[pairs].sum(axis=1)) / np.maximum(length, 1e-6)
    # The longer of left and right is the less foreshortened one.
    logs, spread = np.full(len(_LIMBS), np.nan), np.full(len(_LIMBS), np.inf)
    for part in range(len(_LIMBS)):
        of_part = np.flatnonzero((owner == part) & np.isfinite(length) & np.isfinite(relative) & (length > 0.0))
        if len(of_part):
            longest = of_part[np.argmax(length[of_part])]
            logs[part] = np.log(length[longest])
            spread[part] = relative[longest] ** 2 + _FLOOR**2
    return logs, spread


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
def _pairs(layout: str) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    joints = LAYOUTS[layout]
    rows = [(joints.indices(*pair), part) for part, pairs in enumerate(_LIMBS) for pair in pairs]
    return np.array([pair for pair, _ in rows], dtype=np.intp), np.array([part for _, part in rows])
