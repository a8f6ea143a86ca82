"""How fast ``posepipe analyze`` is, against a bare loop over MediaPipe's own pose solution."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from posepipe.doctor import installed
from posepipe.errors import PosePipeError, UsageError
from posepipe.system import wait_usage

__all__ = ["PACKAGES", "Spent", "measure_speed", "mediapipe_loop", "timed"]

PACKAGES = ("mediapipe", "onnxruntime", "opencv-python", "av", "numpy")
"""What the figures depend on."""
_REFERENCE = "0.10.21"
_MEDIAPIPE_LOOP = """
import json, sys, time
import cv2
import mediapipe as mp
pose = mp.solutions.pose.Pose(model_complexity=int(sys.argv[2]))
video = cv2.VideoCapture(sys.argv[1])
frames = found = 0
start, start_cpu = time.perf_counter(), time.process_time()
while True:
    ok, image = video.read()
    if not ok:
        break
    result = pose.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    frames += 1
    found += result.pose_landmarks is not None
spent = {"loop_s": time.perf_counter() - start, "loop_cpu_s": time.process_time() - start_cpu}
print(json.dumps({"frames": frames, "found": found, "version": mp.__version__} | spent))
"""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a program took.

    Attributes:
        said: the JSON at the end of its stdout.
        wall_s: from its start to its end.
        cpu_s: processor time, with that of the processes it waited for (not on Windows).
        peak_mb: most resident memory.
    """

    said: Mapping[str, Any]
    wall_s: float
    cpu_s: float
    peak_mb: float


def measure_speed(
    video: Path, *, repeats: int = 3, alone: bool = False, quality: str = "standard", python: Path | None = None
) -> dict[str, Any]:
    """Run both programs in turn on one clip and compare whole processes.

    MediaPipe's seconds are those of its loop alone, without imports and model loading; ours are of the whole
    command, report included. The comparison is therefore to our disadvantage.

    Args:
        video: a clip with one person.
        repeats: how often each program runs; the median is reported.
        alone: leave MediaPipe out.
        quality: of ours, see `posepipe.pipeline.Config`.
        python: of another environment, which has MediaPipe.

    Returns:
        ``{"metrics": {...}, "rows": [...], "versions": {...}}``; speeds in frames per second.

    Raises:
        UsageError: MediaPipe isn't installed.
        PosePipeError: one of the programs failed.
    """
    if not alone and python is None and installed(("mediapipe",)) != {"mediapipe": _REFERENCE}:
        hint = 'pip install "posepipe[mediapipe]" on Python 3.10 to 3.12, or --mediapipe-python PATH of an environment '
        hint += "that has it; --alone measures without it"
        raise UsageError("MediaPipe's loop, the reference, isn't installed", where="bench", hint=hint)
    rows = []
    for _ in range(repeats):
        loop = None if alone else mediapipe_loop(video, 1, python)
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "posepipe.cli.main", "analyze", str(video)]
            ours = timed([*command, "--quality", quality, "--no-video", "--json", "--out", folder])
        frames = ours.said["video"]["frames"]
        row = {"frames": frames, "posepipe_process_fps": frames / ours.wall_s, "posepipe_peak_mb": ours.peak_mb}
        if loop is not None:
            loop_fps = loop.said["frames"] / loop.said["loop_s"]
            row |= {
                "mediapipe_loop_fps": loop_fps,
                "mediapipe_process_fps": loop.said["frames"] / loop.wall_s,
                "mediapipe_peak_mb": loop.peak_mb,
                "ratio": row["posepipe_process_fps"] / loop_fps,
            }
        rows.append(row)
    names = ("mediapipe_loop_fps", "mediapipe_process_fps", "posepipe_process_fps", "ratio", "posepipe_peak_mb")
    metrics = {name: median(row[name] for row in rows) for name in names if name in rows[0]}
    return {"metrics": metrics, "rows": rows, "versions": installed(PACKAGES)}


def mediapipe_loop(video: Path, complexity: int, python: Path | None = None) -> Spent:
    """One run of the reference: ``said`` holds ``frames found version loop_s loop_cpu_s``.

    Args:
        video: what to watch.
        complexity: MediaPipe's ``model_complexity``: 0, 1 or 2.
        python: of another environment, which has MediaPipe.

    Raises:
        PosePipeError: it failed; of another complexity than 1 it fetches the network first.
    """
    command = [str(python or sys.executable), "-c", _MEDIAPIPE_LOOP, str(video), str(complexity)]
    # Our packages don't belong in another Python's path.
    return timed(command, {} if python is None else {"PYTHONPATH": ""})


def timed(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Spent:
    """Run a program to its end.

    Args:
        command: of a program that prints JSON at the end.
        environment: variables that it gets besides ours.

    Raises:
        PosePipeError: it failed, or printed something else.
    """
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr, env=os.environ | dict(environment or {}))
        cpu_s, peak_mb = wait_usage(process)
        wall_s = time.perf_counter() - start
        stdout.seek(0)
        stderr.seek(0)
        text = stdout.read().decode()
        if process.returncode:
            last = stderr.read().decode(errors="replace").strip().splitlines()[-1:] or [text.strip()[-200:]]
            raise PosePipeError(f"a measured program failed: {last[0]}", where=str(command[-1]))
    try:
        said = json.loads(text)
    except ValueError:
        # One object a line.
        said = json.loads(text.strip().splitlines()[-1])
    return Spent(said, wall_s, cpu_s, peak_mb)
