"""Files appear under their final name only when they are whole."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from posepipe.errors import OutputError
from posepipe.system import try_lock

__all__ = [
    "BusyError", "atomic_path", "concerns_another_file", "disk_refuses", "expanded", "fitting", "hold",
    "move_into_place", "output_error", "require_writable", "sync",
]  # fmt: skip

_LONGEST_NAME = 255
"""Bytes in a file's name, on nearly every file system."""

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF)

_HINTS = {
    errno.ENOSPC: "The disk is full: free some space or choose another folder",
    errno.EDQUOT: "Your disk quota is used up: free some space or choose another folder",
    errno.EACCES: "You may not write there: choose another folder",
    errno.EPERM: "You may not write there: choose another folder",
    errno.EROFS: "That file system is read-only: choose another folder",
    errno.ENOTDIR: "Part of the path is a file, not a folder",
    errno.EISDIR: "A folder has that name: choose another",
    errno.ENAMETOOLONG: "Choose a shorter name",
    errno.EXDEV: "Part of the path is a link to another disk: name that one",
}
_REFUSES = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def output_error(error: OSError, final: Path) -> OutputError:
    """The `OutputError` that tells a user about an `OSError` met while writing `final`."""
    reason = error.strerror or type(error).__name__
    hint = _HINTS.get(error.errno or 0, "Check the path and the disk")
    return OutputError(f"can't be written ({reason})", where=str(final), hint=hint)


@contextmanager
def atomic_path(final: Path | str) -> Iterator[Path]:
    """Give a temporary path beside `final`; rename it to `final` on success, remove it otherwise.

    The temporary name is hidden, unique, and has the same suffix. Missing parent folders are made. The body writes to
    the path given; an existing `final` stays untouched until the rename. The content reaches the disk before the name.

    Args:
        final: where the file shall be in the end.

    Yields:
        A path in the same folder that doesn't exist yet.

    Raises:
        OutputError: the folder or disk refuses, or the body wrote nothing. `OSError`s of the body that name another
            file than the temporary one (an input, say) pass unchanged.
    """
    final = Path(final)
    temporary = final.with_name(f".posepipe-{secrets.token_hex(6)}{final.suffix}")
    try:
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            # Tells about a forbidden folder now, not after minutes of work.
            temporary.touch()
            temporary.unlink()
            yield temporary
            sync(temporary)
            move_into_place(temporary, final)
            sync(final.parent)
        except OSError as error:
            if concerns_another_file(error, temporary, final):
                raise
            raise output_error(error, final) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


# Windows' errors "access denied", "sharing violation" and "lock violation".
_HELD = (5, 32, 33)
_TRIES, _PAUSE_S = 6, 0.05


def move_into_place(source: Path, final: Path) -> None:
    """Rename a file or folder; a file of that name is replaced.

    A virus scanner or an index may hold for a moment what was just written, and Windows then refuses: that is tried
    again for 1.5 s.

    Raises:
        OSError: the folder or disk refuses.
    """
    for attempt in range(_TRIES):
        try:
            source.replace(final)
            return
        except OSError as error:
            if getattr(error, "winerror", None) not in _HELD or attempt == _TRIES - 1:
                raise
            time.sleep(_PAUSE_S * 2**attempt)


def concerns_another_file(error: OSError, temporary: Path, final: Path) -> bool:
    """Whether an error names a file other than these, those in `temporary`, and the folders that `final` lies in."""
    if error.filename is None:
        return False
    named = Path(str(error.filename))
    return named not in (final, *final.parents) and temporary not in (named, *named.parents)


def disk_refuses(error: BaseException | None) -> bool:
    """Whether an error comes from a disk that is full or read-only, so that the next file will fare no better."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _REFUSES:
            return True
        error = error.__cause__
    return False


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on the disk; as far as the system can."""
    try:
        handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    except PermissionError:
        # A folder that takes files but shows none; on Windows, every folder.
        return
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems know no such thing.
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF):
            raise
    finally:
        os.close(handle)


class BusyError(Exception):
    """Another process has the lock."""


@contextmanager
def hold(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Lock a file or folder against other posepipes. The lock goes with the process, however that ends.

    Yields:
        False where the system or file system knows no such lock.

    Raises:
        BusyError: another has it, and `wait` is false.
    """
    try:
        handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    except PermissionError:
        # Windows opens no folders.
        yield False
        return
    try:
        try:
            held = try_lock(handle, wait=wait)
            if not held:
                raise BusyError
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            held = False
        yield held
    finally:
        os.close(handle)


def expanded(path: Path | str) -> Path:
    """A path with ``~`` put in full; as it is where there is no such user."""
    return Path(os.path.expanduser(path))  # noqa: PTH111


def fitting(name: str, room: int = 20) -> str:
    """A name that leaves so many bytes of the longest possible; a long one is cut and keeps a hash of the whole."""
    data = os.fsencode(name)
    if len(data) <= _LONGEST_NAME - room:
        return name
    kept = data[: _LONGEST_NAME - room - 9].decode(errors="ignore").rstrip()
    return f"{kept}-{hashlib.sha256(data).hexdigest()[:8]}"


def require_writable(folder: Path | str) -> None:
    """Make sure, before minutes of work, that a folder exists or can be made, and takes files. Makes nothing.

    Raises:
        OutputError: part of the path is a file or too long a name, or the nearest folder that exists refuses.
    """
    folder = Path(folder).absolute()
    nearest = folder
    try:
        while not os.path.lexists(nearest) and nearest != nearest.parent:
            if len(os.fsencode(nearest.name)) > _LONGEST_NAME:
                raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
            nearest = nearest.parent
        if not nearest.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise output_error(error, folder) from error
