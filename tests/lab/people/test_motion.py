from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from posepipe.errors import UsageError
from posepipe.lab.people.body import BodyShape, solve
from posepipe.lab.people.motion import Stance, SynthMotion, clock, follow, idle, plan_path, squat
from posepipe.skeleton import BODY21

SHAPE = BodyShape()
JOINT = {name: i for i, name in enumerate(BODY21.joints)}
# The neck bends, so thorax to nose is no bone.
BONES = [edge for edge in BODY21.edges if edge != ("thorax", "nose")]


def walk(
    shape: BodyShape = SHAPE,
    duration_s: float = 4.0,
    *,
    fps_hz: float = 30.0,
    speed_mps: float = 1.25,
    cadence_spm: float = 112.0,
    heading_deg: float = 0.0,
) -> SynthMotion:
    """Straight ahead; the stance in which a path ends comes after the clip."""
    time_s, step_s = clock(duration_s, fps_hz), 60.0 / cadence_spm
    way_m, angle = speed_mps * (duration_s + 4.0 * step_s), np.radians(heading_deg)
    path = [(0.0, 0.0), (float(way_m * np.cos(angle)), float(way_m * np.sin(angle)))]
    plan = plan_path(shape, path, heading_deg, step_m=speed_mps * step_s, step_s=step_s, first_step=0.0)
    controls, events = follow(shape, plan, time_s)
    return SynthMotion(time_s, solve(shape, controls), events)


@pytest.fixture(scope="module")
def walking() -> SynthMotion:
    return walk(SHAPE, 4.0, fps_hz=100.0)


def knee_deg(motion: SynthMotion, side: str) -> np.ndarray:
    hip, knee, ankle = (motion.xyz_m[:, JOINT[f"{side}_{n}"]] for n in ("hip", "knee", "ankle"))
    a, b = hip - knee, ankle - knee
    cos = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return np.asarray(180.0 - np.degrees(np.arccos(np.clip(cos, -1, 1))))


@pytest.mark.parametrize("make", [walk, squat, idle])
def test_bones_keep_their_length(make: object) -> None:
    motion = make(BodyShape(height_m=1.62))  # type: ignore[operator]
    for a, b in BONES:
        length = np.linalg.norm(motion.xyz_m[:, JOINT[a]] - motion.xyz_m[:, JOINT[b]], axis=1)
        assert np.ptp(length) < 1e-6, (a, b)
    assert np.isfinite(motion.xyz_m).all()


def contacts(motion: SynthMotion, side: str) -> list[tuple[float, float]]:
    strikes = [e.time_s for e in motion.events if e.kind == "heel_strike" and e.side == side]
    offs = [e.time_s for e in motion.events if e.kind == "toe_off" and e.side == side]
    return [(strike, min(off for off in offs if off > strike)) for strike in strikes if any(o > strike for o in offs)]


@pytest.mark.parametrize("side", ["left", "right"])
def test_standing_foot_stays(walking: SynthMotion, side: str) -> None:
    heel, toe = walking.xyz_m[:, JOINT[f"{side}_heel"]], walking.xyz_m[:, JOINT[f"{side}_foot_index"]]
    pairs = contacts(walking, side)
    assert len(pairs) >= 3
    for strike, off in pairs:
        t, length = walking.time_s, off - strike
        on_heel = (t >= strike) & (t <= strike + 0.5 * length)
        on_toe = (t >= strike + 0.13 * length) & (t <= off)
        assert np.ptp(heel[on_heel], axis=0).max() < 1e-3
        assert np.ptp(toe[on_toe], axis=0).max() < 1e-3


@pytest.mark.parametrize("side", ["left", "right"])
def test_events_are_where_the_foot_says(walking: SynthMotion, side: str) -> None:
    t = walking.time_s
    heel, toe = walking.xyz_m[:, JOINT[f"{side}_heel"]], walking.xyz_m[:, JOINT[f"{side}_foot_index"]]
    for strike, off in contacts(walking, side):
        before = (t > strike - 0.04) & (t < strike - 1e-6)
        assert (heel[before, 2] > 0.032 + 1e-4).all()
        at = int(np.searchsorted(t, strike - 1e-9))
        assert heel[at : at + 3, 2] == pytest.approx(0.032, abs=1e-6)
        after = (t > off + 0.015) & (t < off + 0.05)
        moved = np.linalg.norm(toe[after] - toe[np.searchsorted(t, off) - 1], axis=1)
        assert (moved > 1e-3).all()


def test_feet_never_sink(walking: SynthMotion) -> None:
    for side in ("left", "right"):
        assert walking.xyz_m[:, JOINT[f"{side}_heel"], 2].min() > 0.0319
        assert walking.xyz_m[:, JOINT[f"{side}_foot_index"], 2].min() > 0.0259


def test_walk_has_the_speed_and_cadence_asked_for() -> None:
    motion = walk(SHAPE, 6.0, fps_hz=50.0, speed_mps=1.1, cadence_spm=100.0, heading_deg=90.0)
    pelvis = motion.xyz_m[:, JOINT["pelvis"]]
    assert (pelvis[-1, 1] - pelvis[0, 1]) / motion.time_s[-1] == pytest.approx(1.1, rel=0.02)
    strikes = [e.time_s for e in motion.events if e.kind == "heel_strike"]
    assert np.diff(strikes) == pytest.approx(0.6)
    sides = [e.side for e in motion.events if e.kind == "heel_strike"]
    assert all(a != b for a, b in pairwise(sides))


def test_gait_looks_normal(walking: SynthMotion) -> None:
    for side in ("left", "right"):
        knee = knee_deg(walking, side)
        assert 50 < knee.max() < 75
        assert knee.min() < 12
    pelvis = walking.xyz_m[:, JOINT["pelvis"]]
    assert 0.015 < np.ptp(pelvis[:, 2]) < 0.06
    assert 0.45 < pelvis[:, 2].mean() / SHAPE.height_m < 0.56
    # Each arm swings with the other side's leg.
    wrist = walking.xyz_m[:, JOINT["left_wrist"], 0] - pelvis[:, 0]
    foot = walking.xyz_m[:, JOINT["right_ankle"], 0] - pelvis[:, 0]
    assert np.corrcoef(wrist, foot)[0, 1] > 0.9


def test_motion_does_not_depend_on_the_frame_rate() -> None:
    fast, slow = walk(SHAPE, 2.0, fps_hz=60.0), walk(SHAPE, 2.0, fps_hz=20.0)
    # The end of a clip may differ: the pelvis is smoothed with what the clip holds.
    assert fast.xyz_m[::3][:36] == pytest.approx(slow.xyz_m[:36], abs=2e-3)


def test_speed_stays_human(walking: SynthMotion) -> None:
    speed = np.linalg.norm(np.diff(walking.xyz_m, axis=0), axis=-1) * 100.0
    assert speed.max() < 6.5
    jerk_free = np.linalg.norm(np.diff(speed, axis=0), axis=-1)
    assert jerk_free.max() < 6.0


def test_squat_counts_and_bounds() -> None:
    motion = squat(SHAPE, reps=4, fps_hz=100.0)
    height = motion.xyz_m[:, JOINT["pelvis"], 2]
    assert len(motion.reps) == 4
    top = height[0]
    for start, end in motion.reps:
        inside = (motion.time_s > start) & (motion.time_s < end)
        assert height[inside].min() < 0.62 * top
    quiet = np.ones(len(motion), dtype=bool)
    for start, end in motion.reps:
        quiet &= (motion.time_s <= start) | (motion.time_s >= end)
    assert np.ptp(height[quiet]) < 1e-9


@pytest.mark.parametrize(("depth", "low", "high"), [(1.0, 105, 125), (0.5, 45, 70)])
def test_squat_depth(depth: float, low: float, high: float) -> None:
    motion = squat(SHAPE, reps=1, depth=depth)
    assert low < knee_deg(motion, "left").max() < high
    gap = motion.xyz_m[:, JOINT["left_hip"], 2] - motion.xyz_m[:, JOINT["left_knee"], 2]
    if depth == 1.0:
        assert abs(gap.min()) < 0.03  # thighs level


def test_squat_keeps_feet_and_balance() -> None:
    motion = squat(SHAPE, reps=1)
    feet = BODY21.indices("left_heel", "right_heel", "left_foot_index", "right_foot_index")
    assert np.ptp(motion.xyz_m[:, feet], axis=0).max() < 1e-9
    bottom = motion.xyz_m[motion.xyz_m[:, JOINT["pelvis"], 2].argmin()]
    # The middle of pelvis and thorax stays over the feet.
    middle = 0.5 * (bottom[JOINT["pelvis"], 0] + bottom[JOINT["thorax"], 0])
    assert bottom[JOINT["left_heel"], 0] - 0.03 < middle < bottom[JOINT["left_foot_index"], 0]


def test_squat_is_symmetric() -> None:
    motion = squat(SHAPE, reps=1, stance=Stance(width_m=0.3, toe_out_deg=15.0))
    mirrored = motion.xyz_m[:, BODY21.mirror] * [1.0, -1.0, 1.0]
    assert mirrored == pytest.approx(motion.xyz_m, abs=1e-9)


def test_wrong_motions() -> None:
    with pytest.raises(UsageError, match="Shorten"):
        walk(SHAPE, 1.0, speed_mps=4.0, cadence_spm=90.0)
    with pytest.raises(UsageError):
        walk(SHAPE, 0.0)
    with pytest.raises(UsageError):
        squat(SHAPE, depth=0.0)
    plan = plan_path(SHAPE, [(0.0, 0.0), (2.0, 0.0)], 0.0)
    with pytest.raises(UsageError, match="cover"):
        follow(SHAPE, plan, np.arange(-30.0, 0.0, 0.1))
    with pytest.raises(UsageError):
        replace(SHAPE, height_m=0.1)
