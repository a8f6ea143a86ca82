"""Labelled walks in the form of ``mocap/``, and what speed alone tells of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posepipe.errors import InputError
from posepipe.lab.gait.abnormal import metrics_of
from posepipe.lab.gait.files import labelled_walks
from posepipe.lab.people.gait import make_walk
from posepipe.skeleton import BODY21, H36M17


def _row(subject: str, abnormal: bool, probability: float, pace: float) -> dict[str, object]:
    return {
        "subject": subject,
        "abnormal": abnormal,
        "probability": probability,
        "flagged": probability >= 0.5,
        "pace": pace,
        "reported": True,
    }


def test_the_form_of_motion_capture(tmp_path: Path) -> None:
    walk = make_walk(np.random.default_rng(3), duration_s=3.0, fps_hz=60.0)
    toes = BODY21.indices("nose", "head", "left_foot_index", "right_foot_index", "left_heel", "right_heel")
    path = tmp_path / "walks.npz"
    table = {
        "positions": np.concatenate([walk.xyz_m[:, : len(H36M17)]] * 2).astype(np.float32),
        "extra": np.concatenate([walk.xyz_m[:, list(toes)]] * 2).astype(np.float32),
        "seq_start": np.array([0, len(walk), 2 * len(walk)]),
        "seq_name": np.array(["a1", "b1"]),
        "subject": np.array(["a", "b"]),
        "fps": np.array([60.0, 60.0]),
        "label": np.array(["Healthy", "muscle weakness"]),
    }
    np.savez(path, **table)
    first, second = labelled_walks(path)
    assert (first.subject, first.abnormal, second.abnormal) == ("a", False, True)
    assert np.isnan(first.pace)
    np.testing.assert_allclose(first.motion.time_s[-1], walk.time_s[-1], atol=1e-6)
    np.savez(path, **table, speed_mps=np.array([1.2, 0.6]), abnormal=np.array([True, False]))
    first, second = labelled_walks(path)
    assert (first.abnormal, second.abnormal) == (True, False)
    assert first.pace == pytest.approx(2.0 * second.pace)
    assert 0.3 < first.pace < 0.5
    del table["label"]
    np.savez(path, **table)
    with pytest.raises(InputError, match="lacks label"):
        next(labelled_walks(path))


def test_what_speed_alone_tells() -> None:
    """The slow one is a patient, and so is one of two who are equally fast: speed can't tell those apart."""
    rows = [_row("a", False, 0.1, 0.45), _row("b", True, 0.9, 0.20), _row("c", True, 0.8, 0.44)]
    found = metrics_of(rows)
    assert found["auroc"] == 1.0
    assert found["auroc_speed_alone"] == 1.0
    assert found["speed_matched_pairs"] == 1.0
    assert found["auroc_speed_matched"] == 1.0
    same = metrics_of([*rows, _row("d", False, 0.85, 0.44)])
    assert same["speed_matched_pairs"] == 2.0
    assert same["auroc_speed_matched"] == 0.5
    assert same["auroc_speed_alone_matched"] == 0.75
    assert same["auroc_people"] == same["auroc"]
    assert "auroc_speed_alone" not in metrics_of([{k: v for k, v in row.items() if k != "pace"} for row in rows])
