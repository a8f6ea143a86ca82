"""The live table of a batch on stderr: what runs, what is done, how fast, how long still."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from posepipe.batch.plan import Plan
from posepipe.batch.run import Watcher
from posepipe.batch.state import DONE, FAILED, NOBODY, State

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

__all__ = ["BatchTable", "Pace"]

_RECENT = 5
_MOST_RUNNING = 12


class Pace:
    """How fast videos come back.

    Args:
        total: videos to do.
        now_s: time of the start.
    """

    def __init__(self, total: int, now_s: float) -> None:
        self._total = total
        self._start_s = now_s
        self.done = 0
        self.video_s = 0.0

    def add(self, state: State) -> None:
        """A video came back."""
        self.done += 1
        self.video_s += state.duration_s or 0.0

    def elapsed_s(self, now_s: float) -> float:
        """Time since the start."""
        return max(now_s - self._start_s, 1e-9)

    def left_s(self, now_s: float) -> float | None:
        """Time left if it goes on like this; None before the first video is back."""
        return self.elapsed_s(now_s) / self.done * (self._total - self.done) if self.done else None


class BatchTable(Watcher):
    """A table where stderr is a terminal, else a line for each video.

    Args:
        plan: what is to be done.
    """

    def __init__(self, plan: Plan) -> None:
        self._total = len(plan.todo)
        self._skipped = len(plan.items) - self._total
        self._running: dict[str, float] = {}
        self._recent: list[tuple[str, State]] = []
        self._counts = dict.fromkeys((DONE, NOBODY, FAILED), 0)
        self._live: Live | None = None
        self._pace = Pace(self._total, time.monotonic())

    def __enter__(self) -> BatchTable:
        if sys.stderr.isatty() and self._total:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), transient=True, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def started(self, name: str) -> None:
        """See `Watcher`."""
        self._running[name] = time.monotonic()

    def ended(self, name: str, state: State) -> None:
        """See `Watcher`."""
        self._running.pop(name, None)
        self._pace.add(state)
        self._counts[state.status] = self._counts.get(state.status, 0) + 1
        self._recent = [*self._recent[1 - _RECENT :], (name, state)]
        if self._live is None:
            left = self._pace.left_s(time.monotonic()) or 0.0
            sys.stderr.write(f"[{self._pace.done}/{self._total}] {_said(name, state)}, {_span(left)} left\n")

    def tick(self) -> None:
        """See `Watcher`."""
        if self._live is not None:
            self._live.update(self._table(time.monotonic()), refresh=True)

    def _table(self, now_s: float) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        pace, left_s = self._pace, self._pace.left_s(now_s)
        elapsed_s = pace.elapsed_s(now_s)
        facts = [
            f"{pace.done}/{self._total} videos",
            f"{60.0 * pace.done / elapsed_s:.1f} videos/min",
            f"{pace.video_s / elapsed_s:.2f} s of video/s",
            f"{_span(left_s)} left" if left_s is not None else "",
            f"{self._counts[NOBODY]} without a person" if self._counts[NOBODY] else "",
            f"{self._counts[FAILED]} failed" if self._counts[FAILED] else "",
            f"{self._skipped} left out" if self._skipped else "",
        ]
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for name, state in self._recent:
            table.add_row(Text(state.status), Text(name), Text(_span(state.seconds or 0.0)))
        for name, start_s in list(self._running.items())[:_MOST_RUNNING]:
            table.add_row(Text("working"), Text(name), Text(_span(now_s - start_s)))
        if len(self._running) > _MOST_RUNNING:
            table.add_row(Text(""), Text(f"and {len(self._running) - _MOST_RUNNING} more"), Text(""))
        bar = ProgressBar(total=max(self._total, 1), completed=pace.done, width=40)
        return Group(table, bar, Text(", ".join(fact for fact in facts if fact)))


def _said(name: str, state: State) -> str:
    what = f": {state.error.get('what')}" if state.error else ""
    return f"{state.status} {name}{what}, {state.seconds or 0.0:.1f} s"


def _span(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    return f"{minutes} min" if minutes < 100 else f"{hours} h"
