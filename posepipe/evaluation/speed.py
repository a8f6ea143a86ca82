"""How fast ``posepipe analyze`` is, against a bare loop over MediaPipe's own pose solution."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from posepipe.doctor import package_versions
from posepipe.errors import PosePipeError

__all__ = ["measure_speed"]

_MEDIAPIPE_LOOP = """
import json, sys, time
import cv2
import mediapipe as mp
pose = mp.solutions.pose.Pose(model_complexity=1)
video = cv2.VideoCapture(sys.argv[1])
frames = found = 0
start = time.perf_counter()
while True:
    ok, image = video.read()
    if not ok:
        break
    result = pose.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    frames += 1
    found += result.pose_landmarks is not None
print(json.dumps({"frames": frames, "found": found, "loop_s": time.perf_counter() - start}))
"""


def measure_speed(video: Path, *, repeats: int = 3) -> dict[str, Any]:
    """Run both programs in turn on one clip and compare whole processes.

    MediaPipe's seconds are those of its loop alone, without imports and model loading; ours are of the whole
    command, report included. The comparison is therefore to our disadvantage.

    Args:
        video: a clip with one person.
        repeats: how often each program runs; the median is reported.

    Returns:
        ``{"metrics": {...}, "rows": [...], "versions": {...}}``; speeds in frames per second.

    Raises:
        PosePipeError: one of the programs failed.
    """
    rows = []
    for _ in range(repeats):
        theirs, their_s, their_mb = _timed([sys.executable, "-c", _MEDIAPIPE_LOOP, str(video)])
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "posepipe.cli.main", "analyze", str(video)]
            _, our_s, our_mb = _timed([*command, "--no-video", "--json", "--out", folder])
        frames = theirs["frames"]
        rows.append(
            {
                "frames": frames,
                "mediapipe_loop_fps": frames / theirs["loop_s"],
                "mediapipe_process_fps": frames / their_s,
                "posepipe_process_fps": frames / our_s,
                "ratio": theirs["loop_s"] / our_s,
                "mediapipe_peak_mb": their_mb,
                "posepipe_peak_mb": our_mb,
            }
        )
    names = ("mediapipe_loop_fps", "mediapipe_process_fps", "posepipe_process_fps", "ratio", "posepipe_peak_mb")
    metrics = {name: median(row[name] for row in rows) for name in names}
    return {"metrics": metrics, "rows": rows, "versions": _versions()}


def _timed(command: list[str]) -> tuple[Mapping[str, Any], float, float]:
    """Last line of a program's stdout as JSON, its wall-clock seconds and its peak memory in MB."""
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        stdout.seek(0)
        stderr.seek(0)
        text = stdout.read().decode()
        if process.returncode:
            last = stderr.read().decode().strip().splitlines()[-1:] or [text.strip()[-200:]]
            raise PosePipeError(f"a measured program failed: {last[0]}", where=str(command[-1]))
    unit = 1e6 if sys.platform == "darwin" else 1e3
    start_of_json = text.index("{") if text.lstrip().startswith("{") else text.rindex("\n{") + 1
    return json.loads(text[start_of_json:]), seconds, usage.ru_maxrss / unit


def _versions() -> dict[str, str]:
    found = package_versions(("mediapipe", "onnxruntime", "opencv-python", "av", "numpy"))
    return {name: value for name, value in found.items() if value}
