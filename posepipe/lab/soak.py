"""The live session for an hour: whether memory or delay grows while people watch a film that never ends.

Every viewer has a stage of their own in one process, as in the app; browser, WebRTC and video coding are left out.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from posepipe.doctor import installed
from posepipe.errors import PosePipeError, UsageError
from posepipe.media.sources import open_source

__all__ = ["Viewer", "evaluate_soak"]

SETTLE_MINUTES = 5.0
"""Networks, caches and the coach's memory have filled by then; a short run settles for a quarter of its length."""

TOGETHER_MINUTES = 2.0
"""Old and fresh viewers watch together for so long at the end."""

_ROWS = 60


class Viewer(Protocol):
    """What is used of `posepipe.ui.stage.Stage`, which stands above the laboratory."""

    def offer(self, picture: Any) -> None:
        """Take a new picture."""

    def look(self) -> Any:
        """How it stands."""

    def end(self) -> None:
        """Stop for good."""


def evaluate_soak(
    film: Path, open_viewer: Callable[[], Viewer], *, viewers: int = 2, minutes: float = 60.0
) -> dict[str, Any]:
    """Show a film over and over at its own speed; each viewer analyses the newest picture when free.

    At the end as many fresh viewers join for two minutes: other programs slow old and fresh ones alike, so a delay that
    has grown by itself shows as a difference between them.

    Args:
        film: a video file.
        open_viewer: makes a stage.
        viewers: how many watch, each through a stage of their own.
        minutes: how long, without the last two.

    Returns:
        ``{"metrics", "rows", "versions"}``. Memory is what this process holds (resident set) in MB, the median of a
        row's seconds; delay is from a picture's arrival to its drawn result, the median of 30 s. Growth is in percent
        from the first row after settling to the last; trends are slopes of a straight line from settling on.

    Raises:
        MediaError: the film can't be read.
        PosePipeError: a viewer's analysis broke off.
        UsageError: this system doesn't tell a process's memory (Linux does), or the time isn't above 0.
    """
    if sys.platform != "linux":
        raise UsageError("memory is read from /proc", where="evaluate soak", hint="Run it on Linux")
    if not minutes > 0.0:
        raise UsageError("too short to tell", where="--minutes", hint="An hour is 60")
    with open_source(film):
        pass  # Tells now what can't be read.
    stop, watching = threading.Event(), [open_viewer() for _ in range(viewers)]
    feeder = threading.Thread(target=_show, args=(film, watching, stop), daemon=True)
    feeder.start()
    try:
        rows, start_s = [], time.monotonic()
        step_s = 60.0 * minutes / min(_ROWS, max(4, round(2.0 * minutes)))
        for number in range(1, round(60.0 * minutes / step_s) + 1):
            memory_mb = _slept(start_s + number * step_s)
            rows.append({"minute": number * step_s / 60.0, "memory_mb": memory_mb} | _seen(watching))
        watching += [open_viewer() for _ in range(viewers)]
        _slept(time.monotonic() + 60.0 * TOGETHER_MINUTES)
        old, fresh = _seen(watching[:viewers]), _seen(watching[viewers:])
    finally:
        stop.set()
        feeder.join()
        for viewer in watching:
            viewer.end()
    metrics = _summary(rows, minutes)
    metrics |= {"delay_old_viewers_ms": old["delay_ms"], "delay_fresh_viewers_ms": fresh["delay_ms"]}
    return {"metrics": metrics, "rows": rows, "versions": installed()}


def _show(film: Path, viewers: list[Viewer], stop: threading.Event) -> None:
    """The film in a loop, at its own speed; every picture to everyone."""
    while not stop.is_set():
        start_s = time.monotonic()
        with open_source(film) as source:
            for frame in source:
                if stop.wait(max(0.0, frame.time_s - (time.monotonic() - start_s))):
                    return
                for viewer in list(viewers):
                    viewer.offer(lambda image=frame.image: image)


def _slept(until_s: float) -> float:
    """Sleep; the median of this process's memory meanwhile, in MB."""
    found: list[float] = []
    while not found or time.monotonic() < until_s:
        time.sleep(min(1.0, max(0.0, until_s - time.monotonic())))
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        found.append(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
    return float(np.median(found))


def _seen(viewers: Sequence[Viewer]) -> dict[str, Any]:
    looks = [viewer.look() for viewer in viewers]
    for look in looks:
        if look.error is not None:
            raise PosePipeError("a live session broke off", hint=str(look.error))
    return {
        "frames": sum(look.frames for look in looks),
        "fps": sum(look.fps_hz for look in looks) / len(looks),
        "delay_ms": float(np.median([look.delay_ms for look in looks])),
        "delay_p95_ms": max(look.delay_p95_ms for look in looks),
        "load": os.getloadavg()[0],
    }


def _summary(rows: Sequence[dict[str, Any]], minutes: float) -> dict[str, Any]:
    settled = [row for row in rows if row["minute"] >= 0.99 * min(SETTLE_MINUTES, 0.25 * minutes)]
    at = [row["minute"] for row in settled]

    def an_hour(key: str) -> float:
        return 60.0 * float(np.polyfit(at, [row[key] for row in settled], 1)[0])

    first, last = settled[0], settled[-1]
    return {
        "minutes": last["minute"],
        "frames": last["frames"],
        "settled_minute": first["minute"],
        "memory_settled_mb": first["memory_mb"],
        "memory_end_mb": last["memory_mb"],
        "memory_growth_pct": 100.0 * (last["memory_mb"] / first["memory_mb"] - 1.0),
        "memory_trend_mb_per_hour": an_hour("memory_mb"),
        "delay_settled_ms": first["delay_ms"],
        "delay_end_ms": last["delay_ms"],
        "delay_trend_ms_per_hour": an_hour("delay_ms"),
    }
