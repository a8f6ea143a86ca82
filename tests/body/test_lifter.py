"""The shipped lifter: invariances, missing joints, scale, root, parity with torch."""

from __future__ import annotations

import numpy as np
import pytest

from posepipe.body.lift import (
    ASSUMED_FOV_DEG,
    Lifter,
    SigmaCalibration,
    assumed_camera,
    encode,
    estimate_root,
    fit_calibration,
    measure_stature,
)
from posepipe.errors import ModelError
from posepipe.geometry import from_rotation_vector
from posepipe.skeleton import BLAZEPOSE33, BODY21, COCO17, H36M17
from posepipe.types import Camera
from posepipe.weights import find_model, models_dir

from .bodies import filmed, standing, track, turned

CAMERA = Camera.from_fov(1920, 1080, 60.0)
BODIES = np.stack([turned(angle) for angle in (0.0, 35.0, 80.0, 150.0, 200.0)])


@pytest.fixture(scope="module")
def lifter() -> Lifter:
    return Lifter()


def _error_mm(a: np.ndarray, b: np.ndarray) -> float:
    return float(1000 * np.linalg.norm(a[..., : len(H36M17), :] - b[..., : len(H36M17), :], axis=-1).mean())


def test_a_standing_person_comes_out_standing(lifter: Lifter) -> None:
    pose = lifter.lift(track(filmed(BODIES, CAMERA)), CAMERA).pose
    assert pose.layout is BODY21
    assert pose.valid.all()
    assert not pose.interpolated.any()
    assert _error_mm(pose.xyz_m, BODIES) < 80
    assert np.allclose(pose.xyz_m[:, 0], 0.0, atol=1e-6)
    assert (pose.xyz_m[:, BODY21.index("left_ankle"), 1] > 0.6).all()


def test_bones_are_human_shaped(lifter: Lifter) -> None:
    xyz = lifter.lift(track(filmed(BODIES, CAMERA)), CAMERA).pose.xyz_m

    def length(a: str, b: str) -> np.ndarray:
        return np.linalg.norm(xyz[:, BODY21.index(a)] - xyz[:, BODY21.index(b)], axis=-1)

    for side in ("left", "right"):
        thigh, shank = length(f"{side}_hip", f"{side}_knee"), length(f"{side}_knee", f"{side}_ankle")
        assert (np.abs(thigh / shank - 1.0) < 0.25).all()
        assert (thigh < 0.55).all() and (thigh > 0.3).all()
    assert (length("left_hip", "right_hip") < 0.3).all()


def test_where_the_person_stands_does_not_matter_when_the_camera_pans(lifter: Lifter) -> None:
    """The same person seen after the camera turned to the side: same pose once turned back."""
    points = BODIES + np.array([0.0, 0.1, 4.0])
    pan = from_rotation_vector(np.array([0.0, np.radians(22.0), 0.0]))
    first = lifter.lift(track(filmed(points, CAMERA, (0, 0, 0))), CAMERA).pose
    second = lifter.lift(track(filmed(points @ pan.T, CAMERA, (0, 0, 0))), CAMERA).pose
    assert _error_mm(second.xyz_m, first.xyz_m @ pan.T) < 0.5
    # The closed form weighs joints by their place in the picture, which changes the depth by a thousandth or two.
    assert np.allclose(second.root_m, first.root_m @ pan.T, atol=0.01)
    assert np.allclose(second.sigma_m, first.sigma_m, atol=2e-3)


def test_tilting_the_camera_at_a_centred_person_does_not_matter(lifter: Lifter) -> None:
    points = BODIES + np.array([0.0, 0.0, 4.0])
    tilt = from_rotation_vector(np.array([np.radians(12.0), 0.0, 0.0]))
    first = lifter.lift(track(filmed(points, CAMERA, (0, 0, 0))), CAMERA).pose
    second = lifter.lift(track(filmed(points @ tilt.T, CAMERA, (0, 0, 0))), CAMERA).pose
    assert _error_mm(second.xyz_m, first.xyz_m @ tilt.T) < 0.5


@pytest.mark.parametrize("scale", [0.25, 0.5, 3.0])
def test_resolution_does_not_matter(lifter: Lifter, scale: float) -> None:
    small = Camera.from_fov(int(1920 * scale), int(1080 * scale), 60.0)
    first = lifter.lift(track(filmed(BODIES, CAMERA), sigma_px=4.0), CAMERA).pose
    second = lifter.lift(track(filmed(BODIES, small), sigma_px=4.0 * scale), small).pose
    assert _error_mm(second.xyz_m, first.xyz_m) < 0.5


@pytest.mark.parametrize("size", [(1080, 1920), (1920, 1920), (720, 1280)])
def test_aspect_does_not_matter(lifter: Lifter, size: tuple[int, int]) -> None:
    other = Camera(*size, CAMERA.focal_px, "given")
    first = lifter.lift(track(filmed(BODIES, CAMERA)), CAMERA).pose
    second = lifter.lift(track(filmed(BODIES, other)), other).pose
    assert _error_mm(second.xyz_m, first.xyz_m) < 0.5


@pytest.mark.parametrize("roll_deg", [-25.0, -10.0, 15.0, 25.0])
def test_a_crooked_camera_hardly_matters(lifter: Lifter, roll_deg: float) -> None:
    roll = from_rotation_vector(np.array([0.0, 0.0, np.radians(roll_deg)]))
    crooked = BODIES @ roll.T
    pose = lifter.lift(track(filmed(crooked, CAMERA)), CAMERA).pose
    assert _error_mm(pose.xyz_m, crooked) < 90


def test_distance_is_told_by_the_focal_length(lifter: Lifter) -> None:
    for depth in (2.5, 4.0, 8.0):
        pose = lifter.lift(track(filmed(BODIES, CAMERA, (0.3, 0.0, depth))), CAMERA).pose
        assert np.allclose(pose.root_m[:, 2], depth, rtol=0.15)
        assert (pose.root_sigma_m[:, 2] > pose.root_sigma_m[:, 0]).all()


def test_height_sets_the_scale(lifter: Lifter) -> None:
    seen = track(filmed(BODIES, CAMERA))
    assumed = lifter.lift(seen, CAMERA)
    given = lifter.lift(seen, CAMERA, height_m=1.2)
    assert assumed.scale.source == "assumed"
    assert assumed.scale.factor == 1.0
    assert assumed.scale.height_m == pytest.approx(1.7, abs=0.25)
    assert given.scale.source == "given"
    assert given.scale.height_m == 1.2
    assert measure_stature(given.pose.xyz_m, given.pose.valid) == pytest.approx(1.2, abs=0.01)
    assert np.allclose(given.pose.xyz_m, assumed.pose.xyz_m * given.scale.factor, atol=1e-5)
    assert np.allclose(given.pose.root_m, assumed.pose.root_m * given.scale.factor, rtol=0.02)
    assert (given.pose.root_sigma_m[:, 2] / given.pose.root_m[:, 2]).mean() < (
        assumed.pose.root_sigma_m[:, 2] / assumed.pose.root_m[:, 2]
    ).mean()


def test_focal_source_is_passed_on_and_widens_the_depth(lifter: Lifter) -> None:
    seen = track(filmed(BODIES, CAMERA))
    guessed = lifter.lift(seen, assumed_camera(1920, 1080))
    assert guessed.camera.focal_source == "assumed"
    assert ASSUMED_FOV_DEG == 60.0
    known = lifter.lift(seen, CAMERA)
    assert (guessed.pose.root_sigma_m[:, 2] > known.pose.root_sigma_m[:, 2]).all()


def test_missing_joints_are_filled_and_marked_or_nan(lifter: Lifter) -> None:
    xy = filmed(BODIES, CAMERA)
    hidden = BODY21.indices("left_knee", "left_ankle", "left_heel", "left_foot_index")
    xy[:, hidden] = np.nan
    pose = lifter.lift(track(xy), CAMERA).pose
    whole = lifter.lift(track(filmed(BODIES, CAMERA)), CAMERA).pose
    assert np.array_equal(np.isnan(pose.xyz_m).any(-1), ~pose.valid)
    assert (pose.interpolated[:, hidden] == pose.valid[:, hidden]).all()
    seen = [j for j in range(len(BODY21)) if j not in hidden]
    assert pose.valid[:, seen].all()
    filled = np.nan_to_num(pose.sigma_m[:, hidden], nan=1.0)
    assert filled.mean() > 1.3 * whole.sigma_m[:, hidden].mean()


def test_frames_without_keypoints_are_nan_and_leave_the_others_alone(lifter: Lifter) -> None:
    xy = filmed(BODIES, CAMERA)
    xy[2] = np.nan
    xy[3, 3:] = np.nan
    result = lifter.lift(track(xy), CAMERA)
    whole = lifter.lift(track(filmed(BODIES, CAMERA)), CAMERA).pose
    assert np.isnan(result.pose.xyz_m[[2, 3]]).all()
    assert np.isnan(result.pose.root_m[[2, 3]]).all()
    assert not result.pose.valid[[2, 3]].any()
    assert np.allclose(result.pose.xyz_m[[0, 1, 4]], whole.xyz_m[[0, 1, 4]], atol=1e-5)


def test_a_track_without_any_keypoint(lifter: Lifter) -> None:
    result = lifter.lift(track(np.full((2, 21, 2), np.nan)), CAMERA, height_m=1.8)
    assert not result.pose.valid.any()
    assert result.scale.source == "assumed"


def test_one_frame_equals_the_same_frame_of_a_clip(lifter: Lifter) -> None:
    xy = filmed(BODIES, CAMERA)
    clip = lifter.lift(track(xy), CAMERA).pose
    for row in range(len(xy)):
        alone = lifter.lift(track(xy[row : row + 1]), CAMERA).pose
        assert np.allclose(alone.xyz_m[0], clip.xyz_m[row], atol=1e-5)
        assert np.allclose(alone.root_m[0], clip.root_m[row], atol=1e-4)


def test_long_clips_go_in_chunks(lifter: Lifter) -> None:
    xy = np.concatenate([filmed(BODIES, CAMERA)] * 60)
    pose = lifter.lift(track(xy), CAMERA).pose
    assert len(pose) == 300
    assert np.allclose(pose.xyz_m[:5], pose.xyz_m[-5:], atol=1e-5)
    empty = lifter.lift(track(xy[:0]), CAMERA).pose
    assert len(empty) == 0


def test_other_layouts_lift_too(lifter: Lifter) -> None:
    body = filmed(BODIES, CAMERA)
    places = {name: body[:, BODY21.index(name)] for name in BODY21.joints}
    head = body[:, BODY21.index("head")]
    for layout in (BLAZEPOSE33, COCO17):
        xy = np.stack([places.get(name, head) for name in layout.joints], axis=1)
        pose = lifter.lift(track(xy, layout=layout), CAMERA).pose
        assert pose.valid[:, : len(H36M17)].all()
        assert _error_mm(pose.xyz_m, BODIES) < 110
    feet = BODY21.indices("left_heel", "right_foot_index")
    assert (pose.interpolated[:, feet] == pose.valid[:, feet]).all()


def test_mirrored_people_give_mirrored_poses_on_average(lifter: Lifter) -> None:
    """Trap: signs that flip with the walking direction."""
    flip = np.array([-1.0, 1.0, 1.0])
    pose = lifter.lift(track(filmed(BODIES, CAMERA)), CAMERA).pose.xyz_m
    other = lifter.lift(track(filmed(BODIES[:, BODY21.mirror] * flip, CAMERA)), CAMERA).pose.xyz_m
    assert _error_mm(other[:, BODY21.mirror] * flip, pose) < 40


def test_noise_raises_sigma(lifter: Lifter) -> None:
    rng = np.random.default_rng(0)
    xy = filmed(BODIES, CAMERA)
    means = [
        float(lifter.lift(track(xy + s * rng.standard_normal(xy.shape), sigma_px=s), CAMERA).pose.sigma_m[:, 1:].mean())
        for s in (1.0, 8.0, 24.0)
    ]
    assert means[0] < means[1] < means[2]


def test_shipped_file_is_small_and_carries_a_card(lifter: Lifter) -> None:
    path = find_model("lifter")
    assert path.stat().st_size <= 10 * 1024 * 1024
    card = (models_dir() / "lifter.toml").read_text(encoding="utf-8")
    assert "mocap.cs.cmu.edu" in card
    assert len(lifter.calibration.gain) == len(BODY21)


def test_sigma_depends_on_what_made_the_keypoints(lifter: Lifter) -> None:
    """The same doubt of the network means more error behind a detector; the pose is the same."""
    rays = ((filmed(BODIES, CAMERA) - np.array(CAMERA.principal_px)) / CAMERA.focal_px).astype(np.float32)
    seen = np.ones(rays.shape[:2], dtype=bool)
    given = rays, np.full(seen.shape, 0.004, np.float32), seen, np.zeros(len(rays), dtype=bool)
    detected, independent = lifter.lift_rays(*given), lifter.lift_rays(*given, independent=True)
    assert np.array_equal(detected[0], independent[0])
    assert detected[1][:, 1:].mean() > independent[1][:, 1:].mean()
    wanted = lifter.calibration.gain, lifter.calibration_independent.gain
    assert wanted[0] != wanted[1]


def test_a_file_that_is_no_lifter() -> None:
    with pytest.raises(ModelError):
        Lifter("missing-model")
    with pytest.raises(ModelError):
        Lifter("missing.onnx")


def test_torch_and_onnx_agree() -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    from posepipe.inference import open_session
    from posepipe.lab.lifter.network import HopFIR, NetworkConfig

    network = HopFIR(NetworkConfig())
    network.load_state_dict(load_file(models_dir() / "lifter.safetensors"))
    rays = filmed(BODIES, CAMERA)
    rays = ((rays - np.array(CAMERA.principal_px)) / CAMERA.focal_px).astype(np.float32)
    seen = np.ones(rays.shape[:2], dtype=bool)
    seen[1, 4:8] = False
    features = encode(rays, np.full(seen.shape, 0.002, np.float32), seen, np.zeros(len(rays), bool)).features
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(features))
    got = open_session(find_model("lifter"), threads=1).run(["xyz_m", "log_scale"], {"keypoints": features})
    for a, b in zip(expected, got, strict=True):
        assert np.abs(a.numpy() - b).max() <= 1e-4


def test_root_is_exact_on_exact_data() -> None:
    rng = np.random.default_rng(3)
    root = np.stack([rng.uniform(-1, 1, 20), rng.uniform(-1, 1, 20), rng.uniform(1.5, 12, 20)], axis=1)
    points = np.stack([turned(angle) for angle in rng.uniform(0, 360, 20)])
    absolute = points + root[:, None]
    rays = (absolute[..., :2] / absolute[..., 2:]).astype(np.float32)
    sigma = np.full(rays.shape[:2], 0.03, dtype=np.float32)
    found, spread = estimate_root(points.astype(np.float32), sigma, rays, sigma / 10, np.ones(sigma.shape, bool))
    assert np.allclose(found, root, rtol=1e-3, atol=1e-3)
    assert (spread > 0).all()


def test_root_sigma_covers_the_error() -> None:
    rng = np.random.default_rng(4)
    count, noise, ray_noise = 400, 0.03, 0.003
    points = np.repeat(standing()[None], count, axis=0)
    absolute = points + np.array([0.3, -0.2, 4.0])
    rays = absolute[..., :2] / absolute[..., 2:] + ray_noise * rng.standard_normal((count, 21, 2))
    guess = points + noise * rng.standard_normal(points.shape)
    shape = (count, 21)
    found, spread = estimate_root(
        guess.astype(np.float32),
        np.full(shape, noise, np.float32),
        rays.astype(np.float32),
        np.full(shape, ray_noise, np.float32),
        np.ones(shape, bool),
    )
    ratio = (found - [0.3, -0.2, 4.0]) / spread
    assert 0.7 < ratio.std() < 1.4


def test_root_needs_three_joints() -> None:
    valid = np.zeros((1, 21), dtype=bool)
    valid[0, :2] = True
    one = np.ones((1, 21), dtype=np.float32)
    root, _ = estimate_root(np.ones((1, 21, 3), np.float32), one, np.ones((1, 21, 2), np.float32), one, valid)
    assert np.isnan(root).all()


def test_stature_of_the_test_body() -> None:
    body = np.repeat(standing()[None], 3, axis=0).astype(np.float32)
    seen = np.ones(body.shape[:2], dtype=bool)
    height = measure_stature(body, seen)
    assert height == pytest.approx(1.72, abs=0.1)
    seen[:, BODY21.indices("left_knee", "right_knee")] = False
    assert measure_stature(body, seen) == pytest.approx(height, rel=0.2)
    assert measure_stature(body, np.zeros_like(seen)) is None


def test_calibration_recovers_a_known_scale() -> None:
    rng = np.random.default_rng(0)
    log_scale = rng.uniform(np.log(0.01), np.log(0.1), (20000, 21)).astype(np.float32)
    sigma = 0.7 * np.exp(log_scale)
    error = np.linalg.norm(sigma[..., None] * rng.standard_normal((20000, 21, 3)), axis=-1).astype(np.float32)
    fitted = fit_calibration(log_scale, error)
    again = SigmaCalibration.from_json(fitted.to_json())
    assert again == fitted
    assert np.allclose(again.sigma_m(log_scale)[:, 1:], sigma[:, 1:], rtol=0.12)
    inside = error <= again.radius_m(again.sigma_m(log_scale), 0.9)
    assert inside[:, 1:].mean() == pytest.approx(0.9, abs=0.01)


def test_encode_drops_position_and_size() -> None:
    rays = np.stack([filmed(standing()[None], CAMERA)[0]] * 2)
    rays = ((rays - np.array(CAMERA.principal_px)) / CAMERA.focal_px).astype(np.float32)
    rays[1] *= 2.0
    sigma = np.full((2, 21), 0.001, np.float32)
    sigma[1] *= 2.0
    encoded = encode(rays, sigma, np.ones((2, 21), bool), np.zeros(2, bool))
    assert np.allclose(encoded.features[0, :, :4], encoded.features[1, :, :4], atol=1e-5)
    assert encoded.scale[1] == pytest.approx(2 * encoded.scale[0])
    assert encoded.usable.all()
