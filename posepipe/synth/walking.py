"""Walking over planned footprints: planted feet, exact heel strikes and toe offs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicHermiteSpline, PchipInterpolator
from scipy.ndimage import convolve1d, minimum_filter1d

from posepipe.errors import UsageError
from posepipe.synth.body import BodyShape
from posepipe.synth.footprints import Footprint, plan_straight
from posepipe.synth.kinematics import (
    HEEL_Z_M,
    TOE_Z_M,
    Controls,
    foot_points,
    hips,
    leg_limit_m,
    solve,
)
from posepipe.synth.motion import Event, SynthMotion, clock

__all__ = ["follow", "walk"]

Array = NDArray[np.float64]

_HEEL_ROCKER, _HEEL_OFF = 0.12, 0.53
"""Shares of the stance at which the foot is flat, and at which the heel leaves the ground."""
_STRIKE_DEG, _PUSH_DEG = 20.0, 58.0
_FULL_STEP_M = 0.65
_FINE_HZ = 240.0
_ARM_DEG_PER_M = 50.0


@dataclass(frozen=True, slots=True, eq=False)
class _Foot:
    heel_m: Array
    heading_deg: Array
    pitch_deg: Array


def _stance_pitch(print_: Footprint, size: tuple[float, float], time_s: Array) -> Array:
    """Pitch of a foot on the ground: it rolls over the heel, stands, rolls over the ball."""
    pitch = np.zeros_like(time_s)
    length = print_.off_s - print_.strike_s if np.isfinite(print_.off_s - print_.strike_s) else 0.8
    if np.isfinite(print_.strike_s):
        s = np.clip((time_s - print_.strike_s) / (_HEEL_ROCKER * length), 0.0, 1.0)
        pitch = pitch + size[0] * _STRIKE_DEG * (1.0 - s) ** 2
    if np.isfinite(print_.off_s):
        s = np.clip(1.0 - (print_.off_s - time_s) / ((1.0 - _HEEL_OFF) * length), 0.0, 1.0)
        pitch = pitch - size[1] * _PUSH_DEG * s**2
    return pitch


def _stance(shape: BodyShape, print_: Footprint, size: tuple[float, float], time_s: Array) -> _Foot:
    pitch = _stance_pitch(print_, size, time_s)
    heading = np.full_like(time_s, print_.heading_deg)
    heel = np.empty((len(time_s), 3))
    heel[:] = [*print_.heel_m, HEEL_Z_M]
    _, flat_toe = foot_points(shape, np.array(print_.heading_deg), np.array(0.0))
    _, toe = foot_points(shape, heading, pitch)
    rolled = np.array([*print_.heel_m, HEEL_Z_M]) + flat_toe - toe
    return _Foot(np.where((pitch < 0.0)[:, None], rolled, heel), heading, pitch)


def _swing(
    shape: BodyShape,
    old: Footprint,
    new: Footprint,
    sizes: tuple[tuple[float, float], tuple[float, float]],
    time_s: Array,
) -> _Foot:
    """A foot in the air, from one footprint to the next with the speeds it has at both."""
    h = 1e-3
    a, b = old.off_s, new.strike_s
    start = _stance(shape, old, sizes[0], np.array([a - h, a]))
    end = _stance(shape, new, sizes[1], np.array([b, b + h]))

    def ankle(foot: _Foot) -> Array:
        return np.asarray(foot.heel_m + foot_points(shape, foot.heading_deg, foot.pitch_deg)[0])

    p0, p1 = ankle(start), ankle(end)
    pitch = CubicHermiteSpline(
        [a, b], [start.pitch_deg[1], end.pitch_deg[0]], [(start.pitch_deg[1] - start.pitch_deg[0]) / h * 0.5, 0.0]
    )(time_s)
    path = CubicHermiteSpline([a, b], [p0[1], p1[0]], [(p0[1] - p0[0]) / h, 0.3 * (p1[1] - p1[0]) / h])(time_s)
    s = (time_s - a) / (b - a)
    turn = s * s * (3.0 - 2.0 * s)
    heading = old.heading_deg + turn * (new.heading_deg - old.heading_deg)
    reach = float(np.hypot(*np.subtract(new.heel_m, old.heel_m)))
    lift = 0.03 + 0.02 * min(1.0, reach / (2 * _FULL_STEP_M))
    path[:, 2] += lift * (np.sin(np.pi * s) ** 2)
    offset, toe = foot_points(shape, heading, pitch)
    heel = path - offset
    # Heel and ball stay over the ground while the foot is in the air.
    low = np.minimum(heel[:, 2] - HEEL_Z_M, heel[:, 2] + toe[:, 2] - TOE_Z_M)
    heel[:, 2] += np.maximum(0.012 * np.sin(np.pi * s) - low, 0.0)
    return _Foot(heel, heading, pitch)


def _sizes(prints: Sequence[Footprint]) -> list[tuple[float, float]]:
    """How fully each footprint rolls over heel and ball: short steps roll less."""
    full = 2.0 * _FULL_STEP_M
    steps = [float(np.hypot(*np.subtract(b.heel_m, a.heel_m))) for a, b in pairwise(prints)]
    share = [min(1.0, step / full) for step in steps]
    return [(a, b) for a, b in zip([share[0], *share], [*share, share[-1]], strict=True)] if share else [(1.0, 1.0)]


def _foot(shape: BodyShape, prints: Sequence[Footprint], time_s: Array) -> _Foot:
    sizes = _sizes(prints)
    heel, heading, pitch = np.empty((len(time_s), 3)), np.empty_like(time_s), np.empty_like(time_s)
    if time_s[0] < prints[0].strike_s or time_s[-1] > prints[-1].off_s:
        raise UsageError("the footprints don't cover the clip", where="follow", hint="Plan more steps")

    def put(part: NDArray[np.bool_], foot: _Foot) -> None:
        heel[part], heading[part], pitch[part] = foot.heel_m, foot.heading_deg, foot.pitch_deg

    for i, print_ in enumerate(prints):
        part = (time_s >= print_.strike_s) & (time_s <= print_.off_s)
        if part.any():
            put(part, _stance(shape, print_, sizes[i], time_s[part]))
        if i + 1 < len(prints):
            part = (time_s > print_.off_s) & (time_s < prints[i + 1].strike_s)
            if part.any():
                put(part, _swing(shape, print_, prints[i + 1], (sizes[i], sizes[i + 1]), time_s[part]))
    return _Foot(heel, heading, pitch)


def _course(plan: Sequence[Footprint], time_s: Array) -> tuple[Array, Array, Array]:
    """Ground point under the pelvis (F, 2), heading and roll: between the feet at each strike, then over the one foot.

    The pelvis turns 5 degrees with the leading leg and drops 3 degrees over the swinging one (Perry, Gait Analysis).
    """
    ordered = sorted(plan, key=lambda p: (p.strike_s, p.side))
    knots: list[float] = []
    rows: list[Array] = []  # x, y, heading, roll
    straight: list[float] = []  # heading without the leg's turn
    for before, now in pairwise(ordered):
        middle = 0.5 * (np.asarray(before.heel_m) + np.asarray(now.heel_m))
        heading = 0.5 * (before.heading_deg + now.heading_deg)
        angle = np.radians(heading)
        forward, left = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        strike = now.strike_s if np.isfinite(now.strike_s) else time_s[0] - 1.0
        lead = float(np.subtract(now.heel_m, before.heel_m) @ forward)
        if knots:
            stand = 0.5 * (rows[-1][:2] + middle)
            stand = stand + 0.4 * float((np.asarray(before.heel_m) - stand) @ left) * left
            knots.append(0.5 * (knots[-1] + strike))
            rows.append(np.array([*stand, 0.5 * (straight[-1] + heading), 3.0 if before.side == "left" else -3.0]))
        turn = float(np.clip(lead / _FULL_STEP_M, -1.0, 1.0)) * (5.0 if now.side == "right" else -5.0)
        knots.append(strike)
        rows.append(np.array([*middle, heading + turn, 0.0]))
        straight.append(heading)
    knots.append(knots[-1] + 0.5)
    rows.append(np.array([*rows[-1][:2], straight[-1], 0.0]))
    values = PchipInterpolator(knots, np.array(rows))(np.clip(time_s, knots[0], knots[-1]))
    return values[:, :2], values[:, 2], values[:, 3]


def _window(length_s: float) -> Array:
    kernel = np.hanning(2 * round(length_s * _FINE_HZ) + 3)[1:-1]
    return np.asarray(kernel / kernel.sum())


@dataclass(frozen=True, slots=True, eq=False)
class _Feet:
    heel_m: Array
    heading_deg: Array
    pitch_deg: Array
    ankle_m: Array


def _feet(shape: BodyShape, plan: Sequence[Footprint], time_s: Array) -> _Feet:
    """Both feet, left then right, on axis 1."""
    both = [_foot(shape, [p for p in plan if p.side == side], time_s) for side in ("left", "right")]
    heel = np.stack([foot.heel_m for foot in both], axis=1)
    heading = np.stack([foot.heading_deg for foot in both], axis=1)
    pitch = np.stack([foot.pitch_deg for foot in both], axis=1)
    return _Feet(heel, heading, pitch, heel + foot_points(shape, heading, pitch)[0])


def _pelvis(shape: BodyShape, plan: Sequence[Footprint], time_s: Array) -> tuple[Array, Array, Array]:
    """Pelvis (F, 3), heading and roll: as high as the legs let it be, without jerks."""
    # On a grid of its own, so that the motion doesn't depend on the frame rate.
    count = max(2, int(np.ceil((time_s[-1] - time_s[0]) * _FINE_HZ)) + 1)
    grid = np.linspace(time_s[0], max(time_s[-1], time_s[0] + 1e-3), count)
    feet = _feet(shape, plan, np.minimum(grid, time_s[-1]))
    xy, yaw, roll = _course(plan, grid)
    xy = xy + 0.031 * shape.height_m * np.stack([np.cos(np.radians(yaw)), np.sin(np.radians(yaw))], axis=1)
    xy, yaw = (convolve1d(v, _window(0.06), axis=0, mode="nearest") for v in (xy, yaw))
    hip = hips(shape, yaw, roll)
    flat = np.linalg.norm(xy[:, None] + hip[..., :2] - feet.ankle_m[..., :2], axis=-1)
    limit = leg_limit_m(shape)
    if float(flat.max()) > 0.8 * limit:
        raise UsageError(f"a foot is {flat.max():.2f} m away", where="follow", hint="Shorten the steps")
    room = (feet.ankle_m[..., 2] + np.sqrt(limit**2 - flat**2) - hip[..., 2]).min(axis=1)
    # A mean over minima of the same window never exceeds the value in its middle.
    kernel = _window(0.05)
    height = convolve1d(minimum_filter1d(room, len(kernel), mode="nearest"), kernel, mode="nearest")
    table = np.concatenate([xy, height[:, None], yaw[:, None], roll[:, None]], axis=1)
    values = np.stack([np.interp(time_s, grid, column) for column in table.T], axis=1)
    return values[:, :3], values[:, 3], values[:, 4]


def follow(shape: BodyShape, plan: Sequence[Footprint], time_s: Array) -> tuple[Controls, tuple[Event, ...]]:
    """Controls of a walk over footprints, and the heel strikes and toe offs within the clip.

    Raises:
        UsageError: the footprints don't cover the clip, or a step is out of the leg's reach.
    """
    feet = _feet(shape, plan, time_s)
    pelvis, yaw, roll = _pelvis(shape, plan, time_s)
    forward = np.stack([np.cos(np.radians(yaw)), np.sin(np.radians(yaw))], axis=1)
    swing = np.einsum("fsk,fk->fs", feet.ankle_m[..., :2] - pelvis[:, None, :2], forward)
    # Each arm follows the other side's foot.
    arm = _ARM_DEG_PER_M * (swing[:, ::-1] - swing.mean(axis=1, keepdims=True))
    count = len(time_s)
    controls = Controls(
        pelvis,
        yaw,
        roll,
        np.full(count, 4.0),
        -0.25 * (arm[:, 0] - arm[:, 1]) / 2.0,
        np.full(count, 5.0),
        arm,
        np.full((count, 2), 9.0),
        22.0 + 0.5 * np.maximum(arm, -10.0),
        feet.heel_m,
        feet.heading_deg,
        feet.pitch_deg,
    )
    events = [Event(p.strike_s, "heel_strike", p.side) for p in plan] + [
        Event(p.off_s, "toe_off", p.side) for p in plan
    ]
    inside = [e for e in events if time_s[0] <= e.time_s <= time_s[-1]]
    return controls, tuple(sorted(inside, key=lambda e: e.time_s))


def walk(
    shape: BodyShape,
    duration_s: float = 4.0,
    *,
    fps_hz: float = 30.0,
    speed_mps: float = 1.25,
    cadence_spm: float = 112.0,
    width_m: float = 0.11,
    heading_deg: float = 0.0,
    start_m: tuple[float, float] = (0.0, 0.0),
) -> SynthMotion:
    """A steady walk straight ahead.

    Args:
        shape: build.
        duration_s: length of the clip.
        fps_hz: frame rate.
        speed_mps: walking speed; with the cadence it gives the step length.
        cadence_spm: steps per minute.
        width_m: distance between the feet's lines.
        heading_deg: direction, counter-clockwise from x.
        start_m: ground point of the left heel strike at time 0, about.

    Raises:
        UsageError: steps too long for the legs.
    """
    time_s = clock(duration_s, fps_hz)
    plan = plan_straight(
        shape,
        duration_s,
        speed_mps=speed_mps,
        cadence_spm=cadence_spm,
        width_m=width_m,
        heading_deg=heading_deg,
        start_m=start_m,
    )
    controls, events = follow(shape, plan, time_s)
    return SynthMotion(time_s, solve(shape, controls), events)
