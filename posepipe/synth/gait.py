"""Synthetic walkers with exact truth: normal and abnormal, overground or on a treadmill, straight or there and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import UsageError
from posepipe.motion.angles import joint_angles
from posepipe.skeleton import BODY21
from posepipe.synth.body import BodyShape
from posepipe.synth.footprints import Footprint
from posepipe.synth.gait_plan import Course, plan_walk
from posepipe.synth.gait_styles import PATTERNS, Style, normal_style, patterned
from posepipe.synth.gait_walker import Walker
from posepipe.synth.motion import Event, SynthMotion, clock
from posepipe.types import Angles, PoseTrack

__all__ = ["PATTERNS", "GaitTruth", "SynthWalk", "make_walk"]

Array = NDArray[np.float64]

_SIDES = ("left", "right")
_TRIES = 4


@dataclass(frozen=True, slots=True)
class GaitTruth:
    """What is true of a walk, from the footprints of strides wholly within the clip and outside turns.

    Attributes:
        cadence_spm: steps per minute.
        stride_time_s, step_time_s, step_length_m, stance_pct: means by side; a step belongs to the foot that lands.
        double_support_pct: of the stride.
        step_width_m: mean distance of the feet's lines.
        walking_speed_mps: stride length over stride time.
    """

    cadence_spm: float
    stride_time_s: Mapping[str, float]
    step_time_s: Mapping[str, float]
    step_length_m: Mapping[str, float]
    stance_pct: Mapping[str, float]
    double_support_pct: float
    step_width_m: float
    walking_speed_mps: float


@dataclass(frozen=True, slots=True, eq=False)
class SynthWalk:
    """A walk and all that is true of it.

    Attributes:
        time_s: (F,).
        xyz_m: (F, 21, 3) Body21 joints, world frame, z up; the belt's frame stands still on a treadmill.
        events: heel strikes and toe offs in the clip, in order of time.
        prints: footprints, also before and after the clip.
        shape: build and clothes.
        style: how the person walks.
        pattern, severity, side: what was asked for.
        treadmill: whether the person stays in place.
    """

    time_s: Array
    xyz_m: Array
    events: tuple[Event, ...]
    prints: tuple[Footprint, ...]
    shape: BodyShape
    style: Style
    pattern: str
    severity: float
    side: str
    treadmill: bool

    def __len__(self) -> int:
        return len(self.time_s)

    @property
    def motion(self) -> SynthMotion:
        """For the renderer."""
        return SynthMotion(self.time_s, self.xyz_m, self.events)

    @property
    def truth(self) -> GaitTruth:
        """Parameters, exactly."""
        return _truth(self.prints, float(self.time_s[0]), float(self.time_s[-1]))

    def angles(self) -> Angles:
        """Joint angles of the true body, as `posepipe.motion.angles` defines them; sigma is 0."""
        return joint_angles(_pose(self.time_s, self.xyz_m), up=(0.0, 0.0, 1.0))


def _pose(time_s: Array, xyz_m: Array) -> PoseTrack:
    flat = np.zeros(xyz_m.shape[:2], np.float32)
    valid = np.ones(flat.shape, dtype=bool)
    relative = (xyz_m - xyz_m[:, :1]).astype(np.float32)
    root = xyz_m[:, 0].astype(np.float32)
    return PoseTrack(BODY21, time_s, relative, flat, root, np.zeros_like(root), valid, ~valid)


def make_walk(
    rng: np.random.Generator,
    *,
    pattern: str = "normal",
    severity: float = 0.0,
    side: str = "left",
    speed_mps: float | None = None,
    duration_s: float = 6.0,
    fps_hz: float = 60.0,
    shape: BodyShape | None = None,
    height_m: float | None = None,
    style: Style | None = None,
    treadmill: bool = False,
    turn_m: float | None = None,
    heading_deg: float = 0.0,
    start_m: tuple[float, float] = (0.0, 0.0),
) -> SynthWalk:
    """One walk of one person.

    Args:
        rng: source of chance: person, style, and the variation from step to step.
        pattern: key of `PATTERNS`.
        severity: 0 to 1.
        side: of a one-sided pattern.
        speed_mps: speed before the pattern slows it; the person's own if None.
        duration_s: length of the clip; the walk is under way when it starts.
        fps_hz: frame rate.
        shape: build; drawn if None.
        height_m: stature of a drawn build.
        style: how the person walks otherwise; drawn if None.
        treadmill: the person stays in place and the ground moves.
        turn_m: the person turns round after this way; None for straight on.
        heading_deg: direction, counter-clockwise from x.
        start_m: ground point at time 0, about.

    Raises:
        UsageError: unknown pattern or side, or settings that don't make a walk.
    """
    if treadmill and turn_m is not None:
        raise UsageError("nobody turns round on a treadmill", where="make_walk")
    time_s = clock(duration_s, fps_hz)
    shape = shape if shape is not None else BodyShape.random(rng, height_m)
    style = style if style is not None else normal_style(rng, shape.height_m, speed_mps)
    style = patterned(style, pattern, severity, side)
    course = Course(start_m, heading_deg, turn_m)
    wobble = np.array([[style.wobble_deg], [1.0], [1.0]]) * rng.uniform(0.5, 1.2, (3, 3))
    wobble[1:] = rng.uniform(0.15, 0.7, 3), rng.uniform(0.0, 6.28, 3)
    for attempt in range(_TRIES):
        prints = plan_walk(rng, style, shape, course, duration_s)
        try:
            xyz = Walker(shape, style, prints, wobble).positions(time_s)
            break
        except UsageError:
            if attempt == _TRIES - 1:
                raise
            # A long step on short legs: take shorter ones, faster.
            style = replace(style, cadence_spm=style.cadence_spm * 1.08)
    if treadmill:
        angle = np.radians(heading_deg)
        belt = style.speed_mps * np.array([np.cos(angle), np.sin(angle)])
        xyz[..., :2] -= (time_s[:, None] * belt)[:, None]
    return SynthWalk(time_s, xyz, _events(prints, time_s), prints, shape, style, pattern, severity, side, treadmill)


def _events(prints: tuple[Footprint, ...], time_s: Array) -> tuple[Event, ...]:
    both = [Event(p.strike_s, "heel_strike", p.side) for p in prints] + [
        Event(p.off_s, "toe_off", p.side) for p in prints
    ]
    inside = [event for event in both if time_s[0] <= event.time_s <= time_s[-1]]
    return tuple(sorted(inside, key=lambda event: event.time_s))


def _truth(prints: tuple[Footprint, ...], start_s: float, end_s: float) -> GaitTruth:
    found: dict[str, dict[str, list[float]]] = {
        name: {side: [] for side in _SIDES} for name in ("stride", "step", "length", "stance")
    }
    double: list[float] = []
    width: list[float] = []
    strides: list[float] = []
    for i in range(2, len(prints)):
        old, other, new = prints[i - 2], prints[i - 1], prints[i]
        turned = abs(new.heading_deg - old.heading_deg) > 1e-6
        if old.strike_s < start_s or new.strike_s > end_s or turned:
            continue
        # Headings of both feet hold the toe-out; their mean is the way.
        way = np.radians(0.5 * (old.heading_deg + other.heading_deg))
        forward, left = np.array([np.cos(way), np.sin(way)]), np.array([-np.sin(way), np.cos(way)])
        stride = new.strike_s - old.strike_s
        found["stride"][new.side].append(stride)
        found["stance"][old.side].append(100.0 * (old.off_s - old.strike_s) / stride)
        for late, early in ((new, other), (other, old)):
            gap = np.subtract(late.heel_m, early.heel_m)
            found["step"][late.side].append(late.strike_s - early.strike_s)
            found["length"][late.side].append(float(gap @ forward))
            width.append(abs(float(gap @ left)))
        both_down = (prints[i - 3].off_s - old.strike_s if i >= 3 else np.nan) + old.off_s - other.strike_s
        double.append(100.0 * both_down / stride)
        strides.append(float(np.hypot(*np.subtract(new.heel_m, old.heel_m))) / stride)

    def mean(values: list[float]) -> float:
        return float(np.nanmean(values)) if values else float("nan")

    sides = {name: {side: mean(values) for side, values in pairs.items()} for name, pairs in found.items()}
    return GaitTruth(
        120.0 / mean(list(sides["stride"].values())),
        sides["stride"],
        sides["step"],
        sides["length"],
        sides["stance"],
        mean(double),
        mean(width),
        mean(strides),
    )
