"""Gait cycles: strides on 0 to 100 %, heel strike to heel strike; their mean curves, and where these leave the norm."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.body.motion import Motion
from posepipe.gait.norms import Band
from posepipe.gait.parts import Part, strides_seen
from posepipe.gait.signals import SIGNAL, leg_length, mean_heading
from posepipe.gait.types import ANGLES, POINTS, SIDES, Cycle, Departure, MeanCurve, Pass, Stride, Walk
from posepipe.geometry import mean_known, spread_known
from posepipe.skeleton import BODY21

__all__ = [
    "SAGITTAL", "SHOWN", "compare", "cut_cycles", "cut_parts", "mean_curve", "mean_curves", "phase_words",
    "without_sagittal",
]  # fmt: skip

Array = NDArray[np.float64]

_SAME_MOMENT = 1e-6
"""Of a sample; rounding doesn't part what was seen."""
_MIDDLE = ("trunk_flexion", "trunk_lateral", "trunk_rotation", "neck_flexion")
_SIGNED = ("trunk_lateral", "trunk_rotation")  # Positive to the left; in a cycle: to the cycle's own side.


def cut_cycles(motion: Motion, strides: Sequence[Stride], leg_m: float | None = None) -> tuple[Cycle, ...]:
    """Every stride on 101 points.

    Args:
        motion: any joints; what is missing is NaN.
        strides: in any order; each needs both heel strikes.
        leg_m: of that motion, if it was measured already; lengths stay metres where no leg was seen.
    """
    if not strides:
        return ()
    leg_m = leg_length(motion) if leg_m is None else leg_m
    unit_m = leg_m if np.isfinite(leg_m) else 1.0
    return tuple(_cut(motion, stride, unit_m, (stride.start_s, stride.end_s)) for stride in strides)


def cut_parts(motion: Motion, walk: Walk, parts: Sequence[Part], leg_m: float) -> tuple[Cycle, ...]:
    """Every part of a stride on 101 points, NaN where it wasn't seen.

    Args:
        motion: any joints.
        walk: in which the parts were found.
        parts: of it.
        leg_m: as in `cut_cycles`.
    """
    unit_m = leg_m if np.isfinite(leg_m) else 1.0
    return tuple(_cut_part(motion, walk.passes[part.stride.pass_index], part, unit_m) for part in parts)


def _cut_part(motion: Motion, span: Pass, part: Part, leg_m: float) -> Cycle:
    stride = part.stride
    # A part is too short to tell where the person walks; the pass does.
    cycle = _cut(motion, stride, leg_m, (span.start_s, span.end_s))
    shares = (np.array([part.from_s, part.to_s]) - stride.start_s) / stride.duration_s * (POINTS - 1)
    first, last = int(np.ceil(shares[0] - _SAME_MOMENT)), int(np.floor(shares[1] + _SAME_MOMENT))
    seen = (np.arange(POINTS) >= first) & (np.arange(POINTS) <= last)
    return replace(
        cycle,
        deg=np.where(seen[:, None], cycle.deg, np.nan),
        sigma_deg=np.where(seen[:, None], cycle.sigma_deg, np.nan),
        xyz=np.where(seen[:, None, None], cycle.xyz, np.nan),
        first=first,
        last=last,
    )


def _cut(motion: Motion, stride: Stride, leg_m: float, straight_s: tuple[float, float]) -> Cycle:
    """One stride; the person walks where it does in `straight_s`."""
    at_s = np.linspace(stride.start_s, stride.end_s, POINTS)
    inside = (motion.time_s >= straight_s[0]) & (motion.time_s <= straight_s[1])
    # A few frames more on both sides, so that the ends lie between samples.
    near = (motion.time_s >= stride.start_s - SIGNAL.max_gap_s) & (motion.time_s <= stride.end_s + SIGNAL.max_gap_s)
    time_s, names = motion.time_s[near], motion.angles.names
    deg, sigma = np.full((POINTS, len(ANGLES)), np.nan), np.full((POINTS, len(ANGLES)), np.nan)
    wanted = [angle if angle in _MIDDLE else f"{stride.side}_{angle}" for angle in ANGLES]
    columns = [column for column, name in enumerate(wanted) if name in names]
    there = [names.index(wanted[column]) for column in columns]
    sign = np.array([-1.0 if ANGLES[c] in _SIGNED and stride.side == "right" else 1.0 for c in columns])
    deg[:, columns] = sign * _resample(time_s, motion.angles.deg[near][:, there], at_s)
    sigma[:, columns] = _resample(time_s, motion.angles.sigma_deg[near][:, there], at_s)
    forward = mean_heading(motion, inside)
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


def _resample(time_s: Array, values: NDArray[np.floating[Any]], at_s: Array) -> Array:
    """Columns (F, K) at other times (P, K): linear between known samples; NaN in wider gaps and outside."""
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
    wide = (time_s[after] - time_s[after - 1] > SIGNAL.max_gap_s) & (share > 0.0) & (share < 1.0)
    return np.where((outside | wide)[:, None], np.nan, between)


def _bridge(time_s: Array, values: Array) -> Array:
    """One column with its short gaps filled."""
    known = np.flatnonzero(np.isfinite(values))
    if len(known) < 2:
        return values
    out = np.interp(time_s, time_s[known], values[known], left=np.nan, right=np.nan)
    after = np.searchsorted(known, np.arange(len(values))).clip(1, len(known) - 1)
    wide = time_s[known[after]] - time_s[known[after - 1]] > SIGNAL.max_gap_s
    return np.where(np.isfinite(values) | ~wide, out, np.nan)


SAGITTAL = ("hip_flexion", "knee_flexion", "ankle_dorsiflexion")
_COLUMNS = [ANGLES.index(angle) for angle in SAGITTAL]
SHOWN = ("trunk_flexion", *SAGITTAL)
"""Angles of the report. The skeleton has no pelvis tilt of its own; the trunk's lean stands in its place."""


def without_sagittal(cycles: Sequence[Cycle]) -> tuple[Cycle, ...]:
    """The same cycles with hips, knees and ankles unknown: seen from the front or behind they are guessed."""
    hidden = np.isin(np.arange(len(ANGLES)), _COLUMNS)
    return tuple(
        replace(c, deg=np.where(hidden, np.nan, c.deg), sigma_deg=np.where(hidden, np.nan, c.sigma_deg)) for c in cycles
    )


_OUTSIDE_SD = 2.0
"""A curve further from the band's mean is outside of it: what one in twenty normal walks reach, by convention."""

# Names of the phases and where they begin, in percent (Perry's; the end of stance at 60 % for everyone).
_PHASES = (
    (0, "loading response"),
    (12, "mid-stance"),
    (31, "terminal stance"),
    (50, "pre-swing"),
    (62, "initial swing"),
    (75, "mid-swing"),
    (87, "terminal swing"),
)


def mean_curve(cycles: Sequence[Cycle], side: str, angle: str) -> MeanCurve | None:
    """The mean over one side's cycles; None if the angle was never seen.

    Sigma adds the spread of strides over their number and the whole of the measuring error: what the lifter gets wrong
    at some point of the cycle it gets wrong in every stride, so it doesn't average out.
    """
    column = ANGLES.index(angle)
    mine = [cycle for cycle in cycles if cycle.side == side]
    if not mine:
        return None
    deg = np.stack([cycle.deg[:, column] for cycle in mine])
    sigma = np.stack([cycle.sigma_deg[:, column] for cycle in mine])
    known, percent = np.isfinite(deg).sum(axis=0), np.arange(POINTS)
    there = np.sum([(percent >= cycle.first) & (percent <= cycle.last) for cycle in mine], axis=0)
    enough = (known > 0) & (2 * known >= there)
    if enough.sum() < POINTS // 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # All-NaN columns stay NaN.
        mean, measured = mean_known(deg, axis=0), mean_known(sigma, axis=0)
        sd = spread_known(deg, axis=0) if len(mine) > 1 else np.full(POINTS, np.nan)
    measured = np.nan_to_num(measured, nan=0.0)
    error = np.sqrt(np.nan_to_num(sd) ** 2 / np.maximum(known, 1) + measured**2)
    blank = np.where(enough, 0.0, np.nan)
    return MeanCurve(side, angle, mean + blank, sd + blank, error + blank, strides_seen(mine, side))


def mean_curves(cycles: Sequence[Cycle], angles: Sequence[str] = SHOWN) -> tuple[MeanCurve, ...]:
    """Mean curves of both sides, those that were seen."""
    both = [mean_curve(cycles, side, angle) for angle in angles for side in SIDES]
    return tuple(curve for curve in both if curve is not None)


def compare(curve: MeanCurve, bands: Mapping[str, Band]) -> Departure | None:
    """Distance of a curve from its band; None where there is no band."""
    band = bands.get(curve.angle)
    if band is None:
        return None
    away = curve.mean_deg - band.mean_deg
    z = away / band.sd_deg
    known = np.isfinite(z)
    if not known.any():
        return None
    worst = int(np.nanargmax(np.abs(z)))
    return Departure(
        curve.side,
        curve.angle,
        float(np.sqrt(mean_known(away**2))),
        float(100.0 * np.mean(np.abs(z[known]) > _OUTSIDE_SD)),
        float(z[worst]),
        worst,
        phase_words(worst),
    )


def phase_words(percent: float) -> str:
    """The phase of the gait cycle at some percent of it."""
    return [name for start, name in _PHASES if start <= percent][-1]
