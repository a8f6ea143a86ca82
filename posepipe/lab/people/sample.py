"""The sample clip: a rendered person walks in, turns and does three squats.

``posepipe train sample`` writes ``walk_and_squat.mp4`` and ``walk_and_squat_truth.npz`` (arrays as in `clip_truth`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.lab.people.body import BodyShape, Controls, blend, smooth, solve
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.motion import Stance, SynthMotion, follow, plan_path, repeat_share, squat_controls
from posepipe.lab.people.render import Person, render_frame
from posepipe.lab.people.scene import Light, Room, degrade
from posepipe.media.atomic import atomic_path
from posepipe.media.writer import VideoWriter
from posepipe.skeleton import BODY21
from posepipe.types import Frame

__all__ = ["write_sample"]

_FPS_HZ = 30.0
_PATH_M = ((-1.75, 0.45), (-0.75, 0.42), (-0.2, 0.22), (0.12, -0.18))
_FINAL_DEG = -62.0
_WIDTH_M = 0.34
_TOE_OUT_DEG = 16.0
_SETTLE_S = 0.6
_REPS = 3
_DOWN_S, _HOLD_S, _UP_S, _PAUSE_S, _END_S = 0.95, 0.12, 0.85, 0.35, 0.45


def sample_shape() -> BodyShape:
    """The person of the sample clip."""
    return BodyShape(pattern="plain", sleeve=0.33, hand_turn_deg=10.0)


def sample_camera() -> SynthCamera:
    """The camera of the sample clip: 1280 by 720, at eye level, under five metres away."""
    return SynthCamera((-0.6, -4.7, 1.5), (-0.75, 0.0, 0.87), 1230.0, 1280, 720)


def sample_motion(shape: BodyShape, fps_hz: float = _FPS_HZ) -> SynthMotion:
    """Walk in from the side, turn to an oblique front view, three squats."""
    plan = plan_path(
        shape, _PATH_M, _FINAL_DEG, final_width_m=_WIDTH_M, final_toe_out_deg=_TOE_OUT_DEG, step_m=0.6, step_s=0.57
    )
    arrived_s = max(foot.strike_s for foot in plan)
    start_s = arrived_s + _SETTLE_S + 0.3
    rep_s = _DOWN_S + _HOLD_S + _UP_S
    length_s = start_s + _REPS * rep_s + (_REPS - 1) * _PAUSE_S + _END_S
    time_s = np.arange(round(length_s * fps_hz)) / fps_hz
    walked, events = follow(shape, plan, time_s)
    share, reps = repeat_share(time_s, _REPS, _DOWN_S, _HOLD_S, _UP_S, _PAUSE_S, start_s)
    squats = squat_controls(shape, _stance(shape, walked[-1:]), share)
    settle = smooth((time_s - arrived_s - 0.25) / _SETTLE_S)
    controls = blend(walked, squats, settle)
    return SynthMotion(time_s, solve(shape, controls), events, reps)


def _stance(shape: BodyShape, last: Controls) -> Stance:
    """The stance in which a walk ended."""
    angle = np.radians(last.foot_heading_deg[0])
    ankle = last.heel_m[0, :, :2] + 0.031 * shape.height_m * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    center = ankle.mean(axis=0)
    return Stance((float(center[0]), float(center[1])), _FINAL_DEG, _WIDTH_M, _TOE_OUT_DEG)


def write_sample(folder: Path) -> tuple[Path, Path]:
    """Render the clip and write it with its truth; returns both paths.

    Raises:
        OutputError: a file can't be written.
    """
    shape, camera = sample_shape(), sample_camera()
    motion = sample_motion(shape)
    video, truth = folder / "walk_and_squat.mp4", folder / "walk_and_squat_truth.npz"
    scene = Room(center_m=(0.0, 0.6), half_m=(4.2, 2.4), wall=(205, 214, 216), floor=(190, 152, 112))
    light = Light(direction=(-0.5, -0.75, 1.25))
    with VideoWriter(video, camera.width_px, camera.height_px, _FPS_HZ, crf=24, preset="slow") as writer:
        for frame in render_clip(motion, shape, camera, scene=scene, light=light):
            writer.write(frame.image, frame.time_s)
    write_truth(truth, motion, camera)
    return video, truth


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
        np.savez_compressed(file, **dict[str, Any](clip_truth(motion, camera)))
