"""Synthetic walkers: planted feet, constant bones, events and parameters that are true, patterns that show."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posepipe.errors import UsageError
from posepipe.lab.people.gait import CAMERAS, PATTERNS, SynthWalk, cameras_for, film_walk, make_walk
from posepipe.skeleton import BODY21
from tests.gait.filmed import walk_motion

J = BODY21.index


def _walk(seed: int = 1, **kind: object) -> SynthWalk:
    return make_walk(np.random.default_rng(seed), **kind)  # type: ignore[arg-type]


def _lowest(walk: SynthWalk) -> float:
    feet = BODY21.indices("left_heel", "right_heel", "left_foot_index", "right_foot_index")
    return float(walk.xyz_m[:, feet, 2].min())


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    pattern=st.sampled_from(sorted(PATTERNS)),
    severity=st.floats(0.0, 1.0),
    side=st.sampled_from(["left", "right"]),
)
def test_any_walk_is_a_body_on_the_ground(seed: int, pattern: str, severity: float, side: str) -> None:
    walk = _walk(seed, pattern=pattern, severity=severity, side=side, duration_s=3.0, fps_hz=50.0)
    assert np.isfinite(walk.xyz_m).all()
    for a, b in (("left_hip", "left_knee"), ("right_knee", "right_ankle"), ("left_elbow", "left_wrist")):
        bone = np.linalg.norm(walk.xyz_m[:, J(a)] - walk.xyz_m[:, J(b)], axis=1)
        assert np.ptp(bone) < 1e-6
    assert _lowest(walk) > 0.01
    kinds = [event.kind for event in walk.events if event.side == "left"]
    assert all(a != b for a, b in pairwise(kinds))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_standing_foot_stays_where_it_is(seed: int) -> None:
    walk = _walk(seed, fps_hz=100.0, duration_s=4.0)
    for print_ in walk.prints:
        length = print_.off_s - print_.strike_s
        flat = (walk.time_s > print_.strike_s + 0.2 * length) & (walk.time_s < print_.strike_s + 0.5 * length)
        if flat.sum() < 3:
            continue
        for part in ("heel", "foot_index"):
            path = walk.xyz_m[flat, J(f"{print_.side}_{part}")]
            assert np.ptp(path, axis=0).max() < 1e-6
    # And between: a foot in the air moves.
    for before, after in zip(walk.prints, walk.prints[2:], strict=False):
        assert np.hypot(*np.subtract(after.heel_m, before.heel_m)) > 0.3


def test_truth_is_what_was_asked_for() -> None:
    walk = _walk(4, speed_mps=1.2, duration_s=12.0)
    truth = walk.truth
    assert truth.walking_speed_mps == pytest.approx(1.2, rel=0.03)
    assert truth.cadence_spm == pytest.approx(walk.style.cadence_spm, rel=0.02)
    both = 0.5 * sum(truth.step_length_m.values())
    assert both * truth.cadence_spm / 60.0 == pytest.approx(truth.walking_speed_mps, rel=0.02)
    assert 56.0 < truth.stance_pct["left"] < 68.0
    shared = sum(truth.stance_pct.values()) - 100.0
    assert truth.double_support_pct == pytest.approx(shared, abs=1.5)


def test_the_frame_rate_changes_nothing() -> None:
    slow, fast = (_walk(5, fps_hz=rate, duration_s=3.0) for rate in (30.0, 60.0))
    assert np.abs(slow.xyz_m - fast.xyz_m[::2])[:-5].max() < 1e-6
    assert slow.prints == fast.prints


def test_normal_knees_and_hips_move_as_published() -> None:
    """Pinzone 2014: knee 61.4 degrees in swing, 3.9 at least; hip range 43.6."""
    peaks, lows, ranges = [], [], []
    for seed in range(6):
        walk = _walk(seed, speed_mps=1.3)
        angles = walk.angles()
        knee = angles.deg[:, angles.names.index("left_knee_flexion")]
        hip = angles.deg[:, angles.names.index("left_hip_flexion")]
        peaks.append(knee.max())
        lows.append(np.percentile(knee, 2))
        ranges.append(np.ptp(hip))
    assert np.mean(peaks) == pytest.approx(61.4, abs=4.0)
    assert np.mean(lows) == pytest.approx(3.9, abs=5.0)
    assert np.mean(ranges) == pytest.approx(43.6, abs=9.0)


def _measures(walk: SynthWalk) -> dict[str, float]:
    angles = walk.angles()
    xyz = walk.xyz_m

    def deg(name: str) -> np.ndarray:
        return angles.deg[:, angles.names.index(name)]

    toe = xyz[:, J("left_foot_index"), 2]
    return {
        "knee": float(deg("left_knee_flexion").max()),
        "knee_low": float(np.percentile(deg("left_knee_flexion"), 5)),
        "ankle": float(np.percentile(deg("left_ankle_dorsiflexion"), 2)),
        "out": float(np.percentile(xyz[:, J("left_ankle"), 1] - xyz[:, J("pelvis"), 1], 98)),
        "arm": float(np.ptp(deg("left_shoulder_flexion"))),
        "lean": float(deg("trunk_flexion").mean()),
        "sway": float(np.percentile(deg("trunk_lateral"), 95)),
        "stance": walk.truth.stance_pct["left"] - walk.truth.stance_pct["right"],
        "step": 0.5 * sum(walk.truth.step_length_m.values()),
        "width": walk.truth.step_width_m,
        "toe": float(toe.max()),
        "elbow": float(deg("left_elbow_flexion").mean()),
    }


@pytest.mark.parametrize(
    ("pattern", "measure", "sign"),
    [
        ("antalgic", "stance", -1),
        ("stiff_knee", "knee", -1),
        ("foot_drop", "ankle", -1),
        ("circumduction", "out", 1),
        ("trendelenburg", "sway", 1),
        ("waddling", "sway", 1),
        ("parkinsonian", "step", -1),
        ("parkinsonian", "lean", 1),
        ("crouch", "knee_low", 1),
        ("ataxic", "width", 1),
        ("hemiplegic", "elbow", 1),
        ("reduced_arm_swing", "arm", -1),
        ("slouched", "lean", 1),
    ],
)
def test_a_pattern_grows_with_its_severity(pattern: str, measure: str, sign: int) -> None:
    none, some, much = (
        _measures(_walk(7, pattern=pattern, severity=severity, side="left"))[measure] for severity in (0.0, 0.5, 1.0)
    )
    assert sign * none < sign * some < sign * much


def test_severity_zero_is_the_normal_walk() -> None:
    plain = _walk(8).xyz_m
    assert all(np.array_equal(plain, _walk(8, pattern=pattern).xyz_m) for pattern in PATTERNS)


def test_sides_are_mirrored() -> None:
    left, right = (_measures(_walk(9, pattern="hemiplegic", severity=1.0, side=side)) for side in ("left", "right"))
    assert left["elbow"] > right["elbow"] + 30.0
    assert left["stance"] < right["stance"]


def test_a_treadmill_keeps_the_person_in_place() -> None:
    walk = _walk(10, treadmill=True, duration_s=8.0)
    free = _walk(10, duration_s=8.0)
    assert np.ptp(walk.xyz_m[:, 0, 0]) < 0.4 < np.ptp(free.xyz_m[:, 0, 0])
    assert walk.truth == free.truth


def test_turning_round() -> None:
    walk = _walk(11, turn_m=2.0, duration_s=8.0)
    steps = np.diff(walk.xyz_m[:, 0, 0])
    assert steps[:30].mean() > 0 > steps[-30:].mean()
    assert walk.truth.walking_speed_mps == pytest.approx(walk.style.speed_mps, rel=0.1)


def test_nonsense_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(UsageError, match="pattern"):
        make_walk(rng, pattern="moonwalk")
    with pytest.raises(UsageError, match="severity"):
        make_walk(rng, pattern="crouch", severity=1.5)
    with pytest.raises(UsageError, match="side"):
        make_walk(rng, side="both")
    with pytest.raises(UsageError, match="treadmill"):
        make_walk(rng, treadmill=True, turn_m=2.0)
    with pytest.raises(UsageError, match="camera"):
        cameras_for(_walk(1, duration_s=1.0), kind="drone")


@pytest.mark.parametrize("kind", CAMERAS)
def test_the_whole_body_is_in_every_picture(kind: str) -> None:
    walk = _walk(12, duration_s=3.0)
    for yaw_deg in (90.0, 0.0, -135.0):
        cameras = cameras_for(walk, yaw_deg=yaw_deg, kind=kind, size_px=(640, 480))
        for camera, xyz in zip(cameras, walk.xyz_m, strict=True):
            xy, depth = camera.project(xyz)
            assert (depth > 0.5).all()
            assert ((xy > 0) & (xy < [640, 480])).all()
    assert (len({camera.position_m for camera in cameras}) > 1) == (kind == "follow")


def test_film_shows_the_person() -> None:
    walk = _walk(13, duration_s=0.2, fps_hz=10.0)
    cameras = cameras_for(walk, size_px=(160, 160), kind="follow")
    first, second = (frame.image for frame in film_walk(walk, cameras, supersample=1))
    assert first.shape == (160, 160, 3)
    assert (first != second).any()


def test_motion_of_a_walk_is_the_walk() -> None:
    walk = _walk(14, duration_s=2.0)
    cameras = cameras_for(walk, yaw_deg=90.0)
    motion = walk_motion(walk, cameras)
    true = cameras[30].to_camera(walk.xyz_m[30])
    assert np.abs(motion.xyz_m[30] - (true - true[0])).max() < 0.01
    assert motion.keypoints is not None
    assert np.abs(motion.keypoints.xy_px[30] - cameras[30].project(walk.xyz_m[30])[0]).max() < 2.0
