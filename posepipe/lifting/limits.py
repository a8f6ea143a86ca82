"""What test-time optimisation knows about bodies: bones that keep their length, sides that match, joints that stop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posepipe.skeleton import BODY21

__all__ = ["BONES", "FEET", "KNEE_BONES", "MAX_FLEXION_COS", "MIRRORED_BONES", "STRETCHED_KNEE", "bone_lengths"]

FloatArray = NDArray[np.float32]


_FOOT = (("ankle", "heel"), ("ankle", "foot_index"), ("heel", "foot_index"))
_NAMES = [
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
    ("right_hip", "right_knee"),
    ("right_knee", "right_ankle"),
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"),
    *((f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in _FOOT),
    ("left_hip", "right_hip"),
    ("left_shoulder", "right_shoulder"),
    ("nose", "head"),
]

BONES: NDArray[np.intp] = np.array([BODY21.indices(a, b) for a, b in _NAMES], dtype=np.intp)
"""Ends of the bones that keep their length, (E, 2). The trunk bends and the shoulders shrug, so neither is here."""

MIRRORED_BONES: NDArray[np.intp] = np.array([[0, 2], [1, 3], [4, 6], [5, 7], [8, 11], [9, 12], [10, 13]])
"""Pairs of positions in `BONES`: the same bone on both sides."""

FEET: NDArray[np.intp] = np.array([BODY21.indices(f"{side}_heel", f"{side}_foot_index") for side in ("left", "right")])
"""Heel and toe of both feet, (2, 2). The foot says which way is forward, and so what an overstretched knee is."""

KNEE_BONES = slice(0, 2)
"""The legs among the four pairs (thigh, shank) and (upper arm, forearm)."""

MAX_FLEXION_COS = -0.91
"""Cosine between the two bones of a knee or elbow bent by 155 degrees, about as far as they go."""

STRETCHED_KNEE = 0.17
"""Sine of 10 degrees: how far a shank may point forward of the thigh's line."""


def bone_lengths(xyz_m: FloatArray) -> FloatArray:
    """Poses (F, 21, 3) to lengths (F, E) of `BONES` in metres."""
    return np.asarray(np.linalg.norm(xyz_m[:, BONES[:, 0]] - xyz_m[:, BONES[:, 1]], axis=-1))
