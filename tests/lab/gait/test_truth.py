"""Gait against the truth with the detector in the loop: a rendered walker, and steps counted by hand."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from posepipe.cli.evaluate import app
from posepipe.errors import InputError
from posepipe.gait.types import HEEL_STRIKE, Abnormal, Event, GaitResult, Parameters, Value, Walk
from posepipe.gait.walk import find_walk
from posepipe.lab.gait.counts import clip_row, count_rows, counted, read_counts
from posepipe.lab.gait.measure import summarise, walk_row
from posepipe.lab.people.gait import cameras_for, write_film
from posepipe.pipeline import Config, Pipeline
from posepipe.reasons import Reason
from tests.gait.filmed import seen, walker

COUNTS = Path(__file__).with_name("hand_counts.toml")


def test_rendered_and_detected(tmp_path: Path) -> None:
    walk = walker(61, fps_hz=25.0, seconds=3.2)
    cameras = cameras_for(walk, yaw_deg=90.0, kind="follow", size_px=(288, 288))
    write_film(tmp_path / "walk.mp4", walk, cameras)
    recording = Pipeline(Config(height_m=walk.shape.height_m, workers=1)).run(tmp_path / "walk.mp4")
    row = walk_row(walk, recording.motion_of(recording.people[0]))
    assert row["missed"] + row["false"] <= 1
    errors = np.abs(row["strike_ms"] + row["off_ms"])
    assert np.median(errors) < 20.0
    assert abs(row["cadence_spm"]) < 3.0
    assert abs(row["step_length_m"]) < 0.08 * row["step_length_m_true"]
    assert row["knee_flexion_rmse_deg"] < row["lifted_knee_flexion_rmse_deg"] + 1.0


def test_the_summary_of_exact_walks() -> None:
    rows = [walk_row(walk, seen(walk)) for walk in (walker(62), walker(63, "antalgic", 0.5))]
    metrics = summarise(rows)["metrics"]
    assert metrics["found_pct"] > 97.0
    assert metrics["false_pct"] == 0.0
    assert metrics["strike_median_ms"] < 10.0
    assert abs(metrics["cadence_spm_bias"]) < 0.5
    assert metrics["knee_flexion_rmse_deg"] < 4.0
    assert json.dumps(summarise(rows))


def test_a_wrong_event_shows() -> None:
    walk = walker(62)
    motion = seen(walk)
    row = walk_row(walk, motion)
    other = walk_row(walker(63), motion)
    assert row["missed"] <= 1 < other["missed"]


def test_hand_counts_are_read() -> None:
    stretches = read_counts(COUNTS)
    assert len({name for name, _ in stretches}) == 13
    last: dict[str, float] = {}
    for name, strikes in stretches:
        times = [last.get(name, 0.0), *(at for _, at in strikes)]
        assert times == sorted(times)
        last[name] = times[-1]
        assert all(a != b or a == "either" for (a, _), (b, _) in pairwise(strikes))
        assert all(side in ("left", "right", "either") for side, _ in strikes)


def test_no_counts(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[[clip]]\nfile = 3\n")
    for path in (tmp_path / "bad.toml", tmp_path / "none.toml"):
        with pytest.raises(InputError, match="hand counts"):
            read_counts(path)


def test_counting() -> None:
    strikes = [("left", 1.0), ("right", 1.5), ("left", 2.0)]

    def walk(*at: tuple[str, float]) -> Walk:
        return Walk(events=tuple(Event(t, 0.01, side, HEEL_STRIKE, 1.0) for side, t in at))  # type: ignore[arg-type]

    right = walk(("left", 1.01), ("right", 1.51), ("left", 2.03), ("right", 2.5))
    row = count_rows(strikes, [Walk(), right])
    assert (row["found"], row["extra"]) == (3, 0)
    assert row["cadence_spm"] == pytest.approx(60.0 / 0.51)
    assert row["counted_spm"] == pytest.approx(120.0)
    wrong_foot = count_rows(strikes, [walk(("right", 1.01), ("right", 1.51), ("left", 2.03))])
    assert (wrong_foot["found"], wrong_foot["extra"], wrong_foot["cadence_spm"]) == (2, 1, None)
    assert counted([row, wrong_foot])["metrics"]["stretches_within_3_pct"] == 1


def _told(walk: Walk, spm: float, verdict: Abnormal | Reason) -> GaitResult:
    cadence = Parameters({"left": 2, "right": 2}, {"cadence_spm": Value(spm, 1.0)})
    return GaitResult(walk, parameters=cadence, abnormal=verdict)


def test_counting_clips() -> None:
    there, back = [("left", 1.0), ("right", 1.5), ("left", 2.0)], [("either", 5.0 + 0.6 * i) for i in range(6)]
    walker = Walk(events=tuple(Event(t, 0.01, "left", HEEL_STRIKE, 1.0) for t in (1.0, 2.0)))
    answer = Abnormal(0.9, 0.1, "abnormal", "asymmetric", 0.5, ())
    row = clip_row([there, back], [_told(Walk(), 50.0, answer), _told(walker, 107.0, answer)], "abnormal")
    # 7 steps in 4 seconds; whole strides: left 1 and 2, right 0 and 2.
    assert (row["counted_spm"], row["strides"], row["verdict"]) == (pytest.approx(105.0), 2, "abnormal")
    assert row["error_pct"] == pytest.approx(1.90, abs=0.01)
    # Strides of 1.0 s, and four of 1.2 s.
    assert row["strides_spm"] == pytest.approx(120.0 / 1.16)
    assert row["strides_error_pct"] == pytest.approx(100.0 * (107.0 * 1.16 / 120.0 - 1.0))
    limp = clip_row([[("left", 0.0), ("right", 0.7), ("left", 1.2), ("right", 1.9)]], [], "abnormal")
    assert limp["counted_spm"] < 95.0 < limp["strides_spm"] == pytest.approx(100.0)
    short = clip_row([there], [_told(walker, 130.0, Reason.TOO_FEW_STRIDES)], "normal")
    nobody = clip_row([back], [], "abnormal")
    metrics = counted([], [row, short, nobody])["metrics"]
    assert (metrics["clips_told"], metrics["clips_within_3_pct"], metrics["clips_within_90_pct_interval"]) == (2, 1, 0)
    assert (metrics["clips_two_strides"], metrics["judged_pct"], metrics["abnormal_flagged_pct"]) == (2, 50.0, 50.0)
    assert (metrics["normal"], metrics["normal_flagged"]) == (1, 0)


def test_the_command_wants_something() -> None:
    result = CliRunner().invoke(app, ["gait"])
    assert result.exit_code != 0


@pytest.mark.shared
def test_a_filmed_walk_against_the_count(shared_videos: Path) -> None:
    strikes = dict(read_counts(COUNTS))["walk_01_side.mp4"]
    recording = Pipeline(Config(workers=1)).run(shared_videos / "walk_01_side.mp4")
    walks = [find_walk(recording.motion_of(person)) for person in recording.people]
    row = count_rows(strikes, walks)
    assert (row["found"], row["extra"]) == (len(strikes), 0)
    assert abs(row["error_pct"]) < 3.0
