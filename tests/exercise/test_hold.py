"""When a held posture begins and ends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from exercise_kit import exercise, filmed, only, take_of, without

from posepipe.body.motion import Motion
from posepipe.exercise.hold import HOLD, held, holds, in_posture
from posepipe.lab.people.exercises.takes import ExerciseTake, make_exercise


@pytest.mark.parametrize("seed", range(3))
def test_a_plank_lasts_from_when_it_is_reached_until_it_is_left(seed: int) -> None:
    """A second off at both ends as recognised, a quarter of one as told."""
    take = take_of("plank", seed, context=1.0)
    motion = filmed(take, seed)[1]
    start_s, end_s = take.set_bounds
    for early_s in (-0.8, 0.8):
        found = held(motion, (start_s + early_s, end_s - early_s))
        assert found == pytest.approx(take.set_bounds, abs=0.25)


def test_who_holds_it_all_along_keeps_the_ends() -> None:
    motion = filmed(take_of("plank", 4), 4)[1]
    span = (float(motion.time_s[0]), float(motion.time_s[-1]))
    assert held(motion, span) == span


def test_who_moves_on_does_not_hold() -> None:
    """Squats that were taken for a hold: the ends stay, for nothing is held between them."""
    motion = filmed(take_of("squat", 5, reps=3), 5)[1]
    span = (float(motion.time_s[0]) + 1.0, float(motion.time_s[0]) + 4.0)
    start_s, end_s = held(motion, span)
    assert end_s - start_s >= HOLD.least_kept * 3.0


def test_nobody_seen_keeps_the_ends() -> None:
    motion = filmed(take_of("plank", 4), 4)[1]
    unseen = replace(motion, valid=np.zeros_like(motion.valid))
    assert held(unseen, (0.0, 3.0)) == (0.0, 3.0)


def _on_the_wall(seed: int) -> tuple[ExerciseTake, Motion]:
    """Somebody stands or works about, sits at the wall, and goes on."""
    options = {"reps": 0, "context": 1.0, "cut": 0.0}
    while True:
        rng = np.random.default_rng([41, seed])
        take = make_exercise("other", rng, factory=only("wall sit", counted=False), **options)  # type: ignore[arg-type]
        motion = filmed(take, seed)[1]
        # Who sits on a chair before or after looks the same.
        ends = in_posture(motion, exercise("wall_sit"))[[0, -1]]
        if not ends.any() and holds(motion, exercise("wall_sit")):
            return take, motion
        seed += 100


@pytest.mark.parametrize("seed", range(3))
def test_a_wall_sit_lasts_while_the_posture_is_held(seed: int) -> None:
    take, motion = _on_the_wall(seed)
    start_s, end_s = take.set_bounds
    ((from_s, to_s),) = holds(motion, exercise("wall_sit"))
    # Getting down and up takes a second or two; half of it is within the posture.
    assert start_s - 1.5 < from_s < start_s + 1.0 and end_s - 1.0 < to_s < end_s + 1.5


def test_who_stands_or_squats_holds_no_wall_sit() -> None:
    motion = filmed(take_of("bicep_curl", 3, reps=6))[1]
    assert not in_posture(motion, exercise("wall_sit")).any()
    assert not holds(filmed(take_of("squat", 3, reps=4))[1], exercise("wall_sit"))


def test_no_posture_without_its_joints_or_its_angles() -> None:
    motion = _on_the_wall(0)[1]
    knees = [f"{side}_knee" for side in ("left", "right")]
    assert not holds(without(motion, *knees), exercise("wall_sit"))
    assert not in_posture(motion, exercise("plank")).any()
