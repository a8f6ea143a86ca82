"""Exercises that are chosen by name: counted on synthetic people who do them."""

from __future__ import annotations

import numpy as np
import pytest
from exercise_kit import exercise, filmed, only

from posepipe.exercise.count import count_exercise
from posepipe.exercise.form import describe
from posepipe.lab.people.exercises.takes import make_exercise

DONE_AS = {
    "row": "bent row", "hip_thrust": "bridge", "glute_bridge": "bridge", "mountain_climber": "climber",
    "burpee": "burpee", "step_up": "step up", "good_morning": "good morning", "kettlebell_swing": "kettlebell",
    "dip": "dips", "lying_leg_raise": "leg raises",
}  # fmt: skip


@pytest.mark.parametrize("label", DONE_AS)
def test_four_are_four(label: str) -> None:
    for seed in range(3):
        rng = np.random.default_rng([31, seed])
        options = {"context": 0.0, "cut": 0.0, "partial": 0.0}
        take = make_exercise("other", rng, reps=4, factory=only(DONE_AS[label]), **options)
        _, motion = filmed(take, seed, noise_m=0.006, yaw_deg=20.0)
        counted = count_exercise(motion, exercise(label))
        assert len(counted) == 4, seed
        assert all(rep.rom_deg > rep.rom_sigma_deg for rep in describe(motion, exercise(label), counted))


def test_a_bench_press_begins_at_the_top() -> None:
    """Filmed from the chest upwards, the first and the last half make no repetition."""
    take = make_exercise(
        "other", np.random.default_rng([31, 0]), reps=4, context=0.0, cut=0.0, partial=0.0, factory=only("bench press")
    )
    assert len(count_exercise(filmed(take, noise_m=0.006)[1], exercise("bench_press"))) == 3


@pytest.mark.parametrize("label", ["side_plank", "wall_sit"])
def test_what_is_held_has_no_repetitions(label: str) -> None:
    assert not exercise(label).counted
