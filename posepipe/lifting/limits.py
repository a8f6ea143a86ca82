"""What test-time optimisation knows about bodies: bones that keep their length, sides that match, joints that stop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posepipe.skeleton import BODY21

__all__ = ["BONES", "KNEES", "MAX_FLEXION_COS", "MIRRORED_BONES", "STRETCHED_KNEE", "bone_lengths"]

FloatArray = NDArray[np.float32]


def _sides(*bones: tuple[str, str]) -> list[tuple[str, str]]:
    return [(f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in bones]


_NAMES = [
    *_sides(("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist")),
    *_sides(("ankle", "heel"), ("ankle", "foot_index"), ("heel", "foot_index")),
    ("left_hip", "right_hip"),
    ("left_shoulder", "right_shoulder"),
    ("nose", "head"),
]

BONES: NDArray[np.intp] = np.array([BODY21.indices(a, b) for a, b in _NAMES], dtype=np.intp)
"""Ends of the bones that keep their length, (E, 2). The trunk bends and the shoulders shrug, so neither is here."""

MIRRORED_BONES: NDArray[np.intp] = np.array([[i, i + 4] for i in range(4)] + [[i, i + 3] for i in range(8, 11)])
"""Pairs of positions in `BONES`: the same bone on both sides."""

KNEES: NDArray[np.intp] = np.array(
    [
        BODY21.indices(f"{side}_hip", f"{side}_knee", f"{side}_ankle", f"{side}_heel", f"{side}_foot_index")
        for side in ("left", "right")
    ]
)
"""Hip, knee, ankle, heel, toe of both legs. The foot says which way is forward, and so what overstretching is."""

MAX_FLEXION_COS = -0.91
"""Cosine between the two bones of a knee or elbow bent by 155 degrees, about as far as they go."""

STRETCHED_KNEE = 0.17
"""Sine of 10 degrees: how far a shank may point forward of the thigh's line."""


def bone_lengths(xyz_m: FloatArray) -> FloatArray:
    """Poses (F, 21, 3) to lengths (F, E) of `BONES` in metres."""
    return np.asarray(np.linalg.norm(xyz_m[:, BONES[:, 0]] - xyz_m[:, BONES[:, 1]], axis=-1))
