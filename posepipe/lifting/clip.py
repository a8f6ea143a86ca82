"""A clip's poses made consistent with each other: steady bones, and motion that a body can make. No network.

Frame by frame, a lifter's error is mostly in depth, and it wavers. Over a clip, bones keep their length and joints have
mass. Both are used in closed form, weighted by each joint's sigma.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posepipe.lifting.limits import BONES
from posepipe.skeleton import BODY21

__all__ = ["acceleration_factors", "clip_bones", "hold_back", "hold_bones", "steady"]

FloatArray = NDArray[np.float32]
Array = NDArray[np.float64]

ACCELERATION_MPS2 = 14.0
"""Standard deviation of a joint's acceleration at 30 frames per second; tuned on training subjects."""

_ACROSS, _DEPTH = 0.7, 1.4
"""A joint's sigma across the line of sight and along it, in units of its mean sigma."""

_BONE_TOLERANCE_M = 0.02
_ROUNDS = 6
_RELAX = 0.4
_PASSES, _FREEDOM = 2, 4.0
_MAX_GAP_S = 0.12
_FAR_SIGMA = 1.5  # A clip moved so far keeps half of it; on training subjects: half the tail, the mean unchanged.
_INDEX = BODY21.index
_PARENTS = {
    "pelvis": ("left_hip", "right_hip"),
    "thorax": ("left_shoulder", "right_shoulder"),
    "spine": ("left_hip", "right_hip", "left_shoulder", "right_shoulder"),
}


def acceleration_factors(time_s: NDArray[np.float64], usable: NDArray[np.bool_]) -> FloatArray:
    """Factors (F, 3) of the samples before, at and after each frame that give the acceleration in units per second².

    Second difference on irregular times. Zero at both ends, beside unusable frames, and beside gaps over 0.12 s.
    """
    frames = len(time_s)
    factors = np.zeros((frames, 3), dtype=np.float32)
    if frames < 3:
        return factors
    before, after = np.diff(time_s)[:-1], np.diff(time_s)[1:]
    linked = (before > 1e-4) & (after > 1e-4) & (before < _MAX_GAP_S) & (after < _MAX_GAP_S)
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


def _variance(sigma_m: FloatArray) -> Array:
    """(F, 21) sigma to (F, 21, 3) variances in the network's frame, whose third axis looks at the person."""
    square = np.asarray(sigma_m, dtype=np.float64)[..., None] ** 2
    return square * np.array([_ACROSS, _ACROSS, _DEPTH]) ** 2


def hold_bones(xyz_m: FloatArray, sigma_m: FloatArray, bone_m: FloatArray) -> FloatArray:
    """Move joints, the uncertain ones most and mostly in depth, until bones have their clip's length.

    Args:
        xyz_m: (F, 21, 3) in the network's frame.
        sigma_m: (F, 21).
        bone_m: (E,) lengths; NaN leaves a bone free.
    """
    known = ~np.isnan(bone_m)
    start, end, wanted = BONES[known, 0], BONES[known, 1], bone_m[known]
    variance = _variance(sigma_m)
    xyz = xyz_m.astype(np.float64)
    to_joints = np.zeros((len(BODY21), len(start)))
    to_joints[start, np.arange(len(start))] = 1.0
    to_joints[end, np.arange(len(end))] = -1.0
    for _ in range(_ROUNDS):
        bone = xyz[:, start] - xyz[:, end]
        length = np.maximum(np.linalg.norm(bone, axis=-1), 1e-6)
        way = bone / length[..., None]
        give = (way**2 * (variance[:, start] + variance[:, end])).sum(axis=-1) + _BONE_TOLERANCE_M**2
        push = ((wanted - length) / give)[..., None] * way
        xyz += _RELAX * variance * np.einsum("je,fea->fja", to_joints, push)
    return _rooted(xyz)


def steady(xyz_m: FloatArray, sigma_m: FloatArray, rotation: FloatArray, factors: FloatArray) -> FloatArray:
    """The likeliest motion: poses weighted by sigma, accelerations by what bodies do.

    Minimises ``sum((x - pose)^2 / sigma^2) + sum(acceleration^2) / a^2`` for each joint and axis, a banded linear
    system on the times as they are.

    Args:
        xyz_m: (F, 21, 3) in the camera frame.
        sigma_m: (F, 21).
        rotation: (F, 3, 3) camera frame to the network's frame.
        factors: (F, 3) of `acceleration_factors`.
    """
    frames = len(xyz_m)
    if frames < 3 or not factors.any():
        return xyz_m
    turned = np.einsum("fja,fab->fjb", _variance(sigma_m), rotation.astype(np.float64) ** 2)
    precision = 1.0 / np.maximum(turned, 1e-12)
    row = factors.astype(np.float64) / ACCELERATION_MPS2
    band = np.zeros((3, frames))
    band[2] = row[:, 1] ** 2
    band[2, :-1] += row[1:, 0] ** 2
    band[2, 1:] += row[:-1, 2] ** 2
    band[1, 1:] = row[:-1, 1] * row[:-1, 2] + row[1:, 0] * row[1:, 1]
    band[0, 2:] = row[1:-1, 0] * row[1:-1, 2]
    out = xyz_m.astype(np.float64)
    for _ in range(_PASSES):
        # Student's weights: a joint that jumps away from the motion around it counts less.
        off = ((xyz_m - out) ** 2 * precision).sum(axis=-1, keepdims=True)
        out = _banded(band, precision * (_FREEDOM + 3.0) / (_FREEDOM + off), xyz_m)
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


def hold_back(first_m: FloatArray, xyz_m: FloatArray, sigma_m: FloatArray, usable: NDArray[np.bool_]) -> FloatArray:
    """Poses nearer to their first estimate the more sigmas a clip was moved, all frames by the same share.

    A few tenths of a sigma is what steadying does; more than one is a clip in which the detector often confuses front
    and back, and the majority that the other frames are drawn to may be the wrong one.

    Args:
        first_m: (F, 21, 3) before.
        xyz_m: (F, 21, 3) after.
        sigma_m: (F, 21).
        usable: (F,) frames that count.
    """
    if not usable.any():
        return xyz_m
    moved = xyz_m - first_m
    square = float(np.mean((moved[usable] ** 2).sum(axis=-1) / (3.0 * sigma_m[usable] ** 2)))
    return np.asarray(first_m + np.float32(1.0 / (1.0 + (square / _FAR_SIGMA**2) ** 2)) * moved)


def _rooted(xyz_m: Array) -> FloatArray:
    """Derived joints made again, pelvis at the origin."""
    for name, parents in _PARENTS.items():
        xyz_m[:, _INDEX(name)] = xyz_m[:, BODY21.indices(*parents)].mean(axis=1)
    return (xyz_m - xyz_m[:, _INDEX("pelvis"), None]).astype(np.float32)
