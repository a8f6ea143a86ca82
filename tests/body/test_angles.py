import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posepipe.body.angles import ANGLES, LIFTED, MAX_SIGMA_DEG, joint_angles
from posepipe.skeleton import BODY21, H36M17
from posepipe.types import PoseTrack

from .bodies import UP, body, pose, rotate

NAMES = tuple(spec.name for spec in ANGLES)
FAST = settings(max_examples=30, deadline=None)


def angles(xyz: np.ndarray, sigma: float = 0.005) -> dict[str, float]:
    result = joint_angles(pose(xyz[None], sigma))
    return {name: float(value) for name, value in zip(result.names, result.deg[0], strict=True)}


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ({}, {}),
        ({"hip": 90, "knee": 90}, {"hip_flexion": 90, "knee_flexion": 90}),
        (
            {"hip": 120, "knee": 130, "lean": 35, "ankle": 20},
            {"hip_flexion": 120, "knee_flexion": 130, "trunk_flexion": 35, "ankle_dorsiflexion": 20},
        ),
        ({"hip": -20, "knee": 30}, {"hip_flexion": -20, "knee_flexion": 30}),
        ({"ankle": -25}, {"ankle_dorsiflexion": -25}),
        ({"hip_out": 30}, {"hip_abduction": 30}),
        ({"shoulder": 90}, {"shoulder_flexion": 90, "shoulder_elevation": 90}),
        ({"shoulder": -30}, {"shoulder_flexion": -30, "shoulder_elevation": 30}),
        ({"shoulder_out": 90}, {"shoulder_abduction": 90, "shoulder_elevation": 90}),
        ({"shoulder": 185}, {"shoulder_flexion": 185, "shoulder_elevation": 175}),
        ({"elbow": 100}, {"elbow_flexion": 100}),
        ({"lean": 90}, {"trunk_flexion": 90}),
        ({"lean": -90}, {"trunk_flexion": -90}),
        ({"side": 20}, {"trunk_lateral": 20}),
        ({"neck": 30}, {"neck_flexion": 30}),
    ],
)
def test_known_poses(shape, expected):
    got = angles(body(**shape), sigma=1e-4)
    for name, value in got.items():
        short = name.removeprefix("left_").removeprefix("right_")
        if shape.get("shoulder") == 185 and short == "shoulder_abduction":
            continue  # withheld or 0: overhead has no direction
        assert value == pytest.approx(expected.get(short, 0.0), abs=0.05), name


def test_trunk_turned_to_the_left():
    xyz = body()
    upper = BODY21.indices("left_shoulder", "right_shoulder")
    xyz[upper] = rotate(xyz[upper], UP, 25.0)  # counter-clockwise from above: to the left
    assert angles(xyz)["trunk_rotation"] == pytest.approx(25.0, abs=0.05)


shapes = st.fixed_dictionaries(
    {
        "hip": st.floats(-20, 110),
        "hip_out": st.floats(-10, 30),
        "knee": st.floats(5, 140),
        "ankle": st.floats(-30, 30),
        "shoulder": st.floats(20, 140),
        "shoulder_out": st.floats(0, 60),
        "elbow": st.floats(5, 140),
        "lean": st.floats(-20, 60),
        "side": st.floats(-20, 20),
        "neck": st.floats(-20, 40),
    }
)


def noisy(shape: dict[str, float], seed: int) -> np.ndarray:
    """A body that isn't symmetric."""
    return body(**shape) + np.random.default_rng(seed).normal(0.0, 0.02, (21, 3))


@FAST
@given(shapes, st.floats(-180, 180), st.floats(0.5, 2.0), st.integers(0, 1000))
def test_facing_place_and_size_change_nothing(shape, yaw, scale, seed):
    xyz = noisy(shape, seed)
    moved = scale * rotate(xyz, UP, yaw) + np.array([0.3, -0.2, 4.0])
    a, b = angles(xyz, 0.001), angles(moved, 0.001)
    for name in NAMES:
        assert b[name] == pytest.approx(a[name], abs=0.05), name


@FAST
@given(shapes, st.integers(0, 1000))
def test_mirror_exchanges_left_and_right(shape, seed):
    xyz = noisy(shape, seed)
    mirrored = (xyz * np.array([-1.0, 1.0, 1.0]))[BODY21.mirror]
    a, b = angles(xyz), angles(mirrored)
    for name in NAMES:
        other = name.replace("left_", "*").replace("right_", "left_").replace("*", "right_")
        sign = -1.0 if name in ("trunk_lateral", "trunk_rotation") else 1.0
        assert b[other] == pytest.approx(sign * a[name], abs=0.05), name


@pytest.mark.parametrize("seed", range(4))
def test_sigma_agrees_with_monte_carlo(seed):
    rng = np.random.default_rng(seed)
    shape = {"hip": 70, "hip_out": 15, "knee": 80, "ankle": 10, "shoulder": 50, "shoulder_out": 60, "elbow": 60}
    xyz = rotate(body(**shape, lean=25, side=10, neck=20) + rng.normal(0, 0.02, (21, 3)), UP, 50.0 * seed)
    sigma = rng.uniform(0.001, 0.003, 21)
    draws = xyz + rng.normal(size=(20_000, 21, 3)) * sigma[:, None]
    told = joint_angles(pose(xyz[None], sigma), independent=True).sigma_deg[0]
    seen = joint_angles(pose(draws, sigma)).deg.std(axis=0)
    np.testing.assert_allclose(told, seen, rtol=0.05)


def test_interior_angle_matches_the_closed_form():
    xyz = body(knee=20.0)
    sigma = 0.01
    result = joint_angles(pose(xyz[None], sigma), independent=True)
    told = result.sigma_deg[0, NAMES.index("left_knee_flexion")]
    l1, l2, interior = 0.42, 0.4, np.radians(160.0)
    expected = sigma * np.sqrt(2 / l1**2 + 2 / l2**2 - 2 * np.cos(interior) / (l1 * l2))
    assert told == pytest.approx(np.degrees(expected), rel=1e-3)


def test_what_lifted_joints_share_scales_sigma_and_nothing_else():
    frames = pose(body(hip=30, knee=40, elbow=50)[None], 0.005)
    plain, lifted = joint_angles(frames, independent=True), joint_angles(frames)
    np.testing.assert_array_equal(plain.deg, lifted.deg)
    for column, name in enumerate(NAMES):
        factor = LIFTED[name.removeprefix("left_").removeprefix("right_")]
        assert lifted.sigma_deg[0, column] == pytest.approx(factor * plain.sigma_deg[0, column], rel=1e-5)


@FAST
@given(shapes, st.floats(1.0, 4.0))
def test_more_noise_is_never_told_as_less(shape, factor):
    xyz = body(**shape)
    a, b = (joint_angles(pose(xyz[None], s)).sigma_deg[0] for s in (0.005, 0.005 * factor))
    withheld = np.isnan(b)
    assert np.all(withheld | (b >= a - 1e-4))
    assert np.all(b[~withheld] <= MAX_SIGMA_DEG)


def test_missing_degenerate_and_hopeless_are_withheld():
    xyz = np.stack([body()] * 3)
    xyz[0, BODY21.indices("left_heel", "right_knee")] = np.nan
    xyz[1, BODY21.indices("left_hip", "right_hip", "pelvis")] = 0.0  # no hip line
    sigma = np.full((3, 21), 0.005, np.float32)
    sigma[2] = 0.5
    result = joint_angles(pose(xyz, sigma))
    assert np.array_equal(np.isnan(result.deg), np.isnan(result.sigma_deg))
    lost = {name for name, value in zip(NAMES, result.deg[0], strict=True) if np.isnan(value)}
    assert lost == {"left_ankle_dorsiflexion", "right_ankle_dorsiflexion", "right_hip_flexion"} | {
        "right_hip_abduction",
        "right_knee_flexion",
    }
    assert np.isnan(result.deg[1, NAMES.index("left_hip_flexion")])
    assert np.isfinite(result.deg[1, NAMES.index("left_elbow_flexion")])
    assert np.isnan(result.deg[2]).all()


def test_h36m_has_no_ankle_angles():
    full = pose(body(knee=40)[None])
    part = PoseTrack(
        H36M17,
        full.time_s,
        full.xyz_m[:, :17],
        full.sigma_m[:, :17],
        full.root_m,
        full.root_sigma_m,
        full.valid[:, :17],
        full.interpolated[:, :17],
    )
    result = joint_angles(part)
    blank = np.isnan(result.deg[0])
    assert [name for name, b in zip(NAMES, blank, strict=True) if b] == [
        "left_ankle_dorsiflexion",
        "right_ankle_dorsiflexion",
    ]


def test_up_is_only_for_the_trunk():
    xyz = body(lean=10, knee=30)[None]
    tilted = [0.0, -np.cos(np.radians(15)), -np.sin(np.radians(15))]
    a, b = joint_angles(pose(xyz)), joint_angles(pose(xyz), up=tilted)
    changed = {name for name, x, y in zip(NAMES, a.deg[0], b.deg[0], strict=True) if abs(x - y) > 0.01}
    assert changed == {"trunk_flexion"}


def test_deep_squat_and_arm_swing_do_not_wrap():
    turns = np.linspace(-40, 185, 100)
    deg = joint_angles(pose(np.stack([body(hip=h, shoulder=h) for h in turns]), 1e-4)).deg
    for name in ("left_hip_flexion", "right_shoulder_flexion"):
        np.testing.assert_allclose(deg[:, NAMES.index(name)], turns, atol=0.1)


def test_long_clip_in_chunks_equals_frame_by_frame():
    rng = np.random.default_rng(0)
    xyz = body(knee=30) + rng.normal(0, 0.02, (2100, 21, 3))
    whole = joint_angles(pose(xyz))
    for frame in (0, 2047, 2048, 2099):
        one = joint_angles(pose(xyz[frame : frame + 1]))
        np.testing.assert_allclose(whole.deg[frame], one.deg[0], rtol=1e-5, atol=1e-4)


def test_sign_table_is_whole():
    text = sys.modules["posepipe.body.angles"].__doc__
    for spec in ANGLES:
        if not spec.name.startswith("right_"):
            assert spec.name in text
        assert spec.positive and spec.neutral and spec.unit == "deg"
    assert len(set(NAMES)) == len(NAMES) == 20
