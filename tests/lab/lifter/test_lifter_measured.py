"""Skeletons by name, error figures, TRC files, and the two evaluations, on made-up data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posepipe.errors import InputError
from posepipe.geometry import from_rotation_vector
from posepipe.lab.layouts import canonical_names, to_layout, to_metres, to_z_up
from posepipe.lab.lifter.data import simulate
from posepipe.lab.lifter.measure import evaluate_calibration, evaluate_lifter, read_motion
from posepipe.lab.lifter.multiview import LIMB12, load_recording, read_trc, score
from posepipe.lab.metrics import ause, bootstrap_ci, coverage, drop_gain, ence, joint_errors_m, markdown, spearman
from posepipe.skeleton import BLAZEPOSE33, BODY21, COCO17, H36M17, HALPE26


def _words(text: str) -> list[str]:
    return text.split()


H36M = _words(
    "Hip RHip RKnee RFoot LHip LKnee LFoot Spine Thorax Neck/Nose Head LShoulder LElbow LWrist RShoulder RElbow RWrist"
)
KINECT = _words(
    "SpineBase SpineMid Neck Head ShoulderLeft ElbowLeft WristLeft HandLeft ShoulderRight ElbowRight WristRight "
    "HandRight HipLeft KneeLeft AnkleLeft FootLeft HipRight KneeRight AnkleRight FootRight SpineShoulder HandTipLeft "
    "ThumbLeft HandTipRight ThumbRight"
)
OPENPOSE = _words(
    "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist RHip RKnee RAnkle LHip LKnee LAnkle REye LEye REar LEar"
)
CMU20 = _words(
    "pelvis chest neck head left_hip left_knee left_ankle left_foot left_toe right_hip right_knee right_ankle "
    "right_foot right_toe left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist"
)
SPHERE = _words(
    "pelvis spine_mid head left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist left_hip "
    "left_knee left_ankle right_hip right_knee right_ankle neck"
)
PENN = _words(
    "head left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_hip right_hip left_knee "
    "right_knee left_ankle right_ankle"
)


@pytest.mark.parametrize("names", [H36M, KINECT, OPENPOSE, CMU20, SPHERE, PENN], ids=len)
def test_limbs_of_every_known_skeleton(names: list[str]) -> None:
    rng = np.random.default_rng(0)
    order = rng.permutation(len(names))
    points = rng.normal(size=(4, len(names), 3)).astype(np.float32)
    straight = to_layout(points, names, BODY21)
    shuffled = to_layout(points[:, order], [names[i] for i in order], BODY21)
    assert np.array_equal(straight, shuffled, equal_nan=True)
    limbs = BODY21.indices(*LIMB12)
    assert not np.isnan(straight[:, limbs]).any()
    hips = straight[:, BODY21.indices("left_hip", "right_hip")].mean(axis=1)
    assert np.allclose(straight[:, 0], hips)


@pytest.mark.parametrize("layout", [BLAZEPOSE33, COCO17, HALPE26, H36M17], ids=lambda layout: layout.name)
def test_our_own_names_stay(layout: object) -> None:
    assert canonical_names(layout.joints) == layout.joints  # type: ignore[attr-defined]


def test_spellings() -> None:
    assert canonical_names(["LAnkle", "left-knee", "Right Elbow", "rShoulder", "Wrist_L"]) == (
        "left_ankle", "left_knee", "right_elbow", "right_shoulder", "left_wrist",
    )  # fmt: skip
    assert canonical_names(H36M)[3] == "right_ankle"
    assert canonical_names(H36M)[0] == "pelvis"
    assert "nose" not in canonical_names(H36M)
    assert canonical_names(KINECT)[15] == "left_foot_index"
    assert canonical_names(CMU20)[7:9] == ("left_foot", "left_foot_index")


def test_a_layout_may_be_named_as_a_whole() -> None:
    points = np.random.default_rng(0).normal(size=(2, 33, 3)).astype(np.float32)
    assert np.allclose(to_layout(points, ["blazepose33"], BODY21)[:, 9], points[:, 0])


def test_wrong_skeletons_are_refused() -> None:
    with pytest.raises(InputError, match="3 joint names for 4"):
        to_layout(np.zeros((1, 4, 3), np.float32), ["a", "b", "c"], BODY21)
    with pytest.raises(InputError, match="no known joint"):
        to_layout(np.zeros((1, 3, 3), np.float32), ["a", "b", "c"], BODY21)


def test_units_and_axes() -> None:
    assert to_metres("metres (bone lengths of subject 2)") == 1.0
    assert to_metres("mm") == 0.001
    up = np.array([0.0, 1.0, 0.0])
    assert np.allclose(to_z_up("y up, global") @ up, [0, 0, 1])
    assert np.allclose(to_z_up("x right, y down, z away") @ -up, [0, 0, 1])
    for text in ("y up", "y down", "z up"):
        assert np.linalg.det(to_z_up(text)) == pytest.approx(1.0)
    with pytest.raises(InputError, match="units"):
        to_metres("pixels")
    with pytest.raises(InputError, match="axes"):
        to_z_up("who knows")


def test_joint_errors() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(5, 17, 3))
    turned = 1.3 * truth @ from_rotation_vector(np.array([0.3, 0.2, 0.1])).T
    assert joint_errors_m(truth, truth).max() == 0
    assert joint_errors_m(1.3 * truth, truth, "scale").max() < 1e-9
    assert joint_errors_m(turned, truth, "procrustes").max() < 1e-6
    assert joint_errors_m(turned, truth, "scale").mean() > 0.1


def test_honest_sigma_scores_well_and_a_lie_does_not() -> None:
    rng = np.random.default_rng(0)
    sigma = rng.uniform(0.01, 0.1, 20000)
    error = np.linalg.norm(sigma[:, None] * rng.standard_normal((20000, 3)), axis=1)
    assert ence(error, sigma) < 0.03
    assert ence(error, 2 * sigma) > 0.4
    assert coverage(error, 2.5003 * sigma) == pytest.approx(0.9, abs=0.01)
    assert ause(error, error) == pytest.approx(0.0, abs=1e-9)
    assert 0 < ause(error, sigma) < ause(error, rng.permutation(sigma))
    assert drop_gain(error, sigma) > 0.1 > drop_gain(error, rng.permutation(sigma))
    assert spearman(error, sigma) > 0.5
    assert spearman(sigma, sigma) == pytest.approx(1.0)


def test_bootstrap_goes_over_groups() -> None:
    values = np.repeat([1.0, 2.0, 3.0], 1000)
    low, high = bootstrap_ci(values, np.repeat(np.array(["a", "b", "c"]), 1000))
    assert low == pytest.approx(1.0)
    assert high == pytest.approx(3.0)
    assert bootstrap_ci(values, np.repeat(np.array(["a", "b", "c"]), 1000)) == (low, high)


def _world(frames: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    heights = {"hip": 0.9, "knee": 0.5, "ankle": 0.1, "heel": 0.04, "foot": 0.02, "shoulder": 1.4, "elbow": 1.1}
    heights |= {"wrist": 0.9, "pelvis": 0.9, "spine": 1.15, "thorax": 1.4, "nose": 1.55, "head": 1.6}
    out = np.zeros((frames, len(BODY21), 3))
    for i, name in enumerate(BODY21.joints):
        side = 0.12 if name.startswith("left") else -0.12 if name.startswith("right") else 0.0
        height = next(h for part, h in heights.items() if part in name)
        out[:, i] = (side, 0.13 if "foot" in name or name == "nose" else 0.0, height)
    return out + 0.03 * rng.standard_normal(out.shape)


def _npz(path: Path, frames: int = 60, **more: object) -> Path:
    world = _world(frames)
    h36m = world[:, : len(H36M17)]
    order = np.random.default_rng(1).permutation(len(H36M))
    np.savez(
        path,
        positions=(h36m[:, order] * 1000).astype(np.float32)[..., [0, 2, 1]] * [1, 1, -1],
        joint_names=np.array(H36M)[order],
        seq_start=np.array([0, frames // 2, frames]),
        subject=np.array(["a", "b"]),
        units="mm",
        axes="y up",
        **more,
    )
    return path


def test_motion_in_foreign_order_axes_and_units(tmp_path: Path) -> None:
    motion = read_motion(_npz(tmp_path / "m.npz"))
    world = _world(60)
    i = BODY21.indices(*LIMB12)
    hips = world[:, BODY21.indices("left_hip", "right_hip"), :2].mean(axis=1)
    assert np.allclose(motion.xyz_m[:, i, :2], world[:, i, :2] - hips[:, None], atol=1e-4)
    assert np.allclose(motion.xyz_m[:, i, 2], world[:, i, 2], atol=1e-4)
    assert np.isnan(motion.xyz_m[:, BODY21.index("nose")]).all()
    with pytest.raises(InputError, match="no such file"):
        read_motion(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", a=1)
    with pytest.raises(InputError, match="positions"):
        read_motion(tmp_path / "other.npz")


@pytest.mark.parametrize("crooked", [False, True])
def test_simulated_cameras_see_what_they_should(tmp_path: Path, crooked: bool) -> None:
    motion = read_motion(_npz(tmp_path / "m.npz", 400))
    seen = simulate(motion, np.random.default_rng(0), crooked=crooked)
    absolute = seen.xyz_m + seen.root_m[:, None]
    rays = absolute[..., :2] / absolute[..., 2:]
    assert np.allclose(rays[seen.valid], seen.rays[seen.valid], atol=1e-4)
    distance = np.linalg.norm(seen.root_m, axis=1)
    assert 1.9 < distance.min() < distance.max() < 7.0
    assert np.allclose(
        np.linalg.norm(seen.xyz_m[:, 3] - seen.xyz_m[:, 2], axis=-1),
        np.linalg.norm(motion.xyz_m[:, 3] - motion.xyz_m[:, 2], axis=-1),
        atol=1e-4,
    )
    up = seen.xyz_m[:, BODY21.index("thorax")]
    lean = np.degrees(np.arctan2(up[:, 0], -up[:, 1]))
    assert (np.abs(lean).max() > 20) == crooked


def test_evaluation_of_the_lifter(tmp_path: Path) -> None:
    result = evaluate_lifter(_npz(tmp_path / "val.npz").parent, max_frames=40)
    names = {"mpjpe_mm", "pa_mpjpe_mm", "n_mpjpe_mm", "coverage_90", "ence", "ause"}
    assert names <= set(result["metrics"])
    assert 5 < result["metrics"]["pa_mpjpe_mm"] < result["metrics"]["mpjpe_mm"] < 200
    assert {row["cameras"] for row in result["rows"]} >= {"level", "rolled", "level, statures of adults"}
    assert evaluate_lifter(tmp_path / "val.npz", max_frames=40) == result
    assert "| level |" in markdown(result)


def test_evaluation_of_calibration(tmp_path: Path) -> None:
    result = evaluate_calibration(_npz(tmp_path / "val.npz"), max_frames=40)
    errors = [row["mpjpe_mm"] for row in result["rows"][:4]]
    assert errors[0] < errors[3]
    assert 0 <= result["metrics"]["coverage_50"] <= result["metrics"]["coverage_95"] <= 1


def _loop(path: Path, world_error_m: float) -> Path:
    """Two runs of a standing body, seen exactly; the detector's own 3D is off by as much in every joint."""
    from tests.body.bodies import turned

    runs, length = 2, 6
    rows: dict[str, list[np.ndarray]] = {key: [] for key in ("xyz_m", "xy_px", "xy_true_px", "world_m", "run")}
    for run, angle in enumerate((0.0, 70.0)):
        body = np.repeat(turned(angle)[None], length, axis=0)
        place = body + np.array([0.1, 0.0, 4.0])
        xy = place[..., :2] / place[..., 2:] * 900 + [640, 360]
        index = [BODY21.index(name) if name in BODY21.joints else BODY21.index("nose") for name in BLAZEPOSE33.joints]
        world = body[:, index].copy()
        world[:, :, 2] += np.where(np.isin(BLAZEPOSE33.joints, ["left_hip", "right_hip"]), 0.0, world_error_m)
        rows["xyz_m"].append(place)
        rows["xy_true_px"].append(xy)
        rows["xy_px"].append(xy[:, index])
        rows["world_m"].append(world)
        rows["run"].append(np.full(length, run))
    count = runs * length
    table = {key: np.concatenate(value) for key, value in rows.items()}
    np.savez(
        path,
        **{k: v.astype(np.float32) for k, v in table.items() if k != "run"},
        run=table["run"],
        features=np.tile(np.array([0.95, 1.2, 0.99, 1.0], np.float32), (count, 33, 1)),
        roi=np.tile(np.array([640, 360, 500, 0], np.float32), (count, 1)),
        score=np.ones((count, 33), np.float32),
        presence=np.ones(count, np.float32),
        camera=np.tile(np.array([900, 640, 360, 1280, 720], np.float32), (count, 1)),
        fps_hz=np.full(count, 30.0, np.float32),
        subject=np.repeat(["a", "b"], length),
    )
    return path


def test_evaluation_of_rendered_people(tmp_path: Path) -> None:
    from posepipe.lab.lifter.rendered import evaluate_rendered, true_yaw_deg
    from tests.body.bodies import turned

    far = evaluate_rendered([_loop(tmp_path / "loop_val_000.npz", 0.3)])
    near = evaluate_rendered([_loop(tmp_path / "loop_val_001.npz", 0.1)])
    assert far["metrics"]["frames"] == 12
    assert far["metrics"]["mpjpe_mm"] == near["metrics"]["mpjpe_mm"]
    # Head and nose are made of other points than the truth, so the rest is not quite zero.
    assert near["metrics"]["mediapipe_mpjpe_mm"] == pytest.approx(far["metrics"]["mediapipe_mpjpe_mm"] / 3, rel=0.03)
    assert 200 < far["metrics"]["mediapipe_mpjpe_mm"] < 300
    assert far["metrics"]["ratio"] == pytest.approx(
        far["metrics"]["mpjpe_mm"] / far["metrics"]["mediapipe_mpjpe_mm"], rel=1e-6
    )
    assert far["metrics"]["yaw_within_22"] == 1.0
    assert true_yaw_deg(turned(0.0)[None])[0] == pytest.approx(0.0, abs=1e-6)
    assert abs(true_yaw_deg(turned(70.0)[None])[0]) == pytest.approx(70.0, abs=1e-6)
    with pytest.raises(InputError):
        evaluate_rendered([])


@pytest.mark.parametrize("height_m", [0.8, 1.7, 3.0])
@pytest.mark.parametrize("yaw_deg", [-157.5, -90.0, 0.0, 22.5, 180.0])
def test_a_turntable_stops_at_the_angle(height_m: float, yaw_deg: float) -> None:
    from posepipe.lab.lifter.measure import turned_to
    from posepipe.lab.lifter.rendered import true_yaw_deg
    from posepipe.lab.people.camera import SynthCamera
    from tests.body.bodies import standing

    body = standing()
    world = np.stack([body[:, 0], -body[:, 2], 0.9 - body[:, 1]], axis=-1)
    camera = SynthCamera((2.0, -3.0, height_m), (0.1, 0.0, 0.9), 500.0, 640, 480)
    seen = true_yaw_deg(camera.to_camera(turned_to(world, camera, yaw_deg))[None])[0]
    assert abs((seen - yaw_deg + 180.0) % 360.0 - 180.0) < 0.5


def _trc(names: list[str], points: np.ndarray, units: str = "m") -> str:
    count = len(names)
    head = "PathFileType\t4\t(X/Y/Z)\tx.trc\nDataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\n"
    head += f"60\t60\t{len(points)}\t{count}\t{units}\n"
    head += (
        "Frame#\tTime\t"
        + "\t\t\t".join(names)
        + "\n\t\t"
        + "\t".join(f"{axis}{i + 1}" for i in range(count) for axis in "XYZ")
    )
    rows = [
        f"{i + 1}\t{i / 60}\t" + "\t".join("" if np.isnan(v) else repr(float(v)) for v in frame.ravel())
        for i, frame in enumerate(points)
    ]
    return head + "\n" + "\n".join(rows) + "\n"


def test_trc_round_trip(tmp_path: Path) -> None:
    points = np.random.default_rng(0).normal(size=(5, 3, 3))
    points[2, 1] = np.nan
    path = tmp_path / "a.trc"
    path.write_text(_trc(["RHip", "Nose", "LHip"], points, "mm"), encoding="utf-8")
    markers = read_trc(path)
    assert markers.names == ("RHip", "Nose", "LHip")
    assert np.allclose(markers.xyz_m, points / 1000, equal_nan=True)
    assert np.allclose(markers["LHip"], points[:, 2] / 1000)
    path.write_text(_trc(["A"], points[:, :1], "feet"), encoding="utf-8")
    with pytest.raises(InputError, match="feet"):
        read_trc(path)
    path.write_text("nothing\n", encoding="utf-8")
    with pytest.raises(InputError, match="not a TRC"):
        read_trc(path)


def test_scores_of_a_single_camera() -> None:
    truth = np.random.default_rng(0).normal(size=(4, 12, 3))
    turned = 0.5 * truth @ from_rotation_vector(np.array([1.0, 0.2, 0.1])).T + 3.0
    turned[1] = np.nan
    row = score(turned, truth)
    assert row["pa_mpjpe_mm"] < 1e-3
    assert row["elbow_error_deg"] < 1e-3
    assert row["frames"] == 3
    bent = truth.copy()
    bent[:, LIMB12.index("left_wrist")] += 1.0
    assert score(bent, truth)["elbow_error_deg"] > 1.0


@pytest.mark.shared
def test_real_recording_reads(shared_videos: Path) -> None:
    recording = load_recording(shared_videos / "multiview" / "pose2sim_single")
    assert len(recording.videos) == len(recording.cameras) == 4
    assert recording.world_m.shape == (100, 12, 3)
    for camera in recording.cameras:
        pixels = camera.project(recording.world_m)
        assert (pixels > 0).all()
        assert (pixels < [camera.width_px, camera.height_px]).all()
        ankle, shoulder = LIMB12.index("left_ankle"), LIMB12.index("left_shoulder")
        assert (pixels[:, ankle, 1] > pixels[:, shoulder, 1]).mean() > 0.9


@pytest.mark.shared
@pytest.mark.slow
def test_real_recording_beats_mediapipe(shared_videos: Path) -> None:
    from posepipe.lab.lifter.multiview import evaluate_multiview

    pytest.importorskip("mediapipe.python.solutions", reason="MediaPipe 0.10.21, the reference, isn't installed")
    result = evaluate_multiview(shared_videos / "multiview" / "pose2sim_single")
    assert result["metrics"]["mediapipe_pa_mpjpe_mm"] == pytest.approx(100, abs=3)
    assert result["metrics"]["ratio"] <= 0.75
