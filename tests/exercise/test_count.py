"""Counting against synthetic truth, and the ways in which other counters fail."""

from __future__ import annotations

import numpy as np
import pytest
from exercise_kit import exercise, filmed, take_of
from hypothesis import given, settings
from hypothesis import strategies as st

from posepipe.exercise.count import COUNT, RepCounter, count_exercise
from posepipe.exercise.labels import EXERCISES
from posepipe.exercise.repeats import count_any
from posepipe.exercise.signal import low_pass, measure
from posepipe.reasons import Reason

COUNTED = tuple(name for name in EXERCISES if name != "plank")


def _live(label: str, time_s: np.ndarray, deg: np.ndarray) -> RepCounter:
    counter = RepCounter(exercise(label))
    for t, row in zip(time_s, deg, strict=True):
        counter.step(float(t), row)
    return counter


def _curve(*points: tuple[float, float], fps_hz: float = 30.0) -> tuple[np.ndarray, np.ndarray]:
    """Straight lines through (time, degrees), for both sides."""
    time_s = np.arange(points[0][0], points[-1][0], 1.0 / fps_hz)
    deg = np.interp(time_s, *np.array(points).T)
    return time_s, np.stack([deg, deg], axis=1)


@pytest.mark.parametrize("label", COUNTED)
def test_counts_what_was_done(label: str) -> None:
    off = []
    for seed in (1, 2, 3):
        take = take_of(label, seed)
        _, motion = filmed(take, seed)
        off.append(len(count_exercise(motion, exercise(label), take.set_bounds)) - int(take.rep_complete.sum()))
    assert sum(error == 0 for error in off) >= 2 and max(map(abs, off)) <= 1


@pytest.mark.parametrize("label", COUNTED)
def test_live_and_over_a_clip_is_the_same_count(label: str) -> None:
    for seed in (4, 5):
        _, motion = filmed(take_of(label, seed, reps=5, partial=0.2), seed)
        clip = count_exercise(motion, exercise(label))
        live = _live(label, motion.time_s, measure(motion, clip.signal).deg)
        assert tuple(live.cycles) == clip.reps


def test_the_first_repetitions_dont_wait_for_what_follows() -> None:
    """What is counted by a moment is what would be counted of a clip that ends there."""
    _, motion = filmed(take_of("squat", 8, reps=5))
    deg = measure(motion, "knee_flexion").deg
    counter = RepCounter(exercise("squat"))
    for i, (t, row) in enumerate(zip(motion.time_s, deg, strict=True), 1):
        said = counter.step(float(t), row).reps
        if i % 40 == 0:
            assert said == len(_live("squat", motion.time_s[:i], deg[:i]).cycles)
    assert said == 5


def test_bounds_lie_within_a_repetition() -> None:
    take = take_of("squat", 5)
    _, motion = filmed(take)
    reps = count_exercise(motion, exercise("squat")).reps
    assert len(reps) == len(take.rep_bounds)
    for rep, (start, end) in zip(reps, take.rep_bounds, strict=True):
        # A repetition begins where a tenth of the way is done, which is later the slower it starts.
        spare = max(0.4, 0.2 * (end - start))
        assert abs(rep.start_s - start) < spare and abs(rep.end_s - end) < spare
        assert rep.start_s < rep.turn_s < rep.end_s


@pytest.mark.parametrize("fps_hz", [15.0, 24.0, 29.97, 60.0])
def test_frame_rate_changes_nothing(fps_hz: float) -> None:
    take = take_of("squat", 7, fps_hz=fps_hz)
    _, motion = filmed(take, noise_m=0.004)
    assert len(count_exercise(motion, exercise("squat"))) == 4
    assert len(count_any(motion)) == 4
    assert len(_live("squat", motion.time_s, measure(motion, "knee_flexion").deg).cycles) == 4


@pytest.mark.parametrize("label", ["bicep_curl", "lunge", "squat"])
def test_mirrored_person_does_as_many(label: str) -> None:
    take = take_of(label, 11)
    counts = []
    for mirrored in (False, True):
        _, motion = filmed(take, mirrored=mirrored, noise_m=0.004)
        counts.append((len(count_exercise(motion, exercise(label))), len(count_any(motion))))
    assert counts[0] == counts[1]


@settings(max_examples=25, deadline=None)
@given(
    level=st.floats(10, 110),
    tremble=st.floats(0, 11),
    rate_hz=st.floats(1.0, 8.0),
)
def test_dithering_never_counts_twice(level: float, tremble: float, rate_hz: float) -> None:
    """One squat that trembles on its way at any level is one squat (trap 12)."""
    time_s, deg = _curve((0, 5), (1, 5), (2, level), (5, level), (6, 120), (7, 5), (9, 5))
    hold = (time_s > 2) & (time_s < 5)
    deg = deg + (hold * tremble * np.sin(2 * np.pi * rate_hz * time_s))[:, None]
    assert len(_live("squat", time_s, deg).cycles) == 1


@settings(max_examples=20, deadline=None)
@given(deep=st.floats(0, 23), noise=st.floats(0, 2), seed=st.integers(0, 99))
def test_fidgeting_counts_nothing(deep: float, noise: float, seed: int) -> None:
    time_s, deg = _curve((0, 5), (1, 5 + deep), (2, 5), (3, 5 + deep), (4, 5), (6, 5))
    deg = deg + np.random.default_rng(seed).normal(0, noise, deg.shape)
    counter = _live("squat", time_s, deg)
    assert not counter.cycles
    # Noise may carry the deepest of these over the swing that is looked at: too shallow then, which counts nothing.
    assert {item.reason for item in counter.rejected} <= {Reason.TOO_SHALLOW}
    if deep + 5.0 * noise < COUNT.looked_at * exercise("squat").min_range_deg:
        assert not counter.rejected


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        (((0, 5), (1, 5), (2, 36), (3, 5), (5, 5)), "too_shallow"),
        (((0, 5), (1, 5), (1.1, 90), (1.25, 5), (5, 5)), "too_fast"),
        (((0, 5), (1, 5), (15, 90), (29, 5), (31, 5)), "too_slow"),
    ],
)
def test_rejected_with_a_reason(points: tuple[tuple[float, float], ...], reason: str) -> None:
    counter = _live("squat", *_curve(*points))
    assert not counter.cycles
    assert [item.reason for item in counter.rejected] == [reason]


def test_down_without_up_is_incomplete() -> None:
    take = take_of("squat", 3, reps=2)
    _, motion = filmed(take, noise_m=0.004)
    turn_s = count_exercise(motion, exercise("squat")).reps[1].turn_s
    keep = motion.time_s <= turn_s + 0.05
    from dataclasses import replace

    from posepipe.types import Angles

    angles = Angles(motion.angles.names, motion.angles.deg[keep], motion.angles.sigma_deg[keep])
    cut = replace(
        motion,
        time_s=motion.time_s[keep],
        xyz_m=motion.xyz_m[keep],
        sigma_m=motion.sigma_m[keep],
        valid=motion.valid[keep],
        root_m=motion.root_m[keep],
        angles=angles,
    )
    counted = count_exercise(cut, exercise("squat"))
    assert len(counted) == 1
    assert [item.reason for item in counted.rejected] == ["incomplete"]


def test_live_counts_within_half_a_second() -> None:
    take = take_of("squat", 9, reps=5)
    _, motion = filmed(take, noise_m=0.004)
    deg = measure(motion, "knee_flexion").deg
    counter = RepCounter(exercise("squat"))
    said = []
    for t, row in zip(motion.time_s, deg, strict=True):
        if counter.step(float(t), row).counted is not None:
            said.append(float(t))
    assert len(said) == len(take.rep_bounds)
    assert all(s - end < 0.5 for s, end in zip(said, take.rep_bounds[:, 1], strict=True))


def test_live_holds_through_short_blindness() -> None:
    time_s, deg = _curve((0, 5), (1, 5), (2, 100), (3, 5), (4, 5), (5, 100), (6, 5), (7, 5))
    deg[(time_s > 4.4) & (time_s < 4.8)] = np.nan
    assert len(_live("squat", time_s, deg).cycles) == 2


def test_joint_hidden_through_most_of_a_repetition() -> None:
    time_s, deg = _curve((0, 5), (1, 5), (2, 100), (3, 5), (6, 5))
    deg[(time_s > 1.4) & (time_s < 2.6)] = np.nan
    assert _live("squat", time_s, deg).cycles == []
    whole = _curve((0, 5), (1, 5), (2, 100), (3, 5), (6, 5))[1]
    assert len(_live("squat", time_s, whole).cycles) == 1


def test_arms_in_turns_count_each() -> None:
    time_s, left = _curve((0, 10), (1, 10), (2, 130), (3, 10), (4, 10), (5, 10), (6, 10), (7, 10))
    right = _curve((0, 10), (4, 10), (5, 130), (6, 10), (7, 10))[1]
    deg = np.stack([left[:, 0], right[:, 0]], axis=1)
    counter = _live("bicep_curl", time_s, deg)
    assert [cycle.side for cycle in counter.cycles] == ["left", "right"]
    both = _live("bicep_curl", time_s, left)
    assert [cycle.side for cycle in both.cycles] == ["both"]


def test_standing_still_repeats_nothing() -> None:
    take = take_of("squat", 2, reps=0)
    _, motion = filmed(take, noise_m=0.005)
    assert len(count_exercise(motion, exercise("squat"))) == 0
    assert len(count_any(motion, steady=True)) == 0


def test_walking_is_not_counted() -> None:
    for seed in range(4):
        take = take_of("walking", seed)
        _, motion = filmed(take, seed)
        assert len(count_any(motion, steady=True)) == 0


def test_low_pass_keeps_lines_and_kills_noise() -> None:
    line = np.linspace(3.0, 9.0, 90)
    np.testing.assert_allclose(low_pass(line, 1 / 30, 4.0), line, atol=1e-9)
    tone = np.sin(2 * np.pi * 4.0 * np.arange(300) / 30)
    assert abs(np.abs(low_pass(tone, 1 / 30, 4.0)[60:-60]).max() - np.sqrt(0.5)) < 0.03


def test_any_movement_without_a_name() -> None:
    off = []
    for seed in range(6):
        take = take_of("squat", 40 + seed, reps=6)
        _, motion = filmed(take, seed)
        off.append(abs(len(count_any(motion)) - 6))
    assert max(off) <= 1


@pytest.mark.parametrize("label", ["squat", "push_up", "bicep_curl", "deadlift"])
def test_coming_and_going_is_not_counted(label: str) -> None:
    """Walking in, picking something up, getting down (trap 12): only what is done in the bout counts."""
    for seed in range(3):
        take = take_of(label, seed, reps=4, context=1.0)
        _, motion = filmed(take, seed)
        first, last = take.set_bounds
        assert len(count_exercise(motion, exercise(label), (first - 0.3, last + 0.3))) == 4
        idle = take_of(label, seed, reps=0, context=0.0)
        _, motion = filmed(idle, seed)
        assert len(count_exercise(motion, exercise(label))) == 0


def test_another_posture_between_repetitions_is_left_out() -> None:
    """Someone who gets up between push-ups hasn't done one more."""
    take = take_of("push_up", 4, reps=4, context=1.0)
    _, motion = filmed(take, 4)
    whole = count_exercise(motion, exercise("push_up"))
    assert len(whole) == 4
    assert all(rep.start_s >= take.set_bounds[0] for rep in whole.reps)


@pytest.mark.parametrize("label", ["squat", "lunge"])
def test_an_hour_on_a_chair_is_one_movement_and_little_is_remembered(label: str) -> None:
    """Whoever sits down before the camera is out of the start posture for as long as they stay."""
    counter = RepCounter(exercise(label))
    noise = np.random.default_rng(2).normal(scale=1.0, size=(72_000, 2))
    steps = [counter.step(i / 20.0, np.full(2, 10.0) + noise[i]) for i in range(200)]
    steps += [counter.step(10.0 + i / 20.0, 95.0 + noise[i]) for i in range(72_000)]
    most = max(len(track._past) + len(track._fall) for track in counter._tracks)
    assert most < 20.0 * 3.5 * exercise(label).tempo_s[1]
    steps += [counter.step(3620.0 + i / 20.0, np.full(2, 10.0) + noise[i]) for i in range(200)]
    refused = [step.rejected for step in steps if step.rejected is not None]
    assert {item.reason for item in refused} == {Reason.TOO_SLOW}
    assert min(item.start_s for item in refused) == pytest.approx(10.0, abs=1.5)
    assert counter.cycles == []


def test_an_hour_of_standing_still_is_forgotten() -> None:
    counter = RepCounter(exercise("squat"))
    for i in range(72_000):
        counter.step(i / 20.0, np.full(2, 10.0))
    assert all(len(track._fall) < 10 for track in counter._tracks)


def test_a_repetition_belongs_to_the_bout_in_which_it_turns() -> None:
    """However long it takes to come back; the next bout doesn't get it."""
    motion = filmed(take_of("squat", 7, reps=3))[1]
    squat = exercise("squat")
    last = count_exercise(motion, squat).reps[-1]
    end_s = float(motion.time_s[-1])
    assert count_exercise(motion, squat, (0.0, last.turn_s + 0.05)).reps[-1] == last
    assert len(count_exercise(motion, squat, (0.0, last.turn_s - 0.05))) == 2
    assert len(count_exercise(motion, squat, (last.turn_s + 0.05, end_s))) == 0
