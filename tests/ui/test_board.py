"""What stands on the live page's board: one verdict in one wording, and advice with its point in every language."""

from __future__ import annotations

from dataclasses import replace

import pytest

from posepipe.exercise.catalogue import load_catalogue
from posepipe.exercise.coach import _said_of
from posepipe.exercise.types import CoachState, Feedback, Form, Level, Repetition
from posepipe.gait.live import Walking
from posepipe.gait.types import Value
from posepipe.reasons import Reason
from posepipe.record.session import TrainingSet
from posepipe.reports.exercise import form_words
from posepipe.texts import load
from posepipe.ui.board import board
from posepipe.ui.stage import Look
from posepipe.ui.training import Showing

REP = Repetition(1.0, 2.0, 3.0, rom_deg=92.0, rom_sigma_deg=4.0)
VERDICTS = {
    "good": replace(REP, form=Form.GOOD),
    "no fault seen": replace(REP, form=Form.NO_FAULT),
    "couldn't be judged": replace(REP, form=Form.NOT_JUDGED, withheld={"knees_in": Reason.WRONG_VIEW}),
    "not far enough": replace(REP, form=Form.FAULT, faults=("shallow",)),
}


def look(rep: Repetition | None, feedback: Feedback) -> Look:
    coach = CoachState(3.0, "squat", reps=1, last_rep=rep, feedback=feedback)
    return Look(True, True, False, True, coach, Showing("work", "squat", 1), 24.0, 40.0, 60.0, 90, None)


@pytest.mark.parametrize("said", VERDICTS)
def test_board_and_coach_and_report_say_one_thing(said: str) -> None:
    rep, text = VERDICTS[said], load("en")
    shown = board(text, look(rep, _said_of(load_catalogue()["squat"], rep)), playing=True)
    assert form_words("squat", rep) == said
    assert shown["verdict"] == f"Last repetition: {said}. Range 92° ± 7"
    # What the coach says begins with the verdict, or is what to do about the fault.
    expected = {"not far enough": "Go a little deeper", "couldn't be judged": "Couldn't be judged. Turn to face"}
    assert shown["say"].startswith(expected.get(said, f"{said[:1].upper()}{said[1:]}."))
    assert shown["level"] == {"not far enough": "form", "couldn't be judged": "view"}.get(said, "good")


def test_a_movement_without_a_name_has_no_verdict() -> None:
    text, plain = load("en"), Repetition(1.0, 2.0, 3.0)
    done = (TrainingSet("squat", 1.0, 3.0, 1, (VERDICTS["good"],)), TrainingSet("", 4.0, 6.0, 1, (plain,)))
    nobody = replace(look(None, Feedback()), coach=CoachState(9.0))
    shown = board(text, replace(nobody, training=Showing("rest", "", 1, rest_s=3.0, done=done)), playing=True)
    assert shown["verdict"] == ""
    # What is done now has none yet; the last set's isn't its own.
    shown = board(text, replace(nobody, training=Showing("work", "", 1, done=done[:1])), playing=True)
    assert shown["verdict"] == ""
    shown = board(text, replace(nobody, training=Showing("rest", "squat", 1, rest_s=3.0, done=done[:1])), playing=True)
    assert shown["verdict"].startswith("Last repetition: good.")


def test_german_keeps_the_point() -> None:
    german = load("de")
    told = {
        name: board(german, look(rep, _said_of(load_catalogue()["squat"], rep)), playing=True)["say"]
        for name, rep in VERDICTS.items()
    }
    assert told == {
        "good": "Gut.",
        "no fault seen": "Kein Fehler gesehen.",
        "couldn't be judged": "Nicht zu beurteilen. Drehen Sie sich mit dem Gesicht zur Kamera.",
        "not far enough": "Ein wenig tiefer, die Oberschenkel zur Waagrechten.",
    }
    turn = Feedback(Level.VIEW, "wrong_view", "Turn sideways to the camera.")
    assert board(german, look(None, turn), playing=True)["say"] == "Drehen Sie sich seitlich zur Kamera."


def test_a_rest_is_no_call_to_exercise_and_nothing_is_there_to_end() -> None:
    text, rest = load("en"), Showing("rest", "squat", 5, rest_s=19.0)
    resting = replace(look(None, Feedback()), training=rest)
    shown = board(text, resting, playing=True)
    assert shown["say"].startswith("Rest.")
    assert (shown["rest"], shown["endable"]) == ("Rest 0:19", False)
    # A plan's rest can be ended.
    assert board(text, replace(resting, training=replace(rest, after="squat")), playing=True)["endable"]
    assert board(text, look(None, Feedback()), playing=True)["endable"]
    assert board(text, resting, playing=False)["level"] == "idle"


@pytest.mark.parametrize(
    ("language", "unit", "verdict"),
    [("en", "steps", "Cadence 104 ± 5 steps/min"), ("de", "Schritte", "Schrittfrequenz 104 ± 5 Schritte/min")],
)
def test_a_walk_shows_its_steps(language: str, unit: str, verdict: str) -> None:
    text = load(language)
    nothing = replace(look(None, Feedback()), coach=CoachState(9.0, walking=True), training=Showing())
    shown = board(text, replace(nothing, walk=Walking(12, Value(104.0, 3.0))), playing=True)
    assert (shown["exercise"], shown["count"], shown["unit"]) == (text("live.walking"), "12", unit)
    assert shown["verdict"] == verdict and shown["say"] == text("live.walk_film")
    assert board(text, replace(nothing, walk=Walking(2)), playing=True)["verdict"] == text("live.no_cadence")
    # A set under way is what counts, and a camera that is off shows nothing.
    busy = replace(nothing, walk=Walking(12), training=Showing("work", "squat", 3))
    assert board(text, busy, playing=True)["count"] == "3"
    assert board(text, replace(nothing, walk=Walking(12)), playing=False)["count"] == "0"
