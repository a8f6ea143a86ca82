"""``summary.parquet``, ``summary.csv`` and ``index.html`` over all videos of a batch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from posepipe import __version__
from posepipe.batch.plan import Plan
from posepipe.batch.state import DONE, State
from posepipe.media.atomic import atomic_path

__all__ = ["write_overview"]

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


def write_overview(plan: Plan, states: Mapping[str, State]) -> None:
    """Write all three files; a row for each person, and for each video without one.

    Raises:
        OutputError: the folder or disk refuses.
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
    with atomic_path(plan.places.out / "summary.parquet") as path:
        pq.write_table(table, path, compression="zstd")
    with atomic_path(plan.places.out / "summary.csv") as path:
        pc.write_csv(table, path)
    with atomic_path(plan.places.out / "index.html") as path:
        path.write_text(_page(rows), encoding="utf-8", errors="replace")


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
    view, quality, exercise, gait = person["view"], person["quality"], person["exercise"], person["gait"]
    row = {
        "person": person["id"],
        "frames": person["frames"],
        "start_s": person["start_s"],
        "end_s": person["end_s"],
        "view": view["label"],
        "yaw_deg": view["yaw_deg"],
        **{name: quality[name] for name in ("seen_share", "median_sigma_px", "median_sigma_m")},
        "height_m": person["scale"]["height_m"],
        "exercise_withheld": exercise.get("withheld"),
        "gait_withheld": gait.get("withheld"),
    }
    segments = exercise.get("segments") or ()
    if segments:
        row["exercise"] = ", ".join(dict.fromkeys(segment["label"] for segment in segments))
    if "reps_total" in exercise:
        row["reps_total"] = exercise["reps_total"]
    return row | dict(_numbers("gait", {key: value for key, value in gait.items() if key != "events"}))


def _numbers(prefix: str, value: Any) -> Iterator[tuple[str, float | str]]:
    """A nested section as flat columns: numbers, and short texts such as labels."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key != "withheld":
                yield from _numbers(prefix if key == "value" else f"{prefix}_{key}", inner)
    elif isinstance(value, str) or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        yield prefix, value if isinstance(value, str) else float(value)


_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1b1f24}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #dde2e7}
td.n{text-align:right;font-variant-numeric:tabular-nums}.failed,.nobody{color:#a3341f}p{color:#57606a}
@media(prefers-color-scheme:dark){body{background:#14171a;color:#e4e7ea}th,td{border-color:#333a41}a{color:#7db7ff}
p{color:#9aa4ae}.failed,.nobody{color:#ff9d86}}
"""


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
