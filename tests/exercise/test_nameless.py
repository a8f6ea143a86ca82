"""Movements without a name, counted while they are done."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from exercise.exercise_kit import filmed, frame_of

from posepipe.exercise.nameless import NAMELESS, Nameless
from posepipe.exercise.repeats import PaceModel
from posepipe.lab.people.exercises.everyday import idle
from posepipe.lab.people.exercises.takes import ExerciseTake, gym_counted, make_exercise

MODEL = PaceModel()


def stands_on(take: ExerciseTake, seconds: float) -> ExerciseTake:
    """The same, and then the last posture for a while."""
    step_s = float(np.median(np.diff(take.time_s)))
    more = round(seconds / step_s)
    time_s = np.concatenate([take.time_s, take.time_s[-1] + step_s * np.arange(1, more + 1)])
    return replace(take, time_s=time_s, positions=np.concatenate([take.positions, [take.positions[-1]] * more]))


def counted(take: ExerciseTake, seed: int) -> list[tuple[float, float, float]]:
    """Start, end and time of being counted of each, all seen frame by frame."""
    pose, motion = filmed(take, seed)
    found, live = [], Nameless(MODEL)
    for row in range(len(motion.time_s)):
        one, angles = frame_of(pose, motion.angles, row)
        now_s = float(one.time_s[0])
        found += [(cycle.start_s, cycle.end_s, now_s) for cycle in live.step(now_s, one, angles)]
    return found


def test_sets_are_counted_while_they_are_done() -> None:
    off, delays_s = [], []
    for seed in range(4):
        rng = np.random.default_rng([81, seed])
        take = make_exercise("other", rng, reps=8, context=0.0, cut=0.0, partial=0.0, factory=gym_counted)
        found = counted(stands_on(take, 4.0), seed)
        off.append(len(found) - len(take.rep_bounds))
        # In order, each once, and only what is over.
        turns = [0.5 * (start_s + end_s) for start_s, end_s, _ in found]
        assert turns == sorted(turns)
        assert all(now_s - end_s >= NAMELESS.settle_s for _, end_s, now_s in found)
        delays_s += [now_s - end_s for _, end_s, now_s in found[NAMELESS.begin :]]
    assert np.mean(np.abs(off) <= 1) >= 0.75, off
    assert np.median(delays_s) < NAMELESS.settle_s + 2.0 * NAMELESS.every_s


def test_standing_about_counts_nothing() -> None:
    for seed in (2, 5, 10):
        take = make_exercise("other", np.random.default_rng([6, seed]), reps=0, context=0.0, cut=0.0, factory=idle)
        assert counted(stands_on(take, 4.0), seed) == []


def test_two_alike_movements_begin_nothing() -> None:
    rng = np.random.default_rng([81, 0])
    take = make_exercise("other", rng, reps=2, context=0.0, cut=0.0, partial=0.0, factory=gym_counted)
    assert counted(stands_on(take, 8.0), 0) == []
