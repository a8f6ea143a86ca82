"""Why a number is withheld: the one list, for the library, the command line, the app and the report."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from posepipe.errors import UsageError

__all__ = ["Reason", "explain", "markdown_table", "withheld"]


class Reason(str, Enum):
    """A reason's code, as written in ``summary.json``. Compares equal to its plain text."""

    # About the picture
    TOO_SHORT = "too_short"
    TOO_FEW_FRAMES = "too_few_frames"
    FRAME_RATE_TOO_LOW = "frame_rate_too_low"
    # About how the person was seen
    JOINT_UNSEEN = "joint_unseen"
    OUT_OF_FRAME = "out_of_frame"
    WRONG_VIEW = "wrong_view"
    GAPS = "gaps"
    SCALE_ASSUMED = "scale_assumed"
    TOO_UNCERTAIN = "too_uncertain"
    NOT_COMPARABLE = "not_comparable"
    # About the movement
    NO_EXERCISE = "no_exercise"
    NOT_REPEATED = "not_repeated"
    UNSURE_WHICH = "unsure_which"
    TOO_SHALLOW = "too_shallow"
    TOO_FAST = "too_fast"
    TOO_SLOW = "too_slow"
    INCOMPLETE = "incomplete"
    NOT_WALKING = "not_walking"
    TOO_FEW_STRIDES = "too_few_strides"
    UNSTEADY = "unsteady"
    NOT_JUMPING = "not_jumping"
    NOT_STANDING = "not_standing"
    NO_GROUND = "no_ground"
    CAMERA_MOVED = "camera_moved"
    # About the job
    NOT_ANALYSED = "not_analysed"
    REMOVED_BY_HAND = "removed_by_hand"

    def __str__(self) -> str:
        return self.value


_SENTENCES: Mapping[Reason, str] = {
    Reason.TOO_SHORT: "The person was followed for too short a time.",
    Reason.TOO_FEW_FRAMES: "Too few pictures show what is needed.",
    Reason.FRAME_RATE_TOO_LOW: "The video has too few pictures a second to time this.",
    Reason.JOINT_UNSEEN: "A joint that is needed was hidden or not seen clearly.",
    Reason.OUT_OF_FRAME: "Part of the body was outside the picture.",
    Reason.WRONG_VIEW: "Not to be seen from where the camera stands; film from another side.",
    Reason.GAPS: "The person was lost too often or for too long.",
    Reason.SCALE_ASSUMED: "Body height wasn't given, so lengths in metres rest on an assumed size.",
    Reason.TOO_UNCERTAIN: "The error bar is too wide for the number to mean anything.",
    Reason.NOT_COMPARABLE: "What it is compared with was measured in a laboratory; from film that says nothing.",
    Reason.NO_EXERCISE: "No exercise that posepipe knows was recognised.",
    Reason.NOT_REPEATED: "The movement doesn't repeat regularly enough to be counted.",
    Reason.UNSURE_WHICH: "Several exercises fit about equally well.",
    Reason.TOO_SHALLOW: "The movement didn't go far enough to count.",
    Reason.TOO_FAST: "The movement was too fast to be a real repetition.",
    Reason.TOO_SLOW: "The movement was too slow to be one repetition.",
    Reason.INCOMPLETE: "The movement was begun but not finished, or began before the video did.",
    Reason.NOT_WALKING: "The person wasn't walking.",
    Reason.TOO_FEW_STRIDES: "Fewer than two clean strides a side were seen: film another pass from the side, all of "
    "the body in view.",
    Reason.UNSTEADY: "The person was starting, stopping or turning, so steady walking can't be judged.",
    Reason.NOT_JUMPING: "The person didn't jump, or the jump's time and height contradicted each other.",
    Reason.NOT_STANDING: "The person lay, sat or hung for most of the time, so neither up nor the floor can be told.",
    Reason.NO_GROUND: "No foot stood still for long: the camera moved, the ground did, or nobody stood on it.",
    Reason.CAMERA_MOVED: "The camera went through the room or zoomed, so places in it can't be told.",
    Reason.NOT_ANALYSED: "This wasn't asked for.",
    Reason.REMOVED_BY_HAND: "Somebody who looked at the video took it out.",
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
