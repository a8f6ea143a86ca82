"""What runs inside a Dask worker."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

from distributed import Worker, WorkerPlugin, get_worker

from posepipe.batch.jobs import Job
from posepipe.batch.state import Identity, State

__all__ = ["OwnProcess", "take_core", "task"]


class OwnProcess(WorkerPlugin):  # type: ignore[misc]
    """Prepares a worker process of ours: a core of its own, and what libraries print goes to a file.

    Args:
        log: that file.
    """

    name = "posepipe"

    def __init__(self, log: str) -> None:
        self._log = log

    def setup(self, worker: Worker) -> None:
        """Called in every worker process, also one that takes a dead one's place."""
        log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for stream in (1, 2):
            os.dup2(log, stream)
        os.close(log)
        self._core = take_core()


def take_core() -> IO[str] | None:
    """Bind this process to a core that no other worker has.

    Every stage then sees one core and takes one thread. The core is marked by a locked file, which the system lets go
    with the process. Where all are taken, or the system knows no such thing, the process stays free.

    Returns:
        The locked file, to be kept.
    """
    if not hasattr(os, "sched_setaffinity"):
        return None
    import fcntl

    for core in sorted(os.sched_getaffinity(0)):
        try:
            file = (Path(tempfile.gettempdir()) / f"posepipe-core-{core}.lock").open("a")
        except OSError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            continue
        # The system binds threads, not processes; threads to come take after the one that starts them.
        for thread in Path("/proc/self/task").iterdir():
            with suppress(OSError):
                os.sched_setaffinity(int(thread.name), {core})
        return file
    return None


def task(job: Job, out: str, identity: Identity, run: str) -> tuple[str, State]:
    """`posepipe.batch.work.work`, and the address of the worker that did it."""
    from posepipe.batch.work import work

    return get_worker().address, work(job, out, identity, run)
