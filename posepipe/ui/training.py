"""Sets, rests and a plan, made of what the coach says frame by frame.

A set stays until the next one begins: whoever racks the bar and walks to the screen still reads what was counted. No
Streamlit here, and no pictures: the stage steps it on its thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from posepipe.exercise.catalogue import load_catalogue
from posepipe.exercise.coach import COACH
from posepipe.exercise.count import Cycle
from posepipe.exercise.types import CoachState, Repetition
from posepipe.record.session import PlanStep, TrainingSet
from posepipe.settings import setting
from posepipe.types import PoseTrack

__all__ = ["TRAINING", "Event", "Showing", "Training", "TrainingSettings", "propped"]

Phase = Literal["idle", "work", "rest", "done"]
RepsOf = Callable[[str], Sequence[Repetition]]
_NAMELESS = ""
"""The exercise of a set that nobody can name, as in session.json."""


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """When a set begins and ends."""

    gap_s: float = setting(
        15.0, "a set without a plan is over after so long without a repetition", unit="s", source="judgement"
    )
    hold_gap_s: float = setting(
        2.0, "a hold that isn't seen for no longer than this goes on", unit="s", source="judgement"
    )
    hold_least_s: float = setting(
        5.0, "a hold that nobody chose is a set from here on: a push-up begins as a plank", unit="s", source="judgement"
    )
    chosen_least_s: float = setting(
        1.0, "a hold that was chosen is a set from here on: who kneels down passes through it", unit="s",
        source="judgement",
    )  # fmt: skip
    extra_s: float = setting(
        6.0, "a repetition this soon after the last belongs to its set, though the target was reached", unit="s",
        source="judgement",
    )  # fmt: skip
    ready_s: float = setting(
        5.0, "the coach turns to the next exercise so long before the rest is over", unit="s", source="judgement"
    )
    lying_deg: float = setting(
        50.0, "a trunk tilted from upright by more is held off the floor", unit="deg", source="judgement"
    )
    arm_deg: float = setting(
        50.0, "an upper arm that hangs down by less than this props the trunk up", unit="deg", source="judgement"
    )


TRAINING = TrainingSettings()


@dataclass(frozen=True, slots=True)
class Event:
    """Something to announce.

    Attributes:
        number: counts up, so that each is said once.
        code: "set_done", "rest_over" or "plan_done".
    """

    number: int = 0
    code: str = ""


@dataclass(frozen=True, slots=True)
class Showing:
    """What stands on the page now.

    Attributes:
        phase: "idle" before anything was done, "work", "rest" between sets, "done" after the plan.
        exercise: of the set that is shown, or the one to do; None while it isn't known.
        count: its repetitions.
        held_s: how long it has been held; None where repetitions are counted.
        set_number, sets: which of the plan's sets of this exercise; 0 of 0 without a plan.
        target_reps, target_s: what the plan asks for.
        rest_s: rest that is left with a plan, rest so far without; None while working.
        after: the exercise after the rest; None without a plan or after its last set.
        done: sets that ended, the newest last; the set that is shown is among them once it has ended.
        event: the newest announcement.
    """

    phase: Phase = "idle"
    exercise: str | None = None
    count: int = 0
    held_s: float | None = None
    set_number: int = 0
    sets: int = 0
    target_reps: int | None = None
    target_s: float | None = None
    rest_s: float | None = None
    after: str | None = None
    done: tuple[TrainingSet, ...] = ()
    event: Event = field(default_factory=Event)


@dataclass(frozen=True, slots=True)
class _Task:
    """One set of the plan."""

    exercise: str
    number: int
    sets: int
    reps: int | None
    held_s: float | None
    rest_s: float


@dataclass(slots=True)
class _Current:
    """The set that is shown."""

    exercise: str
    start_s: float
    first: int
    task: _Task | None = None
    count: int = 0
    held_s: float | None = None
    last_s: float = 0.0
    rest_s: float | None = None
    over: bool = False
    reps: tuple[Repetition, ...] = ()


class Training:
    """Makes sets of what a coach counts.

    Args:
        exercise: the one chosen; None takes what the coach recognises.
        plan: exercises, sets and targets; goes before `exercise`.
        settings: thresholds.
    """

    def __init__(
        self, exercise: str | None = None, plan: Sequence[PlanStep] = (), settings: TrainingSettings = TRAINING
    ) -> None:
        self.plan = tuple(plan)
        self.chosen = exercise
        self._settings = settings
        self._tasks = [
            _Task(step.exercise, number, step.sets, step.reps, step.held_s, step.rest_s)
            for step in self.plan
            for number in range(1, step.sets + 1)
        ]
        self._at = 0
        self._resting_until_s: float | None = None
        self._closed: list[TrainingSet] = []
        self._current: _Current | None = None
        self._time_s = 0.0
        self._label: str | None = None
        self._seen = 0
        self._totals: dict[str, int] = {}
        self._hold_last_s = -math.inf
        self._hold_run_s = 0.0
        self._event = Event()

    @property
    def exercise(self) -> str | None:
        """What the coach shall look for now; None lets it find out."""
        if not self._tasks:
            return self.chosen
        task = self._task()
        if task is None:
            return self._tasks[-1].exercise
        if self._resting_until_s is not None and self._time_s < self._resting_until_s - self._settings.ready_s:
            # The last movements of the set before still count for it.
            return self._tasks[self._at - 1].exercise
        return task.exercise

    def choose(self, exercise: str | None, reps_of: RepsOf) -> None:
        """Another exercise; the set so far is over and stays."""
        if exercise != self.chosen:
            self.chosen = exercise
            if not self._tasks:
                self._end(reps_of)

    def begin_plan(self, plan: Sequence[PlanStep], reps_of: RepsOf) -> None:
        """Train by another plan, or by none; sets that were done stay."""
        self._end(reps_of)
        self._close()
        made = Training(self.chosen, plan, self._settings)
        self.plan, self._tasks, self._at = made.plan, made._tasks, 0
        self._resting_until_s = None

    def new_coach(self, reps_of: RepsOf) -> None:
        """The coach is about to be changed: the new one counts from zero.

        Args:
            reps_of: of the old one.
        """
        self._end(reps_of)
        self._label, self._seen, self._totals = None, 0, {}

    def step(self, state: CoachState, holding: bool, reps_of: RepsOf) -> None:
        """Take what the coach knows after a frame.

        Args:
            state: of the frame.
            holding: the body is propped up off the floor, see `propped`.
            reps_of: gives all repetitions that this coach has described of an exercise.
        """
        self._time_s = state.time_s
        new = self._counted(state)
        if self._resting_until_s is not None and self._time_s >= self._resting_until_s:
            self._resting_until_s = None
            self._say("rest_over")
        label = state.label
        if label is not None and label not in load_catalogue():
            label = None
        if new and label is not None:
            self._repeat(label, new, reps_of)
        if label is not None and not load_catalogue()[label].counted:
            self._hold(label, holding, reps_of)
        current = self._current
        if current is None or current.over:
            return
        if self._reached(current) or (current.task is None and self._time_s - current.last_s > self._quiet_s(current)):
            self._end(reps_of)

    def nameless(self, cycles: Sequence[Cycle], reps_of: RepsOf) -> None:
        """Repetitions of a movement that nobody named; only where none was chosen or planned.

        Args:
            cycles: counted since the last call.
            reps_of: as in `step`.
        """
        if not cycles or self._tasks or self.chosen is not None:
            return
        current = self._current
        if current is None or current.over or current.exercise != _NAMELESS:
            self._end(reps_of)
            current = self._open(_NAMELESS, 0, 0)
            current.start_s = cycles[0].start_s
        current.reps += tuple(
            Repetition(
                cycle.start_s,
                cycle.turn_s,
                cycle.end_s,
                tempo_s=(cycle.turn_s - cycle.start_s, cycle.end_s - cycle.turn_s),
            )
            for cycle in cycles
        )
        current.count, current.last_s = len(current.reps), self._time_s

    def _named(self, since_s: float) -> None:
        """The movement got a name, and the coach counts it anew from then on: nothing is counted twice."""
        current = self._current
        if current is None or current.over or current.exercise != _NAMELESS:
            return
        current.reps = tuple(rep for rep in current.reps if rep.end_s <= since_s)
        current.count = len(current.reps)
        if current.reps:
            current.last_s = current.reps[-1].end_s
        else:
            self._current = None

    def skip(self, reps_of: RepsOf) -> None:
        """End the set, or the rest."""
        if self._resting_until_s is not None:
            self._resting_until_s = None
            self._say("rest_over")
        elif self._current is not None and not self._current.over:
            self._end(reps_of)
        elif self._task() is not None:
            # A set that wasn't begun is left out.
            self._at += 1
            if self._task() is None:
                self._say("plan_done")

    def finish(self, reps_of: RepsOf) -> None:
        """The camera was switched off."""
        if self._current is not None and not self._current.over and self._current.task is None:
            self._end(reps_of)

    def sets(self, reps_of: RepsOf) -> tuple[TrainingSet, ...]:
        """All sets so far, with the one under way."""
        current = self._current
        if current is None:
            return tuple(self._closed)
        if not current.over:
            self._describe(current, reps_of)
        return (*self._closed, _record(current))

    def showing(self) -> Showing:
        """What stands on the page now."""
        current, task = self._current, self._task()
        done = (*self._closed, _record(current)) if current is not None and current.over else tuple(self._closed)
        resting = self._resting_until_s is not None
        if not self._tasks:
            return self._free(current, done)
        phase: Phase = "done" if task is None else "rest" if resting else "work"
        if task is None or resting or (current is not None and not current.over):
            shown = current.task if current is not None else None
        else:
            shown, current = task, None
        if shown is None:
            return Showing("done" if task is None else phase, done=done, event=self._event)
        held_s = current.held_s if current is not None else None
        return Showing(
            phase=phase,
            exercise=shown.exercise,
            count=current.count if current is not None else 0,
            held_s=held_s if held_s is not None else 0.0 if shown.held_s is not None else None,
            set_number=shown.number,
            sets=shown.sets,
            target_reps=shown.reps,
            target_s=shown.held_s,
            rest_s=max(0.0, self._resting_until_s - self._time_s) if self._resting_until_s is not None else None,
            after=task.exercise if task is not None and resting else None,
            done=done,
            event=self._event,
        )

    def _free(self, current: _Current | None, done: tuple[TrainingSet, ...]) -> Showing:
        """Without a plan."""
        chosen = self.chosen
        if current is None or (current.over and chosen is not None and current.exercise != chosen):
            held = 0.0 if chosen is not None and not load_catalogue()[chosen].counted else None
            return Showing("idle", chosen or self._label, held_s=held, done=done, event=self._event)
        return Showing(
            phase="rest" if current.over else "work",
            exercise=current.exercise,
            count=current.count,
            held_s=current.held_s,
            rest_s=self._time_s - current.last_s if current.over else None,
            done=done,
            event=self._event,
        )

    def _task(self) -> _Task | None:
        return self._tasks[self._at] if self._at < len(self._tasks) else None

    def _counted(self, state: CoachState) -> int:
        """How many repetitions the coach has counted since the last frame."""
        if state.label != self._label or state.reps < self._seen:
            self._seen = 0
        self._label = state.label
        new, self._seen = state.reps - self._seen, state.reps
        return new

    def _repeat(self, label: str, new: int, reps_of: RepsOf) -> None:
        before = self._totals.get(label, 0)
        self._totals[label] = before + new
        current, task = self._current, self._task()
        resting = self._resting_until_s is not None or (bool(self._tasks) and task is None)
        late = resting and current is not None and self._time_s - current.last_s <= self._settings.extra_s
        same = current is not None and current.exercise == label and current.held_s is None
        if current is not None and same and (not current.over or late):
            current.count += new
            current.last_s = self._time_s
            if current.over:
                self._describe(current, reps_of)
            return
        if self._tasks and (task is None or self._resting_until_s is not None or task.exercise != label):
            return
        told = reps_of(label)[before : before + new]
        self._named(told[0].start_s if told else self._time_s - COACH.memory_s)
        self._end(reps_of)
        self._open(label, before, new)

    def _hold(self, label: str, holding: bool, reps_of: RepsOf) -> None:
        if not holding:
            return
        since_s = self._time_s - self._hold_last_s
        goes_on = since_s <= self._settings.hold_gap_s
        self._hold_last_s = self._time_s
        self._hold_run_s = self._hold_run_s + since_s if goes_on else 0.0
        current, task = self._current, self._task()
        mine = current is not None and not current.over and current.exercise == label and current.held_s is not None
        if mine and current is not None and current.held_s is not None:
            current.held_s += since_s if goes_on else 0.0
            current.last_s = self._time_s
            return
        if self._tasks and (task is None or self._resting_until_s is not None or task.exercise != label):
            return
        chosen = self._tasks or self.chosen == label
        if self._hold_run_s >= (self._settings.chosen_least_s if chosen else self._settings.hold_least_s):
            self._end(reps_of)
            opened = self._open(label, 0, 0)
            opened.held_s, opened.start_s = self._hold_run_s, self._time_s - self._hold_run_s

    def _open(self, label: str, first: int, count: int) -> _Current:
        rest_s = None
        if self._current is not None:
            rest_s = max(0.0, self._time_s - self._current.last_s)
        self._close()
        task = self._task()
        self._current = _Current(label, self._time_s, first, task, count, last_s=self._time_s, rest_s=rest_s)
        return self._current

    def _quiet_s(self, current: _Current) -> float:
        return self._settings.gap_s if current.held_s is None else self._settings.hold_gap_s

    def _reached(self, current: _Current) -> bool:
        task = current.task
        if task is None:
            return False
        if task.held_s is not None:
            return current.held_s is not None and current.held_s >= task.held_s
        return task.reps is not None and current.count >= task.reps

    def _end(self, reps_of: RepsOf) -> None:
        """The set is over; it stays on the page."""
        current = self._current
        if current is None or current.over:
            return
        self._describe(current, reps_of)
        current.over = True
        if current.task is None or current.task is not self._task():
            return
        self._at += 1
        if self._task() is None:
            self._say("plan_done")
        else:
            self._resting_until_s = self._time_s + current.task.rest_s
            self._say("set_done")

    def _close(self) -> None:
        """Another set begins."""
        if self._current is not None:
            self._closed.append(_record(self._current))
            self._current = None

    def _describe(self, current: _Current, reps_of: RepsOf) -> None:
        if current.held_s is None and current.exercise != _NAMELESS:
            current.reps = tuple(reps_of(current.exercise))[current.first : current.first + current.count]
            if current.reps:
                current.start_s = min(current.start_s, current.reps[0].start_s)

    def _say(self, code: str) -> None:
        self._event = Event(self._event.number + 1, code)


def _record(current: _Current) -> TrainingSet:
    task = current.task
    return TrainingSet(
        exercise=current.exercise,
        start_s=current.start_s,
        end_s=current.last_s,
        count=current.count,
        reps=current.reps,
        held_s=current.held_s,
        target_reps=task.reps if task is not None else None,
        target_s=task.held_s if task is not None else None,
        rest_s=current.rest_s,
    )


def propped(pose: PoseTrack, settings: TrainingSettings = TRAINING) -> bool:
    """Whether the trunk lies in the air, propped up by an arm: so a plank is held, but nobody who stands or lies flat.

    Args:
        pose: of one frame; the camera is taken to stand level.
        settings: thresholds.
    """
    trunk = _direction(pose, "pelvis", "thorax")
    if trunk is None or _angle_deg(trunk, (0.0, -1.0, 0.0)) < settings.lying_deg:
        return False
    arms = [_direction(pose, f"{side}_shoulder", f"{side}_elbow") for side in ("left", "right")]
    return any(arm is not None and _angle_deg(arm, (0.0, 1.0, 0.0)) < settings.arm_deg for arm in arms)


def _direction(pose: PoseTrack, start: str, end: str) -> NDArray[np.float64] | None:
    a, b = pose.layout.index(start), pose.layout.index(end)
    if not (pose.valid[-1, a] and pose.valid[-1, b]):
        return None
    return np.asarray(pose.xyz_m[-1, b] - pose.xyz_m[-1, a], dtype=np.float64)


def _angle_deg(a: NDArray[np.float64], b: tuple[float, float, float]) -> float:
    length = float(np.linalg.norm(a))
    return math.degrees(math.acos(max(-1.0, min(1.0, float(a @ np.asarray(b)) / length)))) if length > 0.0 else math.nan
