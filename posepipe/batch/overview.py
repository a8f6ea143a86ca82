"""How a batch is shown: a live table on stderr, and files over all videos."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from posepipe._version import __version__
from posepipe.batch.plan import DONE, FAILED, NOBODY, Plan, State, Watcher
from posepipe.record.codec import exercise_from, gait_columns
from posepipe.record.seal import writing

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

__all__ = ["BatchTable", "Pace", "write_overview"]

_FIXED: Mapping[str, str] = {
    **dict.fromkeys(("name", "video", "status"), "string"),
    "error": "string",
    "seconds": "double",
    "attempts": "int32",
    "duration_s": "double",
    "person": "int32",
    "frames": "int32",
    **dict.fromkeys(("start_s", "end_s"), "double"),
    "view": "string",
    **dict.fromkeys(("yaw_deg", "seen_share", "median_sigma_px", "median_sigma_m", "height_m"), "double"),
    "exercise": "string",
    "reps_total": "int32",
    "exercise_withheld": "string",
    "gait_withheld": "string",
    "report": "string",
}
"""Columns that are always there; those of gait parameters follow as they come."""

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1b1f24}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #dde2e7}
td.n{text-align:right;font-variant-numeric:tabular-nums}.failed,.nobody{color:#a3341f}p{color:#57606a}
@media(prefers-color-scheme:dark){body{background:#14171a;color:#e4e7ea}th,td{border-color:#333a41}a{color:#7db7ff}
p{color:#9aa4ae}.failed,.nobody{color:#ff9d86}}
"""
_RECENT = 5
_MOST_RUNNING = 12


def write_overview(plan: Plan, states: Mapping[str, State]) -> None:
    """Write all files of `posepipe.batch.jobs.OVERVIEW`; a row for each person, and for each video without one.

    Raises:
        OutputError: the folder or disk refuses, or holds such a file of the user's.
    """
    import pyarrow as pa
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    rows = [row for item in plan.items for row in _rows(plan, item.job.name, str(item.job.video), states)]
    more = dict.fromkeys(name for row in rows for name in row if name not in _FIXED)
    kinds = {name: pa.type_for_alias(kind) for name, kind in _FIXED.items()}
    texts = {name for row in rows for name, value in row.items() if isinstance(value, str)}
    kinds |= {name: pa.string() if name in texts else pa.float64() for name in more}
    table = pa.Table.from_pylist(rows, pa.schema(list(kinds.items())))
    places = plan.places
    with writing(places.out, "batch", record=places.record, work=places.work) as made:
        pq.write_table(table, made / "summary.parquet", compression="zstd")
        pc.write_csv(table, made / "summary.csv")
        (made / "index.html").write_text(_page(rows), encoding="utf-8", errors="replace")


def _rows(plan: Plan, name: str, video: str, states: Mapping[str, State]) -> Iterator[dict[str, Any]]:
    state = states.get(name)
    row: dict[str, Any] = {"name": _whole(name), "video": _whole(video), "status": state.status if state else "open"}
    if state is not None:
        row |= {"seconds": state.seconds, "attempts": state.attempts, "duration_s": state.duration_s}
        if state.error:
            row["error"] = _whole(f"{state.error.get('error')}: {state.error.get('what')}")
    summary = _summary(plan.places.results(name) / "summary.json") if state and state.status == DONE else None
    if summary is None or not summary["people"]:
        yield row
        return
    row["report"] = f"{quote(name)}/report.html"
    for person in summary["people"]:
        yield row | _person(person)


def _whole(text: str) -> str:
    """Text without the half characters that stand for bytes of a name that isn't UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _summary(path: Path) -> dict[str, Any] | None:
    try:
        loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return loaded


def _person(person: Mapping[str, Any]) -> dict[str, Any]:
    view, quality, exercise = person["view"], person["quality"], exercise_from(person["exercise"])
    row = {
        "person": person["id"],
        "frames": person["frames"],
        "start_s": person["start_s"],
        "end_s": person["end_s"],
        "view": view["label"],
        "yaw_deg": view["yaw_deg"],
        **{name: quality[name] for name in ("seen_share", "median_sigma_px", "median_sigma_m")},
        "height_m": person["scale"]["height_m"],
        "exercise_withheld": exercise.withheld and exercise.withheld.value,
        "gait_withheld": person["gait"].get("withheld"),
    }
    if exercise.bouts:
        row["exercise"] = ", ".join(dict.fromkeys(bout.label for bout in exercise.bouts))
    if exercise.withheld is None:
        row["reps_total"] = exercise.reps_total
    return row | gait_columns(person["gait"])


def _page(rows: list[dict[str, Any]]) -> str:
    head = ("video", "status", "person", "seen from", "length", "exercise", "repetitions", "cadence")
    body = "\n".join(_line(row) for row in rows)
    statuses = [row["status"] for row in {row["name"]: row for row in rows}.values()]
    counts = ", ".join(f"{statuses.count(status)} {status}" for status in dict.fromkeys(sorted(statuses)))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>posepipe batch</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f"<h1>{len(statuses)} videos</h1><p>{escape(counts)}. posepipe {escape(__version__)}. All numbers: "
        '<a href="summary.csv">summary.csv</a>, <a href="summary.parquet">summary.parquet</a>.</p>'
        f"<table><thead><tr>{''.join(f'<th>{name}</th>' for name in head)}</tr></thead>"
        f"<tbody>\n{body}\n</tbody></table>"
        "</body></html>\n"
    )


def _line(row: Mapping[str, Any]) -> str:
    name = escape(row["name"])
    title = f'<a href="{escape(row["report"])}">{name}</a>' if row.get("report") else name
    status = escape(row["status"]) + (f": {escape(row['error'])}" if row.get("error") else "")

    def number(key: str, unit: str = "", digits: int = 0) -> str:
        value = row.get(key)
        return "" if value is None else f"{value:.{digits}f}{unit}"

    cells = [
        f"<td>{title}</td>",
        f'<td class="{escape(row["status"])}">{status}</td>',
        f'<td class="n">{number("person")}</td>',
        f"<td>{escape(str(row.get('view') or '').replace('_', ' '))}</td>",
        f'<td class="n">{number("duration_s", " s", 1)}</td>',
        f"<td>{escape(str(row.get('exercise') or '').replace('_', ' '))}</td>",
        f'<td class="n">{number("reps_total")}</td>',
        f'<td class="n">{number("gait_cadence_spm", " /min")}</td>',
    ]
    return f"<tr>{''.join(cells)}</tr>"


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

    def note(self, text: str) -> None:
        """See `Watcher`."""
        sys.stderr.write(f"warning: {text}\n")

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
