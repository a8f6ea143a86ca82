"""Who does the work: worker processes here, or those of a Dask cluster."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from posepipe.batch.jobs import Job
from posepipe.batch.plan import Identity, State
from posepipe.batch.work import prepare, task, work
from posepipe.errors import InputError, PosePipeError
from posepipe.media.atomic import output_error
from posepipe.system import need

if TYPE_CHECKING:
    import distributed

__all__ = ["Answer", "Order", "Team", "open_team"]

_CONNECT_S = 30.0
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # Pictures come and go; glibc shall keep their memory (see posepipe.cli.main).
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(16 << 20),
}
"""What worker processes here find when they start."""

_CONFIG = {
    # A worker that dies takes its video with it; whether that is tried again is decided by whoever runs the batch.
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.worker-saturation": 1.0,
    # On a machine that is very busy, slow isn't dead.
    "distributed.comm.timeouts.connect": "120s",
    "distributed.scheduler.worker-ttl": "1h",
    "distributed.admin.tick.limit": "1h",
}


@dataclass(frozen=True, slots=True)
class Order:
    """One video to be worked on; see `posepipe.batch.work.work`.

    Attributes:
        job: what is asked.
        out: the output folder.
        identity: the program that the plan was made with.
        run: name of this run of the batch.
        attempt: which try at this video it is, from 1.
    """

    job: Job
    out: str
    identity: Identity
    run: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Answer:
    """How one order ended.

    Attributes:
        order: what was asked.
        worker: who did it.
        state: the video's state; None if it couldn't be told.
        lost: the worker died on it.
        error: what the worker raised.
    """

    order: Order
    worker: str = ""
    state: State | None = None
    lost: bool = False
    error: BaseException | None = None


class Team(Protocol):
    """Workers that take one video each."""

    local: bool
    """Whether the workers are ours."""

    def slots(self) -> int:
        """Videos that can be worked on at once, now; workers may come and go."""

    def hand(self, order: Order) -> None:
        """Give a video to a worker who is free."""

    def answers(self, timeout_s: float) -> list[Answer]:
        """What ended; waits until something did, or for so many seconds.

        Raises:
            PosePipeError: the team itself was lost.
        """

    def renew(self, worker: str) -> None:
        """Start an idle worker's process again, with fresh memory and networks, if that can be done."""


@contextmanager
def open_team(workers: int, scheduler: str | None, log: Path) -> Iterator[Team]:
    """Connect to a cluster, or start worker processes here, one core each.

    Args:
        workers: processes here.
        scheduler: address of a Dask scheduler; then `workers` doesn't count.
        log: what worker processes here print.

    Raises:
        UsageError: Dask isn't installed.
        InputError: no scheduler answers at that address.
        OutputError: the log can't be written.
        PosePipeError: worker processes can't be started.
    """
    if scheduler is not None:
        with _open_cluster(scheduler) as cluster:
            yield cluster
        return
    try:
        log.open("ab").close()
    except OSError as error:
        raise output_error(error, log) from error
    processes = _Processes(workers, log)
    try:
        processes.start()
        yield processes
    finally:
        processes.close()


@dataclass(slots=True)
class _Seat:
    """One worker process in a pool of its own: if it dies, nobody else's pool breaks."""

    pool: ProcessPoolExecutor
    pid: Future[int]
    at_work: bool = False


class _Processes:
    """Worker processes of this machine."""

    local = True

    def __init__(self, count: int, log: Path) -> None:
        self._log = str(log.absolute())
        self._count = count
        self._seats: list[_Seat] = []
        self._running: dict[Future[State], tuple[_Seat, Order]] = {}

    def start(self) -> None:
        """Start all, and wait until they stand ready."""
        self._seats = [_Seat(*self._open()) for _ in range(self._count)]
        try:
            for seat in self._seats:
                seat.pid.result()
        except BrokenProcessPool as error:
            hint = f"A script needs the line: if __name__ == '__main__'. See {self._log}"
            raise PosePipeError("worker processes can't be started", hint=hint) from error

    def _open(self) -> tuple[ProcessPoolExecutor, Future[int]]:
        # Spawned and not forked: libraries here may have threads.
        pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=prepare, initargs=(self._log,))
        with _surroundings():
            return pool, pool.submit(os.getpid)

    def slots(self) -> int:
        return len(self._seats)

    def hand(self, order: Order) -> None:
        seat = next(seat for seat in self._seats if not seat.at_work)
        try:
            future = self._submit(seat, order)
        except BrokenProcessPool:  # it died in its rest, which costs nobody anything
            seat.pool, seat.pid = self._open()
            future = self._submit(seat, order)
        seat.at_work = True
        self._running[future] = seat, order

    def _submit(self, seat: _Seat, order: Order) -> Future[State]:
        return seat.pool.submit(work, order.job, order.out, order.identity, order.run)

    def answers(self, timeout_s: float) -> list[Answer]:
        done = wait(self._running, timeout_s, return_when="FIRST_COMPLETED").done
        return [self._answer(future) for future in done]

    def _answer(self, future: Future[State]) -> Answer:
        seat, order = self._running.pop(future)
        seat.at_work = False
        error = future.exception()
        if isinstance(error, BrokenProcessPool):
            seat.pool.shutdown()
            seat.pool, seat.pid = self._open()
            return Answer(order, lost=True)
        worker = str(seat.pid.result())
        return Answer(order, worker, error=error) if error else Answer(order, worker, future.result())

    def renew(self, worker: str) -> None:
        for seat in self._seats:
            if seat.pid.done() and not seat.at_work and str(seat.pid.result()) == worker:
                seat.pool.shutdown()  # waits: the new one takes the old one's core
                seat.pool, seat.pid = self._open()

    def close(self) -> None:
        """End all processes, at work or not."""
        if self._running:
            # A pool would wait for what it works on.
            ours = {seat.pid.result() for seat in self._seats if not seat.pid.exception()}
            for child in active_children():
                if child.pid in ours:
                    child.kill()
        for seat in self._seats:
            seat.pool.shutdown(cancel_futures=True)
        self._running.clear()


@contextmanager
def _surroundings() -> Iterator[None]:
    """What a process inherits that is started here: our environment, and deafness to Ctrl-C, which is the batch's."""
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    signals = hasattr(signal, "pthread_sigmask")
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if signals else set()
    os.environ.update(_ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        if signals:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextmanager
def _open_cluster(scheduler: str) -> Iterator[Team]:
    need("distributed", extra="batch")
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    import dask
    from distributed import Client

    with ExitStack() as stack:
        stack.enter_context(dask.config.set(_CONFIG))
        try:
            client = stack.enter_context(Client(scheduler, timeout=_CONNECT_S, set_as_default=False))
        except (OSError, ValueError, TimeoutError) as error:
            raise InputError(
                "no Dask scheduler answers", where=scheduler, hint="Check the address, as in tcp://host:8786"
            ) from error
        # Dask's functions mean this client, in this thread, and no other that a program may have.
        stack.enter_context(client.as_current())
        cluster = _Cluster(client, scheduler)
        stack.callback(cluster.close)
        yield cluster


class _Cluster:
    """Workers of a Dask scheduler."""

    local = False

    def __init__(self, client: distributed.Client, scheduler: str) -> None:
        self._client = client
        self._scheduler = scheduler
        self._running: dict[Any, Order] = {}

    def slots(self) -> int:
        return int(sum(self._client.nthreads().values()))

    def hand(self, order: Order) -> None:
        future = self._client.submit(
            task,
            order.job,
            order.out,
            order.identity,
            order.run,
            key=f"posepipe-{order.run}-{order.attempt}-{order.job.name}",
            pure=False,
        )
        self._running[future] = order

    def answers(self, timeout_s: float) -> list[Answer]:
        from distributed import wait as wait_for

        try:
            done = wait_for(list(self._running), timeout=timeout_s, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            return []
        return [self._answer(future) for future in done]

    def _answer(self, future: Any) -> Answer:
        from distributed import KilledWorker

        order = self._running.pop(future)
        if future.status in ("cancelled", "lost"):
            hint = "Start again; what is done stays done"
            raise PosePipeError("the Dask scheduler was lost", where=self._scheduler, hint=hint)
        if future.status != "error":
            worker, state = future.result()
            return Answer(order, worker, state)
        error = future.exception()
        return Answer(order, lost=True) if isinstance(error, KilledWorker) else Answer(order, error=error)

    def renew(self, worker: str) -> None:
        # A worker without a nanny, or one that is gone: not worth stopping for.
        with suppress(ValueError, KeyError, OSError, TimeoutError):
            self._client.restart_workers([worker], timeout=60, raise_for_error=False)

    def close(self) -> None:
        """Whatever happens, no future outlives its client."""
        for future in self._running:
            future.cancel(reason="the batch ends")
        self._running.clear()
