"""The sagittal deviation score: how far the hips, knees and ankles move from how normal walks move.

The RMS distance in degrees of six mean curves (hip, knee, ankle; both sides) from the mean of normal walks seen the
same way, in the form of the Gait Profile Score (Baker 2009); its logarithm is scaled so that normal walks have mean 100
and standard deviation 10, less being further away, in the form that Schwartz and Rozumalski (2008) gave their index.
It is neither of the two: pelvis, rotations and foot progression can't be seen by one camera, and controls are our own.

Nothing is taken off for noise: an uncertain curve is at least as far from the norm as a certain one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from posepipe.gait.curves import SAGITTAL, Departure, MeanCurve, compare
from posepipe.gait.norms import Band, curve_bands, deviation_scale
from posepipe.geometry.missing import mean_known

__all__ = ["Deviation", "deviation", "rms_deviation", "score"]

_LEAST_CURVES = 4


@dataclass(frozen=True, slots=True)
class Deviation:
    """The score and what it is made of.

    Attributes:
        score: 100 for an average normal walk, 90 for one standard deviation further away.
        sigma: standard deviation of `score` from the curves' own errors.
        rms_deg: RMS distance over all curves.
        parts: each curve's own distance, and where in the cycle it is greatest.
    """

    score: float
    sigma: float
    rms_deg: float
    parts: tuple[Departure, ...]


def deviation(curves: Sequence[MeanCurve], seen: str) -> Deviation | None:
    """The score of a walk; None where a hip or knee wasn't seen (ankles may be missing).

    Args:
        curves: mean curves; others than hip, knee and ankle are left out.
        seen: which controls to compare with, see `posepipe.gait.norms.curve_bands`.
    """
    bands = curve_bands(seen)
    used = [curve for curve in curves if curve.angle in SAGITTAL and curve.angle in bands]
    if len([curve for curve in used if curve.angle != "ankle_dorsiflexion"]) < _LEAST_CURVES:
        return None
    parts = tuple(part for part in (compare(curve, bands) for curve in used) if part is not None)
    rms, rms_sigma = rms_deviation(used, bands)
    value, slope = score(rms, seen)
    return Deviation(value, abs(slope) * rms_sigma, rms, parts)


def rms_deviation(curves: Sequence[MeanCurve], bands: Mapping[str, Band]) -> tuple[float, float]:
    """RMS distance of curves from their bands in degrees, and its standard deviation.

    A curve's errors go together over the cycle, those of different curves don't.
    """
    squares, pulls = [], []
    for curve in curves:
        away = curve.mean_deg - bands[curve.angle].mean_deg
        squares.append(float(mean_known(away**2)))
        pulls.append(float(mean_known(np.abs(away) * curve.sigma_deg)))
    rms = float(np.sqrt(np.mean(squares)))
    sigma = float(np.sqrt(np.sum(np.square(pulls))) / (len(curves) * max(rms, 1e-6)))
    return rms, sigma


def score(rms_deg: float, seen: str) -> tuple[float, float]:
    """The scaled score of an RMS distance, and its slope in points per degree."""
    mean, sd = deviation_scale(seen)
    rms_deg = max(rms_deg, 0.1)
    return 100.0 - 10.0 * (float(np.log(rms_deg)) - mean) / sd, -10.0 / (sd * rms_deg)
