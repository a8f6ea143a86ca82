"""Gait cycles: strides cut out of a motion and laid on 0 to 100 % of the cycle, heel strike to heel strike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.gait.types import SIDES, Stride
from posepipe.geometry.missing import median_known
from posepipe.motion.clip import Motion
from posepipe.skeleton import BODY21

__all__ = ["ANGLES", "POINTS", "Cycle", "coarse_strides", "cut_cycles", "heading"]

Array = NDArray[np.float64]

POINTS = 101
"""Samples of a cycle: 0, 1 .. 100 %."""

ANGLES = (
    "hip_flexion",
    "knee_flexion",
    "ankle_dorsiflexion",
    "hip_abduction",
    "shoulder_flexion",
    "shoulder_abduction",
    "elbow_flexion",
    "trunk_flexion",
    "trunk_lateral",
    "trunk_rotation",
    "neck_flexion",
)
"""Angles of a cycle; those with a side are of the side whose heel strike begins it."""

_MIDDLE = ("trunk_flexion", "trunk_lateral", "trunk_rotation", "neck_flexion")
_SIGNED = ("trunk_lateral", "trunk_rotation")  # Positive to the left; in a cycle: to the cycle's own side.
_MAX_GAP_S = 0.15
_COARSE_RISE, _COARSE_S = 0.3, (0.6, 2.5)
_AGREE = float(np.cos(np.radians(40.0)))


@dataclass(frozen=True, slots=True, eq=False)
class Cycle:
    """One stride.

    Attributes:
        side: "left" or "right".
        start_s, end_s: heel strike and the next one of the same foot.
        toe_off: its share of the cycle in [0, 1]; NaN where unknown.
        deg, sigma_deg: (101, A) angles as in `ANGLES`; NaN where not seen.
        xyz: (101, 21, 3) Body21 joints relative to the pelvis, in leg lengths: forward, to the person's left, up.
    """

    side: str
    start_s: float
    end_s: float
    toe_off: float
    deg: Array
    sigma_deg: Array
    xyz: Array

    def angle(self, name: str) -> Array:
        """One angle's (101,)."""
        return self.deg[:, ANGLES.index(name)]

    def joint(self, name: str) -> Array:
        """One joint's (101, 3); name it "own_knee" or "other_knee" for sides relative to the cycle's."""
        if name.startswith(("own_", "other_")):
            which, _, part = name.partition("_")
            other = "right" if self.side == "left" else "left"
            name = f"{self.side if which == 'own' else other}_{part}"
        return self.xyz[:, BODY21.index(name)]


def cut_cycles(motion: Motion, strides: Sequence[Stride]) -> tuple[Cycle, ...]:
    """Every stride on 101 points.

    Args:
        motion: any joints; what is missing is NaN.
        strides: in any order; each needs both heel strikes.
    """
    if not strides:
        return ()
    leg_m = _leg_m(motion)
    return tuple(_cut(motion, stride, leg_m) for stride in strides)


def heading(motion: Motion, inside: NDArray[np.bool_]) -> Array:
    """Unit vector (3,) of where the body faces over some frames, level, in the camera frame.

    From hips, shoulders and feet; the line along which the feet swing past each other refines it where it agrees
    within 40 degrees, since it's seen better than the hip line from the side.
    """
    up = motion.up.astype(np.float64)

    def level(vectors: Array) -> Array:
        return np.asarray(vectors - (vectors @ up)[..., None] * up)

    def mean(a: str, b: str) -> Array:
        return _mean(level((_joint(motion, a) - _joint(motion, b))[inside]))

    across = np.nansum([mean("left_hip", "right_hip"), mean("left_shoulder", "right_shoulder")], axis=0)
    facing = _unit(np.cross(across, up))
    feet = [mean(f"{side}_foot_index", f"{side}_heel") for side in ("left", "right")]
    facing = _unit(facing + np.nansum([_unit(foot) for foot in feet], axis=0))
    apart = level((_joint(motion, "left_ankle") - _joint(motion, "right_ankle"))[inside])
    apart = apart[np.isfinite(apart).all(axis=1)]
    if len(apart) < 5:
        return facing
    swing = np.linalg.svd(apart - apart.mean(axis=0), full_matrices=False)[2][0]
    swing = swing if swing @ facing > 0 else -swing
    return _unit(facing + swing) if swing @ facing > _AGREE else facing


def coarse_strides(motion: Motion) -> tuple[Stride, ...]:
    """Strides from nothing but how far each ankle is ahead of the pelvis.

    For judging walks too short or too noisy for `posepipe.gait.events.find_walk`; never for parameters. Ahead
    most is taken for the heel strike, behind most for the toe off (Zeni 2008).
    """
    from scipy.signal import find_peaks

    forward = heading(motion, np.ones(len(motion), dtype=bool))
    found: list[Stride] = []
    for side in SIDES:
        ahead = _joint(motion, f"{side}_ankle") @ forward
        known = np.isfinite(ahead)
        if known.sum() < 10:
            continue
        ahead = np.interp(motion.time_s, motion.time_s[known], ahead[known])
        rise = _COARSE_RISE * float(np.subtract(*np.percentile(ahead, [95, 5])))
        step = float(np.median(np.diff(motion.time_s)))
        strikes, offs = (
            find_peaks(sign * ahead, prominence=rise, distance=max(int(_COARSE_S[0] / step), 1))[0] for sign in (1, -1)
        )
        for a, b in pairwise(strikes):
            between = offs[(offs > a) & (offs < b)]
            start_s, end_s = float(motion.time_s[a]), float(motion.time_s[b])
            if len(between) == 1 and _COARSE_S[0] < end_s - start_s < _COARSE_S[1]:
                found.append(Stride(side, start_s, float(motion.time_s[between[0]]), end_s, 0))
    return tuple(sorted(found, key=lambda stride: stride.start_s))


def _cut(motion: Motion, stride: Stride, leg_m: float) -> Cycle:
    at_s = np.linspace(stride.start_s, stride.end_s, POINTS)
    inside = (motion.time_s >= stride.start_s) & (motion.time_s <= stride.end_s)
    # A few frames more on both sides, so that the ends lie between samples.
    near = (motion.time_s >= stride.start_s - _MAX_GAP_S) & (motion.time_s <= stride.end_s + _MAX_GAP_S)
    time_s, names = motion.time_s[near], motion.angles.names
    deg, sigma = np.full((POINTS, len(ANGLES)), np.nan), np.full((POINTS, len(ANGLES)), np.nan)
    wanted = [angle if angle in _MIDDLE else f"{stride.side}_{angle}" for angle in ANGLES]
    columns = [column for column, name in enumerate(wanted) if name in names]
    there = [names.index(wanted[column]) for column in columns]
    sign = np.array([-1.0 if ANGLES[c] in _SIGNED and stride.side == "right" else 1.0 for c in columns])
    deg[:, columns] = sign * _resample(time_s, motion.angles.deg[near][:, there], at_s)
    sigma[:, columns] = _resample(time_s, motion.angles.sigma_deg[near][:, there], at_s)
    forward = heading(motion, inside)
    up = motion.up.astype(np.float64)
    axes = np.stack([forward, np.cross(up, forward), up])
    xyz = np.full((POINTS, len(BODY21), 3), np.nan)
    joints = [number for number, joint in enumerate(BODY21.joints) if joint in motion.layout.joints]
    place = [motion.layout.index(BODY21.joints[number]) for number in joints]
    seen = np.where(motion.valid[near][:, place, None], motion.xyz_m[near][:, place], np.nan)
    local = seen.astype(np.float64) @ axes.T / leg_m
    xyz[:, joints] = _resample(time_s, local.reshape(len(local), -1), at_s).reshape(POINTS, len(joints), 3)
    toe_off = (stride.toe_off_s - stride.start_s) / (stride.end_s - stride.start_s)
    return Cycle(stride.side, stride.start_s, stride.end_s, float(toe_off), deg, sigma, xyz)


def _joint(motion: Motion, name: str) -> Array:
    if name not in motion.layout.joints:
        return np.full((len(motion), 3), np.nan)
    return motion.joint(name).astype(np.float64)


def _leg_m(motion: Motion) -> float:
    """Thigh and shank of the clip, mean of both sides; 1 where no leg was seen, so that lengths stay metres."""
    lengths = []
    for side in ("left", "right"):
        hip, knee, ankle = (_joint(motion, f"{side}_{part}") for part in ("hip", "knee", "ankle"))
        both = np.linalg.norm(hip - knee, axis=1) + np.linalg.norm(knee - ankle, axis=1)
        if np.isfinite(both).any():
            lengths.append(float(median_known(both)))
    return float(np.mean(lengths)) if lengths else 1.0


def _resample(time_s: Array, values: NDArray[np.floating[Any]], at_s: Array) -> Array:
    """Columns (F, K) at other times (P, K): linear between known samples; NaN in gaps over 0.15 s and outside."""
    if len(time_s) < 2:
        return np.full((len(at_s), values.shape[1]), np.nan)
    filled = values.astype(np.float64)
    holed = np.flatnonzero(np.isnan(filled).any(axis=0))
    for column in holed:
        filled[:, column] = _bridge(time_s, filled[:, column])
    after = np.searchsorted(time_s, at_s).clip(1, len(time_s) - 1)
    share = (at_s - time_s[after - 1]) / (time_s[after] - time_s[after - 1])
    low, high = filled[after - 1], filled[after]
    # A known sample counts even where its neighbour is missing.
    between = np.where(
        share[:, None] <= 0.0, low, np.where(share[:, None] >= 1.0, high, low + share[:, None] * (high - low))
    )
    outside = (at_s < time_s[0] - 1e-9) | (at_s > time_s[-1] + 1e-9)
    wide = (time_s[after] - time_s[after - 1] > _MAX_GAP_S) & (share > 0.0) & (share < 1.0)
    return np.where((outside | wide)[:, None], np.nan, between)


def _bridge(time_s: Array, values: Array) -> Array:
    """One column with its short gaps filled."""
    known = np.flatnonzero(np.isfinite(values))
    if len(known) < 2:
        return values
    out = np.interp(time_s, time_s[known], values[known], left=np.nan, right=np.nan)
    after = np.searchsorted(known, np.arange(len(values))).clip(1, len(known) - 1)
    wide = time_s[known[after]] - time_s[known[after - 1]] > _MAX_GAP_S
    return np.where(np.isfinite(values) | ~wide, out, np.nan)


def _mean(vectors: Array) -> Array:
    known = np.isfinite(vectors).all(axis=1)
    return vectors[known].mean(axis=0) if known.any() else np.full(3, np.nan)


def _unit(vector: Array) -> Array:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)
