"""How much computing a second of video takes, and how well workers share it.

``posepipe evaluate scale ../shared/videos --pattern 'squat_*'`` runs ``posepipe batch`` with one and with several
workers in turn.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from posepipe.batch.plan import Identity
from posepipe.errors import PosePipeError
from posepipe.system import cores, wait_usage

__all__ = ["measure_scale"]

HOURS = 10_000.0
PRICE_PER_CORE_HOUR = 0.04
"""An assumed price in dollars, for the arithmetic only; put your own in."""


def measure_scale(
    source: Path, *, patterns: Sequence[str] = (), workers: Sequence[int] = (1, 2), repeats: int = 3
) -> dict[str, Any]:
    """Run one set of videos with different numbers of workers, in turn.

    Args:
        source: folder or list.
        patterns: see `posepipe.batch.find_jobs`.
        workers: numbers of workers; the first is what others are compared with.
        repeats: how often each runs; medians count.

    Returns:
        ``{"metrics", "rows", "versions"}``; times in seconds, of the whole command and without its workers' start.

    Raises:
        PosePipeError: a run failed.
    """
    rows = [_run(source, patterns, count, repeat) for repeat in range(repeats) for count in workers]
    first = [row for row in rows if row["workers"] == workers[0]]
    most = [row for row in rows if row["workers"] == max(workers)]
    per_second = median(row["cpu_s"] / row["video_s"] for row in first)
    pairs = list(zip(first, most, strict=True))
    metrics = {
        "videos": first[0]["videos"],
        "video_s": first[0]["video_s"],
        "cpu_s_per_video_s": per_second,
        "wall_s_per_video_s_one_worker": median(row["work_s"] / row["video_s"] for row in first),
        f"speedup_{max(workers)}_workers": median(a["work_s"] / b["work_s"] for a, b in pairs),
        # A worker is bound to one core: on cores that nobody else uses, its processor time is its time.
        f"speedup_{max(workers)}_workers_by_cpu_time": median(
            a["busiest_worker_cpu_s"] / b["busiest_worker_cpu_s"] for a, b in pairs
        ),
        "cores_here": cores(),
        **cluster_cost(per_second),
    }
    return {"metrics": metrics, "rows": rows, "versions": dict(Identity.of_this_program().versions)}


def cluster_cost(
    cpu_s_per_video_s: float, hours: float = HOURS, price_per_core_hour: float = PRICE_PER_CORE_HOUR
) -> dict[str, float]:
    """What many hours of video cost, by arithmetic.

    Args:
        cpu_s_per_video_s: measured seconds of one core for each second of video.
        hours: of video.
        price_per_core_hour: in dollars.
    """
    core_hours = hours * cpu_s_per_video_s
    return {
        "hours_of_video": hours,
        "core_hours": core_hours,
        "hours_on_100_cores": core_hours / 100.0,
        "hours_on_1000_cores": core_hours / 1000.0,
        "assumed_dollars_per_core_hour": price_per_core_hour,
        "dollars": core_hours * price_per_core_hour,
    }


def _run(source: Path, patterns: Sequence[str], workers: int, repeat: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="posepipe-scale-") as folder, tempfile.TemporaryFile() as stdout:
        command = [sys.executable, "-m", "posepipe.cli.main", "batch", str(source), "--out", folder, "--json"]
        command += ["--workers", str(workers), *(word for pattern in patterns for word in ("--pattern", pattern))]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=stdout, stderr=subprocess.DEVNULL)
        # Of the command and of all workers that it waited for (on Windows of the command alone).
        cpu_s, _ = wait_usage(process)
        wall_s = time.perf_counter() - start
        stdout.seek(0)
        text = stdout.read().decode()
    if process.returncode:
        raise PosePipeError("a measured run failed", where=str(source), hint=text.strip()[-300:])
    outcome = json.loads(text)
    done = [state for state in outcome["states"] if state["duration_s"]]
    by_worker: Counter[str] = Counter()
    for state in outcome["states"]:
        by_worker[state["worker"]] += state["cpu_s"]
    return {
        "repeat": repeat + 1,
        "workers": workers,
        "videos": outcome["videos"],
        "video_s": sum(state["duration_s"] for state in done),
        "wall_s": wall_s,
        "start_s": outcome["startup_s"],
        "work_s": outcome["seconds"] - outcome["startup_s"],
        "cpu_s": cpu_s,
        "busiest_worker_cpu_s": max(by_worker.values()),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }
