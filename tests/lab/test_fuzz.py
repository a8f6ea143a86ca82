"""Broken inputs end with a sentence and an exit code; and the fuzzer sees when they don't."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posepipe.cli.main import run
from posepipe.errors import InputError
from posepipe.lab import fuzz
from posepipe.lab.fuzz_inputs import Seed, mutated


def test_a_hundred_broken_inputs() -> None:
    """A hundredth of the figure in docs/accuracy.md, in this process."""
    result = fuzz.evaluate_fuzz(run, cases=100, seed=0, isolated=False)
    assert result["faults"] == []
    assert result["metrics"]["cases"] == 100
    assert all(row["read"] + row["refused"] == row["cases"] for row in result["rows"])
    assert {row["kind"] for row in result["rows"]} == {"video", "keypoints", "results", "exercises", "model", "list"}


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (None, ""),
        (InputError("no"), ""),
        (InputError("no\nno"), ""),
        (InputError("\ud800"), ""),
        (ValueError("no"), "exit code 1"),
        (MemoryError(), "exit code 1"),
    ],
)
def test_ends_are_judged(error: Exception | None, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: Path, name: str) -> None:
        if error is not None:
            raise error

    monkeypatch.setitem(fuzz._READERS, "exercises", read)
    outcome = fuzz.run_case(run, [Seed("exercises", "yaml", {"a.yaml": b"a: 1"}, "a.yaml")], 0, 0, tmp_path)
    assert outcome.fault == fault
    assert list(tmp_path.iterdir()) == []


def test_files_left_behind_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: Path, name: str) -> None:
        Path("rest").touch()

    monkeypatch.setitem(fuzz._READERS, "exercises", read)
    outcome = fuzz.run_case(run, [Seed("exercises", "yaml", {"a.yaml": b"a: 1"}, "a.yaml")], 0, 0, tmp_path)
    assert outcome.fault == "left behind: here/rest"


def test_goes_on_after_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = [Seed("exercises", "yaml", {"a.yaml": b"a: 1"}, "a.yaml")]
    monkeypatch.setattr(fuzz, "make_seeds", lambda *_: seeds)
    log = tmp_path / "log.jsonl"
    first = fuzz.evaluate_fuzz(run, cases=3, isolated=False, log=log)
    monkeypatch.delattr(fuzz, "run_case")
    assert fuzz.evaluate_fuzz(run, cases=3, isolated=False, log=log) == first
    with pytest.raises(NameError):
        fuzz.evaluate_fuzz(run, cases=4, isolated=False, log=log)


def test_a_dead_interpreter_is_seen() -> None:
    assert fuzz._fault(0, "Traceback (most recent call last):\n") == "traceback"
    assert fuzz._fault(-11, "") == "exit code -11"
    assert fuzz._fault(3, "posepipe: a.\nposepipe: b.\n") == "2 lines on stderr"


def test_cases_repeat_themselves() -> None:
    seeds = [Seed("list", "csv", {"a.csv": b"file,name\na.mp4,b\n" * 9}, "a.csv")]
    made = [mutated(seeds[0], seeds, np.random.default_rng(7)) for _ in range(2)]
    assert made[0] == made[1]
    changed = [mutated(seeds[0], seeds, np.random.default_rng(i)) != seeds[0].files for i in range(50)]
    assert np.mean(changed) > 0.9
