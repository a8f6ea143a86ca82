"""Whether this machine can run posepipe, and what to do where it can't."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from posepipe.errors import PosePipeError

__all__ = ["Check", "diagnose", "installed", "library_hint", "package_versions"]

REQUIRED = ("numpy", "scipy", "opencv-python", "av", "onnxruntime", "pyarrow", "tflite", "typer", "reportlab", "pyyaml")
OPTIONAL = ("mediapipe", "onnx", "torch", "streamlit", "aiortc", "dask", "safetensors")

_COMPILED = ("numpy", "scipy.linalg", "scipy.signal", "cv2", "av", "onnxruntime", "pyarrow.parquet", "yaml")
"""Modules that open compiled libraries: what loads here, loads in every command."""

_PERSON_S = 1.0
"""From here on the sample video's person is seen whole."""

_SYSTEM_LIBRARIES = {
    "libGL.so.1": "libgl1 libglib2.0-0",
    "libgthread-2.0.so.0": "libgl1 libglib2.0-0",
    "libglib-2.0.so.0": "libgl1 libglib2.0-0",
    "libgomp.so.1": "libgomp1",
    "libstdc++.so.6": "libstdc++6",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libxcb.so.1": "libxcb1",
}
"""Shared library -> Debian's package of it."""


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


def installed(names: tuple[str, ...] = REQUIRED + OPTIONAL) -> dict[str, str]:
    """Versions of those that are installed."""
    return {name: found for name, found in package_versions(names).items() if found}


def diagnose(sample: Path) -> Iterator[Check]:
    """All findings, the cheap ones first.

    Args:
        sample: a video with one person in it.
    """
    yield _python()
    yield from _packages()
    yield _opencv()
    yield _machine()
    for name, probe in (
        ("compiled libraries", _libraries),
        ("ONNX Runtime", _onnxruntime),
        ("video decoder", partial(_decoder, sample)),
        ("video encoder", _encoder),
        ("model cache", _cache),
        ("BlazePose", partial(_blazepose, sample)),
        ("own models", _own_models),
    ):
        yield _guarded(name, probe)


def _guarded(name: str, probe: Callable[[], Check]) -> Check:
    try:
        return probe()
    except PosePipeError as error:
        return Check(name, "failed", error.what, error.hint, error.exit_code)
    except (ImportError, OSError) as error:
        return Check(name, "failed", str(error), library_hint(str(error)), 1)


def library_hint(message: str) -> str:
    """What to do about a library that can't be loaded, from the loader's message."""
    missing = next((name for name in _SYSTEM_LIBRARIES if name in message), None)
    if missing is None:
        return "Install posepipe anew: pip install -e ."
    return (
        f"The system lacks {missing}. Debian, Ubuntu: apt-get install {_SYSTEM_LIBRARIES[missing]}; "
        "Fedora: dnf install mesa-libGL glib2; Alpine isn't supported (its C library isn't glibc)"
    )


def _python() -> Check:
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Check("Python", "ok", detail)


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
    found = installed(names)
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


def _libraries() -> Check:
    for name in _COMPILED:
        import_module(name)
    return Check("compiled libraries", "ok", f"{', '.join(_COMPILED)} load")


def _decoder(sample: Path) -> Check:
    from posepipe.media.sources import open_source

    with open_source(sample) as source:
        frame = next(iter(source))
    return Check("video decoder", "ok", f"{source.info.codec}, {frame.image.shape[1]} x {frame.image.shape[0]}")


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


def _blazepose(sample: Path) -> Check:
    from posepipe.keypoints import open_detector
    from posepipe.media.sources import open_source

    stream = open_detector("blazepose").start()
    try:
        with open_source(sample) as source:
            found = (len(stream.step(frame)) for frame in source if frame.time_s >= _PERSON_S)
            people = next(found)
    finally:
        stream.close()
    if people != 1:
        what = f"sees {people} people in the sample video, not one"
        return Check("BlazePose", "failed", what, "Delete the model cache's folder, then: posepipe models get", 4)
    return Check("BlazePose", "ok", "sees the person in the sample video")


def _own_models() -> Check:
    from posepipe.weights import find_model, list_cards

    cards = list_cards()
    for card in cards:
        find_model(card.name)
    return Check("own models", "ok", ", ".join(f"{card.name} {card.sha256[:8]}" for card in cards) or "none")
