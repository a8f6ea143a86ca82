"""The live coach: names the exercise, counts, and says the one thing that matters most now.

It speaks by a ladder: be in the picture, turn so that the camera sees the exercise, show the joints, and only then
form. What a lower step puts in doubt isn't said on a higher one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from posepipe.body.motion import Motion, facing
from posepipe.exercise.analyse import result_of
from posepipe.exercise.catalogue import Catalogue, Exercise, Rule, load_catalogue
from posepipe.exercise.count import Counted, Cycle, RepCounter, RepStep
from posepipe.exercise.effort import UNKNOWN, lift_speed, lifted_joint
from posepipe.exercise.features import WINDOW_S
from posepipe.exercise.form import advice, beyond_doubt, describe, rules_seen, view_of
from posepipe.exercise.hold import held, in_posture
from posepipe.exercise.labels import LABELS, WALKING
from posepipe.exercise.signal import Measure, measure
from posepipe.exercise.types import Bout, CoachState, Feedback, Form, Level, Phase, Rejected, Repetition, SessionSummary
from posepipe.reasons import Reason
from posepipe.settings import setting
from posepipe.skeleton import Layout
from posepipe.types import Angles, FloatArray, Keypoints, PoseTrack

__all__ = ["Coach"]


@dataclass(frozen=True, slots=True)
class CoachSettings:
    """When the coach opens and ends a bout, and when it speaks."""

    memory_s: float = setting(
        8.0, "a new exercise is counted from this long ago: recognising it takes a repetition or so", unit="s",
        source="judgement",
    )  # fmt: skip
    settle_s: float = setting(
        0.6, "time constant of the labels' running mean", unit="s",
        source="of 0.8, 0.6 and 0.5 on 43 synthetic sets (seed 9712 of `posepipe.lab.counter.live`) 121, 123, 124 of "
        "125 counts come in time, and of 36 clips of other things (seed 9713) 5, 5 and 6 are counted",
    )  # fmt: skip
    start: float = setting(0.6, "mean probability from which an exercise begins", source="judgement")
    stop: float = setting(0.35, "mean probability under which it can give way to another", source="judgement")
    lasting_s: float = setting(0.7, "what is wrong is spoken of after so long", unit="s", source="judgement")
    alone_s: float = setting(0.3, "that nobody is there is spoken of after so long", unit="s", source="judgement")
    say_s: float = setting(3.0, "a fault of form is shown for so long", unit="s", source="judgement")
    look_s: float = setting(
        0.2, "the view, and how a posture is held, are looked at this often", unit="s", source="judgement"
    )
    held_s: float = setting(1.0, "how a posture is held is judged over so long", unit="s", source="judgement")
    before_s: float = setting(
        0.2, "frames before a repetition that are looked at to describe it", unit="s", source="judgement"
    )
    outside: float = setting(0.02, "a joint is out of the picture by so much of its longer side", source="judgement")


COACH = CoachSettings()


class _Stream(Protocol):
    def step(
        self, time_s: float, xyz_m: FloatArray, sigma_m: FloatArray | None = None, root_m: FloatArray | None = None
    ) -> FloatArray | None: ...


class _Starts(Protocol):
    def start(self, layout: Layout) -> _Stream: ...


@dataclass(slots=True)
class _Open:
    """The bout going on."""

    label: str
    start_s: float
    counter: RepCounter
    confidence: float = 0.0
    # Summed over frames: a list of them would grow for as long as the bout goes on.
    confidence_sum: float = 0.0
    frames: int = 0
    reps: list[Repetition] = field(default_factory=list)
    # Seen, and each too doubtful to count until the set as a whole isn't.
    waiting: list[Repetition] = field(default_factory=list)
    # Which of the counter's cycles each repetition is, counted and waiting ones.
    cycle_of: list[int] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


class Coach:
    """One person's live session.

    Args:
        exercise: the exercise the person chose; None recognises it.
        recogniser: names movements (`posepipe.exercise.recognise.Recogniser`); needed if `exercise` is None.
        catalogue: exercises known; posepipe's own if None.
    """

    def __init__(
        self, exercise: str | None = None, recogniser: _Starts | None = None, catalogue: Catalogue | None = None
    ) -> None:
        self.catalogue = catalogue or load_catalogue()
        self.exercise = exercise
        self._recogniser = recogniser
        if exercise is not None:
            self.catalogue[exercise]  # names the valid ones, if it isn't one
        self.reset()

    def reset(self) -> None:
        """Begin a new session."""
        self._stream: _Stream | None = None
        self._past: deque[tuple[PoseTrack, Angles]] = deque()
        self._belief: NDArray[np.float64] = np.full(len(LABELS), np.nan)
        self._walking = False
        self._open: _Open | None = None
        self._done: list[Bout] = []
        self._first_s = self._last_s = float("nan")
        self._bad: dict[str, float] = {}
        self._said: tuple[float, Feedback] | None = None
        self._view, self._look_s = "unknown", -np.inf
        self._amiss: Rule | None = None

    def step(
        self, time_s: float, pose: PoseTrack, angles: Angles, keypoints: Keypoints, size_px: tuple[int, int]
    ) -> CoachState:
        """Take one frame.

        Args:
            time_s: its time; one that isn't after the last changes nothing.
            pose: of one frame, as in `posepipe.live.LivePerson`.
            angles: of that pose.
            keypoints: of the same frame.
            size_px: width and height of the picture.
        """
        if not time_s > self._last_s and np.isfinite(self._last_s):
            return self._state(self._last_s, None, Feedback())
        self._first_s = time_s if np.isnan(self._first_s) else self._first_s
        gap_s, self._last_s = time_s - self._last_s, time_s
        self._past.append((pose, angles))
        while self._past[0][0].time_s[0] < time_s - COACH.memory_s:
            self._past.popleft()
        label, confidence = self._recognised(time_s, pose, gap_s)
        self._follow(time_s, label, confidence)
        if self._open is None:
            return self._state(time_s, None, self._feedback(time_s, pose, None, keypoints, size_px))
        seen = measure(Motion.from_frames([(pose, angles)]), self._open.counter.exercise.signal)
        step = self._open.counter.step(time_s, seen.deg[0])
        self._noted(self._open, step)
        return self._state(time_s, step, self._feedback(time_s, pose, seen, keypoints, size_px))

    def nobody(self, time_s: float) -> CoachState:
        """A frame in which the person wasn't found."""
        if time_s > self._last_s or np.isnan(self._last_s):
            self._first_s = time_s if np.isnan(self._first_s) else self._first_s
            self._last_s = time_s
        text = "Step into the picture."
        if self._lasting("nobody", True, time_s, COACH.alone_s):
            return self._state(time_s, None, Feedback(Level.FRAME, "nobody_found", text))
        return self._state(time_s, None, Feedback())

    def summary(self) -> SessionSummary:
        """The session so far."""
        done = list(self._done)
        if self._open is not None:
            done.append(self._closed(self._open, self._last_s))
        done = [bout for bout in done if bout.reps or bout.rejected or not self.catalogue[bout.label].counted]
        start_s, end_s = (0.0, 0.0) if np.isnan(self._first_s) else (self._first_s, self._last_s)
        return SessionSummary(start_s, end_s, result_of(done))

    def _recognised(self, time_s: float, pose: PoseTrack, gap_s: float) -> tuple[str | None, float]:
        """Label and its smoothed probability; None while nothing is sure."""
        if self.exercise is not None:
            return self.exercise, 1.0
        if self._recogniser is None:
            return None, 0.0
        if self._stream is None:
            self._stream = self._recogniser.start(pose.layout)
        xyz = np.where(pose.valid[0][:, None], pose.xyz_m[0], np.float32(np.nan))
        found = self._stream.step(time_s, xyz, pose.sigma_m[0], pose.root_m[0])
        if found is None:
            return self._open.label if self._open else None, 0.0
        share = 1.0 if np.isnan(self._belief).any() else min(1.0, max(gap_s, 0.0) / COACH.settle_s)
        self._belief = np.where(np.isnan(self._belief), found, self._belief + share * (found - self._belief))
        walks = float(self._belief[LABELS.index(WALKING)])
        self._walking = walks >= (COACH.stop if self._walking else COACH.start)
        best = int(self._belief.argmax())
        if self._open is not None:
            mine = float(self._belief[LABELS.index(self._open.label)])
            if mine >= COACH.stop or self._belief[best] < COACH.start:
                return self._open.label, mine
        name, confidence = LABELS[best], float(self._belief[best])
        return (name, confidence) if confidence >= COACH.start and name in self.catalogue else (None, confidence)

    def _follow(self, time_s: float, label: str | None, confidence: float) -> None:
        """Open and close bouts."""
        if self._open is not None and self._open.label != label:
            self._done.append(self._closed(self._open, time_s))
            self._open = None
        if label is None:
            return
        if self._open is None:
            # A hold gives way: a push-up begins as a plank does.
            since = max((rep.end_s for bout in self._done for rep in bout.reps), default=-np.inf)
            past = [item for item in self._past if item[0].time_s[0] > since] or [self._past[-1]]
            start_s = float(past[0][0].time_s[0]) if self.exercise is None else time_s
            if self.exercise is None and not self.catalogue[label].counted:
                start_s = max(start_s, self._held((time_s - WINDOW_S, time_s))[0])
            self._open = _Open(label, start_s, RepCounter(self.catalogue[label]))
            cut = [replace(bout, end_s=min(bout.end_s, start_s)) for bout in self._done]
            self._done = [bout for bout in cut if bout.end_s > bout.start_s]
            if self.exercise is None and len(past) > 1:
                self._replay(self._open, past[:-1])
        self._open.confidence = confidence
        self._open.confidence_sum += confidence
        self._open.frames += 1

    def _replay(self, bout: _Open, past: Sequence[tuple[PoseTrack, Angles]]) -> None:
        motion = Motion.from_frames(past)
        deg = measure(motion, bout.counter.exercise.signal).deg
        for time_s, row in zip(motion.time_s, deg, strict=True):
            self._noted(bout, bout.counter.step(float(time_s), row))

    def _noted(self, bout: _Open, step: RepStep) -> None:
        if step.rejected is not None:
            bout.rejected.append(step.rejected)
        if step.counted is None:
            return
        self._timed(bout)
        # It counts half-way back: how fast the whole lift was is known once it is over.
        rep = replace(self._described(bout.counter.exercise, step.counted), speed_m_s=UNKNOWN)
        bout.waiting.append(rep)
        bout.cycle_of.append(len(bout.counter.cycles) - 1)
        if beyond_doubt((*bout.reps, *bout.waiting))[1]:
            return
        bout.reps += bout.waiting
        bout.waiting.clear()
        self._said = (self._last_s, _said_of(bout.counter.exercise, rep))

    def _timed(self, bout: _Open) -> None:
        """Tell the speed of the last repetition, which is over by now."""
        if not bout.reps or not bout.counter.exercise.lifts:
            return
        cycle = bout.counter.cycles[bout.cycle_of[len(bout.reps) - 1]]
        past = [item for item in self._past if cycle.start_s - COACH.before_s <= item[0].time_s[0] <= cycle.end_s]
        if len(past) < 2 or past[0][0].time_s[0] > cycle.start_s:
            return
        motion = Motion.from_frames(past)
        joint_m = lifted_joint(motion, bout.counter.exercise.lifts)
        speed_m_s = lift_speed(motion.time_s, joint_m, motion.up.astype(np.float64), cycle)
        bout.reps[-1] = replace(bout.reps[-1], speed_m_s=speed_m_s)

    def _described(self, exercise: Exercise, cycle: Cycle) -> Repetition:
        past = [item for item in self._past if cycle.start_s - COACH.before_s <= item[0].time_s[0]]
        if len(past) < 2:
            return Repetition(cycle.start_s, cycle.turn_s, cycle.end_s)
        return describe(Motion.from_frames(past), exercise, Counted((cycle,)))[0]

    def _held(self, span: tuple[float, float]) -> tuple[float, float]:
        """When a posture was reached and left, of what is remembered."""
        return held(Motion.from_frames(self._past), span) if len(self._past) > 1 else span

    def _closed(self, bout: _Open, end_s: float) -> Bout:
        self._timed(bout)
        if self.exercise is None and not bout.counter.exercise.counted:
            # It is known to be over a second or two after it was left.
            end_s = self._held((max(bout.start_s, end_s - 2.0 * WINDOW_S), end_s))[1]
        # The counter learns of the other side and of the true end later than it counts.
        cycles = [bout.counter.cycles[i] for i in bout.cycle_of[: len(bout.reps)]]
        reps = [
            replace(rep, side=cycle.side, end_s=max(rep.end_s, cycle.end_s))
            for rep, cycle in zip(bout.reps, cycles, strict=True)
        ]
        confidence = bout.confidence_sum / bout.frames if bout.frames else 0.0
        doubtful = beyond_doubt((*bout.reps, *bout.waiting))[1]
        rejected = sorted((*bout.rejected, *doubtful), key=lambda one: one.start_s)
        return Bout(bout.label, confidence, bout.start_s, end_s, tuple(reps), tuple(rejected))

    def _feedback(
        self, time_s: float, pose: PoseTrack, seen: Measure | None, keypoints: Keypoints, size_px: tuple[int, int]
    ) -> Feedback:
        """The lowest step of the ladder that has been wrong for a while."""
        self._bad.pop("nobody", None)
        exercise = self._open.counter.exercise if self._open else None
        needs = exercise.needs if exercise and exercise.needs else ("shoulder", "hip", "knee")
        if self._lasting("frame", _cropped(keypoints, needs, size_px), time_s):
            return Feedback(Level.FRAME, "out_of_frame", "Step back until your whole body is in the picture.")
        if exercise is None or seen is None:
            return Feedback()
        if not time_s < self._look_s:
            self._look_s = time_s + COACH.look_s
            self._view = view_of(facing(pose)[0])
            self._amiss = self._held_amiss(exercise, time_s)
        if self._lasting("view", self._view != "unknown" and self._view not in exercise.views, time_s):
            return Feedback(Level.VIEW, "wrong_view", _turn(exercise.views))
        if self._lasting("joint", not np.isfinite(seen.deg).any(), time_s):
            parts = " and ".join(exercise.needs[-2:]) or "body"
            return Feedback(Level.JOINT, "joint_unseen", f"I can't see your {parts}.")
        if self._lasting("held", self._amiss is not None, time_s) and self._amiss is not None:
            return Feedback(Level.FORM, self._amiss.code, self._amiss.say)
        if self._said is not None and time_s - self._said[0] <= COACH.say_s:
            return self._said[1]
        return Feedback()

    def _held_amiss(self, exercise: Exercise, time_s: float) -> Rule | None:
        """The first rule broken beyond doubt by the way a posture is held now."""
        past = [item for item in self._past if item[0].time_s[0] >= time_s - COACH.held_s]
        if not exercise.posture or len(past) < 2:
            return None
        motion = Motion.from_frames(past)
        if not in_posture(motion, exercise)[-1]:
            return None
        whole = Cycle(float(motion.time_s[0]), float(motion.time_s[len(past) // 2]), time_s)
        broken = {seen.code for seen in rules_seen(motion, exercise, whole) if seen.broken}
        return next((rule for rule in exercise.rules if rule.code in broken), None)

    def _lasting(self, what: str, wrong: bool, time_s: float, least_s: float = COACH.lasting_s) -> bool:
        """Whether something has been wrong for long enough to speak of it."""
        if not wrong:
            self._bad.pop(what, None)
            return False
        return time_s - self._bad.setdefault(what, time_s) >= least_s

    def _state(self, time_s: float, step: RepStep | None, feedback: Feedback) -> CoachState:
        total = sum(len(bout.reps) for bout in self._done)
        if self._open is None:
            return CoachState(time_s, reps_total=total, feedback=feedback, walking=self._walking)
        bout = self._open
        return CoachState(
            time_s=time_s,
            label=bout.label,
            confidence=bout.confidence,
            reps=len(bout.reps),
            reps_total=total + len(bout.reps),
            phase=step.phase if step else Phase.REST,
            progress=step.progress if step else float("nan"),
            last_rep=bout.reps[-1] if bout.reps else None,
            feedback=feedback,
        )


def _cropped(keypoints: Keypoints, needs: Sequence[str], size_px: tuple[int, int]) -> bool:
    """Whether a joint that is needed lies outside the picture on both sides of the body."""
    spare = COACH.outside * max(size_px)
    for joint in needs:
        index = keypoints.layout.indices(f"left_{joint}", f"right_{joint}")
        xy = keypoints.xy_px[index]
        with np.errstate(invalid="ignore"):
            inside = (xy > -spare).all(axis=1) & (xy < np.array(size_px) + spare).all(axis=1)
        if not inside.any():
            return True
    return False


def _said_of(exercise: Exercise, rep: Repetition) -> Feedback:
    """What to say of a repetition's form."""
    if rep.faults:
        code = rep.faults[0]
        return Feedback(Level.FORM, code, next(rule.say for rule in exercise.rules if rule.code == code))
    if rep.form is Form.GOOD:
        return Feedback(Level.GOOD, "good_form", "Good.")
    if rep.form is Form.NO_FAULT:
        return Feedback(Level.GOOD, "no_fault_seen", "No fault seen.")
    if not rep.not_judged:
        return Feedback()
    code, reason = next(iter(rep.not_judged.items()))
    level, ask = Level.JOINT, advice(exercise, code, reason)
    if reason is Reason.WRONG_VIEW:
        level = Level.VIEW
        ask = _turn(next((rule.views for rule in exercise.rules if rule.code == code), exercise.views))
    return Feedback(level, f"not_judged_{reason}", f"Couldn't be judged. {ask}".strip())


def _turn(views: Set[str]) -> str:
    """What to do so that the camera sees one of these sides."""
    if {"left", "right"} & views:
        return "Turn sideways to the camera."
    return "Turn to face the camera." if "front" in views else "Turn your back to the camera."
