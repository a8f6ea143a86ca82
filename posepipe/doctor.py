"""Whether this machine can run posepipe, and what to do where it can't."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from posepipe.errors import PosePipeError

__all__ = ["Check", "diagnose", "package_versions"]

REQUIRED = ("numpy", "scipy", "opencv-python", "av", "onnx", "onnxruntime", "pyarrow", "mediapipe", "tflite", "typer")
OPTIONAL = ("torch", "streamlit", "streamlit-webrtc", "safetensors", "onnxscript")


@dataclass(frozen=True, slots=True)
class Check:
    """One finding.

    Attributes:
        name: what was looked at.
        state: "ok", "warning" or "failed".
        detail: what was found.
        hint: what to do; empty when ok.
        exit_code: what the command line returns if this is the worst finding.
    """

    name: str
    state: str
    detail: str
    hint: str = ""
    exit_code: int = 0


def package_versions(names: tuple[str, ...] = REQUIRED + OPTIONAL) -> dict[str, str | None]:
    """Installed versions; None where a package is missing."""
    found: dict[str, str | None] = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def diagnose() -> Iterator[Check]:
    """All findings, the cheap ones first."""
    yield _python()
    yield from _packages()
    yield _opencv()
    yield _machine()
    for name, probe in (
        ("ONNX Runtime", _onnxruntime),
        ("video encoder", _encoder),
        ("model cache", _cache),
        ("BlazePose", _blazepose),
        ("own models", _own_models),
    ):
        yield _guarded(name, probe)


def _guarded(name: str, probe: Callable[[], Check]) -> Check:
    try:
        return probe()
    except PosePipeError as error:
        return Check(name, "failed", error.what, error.hint, error.exit_code)
    except (ImportError, OSError) as error:
        return Check(name, "failed", str(error), "Install posepipe anew: pip install -e .", 1)


def _python() -> Check:
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if (3, 10) <= sys.version_info[:2] <= (3, 12):
        return Check("Python", "ok", detail)
    hint = "mediapipe 0.10.21 has wheels for Python 3.10 to 3.12; use one of these"
    return Check("Python", "failed", detail, hint, 1)


def _packages() -> Iterator[Check]:
    for name, found in package_versions().items():
        if found:
            yield Check(name, "ok", found)
        elif name in REQUIRED:
            yield Check(name, "failed", "not installed", f"pip install {name}", 1)
        else:
            yield Check(name, "ok", "not installed (optional)")


def _opencv() -> Check:
    names = ("opencv-python", "opencv-contrib-python", "opencv-python-headless", "opencv-contrib-python-headless")
    found = {name: v for name, v in package_versions(names).items() if v}
    detail = ", ".join(f"{name} {v}" for name, v in found.items()) or "none"
    if len(set(found.values())) > 1:
        hint = "These wheels overwrite each other in cv2/. Uninstall all of them, then: pip install -e ."
        return Check("OpenCV wheels", "warning", f"different versions: {detail}", hint)
    return Check("OpenCV wheels", "ok", detail)


def _machine() -> Check:
    detail = f"{os.cpu_count()} processors"
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory_gb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
        detail += f", {memory_gb:.0f} GB memory"
    return Check("machine", "ok", detail)


def _onnxruntime() -> Check:
    from posepipe.inference import providers

    return Check("ONNX Runtime", "ok", ", ".join(providers()))


def _encoder() -> Check:
    import av

    try:
        av.codec.Codec("libx264", "w")
    except ValueError:
        hint = "Install PyAV from its wheel: pip install --force-reinstall av; or use --no-video"
        return Check("video encoder", "warning", "no H.264 encoder", hint)
    return Check("video encoder", "ok", "H.264 (libx264)")


def _cache() -> Check:
    from posepipe.weights import cache_dir

    folder: Path = cache_dir()
    if os.access(folder, os.W_OK):
        return Check("model cache", "ok", str(folder))
    hint = "Set POSEPIPE_HOME to a folder you may write"
    return Check("model cache", "warning", f"{folder} can't be written", hint)


def _blazepose() -> Check:
    import numpy as np

    from posepipe.keypoints import open_detector
    from posepipe.types import Frame

    stream = open_detector("blazepose").start()
    try:
        people = stream.step(Frame(0, 0.0, np.zeros((240, 320, 3), np.uint8)))
    finally:
        stream.close()
    if people:
        return Check("BlazePose", "failed", "sees a person in a black picture", "Delete the model cache", 4)
    return Check("BlazePose", "ok", "loads and runs")


def _own_models() -> Check:
    from posepipe.weights import find_model, list_cards

    cards = list_cards()
    for card in cards:
        find_model(card.name)
    return Check("own models", "ok", ", ".join(f"{card.name} {card.sha256[:8]}" for card in cards) or "none")
