"""Sets, rests and plans, made of what the coach says."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from posepipe.exercise.count import Cycle
from posepipe.exercise.types import CoachState, Repetition
from posepipe.record.session import PlanStep
from posepipe.skeleton import H36M17
from posepipe.types import PoseTrack
from posepipe.ui.training import TRAINING, Training, propped

STEP_S = 0.1


class Gym:
    """Somebody who exercises in front of a coach that always sees right."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self.time_s = 0.0
        self.label: str | None = training.exercise
        self.reps: list[Repetition] = []
        self.coached = training.exercise

    def reps_of(self, label: str) -> list[Repetition]:
        return self.reps

    def step(self, holding: bool = False) -> None:
        self.time_s += STEP_S
        if self.training.exercise != self.coached:
            self.training.new_coach(self.reps_of)
            self.coached = self.label = self.training.exercise
            self.reps = []
        self.training.step(CoachState(self.time_s, self.label, reps=len(self.reps)), holding, self.reps_of)

    def wait(self, seconds: float, holding: bool = False) -> None:
        for _ in range(round(seconds / STEP_S)):
            self.step(holding)

    def do(self, number: int, every_s: float = 2.0) -> None:
        for _ in range(number):
            self.wait(every_s - STEP_S)
            self.reps.append(Repetition(self.time_s - 1.5, self.time_s - 0.7, self.time_s))
            self.step()

    def recognised(self, label: str | None) -> None:
        self.label, self.reps = label, []


def test_a_set_stays_until_the_next_begins() -> None:
    gym = Gym(Training())
    gym.recognised("squat")
    gym.do(5)
    gym.recognised(None)
    gym.wait(60.0)
    now = gym.training.showing()
    assert (now.exercise, now.count, now.phase) == ("squat", 5, "rest")
    assert now.rest_s == pytest.approx(60.0, abs=0.5)
    # Somebody who stands still on hands and toes for a moment holds no plank.
    gym.recognised("plank")
    gym.wait(3.0, holding=True)
    assert gym.training.showing().count == 5
    gym.recognised("push_up")
    gym.do(2)
    now = gym.training.showing()
    assert (now.exercise, now.count, now.phase) == ("push_up", 2, "work")
    first, second = gym.training.sets(gym.reps_of)
    assert (first.exercise, first.count, second.count) == ("squat", 5, 2)
    assert second.rest_s == pytest.approx(65.0, abs=1.0)


def test_a_coach_that_loses_the_name_for_a_moment_splits_no_set() -> None:
    gym = Gym(Training())
    for reps in (3, 4):
        gym.recognised("squat")
        gym.do(reps)
        gym.recognised(None)
        gym.wait(4.0)
    assert gym.training.showing().count == 7
    gym.wait(TRAINING.gap_s + 1.0)
    gym.recognised("squat")
    gym.do(2)
    assert [one.count for one in gym.training.sets(gym.reps_of)] == [7, 2]


def test_another_exercise_and_the_end_lose_nothing() -> None:
    gym = Gym(Training("squat"))
    gym.do(4)
    gym.training.choose("lunge", gym.reps_of)
    now = gym.training.showing()
    assert (now.exercise, now.count) == ("lunge", 0)
    assert [(one.exercise, one.count) for one in now.done] == [("squat", 4)]
    gym.step()
    gym.do(3)
    gym.training.finish(gym.reps_of)
    assert gym.training.showing().count == 3
    sets = gym.training.sets(gym.reps_of)
    assert [(one.exercise, one.count, len(one.reps)) for one in sets] == [("squat", 4, 4), ("lunge", 3, 3)]


@pytest.mark.parametrize("chosen", ["plank", None])
def test_a_hold_has_seconds(chosen: str | None) -> None:
    gym = Gym(Training(chosen))
    gym.recognised("plank")
    gym.wait(6.0, holding=False)
    assert gym.training.showing().count == 0
    gym.wait(20.0, holding=True)
    gym.wait(1.0, holding=False)  # Lost from sight.
    gym.wait(10.0, holding=True)
    held = gym.training.showing().held_s
    assert held == pytest.approx(31.0, abs=0.5)
    gym.wait(5.0, holding=False)
    now = gym.training.showing()
    assert (now.phase, now.held_s) == ("rest", held)
    (only,) = gym.training.sets(gym.reps_of)
    assert (only.exercise, only.count, only.held_s) == ("plank", 0, held)


def test_a_plan_from_its_first_repetition_to_its_end() -> None:
    plan = [PlanStep("squat", 2, reps=3, rest_s=20.0), PlanStep("plank", 1, held_s=10.0, rest_s=30.0)]
    gym = Gym(Training(plan=plan))
    assert gym.training.exercise == "squat"
    now = gym.training.showing()
    assert (now.set_number, now.sets, now.target_reps, now.count) == (1, 2, 3, 0)
    gym.do(3)
    now = gym.training.showing()
    assert (now.phase, now.count, now.after, now.event.code) == ("rest", 3, "squat", "set_done")
    assert now.rest_s == pytest.approx(20.0, abs=0.2)
    gym.do(1)  # One more than planned belongs to the set,
    assert gym.training.showing().count == 4
    gym.wait(9.0)
    gym.do(1)  # stretching in the rest doesn't.
    assert gym.training.showing().count == 4
    gym.wait(7.5)
    now = gym.training.showing()
    assert (now.phase, now.set_number, now.count, now.event.code) == ("work", 2, 0, "rest_over")
    gym.do(3)
    gym.wait(10.0)
    assert gym.training.exercise == "squat"
    gym.wait(10.5)
    assert gym.training.exercise == "plank"
    assert gym.training.showing().target_s == 10.0
    gym.wait(4.0, holding=True)
    gym.wait(5.0)
    gym.wait(7.0, holding=True)
    now = gym.training.showing()
    assert (now.phase, now.exercise, now.event.code) == ("done", "plank", "plan_done")
    sets = gym.training.sets(gym.reps_of)
    assert [(one.exercise, one.count, one.target_reps, one.target_s) for one in sets] == [
        ("squat", 4, 3, None), ("squat", 3, 3, None), ("plank", 0, None, 10.0),
    ]  # fmt: skip
    assert sets[2].held_s == pytest.approx(10.0, abs=0.3)
    assert all(len(one.reps) == one.count for one in sets)


def test_next_ends_a_set_and_a_rest() -> None:
    gym = Gym(Training(plan=[PlanStep("squat", 3, reps=10, rest_s=60.0)]))
    gym.do(4)
    gym.training.skip(gym.reps_of)
    assert gym.training.showing().phase == "rest"
    gym.training.skip(gym.reps_of)
    now = gym.training.showing()
    assert (now.phase, now.set_number, now.count) == ("work", 2, 0)
    gym.training.skip(gym.reps_of)  # A set that wasn't begun is left out.
    assert gym.training.showing().set_number == 3
    gym.do(2)
    gym.training.skip(gym.reps_of)
    assert gym.training.showing().phase == "done"
    assert [one.count for one in gym.training.sets(gym.reps_of)] == [4, 2]


def test_a_plan_that_ends_leaves_what_was_done() -> None:
    gym = Gym(Training("squat"))
    gym.do(2)
    gym.training.begin_plan([PlanStep("squat", 1, reps=5)], gym.reps_of)
    gym.do(3)
    gym.training.begin_plan((), gym.reps_of)
    gym.do(1)
    assert [one.count for one in gym.training.sets(gym.reps_of)] == [2, 3, 1]


def _pose(trunk_deg: float, arm_deg: float) -> PoseTrack:
    """A trunk tilted from upright, and an upper arm turned from hanging."""
    xyz = np.zeros((1, 17, 3), np.float32)
    trunk, arm = math.radians(trunk_deg), math.radians(arm_deg)
    thorax = 0.5 * np.array([math.sin(trunk), -math.cos(trunk), 0.0])
    xyz[0, H36M17.index("thorax")] = thorax
    for side in ("left", "right"):
        xyz[0, H36M17.index(f"{side}_shoulder")] = thorax
        xyz[0, H36M17.index(f"{side}_elbow")] = thorax + 0.3 * np.array([math.sin(arm), math.cos(arm), 0.0])
    flat = np.zeros((1, 17), np.float32)
    return PoseTrack(
        H36M17, np.zeros(1), xyz, flat, np.zeros((1, 3), np.float32), np.zeros((1, 3), np.float32),
        np.ones((1, 17), np.bool_), np.zeros((1, 17), np.bool_),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("trunk_deg", "arm_deg", "held"),
    [(75.0, 10.0, True), (75.0, -20.0, True), (5.0, 5.0, False), (88.0, 85.0, False), (30.0, 10.0, False)],
)
def test_who_is_propped_up(trunk_deg: float, arm_deg: float, held: bool) -> None:
    pose = _pose(trunk_deg, arm_deg)
    assert propped(pose) is held
    assert not propped(replace(pose, valid=np.zeros_like(pose.valid)))


def cycles(*starts_s: float) -> tuple[Cycle, ...]:
    return tuple(Cycle(start_s, start_s + 0.8, start_s + 1.6) for start_s in starts_s)


def test_a_movement_without_a_name_is_counted_as_one() -> None:
    gym = Gym(Training())
    gym.wait(10.0)
    gym.training.nameless(cycles(1.0, 3.0, 5.0), gym.reps_of)
    gym.wait(2.0)
    gym.training.nameless(cycles(9.0), gym.reps_of)
    now = gym.training.showing()
    assert (now.exercise, now.count, now.phase) == ("", 4, "work")
    gym.wait(20.0)
    assert gym.training.showing().phase == "rest"
    only = gym.training.sets(gym.reps_of)[0]
    assert (only.exercise, only.count, len(only.reps), only.start_s) == ("", 4, 4, 1.0)
    # Neither where an exercise was chosen nor where a plan says which.
    for training in (Training("squat"), Training(plan=[PlanStep("squat", 1, reps=5)])):
        training.nameless(cycles(1.0, 3.0, 5.0), gym.reps_of)
        assert training.sets(gym.reps_of) == ()


def test_a_name_that_comes_late_counts_nothing_twice() -> None:
    gym = Gym(Training())
    gym.wait(12.0)
    gym.training.nameless(cycles(0.5, 3.0, 6.0, 9.0), gym.reps_of)
    # The coach recognises it, and counts its memory anew: from 5.9 s on.
    gym.recognised("squat")
    gym.reps = [Repetition(5.9, 6.8, 7.6), Repetition(8.9, 9.8, 10.6)]
    gym.step()
    first, second = gym.training.sets(gym.reps_of)
    assert (first.exercise, first.count, second.exercise, second.count) == ("", 2, "squat", 2)
    assert first.end_s == pytest.approx(4.6)
    # Nothing is left of the nameless set.
    gym = Gym(Training())
    gym.wait(8.0)
    gym.training.nameless(cycles(0.5, 3.0, 5.5), gym.reps_of)
    gym.recognised("squat")
    gym.reps = [Repetition(start_s, start_s + 0.8, start_s + 1.6) for start_s in (0.4, 2.9, 5.4)]
    gym.step()
    assert [(one.exercise, one.count) for one in gym.training.sets(gym.reps_of)] == [("squat", 3)]
