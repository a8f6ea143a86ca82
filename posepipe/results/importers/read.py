"""Opens a file of keypoints, whoever wrote it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from posepipe.errors import InputError, MediaError, PosePipeError, UsageError
from posepipe.results.importers import json_files, table_files
from posepipe.results.importers.people import ImportedTracks, Raw, build

__all__ = ["SOURCES", "read_keypoints"]

SOURCES = ("openpose", "alphapose", "mmpose", "mediapipe", "coco", "deeplabcut", "sleap")
"""Whose files are understood."""


def read_keypoints(
    path: str | Path,
    source: str = "auto",
    *,
    fps_hz: float | None = None,
    width_px: int | None = None,
    height_px: int | None = None,
) -> ImportedTracks:
    """Read 2D keypoints that another program found.

    Args:
        path: a file, or OpenPose's folder of files.
        source: one of `SOURCES`, or "auto" to look.
        fps_hz: frames a second; goes before what the file says. 30 if nobody says.
        width_px: width of the picture; goes before what the file says.
        height_px: height of the picture.

    Raises:
        InputError: it can't be read, isn't of that form, isn't a person's, or lacks the picture's size.
        NobodyFoundError: it holds nobody.
        UsageError: there is no such source, or a number can't be.
    """
    path = Path(path).expanduser()
    if source not in (*SOURCES, "auto"):
        raise UsageError(f"keypoints from {source!r}", hint=f"Valid: {', '.join(SOURCES)}, auto")
    for name, value in (("fps_hz", fps_hz), ("width_px", width_px), ("height_px", height_px)):
        if value is not None and not 0 < value < float("inf"):
            raise UsageError(f"{name} is {value}", hint="Give a positive number")
    if not path.exists():
        raise MediaError("no such file or folder", where=str(path), hint="Check the path")
    try:
        raw = _read(path, source)
    except PosePipeError:
        raise
    except (AttributeError, IndexError, KeyError, OSError, TypeError, UnicodeDecodeError, ValueError) as error:
        kind = "keypoints of a known form" if source == "auto" else f"{source} keypoints"
        raise InputError(
            f"can't be read as {kind} ({type(error).__name__}: {error})",
            where=str(path),
            hint=f"Name the program: {', '.join(SOURCES)}",
        ) from error
    if fps_hz is not None:
        raw.fps_hz, raw.time_s = fps_hz, {}
    raw.width_px = width_px if width_px is not None else raw.width_px
    raw.height_px = height_px if height_px is not None else raw.height_px
    return build(raw, str(path))


def _read(path: Path, source: str) -> Raw:
    if path.is_dir():
        if source not in ("auto", "openpose"):
            raise InputError("is a folder", where=str(path), hint="Give a file")
        files = sorted(path.glob("*.json"))
        if not files:
            raise InputError("holds no .json files", where=str(path), hint="OpenPose writes one a frame")
        return json_files.read_openpose([(file, _json(file)) for file in files])
    suffix = path.suffix.lower()
    if suffix in (".h5", ".hdf5"):
        sleap = source == "sleap" or (source == "auto" and table_files.is_sleap_h5(path))
        return table_files.read_sleap_h5(path) if sleap else table_files.read_deeplabcut_h5(path)
    if suffix == ".csv":
        with path.open(encoding="utf-8-sig") as file:
            first = file.readline()
        sleap = source == "sleap" or (source == "auto" and "frame_idx" in first)
        return table_files.read_sleap_csv(path) if sleap else table_files.read_deeplabcut_csv(path)
    content = _json(path)
    kind = source if source != "auto" else _kind(content, path)
    if kind == "openpose":
        return json_files.read_openpose([(path, content)])
    if kind == "alphapose":
        return json_files.read_alphapose(content, str(path))
    if kind == "mmpose":
        return json_files.read_mmpose(content, str(path))
    if kind == "mediapipe":
        return json_files.read_mediapipe(content)
    if kind == "coco":
        return json_files.read_coco(_as_dataset(content), str(path))
    raise InputError(f"isn't {kind}'s kind of file", where=str(path), hint="DeepLabCut and SLEAP: .csv or .h5")


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError("isn't JSON", where=str(path), hint="Give a .json, .csv or .h5 file of keypoints") from error


def _kind(content: Any, path: Path) -> str:
    """Whose JSON it is, by its shape."""
    if isinstance(content, Mapping):
        for key, kind in (("instance_info", "mmpose"), ("annotations", "coco"), ("people", "openpose")):
            if key in content:
                return kind
        if "frames" in content:
            return "mediapipe"
    if isinstance(content, list) and content:
        first = next((item for item in content if item), None)
        if isinstance(first, Mapping) and "image_id" in first:
            # COCO numbers its pictures; AlphaPose names them.
            return "alphapose" if isinstance(first["image_id"], str) else "coco"
        inner = first[0] if isinstance(first, list) else first
        return "mmpose" if isinstance(inner, Mapping) and "keypoints" in inner else "mediapipe"
    raise InputError("no known form of keypoints", where=str(path), hint=f"Name the program: {', '.join(SOURCES)}")


def _as_dataset(content: Any) -> Mapping[str, Any]:
    """COCO's list of results as a dataset without sizes."""
    if isinstance(content, Mapping):
        return content
    ids = sorted({entry["image_id"] for entry in content})
    return {"images": [{"id": number, "frame": number} for number in ids], "annotations": content}
