"""Where things lie below the output folder."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from posepipe.errors import UsageError
from posepipe.media.atomic import output_error

__all__ = ["Places"]

_STALE_S = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class Places:
    """Paths of a batch.

    ``NAME/`` results, ``.posepipe/states/NAME.json`` states, ``.posepipe/work/`` unfinished results.

    Attributes:
        out: the output folder.
    """

    out: Path

    def results(self, name: str) -> Path:
        """Results folder of a video."""
        return self.out / name

    def seal(self, name: str) -> Path:
        """State that lies in a results folder and came with it in one rename."""
        return self.out / name / "batch.json"

    def state(self, name: str) -> Path:
        """State file of a video."""
        return self.out / ".posepipe" / "states" / f"{name}.json"

    @property
    def log(self) -> Path:
        """What worker processes of this machine print."""
        return self.out / ".posepipe" / "workers.log"

    @contextmanager
    def fresh(self) -> Iterator[Path]:
        """A new folder for unfinished results, removed afterwards if it is still there."""
        folder = self._work / f"{socket.gethostname()}@{os.getpid()}@{secrets.token_hex(6)}"
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise output_error(error, folder) from error
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, folder: Path, name: str) -> None:
        """Give finished results their final name, in one rename; older results go.

        Raises:
            OutputError: the folder or disk refuses.
        """
        final = self.results(name)
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            if final.exists():
                old = self._work / f"{socket.gethostname()}@{os.getpid()}@{secrets.token_hex(6)}"
                final.rename(old)
                folder.rename(final)
                shutil.rmtree(old, ignore_errors=True)
            else:
                folder.rename(final)
        except OSError as error:
            raise output_error(error, final) from error

    @property
    def _work(self) -> Path:
        return self.out / ".posepipe" / "work"

    def sweep(self) -> None:
        """Remove what processes left that are no more. Folders of other machines wait a week."""
        for folder in self._work.glob("*@*@*"):
            host, pid, _ = folder.name.split("@")
            with suppress(OSError):
                if host == socket.gethostname():
                    gone = not _alive(int(pid)) if pid.isdigit() else True
                else:
                    gone = time.time() - folder.stat().st_mtime > _STALE_S
                if gone:
                    shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else writes here meanwhile. The lock goes with the process, however that ends.

        Raises:
            UsageError: another batch is at work here.
            OutputError: the folder or disk refuses.
        """
        path = self.out / ".posepipe" / "lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a")
        except OSError as error:
            raise output_error(error, path) from error
        with file:
            try:
                import fcntl
            except ImportError:  # Windows has no such lock; there, two batches at once are the user's to avoid.
                yield
                return
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(
                    "another batch is at work", where=str(self.out), hint="Wait for it, or give another --out"
                ) from None
            yield


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
