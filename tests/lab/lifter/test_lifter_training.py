"""Batches, the training loop, and the networks; on a tiny made-up motion set."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posepipe.errors import InputError, UsageError
from posepipe.lab.runs import config_from_dict, read_config
from posepipe.skeleton import BODY21, H36M17

torch = pytest.importorskip("torch")
from safetensors.torch import load_file  # noqa: E402

from posepipe.lab.lifter.baselines import BASELINES, BaselineConfig, build_baseline  # noqa: E402
from posepipe.lab.lifter.data import (  # noqa: E402
    AugmentConfig,
    body21_from_h36m,
    heel_point,
    load_mocap,
    make_batch,
    training_mocap,
)
from posepipe.lab.lifter.export import export_lifter, write_onnx  # noqa: E402
from posepipe.lab.lifter.network import GROUPS, HopFIR, NetworkConfig, hop_matrices  # noqa: E402
from posepipe.lab.lifter.pairs import exchanged, load_pairs, pair_batch, pair_features  # noqa: E402
from posepipe.lab.lifter.train import (  # noqa: E402
    LifterConfig,
    learning_rate,
    pose_loss,
    train_lifter,
)

RIGHT = {"hip": (0.09, 0.0), "knee": (0.1, 0.42), "ankle": (0.1, 0.84), "heel": (0.1, 0.9), "foot_index": (0.13, 0.9)}
RIGHT |= {"shoulder": (0.18, -0.5), "elbow": (0.25, -0.22), "wrist": (0.24, 0.02)}
MIDDLE = {"pelvis": 0.0, "spine": -0.25, "thorax": -0.5, "nose": -0.66, "head": -0.72}


def standing() -> np.ndarray:
    """(21, 3) x right, y down, z away; facing the camera."""
    out = np.zeros((len(BODY21), 3))
    for row, name in enumerate(BODY21.joints):
        side, _, part = name.partition("_")
        x, y = RIGHT[part] if part in RIGHT else (0.0, MIDDLE[name])
        out[row] = (x if side == "left" else -x, y, -0.12 if "foot" in name or name == "nose" else 0.0)
    return out


TINY = LifterConfig(
    network=NetworkConfig(dim=32, blocks=1, ijr_hidden=16),
    steps=60,
    batch=64,
    warmup=5,
    lr=3e-3,
    bf16=False,
    validate_every=1000,
    save_every=1000,
    holdout=("s2",),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with train.npz and val.npz: the test body swinging its limbs, z up."""
    folder = tmp_path_factory.mktemp("mocap")
    for name, seed, frames in (("train", 0, 600), ("val", 1, 60)):
        rng = np.random.default_rng(seed)
        camera = standing()[None] + 0.05 * rng.standard_normal((frames, len(BODY21), 3))
        world = np.stack([camera[..., 0], camera[..., 2], 0.9 - camera[..., 1]], axis=-1).astype(np.float32)
        i = BODY21.index
        feet = ("left_foot_index", "right_foot_index", "left_heel", "right_heel")
        extra = np.stack([world[:, i("nose")], world[:, i("head")], *(world[:, i(joint)] for joint in feet)], axis=1)
        extra[: frames // 2, 4:] = np.nan
        np.savez(
            folder / f"{name}.npz",
            positions=world[:, : len(H36M17)],
            extra=extra,
            seq_start=np.array([0, frames // 3, 2 * frames // 3, frames]),
            seq_name=np.array(["01_01", "ui_a", "ui_b"]),
            subject=np.array(["s1", "s1", "s2"]),
        )
    return folder


def test_hop_matrices_are_the_skeletons() -> None:
    hops = hop_matrices(3)
    assert hops.shape == (4, 21, 21)
    assert np.allclose(hops.sum(axis=2), 1.0)
    assert np.array_equal(hops[0], np.eye(21))
    i = BODY21.index
    assert hops[1][i("left_knee"), i("left_hip")] > 0
    assert hops[2][i("left_ankle"), i("left_hip")] > 0
    assert hops[3][i("left_ankle"), i("pelvis")] > 0
    assert hops[1][i("left_knee"), i("right_knee")] == 0


def test_limb_groups_hold_every_joint_once() -> None:
    assert sorted(joint for group in GROUPS for joint in group) == sorted(BODY21.joints)


@pytest.mark.parametrize(
    "config",
    [
        NetworkConfig(dim=48, blocks=1),
        NetworkConfig(dim=48, blocks=1, hops=0),
        NetworkConfig(dim=48, blocks=1, grouping=False, heads=2),
        NetworkConfig(dim=48, blocks=1, variant="B", heads=2),
        NetworkConfig(dim=48, blocks=1, ijr="peripheral"),
        NetworkConfig(dim=48, blocks=1, ijr="none", hops=4),
    ],
)
def test_every_variant_runs_and_learns_everywhere(config: NetworkConfig) -> None:
    network = HopFIR(config)
    inputs = torch.randn(3, 21, 6)
    xyz, log_scale = network(inputs)
    assert xyz.shape == (3, 21, 3)
    assert log_scale.shape == (3, 21)
    (xyz.square().sum() + log_scale.sum()).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_peripheral_refinement_leaves_the_inner_joints() -> None:
    network = HopFIR(NetworkConfig(dim=32, blocks=1, ijr="peripheral"))
    refine = network.blocks[0].refine
    change = refine(torch.randn(2, 21, 32))
    moved = (change.abs().sum(dim=(0, 2)) > 0).tolist()
    names = [joint for group in GROUPS for joint in group]
    ends = {f"{s}_{j}" for s in ("left", "right") for j in ("ankle", "heel", "foot_index", "wrist")} | {"head"}
    assert {name for name, yes in zip(names, moved, strict=True) if yes} == ends


def test_pelvis_thorax_and_spine_follow_from_hips_and_shoulders() -> None:
    xyz, _ = HopFIR(NetworkConfig(dim=32, blocks=1))(torch.randn(4, 21, 6))
    xyz = xyz.detach().numpy()
    i = BODY21.index
    assert np.allclose(xyz[:, i("pelvis")], 0.0, atol=1e-6)
    assert np.allclose(xyz[:, i("left_hip")], -xyz[:, i("right_hip")], atol=1e-5)
    shoulders = (xyz[:, i("left_shoulder")] + xyz[:, i("right_shoulder")]) / 2
    assert np.allclose(xyz[:, i("thorax")], shoulders, atol=1e-5)
    assert np.allclose(xyz[:, i("spine")], shoulders / 2, atol=1e-5)


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_share_the_interface(name: str) -> None:
    network = build_baseline(name, BaselineConfig(dim=32, blocks=1)).eval()
    xyz, log_scale = network(torch.randn(3, 21, 6))
    assert xyz.shape == (3, 21, 3)
    assert log_scale.shape == (3, 21)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UsageError, match="no lifter"):
        build_baseline("resnet", BaselineConfig())
    with pytest.raises(UsageError, match="variant"):
        NetworkConfig(variant="C")
    with pytest.raises(UsageError, match="unknown key 'stepz'"):
        config_from_dict(LifterConfig, {"stepz": 3})
    with pytest.raises(UsageError, match="optimiser"):
        LifterConfig(optimiser="sgd")


def test_loss_is_smallest_at_the_expected_error() -> None:
    xyz, target = torch.zeros(1, 21, 3), torch.full((1, 21, 3), 0.05 / 3**0.5)
    weight = torch.ones(1, 21)
    losses = [float(pose_loss(xyz, torch.full((1, 21), s), target, weight)) for s in np.log([0.025, 0.05, 0.1])]
    # The pose term changes with s too, so compare its gradient-free part.
    pose = [0.05 * np.exp(-0.5 * s) for s in np.log([0.025, 0.05, 0.1])]
    scale = [loss - part for loss, part in zip(losses, pose, strict=True)]
    assert scale[1] == min(scale)


def test_learning_rate_rises_stays_and_falls() -> None:
    config = LifterConfig(steps=100, warmup=10, decay=0.2, lr=1.0)
    rates = [learning_rate(config, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[50] == 1.0
    assert rates[90] == pytest.approx(0.5)
    assert rates[99] == pytest.approx(0.05)


def test_mocap_becomes_body21(data: Path) -> None:
    mocap = load_mocap(data / "train.npz")
    assert len(mocap) == 600
    assert not np.isnan(mocap.xyz_m).any()
    assert mocap.weight.sum() == pytest.approx(1.0)
    assert mocap.weight[mocap.source == "cmu"].sum() == pytest.approx(0.63)
    assert np.allclose(mocap.xyz_m[:, 0, :2], 0.0, atol=1e-6)
    with pytest.raises(InputError, match="no such file"):
        load_mocap(data / "none.npz")


def test_more_takes_join_what_is_trained_on(data: Path, tmp_path: Path) -> None:
    """Those to validate on and those that stand in train.npz already are left out; the shares stay."""
    shutil.copy(data / "train.npz", tmp_path)
    assert len(training_mocap(tmp_path)) == 600
    with np.load(data / "train.npz") as file:
        more = dict(file) | {
            "seq_name": np.array(["05_01", "124_01", "09_01"]),
            "subject": np.array(["05", "124", "09"]),
            "split": np.array(["train", "val", "train"]),
            "also_in_train": np.array(["", "", "conv_1"]),
        }
    np.savez(tmp_path / "more.npz", **more)
    mocap = training_mocap(tmp_path)
    assert len(mocap) == 800
    assert set(mocap.subject) == {"s1", "s2", "05"}
    assert mocap.weight.sum() == pytest.approx(1.0)
    assert mocap.weight[mocap.source == "cmu"].sum() == pytest.approx(0.63)


def test_heels_lie_behind_and_below_the_ankle() -> None:
    heel = heel_point(np.array([[0, 0, 0.5]]), np.array([[0, 0, 0.08]]), np.array([[0.13, 0, 0.02]]))
    assert heel[0, 0] < 0
    assert heel[0, 2] < 0.09


def test_unknown_extras_stay_unknown() -> None:
    out = body21_from_h36m(np.ones((2, 17, 3), np.float32), np.full((2, 6, 3), np.nan, np.float32))
    assert np.isnan(out[:, BODY21.index("nose")]).all()
    assert np.isnan(out[:, BODY21.index("left_heel")]).all()
    assert not np.isnan(out[:, BODY21.index("thorax")]).any()


def test_batches_repeat_and_are_finite(data: Path) -> None:
    mocap = load_mocap(data / "train.npz")
    first = make_batch(mocap, 128, AugmentConfig(), np.random.default_rng(5))
    again = make_batch(mocap, 128, AugmentConfig(), np.random.default_rng(5))
    assert np.array_equal(first.features, again.features)
    assert np.isfinite(first.features).all()
    assert np.isfinite(first.xyz_m).all()
    assert np.allclose(first.xyz_m[:, 0], 0.0)


def test_exact_batches_project_to_their_input(data: Path) -> None:
    """Target and input belong together: an exact sample's rays are those of its pose at some distance."""
    mocap = load_mocap(data / "train.npz")
    config = AugmentConfig(exact=1.0, drop=0.0, no_feet=0.0, focal_unknown=0.0)
    batch = make_batch(mocap, 64, config, np.random.default_rng(0))
    scale = np.exp(batch.features[:, 0, 4] / 2.0 + np.log(0.15))
    rays = batch.features[..., :2] * scale[:, None, None]
    points = batch.xyz_m
    # x (Z + T) = X for all joints: solve for T, then check.
    right = points[..., :2] - rays * points[..., 2:]
    depth = (rays * right).sum((1, 2)) / (rays**2).sum((1, 2))
    assert (depth > 1.0).all()
    back = points[..., :2] / (points[..., 2:] + depth[:, None, None])
    assert np.allclose(back, rays, atol=2e-3)


def test_augmentation_keeps_bones_human(data: Path) -> None:
    config = AugmentConfig(borrow=0.3, limb_sigma=0.08)
    batch = make_batch(load_mocap(data / "train.npz"), 256, config, np.random.default_rng(1))
    thigh = np.linalg.norm(
        batch.xyz_m[:, BODY21.index("left_hip")] - batch.xyz_m[:, BODY21.index("left_knee")], axis=-1
    )
    assert 0.2 < np.quantile(thigh, 0.01) < np.quantile(thigh, 0.99) < 0.75


def test_hidden_joints_say_so(data: Path) -> None:
    batch = make_batch(load_mocap(data / "train.npz"), 256, AugmentConfig(), np.random.default_rng(2))
    hidden = batch.features[..., 3] == 0
    assert 0.02 < hidden.mean() < 0.5
    assert (batch.features[hidden][:, :3] == 0).all()


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_loss_falls_and_a_resumed_run_repeats_the_uninterrupted_one(data: Path, tmp_path: Path, optimiser: str) -> None:
    config = replace(TINY, optimiser=optimiser)
    whole = train_lifter(config, data, tmp_path / "whole")
    assert np.mean(whole.loss[-10:]) < 0.7 * np.mean(whole.loss[:5])
    out = tmp_path / "parts"
    first = train_lifter(config, data, out, minutes=1e-6)
    assert 0 < first.step < config.steps
    second = train_lifter(config, data, out, resume=True)
    assert second.step == config.steps
    assert np.allclose(first.loss + second.loss, whole.loss, rtol=1e-4)
    rows = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {"step", "loss", "level", "rolled", "noisy"} <= set(rows[-1])


def test_a_run_begins_with_given_weights(data: Path, tmp_path: Path) -> None:
    first = train_lifter(replace(TINY, steps=3), data, tmp_path / "first")
    config = replace(TINY, steps=2, lr=0.0)
    again = train_lifter(config, data, tmp_path / "again", start=first.weights)
    before, after = load_file(first.weights), load_file(again.weights)
    for key, value in before.items():
        assert torch.allclose(value, after[key], atol=1e-6), key


def test_resume_without_a_checkpoint(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no checkpoint"):
        train_lifter(TINY, data, tmp_path, resume=True)


def test_export_writes_a_lifter_that_lifts(data: Path, tmp_path: Path) -> None:
    from posepipe.body.lift import Lifter
    from posepipe.weights import find_model

    train_lifter(replace(TINY, steps=10), data, tmp_path / "run")
    metrics = export_lifter(data, tmp_path / "run", tmp_path / "models")
    assert metrics["steps"] == 10
    body = standing()[None] + [0.0, 0.0, 4.0]
    rays = (body[..., :2] / body[..., 2:]).astype(np.float32)
    seen = np.ones((1, 21), dtype=bool)
    lifter = Lifter(find_model("lifter", tmp_path / "models"))
    xyz, sigma, usable = lifter.lift_rays(rays, np.full((1, 21), 0.002, np.float32), seen, np.zeros(1, dtype=bool))
    assert usable.all()
    assert np.linalg.norm(xyz - standing(), axis=-1).mean() < 0.3
    assert (sigma > 0).all()


def test_onnx_takes_any_batch(tmp_path: Path) -> None:
    from posepipe.inference import open_session

    path = tmp_path / "n.onnx"
    assert write_onnx(HopFIR(NetworkConfig(dim=32, blocks=2)), path, {"calibration": "{}"}) < 1e-4
    for batch in (1, 7):
        xyz, scale = open_session(path, threads=1).run(None, {"keypoints": np.zeros((batch, 21, 6), np.float32)})
        assert xyz.shape == (batch, 21, 3)
        assert scale.shape == (batch, 21)


def test_pairs_read_and_project(tmp_path: Path) -> None:
    from posepipe.skeleton import BLAZEPOSE33

    body = np.repeat(standing()[None] + [0.2, 0.0, 4.0], 6, axis=0)
    pixels = body[..., :2] / body[..., 2:] * 900 + [640, 360]
    places = {name: pixels[:, BODY21.index(name)] for name in BODY21.joints}
    np.savez(
        tmp_path / "loop_train_000.npz",
        xy_px=np.stack([places.get(n, places["head"]) for n in BLAZEPOSE33.joints], axis=1).astype(np.float32),
        features=np.tile(np.array([0.9, 1.2, 0.9, 1.0], np.float32), (6, 33, 1)),
        roi=np.tile(np.array([640, 360, 500, 0], np.float32), (6, 1)),
        camera=np.tile(np.array([900, 640, 360, 1280, 720], np.float32), (6, 1)),
        xyz_m=body.astype(np.float32),
        world_m=np.zeros((6, 33, 3), np.float32),
        subject=np.array(["s1"] * 5 + ["s2"]),
        sequence=np.array(["01_01"] * 3 + ["ui_1"] * 3),
        presence=np.array([1, 1, 1, 1, 0.1, 1], np.float32),
        run=np.array([0, 0, 0, 1, 1, 1], np.int32),
        fps_hz=np.full(6, 30.0, np.float32),
    )
    pairs = load_pairs([tmp_path / "loop_train_000.npz"])
    assert len(pairs) == 5
    assert sorted(set(pairs.source)) == ["cmu", "ui"]
    features, target = pair_features(pairs)
    assert features.shape == (5, 21, 6)
    assert np.allclose(np.linalg.norm(target, axis=-1), np.linalg.norm(standing(), axis=-1), atol=1e-4)
    drawn = pair_batch(pairs, 40, AugmentConfig(), np.random.default_rng(0))
    assert np.isfinite(drawn.features).all()
    with pytest.raises(InputError, match="pairs"):
        load_pairs([])


def test_exchanged_sides_of_pairs_are_repaired_by_run(tmp_path: Path) -> None:
    """A detector that takes left for right in three frames of twelve: put in order, with more sigma; else found out."""
    from posepipe.skeleton import BLAZEPOSE33

    frames = 24
    body = np.repeat(standing()[None] + [0.2, 0.0, 4.0], frames, axis=0)
    body[..., 0] += 0.01 * np.arange(frames)[:, None]
    pixels = body[..., :2] / body[..., 2:] * 900 + [640, 360]
    places = {name: pixels[:, BODY21.index(name)] for name in BODY21.joints}
    xy = np.stack([places.get(n, places["head"]) for n in BLAZEPOSE33.joints], axis=1).astype(np.float32)
    xy[4:7] = xy[4:7][:, BLAZEPOSE33.mirror]
    xy[12:] = xy[12:][:, BLAZEPOSE33.mirror]  # The whole second run: nothing in it tells.
    np.savez(
        tmp_path / "loop_train_000.npz",
        xy_px=xy,
        features=np.tile(np.array([0.9, 1.2, 0.9, 1.0], np.float32), (frames, 33, 1)),
        roi=np.tile(np.array([640, 360, 500, 0], np.float32), (frames, 1)),
        camera=np.tile(np.array([900, 640, 360, 1280, 720], np.float32), (frames, 1)),
        xyz_m=body.astype(np.float32),
        world_m=np.zeros((frames, 33, 3), np.float32),
        subject=np.full(frames, "s1"),
        sequence=np.full(frames, "01_01"),
        presence=np.ones(frames, np.float32),
        run=np.repeat([0, 1], 12).astype(np.int32),
        fps_hz=np.full(frames, 30.0, np.float32),
    )
    pairs = load_pairs([tmp_path / "loop_train_000.npz"])
    assert exchanged(pairs).tolist() == [False] * 12 + [True] * 12
    wrist = BODY21.index("left_wrist")
    assert (pairs.sigma[4:7, wrist] > 1.2 * pairs.sigma[9, wrist]).all()


def test_a_share_of_exchanged_pairs_is_kept_but_their_errors_are_not_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from posepipe.lab.lifter import train as lifter
    from posepipe.lab.lifter.pairs import Pairs

    count = 900
    body = np.repeat(standing()[None], count, axis=0).astype(np.float32)
    place = body + np.array([0.0, 0.0, 4.0], np.float32)
    rays = (place[..., :2] / place[..., 2:]).astype(np.float32)
    rays[300:600] = rays[300:600][:, BODY21.mirror]
    name = np.array(["s1"] * 600 + ["s2"] * 300)
    sigma, root = np.full((count, 21), 1e-3, np.float32), np.tile(np.array([0, 0, 4], np.float32), (count, 1))
    pairs = Pairs(rays, sigma, body, root, np.zeros((count, 33, 3), np.float32), name, name)
    monkeypatch.setattr(lifter, "load_pairs", lambda files: pairs)
    for share, low, high in ((0.0, 0, 0), (0.3, 60, 120), (1.0, 300, 300)):
        loop = lifter._loop(replace(TINY, holdout=("s2",), exchanged=share), tmp_path)
        assert set(loop.pairs.subject) == {"s1"}
        assert low <= len(loop.pairs) - 300 <= high
        assert len(loop.errors) == 300


def test_errors_of_pairs_are_taken_over(data: Path) -> None:
    """Pairs whose keypoints all lie 4 cm to the right: so do those of motion capture afterwards, at any distance."""
    from posepipe.lab.lifter.pairs import Pairs, transfer_batch

    mocap = load_mocap(data / "train.npz")
    config = AugmentConfig(focal_unknown=0.0)
    body = np.repeat(standing()[None], 40, axis=0).astype(np.float32)
    root = np.tile(np.array([0.0, 0.0, 5.0], np.float32), (40, 1))
    place = body + root[:, None]
    sigma = np.full((40, 21), 1e-7, np.float32)
    shift = np.array([0.04, 0.0], np.float32)

    def drawn(offset: np.ndarray) -> np.ndarray:
        rays = (place[..., :2] / place[..., 2:] + offset / 5.0).astype(np.float32)
        name = np.full(40, "s1")
        pairs = Pairs(rays, sigma, body, root, np.zeros((40, 33, 3), np.float32), name, name)
        return transfer_batch(mocap, pairs, 64, config, np.random.default_rng(5)).features

    clean, moved = drawn(np.zeros(2, np.float32)), drawn(shift)
    assert clean.shape == (64, 21, 6)
    assert np.isfinite(clean).all()
    # The pelvis stays straight ahead, so a shift of everything drops out but for perspective; one of a hand doesn't.
    assert np.abs(moved[..., :2] - clean[..., :2]).max() < 0.1
    hand = np.zeros((21, 2), np.float32)
    hand[BODY21.index("left_wrist")] = shift
    gap = drawn(hand)[..., :2] - clean[..., :2]
    wrist = np.linalg.norm(gap[:, BODY21.index("left_wrist")], axis=-1)
    assert (wrist > 0.02).all()
    assert np.median(wrist) > 10 * np.median(np.linalg.norm(gap[:, BODY21.index("left_ankle")], axis=-1))


def test_networks_side_by_side(data: Path, tmp_path: Path) -> None:
    """Two small networks: trained once, measured on the same frames, the first as the mark of the second."""
    from posepipe.lab.lifter.ablation import NETWORKS, learning_curve, measure_networks

    networks = {
        "HopFIR": replace(TINY, steps=3),
        "plain transformer": replace(TINY, steps=3, model="transformer", baseline=BaselineConfig(dim=16, blocks=1)),
    }
    result = measure_networks(networks, data, tmp_path, max_frames=30)
    first, second = result["rows"]
    assert first["change_pct"] == 0.0
    assert second["change_pct"] == pytest.approx(100 * (second["mpjpe_mm"] / first["mpjpe_mm"] - 1))
    assert result["metrics"]["below_best_baseline_pct"] == pytest.approx(
        100 * (1 - first["mpjpe_mm"] / second["mpjpe_mm"])
    )
    written = (tmp_path / "hopfir" / "weights.safetensors").stat().st_mtime_ns
    assert measure_networks(networks, data, tmp_path, max_frames=30) == result
    assert (tmp_path / "hopfir" / "weights.safetensors").stat().st_mtime_ns == written
    curve = learning_curve(tmp_path / "hopfir" / "log.jsonl")
    assert curve["metrics"]["steps"] == 3
    sizes = {name: config for name, config in NETWORKS.items() if config.steps > 0}
    assert len(sizes) == len(NETWORKS) >= 12
    with pytest.raises(InputError, match="log"):
        learning_curve(tmp_path / "none.jsonl")


def test_shipped_config_reads() -> None:
    import posepipe.lab

    config = read_config(LifterConfig, Path(posepipe.lab.__file__).parent / "configs" / "lifter.toml")
    assert config.model == "hopfir"
    assert config.holdout


@pytest.mark.shared
def test_real_mocap_is_human_shaped(shared_data: Path) -> None:
    xyz = load_mocap(shared_data / "mocap" / "val.npz").xyz_m
    assert not np.isnan(xyz).any()
    i = BODY21.index
    for side in ("left", "right"):
        thigh = np.linalg.norm(xyz[:, i(f"{side}_hip")] - xyz[:, i(f"{side}_knee")], axis=-1)
        foot = np.linalg.norm(xyz[:, i(f"{side}_heel")] - xyz[:, i(f"{side}_foot_index")], axis=-1)
        assert 0.3 < thigh.min() < thigh.max() < 0.55
        assert 0.1 < np.median(foot) < 0.3
    assert (xyz[:, i("head"), 2] - xyz[:, 0, 2] > 0.2).mean() > 0.95


def test_bodies_are_brought_to_drawn_statures(data: Path) -> None:
    """How large the captured people were doesn't show; without a mean stature they stay as they are."""
    from posepipe.body.lift import pose_stature
    from posepipe.lab.lifter.data import camera_poses

    mocap = load_mocap(data / "train.npz")
    config = AugmentConfig(stature_m=1.6, stature_sigma=0.05, recombine=0.0, bone_sigma_deg=0.0, limb_sigma=0.0)
    for size in (0.8, 1.2):
        sized = replace(mocap, xyz_m=(mocap.xyz_m * size).astype(np.float32))
        stature = pose_stature(camera_poses(sized, 2000, config, np.random.default_rng(0)))
        assert stature.mean() == pytest.approx(1.6, abs=0.01)
        assert stature.std() / stature.mean() == pytest.approx(0.05, abs=0.005)
        kept = camera_poses(sized, 50, replace(config, stature_m=0.0), np.random.default_rng(0))
        assert np.median(pose_stature(kept)) == pytest.approx(np.median(pose_stature(sized.xyz_m)), rel=0.02)


def test_factor_of_an_angle_makes_nine_in_ten_errors_fit() -> None:
    from posepipe.lab.angles import coverage_90, fit_angle

    rng = np.random.default_rng(0)
    sigma = rng.uniform(2.0, 20.0, 20_000)
    error = 0.4 * sigma * rng.standard_normal(20_000)
    assert fit_angle(error, sigma) == pytest.approx(0.4, rel=0.03)
    assert coverage_90(error, sigma) > 0.99
    assert coverage_90(error, sigma, fit_angle(error, sigma)) == pytest.approx(0.9, abs=0.005)


@pytest.mark.shared
def test_angles_of_held_out_people_lie_in_their_intervals(shared_data: Path) -> None:
    """The shipped lifter's angles on subjects that neither it nor the factors were fitted on, 0 to 50 mm of noise."""
    from posepipe.body.angles import LIFTED
    from posepipe.body.lift import Lifter
    from posepipe.lab.angles import angle_errors, angle_kinds, coverage_90
    from posepipe.lab.lifter.data import simulate

    mocap = load_mocap(shared_data / "mocap" / "val.npz")
    mocap = mocap.select(np.arange(len(mocap)) % 10 == 0)
    lifter = Lifter()
    found: dict[str, list[np.ndarray]] = {kind: [] for kind in angle_kinds()}
    for number, noise_m in enumerate((0.0, 0.01, 0.025, 0.05)):
        seen = simulate(mocap, np.random.default_rng(number), noise_m=noise_m)
        unknown = np.zeros(len(seen.rays), dtype=bool)
        xyz, sigma, usable = lifter.lift_rays(seen.rays, seen.sigma, seen.valid, unknown, independent=True)
        error, spread = angle_errors(xyz[usable], sigma[usable], seen.xyz_m[usable])
        for kind, columns in angle_kinds().items():
            good = np.isfinite(error[:, columns]) & np.isfinite(spread[:, columns])
            found[kind].append(np.stack([error[:, columns][good], spread[:, columns][good]]))
    for kind in ("knee_flexion", "elbow_flexion", "hip_flexion", "shoulder_elevation", "trunk_flexion"):
        error, spread = np.concatenate(found[kind], axis=1)
        assert 0.85 <= coverage_90(error, spread, LIFTED[kind]) <= 0.95, kind
