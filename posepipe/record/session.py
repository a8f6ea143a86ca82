"""A live session on disk: what was planned and the sets that were done, as ``session.json`` in a folder."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from posepipe._version import __version__
from posepipe.errors import InputError
from posepipe.exercise.types import Bout, ExerciseResult, Repetition
from posepipe.record.codec import exercise_from, exercise_json, plain
from posepipe.record.seal import writing

__all__ = ["MARK", "PlanStep", "Session", "TrainingSet", "load_session", "save_session", "session_json"]

MARK = "session.json"
"""A folder that holds such a file is a kept session."""
_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One line of a plan.

    Attributes:
        exercise: label from the catalogue.
        sets: how many.
        reps: repetitions of each; None for a hold.
        held_s: how long a hold lasts; None where repetitions are counted.
        rest_s: rest after each set.
    """

    exercise: str
    sets: int
    reps: int | None = None
    held_s: float | None = None
    rest_s: float = 60.0


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """One set that was done.

    Attributes:
        exercise: label; empty for a movement without a name.
        start_s, end_s: in the session.
        count: repetitions; 0 of a hold.
        reps: the same, described; may be fewer than `count` where some couldn't be.
        held_s: how long the hold lasted; None where repetitions were counted.
        target_reps, target_s: what the plan asked for; None without one.
        rest_s: rest before it; None for the first.
    """

    exercise: str
    start_s: float
    end_s: float
    count: int = 0
    reps: tuple[Repetition, ...] = ()
    held_s: float | None = None
    target_reps: int | None = None
    target_s: float | None = None
    rest_s: float | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A live session.

    Attributes:
        created: ISO 8601 time of its end.
        sets: in the order they were done.
        plan: what was planned; empty without one.
        duration_s: from its first picture to its last.
        name: as the user calls it; may be empty.
        person: id of somebody in the library; may be empty.
    """

    created: str
    sets: tuple[TrainingSet, ...] = ()
    plan: tuple[PlanStep, ...] = ()
    duration_s: float = 0.0
    name: str = ""
    person: str = ""

    @property
    def reps_by_label(self) -> dict[str, int]:
        """Repetitions of each exercise, in the order of their first sets."""
        counts: dict[str, int] = {}
        for one in self.sets:
            counts[one.exercise] = counts.get(one.exercise, 0) + one.count
        return counts


def save_session(session: Session, folder: Path) -> None:
    """Write a session into a new folder, whole or not at all.

    Raises:
        OutputError: the disk refuses, or a file of the user's has that name.
    """
    with writing(folder, f"session {session.created}") as made:
        document = json.dumps(session_json(session), ensure_ascii=False, indent=1)
        (made / MARK).write_text(document + "\n", encoding="utf-8")


def session_json(session: Session) -> dict[str, Any]:
    """The document; see docs/results-format.md."""
    document: dict[str, Any] = plain(
        {
            "schema": _SCHEMA,
            "kind": "session",
            "posepipe": __version__,
            "created": session.created,
            "name": session.name,
            "person": session.person,
            "duration_s": session.duration_s,
            "plan": [asdict(step) for step in session.plan],
            "sets": [_set_json(one) for one in session.sets],
        }
    )
    return document


def load_session(folder: Path) -> Session:
    """Read a kept session.

    Raises:
        InputError: there is none, or it isn't one that this version reads.
    """
    path = folder / MARK
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["kind"] != "session" or document["schema"] != _SCHEMA:
            raise InputError("isn't a session of this version", where=str(path), hint="Update posepipe")
        return Session(
            created=str(document["created"]),
            sets=tuple(_set_from(row) for row in document["sets"]),
            plan=tuple(_step_from(row) for row in document["plan"]),
            duration_s=float(document["duration_s"]),
            name=str(document["name"]),
            person=str(document["person"]),
        )
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror})", where=str(path), hint="Choose another folder") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError("isn't a session", where=str(path), hint="Choose another folder") from error


def _set_json(one: TrainingSet) -> dict[str, Any]:
    bout = Bout(one.exercise, 1.0, one.start_s, one.end_s, one.reps)
    row = {key: value for key, value in asdict(one).items() if key not in {"reps", "count"}}
    described = exercise_json(ExerciseResult((bout,)))["segments"][0]["rep_list"]
    return row | {"reps": one.count, "rep_list": described}


def _set_from(row: Mapping[str, Any]) -> TrainingSet:
    segment = {
        "label": "",
        "confidence": 1.0,
        "start_s": 0.0,
        "end_s": 0.0,
        "rep_list": row["rep_list"],
        "rejected": [],
    }
    reps = exercise_from({"segments": [segment]}).bouts[0].reps
    target = row["target_reps"]
    return TrainingSet(
        exercise=str(row["exercise"]),
        start_s=float(row["start_s"]),
        end_s=float(row["end_s"]),
        count=int(row["reps"]),
        reps=reps,
        held_s=_number(row["held_s"]),
        target_reps=None if target is None else int(target),
        target_s=_number(row["target_s"]),
        rest_s=_number(row["rest_s"]),
    )


def _step_from(row: Mapping[str, Any]) -> PlanStep:
    reps = row["reps"]
    return PlanStep(
        str(row["exercise"]),
        int(row["sets"]),
        None if reps is None else int(reps),
        _number(row["held_s"]),
        float(row["rest_s"]),
    )


def _number(value: object) -> float | None:
    """A finite number, or None.

    Raises:
        ValueError: it is neither.
    """
    if value is None:
        return None
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError("no finite number")
    return float(value)
