"""Mean joint-angle curves over the gait cycle, and where they leave the band of normal walks."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.gait.cycles import ANGLES, POINTS, Cycle
from posepipe.gait.norms import Band
from posepipe.geometry.missing import mean_known, spread_known

__all__ = ["SAGITTAL", "SHOWN", "Departure", "MeanCurve", "compare", "mean_curve", "mean_curves", "phase_words"]

Array = NDArray[np.float64]

SAGITTAL = ("hip_flexion", "knee_flexion", "ankle_dorsiflexion")
SHOWN = ("trunk_flexion", *SAGITTAL)
"""Angles of the report. The skeleton has no pelvis tilt of its own; the trunk's lean stands in its place."""

_OUTSIDE_SD = 2.0
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


@dataclass(frozen=True, slots=True, eq=False)
class MeanCurve:
    """One side's mean cycle of one angle.

    Attributes:
        side: "left" or "right".
        angle: name without side.
        mean_deg: (101,); NaN where fewer than half of the cycles were seen.
        sd_deg: (101,) spread from stride to stride; NaN with one cycle.
        sigma_deg: (101,) standard deviation of the mean itself.
        cycles: how many.
    """

    side: str
    angle: str
    mean_deg: Array
    sd_deg: Array
    sigma_deg: Array
    cycles: int


@dataclass(frozen=True, slots=True)
class Departure:
    """How far one mean curve is from its band.

    Attributes:
        side, angle: which curve.
        rms_deg: root mean square distance from the band's mean.
        outside_pct: share of the cycle outside two standard deviations.
        worst_z: signed distance at the worst point in standard deviations; positive is more flexion.
        worst_pct: where in the cycle that is.
        phase: its name.
    """

    side: str
    angle: str
    rms_deg: float
    outside_pct: float
    worst_z: float
    worst_pct: int
    phase: str


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
    known = np.isfinite(deg).sum(axis=0)
    enough = (known > 0) & (2 * known >= len(mine))
    if enough.sum() < POINTS // 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # All-NaN columns stay NaN.
        mean, measured = mean_known(deg, axis=0), mean_known(sigma, axis=0)
        sd = spread_known(deg, axis=0) if len(mine) > 1 else np.full(POINTS, np.nan)
    measured = np.nan_to_num(measured, nan=0.0)
    error = np.sqrt(np.nan_to_num(sd) ** 2 / np.maximum(known, 1) + measured**2)
    blank = np.where(enough, 0.0, np.nan)
    return MeanCurve(side, angle, mean + blank, sd + blank, error + blank, len(mine))


def mean_curves(cycles: Sequence[Cycle], angles: Sequence[str] = SHOWN) -> tuple[MeanCurve, ...]:
    """Mean curves of both sides, those that were seen."""
    both = [mean_curve(cycles, side, angle) for angle in angles for side in ("left", "right")]
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
