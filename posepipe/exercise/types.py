"""What the exercise room hands over: repetitions, bouts, and what the live coach says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from posepipe.reasons import Reason

__all__ = [
    "SCORE",
    "Bout",
    "CoachState",
    "Consistency",
    "ExerciseResult",
    "Feedback",
    "Form",
    "Level",
    "Phase",
    "Rejected",
    "Repetition",
    "SessionSummary",
]  # fmt: skip


class Form(str, Enum):
    """What can be said of a repetition's form, from the worst news to the best."""

    FAULT = "fault"
    NOT_JUDGED = "not_judged"
    NO_FAULT = "no_fault_seen"
    GOOD = "good"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Repetition:
    """One counted repetition: away from the start posture and back.

    Attributes:
        start_s, turn_s, end_s: when it began, turned around and ended; between frames.
        rom_deg: range of the exercise's angle; NaN where it isn't known.
        rom_sigma_deg: its standard deviation.
        tempo_s: seconds out (start to turn) and back (turn to end).
        side: "left", "right" or "both": the side that moved.
        left_right_deg: left range minus right range; NaN unless both sides moved and were seen.
        speed_m_s: mean and peak speed of the way up, see `posepipe.exercise.effort`; as true as the body's height is.
        faults: codes of form rules that were broken beyond doubt.
        score: form score in [0, 1]; NaN without a model for the movement or where it is withheld.
        withheld: rule code -> reason, for rules that this view or its error bars can't judge; "score" -> reason.
        form: `Form.FAULT` if a rule was broken beyond doubt; `GOOD` if all rules were kept beyond doubt; `NO_FAULT` if
            those that could be judged seem kept; `NOT_JUDGED` if none could, or there are none.
    """

    start_s: float
    turn_s: float
    end_s: float
    rom_deg: float = float("nan")
    rom_sigma_deg: float = float("nan")
    tempo_s: tuple[float, float] = (float("nan"), float("nan"))
    side: str = "both"
    left_right_deg: float = float("nan")
    speed_m_s: tuple[float, float] = (float("nan"), float("nan"))
    faults: tuple[str, ...] = ()
    score: float = float("nan")
    withheld: Mapping[str, Reason] = field(default_factory=dict)
    form: Form = Form.NOT_JUDGED

    @property
    def not_judged(self) -> Mapping[str, Reason]:
        """Rule code -> reason, without the score's."""
        return {code: reason for code, reason in self.withheld.items() if code != SCORE}


SCORE = "score"
"""Stands among what is withheld where a movement has a score and this repetition hasn't."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A movement that looked like a repetition and wasn't counted.

    Attributes:
        start_s, end_s: when.
        reason: why not.
    """

    start_s: float
    end_s: float
    reason: Reason


@dataclass(frozen=True, slots=True)
class Consistency:
    """How alike the repetitions of a bout are.

    Attributes:
        rom_mean_deg, rom_sd_deg: range of motion; the spread is free of the measuring error's mean part.
        tempo_sd_s: spread of the time a repetition takes.
    """

    rom_mean_deg: float
    rom_sd_deg: float
    tempo_sd_s: float


@dataclass(frozen=True, slots=True)
class Bout:
    """One exercise done for a while.

    Attributes:
        label: one of `posepipe.exercise.labels.LABELS`, or a name from a user's catalogue.
        confidence: of the label, in [0, 1].
        start_s, end_s: when.
        reps: counted repetitions.
        rejected: movements not counted.
        alike: how alike the repetitions are; None where that can't be told.
    """

    label: str
    confidence: float
    start_s: float
    end_s: float
    reps: tuple[Repetition, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    alike: Consistency | None = None


@dataclass(frozen=True, slots=True)
class ExerciseResult:
    """What one person did, in the digits that are given: pages, files and what is loaded from them say the same.

    Attributes:
        bouts: in order of time; none if withheld.
        withheld: why nothing was found; None if something was.
    """

    bouts: tuple[Bout, ...] = ()
    withheld: Reason | None = None

    @property
    def reps_total(self) -> int:
        """Repetitions of all bouts."""
        return sum(len(bout.reps) for bout in self.bouts)

    @property
    def reps_by_label(self) -> dict[str, int]:
        """Repetitions of each exercise, in the order of their first bouts."""
        counts: dict[str, int] = {}
        for bout in self.bouts:
            counts[bout.label] = counts.get(bout.label, 0) + len(bout.reps)
        return counts


class Level(str, Enum):
    """Steps of the coach's ladder: the first that isn't right is the one it speaks of."""

    FRAME = "frame"
    VIEW = "view"
    JOINT = "joint"
    FORM = "form"
    GOOD = "good"

    def __str__(self) -> str:
        return self.value


class Phase(str, Enum):
    """Where in a repetition the person is."""

    REST = "rest"
    OUT = "out"
    BACK = "back"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Feedback:
    """One thing to say.

    Attributes:
        level: step of the ladder.
        code: a stable name, such as "step_back", "joint_unseen" or a rule's code; empty when all is well.
        text: one short sentence for the person; empty when there's nothing to say.
    """

    level: Level = Level.GOOD
    code: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class CoachState:
    """What the coach knows after a frame.

    Attributes:
        time_s: of the frame.
        label: exercise being done; None while it isn't known or there is none.
        confidence: of the label, in [0, 1].
        reps: repetitions of this exercise so far in this bout.
        reps_total: of all exercises in the session.
        phase: where in the repetition.
        progress: how far out, from 0 at the start posture to 1 at the turn; NaN if not known.
        last_rep: the last counted repetition.
        feedback: the one thing to say now.
        walking: the movement is taken for walking, which is no exercise.
    """

    time_s: float
    label: str | None = None
    confidence: float = 0.0
    reps: int = 0
    reps_total: int = 0
    phase: Phase = Phase.REST
    progress: float = float("nan")
    last_rep: Repetition | None = None
    feedback: Feedback = field(default_factory=Feedback)
    walking: bool = False


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """A live session, bout by bout.

    Attributes:
        start_s, end_s: first and last frame.
        exercise: in the order it was done.
    """

    start_s: float
    end_s: float
    exercise: ExerciseResult
