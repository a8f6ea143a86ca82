"""The sample clip: a rendered person walks in, turns and does three squats.

    python -m posepipe.synth.sample [FOLDER]

writes ``walk_and_squat.mp4`` and ``walk_and_squat_truth.npz`` (arrays as in `posepipe.synth.clip.clip_truth`).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from posepipe.media.writer import VideoWriter
from posepipe.synth.body import BodyShape
from posepipe.synth.camera import SynthCamera
from posepipe.synth.clip import render_clip, write_truth
from posepipe.synth.footprints import plan_path
from posepipe.synth.kinematics import Controls, blend, smooth, solve
from posepipe.synth.motion import Stance, SynthMotion, repeat_share, squat_controls
from posepipe.synth.scene import Light, Room
from posepipe.synth.walking import follow

__all__ = ["SAMPLE_FOLDER", "main", "sample_camera", "sample_motion", "sample_shape", "write_sample"]

SAMPLE_FOLDER = Path(__file__).resolve().parent.parent / "samples"

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


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="posepipe.synth.sample", description="Render the sample clip.")
    parser.add_argument("folder", type=Path, nargs="?", default=SAMPLE_FOLDER)
    write_sample(parser.parse_args(arguments).folder)


if __name__ == "__main__":
    main()
