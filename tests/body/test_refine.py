"""Test-time optimisation: parity with torch, the gate, gaps, chunks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posepipe.body import refine
from posepipe.body.lift import Lifter, LiftResult, Rays, Scale, SigmaCalibration, body_rays
from posepipe.body.refine import RefineConfig, Refiner
from posepipe.body.steady import (
    BONES,
    MIRRORED_BONES,
    acceleration_factors,
    bone_lengths,
    clip_bones,
    hold_back,
    hold_bones,
    steady,
)
from posepipe.errors import ModelError
from posepipe.inference import open_session
from posepipe.skeleton import BODY21
from posepipe.types import Camera, KeypointTrack, PoseTrack
from posepipe.weights import find_model, load_card

from .bodies import filmed, standing, track

torch = pytest.importorskip("torch")

CAMERA = Camera.from_fov(1920, 1080, 60.0)
ALL_TERMS = RefineConfig(mirror=True, bones=0.5, symmetry=0.5, acceleration=0.5, limits=0.5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny lifter with random weights, and the refiner made from it."""
    from safetensors.torch import save_file

    from exporters.refiner import export_refiner
    from posepipe.lab.lifter.export import write_onnx
    from posepipe.lab.lifter.network import HopFIR, NetworkConfig

    out = tmp_path_factory.mktemp("refiner")
    torch.manual_seed(0)
    network = HopFIR(NetworkConfig(dim=16, blocks=1, ijr_hidden=8)).eval()
    with torch.no_grad():
        network.head.weight.mul_(20.0)
    joints = len(BODY21)
    calibration = SigmaCalibration((0.6,) * joints, (1.0,) * joints, ((1.5, 2.1, 2.5, 2.8),) * joints)
    write_onnx(network, out / "lifter.onnx", {"calibration": calibration.to_json()})
    save_file(network.state_dict(), out / "lifter.safetensors")
    assert export_refiner(out / "lifter.safetensors", out, steps=2) < 1e-4
    return out


@pytest.fixture(scope="module")
def lifter(folder: Path) -> Lifter:
    return Lifter(folder / "lifter.onnx")


def _refiner(folder: Path, config: RefineConfig | None = None) -> Refiner:
    return Refiner(folder / "refiner.onnx", threads=1, lifter=folder / "lifter.onnx", config=config)


def _squats(frames: int) -> np.ndarray:
    """A body that bends its knees up to 60 degrees once in two seconds, seen obliquely; bones keep their length."""
    bend = np.radians(30.0) * (1.0 - np.cos(np.pi * np.arange(frames) / 30.0))
    bodies = np.repeat(standing()[None], frames, axis=0)
    for side in ("left", "right"):
        hip, knee, ankle = BODY21.indices(f"{side}_hip", f"{side}_knee", f"{side}_ankle")
        feet = BODY21.indices(f"{side}_ankle", f"{side}_heel", f"{side}_foot_index")
        thigh = np.linalg.norm(standing()[knee] - standing()[hip])
        shank = np.linalg.norm(standing()[ankle] - standing()[knee])
        way = np.stack([np.zeros(frames), np.cos(bend), -np.sin(bend)], axis=1)
        back = np.stack([np.zeros(frames), np.cos(bend), np.sin(bend)], axis=1)
        bodies[:, knee] = bodies[:, hip] + thigh * way
        moved = bodies[:, knee] + shank * back - bodies[:, ankle]
        bodies[:, feet] += moved[:, None]
    c, s = np.cos(0.6), np.sin(0.6)
    return bodies @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T


def _clip(frames: int, noise_px: float, seed: int = 0) -> KeypointTrack:
    noise = noise_px * np.random.default_rng(seed).standard_normal((frames, len(BODY21), 2))
    return track(filmed(_squats(frames), CAMERA) + noise, sigma_px=max(noise_px, 0.5))


def _result(keypoints: KeypointTrack, xyz_m: np.ndarray, sigma_m: float) -> LiftResult:
    frames, joints = keypoints.valid.shape
    pose = PoseTrack(
        layout=BODY21,
        time_s=keypoints.time_s,
        xyz_m=xyz_m.astype(np.float32),
        sigma_m=np.full((frames, joints), sigma_m, dtype=np.float32),
        root_m=np.tile(np.array([0, 0, 4], dtype=np.float32), (frames, 1)),
        root_sigma_m=np.full((frames, 3), 0.1, dtype=np.float32),
        valid=np.ones((frames, joints), dtype=bool),
        interpolated=np.zeros((frames, joints), dtype=bool),
    )
    return LiftResult(pose, Scale("assumed", 1.0, 1.7), CAMERA, body_rays(keypoints, CAMERA))


def _error_mm(pose: PoseTrack, truth: np.ndarray) -> float:
    return float(1000.0 * np.linalg.norm(pose.xyz_m - truth, axis=-1).mean())


@pytest.mark.parametrize("frames", [1, 7, 64, 101, 130])
def test_parity_with_torch(folder: Path, frames: int) -> None:
    from exporters.refiner import load_lifter, parity
    from posepipe.lab.lifter.network import UnrolledRefiner

    module = UnrolledRefiner(load_lifter(folder / "lifter.safetensors"), 2)
    assert parity(module, folder / "refiner.onnx", (frames,)) < 1e-4


def test_steps_lower_the_objective(folder: Path) -> None:
    from exporters.refiner import INPUTS, example, load_lifter
    from posepipe.lab.lifter.network import Clip, UnrolledRefiner

    inputs = example(16, seed=5)
    poses, scales = open_session(folder / "refiner.onnx", threads=1).run(None, inputs)
    assert poses.shape == (3, 16, 21, 3) and scales.shape == (3, 16, 21)
    module = UnrolledRefiner(load_lifter(folder / "lifter.safetensors"), 2)
    clip = Clip(*(torch.from_numpy(inputs[name]) for name in INPUTS[2:]))
    losses = [float(module.objective(torch.from_numpy(pose), clip)) for pose in poses]
    assert losses[0] > losses[1] > losses[2]
    inputs["spread"][:] = 0.0
    held, _ = open_session(folder / "refiner.onnx", threads=1).run(None, inputs)
    assert np.abs(held[1:] - held[0]).max() < 1e-6


def test_the_card_fits(folder: Path) -> None:
    assert find_model("refiner", folder) == folder / "refiner.onnx"
    card = load_card(folder / "refiner.toml")
    metadata = open_session(folder / "refiner.onnx", threads=1).get_modelmeta().custom_metadata_map
    assert card.metrics["steps"] == 2
    assert metadata["steps"] == "2" and metadata["layout"] == BODY21.name
    assert metadata["lifter_sha256"] in card.source


def test_better_poses_and_steadier_bones_from_noisy_ones(folder: Path) -> None:
    truth, rng = _squats(60), np.random.default_rng(1)
    keypoints = _clip(60, 3.0)
    noisy = truth + np.array([0.02, 0.02, 0.05]) * rng.standard_normal(truth.shape)
    first = _result(keypoints, noisy, 0.03)
    refined = _refiner(folder, RefineConfig(mirror=False)).refine(first)
    assert _error_mm(refined.pose, truth) < 0.7 * _error_mm(first.pose, truth)
    before, after = bone_lengths(first.pose.xyz_m).std(axis=0), bone_lengths(refined.pose.xyz_m).std(axis=0)
    assert after.mean() < 0.5 * before.mean()
    assert np.array_equal(refined.pose.sigma_m, first.pose.sigma_m)


def test_exact_poses_stay(folder: Path) -> None:
    truth = _squats(50)
    keypoints = track(filmed(truth, CAMERA), sigma_px=0.2)
    refined = _refiner(folder).refine(_result(keypoints, truth, 0.004))
    assert np.abs(refined.pose.xyz_m - truth).max() < 1e-3
    assert np.allclose(refined.pose.root_m, [0.0, 0.0, 4.0], atol=0.01)


@pytest.mark.parametrize("config", [RefineConfig(), ALL_TERMS, replace(ALL_TERMS, clip=False, rate=3.0, keep=1.0)])
def test_no_frame_is_left_with_more_doubt(folder: Path, lifter: Lifter, config: RefineConfig) -> None:
    rng = np.random.default_rng(3)
    keypoints = _clip(45, 12.0)
    rays = (keypoints.xy_px - np.array(CAMERA.principal_px)) / CAMERA.focal_px
    rays[20:23] = rays[20:23, BODY21.mirror]
    rays = rays.astype(np.float32)
    sigma = np.full(rays.shape[:2], 0.01, dtype=np.float32) * rng.uniform(0.5, 2.0, rays.shape[:2]).astype(np.float32)
    seen, known = rng.random(rays.shape[:2]) > 0.1, np.zeros(len(rays), dtype=bool)
    xyz, spread, usable = lifter.lift_rays(rays, sigma, seen, known)
    found = _refiner(folder, config).refine_rays(Rays(rays, sigma, seen, known), xyz, spread, keypoints.time_s)
    assert usable.all()
    assert (found.doubt_after <= found.doubt_before).all()
    assert found.changed.any() or not config.clip
    kept = ~found.changed
    assert np.allclose(found.xyz_m[kept], xyz[kept], atol=1e-5)


def test_a_single_frame(folder: Path, lifter: Lifter) -> None:
    keypoints = _clip(1, 4.0)
    first = lifter.lift(keypoints, CAMERA)
    refined = _refiner(folder).refine(first)
    assert refined.pose.xyz_m.shape == (1, 21, 3)
    assert np.isfinite(refined.pose.xyz_m).all()


def test_missing_joints_and_frames_stay_missing(folder: Path, lifter: Lifter) -> None:
    keypoints = _clip(30, 4.0)
    xy = keypoints.xy_px.copy()
    xy[5:9] = np.nan
    xy[:, BODY21.indices("left_wrist", "left_heel")] = np.nan
    keypoints = track(xy, sigma_px=4.0)
    first = lifter.lift(keypoints, CAMERA)
    refined = _refiner(folder, ALL_TERMS).refine(first)
    assert np.array_equal(np.isnan(refined.pose.xyz_m), np.isnan(first.pose.xyz_m))
    assert np.isnan(refined.pose.xyz_m[5:9]).all()
    assert np.array_equal(np.isnan(refined.pose.root_m), np.isnan(first.pose.root_m))


def test_nothing_to_refine(folder: Path, lifter: Lifter) -> None:
    keypoints = track(np.full((4, 21, 2), np.nan))
    first = lifter.lift(keypoints, CAMERA)
    assert _refiner(folder).refine(first) is first
    empty = track(np.zeros((0, 21, 2)))
    first = lifter.lift(empty, CAMERA)
    assert _refiner(folder).refine(first) is first


def test_chunks_leave_no_trace(folder: Path, lifter: Lifter, monkeypatch: pytest.MonkeyPatch) -> None:
    keypoints = _clip(90, 6.0)
    first = lifter.lift(keypoints, CAMERA)
    refiner = _refiner(folder, ALL_TERMS)
    whole = refiner.refine(first).pose.xyz_m
    monkeypatch.setattr(refine, "_CHUNK", 32)
    parts = refiner.refine(first).pose.xyz_m
    assert np.abs(parts - whole).max() < 1e-4


def test_a_long_track_in_pieces_is_about_the_whole(
    folder: Path, lifter: Lifter, monkeypatch: pytest.MonkeyPatch
) -> None:
    keypoints = _clip(160, 6.0)
    first = lifter.lift(keypoints, CAMERA)
    refiner = _refiner(folder, RefineConfig(latent=False))
    whole = refiner.refine(first).pose
    monkeypatch.setattr(refine, "_PIECE", 50)
    parts = refiner.refine(first).pose
    assert parts.xyz_m.shape == whole.xyz_m.shape
    assert np.array_equal(parts.valid, whole.valid)
    # Bone lengths are each piece's own, so the two differ a little, and not more where pieces meet.
    step_m = np.linalg.norm(np.diff(parts.xyz_m, axis=0), axis=-1).mean(axis=1)
    usual_m = np.linalg.norm(np.diff(whole.xyz_m, axis=0), axis=-1).mean(axis=1)
    assert np.abs(parts.xyz_m - whole.xyz_m).mean() < 0.02
    assert step_m[[49, 99, 149]].max() < 2.0 * usual_m.max()


def test_the_same_twice(folder: Path, lifter: Lifter) -> None:
    keypoints = _clip(40, 6.0)
    first = lifter.lift(keypoints, CAMERA)
    refiner = _refiner(folder, ALL_TERMS)
    assert np.array_equal(refiner.refine(first).pose.xyz_m, refiner.refine(first).pose.xyz_m)


def test_a_given_height_stays(folder: Path, lifter: Lifter) -> None:
    keypoints = _clip(20, 4.0)
    refiner = _refiner(folder)
    plain = lifter.lift(keypoints, CAMERA)
    tall = lifter.lift(keypoints, CAMERA, height_m=2.0)
    grown = refiner.refine(tall)
    ratio = grown.scale.factor
    assert ratio != pytest.approx(1.0, abs=0.01)
    assert np.allclose(grown.pose.xyz_m, ratio * refiner.refine(plain).pose.xyz_m, atol=1e-4)


def test_what_does_not_fit_is_refused(folder: Path, lifter: Lifter) -> None:
    with pytest.raises(ModelError, match="not a refiner"):
        Refiner(folder / "lifter.onnx", lifter=folder / "lifter.onnx")


def test_acceleration_on_irregular_times() -> None:
    time = np.array([0.0, 0.03, 0.07, 0.1, 0.5, 0.53, 0.56, 0.6])
    usable = np.ones(len(time), dtype=bool)
    factors = acceleration_factors(time, usable)
    x = 3.0 + 2.0 * time + 4.5 * time**2
    found = factors[1:-1, 0] * x[:-2] + factors[1:-1, 1] * x[1:-1] + factors[1:-1, 2] * x[2:]
    assert np.allclose(found[[0, 1, 4, 5]], 9.0, rtol=1e-3)
    assert not factors[[0, 3, 4, 7]].any()
    usable[5] = False
    assert not acceleration_factors(time, usable)[4:].any()
    assert not acceleration_factors(time[:2], usable[:2]).any()


def test_bones_of_a_clip() -> None:
    lengths = np.array([[0.40, 0.3], [0.44, np.nan], [0.41, 0.3], [0.90, np.nan]], dtype=np.float32)
    bones = np.tile(lengths[:, :1], (1, len(BONES)))
    bones[:, 1] = lengths[:, 1]
    bones[:, 2] = np.nan
    sigma = np.full((4, 21), 0.02, dtype=np.float32)
    sigma[3] = 0.5
    middle, spread = clip_bones(bones, sigma)
    assert middle[0] == pytest.approx(0.41)
    assert middle[1] == pytest.approx(0.3)
    assert np.isnan(middle[2]) and np.isnan(spread[2])


def test_bones_are_held_in_depth_first() -> None:
    body = standing()[None].astype(np.float32)
    knee = BODY21.index("left_knee")
    wanted = bone_lengths(body)[0]
    bent = body.copy()
    bent[:, knee, 2] -= 0.12
    held = hold_bones(bent, np.full((1, 21), 0.05, dtype=np.float32), wanted)
    thigh = 0
    assert abs(bone_lengths(held)[0, thigh] - wanted[thigh]) < 0.3 * abs(bone_lengths(bent)[0, thigh] - wanted[thigh])
    assert np.allclose(hold_bones(body, np.full((1, 21), 0.05, np.float32), wanted), body, atol=1e-5)


def test_steady_motion_passes_and_jumps_do_not() -> None:
    time = np.arange(40) / 30.0
    bodies = _squats(40).astype(np.float32)
    rotation = np.tile(np.eye(3, dtype=np.float32), (40, 1, 1))
    factors = acceleration_factors(time, np.ones(40, dtype=bool))
    sigma = np.full((40, 21), 0.03, dtype=np.float32)
    assert np.abs(steady(bodies, sigma, rotation, factors) - bodies).max() < 0.004
    jump = bodies.copy()
    jump[20, BODY21.index("left_wrist")] += 0.5
    assert np.abs(steady(jump, sigma, rotation, factors) - bodies).max() < 0.05


def test_a_clip_is_held_back_the_more_it_was_moved() -> None:
    rng = np.random.default_rng(0)
    first = rng.normal(0, 0.3, (6, 21, 3)).astype(np.float32)
    sigma = np.full((6, 21), 0.05, dtype=np.float32)
    usable = np.array([True] * 5 + [False])
    shares = []
    for sigmas in (0.2, 1.5, 6.0):
        moved = first + np.float32(sigmas * 0.05)
        moved[5] += 9.0
        held = hold_back(first, moved, sigma, usable)
        share = (held - first) / (moved - first)
        assert np.ptp(share) < 1e-3
        shares.append(float(share.mean()))
    assert shares == pytest.approx([1.0, 0.5, 1 / 257], abs=1e-3)
    assert np.array_equal(hold_back(first, first + 1, sigma, np.zeros(6, dtype=bool)), first + 1)


def test_mirrored_bones_are_mirror_images() -> None:
    mirror = BODY21.mirror
    for left, right in MIRRORED_BONES:
        assert {int(mirror[j]) for j in BONES[left]} == {int(j) for j in BONES[right]}
