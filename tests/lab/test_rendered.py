from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posepipe.cli.main import run as posepipe
from posepipe.errors import InputError, UsageError
from posepipe.keypoints.blazepose import BlazePose, Networks
from posepipe.lab.people.body import BodyShape, load_mocap
from posepipe.lab.people.gait import make_walk
from posepipe.lab.people.motion import squat
from posepipe.lab.rendered import Draw, make_pairs, make_run
from posepipe.skeleton import BLAZEPOSE33, BODY21, conversion


@pytest.fixture(scope="module")
def mocap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small motion-capture file made from parametric motion."""
    clips = [
        make_walk(np.random.default_rng(0), shape=BodyShape(), duration_s=1.5, fps_hz=30.0).xyz_m,
        squat(BodyShape(height_m=1.6), reps=1).xyz_m,
    ]
    xyz = np.concatenate(clips).astype(np.float32)
    extra = xyz[:, [9, 10, 18, 20, 17, 19]]
    extra[: len(clips[0]), 4:] = np.nan
    path = tmp_path_factory.mktemp("mocap") / "clips.npz"
    np.savez(
        path,
        positions=xyz[:, :17],
        extra=extra,
        seq_start=np.array([0, len(clips[0]), len(xyz)]),
        fps=np.array([30.0, 30.0], np.float32),
        seq_name=np.array(["a_walk", "ui_squat"]),
        subject=np.array(["1", "2"]),
    )
    return path


@pytest.fixture(scope="module")
def networks() -> Networks:
    return BlazePose(threads=1).networks()


def test_run_repeats_by_seed_and_fits_the_truth(mocap: Path, networks: Networks) -> None:
    data = load_mocap(mocap)
    a, b = (make_run(data, networks, (3, 1)) for _ in range(2))
    for key in a:
        assert np.array_equal(a[key], b[key]), key
    count = len(a["presence"])
    assert 8 <= count <= 16
    assert a["xy_px"].shape == (count, 33, 2)
    assert a["world_m"].shape == (count, 33, 3)
    assert a["xyz_m"].shape == (count, 21, 3)
    focal, cx, cy = a["camera"][0, :3]
    xy = focal * a["xyz_m"][..., :2] / a["xyz_m"][..., 2:] + [cx, cy]
    assert xy == pytest.approx(a["xy_true_px"], abs=0.1)
    assert np.linalg.norm(a["gravity"], axis=1) == pytest.approx(1.0, abs=1e-5)
    other = make_run(data, networks, (3, 2))
    assert other["xy_px"].shape != a["xy_px"].shape or not np.array_equal(other["xy_px"], a["xy_px"])


def test_detector_sees_about_the_truth(mocap: Path, networks: Networks) -> None:
    data = load_mocap(mocap)
    matrix = conversion(BLAZEPOSE33, BODY21)
    errors, headings = [], []
    for run in range(2):
        record = make_run(data, networks, (0, run))
        seen = np.einsum("ij,njk->nik", matrix, record["xy_px"])
        off = np.linalg.norm(seen - record["xy_true_px"], axis=-1)
        errors.append(np.median(off / record["roi"][:, 2:3]))
        # MediaPipe's own 3D guess has the truth's axes: feet lie below the hips along the picture.
        feet = record["world_m"][:, [27, 28], :2].mean(axis=1)
        true = (record["xyz_m"][:, [3, 6], :2] - record["xyz_m"][:, :1, :2]).mean(axis=1)
        headings.append((feet * true).sum(axis=1) / np.linalg.norm(feet, axis=1) / np.linalg.norm(true, axis=1))
    # A hundredth of the region's side is about 2.5 cm.
    assert np.median(errors) < 0.025
    assert np.median(np.concatenate(headings)) > 0.95


def test_pairs_hold_enough_frames_in_whole_runs(mocap: Path) -> None:
    record = make_pairs(mocap, 12, seed=1)
    assert len(record["run"]) >= 12
    for run in np.unique(record["run"]):
        part = record["run"] == run
        assert np.array_equal(record["run_frame"][part], np.arange(part.sum()))
        assert np.array_equal(np.diff(record["source_frame"][part]), np.ones(part.sum() - 1))
        assert len(set(record["sequence"][part])) == 1


def test_short_wide_runs_without_some_people(mocap: Path) -> None:
    draw = Draw(lengths=(2, 3), wide_share=1.0, leave_out=("1",))
    a, b = (make_pairs(mocap, 6, seed=4, draw=draw) for _ in range(2))
    assert set(a["subject"]) == {"2"}
    assert set(np.unique(a["run"], return_counts=True)[1]) <= {2, 3}
    for key in a:
        assert np.array_equal(a[key], b[key]), key


def test_command_writes_without_pickle(mocap: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "pairs.npz"
    assert (
        posepipe(["train", "pairs", "--data", str(mocap), "--out", str(out), "--frames", "5", "--cmu-share", "0"]) == 0
    )
    assert "pairs.npz" in capsys.readouterr().err
    with np.load(out, allow_pickle=False) as data:
        assert set(data["sequence"]) == {"ui_squat"}
        assert data["heel_measured"].all()
        assert np.isfinite(data["xy_px"]).all()


def test_wrong_input(tmp_path: Path, mocap: Path) -> None:
    with pytest.raises(InputError):
        load_mocap(tmp_path / "missing.npz")
    np.savez(tmp_path / "other.npz", positions=np.zeros((3, 17, 3)))
    with pytest.raises(InputError, match="extra"):
        load_mocap(tmp_path / "other.npz")
    with pytest.raises(UsageError):
        make_pairs(mocap, 0)
