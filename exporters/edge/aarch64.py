"""Run a bundle on an emulated 64-bit ARM user space and compare its numbers with this machine's.

    posepipe evaluate edge-aarch64 --bundle float32 --bundle int8 --root rootfs --qemu qemu-aarch64-static

The root holds an arm64 Python with numpy, opencv-python-headless and onnxruntime; docs/edge.md tells how to make one
from Debian's packages and PyPI's wheels. Emulation says nothing about speed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from posepipe.errors import PosePipeError
from posepipe.samples import SAMPLE_VIDEO

__all__ = ["compare_bundles"]

_FIELDS = ("xy_px", "score", "xyz_m", "sigma_m", "root_m", "angles_deg")


def run_lines(command: Sequence[str], bundle: Path, video: Path, frames: int, **environment: str) -> list[Any]:
    """JSON lines of a bundle's runner.

    Args:
        command: what starts Python.
        bundle: the bundle.
        video: what to watch.
        frames: how many.
        environment: further variables.

    Raises:
        PosePipeError: it failed.
    """
    arguments = [*command, str(bundle / "run_edge.py"), str(video), "--max-frames", str(frames)]
    done = subprocess.run(arguments, capture_output=True, encoding="utf-8", env=os.environ | environment, check=False)
    if done.returncode:
        raise PosePipeError(f"the runner failed: {done.stderr.strip()[-300:]}", where=str(bundle))
    return [json.loads(line) for line in done.stdout.splitlines()]


def compare_lines(ours: Sequence[Any], theirs: Sequence[Any]) -> dict[str, float]:
    """Largest and median difference of each number of each frame's first person, and how many frames both saw."""
    pairs = [(a["people"][0], b["people"][0]) for a, b in zip(ours, theirs, strict=True) if _seen(a) and _seen(b)]
    found: dict[str, float] = {
        "frames": sum("frame" in row for row in ours),
        "frames_with_person": len(pairs),
        "frames_seen_by_one": sum(_seen(a) != _seen(b) for a, b in zip(ours, theirs, strict=True)),
    }
    for name in _FIELDS:
        apart = [_apart(a[name], b[name]) for a, b in pairs]
        if apart:
            every = np.concatenate(apart)
            found |= {f"{name}_max": float(np.nanmax(every)), f"{name}_median": float(np.nanmedian(every))}
    return found


def _seen(row: Any) -> bool:
    return "frame" in row and bool(row["people"])


def _apart(a: Any, b: Any) -> Any:
    return np.abs(np.array(a, np.float64) - np.array(b, np.float64)).ravel()


def compare_bundles(
    bundles: Sequence[Path], root: Path, qemu: str, *, video: Path = SAMPLE_VIDEO, frames: int = 30
) -> dict[str, Any]:
    """Run bundles here and there.

    Args:
        bundles: folders.
        root: unpacked arm64 packages, wheels in site/.
        qemu: the emulator.
        video: what to watch.
        frames: how many.

    Returns:
        ``{"rows", "versions"}``, a row for each bundle.

    Raises:
        PosePipeError: a run failed.
    """
    root = root.resolve()
    emulated = [qemu, "-L", str(root), str(root / "usr/bin/python3.11")]
    there = {"PYTHONHOME": str(root / "usr"), "PYTHONPATH": str(root / "site"), "OPENBLAS_NUM_THREADS": "1"}
    rows = []
    for bundle in bundles:
        variant = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))["variant"]
        ours = run_lines([sys.executable], bundle, video, frames)
        theirs = run_lines(emulated, bundle, video, frames, **there)
        rows.append({"variant": variant} | compare_lines(ours, theirs))
    asked = "import platform, onnxruntime as o; print(platform.machine(), o.__version__)"
    said = [
        subprocess.check_output([*python, "-c", asked], encoding="utf-8", env=os.environ | more)
        for python, more in (([sys.executable], {}), (emulated, there))
    ]
    versions = {"onnxruntime here": said[0].split()[-1], f"on {said[1].split()[0]}": said[1].split()[-1]}
    return {"rows": rows, "versions": versions}
