"""Walkers on film: cameras that stand, turn with the person or go along, and the pictures they take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.errors import UsageError
from posepipe.media.writer import VideoWriter
from posepipe.synth.camera import SynthCamera
from posepipe.synth.gait import SynthWalk
from posepipe.synth.render import Person, render_frame
from posepipe.synth.scene import Light, Room
from posepipe.types import Frame

__all__ = ["CAMERAS", "cameras_for", "film_walk", "write_film"]

CAMERAS = ("static", "pan", "follow")
"""How a camera moves: not at all, turning where it stands, or going along with the person."""

Image = NDArray[np.uint8]

_ROOM_M = 60.0
_HALF_VIEW = 0.42
_COARSE = 4


def cameras_for(
    walk: SynthWalk,
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
        yaw_deg: where the person faces at the start, as in `posepipe.motion.facing`: 90 shows the left side, 0 the
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
    walk: SynthWalk,
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


def write_film(path: Path, walk: SynthWalk, cameras: Sequence[SynthCamera], *, room: Room | None = None) -> None:
    """Render a walk into a video file.

    Raises:
        OutputError: it can't be written.
    """
    rate = 1.0 / float(np.median(np.diff(walk.time_s)))
    with VideoWriter(path, cameras[0].width_px, cameras[0].height_px, rate, crf=20) as writer:
        for frame in film_walk(walk, cameras, room=room):
            writer.write(frame.image, frame.time_s)
