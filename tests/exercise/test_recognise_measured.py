"""Measuring recognition: other people's files, the metrics, and filmed people."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exercise_kit import Told
from numpy.typing import NDArray

from posepipe.errors import InputError
from posepipe.exercise.labels import LABELS, OTHER, WALKING
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.exercises.takes import make_exercise
from posepipe.lab.people.gait import make_walk
from posepipe.lab.recogniser.measure import (
    Named,
    evaluate_recognition,
    files_motions,
    label_of,
    motion_of,
    named,
    summary,
)
from posepipe.skeleton import BODY21

Points = NDArray[np.float32]

_PENN = (
    "head", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip",
    "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip


def _write(path: Path, clips: list[Points], labels: list[str], **more: Any) -> Path:
    offsets = np.cumsum([0, *(len(c) for c in clips)])
    names = np.array([f"clip{k}" for k in range(len(clips))])
    fps = np.full(len(clips), 30.0, np.float32)
    np.savez(path, kp=np.concatenate(clips), offsets=offsets, label=np.array(labels), name=names, fps=fps, **more)
    return path


def _take(label: str, seed: int) -> Points:
    take = make_exercise(label, np.random.default_rng(seed), reps=2, cut=0.0, context=0.0, partial=0.0)
    return take.positions[:240].astype(np.float32)


def test_labels_of_others_are_understood() -> None:
    assert [label_of(n) for n in ("jump_jack", "Situp", "pull-up", "squat1Reps", "walking")] == [
        "jumping_jack",
        "sit_up",
        "pull_up",
        "squat",
        "walking",
    ]
    assert label_of("strum_guitar") == OTHER and label_of("bench_pressing") == OTHER
    assert all(label_of(name) == name for name in LABELS)


def test_metrics_by_hand() -> None:
    results = [
        Named(str(k), true, said, ())
        for k, (true, said) in enumerate(
            [("squat", "squat"), ("squat", "lunge"), ("walking", "walking"), ("other", "squat")]
        )
    ]
    metrics, rows = summary(results)
    assert metrics["accuracy"] == 0.5 and metrics["false_exercise"] == 0.5
    # F1: squat 1 of (2 true, 2 said), walking whole, other none.
    assert metrics["macro_f1"] == pytest.approx((0.5 + 1.0 + 0.0) / 3)
    assert [row for row in rows if row.get("clip") == "1"] == [{"clip": "1", "label": "squat", "said": "lunge"}]


def test_who_has_a_gait_walks() -> None:
    """Whatever the recogniser makes of it: the result shows strides."""
    walk = make_walk(np.random.default_rng(6), duration_s=5.0)
    take = make_exercise("squat", np.random.default_rng(41), reps=3)
    clips = [
        ("walk", WALKING, motion_of(walk.time_s, walk.xyz_m.astype(np.float32))),
        ("squats", OTHER, motion_of(take.time_s, take.positions.astype(np.float32))),
    ]
    assert [clip.said for clip in named(clips, Told(OTHER))] == [WALKING, OTHER]


def test_a_file_in_3d_is_read_by_joint_name(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(len(BODY21))
    names = np.array([BODY21.joints[i] for i in order])
    # Millimetres, y up.
    turn = np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])
    clips = [(1000.0 * _take(label, 41)[:, order] @ turn.T).astype(np.float32) for label in ("squat", "jumping_jack")]
    path = _write(
        tmp_path / "set.npz", clips, ["squat", "jump_jack"], layout=names, units="millimetres", axes="y up, global"
    )
    result = evaluate_recognition(path)
    assert result["metrics"]["accuracy"] == 1.0 and result["metrics"]["clips"] == 2.0


def test_a_file_in_2d_is_lifted(tmp_path: Path) -> None:
    camera = SynthCamera((3.5, 1.5, 1.2), (0.0, 0.0, 0.9), 700.0, 640, 480)
    xyz = _take("squat", 41)
    pixels, _ = camera.project(xyz)
    kp = pixels[:, [BODY21.index(n) for n in _PENN]].astype(np.float32)
    kp[5:9] = np.nan
    path = _write(
        tmp_path / "flat.npz", [kp], ["squat"], layout=np.array(_PENN), width=np.array([640]), height=np.array([480])
    )
    ((name, label, motion),) = list(files_motions(path))
    assert (name, label) == ("clip0", "squat") and motion is not None and len(motion) == len(kp)
    knee = BODY21.indices("left_hip", "left_knee", "left_ankle")
    seen = motion.xyz_m[20:][:, knee]
    true = xyz[20:][:, knee]
    length = [np.linalg.norm(v[:, 0] - v[:, 2], axis=1) for v in (seen, true)]
    assert np.corrcoef(*length)[0, 1] > 0.9


def test_files_of_no_use_say_so(tmp_path: Path) -> None:
    np.savez(tmp_path / "odd.npz", a=np.zeros(3))
    with pytest.raises(InputError, match="no labelled motion"):
        evaluate_recognition(tmp_path / "odd.npz")
    with pytest.raises(InputError, match="no such file"):
        evaluate_recognition(tmp_path / "absent.npz")
    with pytest.raises(InputError, match="no videos"):
        evaluate_recognition(tmp_path)


@pytest.mark.shared
def test_filmed_people_are_named(shared_videos: Path, tmp_path: Path) -> None:
    wanted = {"squat_06_barbell_front_1rep.mp4": "squat", "run_02_side.mp4": "other"}
    for name in wanted:
        shutil.copyfile(shared_videos / name, tmp_path / name)
    with (tmp_path / "videos.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "label"])
        table.writerows(wanted.items())
    result = evaluate_recognition(tmp_path)
    assert result["metrics"]["accuracy"] == 1.0 and result["metrics"]["false_exercise"] == 0.0
