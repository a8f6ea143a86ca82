"""A coach's own file: checked, and tried on a clip."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from exercise_kit import exercise, filmed, take_of

from posepipe.cli.main import run
from posepipe.exercise.catalogue import load_catalogue
from posepipe.exercise.trial import trial_lines, try_exercise
from posepipe.exercise.types import Form

MINE = """
deep_squat:
  words: deep squat
  signal: knee_flexion
  min_range_deg: 40
  needs: [hip, knee, ankle]
  rules:
    - code: not_deep
      measure: knee_flexion
      at: turn
      below_deg: 170
      say: Deeper.
      source: made up for this test
    - code: knees_in
      measure: knee_inward
      at: turn
      above_deg: 15
      views: front
      say: Out.
      source: made up for this test
"""


def _file(folder: Path) -> Path:
    path = folder / "mine.yaml"
    path.write_text(MINE, encoding="utf-8")
    return path


def test_a_file_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["exercise", "check", str(_file(tmp_path))]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("deep_squat: knee_flexion starts low, moves 40") and "2 rules" in said[0]
    assert "below 170" in said[1] and said[1].endswith("from anywhere") and len(said) == 3
    assert run(["exercise", "check", str(_file(tmp_path)), "--json"]) == 0
    assert [item["name"] for item in json.loads(capsys.readouterr().out)["exercises"]] == ["deep_squat"]


def test_what_is_wrong_in_it_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _file(tmp_path)
    path.write_text(MINE.replace("knee_inward", "knee_inwards"), encoding="utf-8")
    assert run(["exercise", "check", str(path)]) == 2
    assert "knee_inward" in capsys.readouterr().err


def test_a_trial_shows_what_each_rule_saw(tmp_path: Path) -> None:
    mine = load_catalogue(_file(tmp_path))["deep_squat"]
    motion = filmed(take_of("squat", 61, reps=3), noise_m=0.003)[1]
    found = try_exercise(motion, mine)
    assert len(found.reps) == len(found.seen) == 3
    assert {rep.form for rep in found.reps} == {Form.FAULT}
    for rules in found.seen:
        deep, knees = rules
        assert deep.broken and deep.value_deg < 170.0 and deep.over > 1.0
        assert not knees.broken
    lines = list(trial_lines(found, mine))
    assert lines[0].startswith("deep squat: 3 counted by knee_flexion")
    assert sum("not_deep: fault" in line for line in lines) == 3


def test_a_trial_of_a_hold_tells_its_time_and_what_was_wrong() -> None:
    """A deep squat that is held with the trunk leaning: a wall sit without a wall."""
    take = take_of("squat", 62, reps=1)
    moved = filmed(take, noise_m=0.003)[1]
    deep = int(abs(moved.time_s - float(take.rep_bounds.mean())).argmin())
    still = replace(
        moved,
        **{
            name: np.repeat(getattr(moved, name)[deep : deep + 1], len(moved), axis=0)
            for name in ("xyz_m", "sigma_m", "valid", "root_m")
        },
    )
    wall_sit = exercise("wall_sit")
    wide = replace(wall_sit, posture=tuple(replace(item, high_deg=180.0) for item in wall_sit.posture))
    found = try_exercise(still, wide)
    assert not found.reps and found.held == ((float(still.time_s[0]), float(still.time_s[-1])),)
    ((depth, lean),) = found.seen
    assert depth.code == "shallow" and not depth.broken and lean.code == "leaning_forward"
    lines = list(trial_lines(found, wide))
    assert lines[0] == f"wall sit: held for {found.held[0][1]:.1f} s" and lines[2].startswith("   shallow: kept")
    assert list(trial_lines(try_exercise(still, exercise("plank")), exercise("plank"))) == [
        "plank: held; the file tells no posture to time it by"
    ]
