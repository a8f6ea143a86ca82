"""A clip's poses made consistent with each other: steady bones, and motion that a body can make. No network.

Frame by frame, a lifter's error is mostly in depth, and it wavers. Over a clip, bones keep their length and joints have
mass. Both are used in closed form, weighted by each joint's sigma.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from posepipe.settings import setting
from posepipe.skeleton import BODY21

__all__ = [
    "BONES", "FEET", "KNEE_BONES", "MAX_FLEXION_COS", "MIRRORED_BONES", "STEADY", "STRETCHED_KNEE", "SteadySettings",
    "acceleration_factors", "bone_lengths", "clip_bones", "hold_back", "hold_bones", "steady",
]  # fmt: skip

FloatArray = NDArray[np.float32]
Array = NDArray[np.float64]
Real = TypeVar("Real", np.float32, np.float64)

_TUNED = "tuned on training subjects"
_CHUNK = 2048
"""Frames at a time, to bound memory."""


@dataclass(frozen=True, slots=True)
class SteadySettings:
    """How strongly a clip's poses are made consistent."""

    acceleration_mps2: float = setting(14.0, "standard deviation of acceleration at 30 fps", unit="m/s²", source=_TUNED)
    across: float = setting(0.7, "a joint's sigma across the line of sight, in its mean sigmas", source="judgement")
    depth: float = setting(1.4, "and along it: depth is known least", source="judgement")
    bone_tolerance_m: float = setting(0.02, "how much a bone's length may differ", unit="m", source=_TUNED)
    rounds: int = setting(6, "times that all bones are pulled to their length", source="judgement")
    relax: float = setting(0.4, "share of the way that they are pulled each time", source="judgement")
    passes: int = setting(2, "times that the motion is steadied, joints that jump counting less", source="judgement")
    freedom: float = setting(4.0, "degrees of freedom of Student's t: detectors jump", source="judgement")
    max_gap_s: float = setting(0.12, "no acceleration is told across a longer gap", unit="s", source="judgement")
    far_sigma: float = setting(
        1.5,
        "sigmas moved at which a clip keeps half of its movement",
        source="on training subjects: half the tail, the mean unchanged",
    )


STEADY = SteadySettings()

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

_PARENTS = {
    "pelvis": ("left_hip", "right_hip"),
    "thorax": ("left_shoulder", "right_shoulder"),
    "spine": ("left_hip", "right_hip", "left_shoulder", "right_shoulder"),
}


def bone_lengths(xyz_m: FloatArray) -> FloatArray:
    """Poses (F, 21, 3) to lengths (F, E) of `BONES` in metres."""
    return np.asarray(np.linalg.norm(xyz_m[:, BONES[:, 0]] - xyz_m[:, BONES[:, 1]], axis=-1))


def acceleration_factors(time_s: Array, usable: NDArray[np.bool_], settings: SteadySettings = STEADY) -> FloatArray:
    """Factors (F, 3) of the samples before, at and after each frame that give the acceleration in units per second².

    Second difference on irregular times. Zero at both ends, beside unusable frames, and beside long gaps.
    """
    frames = len(time_s)
    factors = np.zeros((frames, 3), dtype=np.float32)
    if frames < 3:
        return factors
    before, after = np.diff(time_s)[:-1], np.diff(time_s)[1:]
    linked = (before > 1e-4) & (after > 1e-4) & (before < settings.max_gap_s) & (after < settings.max_gap_s)
    linked &= usable[:-2] & usable[1:-1] & usable[2:]
    before, after = np.where(linked, before, 1.0), np.where(linked, after, 1.0)
    first, last = 2.0 / (before * (before + after)), 2.0 / (after * (before + after))
    factors[1:-1] = np.where(linked[:, None], np.stack([first, -first - last, last], axis=1), 0.0)
    return factors


def clip_bones(lengths_m: FloatArray, sigma_m: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lengths that hold for a whole clip.

    Args:
        lengths_m: (F, E) in each frame; NaN where unknown.
        sigma_m: (F, 21) of the joints; NaN where unknown.

    Returns:
        Weighted median of each bone (E,), and its standard deviation (E,), both NaN for a bone that was never seen.
    """
    variance = sigma_m[:, BONES[:, 0]] ** 2 + sigma_m[:, BONES[:, 1]] ** 2
    weight = np.where(np.isnan(lengths_m + variance), 0.0, 1.0 / np.nan_to_num(variance + 1e-6, nan=1.0))
    order = np.argsort(np.nan_to_num(lengths_m, nan=np.inf), axis=0)
    running = np.cumsum(np.take_along_axis(weight, order, axis=0), axis=0)
    total = running[-1]
    middle = np.argmax(running >= 0.5 * total, axis=0)
    chosen = np.take_along_axis(order, middle[None], axis=0)[0]
    length = np.where(total > 0, lengths_m[chosen, np.arange(lengths_m.shape[1])], np.nan)
    spread = 1.4826 * np.sqrt(1.0 / np.maximum(total / np.maximum((weight > 0).sum(axis=0), 1), 1e-6))
    return length.astype(np.float32), np.where(total > 0, spread, np.nan).astype(np.float32)


def _variance(sigma_m: FloatArray, settings: SteadySettings) -> Array:
    """(F, 21) sigma to (F, 21, 3) variances in the network's frame, whose third axis looks at the person."""
    square = np.asarray(sigma_m, dtype=np.float64)[..., None] ** 2
    return np.asarray(square * np.array([settings.across, settings.across, settings.depth]) ** 2)


def hold_bones(
    xyz_m: FloatArray, sigma_m: FloatArray, bone_m: FloatArray, settings: SteadySettings = STEADY
) -> FloatArray:
    """Move joints, the uncertain ones most and mostly in depth, until bones have their clip's length.

    Args:
        xyz_m: (F, 21, 3) in the network's frame.
        sigma_m: (F, 21).
        bone_m: (E,) lengths; NaN leaves a bone free.
        settings: thresholds.
    """
    known = ~np.isnan(bone_m)
    start, end, wanted = BONES[known, 0], BONES[known, 1], bone_m[known]
    variance = _variance(sigma_m, settings)
    xyz = xyz_m.astype(np.float64)
    to_joints = np.zeros((len(BODY21), len(start)))
    to_joints[start, np.arange(len(start))] = 1.0
    to_joints[end, np.arange(len(end))] = -1.0
    for _ in range(settings.rounds):
        bone = xyz[:, start] - xyz[:, end]
        length = np.maximum(np.linalg.norm(bone, axis=-1), 1e-6)
        way = bone / length[..., None]
        give = (way**2 * (variance[:, start] + variance[:, end])).sum(axis=-1) + settings.bone_tolerance_m**2
        push = ((wanted - length) / give)[..., None] * way
        xyz += settings.relax * variance * np.einsum("je,fea->fja", to_joints, push)
    return _rooted(xyz)


def steady(
    xyz_m: FloatArray,
    sigma_m: FloatArray,
    rotation: FloatArray,
    factors: FloatArray,
    settings: SteadySettings = STEADY,
) -> FloatArray:
    """The likeliest motion: poses weighted by sigma, accelerations by what bodies do.

    Minimises ``sum((x - pose)^2 / sigma^2) + sum(acceleration^2) / a^2`` for each joint and axis, a banded linear
    system on the times as they are.

    Args:
        xyz_m: (F, 21, 3) in the camera frame.
        sigma_m: (F, 21).
        rotation: (F, 3, 3) camera frame to the network's frame.
        factors: (F, 3) of `acceleration_factors`.
        settings: thresholds.
    """
    frames = len(xyz_m)
    if frames < 3 or not factors.any():
        return xyz_m
    turned = np.einsum("fja,fab->fjb", _variance(sigma_m, settings), rotation.astype(np.float64) ** 2)
    precision = 1.0 / np.maximum(turned, 1e-12)
    row = factors.astype(np.float64) / settings.acceleration_mps2
    band = np.zeros((3, frames))
    band[2] = row[:, 1] ** 2
    band[2, :-1] += row[1:, 0] ** 2
    band[2, 1:] += row[:-1, 2] ** 2
    band[1, 1:] = row[:-1, 1] * row[:-1, 2] + row[1:, 0] * row[1:, 1]
    band[0, 2:] = row[1:-1, 0] * row[1:-1, 2]
    out = xyz_m.astype(np.float64)
    for _ in range(settings.passes):
        # Student's weights: a joint that jumps away from the motion around it counts less.
        off = ((xyz_m - out) ** 2 * precision).sum(axis=-1, keepdims=True)
        out = _banded(band, precision * (settings.freedom + 3.0) / (settings.freedom + off), xyz_m)
    return _rooted(out)


def _banded(band: Array, precision: Array, xyz_m: FloatArray) -> Array:
    """Solve ``(band + diag(precision)) x = precision xyz`` for each joint and axis, (F, 21, 3)."""
    from scipy.linalg import solveh_banded

    out = np.empty(xyz_m.shape)
    for joint, axis in np.ndindex(xyz_m.shape[1:]):
        matrix = band.copy()
        matrix[2] += precision[:, joint, axis]
        right = precision[:, joint, axis] * xyz_m[:, joint, axis]
        out[:, joint, axis] = solveh_banded(matrix, right, overwrite_ab=True, overwrite_b=True, check_finite=False)
    return out


def hold_back(
    first_m: NDArray[Real],
    xyz_m: NDArray[Real],
    sigma_m: NDArray[Real],
    usable: NDArray[np.bool_],
    settings: SteadySettings = STEADY,
) -> NDArray[Real]:
    """Poses nearer to their first estimate the more sigmas a clip was moved, all frames by the same share.

    A few tenths of a sigma is what steadying does; more than one is a clip in which the detector often confuses front
    and back, and the majority that the other frames are drawn to may be the wrong one.

    Args:
        first_m: (F, 21, 3) before.
        xyz_m: (F, 21, 3) after.
        sigma_m: (F, 21).
        usable: (F,) frames that count.
        settings: thresholds.
    """
    if not usable.any():
        return xyz_m
    moved, total = xyz_m - first_m, 0.0
    for start in range(0, len(moved), _CHUNK):
        part = slice(start, start + _CHUNK)
        some = usable[part]
        total += float(((moved[part][some] ** 2).sum(axis=-1) / (3.0 * sigma_m[part][some] ** 2)).sum(dtype=np.float64))
    square = total / (int(usable.sum()) * moved.shape[1])
    moved *= moved.dtype.type(1.0 / (1.0 + (square / settings.far_sigma**2) ** 2))
    moved += first_m
    return moved


def _rooted(xyz_m: Array) -> FloatArray:
    """Derived joints made again, pelvis at the origin."""
    for name, parents in _PARENTS.items():
        xyz_m[:, BODY21.index(name)] = xyz_m[:, BODY21.indices(*parents)].mean(axis=1)
    return (xyz_m - xyz_m[:, BODY21.index("pelvis"), None]).astype(np.float32)
