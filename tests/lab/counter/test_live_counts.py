"""How soon repetitions are counted live."""

from __future__ import annotations

from pathlib import Path

import pytest

from posepipe.errors import InputError
from posepipe.lab.counter.live import Set, Told, delays, evaluate_live, evaluate_live_films


def test_delays_are_told_of_right_counts_only() -> None:
    one = Set("squat", (2.0, 4.0, 6.0), Told((3.5, 3.9, 7.0), (3.5, 3.5, 3.5)))
    assert [round(delay_s, 1) for delay_s, _ in delays(one)] == [1.5, -0.1, 1.0]
    # The first wasn't named in time; the last was, and was counted late all the same.
    assert [why for _, why in delays(one)] == ["not named yet", "", "its set in doubt"]
    assert delays(Set("squat", (2.0, 4.0), Told((3.0,), (1.0,)))) == []


def test_made_sets_are_counted_live() -> None:
    found = evaluate_live(2)
    assert found["metrics"]["sets"] == 2.0 and {row["exercise"] for row in found["rows"]} == {"squat", "push_up"}
    assert 0.0 <= found["metrics"]["chosen, right"] <= 1.0


def test_films_need_results(tmp_path: Path) -> None:
    (tmp_path / "videos.csv").write_text("file,label,reps\nsquat.mp4,squat,3\n", encoding="utf-8")
    with pytest.raises(InputError, match="nothing that was counted"):
        evaluate_live_films(tmp_path, tmp_path)
    (tmp_path / "videos.csv").unlink()
    with pytest.raises(InputError, match=r"no videos\.csv"):
        evaluate_live_films(tmp_path, tmp_path)
