"""Where the app keeps files: a session's private folder, and the library of kept results."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import unicodedata
import weakref
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from posepipe.errors import InputError, MediaError, OutputError
from posepipe.media.atomic import output_error
from posepipe.media.sources import open_source
from posepipe.record.codec import exercise_from
from posepipe.record.seal import read_record, remove, writing
from posepipe.system import portable_name, process_alive

__all__ = ["Kept", "Workspace", "check_video", "delete", "files_of", "keep", "kept", "safe_name", "sweep"]

_PREFIX = "posepipe-app-"
_LONGEST_NAME = 80
_BLOCK = 1 << 20

_MARK, _SESSION_MARK = "summary.json", "session.json"


def safe_name(name: str) -> str:
    """A file name that can't leave its folder, hide, or upset a file system.

    Folders, control characters and what Windows forbids are dropped, leading dots too; letters of any script stay.
    """
    plain = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join("_" if c in '<>:"|?*' else c for c in plain if unicodedata.category(c)[0] != "C")
    kept = re.sub(r"\s+", " ", kept).strip(". ")
    stem, dot, suffix = kept.rpartition(".")
    if not dot:
        stem, suffix = kept, ""
    # Cut on bytes: file systems count them, and letters may take several.
    room = _LONGEST_NAME - len(suffix.encode()) - 1
    stem = stem.encode()[: max(room, 8)].decode(errors="ignore").strip(". ")
    suffix = re.sub(r"[^A-Za-z0-9]", "", suffix)[:8]
    return portable_name(f"{stem or 'video'}.{suffix}" if suffix else stem or "video")


def check_video(path: Path) -> None:
    """Open a file to see whether it is a video or picture: by its content, whatever its name says.

    Raises:
        MediaError: it isn't, or holds no picture.
    """
    if path.stat().st_size == 0:
        raise MediaError("the file is empty", where=path.name, hint="Choose another file")
    try:
        # A playlist would show files of this machine, or fetch pictures from elsewhere.
        with open_source(path, self_contained=True) as source:
            if next(iter(source), None) is None:
                raise MediaError("no picture in it", where=path.name, hint="Choose another file")
    except MediaError as error:
        # The temporary folder means nothing to the user.
        raise MediaError(error.what, where=path.name, hint=error.hint) from error


class Workspace:
    """A temporary folder that is deleted when this object goes, or the process ends.

    Args:
        parent: where to make it; the system's place for temporary files if None.

    Raises:
        OutputError: it can't be made.
    """

    def __init__(self, parent: Path | None = None) -> None:
        try:
            self.folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent))
        except OSError as error:
            raise OutputError(f"no temporary folder can be made ({error.strerror})", hint="Free some disk") from error
        self._finalize = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    def keep_upload(self, name: str, data: BinaryIO) -> Path:
        """Write an upload to a file of its own folder, under a safe form of its name.

        Raises:
            OutputError: the disk refuses.
        """
        path = self.new_folder("upload") / safe_name(name)
        try:
            data.seek(0)
            with path.open("wb") as file:
                shutil.copyfileobj(data, file, _BLOCK)
        except OSError as error:
            raise OutputError(f"the upload can't be kept ({error.strerror})", hint="Free some disk") from error
        return path

    def new_folder(self, kind: str) -> Path:
        """A new empty folder inside.

        Raises:
            OutputError: the disk refuses.
        """
        try:
            return Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=self.folder))
        except OSError as error:
            raise OutputError(f"no folder can be made ({error.strerror})", hint="Free some disk") from error

    def close(self) -> None:
        """Delete everything now; may be called again."""
        self._finalize()


def sweep(parent: Path | None = None) -> int:
    """Delete what crashed servers left behind; returns how many folders went."""
    gone = 0
    for folder in Path(parent or tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = folder.name.removeprefix(_PREFIX).split("-")[0]
        if pid.isdecimal() and not process_alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)
            gone += 1
    return gone


@dataclass(frozen=True, slots=True)
class Kept:
    """A results folder on the shelf.

    Attributes:
        folder: where it lies.
        name: of the video.
        created: ISO 8601 time of the analysis.
        duration_s: of the video.
        people: how many were analysed.
        has_gait: walking was measured.
        exercises: repetitions by exercise, as far as any were counted.
        is_session: a live session, without a recording.
    """

    folder: Path
    name: str
    created: str
    duration_s: float
    people: int
    has_gait: bool
    exercises: tuple[tuple[str, int], ...]
    is_session: bool = False


def kept(root: Path) -> list[Kept]:
    """Everything on the shelf, the newest first.

    Folders that aren't results are left out, and so are links to folders and folders that hold a link: they would lead
    to files that nobody put on the shelf.

    Raises:
        InputError: `root` isn't a folder that can be read.
    """
    try:
        marks = (_MARK, _SESSION_MARK)
        folders = [
            path for path in root.iterdir() if any((path / mark).is_file() for mark in marks) and not _links(path)
        ]
    except OSError as error:
        raise InputError(
            f"can't be opened ({error.strerror})", where=str(root), hint="Choose a folder that exists"
        ) from error
    found = [entry for folder in folders if (entry := describe(folder)) is not None]
    return sorted(found, key=lambda entry: (entry.created, entry.folder.name), reverse=True)


def files_of(folder: Path) -> list[Path]:
    """The files in a results folder and below, without hidden ones and without links."""
    return sorted(
        path for path in folder.rglob("*") if path.is_file() and not path.is_symlink() and not path.name.startswith(".")
    )


def _links(folder: Path) -> bool:
    return folder.is_symlink() or any(path.is_symlink() for path in folder.rglob("*"))


def describe(folder: Path) -> Kept | None:
    """What lies in a results folder, or in that of a live session; None if it is neither."""
    if not (folder / _MARK).is_file():
        return _session(folder)
    try:
        summary = json.loads((folder / _MARK).read_text(encoding="utf-8"))
        people = summary["people"]
        return Kept(
            folder=folder,
            name=Path(str(summary["video"]["path"])).name or folder.name,
            created=str(summary["created"]),
            duration_s=float(summary["video"]["duration_s"]),
            people=len(people),
            has_gait=any("withheld" not in person["gait"] for person in people),
            exercises=tuple(_exercises(people)),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _session(folder: Path) -> Kept | None:
    try:
        document = json.loads((folder / _SESSION_MARK).read_text(encoding="utf-8"))
        if document["kind"] != "session":
            return None
        counts: Counter[str] = Counter()
        for one in document["sets"]:
            counts[str(one["exercise"]) or "other"] += int(one["reps"])
        return Kept(
            folder=folder,
            name=str(document["name"]),
            created=str(document["created"]),
            duration_s=float(document["duration_s"]),
            people=1,
            has_gait=False,
            exercises=tuple((label, count) for label, count in counts.items() if count),
            is_session=True,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _exercises(people: list[dict[str, Any]]) -> list[tuple[str, int]]:
    counts: Counter[str] = Counter()
    for person in people:
        counts.update(exercise_from(person["exercise"]).reps_by_label)
    return [(label, count) for label, count in counts.items() if count]


def keep(folder: Path, root: Path, name: str) -> Path:
    """Copy a results folder onto the shelf, under a name of its own.

    Raises:
        OutputError: the shelf can't be written.
    """
    stem = safe_name(name).rsplit(".", 1)[0]
    try:
        root.mkdir(parents=True, exist_ok=True)
        target = next(path for path in _names(root, stem) if not os.path.lexists(path))
    except OSError as error:
        raise output_error(error, root) from error
    known = read_record(folder)
    with writing(target, known.of) as copy:
        for name in sorted(name for name in known.names if (folder / name).is_file()):
            shutil.copyfile(folder / name, copy / name)
    return target


def _names(root: Path, stem: str) -> Iterator[Path]:
    yield root / stem
    number = 2
    while True:
        yield root / f"{stem} ({number})"
        number += 1


def delete(folder: Path, root: Path) -> None:
    """Delete a results folder, if it is one and lies directly on the shelf; only what posepipe wrote.

    Raises:
        InputError: it isn't.
        OutputError: it can't be deleted, or holds files of the user's, which stay.
    """
    if folder.is_symlink() or folder.resolve().parent != root.resolve() or describe(folder) is None:
        raise InputError("isn't a results folder of this library", where=str(folder), hint="Nothing was deleted")
    if not remove(folder):
        raise OutputError("holds files of your own, which stay", where=str(folder), hint="The results are gone")
