"""Opens a file of keypoints, whoever wrote it."""

from __future__ import annotations

from pathlib import Path

from posepipe.errors import InputError, MediaError, PosePipeError, UsageError
from posepipe.formats import read_json as json_files
from posepipe.formats import read_tables as table_files
from posepipe.formats.read_people import ImportedTracks, Raw, build
from posepipe.formats.read_values import decode, table
from posepipe.media._images import natural_key
from posepipe.media.atomic import expanded

__all__ = ["SOURCES", "read_keypoints"]

SOURCES = ("openpose", "alphapose", "mmpose", "mediapipe", "coco", "deeplabcut", "sleap")
"""Whose files are understood."""

_TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".tab", "")
_SPACE_SUFFIXES = (".trc", ".bvh", ".c3d", ".mot", ".fbx", ".amc")
_OTHERS = (
    (b"\x80", "a pickle, which isn't opened: it would run whatever it says"),
    (b"\x93NUMPY", "a NumPy array, which doesn't say what its axes are"),
    (b"PK\x03\x04", "a zip archive, a workbook or an .npz"),
    (b"\x1f\x8b", "compressed; unpack it first"),
)
"""First bytes of files that aren't read, and what to call them."""


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
        path: a file, or a folder with one for each frame.
        source: one of `SOURCES`, or "auto" to look; JSON is read by its shape, whoever wrote it.
        fps_hz: frames a second; goes before what the file says. 30 if nobody says.
        width_px: width of the picture; goes before what the file says.
        height_px: height of the picture.

    Raises:
        InputError: it can't be read, isn't of that form, isn't a person's, or lacks the picture's size.
        NobodyFoundError: it holds nobody.
        UsageError: there is no such source, or a number can't be.
    """
    path = expanded(path)
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
    except PermissionError as error:
        raise MediaError("may not be read", where=str(path), hint="Check its permissions") from error
    except (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError) as error:
        kind = "keypoints of a known form" if source == "auto" else f"{source} keypoints"
        raise InputError(
            f"can't be read as {kind} ({type(error).__name__}: {error})",
            where=str(path),
            hint=f"Name the program: {', '.join(SOURCES)}",
        ) from error
    return build(raw, str(path), fps_hz=fps_hz, width_px=width_px, height_px=height_px)


def _read(path: Path, source: str) -> Raw:
    if path.is_dir():
        return _read_folder(path, source)
    with path.open("rb") as file:
        start = file.read(8)
    hint = "Give .json, .csv or analysis .h5"
    if start.startswith(b"\x89HDF"):
        sleap = source == "sleap" or (source == "auto" and table_files.is_sleap_h5(path))
        return table_files.read_sleap_h5(path) if sleap else table_files.read_deeplabcut_h5(path)
    for mark, what in _OTHERS:
        if start.startswith(mark):
            raise InputError(f"is {what}", where=str(path), hint=hint)
    if path.suffix.lower() in _SPACE_SUFFIXES:
        raise InputError("is motion capture, in three dimensions", where=str(path), hint="Give 2D keypoints")
    raw = Raw()
    text = decode(path.read_bytes())
    if text.lstrip()[:1] in ("[", "{", ""):
        return json_files.read_files([(path, json_files.parse(text, str(path), raw.bad))], raw)
    if path.suffix.lower() in _TABLE_SUFFIXES:
        return table_files.read_table(table(text), str(path))
    raise InputError("isn't JSON", where=str(path), hint="Give a .json, .csv or .h5 file of keypoints")


def _read_folder(folder: Path, source: str) -> Raw:
    """A folder with a file for each frame, or with one file of keypoints."""
    files = [file for file in sorted(folder.iterdir(), key=natural_key) if file.is_file() and file.name[0] != "."]
    found = [file for file in files if file.suffix.lower() == ".json"]
    if len(found) < 2:
        single = found or [file for file in files if file.suffix.lower() in (".csv", ".h5", ".jsonl")]
        if len(single) != 1:
            raise InputError("holds no .json files", where=str(folder), hint="OpenPose writes one a frame")
        return _read(single[0], source)
    raw, contents = Raw(), []
    for file in found:
        try:
            contents.append((file, json_files.parse(decode(file.read_bytes()), file.name, [])))
        except (InputError, OSError) as error:
            raw.bad.append(f"{file.name} ({error.what if isinstance(error, InputError) else error})")
    return json_files.read_files(contents, raw)
