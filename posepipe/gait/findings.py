"""What is unusual in a walk, in a clinician's terms and before any name: side, phase, how much, against what.

Each measure is read off the mean curves or the parameters of both sides, with its error, and compared with normal walks
seen the same way and with the other side. Something is said only if the whole 90 % interval is outside of what nine in
ten normal walks do, or if the whole interval of the difference between the sides is more than healthy sides differ. Of
curves, from two strides of a side on.

What a camera gets wrong about a person's joints all the time (rendered people don't show it) is part of an angle's
error here; it says nothing against a difference between the sides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.gait.norms import Band, curve_bands, feature_norms
from posepipe.gait.parts import strides_seen
from posepipe.gait.types import SIDES, Finding, GaitResult, MeanCurve, Parameters, Value
from posepipe.settings import setting

__all__ = ["FINDING", "FindingSettings", "findings"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FindingSettings:
    """When something is said."""

    ninety_sd: float = setting(
        1.645, "standard deviations on either side that hold 90 %", source="the normal distribution"
    )
    differ_deg: float = setting(
        5.0,
        "healthy sides differ by no more in an angle",
        unit="deg",
        source="judgement: errors of marker sets are so large",
    )
    hip_offset_deg: float = setting(
        8.1,
        "standard deviation of what a camera gets wrong about a person's hips all the time, on both sides alike",
        unit="deg",
        source="myogait's published errors against markers: absolute 8.6, centred 2.9; root of squares' difference",
    )
    knee_offset_deg: float = setting(6.1, "the same of knees", unit="deg", source="the same: 7.8 and 4.9")
    ankle_offset_deg: float = setting(4.5, "the same of ankles", unit="deg", source="the same: 6.6 and 4.8")
    differ_stance_pct: float = setting(2.0, "nor in stance, percent of the stride", source="judgement")
    differ_step_share: float = setting(0.06, "nor in the time or length of a step, as a share", source="judgement")
    pace_offset: float = setting(
        0.06,
        "share of a speed in leg lengths that is wrong throughout a film",
        source="the same as of a step's length seen obliquely, see `posepipe.gait.parameters`",
    )
    least_strides: int = setting(
        2, "strides of a side under which nothing is said of its curves", source="judgement: one may be seen badly"
    )
    most: int = setting(6, "findings at most, the clearest first", source="judgement: what a page holds")


FINDING = FindingSettings()


@dataclass(frozen=True, slots=True)
class _Reading:
    """Where a measure is read off the cycle: samples, and how."""

    name: str
    angle: str
    part: slice
    read: Callable[[Array], int | None]


def _highest(values: Array) -> int | None:
    return int(np.nanargmax(values)) if np.isfinite(values).any() else None


def _lowest(values: Array) -> int | None:
    return int(np.nanargmin(values)) if np.isfinite(values).any() else None


def _first(values: Array) -> int | None:
    return 0 if np.isfinite(values[:1]).all() else None


_OFFSETS = {
    "hip_flexion": FINDING.hip_offset_deg,
    "knee_flexion": FINDING.knee_offset_deg,
    "ankle_dorsiflexion": FINDING.ankle_offset_deg,
}

# Percent of the cycle, after Perry's phases, as in `posepipe.gait.features`.
_READINGS = (
    _Reading("knee_swing_deg", "knee_flexion", slice(62, 96), _highest),
    _Reading("knee_loading_deg", "knee_flexion", slice(5, 26), _highest),
    _Reading("knee_stance_deg", "knee_flexion", slice(25, 50), _lowest),
    _Reading("knee_strike_deg", "knee_flexion", slice(0, 1), _first),
    _Reading("hip_swing_deg", "hip_flexion", slice(70, 101), _highest),
    _Reading("hip_behind_deg", "hip_flexion", slice(40, 62), _lowest),
    _Reading("ankle_stance_deg", "ankle_dorsiflexion", slice(25, 56), _highest),
    _Reading("ankle_off_deg", "ankle_dorsiflexion", slice(55, 76), _lowest),
    _Reading("ankle_swing_deg", "ankle_dorsiflexion", slice(84, 85), _first),
)


def findings(result: GaitResult) -> tuple[Finding, ...]:
    """What is unusual, the clearest first; nothing where no strides were judged."""
    if not result.cycles or not result.view:
        return ()
    bands = curve_bands(result.view)
    every = *result.cycles, *result.parts
    enough = [side for side in SIDES if strides_seen(every, side) >= FINDING.least_strides]
    curves = [curve for curve in result.curves if curve.side in enough]
    filmed = result.view in ("side", "oblique", "front")
    found = [f for reading in _READINGS for f in _read(reading, curves, bands, filmed)]
    found += _lean(curves, bands)
    found += _timed(result.parameters, result.view)
    found += _paced(result)
    return tuple(sorted(found, key=lambda f: -f.weight)[: FINDING.most])


def _read(reading: _Reading, curves: Sequence[MeanCurve], bands: Mapping[str, Band], filmed: bool) -> list[Finding]:
    band = bands.get(reading.angle)
    mine = {curve.side: curve for curve in curves if curve.angle == reading.angle}
    if band is None:
        return []
    values: dict[str, Value] = {}
    for side, curve in mine.items():
        at = reading.read(curve.mean_deg[reading.part])
        if at is not None:
            at += reading.part.start
            values[side] = Value(float(curve.mean_deg[at]), float(curve.sigma_deg[at]))
    at = reading.read(band.mean_deg[reading.part])
    if at is None:
        return []
    at += reading.part.start
    norm = float(band.mean_deg[at]), float(band.sd_deg[at])
    return _judged(reading.name, values, norm, FINDING.differ_deg, _OFFSETS[reading.angle] if filmed else 0.0)


def _lean(curves: Sequence[MeanCurve], bands: Mapping[str, Band]) -> list[Finding]:
    """The trunk has no sides: the mean over both cycles."""
    band = bands.get("trunk_flexion")
    mine = [curve for curve in curves if curve.angle == "trunk_flexion"]
    if band is None or not mine:
        return []
    value = Value(
        float(np.mean([np.nanmean(c.mean_deg) for c in mine])), float(np.mean([np.nanmean(c.sigma_deg) for c in mine]))
    )
    norm = float(band.mean_deg.mean()), float(band.sd_deg.mean())
    return _judged("trunk_lean_deg", {"": value}, norm, np.inf)


def _paced(result: GaitResult) -> list[Finding]:
    """Speed in leg lengths, which needs no body height: the plainest sign of most illnesses.

    Not from the front, where step lengths are guessed.
    """
    pace, norm = result.features.get("pace_llps"), feature_norms(result.view).get("pace_llps")
    if pace is None or norm is None or result.view == "front":
        return []
    strides = min(strides_seen((*result.cycles, *result.parts), side) for side in SIDES)
    if strides < FINDING.least_strides:
        return []
    usual = norm.stride_sd / strides**0.5
    random = max(pace.sigma, usual) if np.isfinite(pace.sigma) else usual
    value = Value(pace.value, float(np.hypot(random, FINDING.pace_offset * pace.value)))
    half = FINDING.ninety_sd * value.sigma
    low, high = norm.mean - FINDING.ninety_sd * norm.sd_low, norm.mean + FINDING.ninety_sd * norm.sd_high
    way = -1 if value.value + half < low else 1 if value.value - half > high else 0
    weight = abs(norm.distance(value.value, strides))
    return [Finding("pace_llps", "", value, None, way, False, low, high, weight)] if way else []


def _timed(parameters: Parameters, view: str) -> list[Finding]:
    out = []
    norm = feature_norms(view).get("stance_pct")
    bounds = (norm.mean, norm.sd) if norm is not None else None
    out += _judged("stance_pct", _sided(parameters, "stance_pct"), bounds, FINDING.differ_stance_pct)
    for name in ("step_time_s", "step_length_side_m"):
        values = _sided(parameters, name)
        mean = float(np.mean([value.value for value in values.values()])) if values else np.nan
        out += _judged(name, values, None, FINDING.differ_step_share * abs(mean))
    return out


def _sided(parameters: Parameters, name: str) -> dict[str, Value]:
    item = parameters.items.get(name)
    if not isinstance(item, Mapping):
        return {}
    return {str(side): value for side, value in item.items() if isinstance(value, Value)}


def _judged(
    name: str, values: Mapping[str, Value], norm: tuple[float, float] | None, differ: float, offset: float = 0.0
) -> list[Finding]:
    """The finding of one measure, of the side that is further from normal; nothing where all is usual.

    `offset` is the standard deviation of an error that both sides have alike.
    """
    if not values:
        return []
    wide = FINDING.ninety_sd
    low, high = (norm[0] - wide * norm[1], norm[0] + wide * norm[1]) if norm is not None else (-np.inf, np.inf)

    def outside(value: Value) -> float:
        """By how much the whole interval is outside; 0 or less where it isn't."""
        return max(low - (value.value + wide * value.sigma), (value.value - wide * value.sigma) - high)

    left, right = (values.get(side) for side in SIDES)
    gap, uneven = 0.0, False
    if left is not None and right is not None:
        half = wide * float(np.hypot(left.sigma, right.sigma))
        gap = abs(left.value - right.value)
        uneven = gap - half > differ
    values = {side: Value(v.value, float(np.hypot(v.sigma, offset))) for side, v in values.items()}
    beyond = {side: outside(value) for side, value in values.items()}
    if not uneven and max(beyond.values()) <= 0.0:
        return []
    middle = norm[0] if norm is not None else float(np.mean([v.value for v in values.values()]))
    side = max(values, key=lambda s: (beyond[s] > 0.0, abs(values[s].value - middle)))
    if norm is None:  # Without a norm, the lesser side is named.
        side = min(values, key=lambda s: values[s].value)
    mine = values[side]
    other = next((value for s, value in values.items() if s != side), None)
    way = 0 if beyond[side] <= 0.0 else -1 if mine.value < low else 1
    spread = norm[1] if norm is not None else max(differ / wide, 1e-9)
    weight = max(abs(mine.value - middle) / spread if way else 0.0, gap / (2**0.5 * spread) if uneven else 0.0)
    return [Finding(name, side, mine, other, way, uneven, low if norm else None, high if norm else None, float(weight))]
