"""People in a room with exact truth, filmed by a camera anywhere: pitched, rolled, low or high, still or turning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.lab.people.body import BodyShape
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.exercises.takes import make_exercise
from posepipe.lab.people.gait import make_walk
from posepipe.lab.people.render import Person, render_frame
from posepipe.lab.people.scene import Light, Room
from posepipe.media.writer import VideoWriter
from posepipe.skeleton import BODY21

__all__ = ["FEET", "MOVES", "RoomClip", "draw_camera", "draw_clip", "write_clip"]

Array = NDArray[np.float64]
Image = NDArray[np.uint8]
Rng = np.random.Generator

MOVES = ("walk side", "walk oblique", "walk towards", "walk turn", "squat", "lunge", "jumping_jack", "deadlift")
"""What people do: walks as a camera may see them, and exercises by their label."""

_VIEW_DEG = {"walk side": (75.0, 105.0), "walk oblique": (30.0, 60.0), "walk towards": (0.0, 15.0)}
_SIZES = ((640, 480), (480, 640), (768, 432))
_MARGIN = 0.96
"""Share of the picture within which all joints stay."""
_LEAN_BAND_DEG = (-30.0, 10.0)


@dataclass(frozen=True, slots=True, eq=False)
class RoomClip:
    """A movement in a room and the camera that films it.

    Attributes:
        move: one of `MOVES`.
        time_s: (F,).
        xyz_m: (F, 21, 3) Body21 joints, z up, the floor at 0.
        shape: build and clothes.
        cameras: one for each frame, or a single one that stands still.
        seed: of everything drawn.
    """

    move: str
    time_s: Array
    xyz_m: Array
    shape: BodyShape
    cameras: tuple[SynthCamera, ...]
    seed: int

    @property
    def camera(self) -> SynthCamera:
        """The first frame's."""
        return self.cameras[0]

    @property
    def up(self) -> Array:
        """(3,) against gravity in the first frame's camera."""
        return np.asarray(self.camera.rotation[:, 2])


def draw_clip(move: str, seed: int, *, fps_hz: float = 30.0, roll_deg: float | None = None) -> RoomClip:
    """A clip of a movement, with a camera that keeps the whole body in the picture.

    Args:
        move: one of `MOVES`.
        seed: of everything that chance decides.
        fps_hz: frame rate.
        roll_deg: of the camera; by chance if None: half of them hand-held level, half up to 20 degrees.
    """
    rng = np.random.default_rng([seed, MOVES.index(move)])
    time_s, xyz, shape = _movement(move, rng, fps_hz)
    for _ in range(200):
        camera = draw_camera(move, xyz, rng, roll_deg)
        if camera is not None:
            return RoomClip(move, time_s, xyz, shape, (camera,), seed)
    raise RuntimeError(f"no camera found for {move}, seed {seed}")


def _movement(move: str, rng: Rng, fps_hz: float) -> tuple[Array, Array, BodyShape]:
    if move.startswith("walk"):
        turn_m = 2.2 if move == "walk turn" else None
        walk = make_walk(rng, duration_s=5.0 if turn_m else 3.5, fps_hz=fps_hz, turn_m=turn_m)
        return walk.time_s, walk.xyz_m, walk.shape
    take = make_exercise(move, rng, fps_hz=fps_hz, reps=3, context=0.0, cut=0.0, partial=0.0, noise_deg=0.0)
    most = int(7.0 * fps_hz)
    shape = BodyShape.random(rng)
    return take.time_s[:most], take.positions[:most], shape


def draw_camera(move: str, xyz: Array, rng: Rng, roll_deg: float | None) -> SynthCamera | None:
    """One try; None if the body leaves the picture, or the camera leans more than cameras do."""
    width, height = _SIZES[rng.integers(len(_SIZES))]
    middle = 0.5 * (xyz.min(axis=(0, 1)) + xyz.max(axis=(0, 1)))
    ahead = xyz[min(len(xyz) - 1, 20), 0, :2] - xyz[0, 0, :2]
    low, high = _VIEW_DEG.get(move, (0.0, 360.0))
    bearing = np.arctan2(ahead[1], ahead[0]) + np.radians(rng.uniform(low, high) * rng.choice([-1.0, 1.0]))
    if move in ("walk oblique", "walk towards") and rng.random() < 0.3:
        bearing += np.pi  # From behind.
    focal = max(width, height) / (2.0 * np.tan(np.radians(rng.uniform(40.0, 75.0)) / 2.0))
    place = middle[:2] + rng.uniform(2.5, 8.0) * np.array([np.cos(bearing), np.sin(bearing)])
    roll = rng.normal(0.0, 2.0) if rng.random() < 0.5 else rng.uniform(-20.0, 20.0)
    look = middle + rng.normal(0.0, 0.12, 3)
    camera = SynthCamera(
        (float(place[0]), float(place[1]), float(rng.uniform(0.5, 2.5))),
        (float(look[0]), float(look[1]), float(look[2])),
        float(focal),
        width,
        height,
        float(roll) if roll_deg is None else roll_deg,
    )
    xy, depth = camera.project(xyz)
    size = np.array([width, height])
    inside = np.abs(xy / size - 0.5).max() < 0.5 * _MARGIN if np.isfinite(xy).all() else False
    tall = float(np.median(np.ptp(xy[..., 1], axis=1))) / height
    pitch = float(np.degrees(np.arcsin(camera.rotation[2, 2])))
    good = inside and depth.min() > 1.0 and tall > 0.35 and _LEAN_BAND_DEG[0] <= pitch <= _LEAN_BAND_DEG[1]
    return camera if good else None


def write_clip(path: Path, clip: RoomClip, *, supersample: int = 1, posters: int = 0) -> None:
    """Render a clip into a video file.

    Args:
        path: file to write.
        clip: what is filmed.
        supersample: see `render_frame`.
        posters: pictures on the walls; bare walls show nothing of how a camera moves.

    Raises:
        OutputError: it can't be written.
    """
    rng = np.random.default_rng([clip.seed, 77])
    center = clip.xyz_m[:, 0, :2].mean(axis=0)
    room = replace(Room.random(rng, (float(center[0]), float(center[1]))), half_m=(9.0, 9.0))
    light = Light.random(rng)
    rate = 1.0 / float(np.median(np.diff(clip.time_s)))
    hung = [_Poster.random(rng, room) for _ in range(posters)]

    def behind(camera: SynthCamera) -> Image:
        image = room.picture(camera)
        for poster in hung:
            poster.hang(image, camera)
        return image

    first = clip.camera
    backdrop = behind(first)
    with VideoWriter(path, first.width_px, first.height_px, rate, crf=20) as writer:
        for index, (time_s, xyz) in enumerate(zip(clip.time_s, clip.xyz_m, strict=True)):
            camera = _at(clip.cameras, index)
            scene = backdrop if camera == first else behind(camera)
            image = render_frame([Person(xyz, clip.shape)], camera, scene=scene, light=light, supersample=supersample)
            writer.write(image, float(time_s))


@dataclass(frozen=True, slots=True, eq=False)
class _Poster:
    """A picture on a wall: its corners (4, 3) in the world, and what it shows."""

    corners_m: Array
    image: Image

    @classmethod
    def random(cls, rng: Rng, room: Room) -> _Poster:
        """Of any size, on any wall; shapes of many colours."""
        wall, sign = int(rng.integers(2)), float(rng.choice([-1.0, 1.0]))
        wide, high = rng.uniform(0.5, 1.6, 2)
        along = rng.uniform(-1.0, 1.0) * (room.half_m[1 - wall] - wide)
        low = rng.uniform(0.6, 1.6)
        corners = np.zeros((4, 3))
        corners[:, wall] = sign * room.half_m[wall]
        corners[:, 1 - wall] = along + wide * np.array([0.0, 1.0, 1.0, 0.0])
        corners[:, 2] = low + high * np.array([0.0, 0.0, 1.0, 1.0])
        c, s = np.cos(np.radians(room.turn_deg)), np.sin(np.radians(room.turn_deg))
        corners[:, :2] = corners[:, :2] @ np.array([[c, s], [-s, c]]) + room.center_m
        image = np.full((96, 96, 3), rng.integers(0, 256, 3), np.uint8)
        for _ in range(14):
            center, size = rng.integers(0, 96, 2), rng.integers(5, 24, 2)
            color = tuple(int(value) for value in rng.integers(0, 256, 3))
            cv2.rectangle(image, (center - size).tolist(), (center + size).tolist(), color, -1)
        return cls(corners, image)

    def hang(self, image: Image, camera: SynthCamera) -> None:
        """Onto a picture of the room, in place; not where a part of it is behind the camera."""
        xy_px, depth = camera.project(self.corners_m)
        if not (depth > 0.3).all():
            return
        size = float(len(self.image))
        own = np.array([[0.0, 0.0], [size, 0.0], [size, size], [0.0, size]], np.float32)
        warp = cv2.getPerspectiveTransform(own, xy_px.astype(np.float32))
        shape = (camera.width_px, camera.height_px)
        cv2.warpPerspective(self.image, warp, shape, image, cv2.INTER_AREA, cv2.BORDER_TRANSPARENT)


def _at(cameras: Sequence[SynthCamera], index: int) -> SynthCamera:
    return cameras[min(index, len(cameras) - 1)]


FEET = BODY21.indices("left_heel", "left_foot_index", "right_heel", "right_foot_index")
"""Heels and toes, the joints that stand on the floor."""
