"""Files appear under their final name only when they are whole."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from posepipe.errors import OutputError

__all__ = ["atomic_path", "output_error", "require_writable"]

_HINTS = {
    errno.ENOSPC: "The disk is full: free some space or choose another folder",
    errno.EDQUOT: "Your disk quota is used up: free some space or choose another folder",
    errno.EACCES: "You may not write there: choose another folder",
    errno.EPERM: "You may not write there: choose another folder",
    errno.EROFS: "That file system is read-only: choose another folder",
    errno.ENOTDIR: "Part of the path is a file, not a folder",
    errno.EISDIR: "A folder has that name: choose another",
    errno.ENAMETOOLONG: "Choose a shorter name",
}


def output_error(error: OSError, final: Path) -> OutputError:
    """The `OutputError` that tells a user about an `OSError` met while writing `final`."""
    reason = error.strerror or type(error).__name__
    hint = _HINTS.get(error.errno or 0, "Check the path and the disk")
    return OutputError(f"can't be written ({reason})", where=str(final), hint=hint)


@contextmanager
def atomic_path(final: Path | str) -> Iterator[Path]:
    """Give a temporary path beside `final`; rename it to `final` on success, remove it otherwise.

    The temporary name is hidden, unique, and has the same suffix. Missing parent folders are made. The body writes to
    the path given; an existing `final` stays untouched until the rename.

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
            temporary.replace(final)
        except OSError as error:
            if _concerns_another_file(error, temporary, final):
                raise
            raise output_error(error, final) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _concerns_another_file(error: OSError, temporary: Path, final: Path) -> bool:
    if error.filename is None:
        return False
    named = Path(str(error.filename))
    return named not in (temporary, final) and named not in final.parents


def require_writable(folder: Path | str) -> None:
    """Make sure, before minutes of work, that a folder exists or can be made, and takes files. Makes nothing.

    Raises:
        OutputError: part of the path is a file, or the nearest folder that exists refuses.
    """
    folder = Path(folder).absolute()
    nearest = folder
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        raise output_error(NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)), folder)
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise output_error(PermissionError(errno.EACCES, os.strerror(errno.EACCES)), folder)
