"""Human3.6M and MPI-INF-3DHP in small files of the same shape."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from posepipe.cli.main import run
from posepipe.errors import InputError, UsageError
from posepipe.lab.lifter.benchmarks import H36M_TEST, H36M_TRAIN, load_3dhp, load_h36m, protocol
from posepipe.lab.lifter.pairs import pair_features
from posepipe.lab.lifter.train import LifterConfig, train_on_pairs
from posepipe.skeleton import BODY21, H36M17
from tests.body.bodies import standing

FOCAL, CENTER = np.array([1145.0, 1144.0]), np.array([512.0, 515.0])
THREEDHP = (
    "head", "thorax", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "pelvis", "spine", "nose",
)  # fmt: skip


def camera_poses(frames: int, seed: int) -> np.ndarray:
    """(F, 17, 3) Human3.6M joints about four metres in front of a camera."""
    rng = np.random.default_rng(seed)
    body = standing()[:17] + 0.03 * rng.standard_normal((frames, 17, 3))
    body -= body[:, :1]
    return body + np.array([0.3, -0.1, 4.2])


def pixels(xyz: np.ndarray) -> np.ndarray:
    return xyz[..., :2] / xyz[..., 2:] * FOCAL + CENTER


def write_h36m(folder: Path) -> dict[str, np.ndarray]:
    """All subjects, two actions, two cameras with known positions. Returns the camera-frame truth."""
    half = np.sqrt(0.5)
    # Second camera: turned by 90 degrees about the world's z axis.
    turns = {0: ([1.0, 0, 0, 0], np.eye(3)), 1: ([half, 0, 0, half], np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]]))}
    place = np.array([1500.0, -700.0, 1200.0])
    poses, keypoints, truth = {}, {}, {}
    cameras = {}
    for number, subject in enumerate((*H36M_TRAIN, *H36M_TEST)):
        cameras[subject] = [
            {"orientation": q, "translation": place.tolist(), "focal_length": FOCAL.tolist(), "center": CENTER.tolist()}
            for q, _ in turns.values()
        ]
        for take, action in enumerate(("Walking 1", "Eating")):
            seen = camera_poses(6, 10 * number + take)
            world = seen @ turns[0][1].T + place / 1000
            for key, (_, to_world) in turns.items():
                truth[f"{subject}/{action}/{key}"] = (world - place / 1000) @ to_world
            poses[f"{subject}/{action}"] = np.zeros((6, 32, 3), np.float32)
            poses[f"{subject}/{action}"][:, [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]] = (
                world.astype(np.float32)
            )
            for key in turns:
                points = truth[f"{subject}/{action}/{key}"]
                # The body is only in front of the first camera; of the second only the turn is tested.
                keypoints[f"{subject}/{action}/{key}"] = pixels(points).astype(np.float32)
    np.savez(folder / "h36m_3d.npz", **poses)
    np.savez(folder / "h36m_2d.npz", **keypoints)
    (folder / "h36m_cameras.json").write_text(json.dumps(cameras))
    return truth


def test_h36m_in_the_camera_frame(tmp_path: Path) -> None:
    truth = write_h36m(tmp_path)
    pairs = load_h36m(tmp_path, ("S9",))
    assert len(pairs) == 24
    assert set(pairs.source) == {"Walking", "Eating"}
    for row, key in enumerate(("S9/Walking 1/0", "S9/Walking 1/1")):
        block = slice(6 * row, 6 * row + 6)
        want = truth[key]
        assert np.allclose(pairs.root_m[block], want[:, 0], atol=1e-5)
        assert np.allclose(pairs.xyz_m[block, :17], want - want[:, :1], atol=1e-5)
        assert np.allclose(pairs.rays[block, :17], want[..., :2] / want[..., 2:], atol=1e-4)
    assert np.isnan(pairs.rays[:, BODY21.index("left_heel")]).all()
    features, target = pair_features(pairs.select(np.arange(24) < 6))
    assert np.isfinite(features).all()
    assert np.isfinite(target[:, :17]).all()
    assert (features[:, 17:, 3] == 0).all()


def test_splits_share_nobody() -> None:
    assert not set(H36M_TRAIN) & set(H36M_TEST)


def test_protocol_of_known_errors(tmp_path: Path) -> None:
    """A pose off by 30 mm along x in all joints but the root, and one twice as large."""
    write_h36m(tmp_path)
    pairs = load_h36m(tmp_path, ("S11",))
    walking = pairs.source == "Walking"
    guess = pairs.xyz_m.copy()
    guess[walking, 1:, 0] += 0.03
    guess[~walking] *= 2.0
    result = protocol(guess, pairs)
    row = {r["action"]: r for r in result["rows"]}
    assert row["Walking"]["mpjpe_mm"] == pytest.approx(30 * 16 / 17, rel=1e-4)
    assert row["Eating"]["pa_mpjpe_mm"] == pytest.approx(0, abs=1e-2)
    assert row["Eating"]["n_mpjpe_mm"] == pytest.approx(0, abs=1e-2)
    assert row["Eating"]["mpjpe_mm"] > 200
    assert row["Walking"]["pck_150"] == 1.0
    assert result["metrics"]["mpjpe_mm"] == pytest.approx(np.mean([r["mpjpe_mm"] for r in result["rows"]]))


@pytest.mark.parametrize("test", [False, True])
def test_3dhp_finds_its_lens(tmp_path: Path, test: bool) -> None:
    order = [H36M17.index(name) for name in THREEDHP]
    seen = camera_poses(8, 3)
    table = {"data_3d": 1000 * seen[:, order], "data_2d": pixels(seen)[:, order]}
    valid = np.array([1, 1, 0, 1, 1, 1, 1, 0])
    if test:
        np.savez(tmp_path / "3dhp_test.npz", **{f"TS1/{k}": v for k, v in (table | {"valid": valid}).items()})
    else:
        np.savez(tmp_path / "3dhp_train.npz", **{f"S1 Seq1/0/{k}": v for k, v in table.items()})
    pairs = load_3dhp(tmp_path, test=test)
    want = seen[valid.astype(bool)] if test else seen
    assert len(pairs) == len(want)
    assert np.allclose(pairs.xyz_m[:, :17], want - want[:, :1], atol=1e-5)
    assert np.allclose(pairs.rays[:, :17], want[..., :2] / want[..., 2:], atol=1e-5)


def test_train_and_measure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_h36m(tmp_path)
    config = tmp_path / "tiny.toml"
    config.write_text(
        "steps = 3\nbatch = 8\nwarmup = 1\nbf16 = false\n[network]\ndim = 16\nblocks = 1\nijr_hidden = 8\n"
    )
    # The second camera doesn't see the body: leave its keypoints out.
    with np.load(tmp_path / "h36m_2d.npz") as data:
        first = {key: data[key] for key in data.files if key.endswith("/0")}
    np.savez(tmp_path / "h36m_2d.npz", **first)
    run(["evaluate", "benchmarks", "h36m", str(tmp_path), "--config", str(config), "--out", str(tmp_path / "run")])
    text = capsys.readouterr().out
    assert "Walking" in text
    assert "pa_mpjpe_mm" in text
    assert (tmp_path / "run" / "weights.safetensors").is_file()


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_h36m(tmp_path, H36M_TEST)
    write_h36m(tmp_path)
    with pytest.raises(InputError, match="no sequence"):
        load_h36m(tmp_path, ("S99",))
    np.savez(tmp_path / "h36m_3d.npz", positions_3d=np.array({"S1": {}}, dtype=object))
    with pytest.raises(InputError, match="pickled"):
        load_h36m(tmp_path, H36M_TEST)
    np.savez(tmp_path / "3dhp_train.npz", **{"S1 Seq1/0/data_3d": np.zeros((2, 17, 3))})
    with pytest.raises(InputError, match="data_2d"):
        load_3dhp(tmp_path)


def test_pairs_alone_need_the_whole_batch(tmp_path: Path) -> None:
    write_h36m(tmp_path)
    with pytest.raises(UsageError):
        train_on_pairs(LifterConfig(pairs_share=0.5), load_h36m(tmp_path, ("S9",)), tmp_path)
