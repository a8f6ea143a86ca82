"""A session's private folder: uploads and results live here and go away with the session."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import unicodedata
import weakref
from pathlib import Path
from typing import BinaryIO

from posepipe.errors import MediaError, OutputError
from posepipe.media.sources import open_source

__all__ = ["Workspace", "check_video", "safe_name", "sweep"]

_PREFIX = "posepipe-app-"
_LONGEST_NAME = 80
_BLOCK = 1 << 20


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
    return f"{stem or 'video'}.{suffix}" if suffix else stem or "video"


def check_video(path: Path) -> None:
    """Open a file to see whether it is a video or picture: by its content, whatever its name says.

    Raises:
        MediaError: it isn't, or holds no picture.
    """
    if path.stat().st_size == 0:
        raise MediaError("the file is empty", where=path.name, hint="Choose another file")
    try:
        with open_source(path) as source:
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
        if pid.isdecimal() and not _alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)
            gone += 1
    return gone


def _alive(pid: int) -> bool:
    if os.name == "nt":
        # Signal 0 would end the process there.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
