"""Ways to walk: normal ones drawn at random, and named patterns of any severity.

The patterns follow what clinicians describe (Perry and Burnfield, Gait Analysis; Whittle's Gait Analysis): which joint
moves less, what the person does about it. The sizes at severity 1 are a strongly marked example, chosen by us.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from posepipe.errors import UsageError

__all__ = ["PATTERNS", "Style", "normal_style", "patterned"]

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Style:
    """How somebody walks. Pairs are left, right.

    Attributes:
        speed_mps, cadence_spm: with each other they give the step length.
        stance_more: added to the share of the stride that each foot stands.
        step_share: length of the steps onto each foot, relative to their mean.
        time_share: time of the steps onto each foot, relative to their mean.
        width_m: between the feet's lines.
        toe_out_deg: of the feet.
        time_cv, length_cv: variation from step to step.
        width_sd_m: variation of the step width.
        swing_knee, swing_thigh, swing_ankle_deg: factor on the knee's flexion in swing, added thigh and ankle flexion
            in swing.
        bend_deg: added knee flexion all the time, with the hip and ankle that go with it.
        strike_deg: added to the foot's pitch at the strike.
        push: factor on the heel's rise before toe off.
        swing_out_m: sideways arc of the swinging foot.
        lift_m: how much higher than needed the swinging foot is carried.
        drop_deg: of the pelvis on the other side while this foot stands.
        sway_deg: lean of the trunk over this foot while it stands.
        turn_deg: of the pelvis with each step.
        lean_deg, head_deg: trunk and head, forward.
        arm_swing: factor.
        arm_forward_deg, arm_out_deg, elbow_deg: how the arms are held.
        wobble_deg: slow wandering of the trunk, standard deviation.
    """

    speed_mps: float = 1.25
    cadence_spm: float = 112.0
    stance_more: Pair = (0.0, 0.0)
    step_share: Pair = (1.0, 1.0)
    time_share: Pair = (1.0, 1.0)
    width_m: float = 0.11
    toe_out_deg: float = 6.0
    time_cv: float = 0.015
    length_cv: float = 0.02
    width_sd_m: float = 0.008
    swing_knee: Pair = (1.0, 1.0)
    swing_thigh_deg: Pair = (0.0, 0.0)
    swing_ankle_deg: Pair = (0.0, 0.0)
    bend_deg: Pair = (0.0, 0.0)
    strike_deg: Pair = (0.0, 0.0)
    push: Pair = (1.0, 1.0)
    swing_out_m: Pair = (0.0, 0.0)
    lift_m: Pair = (0.0, 0.0)
    drop_deg: Pair = (3.0, 3.0)
    sway_deg: Pair = (1.0, 1.0)
    turn_deg: float = 5.0
    lean_deg: float = 4.0
    head_deg: float = 5.0
    arm_swing: Pair = (1.0, 1.0)
    arm_forward_deg: Pair = (0.0, 0.0)
    arm_out_deg: Pair = (9.0, 9.0)
    elbow_deg: Pair = (22.0, 22.0)
    wobble_deg: float = 0.3


def normal_style(rng: np.random.Generator, height_m: float, speed_mps: float | None = None) -> Style:
    """A healthy adult's walk, drawn at random.

    The walk ratio (step length over cadence) is 0.0058 m min with a spread of 8 % (adults at any speed they choose,
    Sekiya and Nagasaki 1998), in proportion to the stature.

    Args:
        rng: source of chance.
        height_m: stature.
        speed_mps: walking speed; about 1.25 m/s if None.
    """
    if speed_mps is None:
        speed_mps = float(np.clip(rng.normal(1.25, 0.2), 0.75, 1.8)) * height_m / 1.72
    ratio = 0.0058 * height_m / 1.72 * float(np.exp(0.08 * rng.standard_normal()))

    def pair(mean: float, each: float, between: float) -> Pair:
        middle = rng.normal(mean, each)
        half = 0.5 * rng.normal(0.0, between)
        return float(middle + half), float(middle - half)

    return Style(
        speed_mps=speed_mps,
        cadence_spm=float(np.sqrt(60.0 * speed_mps / ratio)),
        stance_more=pair(0.0, 0.008, 0.008),
        step_share=pair(1.0, 0.0, 0.03),
        time_share=pair(1.0, 0.0, 0.02),
        width_m=float(np.clip(rng.normal(0.10, 0.025), 0.04, 0.18)),
        toe_out_deg=float(rng.normal(7.0, 3.5)),
        time_cv=float(rng.uniform(0.01, 0.025)),
        length_cv=float(rng.uniform(0.01, 0.03)),
        width_sd_m=float(rng.uniform(0.006, 0.018)),
        swing_knee=pair(1.0, 0.07, 0.04),
        swing_thigh_deg=pair(0.0, 2.0, 1.5),
        swing_ankle_deg=pair(0.0, 3.0, 2.0),
        bend_deg=pair(1.0, 2.0, 1.0),
        strike_deg=pair(0.0, 3.0, 1.5),
        push=pair(1.0, 0.08, 0.04),
        swing_out_m=pair(0.005, 0.005, 0.004),
        drop_deg=pair(3.5, 1.2, 1.0),
        sway_deg=pair(1.5, 1.0, 0.8),
        turn_deg=float(rng.normal(5.0, 1.5)),
        lean_deg=float(rng.normal(3.0, 3.0)),
        head_deg=float(rng.normal(6.0, 5.0)),
        arm_swing=pair(1.0, 0.3, 0.25),
        arm_forward_deg=pair(0.0, 4.0, 3.0),
        arm_out_deg=pair(9.0, 3.0, 2.0),
        elbow_deg=pair(24.0, 7.0, 4.0),
        wobble_deg=float(rng.uniform(0.1, 0.6)),
    )


def _add(pair: Pair, index: int, amount: float) -> Pair:
    left, right = pair
    return (left + amount, right) if index == 0 else (left, right + amount)


def _scale(pair: Pair, index: int, factor: float) -> Pair:
    left, right = pair
    return (left * factor, right) if index == 0 else (left, right * factor)


def _both(pair: Pair, amount: float) -> Pair:
    return pair[0] + amount, pair[1] + amount


def _times(pair: Pair, factor: float) -> Pair:
    return pair[0] * factor, pair[1] * factor


def _slower(style: Style, less: float, cadence_less: float | None = None) -> Style:
    """Speed and cadence down; the cadence by half as much unless given."""
    drop = 0.5 * less if cadence_less is None else cadence_less
    return replace(style, speed_mps=style.speed_mps * (1.0 - less), cadence_spm=style.cadence_spm * (1.0 - drop))


def _antalgic(style: Style, s: float, bad: int) -> Style:
    good = 1 - bad
    return replace(
        _slower(style, 0.35 * s),
        stance_more=_add(_add(style.stance_more, bad, -0.09 * s), good, 0.03 * s),
        step_share=_add(_add(style.step_share, bad, 0.1 * s), good, -0.1 * s),
        time_share=_add(_add(style.time_share, bad, 0.16 * s), good, -0.16 * s),
        sway_deg=_add(style.sway_deg, bad, 7.0 * s),
        swing_knee=_scale(style.swing_knee, bad, 1.0 - 0.2 * s),
        push=_scale(style.push, bad, 1.0 - 0.4 * s),
    )


def _stiff_knee(style: Style, s: float, bad: int) -> Style:
    return replace(
        _slower(style, 0.25 * s),
        swing_knee=_scale(style.swing_knee, bad, 1.0 - 0.75 * s),
        swing_out_m=_add(style.swing_out_m, bad, 0.05 * s),
        drop_deg=_add(style.drop_deg, 1 - bad, -9.0 * s),
        step_share=_add(_add(style.step_share, bad, 0.05 * s), 1 - bad, -0.05 * s),
        stance_more=_add(style.stance_more, bad, -0.03 * s),
    )


def _foot_drop(style: Style, s: float, bad: int) -> Style:
    return replace(
        _slower(style, 0.2 * s),
        swing_ankle_deg=_add(style.swing_ankle_deg, bad, -24.0 * s),
        swing_thigh_deg=_add(style.swing_thigh_deg, bad, 16.0 * s),
        swing_knee=_scale(style.swing_knee, bad, 1.0 + 0.3 * s),
        strike_deg=_add(style.strike_deg, bad, -28.0 * s),
        lift_m=_add(style.lift_m, bad, 0.05 * s),
    )


def _circumduction(style: Style, s: float, bad: int) -> Style:
    return replace(
        _slower(style, 0.3 * s),
        swing_out_m=_add(style.swing_out_m, bad, 0.18 * s),
        swing_knee=_scale(style.swing_knee, bad, 1.0 - 0.5 * s),
        drop_deg=_add(style.drop_deg, 1 - bad, -6.0 * s),
        width_m=style.width_m + 0.04 * s,
        sway_deg=_add(style.sway_deg, 1 - bad, 4.0 * s),
    )


def _trendelenburg(style: Style, s: float, bad: int) -> Style:
    return replace(
        _slower(style, 0.15 * s),
        drop_deg=_add(style.drop_deg, bad, 8.0 * s),
        sway_deg=_add(style.sway_deg, bad, 13.0 * s),
        width_m=style.width_m + 0.03 * s,
    )


def _waddling(style: Style, s: float, bad: int) -> Style:
    return replace(
        _slower(style, 0.3 * s),
        drop_deg=_both(style.drop_deg, 7.0 * s),
        sway_deg=_both(style.sway_deg, 12.0 * s),
        width_m=style.width_m + 0.08 * s,
        lean_deg=style.lean_deg - 6.0 * s,
        push=_times(style.push, 1.0 - 0.3 * s),
    )


def _parkinsonian(style: Style, s: float, bad: int) -> Style:
    return replace(
        _slower(style, 0.65 * s, 0.05 * s),
        stance_more=_both(style.stance_more, 0.02 * s),
        bend_deg=_both(style.bend_deg, 10.0 * s),
        swing_knee=_times(style.swing_knee, 1.0 - 0.2 * s),
        strike_deg=_both(style.strike_deg, -12.0 * s),
        push=_times(style.push, 1.0 - 0.6 * s),
        lean_deg=style.lean_deg + 20.0 * s,
        head_deg=style.head_deg + 25.0 * s,
        arm_swing=_times(style.arm_swing, 1.0 - 0.95 * s),
        arm_forward_deg=_both(style.arm_forward_deg, 12.0 * s),
        elbow_deg=_both(style.elbow_deg, 45.0 * s),
        turn_deg=style.turn_deg * (1.0 - 0.7 * s),
        time_cv=style.time_cv + 0.03 * s,
    )


def _crouch(style: Style, s: float, bad: int) -> Style:
    return replace(
        _slower(style, 0.3 * s, 0.05 * s),
        bend_deg=_both(style.bend_deg, 32.0 * s),
        lean_deg=style.lean_deg + 8.0 * s,
        strike_deg=_both(style.strike_deg, -12.0 * s),
        push=_times(style.push, 1.0 - 0.3 * s),
    )


def _ataxic(style: Style, s: float, bad: int) -> Style:
    return replace(
        _slower(style, 0.35 * s),
        width_m=style.width_m + 0.16 * s,
        width_sd_m=style.width_sd_m + 0.05 * s,
        time_cv=style.time_cv + 0.09 * s,
        length_cv=style.length_cv + 0.14 * s,
        wobble_deg=style.wobble_deg + 4.0 * s,
        arm_out_deg=_both(style.arm_out_deg, 15.0 * s),
        lift_m=_both(style.lift_m, 0.02 * s),
    )


def _hemiplegic(style: Style, s: float, bad: int) -> Style:
    good = 1 - bad
    return replace(
        _slower(style, 0.5 * s),
        swing_knee=_scale(style.swing_knee, bad, 1.0 - 0.6 * s),
        swing_out_m=_add(style.swing_out_m, bad, 0.12 * s),
        swing_ankle_deg=_add(style.swing_ankle_deg, bad, -16.0 * s),
        strike_deg=_add(style.strike_deg, bad, -22.0 * s),
        drop_deg=_add(style.drop_deg, good, -6.0 * s),
        stance_more=_add(_add(style.stance_more, bad, -0.05 * s), good, 0.03 * s),
        step_share=_add(_add(style.step_share, bad, 0.14 * s), good, -0.14 * s),
        time_share=_add(_add(style.time_share, bad, 0.14 * s), good, -0.14 * s),
        arm_swing=_scale(style.arm_swing, bad, 1.0 - 0.95 * s),
        elbow_deg=_add(style.elbow_deg, bad, 65.0 * s),
        arm_forward_deg=_add(style.arm_forward_deg, bad, 12.0 * s),
        arm_out_deg=_add(style.arm_out_deg, bad, 10.0 * s),
        sway_deg=_add(style.sway_deg, good, 4.0 * s),
    )


def _reduced_arm_swing(style: Style, s: float, bad: int) -> Style:
    return replace(style, arm_swing=_times(style.arm_swing, 1.0 - 0.97 * s))


def _slouched(style: Style, s: float, bad: int) -> Style:
    return replace(
        _slower(style, 0.15 * s),
        lean_deg=style.lean_deg + 16.0 * s,
        head_deg=style.head_deg + 30.0 * s,
        arm_forward_deg=_both(style.arm_forward_deg, 14.0 * s),
        arm_swing=_times(style.arm_swing, 1.0 - 0.4 * s),
        bend_deg=_both(style.bend_deg, 4.0 * s),
    )


PATTERNS: Mapping[str, Callable[[Style, float, int], Style]] = {
    "normal": lambda style, s, bad: style,
    "antalgic": _antalgic,
    "stiff_knee": _stiff_knee,
    "foot_drop": _foot_drop,
    "circumduction": _circumduction,
    "trendelenburg": _trendelenburg,
    "waddling": _waddling,
    "parkinsonian": _parkinsonian,
    "crouch": _crouch,
    "ataxic": _ataxic,
    "hemiplegic": _hemiplegic,
    "reduced_arm_swing": _reduced_arm_swing,
    "slouched": _slouched,
}
"""Named patterns. Antalgic, stiff_knee, foot_drop, circumduction, trendelenburg and hemiplegic have a side."""


def patterned(style: Style, pattern: str, severity: float, side: str) -> Style:
    """A style with a pattern added.

    Args:
        style: how the person walks otherwise.
        pattern: key of `PATTERNS`.
        severity: 0 leaves the style as it is, 1 is strongly marked.
        side: "left" or "right", the side at fault.

    Raises:
        UsageError: unknown pattern or side, or a severity outside 0 to 1.
    """
    if pattern not in PATTERNS:
        raise UsageError(f"no pattern {pattern!r}", hint=f"Valid: {', '.join(PATTERNS)}")
    if side not in ("left", "right"):
        raise UsageError(f"no side {side!r}", hint="Valid: left, right")
    if not 0.0 <= severity <= 1.0:
        raise UsageError(f"severity of {severity}", hint="Give one from 0 to 1")
    return PATTERNS[pattern](style, float(severity), 0 if side == "left" else 1)
