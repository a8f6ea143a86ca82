"""Spatiotemporal parameters of a walk, each with its sigma, or why there is none.

Sigma has two parts: what differs from stride to stride, over the number of strides, and what is wrong in the same way
in all of them, which no number of strides takes away. The second part was measured on rendered walkers whose truth is
known (`posepipe evaluate gait`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from posepipe.gait.direction import joint_m
from posepipe.gait.spatial import Step, Strider, strider
from posepipe.gait.types import HEEL_STRIKE, SIDES, TOE_OFF, Event, Measured, Parameters, Side, Stride, Value, Walk
from posepipe.geometry.missing import median_known
from posepipe.motion.clip import Motion
from posepipe.reasons import Reason

__all__ = ["PARAMETERS", "parameters"]

Array = NDArray[np.float64]
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

LEAST_VARIED = 10
"""Strides below which a variation says nothing; even this is few (20 to 30 are advised)."""

# What is wrong in the same way in every stride (one standard deviation).
_STANCE_BIAS_S = 0.012
_STEP_BIAS_S = 0.006
_LENGTH_BIAS = {"side": 0.035, "oblique": 0.06, "front": 0.25, "back": 0.25}
_HEIGHT_BIAS = 0.01
_WIDTH_BIAS_M = 0.03
_LIFT_BIAS_M = 0.02
_ANGLE_BIAS_DEG = 4.0
# From front and back only depth tells how far a foot is ahead, and depth is guessed: it says how often, but not when to
# a twentieth of a second, nor how far to a quarter (rendered walkers). Obliquely, the distance of the feet across the
# way is added to one side's steps and taken off the other's.
_NEED_BESIDE = (
    *("stance_pct", "swing_pct", "single_support_pct", "double_support_pct", "step_length_m", "step_length_side_m"),
    *("step_length_ll", "stride_length_m", "walking_speed_mps", "walk_ratio_m_spm", "step_length_cv_pct"),
)
_FILE_SHARE = 0.5  # Of those, for 3D that never was a picture.
_STEP_SHARE = (0.15, 0.85)  # Of a stride: what one step may take.
_SURE = 0.45  # Confidence of a strike that may begin or end a run of steps.
_USUAL_CV = 0.03  # Variation from stride to stride where too few are seen to tell.


def parameters(motion: Motion, walk: Walk, scale_known: bool = False) -> Parameters:
    """All parameters of `PARAMETERS`.

    Args:
        motion: the motion in which the walk was found.
        walk: from `posepipe.gait.events.find_walk`.
        scale_known: metres are measured (the body height was given), not assumed.
    """
    counts = {side: len(walk.strides_of(side)) for side in SIDES}
    if not walk.strides or not walk.events:
        reason = walk.withheld or Reason.TOO_FEW_STRIDES
        return Parameters(counts, dict.fromkeys(PARAMETERS, reason))
    found = strider(motion, walk)
    steps = found.steps()
    items: dict[str, Measured] = {
        **_times(walk, steps),
        **_lengths(found, steps, scale_known),
        **_body(motion, walk, found, scale_known),
    }
    views = {walk.passes[stride.pass_index].view for stride in walk.strides} if motion.keypoints is not None else set()
    if views & {"front", "back"}:
        items.update(dict.fromkeys(_NEED_BESIDE, Reason.WRONG_VIEW))
    if views - {"side"} and not isinstance(items["step_length_side_m"], Reason):
        items["step_length_side_m"] = Reason.WRONG_VIEW
    items["symmetry"] = _symmetry(items)
    return Parameters(counts, {name: items[name] for name in PARAMETERS})


def _mean(values: Sequence[float], bias: float, noise: float = 0.0) -> Value | Reason:
    """Mean with both parts of its sigma; `noise` is the error of one value, where that is known."""
    known = _usual(np.array([v for v in values if np.isfinite(v)]))
    if not len(known):
        return Reason.TOO_FEW_STRIDES
    spread = float(np.std(known, ddof=1)) if len(known) > 2 else _USUAL_CV * abs(float(known.mean()))
    random = max(spread, noise) / np.sqrt(len(known))
    return Value(float(known.mean()), float(np.hypot(random, bias)))


def _usual(values: Array) -> Array:
    """Values without those that an event read off a hidden foot has spoilt: far off in spreads and in size."""
    if len(values) < 3:
        return values
    middle = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    return np.asarray(values[np.abs(values - middle) <= max(3.5 * spread, 0.12 * abs(middle))])


def _sided(items: Sequence[Item], value: Callable[[Item], float], bias: float) -> dict[Side, Value | Reason]:
    return {side: _mean([value(item) for item in items if item.side == side], bias) for side in SIDES}


def _times(walk: Walk, steps: Sequence[Step]) -> dict[str, Measured]:
    timing = float(np.mean([event.sigma_s for event in walk.events]))
    every = [stride.duration_s for stride in walk.strides]
    lengths = _usual(np.array(every))
    runs = _step_runs(walk, float(np.median(lengths))) or [(2, float(length)) for length in lengths]
    count = 0.5 * sum(steps for steps, _ in runs)
    stride = sum(seconds for _, seconds in runs) / count
    # Errors at both ends of a run of steps don't add up over it: each strike ends one step and begins the next.
    noise = np.sqrt(2.0 * len(runs)) * timing / count
    spread = float(np.std(lengths, ddof=1)) if len(lengths) > 2 else _USUAL_CV * stride
    sigma = float(np.hypot(noise, spread / count))
    bias_pct = 100.0 * _STANCE_BIAS_S / stride
    stance = _sided(walk.strides, lambda s: 100.0 * (s.toe_off_s - s.start_s) / s.duration_s, bias_pct)
    single, double = _supports(walk)
    swing: dict[Side, Value | Reason] = {
        side: Value(100.0 - item.value, item.sigma) if isinstance(item, Value) else item
        for side, item in stance.items()
    }
    return {
        "cadence_spm": Value(120.0 / stride, 120.0 * sigma / stride**2),
        "stride_time_s": Value(stride, sigma),
        "step_time_s": _sided(steps, lambda s: s.time_s, _STEP_BIAS_S),
        "stance_pct": stance,
        "swing_pct": swing,
        "single_support_pct": {side: _mean(single[side], bias_pct) for side in SIDES},
        "double_support_pct": _mean(double, 1.4 * bias_pct),
        "stride_time_cv_pct": _variation(every, timing),
    }


def _step_runs(walk: Walk, stride_s: float) -> list[tuple[int, float]]:
    """Steps in a row and how long they took together: strikes of alternating feet, also of a foot half hidden.

    Cadence needs no clean strides: a doubtful strike in the middle of a run changes nothing; at its ends it would. The
    steps of both feet differ, so each run has as many of one as of the other.
    """
    strikes = [event for event in walk.events if event.type == HEEL_STRIKE]
    runs: list[list[Event]] = []
    for i, event in enumerate(strikes):
        before = strikes[i - 1] if i else None
        step = before is not None and before.side != event.side
        if step and before and _STEP_SHARE[0] < (event.time_s - before.time_s) / stride_s < _STEP_SHARE[1]:
            runs[-1].append(event)
        else:
            runs.append([event])
    sure = [[i for i, event in enumerate(run) if event.confidence > _SURE] for run in runs]
    times = [[event.time_s for event in run[s[0] : s[-1] + 1]] for run, s in zip(runs, sure, strict=True) if s]
    return [_even_steps(run) for run in times if len(run) > 2]


def _even_steps(times: Sequence[float]) -> tuple[int, float]:
    """An even number of steps and how long it took; the mean of both ways to leave one out."""
    steps = len(times) - 1
    if steps % 2 == 0:
        return steps, times[-1] - times[0]
    return steps - 1, 0.5 * (times[-2] - times[0] + times[-1] - times[1])


def _supports(walk: Walk) -> tuple[dict[Side, list[float]], list[float]]:
    """Single support of each foot and double support, in percent of each stride."""
    single: dict[Side, list[float]] = {side: [] for side in SIDES}
    double: list[float] = []
    for stride in walk.strides:
        other: Side = "right" if stride.side == "left" else "left"
        offs = [e.time_s for e in walk.of(other, TOE_OFF) if stride.start_s < e.time_s < stride.end_s]
        strikes = [e.time_s for e in walk.of(other, "heel_strike") if stride.start_s < e.time_s < stride.end_s]
        if len(offs) != 1 or len(strikes) != 1 or not offs[0] < strikes[0] < stride.toe_off_s:
            continue
        share = 100.0 / stride.duration_s
        single[stride.side].append(share * (strikes[0] - offs[0]))
        double.append(share * (offs[0] - stride.start_s + stride.toe_off_s - strikes[0]))
    return single, double


def _variation(values: Sequence[float], noise: float) -> Value | Reason:
    """Coefficient of variation in percent, less what the measuring itself scatters."""
    known = np.array([v for v in values if np.isfinite(v)])
    if len(known) < LEAST_VARIED:
        return Reason.TOO_FEW_STRIDES
    mean, spread = float(known.mean()), float(known.std(ddof=1))
    own = 2.0 * noise**2
    true = float(np.sqrt(max(spread**2 - own, 0.0)))
    # The standard deviation of a standard deviation, and of what was taken off.
    sigma = float(np.hypot(spread / np.sqrt(2.0 * (len(known) - 1)), 0.5 * own / max(spread, 1e-6)))
    return Value(100.0 * true / mean, 100.0 * sigma / mean)


def _bias_of(found: Strider, sizes: Mapping[str, float]) -> float:
    """Share of a length that is wrong throughout, by view; the worst view counts."""
    if found.motion.keypoints is None:
        return _FILE_SHARE * min(sizes.values())
    views = {found.walk.passes[s.pass_index].view for s in found.walk.strides}
    return max(sizes[view] for view in views)


def _lengths(found: Strider, steps: Sequence[Step], scale_known: bool) -> dict[str, Measured]:
    bias = float(np.hypot(_bias_of(found, _LENGTH_BIAS), _HEIGHT_BIAS))
    usual = float(median_known([s.length_m for s in steps])) if steps else float("nan")
    # A step far from the usual one was read off a foot that wasn't seen well.
    good = [s for s in steps if abs(s.length_m - usual) < 0.5 * abs(usual)]
    by_side = _sided(good, lambda s: s.length_m, bias * abs(usual))
    sides = [item for item in by_side.values() if isinstance(item, Value)]
    names = ("step_length_m", "step_length_side_m", "stride_length_m", "walking_speed_mps", "walk_ratio_m_spm")
    if len(sides) < 2 or usual <= 0.0:
        reason = Reason.TOO_FEW_STRIDES if len(sides) < 2 else Reason.WRONG_VIEW
        return dict.fromkeys((*names, "step_length_ll", "step_length_cv_pct"), reason)
    length = 0.5 * (sides[0].value + sides[1].value)
    random = [_random(item.sigma, bias * usual) for item in sides]
    sigma = float(np.hypot(0.5 * np.hypot(random[0], random[1]), bias * length))
    stride_s = float(np.mean([s.duration_s for s in found.walk.strides]))
    out: dict[str, Measured] = {
        "step_length_ll": Value(length / found.leg_m, sigma / found.leg_m),
        "step_length_cv_pct": _variation([s.length_m for s in good], 0.02),
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
    views = {walk.passes[s.pass_index].view for s in walk.strides}
    from_side = motion.keypoints is not None and views == {"side"}
    share = _FILE_SHARE if motion.keypoints is None else 1.0
    width = _mean([abs(step.width_m) for step in found.steps()], share * _WIDTH_BIAS_M)
    lift: Measured = {side: _mean(_lifts(motion, walk, side), share * _LIFT_BIAS_M) for side in SIDES}
    trunk = _angle(motion, walk.strides, "trunk_flexion")
    known = trunk[np.isfinite(trunk)]
    arms = {side: _arm_swing(motion, walk, side, share) for side in SIDES}
    return {
        "step_width_m": Reason.WRONG_VIEW if from_side else width if scale_known else Reason.SCALE_ASSUMED,
        "toe_lift_m": lift if scale_known else Reason.SCALE_ASSUMED,
        "arm_swing_deg": arms,
        "trunk_lean_deg": Value(float(known.mean()), share * _ANGLE_BIAS_DEG) if len(known) else Reason.JOINT_UNSEEN,
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
    spread = float(np.mean(curves.std(axis=0, ddof=1))) if len(curves) > 1 else _ANGLE_BIAS_DEG
    sigma = float(np.hypot(1.4 * spread / np.sqrt(len(curves)), 1.4 * share * _ANGLE_BIAS_DEG))
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
