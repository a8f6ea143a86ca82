"""A live session comes back from disk as it went, and nothing else is taken for one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from posepipe.errors import InputError, OutputError
from posepipe.exercise.types import Repetition
from posepipe.reasons import Reason
from posepipe.record.seal import remove
from posepipe.record.session import MARK, PlanStep, Session, TrainingSet, load_session, save_session

REP = Repetition(
    1.0,
    1.8,
    2.5,
    91.5,
    4.2,
    (0.8, 0.7),
    "both",
    2.5,
    (0.4, 0.6),
    ("shallow",),
    0.5,
    withheld={"knees_in": Reason.JOINT_UNSEEN},
)
SESSION = Session(
    created="2026-11-29T11:20:05+00:00",
    sets=(
        TrainingSet("squat", 1.0, 2.5, 1, (REP,), None, 12, None, None),
        TrainingSet("plank", 60.0, 90.0, held_s=29.5, target_s=30.0, rest_s=57.5),
    ),
    plan=(PlanStep("squat", 1, 12, None, 60.0), PlanStep("plank", 1, None, 30.0, 0.0)),
    duration_s=95.0,
    name="Montag früh",
    person="p1",
)


def test_it_comes_back_as_it_went(tmp_path: Path) -> None:
    save_session(SESSION, tmp_path / "kept")
    assert load_session(tmp_path / "kept") == SESSION
    assert SESSION.reps_by_label == {"squat": 1, "plank": 0}
    # A folder of ours: the app may delete it.
    assert remove(tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_a_file_of_the_users_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / MARK).write_text("mine")
    with pytest.raises(OutputError, match="not as posepipe wrote it"):
        save_session(SESSION, tmp_path)
    assert (tmp_path / MARK).read_text() == "mine"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda document: document.pop("sets"),
        lambda document: document.update(kind="recording"),
        lambda document: document.update(schema=2),
        lambda document: document["sets"][0].update(reps="many"),
        lambda document: document["sets"][1].update(held_s="long"),
        lambda document: document.update(plan=[3]),
    ],
)
def test_what_is_none_is_said(tmp_path: Path, spoil: object) -> None:
    assert callable(spoil)
    save_session(SESSION, tmp_path / "kept")
    path = tmp_path / "kept" / MARK
    document = json.loads(path.read_text(encoding="utf-8"))
    spoil(document)
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(InputError, match="isn't a session"):
        load_session(tmp_path / "kept")
    with pytest.raises(InputError, match="can't be read"):
        load_session(tmp_path / "none")
