"""Parametric motions with exact truth: standing, squats, and the sample clip's walk over planned footprints.

Other walks, with a style or a pattern, are made by `posepipe.lab.people.gait`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicHermiteSpline, PchipInterpolator
from scipy.ndimage import convolve1d, minimum_filter1d

from posepipe.errors import UsageError
from posepipe.lab.people.body import (
    HEEL_Z_M,
    TOE_Z_M,
    BodyShape,
    Controls,
    foot_points,
    hips,
    leg_limit_m,
    smooth,
    solve,
)  # fmt: skip

__all__ = [
    "ARM_DEG_PER_M", "HEEL_OFF", "HEEL_ROCKER", "Event", "Footprint", "Pose", "Stance", "SynthMotion", "bell", "clock",
    "events_of", "follow", "idle", "plan_path", "planted", "pose_controls", "squat", "squat_controls",
]  # fmt: skip

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens at an instant.

    Attributes:
        time_s: when.
        kind: "heel_strike" or "toe_off".
        side: "left" or "right".
    """

    time_s: float
    kind: str
    side: str


@dataclass(frozen=True, slots=True, eq=False)
class SynthMotion:
    """A motion and all that is true of it.

    Attributes:
        time_s: (F,) float64.
        xyz_m: (F, 21, 3) Body21 joints, world frame, z up, ground at 0.
        events: heel strikes and toe offs, in order of time.
        reps: start and end of each repetition.
    """

    time_s: Array
    xyz_m: Array
    events: tuple[Event, ...] = ()
    reps: tuple[tuple[float, float], ...] = ()

    def __len__(self) -> int:
        return len(self.time_s)


@dataclass(frozen=True, slots=True)
class Stance:
    """Where a standing person's feet are.

    Attributes:
        center_m: ground point between the ankles.
        heading_deg: where the person faces, counter-clockwise from x.
        width_m: distance between the ankles; the hips' own if None.
        toe_out_deg: turn of each foot outwards.
    """

    center_m: tuple[float, float] = (0.0, 0.0)
    heading_deg: float = 0.0
    width_m: float | None = None
    toe_out_deg: float = 8.0


@dataclass(frozen=True, slots=True)
class Pose:
    """Key angles of a standing pose, both sides alike; between keys every angle is blended.

    Attributes:
        shank_deg: lean of the shank, forward from vertical.
        thigh_deg: lean of the thigh, back from vertical; 90 is level.
        lean_deg: lean of the trunk, forward.
        head_pitch_deg: forward.
        shoulder_flex_deg, shoulder_abduct_deg, elbow_flex_deg: see `posepipe.lab.people.body.Controls`.
    """

    shank_deg: float = 3.5
    thigh_deg: float = 3.5
    lean_deg: float = 2.0
    head_pitch_deg: float = 4.0
    shoulder_flex_deg: float = 2.0
    shoulder_abduct_deg: float = 9.0
    elbow_flex_deg: float = 16.0


_SQUAT = Pose(30.0, 90.0, 40.0, 14.0, 88.0, 6.0, 8.0)


def clock(duration_s: float, fps_hz: float) -> Array:
    """Frame times (F,) from 0, at least one.

    Raises:
        UsageError: a duration or rate that isn't positive.
    """
    if not (duration_s > 0 and fps_hz > 0):
        raise UsageError(f"duration {duration_s} s at {fps_hz} Hz", hint="Both must be positive")
    return np.arange(max(1, round(duration_s * fps_hz))) / fps_hz


def pose_controls(shape: BodyShape, stance: Stance, keys: tuple[Pose, Pose], share: ArrayLike) -> Controls:
    """Controls (F frames) of a person on planted feet between two key poses.

    Args:
        shape: build.
        stance: the feet.
        keys: poses at share 0 and 1.
        share: (F,) between them.
    """
    s = np.asarray(share, dtype=np.float64)
    h, count = shape.height_m, len(s)

    def angle(name: str) -> Array:
        a, b = getattr(keys[0], name), getattr(keys[1], name)
        return np.asarray(a + s * (b - a))

    shank, thigh = np.radians(angle("shank_deg")), np.radians(angle("thigh_deg"))
    width = 2.0 * shape.hip_half * h if stance.width_m is None else stance.width_m
    # Legs spread sideways are shorter as seen from the side.
    spread = 0.5 * width - shape.hip_half * h
    down = shape.shank * h * np.cos(shank) + shape.thigh * h * np.cos(thigh)
    ahead = shape.shank * h * np.sin(shank) - shape.thigh * h * np.sin(thigh)
    limit = np.minimum(leg_limit_m(shape), np.hypot(down, ahead))
    down = np.sqrt(np.maximum(limit**2 - ahead**2 - spread**2, 0.0))
    heading = np.radians(stance.heading_deg)
    forward, left = np.array([np.cos(heading), np.sin(heading)]), np.array([-np.sin(heading), np.cos(heading)])
    pelvis = np.empty((count, 3))
    pelvis[:, :2] = np.asarray(stance.center_m) + ahead[:, None] * forward
    pelvis[:, 2] = shape.ankle_height * h + down
    heel, headings = np.empty((count, 2, 3)), np.empty((count, 2))
    for i, sign in enumerate((1.0, -1.0)):
        turn = stance.heading_deg + sign * stance.toe_out_deg
        ankle = np.asarray(stance.center_m) + sign * 0.5 * width * left
        way = np.array([np.cos(np.radians(turn)), np.sin(np.radians(turn))])
        heel[:, i] = [*(ankle - 0.031 * h * way), HEEL_Z_M]
        headings[:, i] = turn
    pair = np.ones((1, 2))
    zero = np.zeros(count)
    return Controls(
        pelvis,
        np.full(count, stance.heading_deg),
        zero,
        angle("lean_deg"),
        zero,
        angle("head_pitch_deg"),
        angle("shoulder_flex_deg")[:, None] * pair,
        angle("shoulder_abduct_deg")[:, None] * pair,
        angle("elbow_flex_deg")[:, None] * pair,
        heel,
        headings,
        np.zeros((count, 2)),
    )


def repeat_share(
    time_s: Array, reps: int, down_s: float, hold_s: float, up_s: float, pause_s: float, start_s: float
) -> tuple[Array, tuple[tuple[float, float], ...]]:
    """Course (F,) from 0 to 1 and back for every repetition, and the bounds of each.

    A repetition starts when the movement down starts and ends when the movement up ends.
    """
    share = np.zeros_like(time_s)
    bounds = []
    begin = start_s
    for _ in range(reps):
        rise = begin + down_s + hold_s
        end = rise + up_s
        share += np.where(time_s < rise, smooth((time_s - begin) / down_s), 1.0 - smooth((time_s - rise) / up_s))
        bounds.append((begin, end))
        begin = end + pause_s
    return share, tuple(bounds)


def squat_controls(shape: BodyShape, stance: Stance, share: ArrayLike, depth: float = 1.0) -> Controls:
    """Controls of squats; `share` (F,) 0 upright to 1 at the bottom, `depth` 1 puts the thighs about level."""
    if not 0.0 < depth <= 1.25:
        raise UsageError(f"depth of {depth}", where="squat", hint="Give one above 0, at most 1.25")
    return pose_controls(shape, stance, (Pose(), _SQUAT), np.asarray(share, dtype=np.float64) * depth)


def squat(
    shape: BodyShape,
    *,
    reps: int = 3,
    depth: float = 1.0,
    fps_hz: float = 30.0,
    down_s: float = 1.1,
    hold_s: float = 0.15,
    up_s: float = 0.95,
    pause_s: float = 0.4,
    lead_s: float = 0.5,
    stance: Stance | None = None,
) -> SynthMotion:
    """Squats with the arms forward.

    Args:
        shape: build.
        reps: number of repetitions.
        depth: 1 puts the thighs about level; less is shallower.
        fps_hz: frame rate.
        down_s: time of the way down.
        hold_s: time at the bottom.
        up_s: time of the way up.
        pause_s: standing time between repetitions.
        lead_s: standing time before and after.
        stance: the feet; a little wider than the hips, toes out, if None.
    """
    if reps < 0:
        raise UsageError(f"{reps} repetitions", where="squat")
    length = 2 * lead_s + reps * (down_s + hold_s + up_s) + max(reps - 1, 0) * pause_s
    time_s = clock(length, fps_hz)
    share, bounds = repeat_share(time_s, reps, down_s, hold_s, up_s, pause_s, lead_s)
    feet = stance or Stance(width_m=0.19 * shape.height_m, toe_out_deg=18.0)
    return SynthMotion(time_s, solve(shape, squat_controls(shape, feet, share, depth)), (), bounds)


def idle(
    shape: BodyShape, duration_s: float = 3.0, *, fps_hz: float = 30.0, stance: Stance | None = None
) -> SynthMotion:
    """Standing, swaying and breathing a little."""
    time_s = clock(duration_s, fps_hz)
    feet = stance or Stance()
    sway = 0.5 + 0.5 * np.sin(2 * np.pi * 0.23 * time_s)
    controls = pose_controls(shape, feet, (Pose(), Pose(4.5, 5.0, 3.0, 6.0, 4.0, 10.0, 19.0)), sway)
    return SynthMotion(time_s, solve(shape, controls))


# Walking over planned footprints: planted feet, exact heel strikes and toe offs.

STANCE_SHARE = 0.62
"""Stance over stride in normal walking (Perry, Gait Analysis)."""

HEEL_ROCKER, HEEL_OFF = 0.12, 0.53
"""Shares of the stance at which the foot is flat, and at which the heel leaves the ground."""
_STRIKE_DEG, _PUSH_DEG = 20.0, 58.0
_FULL_STEP_M = 0.65
_FINE_HZ = 240.0
ARM_DEG_PER_M = 50.0


@dataclass(frozen=True, slots=True)
class Footprint:
    """One foot on the ground.

    Attributes:
        side: "left" or "right".
        heel_m: heel on the ground plane (x, y).
        heading_deg: of the foot.
        strike_s: heel strike; minus infinity for a foot that has always stood there.
        off_s: toe off; infinity for a foot that stays.
    """

    side: str
    heel_m: tuple[float, float]
    heading_deg: float
    strike_s: float
    off_s: float


def _prints(
    shape: BodyShape, line: Array, heading_deg: Array, strikes: Array, width_m: float, step_s: float
) -> tuple[Footprint, ...]:
    """Footprints left and right of a line (N, 2)."""
    prints = []
    for i, (point, heading, strike) in enumerate(zip(line, heading_deg, strikes, strict=True)):
        sign = 1.0 if i % 2 == 0 else -1.0
        angle = np.radians(heading)
        left, forward = np.array([-np.sin(angle), np.cos(angle)]), np.array([np.cos(angle), np.sin(angle)])
        heel = point + sign * 0.5 * width_m * left - 0.031 * shape.height_m * forward
        prints.append(
            Footprint(
                "left" if sign > 0 else "right",
                (float(heel[0]), float(heel[1])),
                float(heading + sign * 5.0),
                float(strike),
                float(strike + STANCE_SHARE * 2.0 * step_s),
            )
        )
    return tuple(prints)


def plan_path(
    shape: BodyShape,
    points_m: Sequence[tuple[float, float]],
    final_heading_deg: float,
    *,
    step_m: float = 0.62,
    step_s: float = 0.56,
    width_m: float = 0.11,
    final_width_m: float = 0.33,
    final_toe_out_deg: float = 18.0,
    first_step: float = 0.5,
) -> tuple[Footprint, ...]:
    """Footprints along a smooth curve that end in a stance.

    Args:
        shape: build.
        points_m: points of the curve, at least two; the walk is under way when the clip starts at the first.
        final_heading_deg: where the person faces at the end.
        step_m: length of a step.
        step_s: time of a step.
        width_m: distance between the feet's lines.
        final_width_m: distance of the ankles in the last stance.
        final_toe_out_deg: turn of the feet outwards in the last stance.
        first_step: share of a step walked when the clip starts.
    """
    points = np.asarray(points_m, dtype=np.float64)
    if points.shape[0] < 2:
        raise UsageError("a path needs two points", where="plan_path")
    chord = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    fine = np.linspace(0.0, chord[-1], 400)
    xy = PchipInterpolator(chord, points)(fine)
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(xy, axis=0), axis=1))])
    tangent = np.unwrap(np.arctan2(*np.gradient(xy, axis=0).T[::-1]))
    count = max(2, round((arc[-1] - first_step * step_m) / step_m))
    where = first_step * step_m + np.arange(-3, count) * step_m
    line = np.stack([np.interp(where, arc, xy[:, k]) for k in (0, 1)], axis=1)
    before = np.minimum(where, 0.0)[:, None] * np.array([np.cos(tangent[0]), np.sin(tangent[0])])
    headings = np.degrees(np.interp(where, arc, tangent))
    strikes = (first_step + np.arange(-3, count)) * step_s
    prints = list(_prints(shape, line + before, headings, strikes, width_m, step_s))
    final = final_heading_deg + 360.0 * round((headings[-1] - final_heading_deg) / 360.0)
    angle = np.radians(final)
    left = np.array([-np.sin(angle), np.cos(angle)])
    center = line[-1] + 0.45 * step_m * np.array([np.cos(np.radians(headings[-1])), np.sin(np.radians(headings[-1]))])
    for i in range(2):
        side = "left" if prints[-1].side == "right" else "right"
        sign = 1.0 if side == "left" else -1.0
        turn = np.radians(final + sign * final_toe_out_deg)
        ankle = center + sign * 0.5 * final_width_m * left
        heel = ankle - 0.031 * shape.height_m * np.array([np.cos(turn), np.sin(turn)])
        strike = prints[-1].strike_s + step_s * (1.0 + 0.1 * i)
        prints.append(Footprint(side, (float(heel[0]), float(heel[1])), float(np.degrees(turn)), float(strike), np.inf))
    return tuple(prints)


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
        s = np.clip((time_s - print_.strike_s) / (HEEL_ROCKER * length), 0.0, 1.0)
        pitch = pitch + size[0] * _STRIKE_DEG * (1.0 - s) ** 2
    if np.isfinite(print_.off_s):
        s = np.clip(1.0 - (print_.off_s - time_s) / ((1.0 - HEEL_OFF) * length), 0.0, 1.0)
        pitch = pitch - size[1] * _PUSH_DEG * s**2
    return pitch


def planted(shape: BodyShape, print_: Footprint, pitch_deg: Array) -> tuple[Array, Array]:
    """Heel (F, 3) and heading (F,) of a foot on its print: over the heel, flat, or, pitched down, over the ball."""
    heading = np.full_like(pitch_deg, print_.heading_deg)
    place = np.array([*print_.heel_m, HEEL_Z_M])
    _, flat = foot_points(shape, np.array(print_.heading_deg), np.array(0.0))
    _, toe = foot_points(shape, heading, pitch_deg)
    return np.where((pitch_deg < 0.0)[:, None], place + flat - toe, place), heading


def _stance(shape: BodyShape, print_: Footprint, size: tuple[float, float], time_s: Array) -> _Foot:
    pitch = _stance_pitch(print_, size, time_s)
    return _Foot(*planted(shape, print_, pitch), pitch)


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


def bell(length_s: float, rate_hz: float) -> Array:
    """Weights, summing to 1, of a mean over a length of time on both sides."""
    kernel = np.hanning(2 * round(length_s * rate_hz) + 3)[1:-1]
    return np.asarray(kernel / kernel.sum(), dtype=np.float64)


def events_of(prints: Sequence[Footprint], time_s: Array) -> tuple[Event, ...]:
    """Heel strikes and toe offs within a clip, in order of time."""
    both = [Event(p.strike_s, "heel_strike", p.side) for p in prints]
    both += [Event(p.off_s, "toe_off", p.side) for p in prints]
    return tuple(sorted((e for e in both if time_s[0] <= e.time_s <= time_s[-1]), key=lambda e: e.time_s))


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
    xy, yaw = (convolve1d(v, bell(0.06, _FINE_HZ), axis=0, mode="nearest") for v in (xy, yaw))
    hip = hips(shape, yaw, roll)
    flat = np.linalg.norm(xy[:, None] + hip[..., :2] - feet.ankle_m[..., :2], axis=-1)
    limit = leg_limit_m(shape)
    if float(flat.max()) > 0.8 * limit:
        raise UsageError(f"a foot is {flat.max():.2f} m away", where="follow", hint="Shorten the steps")
    room = (feet.ankle_m[..., 2] + np.sqrt(limit**2 - flat**2) - hip[..., 2]).min(axis=1)
    # A mean over minima of the same window never exceeds the value in its middle.
    kernel = bell(0.05, _FINE_HZ)
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
    arm = ARM_DEG_PER_M * (swing[:, ::-1] - swing.mean(axis=1, keepdims=True))
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
    return controls, events_of(plan, time_s)
