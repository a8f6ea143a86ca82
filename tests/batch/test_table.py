"""What a batch shows while it runs."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from posepipe.batch.jobs import Job
from posepipe.batch.overview import BatchTable, Pace
from posepipe.batch.plan import DONE, FAILED, NOBODY, Identity, Item, Places, Plan, State
from posepipe.batch.run import Outcome


def _state(status: str = DONE, **more: object) -> State:
    return State("a", "a.mp4", status, "f", seconds=2.0, duration_s=30.0, **more)


def _plan(*whys: str) -> Plan:
    items = tuple(Item(Job(f"clip_{i}", Path(f"clip_{i}.mp4")), why) for i, why in enumerate(whys))
    return Plan(items, Places(Path("out")), Identity({}, {}))


def test_pace() -> None:
    pace = Pace(4, 100.0)
    assert pace.left_s(105.0) is None
    pace.add(_state())
    assert pace.left_s(110.0) == pytest.approx(30.0)
    pace.add(_state(NOBODY))
    assert pace.video_s == 60.0
    assert pace.left_s(110.0) == pytest.approx(10.0)


def test_table_tells_what_runs_and_how_fast() -> None:
    table = BatchTable(_plan("new", "new", "failed", "done"))
    table.started("clip_0")
    table.started("clip_1")
    table.ended("clip_0", _state(FAILED, error={"what": "broken"}))
    console = Console(file=io.StringIO(), width=120, record=True)
    console.print(table._table(table._pace._start_s + 10.0))
    text = console.export_text()
    for words in ("working", "clip_1", "1/3 videos", "6.0 videos/min", "3.00 s of video/s", "20 s left", "1 failed"):
        assert words in text
    assert "1 left out" in text


def test_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with BatchTable(_plan("new", "new")) as table:
        table.started("clip_0")
        table.tick()
        table.ended("clip_0", _state(FAILED, error={"what": "broken"}))
    captured = capsys.readouterr()
    assert captured.err.startswith("[1/2] failed clip_0: broken, 2.0 s") and captured.out == ""


@pytest.mark.parametrize(
    ("codes", "exit_code"),
    [([], 0), ([3], 0), ([3, 4], 4), ([1], 1), ([1, 4], 1), ([2, 3], 1)],
)
def test_exit_code(codes: list[int], exit_code: int) -> None:
    states = {str(i): _state(FAILED, error={"exit_code": code}) for i, code in enumerate(codes)}
    assert Outcome({**states, "x": _state(), "y": _state(NOBODY)}, (), 1.0).exit_code == exit_code
