"""A made-up practice: somebody who came three times with a film each, a live session, and a walk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from posepipe.exercise.types import Bout, ExerciseResult
from posepipe.gait.types import Abnormal, GaitResult
from posepipe.media.writer import VideoWriter
from posepipe.reasons import Reason
from posepipe.record.folder import save
from posepipe.record.people import Client, assign, save_client
from posepipe.record.seal import read_record
from posepipe.record.session import PlanStep, Session, TrainingSet, save_session
from tests.record.factory import make_exercise, make_gait, make_person, make_recording

FRAMES = 240
ROWS = ("Abend", "Woche 3", "Woche 2", "Woche 1", "Runde")
"""The library's rows, from the top. Names that are no English words."""


def practice(root: Path) -> None:
    """Fill a library."""
    save_client(Client("P-01", "Ada", 1.7, "Knie rechts", "4. 3. 2026"), root)
    bout = make_exercise().bouts[0]
    for week in (1, 2, 3):
        reps = tuple(
            replace(rep, rom_deg=rep.rom_deg - 14 * (3 - week), faults=("knees_in",) if rep.faults else ())
            for rep in bout.reps
        )
        person = make_person(FRAMES, exercise=ExerciseResult((Bout(bout.label, 0.9, 0.5, 7.5, reps),)))
        folder = root / f"Woche {week}"
        created = f"2026-03-{4 + 7 * week:02d}T05:06:07+00:00"
        save(
            make_recording(FRAMES, f"woche{week}.mp4", people=(person,), created=created, warnings=(), models={}),
            folder,
        )
        _film(folder / "annotated.mp4")
        assign(folder, "P-01", read_record(folder).of)
    walker = make_person(FRAMES, gait=_gait(), exercise=ExerciseResult(withheld=Reason.NO_EXERCISE))
    save(make_recording(FRAMES, "runde.mp4", people=(walker,), warnings=(), models={}), root / "Runde")
    done = TrainingSet("squat", 4.0, 12.0, len(reps), reps, None, 12, None, None)
    held = TrainingSet("plank", 72.0, 92.0, 0, (), 20.0, None, 20.0, 60.0)
    plan = (PlanStep("squat", 1, 12), PlanStep("plank", 1, held_s=20.0))
    save_session(Session("2026-04-01T18:30:00+00:00", (done, held), plan, 100.0, "Abend", ""), root / "Abend")


def _gait() -> GaitResult:
    """A walk whose evidence is a feature that there is."""
    made = make_gait()
    assert isinstance(made.abnormal, Abnormal)
    evidence = tuple(
        replace(one, feature="knee_swing_deg", words="knees hardly bend in swing") for one in made.abnormal.evidence
    )
    return replace(made, abnormal=replace(made.abnormal, evidence=evidence))


def _film(path: Path) -> None:
    """As long as the recording; grey, and a little brighter with every frame."""
    with VideoWriter(path, 640, 360, 29.97) as writer:
        for number in range(FRAMES):
            writer.write(np.full((360, 640, 3), 40 + number // 2, np.uint8), number / 29.97)
