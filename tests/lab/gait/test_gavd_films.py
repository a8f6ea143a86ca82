"""Labelled walks, from files of other programs' skeletons and from GAVD's boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posepipe.errors import InputError
from posepipe.lab.gait.abnormal import (
    GAVD_COLUMNS,
    GavdSequence,
    evaluate_gait_abnormal,
    gavd_files,
    labelled_walks,
    match_track,
)
from posepipe.lab.metrics import auroc, balanced_accuracy, bootstrap_groups, calibration_error, macro_f1
from posepipe.skeleton import BODY21
from posepipe.types import KeypointTrack
from tests.gait.walks import world_walk

JOINTS = tuple(
    f"{side}_{part}" for side in ("left", "right") for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
)


def _write(path: Path, *, flip: bool = False) -> None:
    """Sixteen-joint walks as a depth sensor's file has them: odd units, y up, perhaps left-handed."""
    names = (*JOINTS, "pelvis", "thorax")
    parts, labels = [], []
    for seed, pattern, severity in ((21, "normal", 0.0), (22, "parkinsonian", 0.9)):
        _, xyz = world_walk(seed, pattern, severity, seconds=6.0)
        body = xyz[:, BODY21.indices(*names)] - xyz[:, :1]
        up = np.stack([body[..., 0], body[..., 2], body[..., 1] * (1.0 if flip else -1.0)], axis=-1)
        parts.append(10.0 * up)
        labels.append(pattern)
    np.savez(
        path,
        kp=np.concatenate(parts).astype(np.float32),
        layout=np.array(names),
        offsets=np.cumsum([0, *map(len, parts)]),
        label=np.array(labels),
        subject=np.array(["A", "A"]),
        fps=np.array([30.0, 30.0], np.float32),
        units=np.array("source units/100"),
        axes=np.array("x right, y up, z depth from the sensor"),
    )


@pytest.mark.parametrize("flip", [False, True])
def test_files_of_either_hand_and_any_unit(tmp_path: Path, flip: bool) -> None:
    _write(tmp_path / "walks.npz", flip=flip)
    walks = list(labelled_walks(tmp_path / "walks.npz"))
    assert [walk.abnormal for walk in walks] == [False, True]
    knee = walks[0].motion.angles.deg[:, walks[0].motion.angles.names.index("left_knee_flexion")]
    hip = walks[0].motion.angles.deg[:, walks[0].motion.angles.names.index("left_hip_flexion")]
    assert 40.0 < np.nanmax(knee) < 80.0
    assert np.nanmax(hip) > 15.0
    result = evaluate_gait_abnormal(tmp_path / "walks.npz")
    assert result["metrics"]["balanced_accuracy"] == 1.0
    assert result["metrics"]["people_both_kinds"] == 1.0
    assert [row["flagged"] for row in result["rows"]] == [False, True]


def test_files_that_hold_no_walks(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(InputError, match="lacks"):
        evaluate_gait_abnormal(tmp_path / "other.npz")
    with pytest.raises(InputError, match=r"videos\.csv"):
        evaluate_gait_abnormal(tmp_path)


def _track(person: int, left: float) -> KeypointTrack:
    xy = np.zeros((5, 21, 2), np.float32) + np.array([left, 100.0], np.float32)
    xy[:, ::2] += np.array([60.0, 200.0], np.float32)
    flags = np.ones((5, 21), dtype=bool)
    frame = np.arange(10, 15, dtype=np.int32)
    ones = np.ones(flags.shape, np.float32)
    return KeypointTrack(person, BODY21, frame, frame / 30.0, xy, ones, ones, flags, ~flags)


def test_the_boxed_person_is_found_in_another_picture_size() -> None:
    boxes = np.tile([600.0, 200.0, 120.0, 400.0], (5, 1))
    sequence = GavdSequence("s", "v", "", "left side", True, "stroke", np.arange(10, 15), boxes, (1280, 960), {})
    tracks = [_track(1, 20.0), _track(2, 300.0)]
    found = match_track(tracks, sequence, (640, 480))
    assert found is tracks[1]
    assert match_track(tracks[:1], sequence, (640, 480)) is None


def test_annotation_files_are_known_by_their_columns(tmp_path: Path) -> None:
    (tmp_path / "gavd_1.csv").write_text(",".join(GAVD_COLUMNS) + "\n", encoding="utf-8")
    (tmp_path / "videos.csv").write_text("file,walk\n", encoding="utf-8")
    assert gavd_files(tmp_path) == [tmp_path / "gavd_1.csv"]


def test_scores() -> None:
    truth = np.array([True, True, False, False])
    assert balanced_accuracy(truth, np.array([True, False, False, False])) == 0.75
    assert np.isnan(balanced_accuracy(truth[:2], truth[:2]))
    assert auroc(truth, np.array([0.9, 0.4, 0.4, 0.1])) == 0.875
    assert macro_f1(["a", "a", "b"], ["a", "b", "b"]) == pytest.approx(2 / 3)
    assert calibration_error(truth, np.array([1.0, 1.0, 0.0, 0.0])) == 0.0
    low, high = bootstrap_groups(truth, truth, np.array(["p", "q", "p", "q"]), draws=50)
    assert low == high == 1.0
