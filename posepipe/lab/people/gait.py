"""Synthetic walkers with exact truth: normal and abnormal, overground or on a treadmill, straight or there and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.body.angles import joint_angles
from posepipe.errors import UsageError
from posepipe.gait.events import EVENT
from posepipe.lab.people.body import BodyShape
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.gait_styles import PATTERNS, Style, normal_style, patterned
from posepipe.lab.people.gait_walker import Course, Walker, plan_walk
from posepipe.lab.people.motion import Event, Footprint, SynthMotion, clock, events_of
from posepipe.lab.people.render import Person, render_frame
from posepipe.lab.people.scene import Light, Room
from posepipe.media.writer import VideoWriter
from posepipe.skeleton import BODY21
from posepipe.types import Angles, Frame, PoseTrack

__all__ = [
    "CAMERAS", "PATTERNS", "Filmed", "SynthWalk", "cameras_for", "film_walk", "make_walk", "true_angles", "write_film",
]  # fmt: skip

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
        events: heel strikes and toe offs in the clip as a force plate would feel them, in order of time.
        prints: footprints, also before and after the clip; their times are those of the foot's movement.
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
        return _truth(_felt(self.prints), float(self.time_s[0]), float(self.time_s[-1]))

    def angles(self) -> Angles:
        """Joint angles of the true body, as `posepipe.body.angles` defines them; sigma is 0."""
        return true_angles(self.time_s, self.xyz_m)


def true_angles(time_s: Array, xyz_m: Array) -> Angles:
    """Joint angles of a body known exactly, as `posepipe.body.angles` defines them; sigma is 0.

    Args:
        time_s: (F,).
        xyz_m: (F, 21, 3) Body21 joints, world frame, z up.
    """
    return joint_angles(_pose(time_s, xyz_m), up=(0.0, 0.0, 1.0))


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
    events = events_of(_felt(prints), time_s)
    return SynthWalk(time_s, xyz, events, prints, shape, style, pattern, severity, side, treadmill)


def _felt(prints: tuple[Footprint, ...]) -> tuple[Footprint, ...]:
    """Footprints as a force plate would feel them: 20 N come a little after the foot has landed, and go after it left.

    How much later is a setting of `posepipe.gait.events`, measured on real children; a walker here has no weight.
    """
    return tuple(
        replace(p, strike_s=p.strike_s + EVENT.plate_strike_s, off_s=p.off_s + EVENT.plate_off_s) for p in prints
    )


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


# Walkers on film: cameras that stand, turn with the person or go along, and the pictures they take.

CAMERAS = ("static", "pan", "follow")
"""How a camera moves: not at all, turning where it stands, or going along with the person."""

Image = NDArray[np.uint8]


class Filmed(Protocol):
    """What a camera films."""

    @property
    def time_s(self) -> Array:
        """(F,)."""

    @property
    def xyz_m(self) -> Array:
        """(F, 21, 3) Body21 joints, world frame, z up."""

    @property
    def shape(self) -> BodyShape:
        """Build and clothes."""

    @property
    def treadmill(self) -> bool:
        """Whether the person stays in place."""


_ROOM_M = 60.0
_HALF_VIEW = 0.42
_COARSE = 4


def cameras_for(
    walk: Filmed,
    *,
    yaw_deg: float = 90.0,
    kind: str = "static",
    size_px: tuple[int, int] = (640, 480),
    distance_m: float | None = None,
    height_m: float = 1.1,
) -> tuple[SynthCamera, ...]:
    """A camera for each frame, the whole body in every picture.

    Args:
        walk: who is filmed.
        yaw_deg: where the person faces at the start, as in `posepipe.body.motion`: 90 shows the left side, 0 the
            front, 180 the back.
        kind: one of `CAMERAS`.
        size_px: width and height.
        distance_m: from the middle of the way; near enough to fill the picture if None.
        height_m: of the camera over the ground.

    Raises:
        UsageError: unknown kind.
    """
    if kind not in CAMERAS:
        raise UsageError(f"no camera {kind!r}", hint=f"Valid: {', '.join(CAMERAS)}")
    width, height = size_px
    pelvis = walk.xyz_m[:, 0]
    ahead = pelvis[min(len(pelvis) - 1, 10), :2] - pelvis[0, :2]
    across = walk.xyz_m[0, 4, :2] - walk.xyz_m[0, 1, :2]  # left hip from right hip
    facing = np.array([across[1], -across[0]]) if walk.treadmill else ahead
    bearing = np.arctan2(facing[1], facing[0]) + np.radians(yaw_deg)
    away = np.array([np.cos(bearing), np.sin(bearing)])
    middle = 0.5 * (pelvis[:, :2].min(axis=0) + pelvis[:, :2].max(axis=0))
    focal = 1.15 * max(size_px)
    tall = 1.25 * walk.shape.height_m * focal / height
    if distance_m is None:
        place = pelvis[:, :2] - middle
        aside = np.abs(place @ np.array([-away[1], away[0]])) + 0.55 * walk.shape.height_m
        nearer = place @ away
        # For every frame tall enough, and for a camera that stands still wide enough.
        need = np.full(len(pelvis), tall) if kind == "follow" else tall + nearer
        if kind == "static":
            need = np.maximum(need, aside * focal / (_HALF_VIEW * width) + nearer)
        distance_m = float(need.max())
        distance_m = max(distance_m, 2.2)
    level = 0.52 * walk.shape.height_m
    cameras = []
    for x, y in pelvis[:, :2]:
        target = np.array([x, y]) if kind != "static" else middle
        stand = (np.array([x, y]) if kind == "follow" else middle) + distance_m * away
        cameras.append(
            SynthCamera(
                (float(stand[0]), float(stand[1]), height_m),
                (float(target[0]), float(target[1]), level),
                focal,
                width,
                height,
            )
        )
    return tuple(cameras)


def film_walk(
    walk: Filmed,
    cameras: Sequence[SynthCamera],
    *,
    room: Room | None = None,
    light: Light | None = None,
    supersample: int = 2,
) -> Iterator[Frame]:
    """Rendered frames of a walk, one for each camera."""
    room = room or Room(half_m=(_ROOM_M, _ROOM_M), kind="plain")
    last: SynthCamera | None = None
    picture: Image | None = None
    for index, (time_s, xyz, camera) in enumerate(zip(walk.time_s, walk.xyz_m, cameras, strict=True)):
        if picture is None or camera != last:
            picture, last = _backdrop(room, camera), camera
        person = Person(xyz, walk.shape)
        image = render_frame([person], camera, scene=picture, light=light, supersample=supersample)
        yield Frame(index, float(time_s), image)


def _backdrop(room: Room, camera: SynthCamera) -> Image:
    """The room, coarse: a moving camera needs a new one for each frame."""
    size = camera.width_px, camera.height_px
    small = replace(
        camera, focal_px=camera.focal_px / _COARSE, width_px=size[0] // _COARSE, height_px=size[1] // _COARSE
    )
    return np.asarray(cv2.resize(room.picture(small), size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def write_film(path: Path, walk: Filmed, cameras: Sequence[SynthCamera], *, room: Room | None = None) -> None:
    """Render a walk into a video file.

    Raises:
        OutputError: it can't be written.
    """
    rate = 1.0 / float(np.median(np.diff(walk.time_s)))
    with VideoWriter(path, cameras[0].width_px, cameras[0].height_px, rate, crf=20) as writer:
        for frame in film_walk(walk, cameras, room=room):
            writer.write(frame.image, frame.time_s)
