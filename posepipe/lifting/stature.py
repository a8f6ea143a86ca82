"""How tall a lifted person is, from the lengths of the segments over a clip."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posepipe.skeleton import BODY21

__all__ = ["ADULT_STATURE_M", "STATURE_SIGMA", "measure_stature", "pose_stature"]

FloatArray = NDArray[np.float32]

ADULT_STATURE_M = 1.71
"""Mean stature of adults, between that of Americans of both sexes (1.685 m: Fryar et al., Anthropometric Reference
Data, 2021) and that of the people whose motion was captured for training (1.735 m, each counted once)."""

STATURE_SIGMA = 0.06
"""Relative spread of adult stature around that mean (same source); the error of an assumed scale."""

# Shares of stature: Winter, Biomechanics and Motor Control of Human Movement, after Drillis and Contini.
_SHARES = {
    ("hip", "knee"): 0.245,
    ("knee", "ankle"): 0.246,
    ("pelvis", "thorax"): 0.288,
    ("shoulder", "elbow"): 0.186,
    ("elbow", "wrist"): 0.146,
}
_LEGS_AND_TRUNK = (("hip", "knee"), ("knee", "ankle"), ("pelvis", "thorax"))


def measure_stature(xyz_m: FloatArray, valid: NDArray[np.bool_]) -> float | None:
    """Stature in metres.

    The median length of each segment over the clip, both sides pooled; legs and trunk where they were seen, else
    whatever was.

    Args:
        xyz_m: (F, 21, 3).
        valid: (F, 21) joints that were really seen.

    Returns:
        None if no segment was seen.
    """
    lengths = {pair: _median_length(xyz_m, valid, *pair) for pair in _SHARES}
    seen = {pair: length for pair, length in lengths.items() if length is not None}
    chosen = _LEGS_AND_TRUNK if all(pair in seen for pair in _LEGS_AND_TRUNK) else tuple(seen)
    if not chosen:
        return None
    return float(sum(seen[pair] for pair in chosen) / sum(_SHARES[pair] for pair in chosen))


def pose_stature(xyz_m: FloatArray) -> FloatArray:
    """Stature (F,) in metres of each pose (F, 21, 3) by itself, from its legs and trunk."""
    total = np.zeros(len(xyz_m), dtype=np.float32)
    for start, end in _LEGS_AND_TRUNK:
        sides = ("left_", "right_") if start not in BODY21.joints else ("",)
        for side in sides:
            a, b = BODY21.indices(f"{side}{start}", f"{side}{end}")
            total += np.linalg.norm(xyz_m[:, a] - xyz_m[:, b], axis=-1) / len(sides)
    return np.asarray(total / sum(_SHARES[pair] for pair in _LEGS_AND_TRUNK), dtype=np.float32)


def _median_length(xyz_m: FloatArray, valid: NDArray[np.bool_], start: str, end: str) -> float | None:
    sides = ("left_", "right_") if start not in BODY21.joints else ("",)
    found = []
    for side in sides:
        a, b = BODY21.indices(f"{side}{start}", f"{side}{end}")
        both = valid[:, a] & valid[:, b]
        found.append(np.linalg.norm(xyz_m[both, a] - xyz_m[both, b], axis=-1))
    pooled = np.concatenate(found)
    return float(np.median(pooled)) if len(pooled) else None
