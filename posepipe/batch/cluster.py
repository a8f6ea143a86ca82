"""Dask, kept quiet: workers on this machine, or those of a cluster that already runs."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posepipe.errors import InputError, UsageError
from posepipe.watch import cores

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Team", "open_team"]

_CONNECT_S = 30.0
_CONFIG = {
    # A worker that dies takes its video with it; whether that is tried again is decided here.
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.worker-saturation": 1.0,
    # A paused worker would never go on: one video's memory isn't given back by waiting.
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.target": False,
    # On a machine that is very busy, slow isn't dead.
    "distributed.comm.timeouts.connect": "120s",
    "distributed.scheduler.worker-ttl": "1h",
    "distributed.admin.tick.limit": "1h",
    "distributed.nanny.pre-spawn-environ": {
        "OMP_NUM_THREADS": 1,
        "OPENBLAS_NUM_THREADS": 1,
        "MKL_NUM_THREADS": 1,
        # Pictures come and go; glibc shall keep their memory (see posepipe.cli.main).
        "MALLOC_ARENA_MAX": 2,
        "MALLOC_MMAP_THRESHOLD_": 32 << 20,
        "MALLOC_TRIM_THRESHOLD_": 16 << 20,
    },
}


class Team:
    """Workers, and how much they take at once.

    Args:
        client: connected to a scheduler.
        local: whether the workers are ours.
    """

    def __init__(self, client: Client, *, local: bool) -> None:
        self.client = client
        self.local = local

    def here(self) -> AbstractContextManager[object]:
        """Dask's functions mean this client, in this thread, and no other that a program may have."""
        current: AbstractContextManager[object] = self.client.as_current()
        return current

    def slots(self) -> int:
        """Videos that can be worked on at once, now; workers may come and go."""
        return int(sum(self.client.nthreads().values()))

    def renew(self, worker: str) -> bool:
        """Start a worker's process again, with fresh memory and networks; False if its cluster can't do that."""
        try:
            self.client.restart_workers([worker], timeout=60, raise_for_error=False)
        # A worker without a nanny, or one that is gone: not worth stopping for.
        except (ValueError, KeyError, OSError, TimeoutError):
            return False
        return True


@contextmanager
def open_team(workers: int | None, scheduler: str | None, log: Path) -> Iterator[Team]:
    """Connect to a cluster, or start worker processes here, one core each.

    Args:
        workers: processes here; None takes one for each core.
        scheduler: address of a scheduler; then `workers` doesn't count.
        log: what worker processes here print.

    Raises:
        UsageError: Dask isn't installed.
        InputError: no scheduler answers at that address.
    """
    if find_spec("distributed") is None:
        raise UsageError("dask is not installed", hint="pip install 'posepipe[batch]'")
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    import dask
    from distributed import Client, LocalCluster

    from posepipe.batch.worker import OwnProcess

    with ExitStack() as stack:
        stack.enter_context(dask.config.set(_CONFIG))
        if scheduler is not None:
            try:
                client = stack.enter_context(Client(scheduler, timeout=_CONNECT_S, set_as_default=False))
            except (OSError, ValueError, TimeoutError) as error:
                raise InputError(
                    "no Dask scheduler answers", where=scheduler, hint="Check the address, as in tcp://host:8786"
                ) from error
            yield Team(client, local=False)
            return
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="posepipe-dask-", ignore_cleanup_errors=True))
        cluster: Any = stack.enter_context(
            LocalCluster(
                n_workers=workers or cores(),
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                # None would take the well-known port, and warn where another cluster has it.
                dashboard_address="127.0.0.1:0",
                memory_limit=0,
                silence_logs=logging.CRITICAL,
                local_directory=folder,
            )
        )
        client = stack.enter_context(Client(cluster, set_as_default=False))
        client.register_plugin(OwnProcess(str(log)))
        yield Team(client, local=True)
