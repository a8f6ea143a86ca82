"""How fast ``posepipe analyze`` is, against a bare loop over MediaPipe's own pose solution."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from posepipe.doctor import installed
from posepipe.errors import PosePipeError, UsageError
from posepipe.system import wait_usage

__all__ = ["measure_speed"]

_PACKAGES = ("mediapipe", "onnxruntime", "opencv-python", "av", "numpy")
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


def measure_speed(video: Path, *, repeats: int = 3, alone: bool = False, quality: str = "standard") -> dict[str, Any]:
    """Run both programs in turn on one clip and compare whole processes.

    MediaPipe's seconds are those of its loop alone, without imports and model loading; ours are of the whole
    command, report included. The comparison is therefore to our disadvantage.

    Args:
        video: a clip with one person.
        repeats: how often each program runs; the median is reported.
        alone: leave MediaPipe out.
        quality: of ours, see `posepipe.pipeline.Config`.

    Returns:
        ``{"metrics": {...}, "rows": [...], "versions": {...}}``; speeds in frames per second.

    Raises:
        UsageError: MediaPipe isn't installed.
        PosePipeError: one of the programs failed.
    """
    if not alone and installed(("mediapipe",)) != {"mediapipe": "0.10.21"}:
        hint = 'pip install "posepipe[mediapipe]" on Python 3.10 to 3.12; --alone measures without it'
        raise UsageError("MediaPipe's loop, the reference, isn't installed", where="bench", hint=hint)
    rows = []
    for _ in range(repeats):
        loop = {} if alone else _mediapipe(video)
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "posepipe.cli.main", "analyze", str(video)]
            summary, our_s, our_mb = _timed([*command, "--quality", quality, "--no-video", "--json", "--out", folder])
        frames = summary["video"]["frames"]
        row = {"frames": frames, "posepipe_process_fps": frames / our_s, "posepipe_peak_mb": our_mb}
        if loop:
            row |= loop | {"ratio": loop["frames"] / loop["mediapipe_loop_fps"] / our_s}
        rows.append(row)
    names = ("mediapipe_loop_fps", "mediapipe_process_fps", "posepipe_process_fps", "ratio", "posepipe_peak_mb")
    metrics = {name: median(row[name] for row in rows) for name in names if name in rows[0]}
    return {"metrics": metrics, "rows": rows, "versions": installed(_PACKAGES)}


def _mediapipe(video: Path) -> dict[str, float]:
    """One run of the reference."""
    found, seconds, peak_mb = _timed([sys.executable, "-c", _MEDIAPIPE_LOOP, str(video)])
    frames = found["frames"]
    return {
        "frames": frames,
        "mediapipe_loop_fps": frames / found["loop_s"],
        "mediapipe_process_fps": frames / seconds,
        "mediapipe_peak_mb": peak_mb,
    }


def _timed(command: list[str]) -> tuple[Mapping[str, Any], float, float]:
    """Last line of a program's stdout as JSON, its wall-clock seconds and its peak memory in MB."""
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr)
        _, peak_mb = wait_usage(process)
        seconds = time.perf_counter() - start
        stdout.seek(0)
        stderr.seek(0)
        text = stdout.read().decode()
        if process.returncode:
            last = stderr.read().decode(errors="replace").strip().splitlines()[-1:] or [text.strip()[-200:]]
            raise PosePipeError(f"a measured program failed: {last[0]}", where=str(command[-1]))
    start_of_json = text.index("{") if text.lstrip().startswith("{") else text.rindex("\n{") + 1
    return json.loads(text[start_of_json:]), seconds, peak_mb
