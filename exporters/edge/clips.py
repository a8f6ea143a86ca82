"""Whether two bundles name and count the same in people's own videos."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from posepipe.errors import InputError, PosePipeError

__all__ = ["clip_agreement", "clip_result"]

_ENDINGS = (".mp4", ".mov", ".avi", ".mkv", ".webm")


def clip_agreement(reference: Path, other: Path, folder: Path) -> dict[str, Any]:
    """Run both bundles over every video of a folder.

    Returns:
        ``clips``, ``agree`` (same main exercise and same count), and a row for each clip that differs.

    Raises:
        InputError: no videos there.
    """
    videos = sorted(path for path in folder.iterdir() if path.suffix.lower() in _ENDINGS) if folder.is_dir() else []
    if not videos:
        raise InputError("no videos", where=str(folder))
    different = []
    for video in videos:
        first, second = clip_result(reference, video), clip_result(other, video)
        if first != second:
            different.append({"clip": video.name, "float32": first, "variant": second})
    return {"clips": len(videos), "agree": len(videos) - len(different), "different": different}


def clip_result(bundle: Path, video: Path) -> dict[str, Any]:
    """What a bundle's runner makes of a video: its longest exercise and the count of it."""
    command = [sys.executable, str(bundle / "run_edge.py"), str(video), "--no-frames"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise PosePipeError(f"the runner failed: {done.stderr.strip()[-200:]}", where=f"{bundle}, {video.name}")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    people: list[dict[str, Any]] = next((row["people"] for row in rows if "people" in row and "frame" not in row), [])
    if not people:
        return {"exercise": None, "reps": 0}
    longest = max(people, key=lambda person: float(person["seconds"]))
    segments = longest["exercise"].get("segments", [])
    if not segments:
        return {"exercise": None, "reps": 0}
    main = max(segments, key=lambda part: float(part["end_s"] - part["start_s"]))
    return {"exercise": main["label"], "reps": longest["exercise"]["reps_total"]}
