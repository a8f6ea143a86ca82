"""Runs a plan on Dask: hands videos to workers here or of a cluster, takes lost ones back, and sums up."""

from __future__ import annotations

import logging
import secrets
import socket
import tempfile
import time
import warnings
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posepipe.batch.overview import write_overview
from posepipe.batch.plan import DONE, FAILED, NOBODY, Item, Plan, SourceFile, State, Watcher, read_state, write_state
from posepipe.errors import InputError, OutputError, PosePipeError
from posepipe.media.atomic import output_error
from posepipe.record.seal import sweep
from posepipe.system import cores, need

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["Options", "Outcome", "open_team", "run_batch"]

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

_LOOK_S = 0.5
_LOST = "WorkerLost"


class Team:
    """Workers, and how much they take at once.

    Args:
        client: connected to a scheduler.
        local: whether the workers are ours.
        alone: whether this process is the only worker.
    """

    def __init__(self, client: Client, *, local: bool, alone: bool = False) -> None:
        self.client = client
        self.local = local
        self.alone = alone

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
        OutputError: there is no place for temporary files.
    """
    need("distributed", extra="batch")
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    import dask
    from distributed import Client, LocalCluster

    from posepipe.batch.work import prepare

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
        folder = stack.enter_context(_temporary_folder())
        common: dict[str, Any] = {
            "threads_per_worker": 1,
            "memory_limit": 0,
            "silence_logs": logging.CRITICAL,
            "local_directory": folder,
        }
        if not _reaches_itself():
            # Dask asks for this machine's address even where nobody needs it.
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore", RuntimeWarning)
            cluster: Any = LocalCluster(n_workers=1, processes=False, dashboard_address=None, **common)
            stack.enter_context(cluster)
            yield Team(stack.enter_context(Client(cluster, set_as_default=False)), local=True, alone=True)
            return
        # None would take the well-known port, and warn where another cluster has it.
        ports = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
        cluster = LocalCluster(n_workers=workers or cores(), processes=True, **ports, **common)
        stack.enter_context(cluster)
        client = stack.enter_context(Client(cluster, set_as_default=False))
        client.register_worker_callbacks(partial(prepare, str(log)))
        yield Team(client, local=True)


def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="posepipe-dask-", ignore_cleanup_errors=True)
    except OSError as error:
        raise output_error(error, Path(tempfile.gettempdir())) from error


def _reaches_itself() -> bool:
    """Whether processes of this machine can talk to each other; a sandbox may have no network at all."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), timeout=2.0).close()
    except OSError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Options:
    """How to run.

    Attributes:
        workers: processes on this machine; None takes one for each core.
        scheduler: address of a Dask scheduler that runs already; None starts workers here.
        attempts: how often a video is tried whose worker dies.
        recycle: a worker's process is started anew after so many videos.
        patience_s: how long nobody may be there to work before the run ends; for the first worker of a cluster, which
            may be queued, it waits for ever.
    """

    workers: int | None = None
    scheduler: str | None = None
    attempts: int = 2
    recycle: int = 50
    patience_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run went.

    Attributes:
        states: of every video of the plan that has one, by name.
        worked: names of the videos that this run did.
        seconds: wall-clock time of the run.
        startup_s: of which passed until workers stood ready.
        lost_workers: worker processes that died.
    """

    states: dict[str, State]
    worked: tuple[str, ...]
    seconds: float
    startup_s: float = 0.0
    lost_workers: int = 0

    def count(self, status: str) -> int:
        """How many videos have a status."""
        return sum(state.status == status for state in self.states.values())

    @property
    def exit_code(self) -> int:
        """0 unless a video failed for a reason that isn't the video's: 4 for want of a model, else 1."""
        codes = {
            int((state.error or {}).get("exit_code", 1))
            for state in self.states.values()
            if state.status not in (DONE, NOBODY)
        } - {3}
        return 0 if not codes else 4 if codes == {4} else 1


@dataclass(slots=True)
class _Books:
    """What a run keeps count of."""

    run: str
    queue: deque[Item]
    states: dict[str, State]
    running: dict[Future[tuple[str, State]], Item] = field(default_factory=dict)
    tries: Counter[str] = field(default_factory=Counter)
    done_by: Counter[str] = field(default_factory=Counter)
    worked: list[str] = field(default_factory=list)
    lost: int = 0
    seen_s: float | None = None


def run_batch(plan: Plan, options: Options | None = None, watcher: Watcher | None = None) -> Outcome:
    """Do what a plan says is left, then write ``summary.parquet``, ``summary.csv`` and ``index.html`` over everything.

    What goes wrong with one video is in its state. Stopped by Ctrl-C, the overview is written of what there is.

    Args:
        plan: see `make_plan`.
        options: how to run.
        watcher: told what happens.

    Raises:
        UsageError: Dask isn't installed, or another batch writes to the same folder.
        OutputError: the folder or disk refuses.
        InputError: no scheduler answers.
        PosePipeError: the scheduler or all workers were lost on the way; what is done stays done.
    """
    options, watcher = options or Options(), watcher or Watcher()
    start = time.perf_counter()
    todo = sorted(plan.todo, key=_size, reverse=True)
    known = {item.job.name: item.state for item in plan.items if item.state}
    books = _Books(secrets.token_hex(6), deque(todo), known)
    startup_s = 0.0
    with plan.places.locked() as held:
        if not held:
            watcher.note("this file system knows no locks: let no other batch write there meanwhile")
        sweep(plan.places.work)
        try:
            if books.queue:
                workers = min(options.workers, len(books.queue)) if options.workers else None
                with open_team(workers, options.scheduler, plan.places.log) as team, team.here(), _released(books):
                    startup_s = time.perf_counter() - start
                    if team.alone:
                        watcher.note("no network, not even with itself: one video after the other in this process")
                    _work_off(books, plan, team, options, watcher)
        except PosePipeError:
            # The overview may fail for the same reason, which is better told once.
            with suppress(OutputError):
                write_overview(plan, books.states)
            raise
        except BaseException:
            write_overview(plan, books.states)
            raise
        write_overview(plan, books.states)
    return Outcome(books.states, tuple(books.worked), time.perf_counter() - start, startup_s, books.lost)


def _size(item: Item) -> int:
    """Largest first, so that nobody is left alone with a long video at the end."""
    source = SourceFile.of(item.job.video)
    return source.size if source is not None else 0


@contextmanager
def _released(books: _Books) -> Iterator[None]:
    """Whatever happens, no future outlives its client."""
    try:
        yield
    finally:
        for future in books.running:
            future.cancel(reason="the batch ends")
        books.running.clear()


def _work_off(books: _Books, plan: Plan, team: Team, options: Options, watcher: Watcher) -> None:
    from distributed import wait

    while books.queue or books.running:
        slots = team.slots()
        _watch_over(books, slots, team, options)
        # One video a slot and none in advance: whoever is free takes the next, and a lost worker costs one.
        for _ in range(max(slots - len(books.running), 0)):
            if books.queue:
                _hand_out(books, plan, team, watcher)
        watcher.tick()
        if not books.running:
            # All workers are gone; they may come back.
            time.sleep(_LOOK_S)
            continue
        try:
            finished = wait(list(books.running), timeout=_LOOK_S, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            continue
        for future in finished:
            _take_back(books, plan, team, options, watcher, future)


def _watch_over(books: _Books, slots: int, team: Team, options: Options) -> None:
    """Raise `PosePipeError` if there has been nobody to work for too long."""
    now_s = time.monotonic()
    if slots or (books.seen_s is None and team.local):
        books.seen_s = now_s
    elif books.seen_s is not None and now_s - books.seen_s > options.patience_s:
        raise PosePipeError(
            "no worker is left, and none came back",
            where=options.scheduler or "",
            hint="Look at the workers, then start again; what is done stays done",
        )


def _hand_out(books: _Books, plan: Plan, team: Team, watcher: Watcher) -> None:
    from posepipe.batch.work import task

    item = books.queue.popleft()
    name = item.job.name
    books.tries[name] += 1
    future = team.client.submit(
        task,
        item.job,
        str(plan.places.out.absolute()),
        plan.identity,
        books.run,
        key=f"posepipe-{books.run}-{books.tries[name]}-{name}",
        pure=False,
    )
    books.running[future] = item
    watcher.started(name)


def _take_back(
    books: _Books, plan: Plan, team: Team, options: Options, watcher: Watcher, future: Future[tuple[str, State]]
) -> None:
    from distributed import KilledWorker

    item = books.running.pop(future)
    name = item.job.name
    if future.status in ("cancelled", "lost"):
        raise PosePipeError(
            "the Dask scheduler was lost", where=options.scheduler or "", hint="Start again; what is done stays done"
        )
    error = future.exception() if future.status == "error" else None
    if error is None:
        worker, state = future.result()
        books.done_by[worker] += 1
        if books.done_by[worker] >= options.recycle and books.queue:
            del books.done_by[worker]
            team.renew(worker)
    elif isinstance(error, KilledWorker):
        books.lost += 1
        if books.tries[name] < options.attempts:
            books.queue.append(item)
            return
        state = _failed(item, plan, _LOST, "the worker process died on it", "Memory may have run out; try it alone")
    elif isinstance(error, PosePipeError):
        raise error
    else:
        what = f"unexpected {type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"
        state = _failed(item, plan, "PosePipeError", what, "Workers need the same posepipe as this machine")
    books.states[name] = state
    books.worked.append(name)
    watcher.ended(name, state)


def _failed(item: Item, plan: Plan, kind: str, what: str, hint: str) -> State:
    """Note a failure that the worker couldn't note itself."""
    path = plan.places.state(item.job.name)
    error = PosePipeError(what, where=str(item.job.video), hint=hint).as_dict() | {"error": kind}
    known = read_state(path) or State(
        item.job.name, str(item.job.video), FAILED, plan.identity.fingerprint(item.job), item.job.settings()
    )
    state = known.failed(error)
    write_state(state, path)
    return state
