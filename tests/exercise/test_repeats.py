"""Counting by pace: what the network sees, how a clip is cut, and movements without a name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from exercise.exercise_kit import filmed, take_of
from hypothesis import given, settings
from hypothesis import strategies as st

from posepipe.errors import ModelError
from posepipe.exercise.repeats import (
    CHANNELS,
    LAGS_S,
    RATE_HZ,
    PaceModel,
    _cut,
    _parts,
    count_any,
    find_repeats,
    pace_image,
    pace_poses,
    paced_repeats,
    steps,
)
from posepipe.exercise.signal import RATE_HZ as GRID_HZ
from posepipe.lab.people.exercises.takes import anything, gym_counted, make_exercise
from posepipe.lab.recogniser.measure import motion_of
from posepipe.weights import find_model


def _swing(period_s: float, seconds: float, rate_hz: float) -> np.ndarray:
    """(T, 42) some joints going to and fro."""
    t = np.arange(0.0, seconds, 1.0 / rate_hz)
    way = np.random.default_rng(0).normal(0.0, 1.0, 42)
    return (0.5 - 0.5 * np.cos(2 * np.pi * t / period_s))[:, None] * way


def test_another_pace_is_the_same_picture_along_other_lags() -> None:
    step = int(np.argmin(np.abs(LAGS_S / LAGS_S[0] - 2.0)))
    ratio = LAGS_S[step] / LAGS_S[0]
    fast, slow = _swing(1.5, 60.0, RATE_HZ), _swing(1.5 * ratio, 60.0 * ratio, RATE_HZ)
    # The whole body, a lag later.
    one, two = pace_image(fast, fast)[0], pace_image(slow, slow)[0]
    at, there = int(21 * RATE_HZ), int(21 * ratio * RATE_HZ)
    np.testing.assert_allclose(one[at, :-step], two[there, step:], atol=0.15)
    # A whole period later the pose is the same, half a period later as different as it gets.
    period = int(np.argmin(np.abs(LAGS_S - 1.5)))
    half = int(np.argmin(np.abs(LAGS_S - 0.75)))
    assert one[at, period] < 0.25 < 1.2 < one[at, half]


def test_the_picture_says_where_nothing_is_known() -> None:
    image = pace_image(_swing(1.0, 8.0, RATE_HZ), _swing(1.0, 8.0, RATE_HZ))
    assert image.shape == (CHANNELS, 80, len(LAGS_S)) and np.isfinite(image).all()
    after, before = image[-2], image[-1]
    assert after[0, 0] == before[-1, 0] == 1.0
    assert after[-1].max() == before[0].max() == 0.0


@given(count=st.integers(1, 20_000))
def test_a_long_clip_is_read_in_parts_that_cover_it(count: int) -> None:
    covered = np.zeros(count, int)
    for part, kept in _parts(count):
        assert 0 <= part.start <= kept.start < kept.stop <= part.stop <= count
        assert part.stop - part.start <= 60 * RATE_HZ
        # What is kept lies well within its part, but for the ends of the clip.
        assert kept.start == 0 or kept.start - part.start >= 10 * RATE_HZ
        assert kept.stop == count or part.stop - kept.stop >= 10 * RATE_HZ
        covered[kept] += 1
    assert (covered == 1).all()


@settings(max_examples=25, deadline=None)
@given(period_s=st.floats(0.6, 8.0), count=st.integers(1, 12), start_s=st.floats(0.5, 4.0), wrong=st.floats(0.8, 1.25))
def test_a_clear_course_is_cut_where_it_is(period_s: float, count: int, start_s: float, wrong: float) -> None:
    """However long they are, and with a rate that is a quarter off: as many, and each where it is."""
    t = np.arange(0.0, start_s + count * period_s + 2.0, 1.0 / GRID_HZ)
    inside = (t >= start_s) & (t < start_s + count * period_s)
    way = np.random.default_rng(1).normal(0.0, 1.0, 42)
    pose = (inside * (0.5 - 0.5 * np.cos(2 * np.pi * (t - start_s) / period_s)))[:, None] * way
    found = _cut(pose, np.where(inside, 0.95, 0.05), np.full(len(t), wrong / period_s))
    assert len(found) == count
    true_s = start_s + period_s * np.arange(count)
    np.testing.assert_allclose(found[:, 0] / GRID_HZ, true_s, atol=0.12 * period_s + 0.1)


def test_nothing_repeating_is_cut_nowhere() -> None:
    pose = np.random.default_rng(0).normal(0.0, 1.0, (400, 42))
    assert len(_cut(pose, np.full(400, 0.05), np.full(400, 0.5))) == 0


@pytest.mark.parametrize("factory", [gym_counted, anything])
def test_movements_without_a_name_are_counted(factory: object) -> None:
    """Six repetitions of exercises without a label, and of made-up ones, never seen in training."""
    off = []
    for seed in range(8):
        rng = np.random.default_rng([77, seed])
        take = make_exercise("other", rng, reps=6, context=0.0, cut=0.0, partial=0.0, factory=factory)  # type: ignore[arg-type]
        _, motion = filmed(take, seed)
        off.append(abs(len(count_any(motion)) - 6))
    assert np.mean(np.array(off) <= 1) >= 0.75, off


def test_a_plain_set_is_cut_where_it_is() -> None:
    take = take_of("squat", 3, reps=6)
    found = find_repeats(filmed(take)[1])
    assert len(found) == 6 and found.likeness.min() > 0.6
    for row, (start_s, end_s) in zip(found.cycle, take.rep_bounds, strict=True):
        start, turn, end = found.time_s[row]
        assert start < turn < end
        assert abs(start - start_s) < 0.8 and abs(end - end_s) < 0.8


@pytest.mark.parametrize("gone", [False, True])
def test_a_rest_or_an_absence_in_the_midst_changes_nothing(gone: bool) -> None:
    """The pace is read as if the set went on: just as surely, and the same repetitions."""
    take = take_of("squat", 3, reps=4)
    motion = filmed(take)[1]
    whole = find_repeats(motion)
    middle = int(np.searchsorted(motion.time_s, 0.5 * (take.rep_bounds[1, 1] + take.rep_bounds[2, 0])))
    waits = np.full(90, middle)
    rows = np.concatenate([np.arange(middle), waits, np.arange(middle, len(motion))])
    parts = {name: getattr(motion, name)[rows] for name in ("xyz_m", "sigma_m", "valid", "root_m")}
    if gone:
        parts["valid"][middle : middle + 90] = False
    angles = replace(motion.angles, deg=motion.angles.deg[rows], sigma_deg=motion.angles.sigma_deg[rows])
    longer = replace(motion, time_s=np.arange(len(rows)) / 30.0, angles=angles, **parts)
    pace = PaceModel().read(longer)
    assert pace is not None and 2.0 < 0.1 * float((~pace.moving).sum()) < 3.5
    found = find_repeats(longer)
    assert len(found) == len(whole) == 4
    assert found.likeness.min() > 0.8
    lengths = [np.diff(item.time_s[item.cycle[:, [0, 2]]], axis=1)[:, 0] for item in (whole, found)]
    assert lengths[1] == pytest.approx(lengths[0], abs=0.5)


def test_standing_about_isnt_counted() -> None:
    for seed in range(6):
        rng = np.random.default_rng([5, seed])
        take = make_exercise("other", rng, reps=0, context=0.0, cut=0.0, factory=_idle)
        assert len(count_any(filmed(take, seed)[1], steady=True)) == 0


def _idle(rng: np.random.Generator, body: object) -> object:
    from posepipe.lab.people.exercises.everyday import idle

    return idle(rng, body)  # type: ignore[arg-type]


def test_a_tremble_is_no_repetition() -> None:
    """As regular as it may be: the same course at a tenth of its size isn't counted."""
    take = take_of("squat", 4, reps=5)
    _, motion = filmed(take, noise_m=0.001)
    still = motion.xyz_m[0] + 0.05 * (motion.xyz_m - motion.xyz_m[0])
    pace = PaceModel().read(motion)
    assert pace is not None
    assert len(paced_repeats(motion, pace)) == 5
    assert len(paced_repeats(replace(motion, xyz_m=still), pace)) == 0


def test_legs_in_turn_are_steps() -> None:
    walk, squat = filmed(take_of("walking", 1))[1], filmed(take_of("squat", 1))[1]
    assert steps(walk) and not steps(squat)
    assert not steps(walk, (0.0, 1.0)), "too short to tell"


def test_too_short_to_read() -> None:
    take = take_of("squat", 1)
    part = motion_of(take.time_s[:20], take.positions[:20].astype(np.float32))
    assert pace_poses(part) is None
    assert PaceModel().read(part) is None


def test_another_network_is_refused() -> None:
    with pytest.raises(ModelError, match="not a counting model"):
        PaceModel(Path(find_model("form")))
