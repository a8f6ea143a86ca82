"""What recognition sees of a movement: two seconds of it, in the body's own frame and size.

A window is resampled to 30 samples, so the frame rate drops out. Joints are relative to the pelvis, turned about the
vertical so that the hips, over the whole window, face ahead, and divided by the body's size. What is up stays up:
lying, hanging and leaning show. Speeds are left to the networks, which see equal steps of time.

The 22 angles and distances are those of Riccio 2024 (arXiv 2411.11548), from 3D joints and normalised by body size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.body.motion import Motion
from posepipe.exercise.signal import POSE_JOINTS
from posepipe.skeleton import BODY21, mirror_name

__all__ = ["ANGLES", "COLUMNS", "DISTANCES", "FEATURES", "JOINTS", "SAMPLES", "STRIDE_S", "WINDOW_S", "Windows"]
__all__ += ["mirror", "motion_windows", "window_centers", "windows"]

FloatArray = NDArray[np.float32]
Array = NDArray[np.float64]

WINDOW_S = 2.0
"""Length of a window: a repetition, or most of a slow one."""
SAMPLES = 30
"""Of a window: 15 a second, as in training."""
STRIDE_S = 0.2
"""Time between windows."""

JOINTS = POSE_JOINTS
"""Joints of the features; the pelvis is their origin."""


def _both(*names: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Left then right of each."""
    return tuple(tuple(f"{side}_{n}" for n in group) for group in names for side in ("left", "right"))


ANGLES = _both(
    ("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"), ("shoulder", "hip", "knee"), ("hip", "shoulder", "elbow")
)
DISTANCES = (
    ("left_shoulder", "right_shoulder"),
    ("left_hip", "right_hip"),
    *_both(("hip", "knee"), ("shoulder", "hip"), ("elbow", "knee"), ("wrist", "shoulder"), ("wrist", "hip")),
)
_HEIGHTS = _both(("elbow", "shoulder"))

FEATURES = (
    *(f"{joint}_{axis}" for joint in JOINTS for axis in ("ahead", "left", "up")),
    *(f"angle_{b}_{a}_{c}" for a, b, c in ANGLES),
    *(f"distance_{a}_{b}" for a, b in DISTANCES),
    *(f"height_{a}_{b}" for a, b in _HEIGHTS),
    *(f"pelvis_{axis}" for axis in ("ahead", "left", "up")),
    "pelvis_known",
    *(f"trust_{joint}" for joint in JOINTS),
)
"""Names of a window's columns."""

COLUMNS = {
    "joints": slice(0, 42),
    "angles": slice(42, 50),
    "distances": slice(50, 64),
    "pelvis": slice(64, 68),
    "trust": slice(68, 82),
}
"""Where each kind stands."""

_INDEX = BODY21.indices(*JOINTS)
_OF = {name: i for i, name in enumerate(JOINTS)}
_FILL_S = 0.5
"""Longest hole that is bridged."""
_DOUBT_M = 0.1
"""Sigma at which a joint is trusted half."""
_UNKNOWN_SIGMA_M = 0.05
"""Sigma of a joint where none is given."""
_STATURE_M = 1.7
"""A person of this stature has size 1."""
_BONES: tuple[tuple[str, str, float], ...] = tuple(
    (f"{side}_{a}", f"{side}_{b}", share * _STATURE_M)
    for side in ("left", "right")
    for a, b, share in (
        ("hip", "knee", 0.236),
        ("knee", "ankle", 0.242),
        ("shoulder", "elbow", 0.166),
        ("elbow", "wrist", 0.143),
    )
)
"""Limbs and their lengths between a detector's joints, after Winter; as in training."""
_TRUNK_M = 0.292 * _STATURE_M
"""Pelvis to thorax."""
_MAX_DRIFT = 3.0
"""Body sizes; the pelvis isn't told to move further within a window."""
_SIDEWAYS = 0.25
"""A hip line whose level part is a smaller share of it doesn't tell where the body faces: the person lies on a side."""


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Windows of one person's movement.

    Attributes:
        time_s: (W,) middle of each.
        x: (W, 30, 82) features, columns as in `FEATURES`; 0 where a joint is missing, with trust 0.
        seen: (W,) share of the samples in which the person was seen.
    """

    time_s: Array
    x: FloatArray
    seen: Array


def motion_windows(motion: Motion, stride_s: float = STRIDE_S, part: slice = slice(None)) -> Windows:
    """Windows of a motion in any layout that has the joints' names; missing joints are told as such.

    Args:
        motion: one person's movement.
        stride_s: time between windows.
        part: which of the windows.
    """
    take = [motion.layout.joints.index(n) if n in motion.layout.joints else -1 for n in JOINTS]
    xyz = np.full((len(motion), len(JOINTS), 3), np.nan)
    sigma = np.full((len(motion), len(JOINTS)), np.nan)
    for column, index in enumerate(take):
        if index >= 0:
            xyz[:, column] = np.where(motion.valid[:, index, None], motion.xyz_m[:, index], np.nan)
            sigma[:, column] = motion.sigma_m[:, index]
    centers = window_centers(motion.time_s, stride_s)[part]
    return windows(motion.time_s, xyz, sigma, motion.root_m.astype(np.float64), motion.up.astype(np.float64), centers)


def window_centers(time_s: Array, stride_s: float = STRIDE_S) -> Array:
    """Middles (W,) of windows that lie within the clip, or its own middle if it is shorter."""
    if not len(time_s):
        return np.zeros(0)
    first, last = float(time_s[0]), float(time_s[-1])
    if last - first <= WINDOW_S:
        return np.array([0.5 * (first + last)])
    return np.arange(first + WINDOW_S / 2, last - WINDOW_S / 2 + 1e-6, stride_s)


def windows(time_s: Array, xyz: Array, sigma: Array, root: Array, up: Array, centers: Array) -> Windows:
    """Cut windows.

    Args:
        time_s: (F,) increasing.
        xyz: (F, 14, 3) `JOINTS` relative to the pelvis, any unit, any frame; NaN where missing.
        sigma: (F, 14) metres; NaN where unknown.
        root: (F, 3) pelvis in the same frame; NaN where unknown.
        up: (3,) against gravity.
        centers: (W,) middles; samples outside the clip repeat its ends.
    """
    if not len(centers):
        return Windows(centers, np.zeros((0, SAMPLES, len(FEATURES)), np.float32), np.zeros(0))
    offsets = (np.arange(SAMPLES) / (SAMPLES - 1) - 0.5) * WINDOW_S
    at = np.clip(centers[:, None] + offsets, time_s[0], time_s[-1])
    trust = 1.0 / (1.0 + (np.nan_to_num(sigma, nan=_UNKNOWN_SIGMA_M) / _DOUBT_M) ** 2)
    points = _sample(time_s, np.asarray(xyz, np.float64), at)
    there = np.isfinite(points).all(axis=-1)
    trust = np.where(there, np.nan_to_num(_sample(time_s, trust[..., None], at)[..., 0]), 0.0)
    pelvis = _sample(time_s, np.asarray(root, np.float64)[:, None], at)[:, :, 0]
    axes = _axes(points, np.asarray(up, np.float64))
    size = _size(points)
    points = np.einsum("wkc,wsjc->wsjk", axes, points) / size[:, None, None, None]
    known = np.all(np.isfinite(pelvis), axis=-1)
    middle = _mean(pelvis, known)
    drift = np.einsum("wkc,wsc->wsk", axes, pelvis - middle[:, None]) / size[:, None, None]
    drift = np.clip(np.where(known[..., None], drift, 0.0), -_MAX_DRIFT, _MAX_DRIFT)
    out = np.concatenate(
        [
            np.nan_to_num(points).reshape(*points.shape[:2], -1),
            np.nan_to_num(_angles(points)),
            np.nan_to_num(_distances(points)),
            drift,
            known[..., None],
            trust,
        ],
        axis=-1,
    )
    return Windows(centers, out.astype(np.float32), there.any(axis=-1).mean(axis=-1))


def _sample(time_s: Array, values: Array, at: Array) -> Array:
    """Linear interpolation of (F, J, D) at times (W, 30); NaN in holes longer than half a second."""
    frames = len(time_s)
    flat = values.reshape(frames, values.shape[1], -1)
    good = np.isfinite(flat).all(axis=-1)
    after = np.clip(np.searchsorted(time_s, at, side="left"), 0, frames - 1)
    before = np.where(time_s[after] > at, np.maximum(after - 1, 0), after)
    # The nearest good frame at or before, and at or after, every frame.
    number = np.arange(frames)[:, None]
    last = np.maximum.accumulate(np.where(good, number, -1), axis=0)[before]
    following = np.minimum.accumulate(np.where(good, number, frames)[::-1], axis=0)[::-1][after]
    t0, t1 = time_s[np.maximum(last, 0)], time_s[np.minimum(following, frames - 1)]
    t0 = np.where(last < 0, t1, t0)
    t1 = np.where(following >= frames, t0, t1)
    share = np.where(t1 > t0, (at[..., None] - t0) / np.maximum(t1 - t0, 1e-9), 0.0)
    share = np.clip(share, 0.0, 1.0)[..., None]
    column = np.arange(flat.shape[1])
    first = np.where(last < 0, following, last).clip(0, frames - 1)
    second = np.where(following >= frames, last, following).clip(0, frames - 1)
    out = (1.0 - share) * flat[first, column] + share * flat[second, column]
    # Ends are held for as long as holes are bridged.
    lost = (t1 - t0 > _FILL_S) | (np.maximum(t0 - at[..., None], at[..., None] - t1) > _FILL_S)
    return np.where(lost[..., None], np.nan, out)


def _mean(values: Array, known: NDArray[np.bool_]) -> Array:
    """Mean over samples (W, S, D) where known; 0 where nothing is."""
    total = np.where(known[..., None], values, 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(known.sum(axis=1), 1)[:, None])


def _axes(points: Array, up: Array) -> Array:
    """Rows ahead, left, up (W, 3, 3) of the window's body frame."""
    up = up / np.linalg.norm(up)
    across = points[:, :, _OF["left_shoulder"]] - points[:, :, _OF["right_shoulder"]]
    hips = points[:, :, _OF["left_hip"]] - points[:, :, _OF["right_hip"]]
    line = np.where(np.isfinite(across), across, 0.0) + np.where(np.isfinite(hips), hips, 0.0)
    line = line.mean(axis=1)
    level = line - (line @ up)[:, None] * up
    # On one's side there is no level line across; the trunk gives the direction then.
    trunk = np.nan_to_num(points[:, :, _OF["thorax"]]).mean(axis=1)
    flat = trunk - (trunk @ up)[:, None] * up
    weak = np.linalg.norm(level, axis=1) < _SIDEWAYS * np.linalg.norm(line, axis=1) + 1e-9
    left = np.where(weak[:, None], np.cross(up, flat), level)
    length = np.linalg.norm(left, axis=1, keepdims=True)
    spare = np.cross(up, [0.0, 0.0, 1.0] if abs(up[2]) < 0.9 else [1.0, 0.0, 0.0])
    left = np.where(length > 1e-9, left / np.maximum(length, 1e-9), spare / np.linalg.norm(spare))
    return np.stack([np.cross(left, up), left, np.broadcast_to(up, left.shape)], axis=1)


def _size(points: Array) -> Array:
    """Body size (W,): 1 for a person of 1.7 m; the median over limbs and trunk of length against Winter's."""
    ratio = [np.linalg.norm(points[:, :, _OF[a]] - points[:, :, _OF[b]], axis=-1) / length for a, b, length in _BONES]
    ratio += [np.linalg.norm(points[:, :, _OF["thorax"]], axis=-1) / _TRUNK_M] * 2
    # NaN sorts last. NumPy's own median of what is known takes half of a live window's time.
    table = np.sort(np.concatenate(ratio, axis=1), axis=1)
    known = np.isfinite(table).sum(axis=1)
    row = np.arange(len(table))
    middle = 0.5 * (table[row, np.maximum(known - 1, 0) // 2] + table[row, known // 2 * (known > 0)])
    return np.maximum(np.where(known > 0, middle, 1.0), 1e-6)


def _angles(points: Array) -> Array:
    """(W, S, 8) radians, of `ANGLES`."""
    out = []
    for a, b, c in ANGLES:
        u, v = points[:, :, _OF[a]] - points[:, :, _OF[b]], points[:, :, _OF[c]] - points[:, :, _OF[b]]
        norm = np.linalg.norm(u, axis=-1) * np.linalg.norm(v, axis=-1)
        out.append(np.arccos(np.clip((u * v).sum(axis=-1) / np.maximum(norm, 1e-9), -1.0, 1.0)))
    return np.stack(out, axis=-1)


def _distances(points: Array) -> Array:
    """(W, S, 14): lengths of `DISTANCES`, then how far elbows are above or below shoulders."""
    out = [np.linalg.norm(points[:, :, _OF[a]] - points[:, :, _OF[b]], axis=-1) for a, b in DISTANCES]
    out += [np.abs(points[:, :, _OF[a], 2] - points[:, :, _OF[b], 2]) for a, b in _HEIGHTS]
    return np.stack(out, axis=-1)


def _mirror_columns() -> tuple[NDArray[np.intp], FloatArray]:
    """Permutation and sign of the columns for a mirrored body."""
    order = np.arange(len(FEATURES))
    sign = np.ones(len(FEATURES), np.float32)
    joints = [mirror_name(name) for name in JOINTS]
    other = [JOINTS.index(name) for name in joints]
    for i, j in enumerate(other):
        order[3 * i : 3 * i + 3] = np.arange(3 * j, 3 * j + 3)
        sign[3 * i + 1] = -1.0
        order[COLUMNS["trust"].start + i] = COLUMNS["trust"].start + j
    for start, groups in ((COLUMNS["angles"].start, ANGLES), (COLUMNS["distances"].start, DISTANCES)):
        for i, group in enumerate(groups):
            image = tuple(mirror_name(n) for n in group)
            same = [j for j, g in enumerate(groups) if set(g) == set(image)]
            order[start + i] = start + same[0]
    heights = COLUMNS["distances"].stop - 2
    order[heights], order[heights + 1] = heights + 1, heights
    sign[COLUMNS["pelvis"].start + 1] = -1.0
    return order, sign


_ORDER, _SIGN = _mirror_columns()


def mirror(x: FloatArray) -> FloatArray:
    """Windows (N, 30, 82) of the mirrored body."""
    return np.asarray(x[..., _ORDER] * _SIGN)
