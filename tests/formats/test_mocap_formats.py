"""TRC, MOT, BVH and C3D, each read back by a reader that isn't ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posepipe.errors import OutputError
from posepipe.formats.mocap import clock, on_clock
from posepipe.formats.registry import write_formats
from posepipe.record.recording import Recording
from posepipe.skeleton import COCO17
from tests.record.factory import make_recording

from .bodies import gappy, truth_y_up, tumbling, uneven
from .readers import OPENSIM_MOT, OPENSIM_TRC, PYBVH, read_bvh, read_by, read_mot, read_trc

WITHIN_M = 1e-4
WITHIN_DEG = 0.01


def _written(recording: Recording, folder: Path, name: str) -> Path:
    return write_formats(recording, folder, name)[0]


def _same(got: np.ndarray, wanted: np.ndarray, within: float) -> None:
    assert np.array_equal(np.isnan(got), np.isnan(wanted))
    assert np.nanmax(np.abs(got - wanted), initial=0.0) < within


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([23.976, 25.0, 29.97, 59.94, 120.0]), st.integers(1, 40))
def test_trc(tmp_path_factory: pytest.TempPathFactory, seed: int, rate_hz: float, frames: int) -> None:
    recording = tumbling(seed, frames, rate_hz)
    trc = read_trc(_written(recording, tmp_path_factory.mktemp("trc"), "trc"))
    truth = truth_y_up(recording)
    pose = recording.people[0].pose
    seen = [name for i, name in enumerate(pose.layout.joints) if pose.valid[:, i].any()]
    assert trc.names == seen
    assert trc.header["Units"] == "m"
    if frames > 1:
        assert float(trc.header["DataRate"]) == pytest.approx(rate_hz, rel=1e-5)
    assert np.abs(trc.time_s - pose.time_s).max() < 1e-6
    assert trc.frame.tolist() == (recording.people[0].keypoints.frame + 1).tolist()
    for name in seen:
        _same(trc.xyz[name], truth[name], WITHIN_M)


def test_trc_keeps_uneven_times(tmp_path: Path) -> None:
    recording = uneven()
    trc = read_trc(_written(recording, tmp_path, "trc"))
    assert np.abs(trc.time_s - recording.people[0].pose.time_s).max() < 1e-6
    _same(trc.xyz["left_wrist"], truth_y_up(recording)["left_wrist"], WITHIN_M)


def test_trc_stands_upright(tmp_path: Path) -> None:
    trc = read_trc(_written(make_recording(10), tmp_path, "trc"))
    assert (trc.xyz["head"][:, 1] > trc.xyz["left_ankle"][:, 1] + 1.0).all()


def test_trc_read_by_opensim(tmp_path: Path) -> None:
    """Every row, though the last marker is missing in the first, a middle and the last one."""
    recording = gappy()
    read = read_by("opensim", OPENSIM_TRC, _written(recording, tmp_path, "trc"))
    assert read["rate"] == pytest.approx(30.0)
    assert np.abs(read["time"] - recording.people[0].pose.time_s).max() < 1e-6
    for name, truth in truth_y_up(recording).items():
        _same(read[name], truth, WITHIN_M)


def _judge_mot(columns: Mapping[str, np.ndarray], recording: Recording, missing: str) -> None:
    """Every number where it was measured, sigma -1 where it wasn't; columns and frames left out as told."""
    person = recording.people[0]
    rows = np.searchsorted(person.pose.time_s, columns["time"] - 1e-5)
    assert np.abs(columns["time"] - person.pose.time_s[rows]).max() < 1e-6
    named = {
        "left_knee_flexion": ("knee_angle_l", 1),
        "right_knee_flexion": ("knee_angle_r", 1),
        "right_hip_flexion": ("hip_flexion_r", 1),
        "right_hip_abduction": ("hip_adduction_r", -1),
        "left_ankle_dorsiflexion": ("ankle_angle_l", 1),
        "right_elbow_flexion": ("elbow_flex_r", 1),
        "left_elbow_flexion": ("elbow_flex_l", 1),
        "trunk_flexion": ("trunk_flexion", 1),
    }
    assert missing not in columns
    for ours, (theirs, sign) in named.items():
        if theirs == missing:
            continue
        i = person.angles.names.index(ours)
        known = np.isfinite(person.angles.deg[rows, i])
        _same(columns[theirs][known], sign * person.angles.deg[rows, i][known], WITHIN_DEG)
        wanted = np.where(known, person.angles.sigma_deg[rows, i], -1.0)
        _same(columns[f"{theirs}_sigma"], wanted, WITHIN_DEG)
        assert np.isfinite(columns[theirs]).all()
    known = np.isfinite(person.pose.root_m[rows, 0])
    _same(columns["pelvis_ty"][known], -person.pose.root_m[rows, 1][known], WITHIN_M)
    _same(columns["pelvis_tz_sigma"][known], person.pose.root_sigma_m[rows, 2][known], WITHIN_M)


def test_mot(tmp_path: Path) -> None:
    whole = make_recording(50)
    header, columns = read_mot(_written(whole, tmp_path, "mot"))
    assert header["inDegrees"] == "yes"
    assert len(columns["time"]) == 50 and len(columns) == 1 + 2 * (3 + len(whole.people[0].angles.names))
    _judge_mot(columns, whole, "")


def test_mot_has_no_gaps(tmp_path: Path) -> None:
    """Seven frames miss the left ankle at the start, four the right elbow at the end, most the left elbow."""
    path = _written(gappy(), tmp_path, "mot")
    _, columns = read_mot(path)
    assert columns["time"][[0, -1]] == pytest.approx([0.5 + 7 / 30, 0.5 + 55 / 30])
    assert "7 first, 4 last" in path.read_text() and "elbow_flex_l" not in columns
    _judge_mot(columns, gappy(), "elbow_flex_l")
    # Linear in between.
    filled = columns["knee_angle_r"][columns["knee_angle_r_sigma"] == -1][:6]
    assert np.abs(np.diff(filled, 2)).max() < 1e-5


def test_mot_read_by_opensim(tmp_path: Path) -> None:
    """By its new reader and by Storage, which stops at a nan."""
    read = read_by("opensim", OPENSIM_MOT, _written(gappy(), tmp_path, "mot"))
    assert len(read["time"]) == 60 - 7 - 4
    _judge_mot(read, gappy(), "elbow_flex_l")


@pytest.mark.parametrize("frames", [1, 2, 9])
def test_mot_of_angles_that_share_no_frame(tmp_path: Path, frames: int) -> None:
    recording = make_recording(frames)
    person = recording.people[0]
    angles = replace(person.angles, deg=np.full_like(person.angles.deg, np.nan))
    angles.deg[: max(1, frames // 3), 0], angles.deg[-(frames // 3) :, 1] = 10.0, 20.0
    pose = replace(person.pose, root_m=np.full_like(person.pose.root_m, np.nan))
    person = replace(person, angles=angles, pose=pose)
    _, columns = read_mot(_written(replace(recording, people=(person,)), tmp_path, "mot"))
    assert len(columns["time"]) >= 1 and all(np.isfinite(column).all() for column in columns.values())


def _judge_bvh(places: Mapping[str, np.ndarray], recording: Recording) -> None:
    """The root where it was measured; bones of median length, those that a rotation follows in their direction."""
    truth = truth_y_up(recording)
    pose = recording.people[0].pose
    assert {name for name in places if not name.startswith("end")} == {
        name for i, name in enumerate(pose.layout.joints) if pose.valid[:, i].any()
    }
    known = np.isfinite(truth["pelvis"]).all(axis=1)
    assert np.abs(places["pelvis"][known] / 100.0 - truth["pelvis"][known]).max() < WITHIN_M
    for child, parent in (("left_knee", "left_hip"), ("right_ankle", "right_knee"), ("left_wrist", "left_elbow")):
        if child not in places or parent not in places:
            continue
        got, wanted = (places[child] - places[parent]) / 100.0, truth[child] - truth[parent]
        lengths = np.linalg.norm(got, axis=1)
        assert np.ptp(lengths) < WITHIN_M
        known = np.isfinite(wanted).all(axis=1)
        unit = wanted[known] / np.linalg.norm(wanted[known], axis=1, keepdims=True)
        assert np.abs(got[known] / lengths[known, None] - unit).max() < 1e-5
        if known.all():
            assert lengths[0] == pytest.approx(np.median(np.linalg.norm(wanted, axis=1)), abs=WITHIN_M)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31))
def test_bvh_forward_kinematics(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    recording = tumbling(seed, 40)
    bvh = read_bvh(_written(recording, tmp_path_factory.mktemp("bvh"), "bvh"))
    assert bvh.frame_time_s == pytest.approx(1 / 29.97, rel=1e-6)
    places = bvh.positions()
    assert all(np.isfinite(place).all() for place in places.values())
    _judge_bvh(places, recording)


@pytest.mark.parametrize("made", [gappy(), make_recording(40)])
def test_bvh_read_by_pybvh(tmp_path: Path, made: Recording) -> None:
    read = read_by("pybvh", PYBVH, _written(made, tmp_path, "bvh"))
    assert read.pop("step") == pytest.approx(1 / clock(made.people[0].pose.time_s).rate_hz, rel=1e-6)
    _judge_bvh(read, made)


def test_bvh_is_a_skeleton(tmp_path: Path) -> None:
    """One root, knees below hips, and a rest pose that stands in a T."""
    bvh = read_bvh(_written(make_recording(20), tmp_path, "bvh"))
    parents: dict[str, str] = {}
    rest: dict[str, np.ndarray] = {}

    def walk(joint, parent, place) -> None:
        rest[joint.name] = place + joint.offset
        if parent is not None:
            parents[joint.name] = parent
        for child in joint.children:
            walk(child, joint.name, rest[joint.name])

    walk(bvh.root, None, np.zeros(3))
    assert bvh.root.name == "pelvis"
    assert [parents[f"left_{name}"] for name in ("ankle", "knee", "hip")] == ["left_knee", "left_hip", "pelvis"]
    assert parents["right_wrist"] == "right_elbow" and parents["right_shoulder"] == "thorax"
    assert rest["head"][1] > rest["thorax"][1] > rest["pelvis"][1] > rest["left_knee"][1] > rest["left_ankle"][1]
    assert rest["left_wrist"][0] > rest["left_elbow"][0] > 0 > rest["right_elbow"][0]
    assert rest["left_foot_index"][2] > rest["left_heel"][2]
    thigh_cm = np.linalg.norm(rest["left_knee"] - rest["left_hip"])
    assert 35 < thigh_cm < 50


def test_bvh_moves_the_root_only(tmp_path: Path) -> None:
    bvh = read_bvh(_written(make_recording(5), tmp_path, "bvh"))
    pending = [bvh.root]
    while pending:
        joint = pending.pop()
        pending += joint.children
        assert sum(channel.endswith("position") for channel in joint.channels) == (3 if joint is bvh.root else 0)


def test_bvh_without_a_pose_writes_nothing(tmp_path: Path) -> None:
    recording = make_recording(5)
    person = recording.people[0]
    pose = replace(person.pose, valid=np.zeros_like(person.pose.valid))
    assert write_formats(replace(recording, people=(replace(person, pose=pose),)), tmp_path, "bvh,trc,c3d,mot") == ()


@pytest.mark.parametrize("made", [tumbling(5), make_recording(30), uneven(3), gappy()])
def test_c3d(tmp_path: Path, made: Recording) -> None:
    ezc3d = pytest.importorskip("ezc3d")
    c3d = ezc3d.c3d(str(_written(made, tmp_path, "c3d")))
    point = c3d["parameters"]["POINT"]
    person = made.people[0]
    pose, ticks = person.pose, clock(person.pose.time_s)
    assert point["UNITS"]["value"] == ["mm"]
    assert point["RATE"]["value"][0] == pytest.approx(ticks.rate_hz, rel=1e-6)
    assert c3d["header"]["points"]["frame_rate"] == pytest.approx(ticks.rate_hz, rel=1e-6)
    assert c3d["data"]["points"].shape[2] == ticks.samples
    labels = point["LABELS"]["value"]
    residuals = c3d["data"]["meta_points"]["residuals"][0]
    for i, (name, truth) in enumerate(truth_y_up(made).items()):
        if not pose.valid[:, i].any():
            assert name not in labels
            continue
        got = c3d["data"]["points"][:3, labels.index(name)].T / 1000.0
        wanted = on_clock(truth, pose.time_s, ticks)
        _same(got, wanted, WITHIN_M)
        sigma = np.where(pose.valid[:, i], pose.sigma_m[:, i], np.nan)
        got = c3d["data"]["points"][0, labels.index(f"{name}_sigma")] / 1000.0
        _same(got, on_clock(sigma, pose.time_s, ticks), WITHIN_M)
        known = np.isfinite(wanted).all(axis=1)
        assert (residuals[labels.index(name)] == np.where(known, 0, -1)).all()
    angle = on_clock(person.angles.deg, pose.time_s, ticks)[:, person.angles.names.index("left_knee_flexion")]
    _same(c3d["data"]["points"][0, labels.index("left_knee_flexion")], angle, WITHIN_DEG)


def test_c3d_too_long(tmp_path: Path) -> None:
    pytest.importorskip("ezc3d")
    recording = make_recording(4)
    person = recording.people[0]
    frames = 70_000

    def grown(owner: object, **more: np.ndarray) -> object:
        repeats = {
            name: np.repeat(getattr(owner, name)[:1], frames, axis=0)
            for name in ("xyz_m", "sigma_m", "root_m", "root_sigma_m", "valid", "interpolated", "deg", "sigma_deg")
            if hasattr(owner, name)
        }
        return replace(owner, **repeats, **more)

    time_s = np.arange(frames) / 30.0
    keypoints = person.keypoints
    track = replace(
        keypoints,
        frame=np.arange(frames, dtype=np.int32),
        time_s=time_s,
        **{
            name: np.repeat(getattr(keypoints, name)[:1], frames, axis=0)
            for name in ("xy_px", "sigma_px", "score", "valid", "interpolated")
        },
    )
    long = replace(
        person,
        keypoints=track,
        pose=grown(person.pose, time_s=time_s),
        angles=grown(person.angles),
        yaw_deg=np.zeros(frames, np.float32),
        yaw_sigma_deg=np.zeros(frames, np.float32),
    )
    with pytest.raises(OutputError, match="65535"):
        write_formats(replace(recording, people=(long,)), tmp_path, "c3d")
    assert list(tmp_path.iterdir()) == []


def test_layout_without_feet(tmp_path: Path) -> None:
    recording = tumbling(8, 12, layout=COCO17)
    assert {path.suffix for path in write_formats(recording, tmp_path, "trc,bvh,mot,c3d")} == {
        ".trc",
        ".bvh",
        ".mot",
        ".c3d",
    }


def test_even_clock_ignores_rounding() -> None:
    time_s = np.round(np.arange(500) / 29.97, 3)
    ticks = clock(time_s)
    assert ticks.even and ticks.rate_hz == pytest.approx(29.97, rel=1e-4)


def test_interpolation_is_linear_and_leaves_gaps() -> None:
    time_s = np.array([0.0, 0.1, 0.4, 0.5, 0.6])
    ticks = clock(time_s)
    assert not ticks.even and ticks.samples == 7
    assert np.allclose(on_clock(time_s, time_s, ticks), ticks.time_s)
    values = np.array([0.0, np.nan, 4.0, 5.0, 6.0])
    placed = on_clock(values, time_s, ticks)
    assert np.isnan(placed[1:4]).all() and np.allclose(placed[[0, 4, 5, 6]], [0, 4, 5, 6])
