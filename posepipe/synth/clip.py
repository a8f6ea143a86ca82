"""Rendered clips and their truth."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.media.atomic import atomic_path
from posepipe.skeleton import BODY21
from posepipe.synth.body import BodyShape
from posepipe.synth.camera import SynthCamera
from posepipe.synth.motion import SynthMotion
from posepipe.synth.render import Person, render_frame
from posepipe.synth.scene import Light, Room, degrade
from posepipe.types import Frame

__all__ = ["clip_truth", "render_clip", "write_truth"]


def render_clip(
    motion: SynthMotion,
    shape: BodyShape,
    camera: SynthCamera,
    *,
    scene: Room | None = None,
    light: Light | None = None,
    supersample: int = 2,
    noise: float = 0.0,
    blur_px: float = 0.0,
    seed: int = 0,
) -> Iterator[Frame]:
    """Frames of one person's motion, seen by a standing camera.

    Args:
        motion: the motion.
        shape: build and clothes.
        camera: the camera.
        scene: the room.
        light: the lamp.
        supersample: rays per pixel and axis.
        noise: standard deviation of the camera's noise, in grey levels.
        blur_px: standard deviation of its blur.
        seed: of the noise.
    """
    room = (scene or Room()).picture(camera)
    rng = np.random.default_rng(seed)
    for index, (time_s, xyz_m) in enumerate(zip(motion.time_s, motion.xyz_m, strict=True)):
        image = render_frame([Person(xyz_m, shape)], camera, scene=room, light=light, supersample=supersample)
        yield Frame(index, float(time_s), degrade(image, rng, noise=noise, blur_px=blur_px))


def clip_truth(motion: SynthMotion, camera: SynthCamera) -> dict[str, NDArray[Any]]:
    """Everything true of a clip, as arrays.

    ``time_s`` (F,), ``joints`` (21,), ``xyz_world_m`` and ``xyz_camera_m`` (F, 21, 3), ``xy_px`` (F, 21, 2),
    ``focal_px``, ``principal_px`` (2,), ``size_px`` (2,), ``rotation`` (3, 3) and ``translation_m`` (3,) from world to
    camera, ``reps_s`` (R, 2), ``event_s``, ``event_kind``, ``event_side`` (E,).
    """
    return {
        "time_s": motion.time_s,
        "joints": np.array(BODY21.joints),
        "xyz_world_m": motion.xyz_m.astype(np.float32),
        "xyz_camera_m": camera.to_camera(motion.xyz_m).astype(np.float32),
        "xy_px": camera.project(motion.xyz_m)[0].astype(np.float32),
        "focal_px": np.array(camera.focal_px),
        "principal_px": np.array(camera.principal_px),
        "size_px": np.array([camera.width_px, camera.height_px]),
        "rotation": np.array(camera.rotation),
        "translation_m": np.array(camera.translation_m),
        "reps_s": np.array(motion.reps, dtype=np.float64).reshape(-1, 2),
        "event_s": np.array([event.time_s for event in motion.events], dtype=np.float64),
        "event_kind": np.array([event.kind for event in motion.events], dtype="U16"),
        "event_side": np.array([event.side for event in motion.events], dtype="U8"),
    }


def write_truth(path: Path | str, motion: SynthMotion, camera: SynthCamera) -> None:
    """Write `clip_truth` as npz without pickle, whole or not at all.

    Raises:
        OutputError: it can't be written.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **clip_truth(motion, camera))
