"""Runs a plan: hands videos to workers here or of a cluster, takes lost ones back, and sums up."""

from __future__ import annotations

import secrets
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field

from posepipe.batch.overview import write_overview
from posepipe.batch.plan import DONE, FAILED, NOBODY, Item, Plan, SourceFile, State, Watcher, read_state, write_state
from posepipe.batch.team import Answer, Order, Team, open_team
from posepipe.errors import OutputError, PosePipeError
from posepipe.record.seal import sweep
from posepipe.system import cores

__all__ = ["Options", "Outcome", "run_batch"]

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
    running: dict[str, Item] = field(default_factory=dict)
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
        UsageError: a cluster is meant and Dask isn't installed, or another batch writes to the same folder.
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
                workers = min(options.workers or cores(), len(books.queue))
                with open_team(workers, options.scheduler, plan.places.log) as team:
                    startup_s = time.perf_counter() - start
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


def _work_off(books: _Books, plan: Plan, team: Team, options: Options, watcher: Watcher) -> None:
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
        for answer in team.answers(_LOOK_S):
            _take_back(books, plan, team, options, watcher, answer)


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
    item = books.queue.popleft()
    name = item.job.name
    books.tries[name] += 1
    team.hand(Order(item.job, str(plan.places.out.absolute()), plan.identity, books.run, books.tries[name]))
    books.running[name] = item
    watcher.started(name)


def _take_back(books: _Books, plan: Plan, team: Team, options: Options, watcher: Watcher, answer: Answer) -> None:
    name = answer.order.job.name
    item = books.running.pop(name)
    state, error = answer.state, answer.error
    if state is not None:
        books.done_by[answer.worker] += 1
        if books.done_by[answer.worker] >= options.recycle and books.queue:
            del books.done_by[answer.worker]
            team.renew(answer.worker)
    elif answer.lost:
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
