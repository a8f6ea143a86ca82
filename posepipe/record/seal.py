"""Which files of a folder are ours: a small record lies beside them. Whatever isn't in it is the user's, and stays."""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from posepipe.errors import OutputError
from posepipe.media.atomic import (
    atomic_path,
    concerns_another_file,
    hold,
    move_into_place,
    output_error,
    require_writable,
    sync,
)
from posepipe.system import process_alive
from posepipe.weights import sha256_of_file

__all__ = [
    *("RECORD", "RESULTS", "Record", "matches", "read_record"),
    *("recording_key", "remove", "require_room", "sweep", "writing"),
]

RECORD = ".posepipe.json"
RESULTS = (
    *("summary.json", "report.html", "angles.parquet", "poses.parquet", "annotated.mp4", "batch.json"),
    *("gait.html", "gait.json", "gait.pdf", "gait-[0-9]*.html", "gait-[0-9]*.pdf", "report.pdf"),
)
"""Names and patterns of what an analysis writes; further formats have names of their own."""

_LAST = ("batch.json", "summary.json")
_ANY = ""
_SCHEMA = 1
_STALE_S = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class Record:
    """What we wrote into a folder.

    Attributes:
        of: which recording, or what else, the files belong to.
        files: (path below the folder, SHA-256); a file that was changed since is the user's.
    """

    of: str = ""
    files: frozenset[tuple[str, str]] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """Paths below the folder."""
        return frozenset(name for name, _ in self.files)

    def owns(self, folder: Path, name: str) -> bool:
        """Whether a file is there and as we left it. Links aren't."""
        path, hashes = folder / name, {digest for known, digest in self.files if known == name}
        if not hashes or path.is_symlink() or not path.is_file():
            return False
        try:
            return _ANY in hashes or sha256_of_file(path) in hashes
        except OSError:
            return False


def read_record(folder: Path, record: str = RECORD) -> Record:
    """The record of a folder; of one from before there were records, what its ``summary.json`` tells; else empty."""
    table = _json(folder / record)
    if table.get("posepipe_files") == _SCHEMA:
        with suppress(KeyError, TypeError, ValueError):
            return Record(str(table["of"]), frozenset((str(name), str(digest)) for name, digest in table["files"]))
    summary = _json(folder / "summary.json") if record == RECORD else {}
    if "posepipe" not in summary or "schema" not in summary:
        return Record()
    with suppress(KeyError, TypeError, OSError):
        people = [person["id"] for person in summary["people"]]
        of = recording_key(summary["created"], summary["video"]["path"], people)
        return Record(of, frozenset((path.name, _ANY) for path in folder.iterdir() if matches(path.name, RESULTS)))
    return Record()


def recording_key(created: str, video: str, people: Iterable[int]) -> str:
    """Tells recordings apart; the same for one that was saved and loaded."""
    return json.dumps([created, video, [int(person) for person in people]])


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a file's name is one of the patterns, in any case."""
    return any(fnmatch(name.casefold(), pattern) for pattern in patterns)


def require_room(
    folder: Path, patterns: Iterable[str], record: str = RECORD, *, source: Path | int | None = None
) -> None:
    """Make sure, before minutes of work, that results can go into a folder without writing over anything of the user's.

    Args:
        folder: it needn't exist.
        patterns: names of the files to come.
        record: name of the record.
        source: the input; it may not be written over, even if it is ours.

    Raises:
        OutputError: it can't be written, or a file of the user's has such a name.
    """
    require_writable(folder)
    if not folder.is_dir():
        return
    known, patterns = read_record(folder, record), tuple(patterns)
    for path in _entries(folder):
        if matches(path.name, patterns):
            if source is not None and _same(path, source):
                raise OutputError("is the input", where=str(path), hint="Choose another folder for the results")
            if not known.owns(folder, path.name):
                raise _in_the_way(path)


def _same(path: Path, source: Path | int) -> bool:
    try:
        return not isinstance(source, int) and path.samefile(source)
    except (OSError, ValueError):
        return False


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise output_error(error, folder) from error


def _in_the_way(path: Path) -> OutputError:
    return OutputError(
        "is there already, and not as posepipe wrote it", where=str(path), hint="Move it or choose another folder"
    )


@contextmanager
def writing(folder: Path, of: str, *, record: str = RECORD, work: Path | None = None) -> Iterator[Path]:
    """Give an empty folder to write into; at the end its files go to `folder`, all or none.

    A new folder comes in one rename. In one that exists, files of ours that belong to something else go, the user's
    stay; ``summary.json`` goes first and comes last. Everything reaches the disk before it gets its name.

    Args:
        folder: where the files shall be; made if it is missing.
        of: what they belong to; see `Record`.
        record: name of the record.
        work: where unfinished files lie, on the same file system; unless given, in `folder` or beside it.

    Yields:
        The empty folder.

    Raises:
        OutputError: the folder or disk refuses, or a file of the user's has the name of one that is to come.
    """
    parent = work or (folder if folder.is_dir() else folder.parent)
    made = parent / f".posepipe-{socket.gethostname()}@{os.getpid()}@{secrets.token_hex(6)}"
    try:
        try:
            if not folder.is_dir() and os.path.lexists(folder):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
            sweep(parent)
            made.mkdir(parents=True)
            yield made
            _publish(made, folder, of, record)
        except OSError as error:
            if concerns_another_file(error, made, folder):
                raise
            raise output_error(error, folder) from error
        except OutputError as error:
            # The temporary name means nothing to the user.
            where = error.where.replace(str(made), str(folder))
            raise OutputError(error.what, where=where, hint=error.hint) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _publish(made: Path, folder: Path, of: str, record: str) -> None:
    paths = sorted(path for path in made.rglob("*") if path.is_file())
    for path in paths:
        sync(path)
    new = Record(of, frozenset((path.relative_to(made).as_posix(), sha256_of_file(path)) for path in paths))
    _write_record(new, made / record)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not folder.exists():
        for below in (made, *(path for path in made.rglob("*") if path.is_dir())):
            sync(below)
        try:
            move_into_place(made, folder)
            sync(folder.parent)
            return
        except OSError as error:
            # Somebody else made it meanwhile.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    with hold(folder):
        _merge(made, folder, new, record)


def _merge(made: Path, folder: Path, new: Record, record: str) -> None:
    old = read_record(folder, record)
    own = {name for name in old.names if old.owns(folder, name)}
    for name in new.names:
        if name not in own and os.path.lexists(folder / name):
            raise _in_the_way(folder / name)
    stale = own - new.names if old.of != new.of else set()
    # Whatever happens from here on, all of these are known to be ours.
    _write_record(Record(new.of, old.files | new.files), folder / record)
    for name in sorted(stale | (own & new.names & set(_LAST)), key=_order, reverse=True):
        (folder / name).unlink(missing_ok=True)
        _remove_empty((folder / name).parent, folder)
    for name in sorted(new.names, key=_order):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        move_into_place(made / name, folder / name)
        sync((folder / name).parent)
    kept = frozenset((name, digest) for name, digest in old.files if name in own - stale - new.names)
    _write_record(Record(new.of, new.files | kept), folder / record)


def _order(name: str) -> tuple[int, str]:
    return _LAST.index(name) + 1 if name in _LAST else 0, name


def _remove_empty(folder: Path, root: Path) -> None:
    with suppress(OSError):
        while folder != root:
            folder.rmdir()
            folder = folder.parent


def remove(folder: Path) -> bool:
    """Remove our files from a folder, the summary first, and the folder if nothing else is in it.

    Returns:
        Whether the folder is gone; it stays if it holds a file of the user's.

    Raises:
        OutputError: the disk refuses.
    """
    known = read_record(folder)
    try:
        for name in sorted(known.names, key=_order, reverse=True):
            if known.owns(folder, name):
                (folder / name).unlink()
                _remove_empty((folder / name).parent, folder)
        if {path.name for path in folder.iterdir()} <= {RECORD}:
            (folder / RECORD).unlink(missing_ok=True)
            folder.rmdir()
            return True
    except OSError as error:
        raise output_error(error, folder) from error
    return False


def sweep(parent: Path) -> None:
    """Remove unfinished folders of processes that are no more. Those of other machines wait a week."""
    for folder in parent.glob(".posepipe-*@*@*"):
        parts = re.fullmatch(r"\.posepipe-(.*)@(\d+)@[0-9a-f]{12}", folder.name)
        with suppress(OSError):
            if parts is None or folder.is_symlink():
                continue
            if parts[1] == socket.gethostname():
                gone = not process_alive(int(parts[2]))
            else:
                gone = time.time() - folder.stat().st_mtime > _STALE_S
            if gone:
                shutil.rmtree(folder, ignore_errors=True)


def _write_record(record: Record, path: Path) -> None:
    table = {"posepipe_files": _SCHEMA, "of": record.of, "files": sorted(record.files)}
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def _json(path: Path) -> Mapping[str, Any]:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return table if isinstance(table, dict) else {}
