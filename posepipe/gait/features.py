"""What a clinician looks at in a walk, as numbers: each from the mean cycle of a side, none from a single frame.

Features of two sides come as a mean and, where it tells something, as the difference between the sides (named
``_asymmetry``), so that mirroring a walk changes nothing; sides are compared from two strides each. Lengths are in leg
lengths. A feature whose joints weren't seen is missing; the rest stand without it. Means over strides come before
ranges and peaks: else jitter would widen every range, and a stiff knee would look healthier the worse the picture is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from posepipe.gait.parts import strides_seen
from posepipe.gait.types import ANGLES, POINTS, Cycle, Feature
from posepipe.geometry import mean_known
from posepipe.skeleton import BODY21

__all__ = [
    "ABSOLUTE", "ASYMMETRY", "FEATURES", "SIGNED", "FeatureSpec", "MeanCycle", "gait_features", "mean_cycle", "signed",
]  # fmt: skip

Array = NDArray[np.float64]

# Percent of the cycle; judgement after Perry's phases. They, like the numbers below, are as in training.
_STANCE, _SWING = slice(15, 46), slice(62, 96)
_MID_SWING, _LATE_SWING = slice(70, 86), slice(78, 94)
_LOADING, _FLAT, _BEHIND, _OFF = slice(10, 21), slice(20, 36), slice(45, 56), slice(55, 66)
_STRIKE = [*range(96, 101), *range(5)]

_LEAST_FOR_SPREAD = 3
"""Strides of each side under which nothing is said of how they differ."""

_LEAST_FOR_DIFFERENCE = 2
"""Strides of each side under which the sides aren't compared."""

_SAME_PASS_S = 0.3
"""Strides further apart than this aren't neighbours."""

_MOST_CYCLES = 24
"""For the error bars; more strides don't change them."""

_NOT_FILMED = ("trunk_spread_deg",)


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """One feature.

    Attributes:
        name: key, unit at the end.
        label: words for a report.
        low, high: what a value below or above normal means, in words; empty where it means nothing.
    """

    name: str
    label: str
    low: str
    high: str


@dataclass(frozen=True, slots=True, eq=False)
class MeanCycle:
    """The mean of one side's cycles; fields as in `posepipe.gait.curves.Cycle`."""

    side: str
    deg: Array
    xyz: Array
    toe_off: float
    stride_s: float
    step_share: float

    def angle(self, name: str) -> Array:
        """(101,) degrees."""
        return self.deg[:, ANGLES.index(name)]

    def own(self, part: str) -> Array:
        """(101, 3) of a joint on the cycle's side."""
        return self.xyz[:, BODY21.index(f"{self.side}_{part}")]

    def other(self, part: str) -> Array:
        """(101, 3) of a joint on the other side."""
        return self.xyz[:, BODY21.index(f"{'right' if self.side == 'left' else 'left'}_{part}")]

    @property
    def outward(self) -> float:
        """Sign of this side on the axis to the person's left."""
        return 1.0 if self.side == "left" else -1.0


Measure = Callable[[MeanCycle], float]


def _both(name: str, label: str, low: str, high: str, differs: str) -> tuple[FeatureSpec, FeatureSpec]:
    stem, _, unit = name.rpartition("_")
    return (
        FeatureSpec(name, label, low, high),
        FeatureSpec(f"{stem}_asymmetry_{unit}", f"{label}, difference between sides", "", differs),
    )


FEATURES: tuple[FeatureSpec, ...] = (
    FeatureSpec("cadence_spm", "Cadence", "slow steps", "hurried steps"),
    *_both("stance_pct", "Stance", "short stance", "long stance", "uneven stance: one leg is spared"),
    FeatureSpec("step_time_asymmetry_pct", "Step time, difference between sides", "", "uneven rhythm"),
    *_both(
        "step_length_ll",
        "Feet apart, front to back, when a heel strikes",
        "feet set down close together",
        "feet set down far apart",
        "one foot set down closer",
    ),
    FeatureSpec("step_width_ll", "Step width", "feet close together or crossing", "feet wide apart"),
    FeatureSpec("pace_llps", "Leg lengths gone in a second", "slow walk", "hurried walk"),
    *_both("foot_lift_ll", "Foot lift in swing", "feet hardly lifted", "feet lifted high", "one foot lifted less"),
    *_both("swing_out_ll", "Outward swing of the foot", "", "feet swing outward", "one leg swings outward"),
    *_both("hip_range_deg", "Hip range", "little hip movement", "large hip movement", "one hip moves less"),
    *_both("hip_mean_deg", "Hip flexion, mean", "hips held straight", "hips held bent", "one hip held bent"),
    *_both("knee_swing_deg", "Knee bend in swing, from its straightest", "knees hardly bend in swing",
           "knees bend a lot in swing", "one knee bends less in swing"),
    *_both("knee_stance_deg", "Knee in stance", "knees held straight in stance", "knees held bent in stance",
           "one knee held bent in stance"),
    *_both("ankle_swing_deg", "Ankle in late swing", "toes drop in swing", "toes held up in swing",
           "one foot drops in swing"),
    *_both("ankle_range_deg", "Ankle range", "little ankle movement", "large ankle movement", "one ankle moves less"),
    *_both("foot_strike_deg", "Toes raised at heel strike", "feet land flat or toes first", "",
           "one foot lands flatter"),
    *_both("heel_rise_deg", "Heel raised before swing", "weak push-off", "", "one foot pushes off less"),
    *_both("knee_strike_deg", "Knee at heel strike", "", "knees bent at heel strike", "one knee bent at heel strike"),
    *_both("knee_loading_deg", "Knee bend when loaded", "knees hardly give when loaded", "knees give way when loaded",
           "knees give differently when loaded"),
    *_both("knee_off_deg", "Knee bend before swing", "knees hardly bend before swing", "knees bend early",
           "one knee bends less before swing"),
    *_both("hip_behind_deg", "Hip at the end of stance", "", "hips don't extend behind", "one hip extends less behind"),
    *_both("hip_swing_deg", "Hip bend in swing", "thighs hardly lifted in swing", "thighs lifted high in swing",
           "one thigh lifted differently in swing"),
    FeatureSpec("trunk_flexion_deg", "Trunk lean, forward", "trunk leans back", "trunk leans forward"),
    FeatureSpec("trunk_sway_deg", "Trunk sway, side to side", "", "trunk sways from side to side"),
    FeatureSpec("trunk_tilt_deg", "Trunk lean to one side", "", "trunk leans to one side"),
    *_both("trunk_over_stance_deg", "Trunk over the standing leg", "", "trunk thrown over the standing leg",
           "trunk thrown over one leg"),
    *_both("pelvis_drop_deg", "Pelvis drop", "pelvis hiked on the swing side", "pelvis drops on the swing side",
           "pelvis drops on one side"),
    *_both("arm_swing_ll", "Arm swing", "arms hardly swing", "arms swing widely", "one arm swings less"),
    *_both("elbow_mean_deg", "Elbow flexion, mean", "", "elbows held bent", "one elbow held bent"),
    *_both("arm_out_deg", "Arm held away from the body", "", "arms held away from the body", "one arm held out"),
    *_both("arm_forward_deg", "Arm held forward", "", "arms held forward", "one arm held forward"),
    FeatureSpec("neck_flexion_deg", "Neck flexion", "", "head hangs forward"),
    FeatureSpec("stride_time_spread_pct", "Stride time, spread from stride to stride", "", "uneven strides"),
    FeatureSpec("step_width_spread_ll", "Step width, spread from stride to stride", "", "feet placed unsurely"),
    FeatureSpec("leg_curves_spread_deg", "Hip and knee curves, spread from stride to stride", "",
                "every stride is different"),
    FeatureSpec("trunk_spread_deg", "Trunk, spread from stride to stride", "", "trunk wanders"),
    FeatureSpec("leg_curves_asymmetry_deg", "Hip and knee curves, difference between sides", "",
                "the legs move differently"),
)  # fmt: skip
"""Every feature, in the order of the classifier's input."""

ASYMMETRY = "_asymmetry_"
"""In the name of features that compare the sides."""

ABSOLUTE = frozenset(
    (
        *("hip_mean_deg", "hip_behind_deg", "hip_swing_deg", "knee_stance_deg", "knee_strike_deg", "knee_off_deg"),
        *("ankle_swing_deg", "trunk_flexion_deg", "neck_flexion_deg", "elbow_mean_deg", "arm_out_deg"),
        *("arm_forward_deg", "pelvis_drop_deg", "trunk_over_stance_deg", "foot_strike_deg"),
    )
)
"""Features whose zero is the skeleton's own; all others are ranges, times, lengths or differences between sides."""

SIGNED = frozenset(
    spec.name
    for spec in FEATURES
    if spec.name == "trunk_tilt_deg"
    or (ASYMMETRY in spec.name and spec.name not in ("step_time_asymmetry_pct", "leg_curves_asymmetry_deg"))
)
"""Sizes of something that has a side, the one that `posepipe.gait.types.Feature.side` names."""


def signed(feature: Feature) -> float:
    """A feature of `SIGNED` with its sign: negative where the right side stands out."""
    return -feature.value if feature.side == "right" else feature.value


def mean_cycle(cycles: Sequence[Cycle], side: str, everyone: Sequence[Cycle]) -> MeanCycle | None:
    """Mean of one side's cycles and parts; None without any. `everyone` are both sides', for the steps between."""
    mine = [cycle for cycle in cycles if cycle.side == side]
    if not mine:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # What was never seen stays NaN.
        deg = mean_known(np.stack([cycle.deg for cycle in mine]), axis=0)
        xyz = mean_known(np.stack([cycle.xyz for cycle in mine]), axis=0)
        toe_off = float(mean_known([cycle.toe_off for cycle in mine]))
    shares = [
        (other.start_s - cycle.start_s) / (cycle.end_s - cycle.start_s)
        for cycle in mine
        for other in everyone
        if cycle.whole and other.first == 0 and other.side != side and cycle.start_s < other.start_s < cycle.end_s
    ]
    stride_s = float(np.median([cycle.end_s - cycle.start_s for cycle in mine]))
    return MeanCycle(side, deg, xyz, toe_off, stride_s, float(np.median(shares)) if shares else float("nan"))


def gait_features(cycles: Sequence[Cycle], *, errors: bool = True, filmed: bool = False) -> dict[str, Feature]:
    """Every feature that can be measured, by name.

    Args:
        cycles: strides of both sides, and parts of some; with one side only, what needs both is missing.
        errors: work out each sigma, which takes most of the time; NaN without.
        filmed: the walk was seen by a camera. One that pans makes the trunk wander, so that isn't measured then.
    """
    whole = _measure(cycles)
    if filmed:
        whole = {name: item for name, item in whole.items() if name not in _NOT_FILMED}
    used = list(cycles)[:_MOST_CYCLES]
    drops = (
        [_measure([c for c in cycles if c is not left_out]) for left_out in used] if errors and len(used) > 2 else []
    )
    out = {}
    for name, (value, side) in whole.items():
        others = np.array([drop[name][0] for drop in drops if name in drop])
        # The jackknife over strides.
        sigma = float(np.sqrt((len(others) - 1) * np.var(others))) if len(others) > 2 else float("nan")
        out[name] = Feature(value, sigma, side)
    return out


def _measure(cycles: Sequence[Cycle]) -> dict[str, tuple[float, str]]:
    left, right = (mean_cycle(cycles, side, cycles) for side in ("left", "right"))
    sides = [side for side in (left, right) if side is not None]
    found: dict[str, tuple[float, str]] = {}
    if not sides:
        return found
    compare = min(strides_seen(cycles, side) for side in ("left", "right")) >= _LEAST_FOR_DIFFERENCE
    found["cadence_spm"] = 120.0 / float(np.mean([side.stride_s for side in sides])), ""
    for name, (measure, worse) in _SIDED.items():
        _add_pair(found, name, [measure(side) for side in sides], worse, compare)
    for name, measure in _MIDDLE.items():
        found[name] = float(np.mean([measure(side) for side in sides])), ""
    if left is not None and right is not None and compare:
        found["step_time_asymmetry_pct"] = abs(left.step_share - right.step_share) * 100.0, ""
        found["leg_curves_asymmetry_deg"] = _leg_difference(left, right), ""
    found.update({name: (value, "") for name, value in _spreads(cycles).items()})
    tilt = [side.outward * float(np.mean(side.angle("trunk_lateral"))) for side in sides]
    lean = float(np.mean(tilt))
    found["trunk_tilt_deg"] = abs(lean), "left" if lean > 0 else "right"
    return {name: item for name, item in found.items() if np.isfinite(item[0])}


def _spreads(cycles: Sequence[Cycle]) -> dict[str, float]:
    """How much a stride differs from the next of its side; nothing with fewer than three strides on each side.

    Neighbours are compared (root of half of their mean square difference), not all with their mean: a camera that pans
    makes posture drift over a pass, and that isn't unsteadiness. Strides of different passes aren't compared.
    """
    whole = [cycle for cycle in cycles if cycle.whole]
    sides = [sorted((c for c in whole if c.side == s), key=lambda c: c.start_s) for s in ("left", "right")]
    if min(map(len, sides)) < _LEAST_FOR_SPREAD:
        return {}

    pairs = [(a, b) for mine in sides for a, b in pairwise(mine) if b.start_s - a.end_s < _SAME_PASS_S]
    if not pairs:
        return {}

    def pooled(of: Callable[[Cycle], Array]) -> float:
        square = np.concatenate([np.ravel(of(b) - of(a)) for a, b in pairs]) ** 2
        known = square[np.isfinite(square)]
        return float(np.sqrt(0.5 * known.mean())) if len(known) else float("nan")

    def column(*names: str) -> list[int]:
        return [ANGLES.index(name) for name in names]

    def width(cycle: Cycle) -> Array:
        return np.array([_mean(cycle.joint("own_ankle")[:, 1] - cycle.joint("other_ankle")[:, 1])])

    duration_s = float(np.mean([cycle.end_s - cycle.start_s for cycle in whole]))
    return {
        "stride_time_spread_pct": 100.0 * pooled(lambda c: np.array([c.end_s - c.start_s])) / duration_s,
        "step_width_spread_ll": pooled(width),
        "leg_curves_spread_deg": pooled(lambda c: c.deg[:, column("hip_flexion", "knee_flexion")]),
        "trunk_spread_deg": pooled(lambda c: c.deg[:, column("trunk_flexion", "trunk_lateral")].mean(axis=0)),
    }


def _add_pair(found: dict[str, tuple[float, str]], name: str, values: list[float], worse: int, compare: bool) -> None:
    """Mean over sides and, where wanted, their difference; the lower (-1) or higher (+1) side stands out."""
    stem, _, unit = name.rpartition("_")
    known = [value for value in values if np.isfinite(value)]
    if known:
        found[name] = float(np.mean(known)), ""
    if compare and len(known) == 2:
        more = "left" if values[0] > values[1] else "right"
        less = "right" if more == "left" else "left"
        found[f"{stem}_asymmetry_{unit}"] = abs(values[0] - values[1]), more if worse > 0 else less


def _range(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.max() - known.min()) if len(known) > POINTS // 2 else float("nan")


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if 2 * len(known) >= len(values) else float("nan")


def _peak(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.max()) if 2 * len(known) >= len(values) else float("nan")


def _stance(side: MeanCycle) -> float:
    """From heel strike to toe off. An ankle alone doesn't tell when the toe leaves the ground."""
    return 100.0 * side.toe_off if np.isfinite(side.own("foot_index")).any() else float("nan")


def _low(values: Array) -> float:
    return -_peak(-values)


def _swing_out(side: MeanCycle) -> float:
    path = side.outward * side.own("ankle")[:, 1]
    return _peak(path[_MID_SWING]) - _mean(path[_STANCE])


def _pelvis_drop(side: MeanCycle) -> float:
    across = side.own("hip") - side.other("hip")
    angle = np.degrees(np.arctan2(across[:, 2], np.abs(across[:, 1])))
    return _mean(angle[_STANCE])


def _arm_swing(side: MeanCycle) -> float:
    return _range(side.own("wrist")[:, 0] - side.own("shoulder")[:, 0])


def _foot_lift(side: MeanCycle) -> float:
    return _peak((side.own("ankle")[:, 2] - side.other("ankle")[:, 2])[_SWING])


def _step_length(side: MeanCycle) -> float:
    return _mean((side.own("ankle")[:, 0] - side.other("ankle")[:, 0])[:3])


def _step_width(side: MeanCycle) -> float:
    return _mean(side.outward * (side.own("ankle")[:, 1] - side.other("ankle")[:, 1]))


def _pace(side: MeanCycle) -> float:
    """The two steps of a stride are as long as the feet are apart at their strikes, about."""
    return 2.0 * _step_length(side) / side.stride_s


def _foot_pitch(side: MeanCycle, part: slice | list[int]) -> float:
    """Degrees by which the toes are higher over the heel than when the foot is flat."""
    foot = side.own("foot_index") - side.own("heel")
    at, flat = (np.array([_mean(foot[where, axis]) for axis in (0, 2)]) for where in (part, _FLAT))
    turn = np.degrees(np.arctan2(at[1], at[0]) - np.arctan2(flat[1], flat[0]))
    return float((turn + 180.0) % 360.0 - 180.0)


def _knee_loading(side: MeanCycle) -> float:
    knee = side.angle("knee_flexion")
    return _mean(knee[_LOADING]) - float(knee[0])


def _leg_difference(left: MeanCycle, right: MeanCycle) -> float:
    away = [left.angle(name) - right.angle(name) for name in ("hip_flexion", "knee_flexion")]
    return float(np.sqrt(np.mean([_mean(a**2) for a in away])))


_SIDED: Mapping[str, tuple[Measure, int]] = {
    "stance_pct": (_stance, -1),
    "step_length_ll": (_step_length, -1),
    "foot_lift_ll": (_foot_lift, -1),
    "swing_out_ll": (_swing_out, 1),
    "hip_range_deg": (lambda c: _range(c.angle("hip_flexion")), -1),
    "hip_mean_deg": (lambda c: _mean(c.angle("hip_flexion")), 1),
    "knee_swing_deg": (lambda c: _peak(c.angle("knee_flexion")[_SWING]) - _low(c.angle("knee_flexion")), -1),
    "knee_stance_deg": (lambda c: _mean(c.angle("knee_flexion")[_STANCE]), 1),
    "ankle_swing_deg": (lambda c: _mean(c.angle("ankle_dorsiflexion")[_LATE_SWING]), -1),
    "ankle_range_deg": (lambda c: _range(c.angle("ankle_dorsiflexion")), -1),
    "foot_strike_deg": (lambda c: _foot_pitch(c, _STRIKE), -1),
    "heel_rise_deg": (lambda c: -_foot_pitch(c, _OFF), -1),
    "knee_strike_deg": (lambda c: _mean(c.angle("knee_flexion")[_STRIKE]), 1),
    "knee_loading_deg": (_knee_loading, -1),
    "knee_off_deg": (lambda c: _mean(c.angle("knee_flexion")[_OFF]), -1),
    "hip_behind_deg": (lambda c: _mean(c.angle("hip_flexion")[_BEHIND]), 1),
    "hip_swing_deg": (lambda c: _mean(c.angle("hip_flexion")[_LATE_SWING]), 1),
    "trunk_over_stance_deg": (lambda c: _mean(c.angle("trunk_lateral")[_STANCE]), 1),
    "pelvis_drop_deg": (_pelvis_drop, 1),
    "arm_swing_ll": (_arm_swing, -1),
    "elbow_mean_deg": (lambda c: _mean(c.angle("elbow_flexion")), 1),
    "arm_out_deg": (lambda c: _mean(c.angle("shoulder_abduction")), 1),
    "arm_forward_deg": (lambda c: _mean(c.angle("shoulder_flexion")), 1),
}
_MIDDLE: Mapping[str, Measure] = {
    "step_width_ll": _step_width,
    "pace_llps": _pace,
    "trunk_flexion_deg": lambda c: _mean(c.angle("trunk_flexion")),
    "trunk_sway_deg": lambda c: _range(c.angle("trunk_lateral")),
    "neck_flexion_deg": lambda c: _mean(c.angle("neck_flexion")),
}
