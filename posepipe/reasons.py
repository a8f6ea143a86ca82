"""Why a number is withheld: the one list, for the library, the command line, the app and the report."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from posepipe.errors import UsageError

__all__ = ["Reason", "explain", "markdown_table", "withheld"]


class Reason(str, Enum):
    """A reason's code, as written in ``summary.json``. Compares equal to its plain text."""

    # About the picture
    NOBODY_FOUND = "nobody_found"
    TOO_SHORT = "too_short"
    TOO_FEW_FRAMES = "too_few_frames"
    FRAME_RATE_TOO_LOW = "frame_rate_too_low"
    TIMES_UNKNOWN = "times_unknown"
    # About how the person was seen
    LOW_CONFIDENCE = "low_confidence"
    JOINT_UNSEEN = "joint_unseen"
    OUT_OF_FRAME = "out_of_frame"
    WRONG_VIEW = "wrong_view"
    GAPS = "gaps"
    SCALE_ASSUMED = "scale_assumed"
    TOO_UNCERTAIN = "too_uncertain"
    # About the movement
    NO_MOVEMENT = "no_movement"
    NO_EXERCISE = "no_exercise"
    NO_REPETITION = "no_repetition"
    NOT_REPEATED = "not_repeated"
    UNSURE_WHICH = "unsure_which"
    TOO_SHALLOW = "too_shallow"
    TOO_FAST = "too_fast"
    TOO_SLOW = "too_slow"
    INCOMPLETE = "incomplete"
    NOT_WALKING = "not_walking"
    TOO_FEW_STRIDES = "too_few_strides"
    UNSTEADY = "unsteady"
    NO_NORM = "no_norm"
    # About the job
    NOT_ANALYSED = "not_analysed"

    def __str__(self) -> str:
        return self.value


_SENTENCES: Mapping[Reason, str] = {
    Reason.NOBODY_FOUND: "No person was found in the video.",
    Reason.TOO_SHORT: "The person was followed for too short a time.",
    Reason.TOO_FEW_FRAMES: "Too few pictures show what is needed.",
    Reason.FRAME_RATE_TOO_LOW: "The video has too few pictures a second to time this.",
    Reason.TIMES_UNKNOWN: "The file doesn't say when its pictures were taken, so nothing can be timed.",
    Reason.LOW_CONFIDENCE: "The detector wasn't sure enough of what it saw.",
    Reason.JOINT_UNSEEN: "A joint that is needed was hidden or not seen clearly.",
    Reason.OUT_OF_FRAME: "Part of the body was outside the picture.",
    Reason.WRONG_VIEW: "The camera's side of view doesn't show this; film from the side or front that is asked for.",
    Reason.GAPS: "The person was lost too often or for too long.",
    Reason.SCALE_ASSUMED: "Body height wasn't given, so lengths in metres rest on an assumed size.",
    Reason.TOO_UNCERTAIN: "The error bar is too wide for the number to mean anything.",
    Reason.NO_MOVEMENT: "The person hardly moved.",
    Reason.NO_EXERCISE: "No exercise that posepipe knows was recognised.",
    Reason.NO_REPETITION: "No complete repetition was found.",
    Reason.NOT_REPEATED: "The movement doesn't repeat regularly enough to be counted.",
    Reason.UNSURE_WHICH: "Several exercises fit about equally well.",
    Reason.TOO_SHALLOW: "The movement didn't go far enough to count.",
    Reason.TOO_FAST: "The movement was too fast to be a real repetition.",
    Reason.TOO_SLOW: "The movement was too slow to be one repetition.",
    Reason.INCOMPLETE: "The movement was begun but not finished, or began before the video did.",
    Reason.NOT_WALKING: "The person wasn't walking.",
    Reason.TOO_FEW_STRIDES: "Fewer than three clean strides were seen on a side.",
    Reason.UNSTEADY: "The person was starting, stopping or turning, so steady walking can't be judged.",
    Reason.NO_NORM: "There is no published reference to compare this with.",
    Reason.NOT_ANALYSED: "This wasn't asked for.",
}


def explain(reason: str) -> str:
    """A reason as one plain sentence.

    Args:
        reason: a `Reason` or its code.

    Raises:
        UsageError: no such reason.
    """
    try:
        return _SENTENCES[Reason(reason)]
    except ValueError:
        valid = ", ".join(member.value for member in Reason)
        raise UsageError(f"no reason {str(reason)!r}", hint=f"Valid: {valid}") from None


def withheld(reason: Reason) -> dict[str, str]:
    """What stands in a result in the place of a number or section that is withheld."""
    return {"withheld": reason.value}


def markdown_table() -> str:
    """All reasons as the table of docs/results-format.md."""
    rows = [f"| `{reason.value}` | {sentence} |" for reason, sentence in _SENTENCES.items()]
    return "\n".join(["| code | meaning |", "|---|---|", *rows])
