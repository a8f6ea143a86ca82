"""Films for a browser's fake camera."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from posepipe.lab.people.body import BodyShape
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.motion import Stance, squat
from posepipe.lab.people.sample import render_clip
from posepipe.media.writer import VideoWriter

FPS_HZ = 15.0


def squat_film(path: Path, *, reps: int, lead_s: float = 3.0) -> Path:
    """A rendered person does squats, half turned to the camera; 640 by 480."""
    shape = BodyShape(pattern="plain", sleeve=0.33)
    camera = SynthCamera((0.0, -4.2, 1.35), (0.0, 0.0, 0.82), 720.0, 640, 480)
    stance = Stance(heading_deg=-55.0, width_m=0.34, toe_out_deg=16.0)
    motion = squat(shape, reps=reps, fps_hz=FPS_HZ, lead_s=lead_s, stance=stance)
    with VideoWriter(path, 640, 480, FPS_HZ) as writer:
        for frame in render_clip(motion, shape, camera, supersample=1):
            writer.write(frame.image, frame.time_s)
    return path


def fake_camera(video: Path, path: Path, *, lead_s: float = 0.0, still_s: float = 0.0) -> Path:
    """A video as Chromium's fake camera takes it (MJPEG), 640 by 480; first and last picture stand for a while."""
    ffmpeg = shutil.which("ffmpeg")
    assert ffmpeg is not None
    fit = "scale=640:480:force_original_aspect_ratio=decrease,pad=640:480:(ow-iw)/2:(oh-ih)/2"
    hold = f"tpad=start_mode=clone:start_duration={lead_s}:stop_mode=clone:stop_duration={still_s}"
    command = [ffmpeg, "-v", "error", "-y", "-i", str(video), "-an", "-vf", f"{fit},fps=30,{hold}"]
    subprocess.run([*command, "-pix_fmt", "yuvj420p", "-q:v", "4", "-f", "mjpeg", str(path)], check=True)
    return path
