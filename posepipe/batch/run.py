"""Runs a plan: hands videos to workers, takes lost ones back, and sums up."""

from __future__ import annotations

import secrets
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from posepipe.batch.cluster import Team, open_team
from posepipe.batch.overview import write_overview
from posepipe.batch.plan import Item, Plan
from posepipe.batch.state import DONE, FAILED, NOBODY, SourceFile, State, read_state, write_state
from posepipe.errors import PosePipeError

if TYPE_CHECKING:
    from distributed import Future

__all__ = ["Options", "Outcome", "Watcher", "run_batch"]

_LOOK_S = 0.5
_LOST = "WorkerLost"


@dataclass(frozen=True, slots=True)
class Options:
    """How to run.

    Attributes:
        workers: processes on this machine; None takes one for each core.
        scheduler: address of a Dask scheduler that runs already; None starts workers here.
        attempts: how often a video is tried whose worker dies.
        recycle: a worker's process is started anew after so many videos.
    """

    workers: int | None = None
    scheduler: str | None = None
    attempts: int = 2
    recycle: int = 50


class Watcher:
    """Told what happens; does nothing by itself."""

    def started(self, name: str) -> None:
        """A video was handed out."""

    def ended(self, name: str, state: State) -> None:
        """A video came back, for good."""

    def tick(self) -> None:
        """Twice a second."""


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
        PosePipeError: the scheduler was lost on the way; what is done stays done.
    """
    options, watcher = options or Options(), watcher or Watcher()
    start = time.perf_counter()
    todo = sorted(plan.todo, key=_size, reverse=True)
    known = {item.job.name: item.state for item in plan.items if item.state}
    books = _Books(secrets.token_hex(6), deque(todo), known)
    startup_s = 0.0
    with plan.places.locked():
        plan.places.sweep()
        try:
            if books.queue:
                workers = min(options.workers, len(books.queue)) if options.workers else None
                with open_team(workers, options.scheduler, plan.places.log) as team, team.here(), _released(books):
                    startup_s = time.perf_counter() - start
                    _work_off(books, plan, team, options, watcher)
        finally:
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
        # One video a slot and none in advance: whoever is free takes the next, and a lost worker costs one.
        for _ in range(max(team.slots() - len(books.running), 0)):
            if books.queue:
                _hand_out(books, plan, team, watcher)
        watcher.tick()
        if not books.running:
            # All workers are gone; those of a cluster may come back.
            time.sleep(_LOOK_S)
            continue
        try:
            finished = wait(list(books.running), timeout=_LOOK_S, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            continue
        for future in finished:
            _take_back(books, plan, team, options, watcher, future)


def _hand_out(books: _Books, plan: Plan, team: Team, watcher: Watcher) -> None:
    from posepipe.batch.worker import task

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
