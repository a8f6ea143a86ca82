"""Parametric motions with exact truth: standing and squats here, walking in `posepipe.synth.walking`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posepipe.errors import UsageError
from posepipe.synth.body import BodyShape
from posepipe.synth.kinematics import HEEL_Z_M, Controls, leg_limit_m, smooth, solve

__all__ = ["Event", "Pose", "Stance", "SynthMotion", "clock", "idle", "pose_controls", "squat", "squat_controls"]

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
        shoulder_flex_deg, shoulder_abduct_deg, elbow_flex_deg: see `posepipe.synth.kinematics.Controls`.
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
