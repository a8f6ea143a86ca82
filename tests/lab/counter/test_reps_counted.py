"""Metrics of counting, and files of counted poses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posepipe.errors import InputError
from posepipe.exercise.signal import measure
from posepipe.lab.counter.measure import (
    Counts,
    count_metrics,
    evaluate_made,
    evaluate_reps,
    intervals,
    made_clips,
    pose_motions,
)
from posepipe.lab.recogniser.measure import evaluate_recognition
from posepipe.record.folder import save
from posepipe.skeleton import BLAZEPOSE33
from tests.record.factory import make_recording


def test_metrics_by_hand() -> None:
    clips = [Counts("a", "squat", 10, 10), Counts("b", "squat", 4, 5), Counts("c", "lunge", 2, 4)]
    clips += [Counts("d", "other", 0, 0), Counts("e", "walking", None, 3)]
    metrics, rows = count_metrics(clips)
    assert metrics["rep_mae"] == pytest.approx((0 + 0.25 + 1.0) / 3)
    assert metrics["rep_obo"] == pytest.approx(3 / 4)
    assert metrics["rep_exact"] == pytest.approx(2 / 4)
    assert metrics["false_counts"] == pytest.approx(1 / 2)
    assert {row["label"] for row in rows if "clips" in row} == {"squat", "lunge", "other"}


def test_intervals_hold_the_metric_and_narrow_with_clips() -> None:
    few = [Counts(str(k), "squat", 10, 10 + 3 * (k % 2)) for k in range(10)]
    wide, narrow = intervals(few), intervals(few * 10)
    for found in (wide, narrow):
        assert found["rep_mae_low"] < 0.15 < found["rep_mae_high"] and found["rep_obo_low"] < 0.5
    assert narrow["rep_obo_high"] - narrow["rep_obo_low"] < 0.5 * (wide["rep_obo_high"] - wide["rep_obo_low"])
    assert intervals(few[:1]) == {}


def _poses(path: Path, count: int = 5) -> Path:
    """Someone whose knees and hips bend so many times, two seconds each, as BlazePose points."""
    fps = 25.0
    time_s = np.arange(0, 2.0 * count + 2.0, 1 / fps)
    down = np.where((time_s > 1) & (time_s < 1 + 2 * count), 0.5 - 0.5 * np.cos(np.pi * (time_s - 1)), 0.0)
    rng = np.random.default_rng(1)
    points = rng.normal(0, 0.1, (1, 33, 3)) * np.ones((len(time_s), 1, 1))
    place = {name: i for i, name in enumerate(BLAZEPOSE33.joints)}
    for side, x in (("left", 0.4), ("right", -0.4)):
        for joint, height in (("shoulder", -1.8), ("elbow", -0.9), ("wrist", 0.0), ("hip", 0.0)):
            points[:, place[f"{side}_{joint}"]] = [x, height, 0.0]
        points[:, place[f"{side}_knee"]] = np.stack([np.full_like(down, x), 1.5 - 1.1 * down, -1.1 * down], axis=1)
        points[:, place[f"{side}_ankle"]] = np.stack([np.full_like(down, x), 3.0 - 1.6 * down, 0 * down], axis=1)
    points += rng.normal(0, 0.01, points.shape)
    np.savez(
        path,
        kp=points.astype(np.float16),
        layout=np.array(BLAZEPOSE33.joints),
        offsets=np.array([0, len(points)]),
        label=np.array(["squat"]),
        name=np.array(["made"]),
        fps=np.array([fps], np.float32),
        rep_count=np.array([count]),
        units=np.array("body sizes"),
        axes=np.array("x right, y down, z away from camera"),
    )
    return path


def test_counts_a_file_of_poses(tmp_path: Path) -> None:
    result = evaluate_reps(_poses(tmp_path / "poses.npz"))
    assert result["metrics"]["rep_exact"] == 1.0
    assert set(result) == {"metrics", "rows", "versions"}


def test_a_guessed_depth_isnt_used(tmp_path: Path) -> None:
    """Poses of a picture's detector are lifted from their place in it."""
    path = _poses(tmp_path / "poses.npz")
    with np.load(path) as file:
        data = {name: file[name] for name in file.files}
    kp = data["kp"].astype(np.float32)
    one = next(pose_motions(path))[3]
    assert np.ptp(measure(one, "knee_flexion").deg, axis=0).max() > 20.0
    kp[..., 2] = np.random.default_rng(2).normal(0.0, 1.0, kp.shape[:2])
    np.savez(path, **{**data, "kp": kp})
    other = next(pose_motions(path))[3]
    np.testing.assert_allclose(measure(other, "knee_flexion").deg, measure(one, "knee_flexion").deg, atol=1e-3)
    np.savez(path, **{**data, "kp": np.full_like(kp, np.nan, np.float32)})
    assert evaluate_reps(path)["metrics"]["rep_exact"] == 0.0


def test_says_what_a_file_lacks(tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", kp=np.zeros((2, 33, 3)))
    with pytest.raises(InputError, match="rep_count"):
        evaluate_reps(tmp_path / "bad.npz")
    with pytest.raises(InputError, match=r"videos\.csv"):
        evaluate_reps(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        evaluate_reps(tmp_path / "none.npz")


def test_made_sets_compare_ways_of_counting() -> None:
    result = evaluate_made(2)
    assert [row["counter"] for row in result["rows"]][:4] == ["any", "pipeline", "told", "web"]
    assert all(0.0 <= row["rep_obo"] <= 1.0 for row in result["rows"])
    again = [(name, count, len(motion)) for name, count, motion in made_clips(1)]
    assert again == [(name, count, len(motion)) for name, count, motion in made_clips(1)]


@pytest.mark.shared
def test_web_videos(shared_data: Path, tmp_path: Path) -> None:
    """Short ones of RepCount-A's test poses, as users would see them counted: no worse than when it was measured."""
    with np.load(shared_data / "exercise" / "repcount_poses.npz") as file:
        data = {name: file[name] for name in file.files}
    few = np.flatnonzero(np.diff(data["offsets"]) < 400)[:8]
    part = {name: data[name][few] for name in ("label", "name", "fps", "rep_count")}
    pieces = [data["kp"][data["offsets"][k] : data["offsets"][k + 1]] for k in few]
    offsets = np.cumsum([0, *(len(piece) for piece in pieces)])
    told = {name: data[name] for name in ("layout", "units", "axes")}
    np.savez(tmp_path / "few.npz", kp=np.concatenate(pieces), offsets=offsets, **part, **told)
    metrics = evaluate_reps(tmp_path / "few.npz")["metrics"]
    assert metrics["rep_mae"] < 0.45
    assert metrics["rep_obo"] > 0.6


def test_ready_results_are_taken(tmp_path: Path) -> None:
    """Poses come from the results folders; a video without one has nobody in it."""
    videos, results = tmp_path / "videos", tmp_path / "results"
    videos.mkdir()
    table = "file,label,reps,persons\nsquats.mp4,squat,2,1\nempty.mp4,other,,0\n"
    (videos / "videos.csv").write_text(table, encoding="utf-8")
    save(make_recording(), results / "squats")
    metrics = evaluate_reps(videos, results)["metrics"]
    assert metrics["false_counts"] == 0.0 and metrics["clips"] == 2.0
    named = evaluate_recognition(videos, results=results)
    assert [row["clips"] for row in named["rows"] if row.get("label") in ("squat", "other") and "clips" in row] == [
        1,
        1,
    ]
    with pytest.raises(InputError, match="no such folder"):
        evaluate_reps(videos, tmp_path / "absent")
