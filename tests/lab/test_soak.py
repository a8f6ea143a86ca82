"""A session that takes ever more memory or time is seen."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from posepipe.errors import PosePipeError
from posepipe.lab import soak

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


class Hoarder:
    """Keeps pictures, and needs a millisecond more for each."""

    def __init__(self, kept: int, error: Exception | None = None) -> None:
        self.kept: list[Any] = []
        self.most, self.error, self.frames, self.ended = kept, error, 0, False

    def offer(self, picture: Callable[[], Any]) -> None:
        self.frames += 1
        if len(self.kept) < self.most:
            self.kept += [np.ones((500, 2000)) for _ in range(2)]

    def look(self) -> SimpleNamespace:
        delay = 10.0 + len(self.kept)
        return SimpleNamespace(
            frames=self.frames, fps_hz=30.0, delay_ms=delay, delay_p95_ms=delay, error=self.error, running=True
        )

    def end(self) -> None:
        self.ended = True


def test_growth_is_seen(person_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "TOGETHER_MINUTES", 0.002)
    viewers = [Hoarder(1000), Hoarder(0), Hoarder(0), Hoarder(0)]
    waiting = iter(viewers)
    found = soak.evaluate_soak(person_clip, lambda: next(waiting), minutes=0.04)
    metrics = found["metrics"]
    assert len(found["rows"]) == 4 and metrics["frames"] > 2
    assert metrics["memory_growth_pct"] > 3.0 and metrics["memory_trend_mb_per_hour"] > 0.0
    assert metrics["delay_trend_ms_per_hour"] > 0.0
    assert metrics["delay_old_viewers_ms"] > metrics["delay_fresh_viewers_ms"] == 10.0
    assert all(viewer.ended for viewer in viewers)


def test_a_session_that_breaks_off_is_told(person_clip: Path) -> None:
    viewer = Hoarder(0, ValueError("no"))
    with pytest.raises(PosePipeError, match="broke off"):
        soak.evaluate_soak(person_clip, lambda: viewer, minutes=0.01)
    assert viewer.ended
