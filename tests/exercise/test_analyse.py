"""From a motion to the exercise section of ``summary.json``."""

from __future__ import annotations

import json

import numpy as np
from exercise_kit import CATALOGUE, filmed, take_of

from posepipe.exercise.analyse import analyse_exercise, clip_label
from posepipe.exercise.labels import LABELS
from posepipe.exercise.recognise import WindowScores
from posepipe.exercise.segments import Segment
from posepipe.motion.clip import Motion
from posepipe.reasons import Reason
from posepipe.results.exercise_section import exercise_caption
from posepipe.results.summary import plain


class _Told:
    """A recogniser that knows, to a probability."""

    def __init__(self, label: str, probability: float = 0.95) -> None:
        self.label = label
        self.probability = probability

    def probabilities(self, motion: Motion) -> WindowScores:
        start_s, end_s = float(motion.time_s[0]), float(motion.time_s[-1])
        time_s = np.arange(start_s, end_s, 0.5)
        rest = (1.0 - self.probability) / (len(LABELS) - 1)
        table = np.full((len(time_s), len(LABELS)), rest, np.float32)
        table[:, LABELS.index(self.label)] = self.probability
        return WindowScores(time_s, table, start_s, end_s)


def test_section_has_the_contract_s_form() -> None:
    take = take_of("squat", 51, reps=3)
    _, motion = filmed(take)
    section = analyse_exercise(motion, _Told("squat"))
    assert section["reps_total"] == 3
    (segment,) = section["segments"]
    assert segment["label"] == "squat" and segment["reps"] == 3 == len(segment["rep_list"])
    for rep in segment["rep_list"]:
        assert rep["start_s"] < rep["end_s"] and len(rep["tempo_s"]) == 2
        assert rep["rom_deg"] > 0 and rep["rom_sigma_deg"] > 0 and isinstance(rep["faults"], list)
    assert json.loads(json.dumps(section, allow_nan=False)) == plain(section)


def test_walking_and_short_clips_are_withheld() -> None:
    _, walk = filmed(take_of("walking", 52))
    assert analyse_exercise(walk, _Told("walking")) == {"withheld": Reason.NO_EXERCISE.value}
    _, motion = filmed(take_of("squat", 53, reps=1))
    from dataclasses import replace

    from posepipe.types import Angles

    few = slice(0, 10)
    short = replace(
        motion,
        time_s=motion.time_s[few],
        xyz_m=motion.xyz_m[few],
        sigma_m=motion.sigma_m[few],
        valid=motion.valid[few],
        root_m=motion.root_m[few],
        angles=Angles(motion.angles.names, motion.angles.deg[few], motion.angles.sigma_deg[few]),
    )
    assert analyse_exercise(short, _Told("squat")) == {"withheld": Reason.TOO_SHORT.value}


def test_plank_has_no_repetitions() -> None:
    _, motion = filmed(take_of("plank", 54))
    section = analyse_exercise(motion, _Told("plank"))
    assert section["reps_total"] == 0 and section["segments"][0]["label"] == "plank"


def test_nobody_seen_clearly_is_not_counted() -> None:
    _, motion = filmed(take_of("squat", 55, reps=3))
    from dataclasses import replace

    blind = replace(motion, valid=np.zeros_like(motion.valid))
    section = analyse_exercise(blind, _Told("squat"))
    assert section["reps_total"] == 0
    assert section["segments"][0]["rejected"][0]["reason"] == Reason.JOINT_UNSEEN.value


def test_same_answer_twice() -> None:
    _, motion = filmed(take_of("push_up", 56, reps=3))
    first, second = (analyse_exercise(motion, _Told("push_up")) for _ in range(2))
    assert first == second


def test_caption_counts_along() -> None:
    _, motion = filmed(take_of("squat", 57, reps=3))
    section = analyse_exercise(motion, _Told("squat"))
    ends = [rep["end_s"] for rep in section["segments"][0]["rep_list"]]
    assert exercise_caption(section, ends[0] - 0.01) == "squat  0"
    assert exercise_caption(section, ends[1] + 0.01) == "squat  2"
    assert exercise_caption(section, 1e6) is None
    assert exercise_caption({"withheld": "no_exercise"}, 1.0) is None


def test_the_clip_is_of_the_exercise_done_in_it() -> None:
    take = take_of("squat", 54, reps=2)
    _, motion = filmed(take)
    start_s, end_s = take.set_bounds
    last_s = float(take.time_s[-1])
    around = (Segment("other", 0.9, start_s - 60.0, start_s), Segment("other", 0.9, end_s, end_s + 60.0))
    assert clip_label(motion, (around[0], Segment("squat", 0.9, start_s, end_s), around[1]), CATALOGUE) == "squat"
    # Without a repetition it is but a guess; what is held has none.
    short = Segment("squat", 0.9, last_s - 0.2, last_s)
    assert clip_label(motion, (*around, short), CATALOGUE) == "other"
    assert clip_label(motion, (*around, Segment("plank", 0.9, 1.0, 4.0)), CATALOGUE) == "plank"
    # Of two exercises the one of more sure seconds; nothing at all is `other`.
    half = 0.5 * (start_s + end_s)
    both = (Segment("squat", 0.9, start_s, half), Segment("plank", 0.6, half, half + 30.0))
    assert clip_label(motion, both, CATALOGUE) == "plank"
    assert clip_label(motion, (), CATALOGUE) == "other"
