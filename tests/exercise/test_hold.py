"""When a held posture begins and ends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from exercise_kit import filmed, take_of

from posepipe.exercise.hold import HOLD, held


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
