"""Spatiotemporal parameters of a walk, each with its sigma, or why there is none.

Sigma has two parts: what differs from stride to stride, over the number of strides, and what is wrong in the same way
in all of them, which no number of strides takes away. The second part was measured on rendered walkers whose truth is
known (`posepipe evaluate gait`). Both feet are on the ground when one strikes, so their distance is the step on a
treadmill, beside a camera that goes along, and on open ground alike: nothing needs the camera to stand still.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from posepipe.body.motion import Motion
from posepipe.gait.events import EVENT, odd_steps
from posepipe.gait.pace import pace_of
from posepipe.gait.signals import Signals, joint_m, on_grid, signals_of
from posepipe.gait.types import HEEL_STRIKE, SIDES, TOE_OFF, Measured, Parameters, Side, Stride, Value, Walk
from posepipe.geometry import median_known
from posepipe.numeric import student_quantile
from posepipe.reasons import Reason
from posepipe.settings import setting

__all__ = ["PARAMETER", "PARAMETERS", "ParameterSettings", "Step", "Strider", "parameters", "spread_of"]

Array = NDArray[np.float64]

_NORMAL_90 = 1.645
"""Standard deviations on either side that hold 90 % of a normal distribution."""

_SIDE_ONLY = "judgement: `posepipe evaluate gait` films from the side only"
_UNMEASURED = "judgement: no command measures it"


@dataclass(frozen=True, slots=True)
class ParameterSettings:
    """What every stride of a walk gets wrong alike (one standard deviation each), and when a number is given."""

    stance_bias_s: float = setting(
        0.018,
        "what every stance gets wrong alike",
        unit="s",
        source="rendered walkers, `posepipe evaluate gait --walks 12`: 0.011 s; children on plates: 0.015 s; together",
    )
    step_bias_s: float = setting(
        0.006, "the same of one side's step times", unit="s", source="judgement: a third of that"
    )
    length_bias_side: float = setting(
        0.035,
        "share of a step's length that all get wrong alike from the side; the height's error comes on top",
        source="rendered walkers, `posepipe evaluate gait --walks 12`: root mean square 0.031",
    )
    length_bias_oblique: float = setting(0.06, "the same seen obliquely", source=_SIDE_ONLY)
    length_bias_front: float = setting(0.25, "the same from front or back", source=_SIDE_ONLY)
    height_bias: float = setting(0.01, "share that a given body height is wrong by", source="judgement")
    width_bias_m: float = setting(0.03, "what all step widths get wrong alike", unit="m", source=_UNMEASURED)
    lift_bias_m: float = setting(0.02, "the same of the toes' height in swing", unit="m", source=_UNMEASURED)
    angle_bias_deg: float = setting(4.0, "the same of an angle of trunk or arm", unit="deg", source=_UNMEASURED)
    two_errors: float = setting(
        1.4,
        "factor on an error that comes in twice: double support, arm swing",
        source="independent: root of 2, rounded",
    )
    file_share: float = setting(0.5, "share of these in 3D that never was a picture", source="judgement")
    usual_cv: float = setting(
        0.05,
        "variation from stride to stride as measured, before any is seen",
        source="judgement: healthy strides vary by 2 to 3 %, the error of a film comes on top",
    )
    usual_count: float = setting(
        3.0, "it counts as much as so many strides that were seen", source="judgement: soon outweighed"
    )
    doubt: float = setting(
        0.61,
        "factor on the difference between the steps' time and that of the legs' passing: strikes missed or invented",
        source="the 90 % interval around the one reaches the other",
    )
    passing_error: float = setting(
        0.01, "and by this share of a stride they always may differ", source="judgement: crossings are read to 10 ms"
    )
    length_noise_m: float = setting(
        0.02, "error of one step's length, taken off the variation", unit="m", source="judgement"
    )
    unsure_pace: float = setting(
        0.1,
        "a pace whose standard deviation is a larger share isn't told",
        source="healthy people's differ by as much: `posepipe/gait/norms/features.csv`",
    )
    least_varied: int = setting(
        10, "strides under which a variation says nothing", source="judgement: even this is few; 20 to 30 are advised"
    )
    flat_from: float = setting(0.25, "share of the stance from which the foot lies flat", source="judgement")
    flat_to: float = setting(0.65, "and until which it does: then the heel rises", source="judgement")
    step_from: float = setting(0.15, "share of a stride that one step takes, at least", source="judgement")
    step_to: float = setting(0.85, "and at most", source="judgement")
    usual_stride_s: float = setting(1.1, "stride time of a pass without a stride", unit="s", source="judgement")
    near_s: float = setting(
        0.25, "a foot's place at a strike is read from what is seen so near to it", unit="s", source="judgement"
    )
    outlier_sd: float = setting(
        3.5,
        "robust standard deviations from the median beyond which a value is left out",
        source="Iglewicz and Hoaglin 1993, How to Detect and Handle Outliers",
    )
    outlier: float = setting(0.12, "but none nearer to it than this share", source="judgement")
    odd_length: float = setting(
        0.5, "a step whose length differs from the usual one by a larger share was seen badly", source="judgement"
    )


PARAMETER = ParameterSettings()


@dataclass(frozen=True, slots=True)
class Step:
    """One step, from the strike of the other foot to that of this one.

    Attributes:
        side: the foot that lands.
        time_s: duration.
        length_m: between the feet along the way; NaN where not seen.
        width_m: between them across the way.
        pass_index: of `Walk.passes`.
    """

    side: Side
    time_s: float
    length_m: float
    width_m: float
    pass_index: int


@dataclass(frozen=True, slots=True, eq=False)
class Strider:
    """A walk, ready to be asked for lengths."""

    motion: Motion
    walk: Walk
    signals: Signals

    def steps(self) -> tuple[Step, ...]:
        """Every step between two sure strikes that follow each other within a pass."""
        out = []
        for number, span in enumerate(self.walk.passes):
            strikes = [e for e in self.walk.steady if e.type == HEEL_STRIKE and span.start_s <= e.time_s <= span.end_s]
            strides = [s.duration_s for s in self.walk.strides if s.pass_index == number]
            usual = float(np.median(strides)) if strides else PARAMETER.usual_stride_s
            odd = odd_steps(strikes)
            for old, new in pairwise(strikes):
                if (old.time_s, new.time_s) in odd:
                    continue
                sure = min(old.confidence, new.confidence) >= EVENT.clean
                lasts = PARAMETER.step_from * usual < new.time_s - old.time_s < PARAMETER.step_to * usual
                if old.side == new.side or not lasts or not sure:
                    continue
                length, width = self._apart(old.side, new.side, new.time_s)
                out.append(Step(new.side, new.time_s - old.time_s, length, width, number))
        return tuple(out)

    def _apart(self, behind: Side, ahead: Side, at_s: float) -> tuple[float, float]:
        """Distance along and across the way at a strike.

        The foot that lands touches with its heel, the other stands on its ball: from ball to heel, and a foot's length.
        """
        time_s, i, j = self.motion.time_s, SIDES.index(ahead), SIDES.index(behind)
        if self.signals.forward.feet:
            heel = _at(time_s, self.signals.forward.heel[:, i], at_s)
            ball = _at(time_s, self.signals.forward.toe[:, j], at_s)
            length = heel - ball + self._foot_m(j)
        else:
            length = _at(time_s, self.signals.forward.ankle[:, i], at_s) - _at(
                time_s, self.signals.forward.ankle[:, j], at_s
            )
        return length, self._across(ahead, behind, at_s)

    def _foot_m(self, column: int) -> float:
        """Heel to ball along the way while the foot is flat, median over strides."""
        side, time_s = SIDES[column], self.motion.time_s
        foot = self.signals.forward.toe[:, column] - self.signals.forward.heel[:, column]
        seen = []
        for stride in self.walk.strides_of(side):
            length = stride.toe_off_s - stride.start_s
            first, last = (stride.start_s + share * length for share in (PARAMETER.flat_from, PARAMETER.flat_to))
            inside = (time_s >= first) & (time_s <= last)
            seen.append(foot[inside & np.isfinite(foot)])
        every = np.concatenate(seen) if seen else np.empty(0)
        return float(np.median(every)) if len(every) else float("nan")

    def _across(self, ahead: Side, behind: Side, at_s: float) -> float:
        up = self.motion.up.astype(np.float64)
        gap = joint_m(self.motion, f"{ahead}_ankle") - joint_m(self.motion, f"{behind}_ankle")
        aside = np.cross(up, self.signals.heading.forward)  # To the person's left.
        wide = (gap * aside).sum(axis=1) * (1.0 if ahead == "left" else -1.0)
        return _at(self.motion.time_s, wide, at_s)


def _at(time_s: Array, values: Array, at_s: float) -> float:
    known = np.isfinite(values)
    near = known & (np.abs(time_s - at_s) < PARAMETER.near_s)
    if near.sum() < 4:
        return float("nan")
    return float(on_grid(time_s[near], values[near], np.array([at_s]))[0][0])


Item = TypeVar("Item", Step, Stride)

PARAMETERS: Mapping[str, str] = {
    "cadence_spm": "steps per minute",
    "stride_time_s": "from one heel strike to the next of the same foot",
    "step_time_s": "from the strike of the other foot to that of this one, by side",
    "stance_pct": "share of the stride that the foot is on the ground, by side",
    "swing_pct": "share of the stride that it is in the air, by side",
    "single_support_pct": "share of the stride in which only this foot is on the ground, by side",
    "double_support_pct": "share of the stride in which both are",
    "step_length_m": "distance of the feet along the way at a strike, mean of both sides; needs the body height",
    "step_length_side_m": "the same by the side that lands",
    "step_length_ll": "the same in leg lengths (thigh and shank), mean of both sides; needs no body height",
    "stride_length_m": "two steps; needs the body height",
    "walking_speed_mps": "stride length over stride time; needs the body height",
    "walk_ratio_m_spm": "step length over cadence; needs the body height",
    "step_width_m": "distance of the feet across the way; not from the side",
    "toe_lift_m": "highest point of the toe in swing, over the toe of the standing foot, by side",
    "arm_swing_deg": "range of the shoulder's flexion over the mean stride, by side",
    "trunk_lean_deg": "mean forward lean of the trunk",
    "stride_time_cv_pct": "variation of the stride time; needs ten strides",
    "step_length_cv_pct": "variation of the step length; needs ten steps",
    "symmetry": "symmetry angles in percent (Zifchock 2008): 0 is even, positive where the right side's is larger",
}
"""Every parameter and what it is."""

# From front and back only depth tells how far a foot is ahead, and depth is guessed: it says how often, but not when to
# a twentieth of a second, nor how far to a quarter (rendered walkers); of two filmed limpers it even took one side's
# steps for the other's. Obliquely, the distance of the feet across the
# way is added to one side's steps and taken off the other's.
_NEED_BESIDE = (
    *(
        "step_time_s",
        "stance_pct",
        "swing_pct",
        "single_support_pct",
        "double_support_pct",
        "step_length_m",
        "step_length_side_m",
    ),
    *("step_length_ll", "stride_length_m", "walking_speed_mps", "walk_ratio_m_spm", "step_length_cv_pct"),
)


def parameters(motion: Motion, walk: Walk, scale_known: bool = False, signals: Signals | None = None) -> Parameters:
    """All parameters of `PARAMETERS`.

    Args:
        motion: the motion in which the walk was found.
        walk: from `posepipe.gait.walk.find_walk`.
        scale_known: metres are measured (the body height was given), not assumed.
        signals: of that motion, if they were made already.
    """
    counts = {side: len(walk.strides_of(side)) for side in SIDES}
    pace = _stride_time(walk) if walk.steady else None
    if pace is None:
        reason = walk.withheld or Reason.TOO_FEW_STRIDES
        return Parameters(counts, dict.fromkeys(PARAMETERS, reason))
    found = Strider(motion, walk, signals or signals_of(motion))
    steps = found.steps()
    items: dict[str, Measured] = {
        **_times(walk, steps, pace),
        **_lengths(found, steps, scale_known, pace.value),
        **_body(motion, walk, found, scale_known),
    }
    views = _views(walk) if motion.keypoints is not None else set()
    if views & {"front", "back"}:
        items.update(dict.fromkeys(_NEED_BESIDE, Reason.WRONG_VIEW))
    if views - {"side"} and not isinstance(items["step_length_side_m"], Reason):
        items["step_length_side_m"] = Reason.WRONG_VIEW
    items["symmetry"] = _symmetry(items)
    return Parameters(counts, {name: items[name] for name in PARAMETERS})


def _mean(values: Sequence[float], bias: float, noise: float = 0.0) -> Value | Reason:
    """Mean with both parts of its sigma; `noise` is the error of one value, where that is known."""
    known = np.array([v for v in values if np.isfinite(v)])
    if not len(known):
        return Reason.TOO_FEW_STRIDES
    kept = _usual(known)
    # What was left out is no part of the mean, but shows how far values may be off: two of three may be the wrong ones.
    random = max(spread_of(kept), spread_of(known), noise) / np.sqrt(len(kept))
    return Value(float(kept.mean()), float(np.hypot(random, bias)))


def spread_of(values: Array) -> float:
    """Standard deviation (V,) of one value that a mean's error may be taken from, however few there are.

    What was seen and what is usual are pooled; and as few values don't tell their own spread, the factor from the
    normal to Student's distribution (at 90 %) is in it.
    """
    freedom = PARAMETER.usual_count + len(values) - 1
    usual = PARAMETER.usual_cv * abs(float(values.mean()))
    seen = float(np.sum((values - values.mean()) ** 2))
    pooled = float(np.sqrt((PARAMETER.usual_count * usual**2 + seen) / freedom))
    return pooled * student_quantile(round(freedom), 0.95) / _NORMAL_90


def _usual(values: Array) -> Array:
    """Values without those that an event read off a hidden foot has spoilt: far off in spreads and in size."""
    if len(values) < 3:
        return values
    middle = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    most = max(PARAMETER.outlier_sd * spread, PARAMETER.outlier * abs(middle))
    return np.asarray(values[np.abs(values - middle) <= most])


def _sided(
    items: Sequence[Item], value: Callable[[Item], float], bias: float, noise: float = 0.0
) -> dict[Side, Value | Reason]:
    return {side: _mean([value(item) for item in items if item.side == side], bias, noise) for side in SIDES}


_TIMES = (
    *("cadence_spm", "stride_time_s", "step_time_s", "stance_pct", "swing_pct"),
    *("single_support_pct", "double_support_pct", "stride_time_cv_pct"),
)


def _times(walk: Walk, steps: Sequence[Step], found: Value) -> dict[str, Measured]:
    timing, every = _timing_s(walk), [stride.duration_s for stride in walk.strides]
    stride, sigma = found.value, found.sigma
    if sigma > PARAMETER.unsure_pace * stride:  # Strides of no known pace may be any, and so may their parts.
        return dict.fromkeys(_TIMES, Reason.TOO_UNCERTAIN)
    bias_pct = 100.0 * PARAMETER.stance_bias_s / stride
    stance = _sided(walk.strides, lambda s: 100.0 * (s.toe_off_s - s.start_s) / s.duration_s, bias_pct)
    single, double = _supports(walk)
    swing: dict[Side, Value | Reason] = {
        side: Value(100.0 - item.value, item.sigma) if isinstance(item, Value) else item
        for side, item in stance.items()
    }
    return {
        "cadence_spm": Value(120.0 / stride, 120.0 * sigma / stride**2),
        "stride_time_s": found,
        "step_time_s": _sided(steps, lambda s: s.time_s, PARAMETER.step_bias_s, 2**0.5 * timing),
        "stance_pct": stance,
        "swing_pct": swing,
        "single_support_pct": {side: _mean(single[side], bias_pct) for side in SIDES},
        "double_support_pct": _mean(double, PARAMETER.two_errors * bias_pct),
        "stride_time_cv_pct": _variation(every, timing),
    }


def _views(walk: Walk) -> set[str]:
    """How the strides were seen; all passes where there are none."""
    return {walk.passes[s.pass_index].view for s in walk.strides} or {span.view for span in walk.passes}


def _timing_s(walk: Walk) -> float:
    """Random error of an event: how late a plate feels a foot is one person's own, and the same in every step."""
    return float(np.mean([_random(event.sigma_s, EVENT.plate_sd_s) for event in walk.steady]))


def _stride_time(walk: Walk) -> Value | None:
    """Stride time from all events at once; None where there are neither strides nor enough steps in a row.

    A strike that was missed or invented gives steps another time than the legs take to pass each other, which needs no
    strikes. Where both differ, one is wrong.
    """
    lengths = _usual(np.array([stride.duration_s for stride in walk.strides]))
    found = pace_of(walk)
    if found is None and not len(lengths):
        return None
    if found is None:
        noise = 2.0**0.5 * _timing_s(walk)
        found = Value(float(lengths.mean()), float(np.hypot(noise, spread_of(lengths)) / len(lengths) ** 0.5))
    passing = [span.stride_s for span in walk.passes if np.isfinite(span.stride_s)]
    weight = [span.end_s - span.start_s for span in walk.passes if np.isfinite(span.stride_s)]
    doubt = PARAMETER.doubt * abs(float(np.average(passing, weights=weight)) - found.value) if passing else 0.0
    # Errors of the passing itself are no doubt.
    doubt = max(doubt - PARAMETER.passing_error * found.value, 0.0)
    return Value(found.value, float(np.hypot(found.sigma, doubt)))


def _supports(walk: Walk) -> tuple[dict[Side, list[float]], list[float]]:
    """Single support of each foot and double support, in percent of each stride."""
    single: dict[Side, list[float]] = {side: [] for side in SIDES}
    double: list[float] = []
    for stride in walk.strides:
        other: Side = "right" if stride.side == "left" else "left"
        offs = [e.time_s for e in walk.of(other, TOE_OFF) if stride.start_s < e.time_s < stride.end_s]
        strikes = [e.time_s for e in walk.of(other, HEEL_STRIKE) if stride.start_s < e.time_s < stride.end_s]
        if len(offs) != 1 or len(strikes) != 1 or not offs[0] < strikes[0] < stride.toe_off_s:
            continue
        share = 100.0 / stride.duration_s
        single[stride.side].append(share * (strikes[0] - offs[0]))
        double.append(share * (offs[0] - stride.start_s + stride.toe_off_s - strikes[0]))
    return single, double


def _variation(values: Sequence[float], noise: float) -> Value | Reason:
    """Coefficient of variation in percent, less what the measuring itself scatters."""
    known = np.array([v for v in values if np.isfinite(v)])
    if len(known) < PARAMETER.least_varied:
        return Reason.TOO_FEW_STRIDES
    mean, spread = float(known.mean()), float(known.std(ddof=1))
    own = 2.0 * noise**2
    true = float(np.sqrt(max(spread**2 - own, 0.0)))
    # The standard deviation of a standard deviation, and of what was taken off.
    sigma = float(np.hypot(spread / np.sqrt(2.0 * (len(known) - 1)), 0.5 * own / max(spread, 1e-6)))
    return Value(100.0 * true / mean, 100.0 * sigma / mean)


def _length_bias(found: Strider) -> float:
    """Share of a length that is wrong throughout, by view; the worst view counts."""
    if found.motion.keypoints is None:
        return PARAMETER.file_share * PARAMETER.length_bias_side
    views = _views(found.walk)
    if views & {"front", "back"}:
        return PARAMETER.length_bias_front
    return PARAMETER.length_bias_oblique if "oblique" in views else PARAMETER.length_bias_side


def _lengths(found: Strider, steps: Sequence[Step], scale_known: bool, stride_s: float) -> dict[str, Measured]:
    bias = float(np.hypot(_length_bias(found), PARAMETER.height_bias))
    usual = float(median_known([s.length_m for s in steps])) if steps else float("nan")
    # A step far from the usual one was read off a foot that wasn't seen well.
    good = [s for s in steps if abs(s.length_m - usual) < PARAMETER.odd_length * abs(usual)]
    by_side = _sided(good, lambda s: s.length_m, bias * abs(usual))
    sides = [item for item in by_side.values() if isinstance(item, Value)]
    names = ("step_length_m", "step_length_side_m", "stride_length_m", "walking_speed_mps", "walk_ratio_m_spm")
    if len(sides) < 2 or usual <= 0.0:
        reason = Reason.TOO_FEW_STRIDES if len(sides) < 2 else Reason.WRONG_VIEW
        return dict.fromkeys((*names, "step_length_ll", "step_length_cv_pct"), reason)
    length = 0.5 * (sides[0].value + sides[1].value)
    random = [_random(item.sigma, bias * usual) for item in sides]
    sigma = float(np.hypot(0.5 * np.hypot(random[0], random[1]), bias * length))
    out: dict[str, Measured] = {
        "step_length_ll": Value(length / found.signals.leg_m, sigma / found.signals.leg_m),
        "step_length_cv_pct": _variation([s.length_m for s in good], PARAMETER.length_noise_m),
    }
    if not scale_known:
        return {**out, **dict.fromkeys(names, Reason.SCALE_ASSUMED)}
    return {
        **out,
        "step_length_m": Value(length, sigma),
        "step_length_side_m": by_side,
        "stride_length_m": Value(2.0 * length, 2.0 * sigma),
        "walking_speed_mps": Value(2.0 * length / stride_s, 2.0 * sigma / stride_s),
        "walk_ratio_m_spm": Value(length * stride_s / 120.0, sigma * stride_s / 120.0),
    }


def _random(sigma: float, bias: float) -> float:
    return float(np.sqrt(max(sigma**2 - bias**2, 0.0)))


def _body(motion: Motion, walk: Walk, found: Strider, scale_known: bool) -> dict[str, Measured]:
    views = _views(walk)
    from_side = motion.keypoints is not None and views == {"side"}
    share = PARAMETER.file_share if motion.keypoints is None else 1.0
    width = _mean([abs(step.width_m) for step in found.steps()], share * PARAMETER.width_bias_m)
    lift: Measured = {side: _mean(_lifts(motion, walk, side), share * PARAMETER.lift_bias_m) for side in SIDES}
    trunk = _angle(motion, walk.strides, "trunk_flexion")
    known, bias_deg = trunk[np.isfinite(trunk)], share * PARAMETER.angle_bias_deg
    arms = {side: _arm_swing(motion, walk, side, share) for side in SIDES}
    return {
        "step_width_m": Reason.WRONG_VIEW if from_side else width if scale_known else Reason.SCALE_ASSUMED,
        "toe_lift_m": lift if scale_known else Reason.SCALE_ASSUMED,
        "arm_swing_deg": arms,
        "trunk_lean_deg": Value(float(known.mean()), bias_deg) if len(known) else Reason.JOINT_UNSEEN,
    }


def _lifts(motion: Motion, walk: Walk, side: Side) -> list[float]:
    """Highest point of the toe of each swing, over the other foot's."""
    up = motion.up.astype(np.float64)
    other = "right" if side == "left" else "left"
    above = ((joint_m(motion, f"{side}_foot_index") - joint_m(motion, f"{other}_foot_index")) * up).sum(axis=1)
    out = []
    for stride in walk.strides_of(side):
        inside = (motion.time_s > stride.toe_off_s) & (motion.time_s < stride.end_s) & np.isfinite(above)
        if inside.sum() >= 3:
            out.append(float(above[inside].max()))
    return out


def _angle(motion: Motion, strides: Sequence[Stride], name: str) -> Array:
    """One angle on 0 to 100 % of strides, (S, 101)."""
    blank = np.full((len(strides), 101), np.nan)
    if name not in motion.angles.names:
        return blank
    values = motion.angles.deg[:, motion.angles.names.index(name)].astype(np.float64)
    known = np.isfinite(values)
    if known.sum() < 4:
        return blank
    grid = np.array([np.linspace(s.start_s, s.end_s, 101) for s in strides])
    return np.asarray(np.interp(grid, motion.time_s[known], values[known]))


def _arm_swing(motion: Motion, walk: Walk, side: Side, share: float) -> Value | Reason:
    """Range of the mean stride: a mean first, else jitter would widen it."""
    strides = walk.strides_of(side)
    if not strides:
        return Reason.TOO_FEW_STRIDES
    curves = _angle(motion, strides, f"{side}_shoulder_flexion")
    if not np.isfinite(curves).any():
        return Reason.JOINT_UNSEEN
    mean = curves.mean(axis=0)
    spread = float(np.mean(curves.std(axis=0, ddof=1))) if len(curves) > 1 else PARAMETER.angle_bias_deg
    twice, bias_deg = PARAMETER.two_errors, PARAMETER.angle_bias_deg
    sigma = float(np.hypot(twice * spread / np.sqrt(len(curves)), twice * share * bias_deg))
    return Value(float(np.ptp(mean)), sigma)


def _symmetry(items: Mapping[str, Measured]) -> dict[str, Value | Reason]:
    pairs = {"step_time_pct": "step_time_s", "stance_pct": "stance_pct", "step_length_pct": "step_length_side_m"}
    return {name: _symmetry_angle(items.get(source, Reason.TOO_FEW_STRIDES)) for name, source in pairs.items()}


def _symmetry_angle(item: Measured) -> Value | Reason:
    """100 (45 - atan(left / right)) / 90, in degrees: bounded, and needs no reference side."""
    if isinstance(item, Reason):
        return item
    if isinstance(item, Value):
        return Reason.NOT_ANALYSED
    left, right = item["left"], item["right"]
    if not (isinstance(left, Value) and isinstance(right, Value)):
        return Reason.TOO_FEW_STRIDES
    angle = 100.0 * (45.0 - np.degrees(np.arctan2(left.value, right.value))) / 90.0
    square = left.value**2 + right.value**2
    slope = np.hypot(right.value * left.sigma, left.value * right.sigma) / max(square, 1e-12)
    return Value(float(angle), float(100.0 * np.degrees(slope) / 90.0))
