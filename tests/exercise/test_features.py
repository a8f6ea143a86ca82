"""Recognition's features: place, size, heading and frame rate drop out; what is missing is told."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from exercise_kit import take_motion
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from posepipe.exercise.features import (
    COLUMNS,
    FEATURES,
    JOINTS,
    SAMPLES,
    WINDOW_S,
    mirror,
    motion_windows,
    window_centers,
)
from posepipe.lab.people.exercises.takes import ExerciseTake, make_exercise
from posepipe.lab.recogniser.measure import motion_of
from posepipe.skeleton import BODY21

Array = NDArray[np.float64]


def _take(label: str = "lunge", fps_hz: float = 30.0, seed: int = 2) -> ExerciseTake:
    return make_exercise(label, np.random.default_rng(seed), fps_hz=fps_hz, reps=2, cut=0.0, context=0.0)


def _about_z(xyz: Array, deg: float) -> Array:
    c, s = np.cos(np.radians(deg)), np.sin(np.radians(deg))
    return np.asarray(xyz @ np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]).T)


def test_columns_are_named_and_cover_the_window() -> None:
    cut = motion_windows(take_motion(_take()))
    assert cut.x.shape[1:] == (SAMPLES, len(FEATURES)) == (30, 82)
    parts = sorted((s.start, s.stop) for s in COLUMNS.values())
    assert parts[0][0] == 0 and parts[-1][1] == len(FEATURES)
    assert all(a[1] == b[0] for a, b in pairwise(parts))
    assert np.isfinite(cut.x).all() and (cut.seen == 1.0).all()


@settings(max_examples=15, deadline=None)
@given(
    turn=st.floats(-180, 180), size=st.floats(0.3, 3.0), x=st.floats(-20, 20), y=st.floats(-20, 20), z=st.floats(-5, 5)
)
def test_place_size_and_heading_drop_out(turn: float, size: float, x: float, y: float, z: float) -> None:
    take = _take()
    moved = size * _about_z(take.positions, turn) + np.array([x, y, z])
    assert np.allclose(motion_windows(take_motion(take)).x, motion_windows(take_motion(take, moved)).x, atol=2e-3)


def test_any_frame_will_do_if_up_is_told() -> None:
    take = _take("push_up")
    # The camera's frame: x right, y down, z away.
    turned = take.positions @ np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]]).T
    camera = motion_windows(take_motion(take, turned, up=(0.0, -1.0, 0.0))).x
    assert np.allclose(motion_windows(take_motion(take)).x, camera, atol=1e-4)


@pytest.mark.parametrize("fps_hz", [15.0, 24.0, 60.0])
def test_the_frame_rate_drops_out(fps_hz: float) -> None:
    a = motion_windows(take_motion(_take("jumping_jack", 30.0)))
    b = motion_windows(take_motion(_take("jumping_jack", fps_hz)))
    count = min(len(a.x), len(b.x))
    assert abs(len(a.x) - len(b.x)) <= 1
    difference = np.abs(a.x[:count] - b.x[:count])
    assert np.quantile(difference, 0.99) < 0.06 and difference.mean() < 0.01


def test_a_mirrored_body_gives_mirrored_columns() -> None:
    take = _take("bicep_curl", seed=5)
    image = take.positions[:, BODY21.mirror] * np.array([1.0, -1.0, 1.0])
    assert np.allclose(
        mirror(motion_windows(take_motion(take)).x), motion_windows(take_motion(take, image)).x, atol=1e-4
    )


def test_missing_joints_are_zero_without_trust() -> None:
    take = _take()
    xyz = take.positions.copy()
    xyz[:, BODY21.indices("left_wrist", "right_ankle")] = np.nan
    cut = motion_windows(take_motion(take, xyz))
    assert np.isfinite(cut.x).all()
    for joint in ("left_wrist", "right_ankle"):
        i = JOINTS.index(joint)
        assert (cut.x[..., 3 * i : 3 * i + 3] == 0).all() and (cut.x[..., COLUMNS["trust"].start + i] == 0).all()
    whole = motion_windows(take_motion(take)).x
    i = JOINTS.index("left_knee")
    assert np.allclose(cut.x[..., 3 * i : 3 * i + 3], whole[..., 3 * i : 3 * i + 3], atol=0.05)


def test_short_holes_are_bridged_and_long_ones_are_not() -> None:
    take = _take("squat")
    wrist = BODY21.index("left_wrist")
    trust = COLUMNS["trust"].start + JOINTS.index("left_wrist")
    for frames, bridged in ((10, True), (24, False)):
        xyz = take.positions.copy()
        xyz[30 : 30 + frames, wrist] = np.nan
        held = motion_windows(take_motion(take, xyz)).x[..., trust]
        assert (held > 0).all() == bridged


def test_doubt_lowers_trust() -> None:
    take = _take()
    motion = take_motion(take)
    motion.sigma_m[:] = 0.3
    motion.sigma_m[:, BODY21.index("left_knee")] = 0.01
    trust = motion_windows(motion).x[..., COLUMNS["trust"]]
    assert trust[..., JOINTS.index("left_knee")].min() > 0.95
    assert trust[..., JOINTS.index("left_wrist")].max() < 0.15


@settings(max_examples=20, deadline=None)
@given(span=st.floats(0.1, 9.0))
def test_windows_lie_within_the_clip(span: float) -> None:
    time_s = np.linspace(3.0, 3.0 + span, 50)
    centers = window_centers(time_s)
    assert len(centers) >= 1
    if span > WINDOW_S:
        assert centers[0] - WINDOW_S / 2 >= 3.0 - 1e-6 and centers[-1] + WINDOW_S / 2 <= 3.0 + span + 1e-6
    else:
        assert len(centers) == 1


def test_a_single_frame_still_makes_a_window() -> None:
    take = _take()
    one = motion_of(take.time_s[:1], take.positions[:1].astype(np.float32))
    cut = motion_windows(one)
    assert cut.x.shape == (1, SAMPLES, len(FEATURES)) and np.isfinite(cut.x).all()
    none = motion_of(take.time_s[:0], take.positions[:0].astype(np.float32))
    assert motion_windows(none).x.shape == (0, SAMPLES, len(FEATURES))
