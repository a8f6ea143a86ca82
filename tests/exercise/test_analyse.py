"""From a motion to the exercise section of ``summary.json``."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from exercise_kit import CATALOGUE, Told, filmed, keypoints_of, take_motion, take_of, without

from posepipe.body.angles import joint_angles
from posepipe.body.motion import Motion
from posepipe.exercise.analyse import analyse_exercise, bouts, clip_label
from posepipe.exercise.count import count_exercise
from posepipe.exercise.form import beyond_doubt, describe
from posepipe.exercise.labels import LABELS
from posepipe.exercise.recognise import Recogniser, Segment, WindowScores, segments
from posepipe.exercise.types import ExerciseResult
from posepipe.reasons import Reason
from posepipe.record.codec import exercise_from, exercise_json, plain
from posepipe.reports.exercise import exercise_caption
from posepipe.skeleton import BODY21
from posepipe.types import Angles, KeypointTrack


def test_section_has_the_contract_s_form() -> None:
    take = take_of("squat", 51, reps=3)
    _, motion = filmed(take)
    section = exercise_json(analyse_exercise(motion, Told("squat")))
    assert section["reps_total"] == 3
    (segment,) = section["segments"]
    assert segment["label"] == "squat" and segment["reps"] == 3 == len(segment["rep_list"])
    for rep in segment["rep_list"]:
        assert rep["start_s"] < rep["end_s"] and len(rep["tempo_s"]) == 2
        assert rep["rom_deg"] > 0 and rep["rom_sigma_deg"] > 0 and isinstance(rep["faults"], list)
    assert json.loads(json.dumps(section, allow_nan=False)) == plain(section)
    assert exercise_json(exercise_from(section)) == section


def test_walking_and_short_clips_are_withheld() -> None:
    _, walk = filmed(take_of("walking", 52))
    assert analyse_exercise(walk, Told("walking")) == ExerciseResult(withheld=Reason.NO_EXERCISE)
    _, motion = filmed(take_of("squat", 53, reps=1))

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
    assert analyse_exercise(short, Told("squat")) == ExerciseResult(withheld=Reason.TOO_SHORT)


def test_plank_has_no_repetitions() -> None:
    _, motion = filmed(take_of("plank", 54))
    found = analyse_exercise(motion, Told("plank"))
    assert found.reps_total == 0 and found.bouts[0].label == "plank"


def test_who_sways_in_a_plank_holds_it() -> None:
    """Hips that bob by six degrees, over and over, are no repetitions; elbows that bend are."""
    for seed in (2, 5):
        motion = filmed(take_of("plank", seed, reps=5), seed)[1]
        (bout,) = analyse_exercise(motion, Told("plank")).bouts
        assert bout.label == "plank" and not bout.reps
    motion = filmed(take_of("push_up", 3, reps=5), 3)[1]
    assert analyse_exercise(motion, Told("plank")).reps_by_label == {"other": 5}


def test_nobody_seen_clearly_is_not_counted() -> None:
    _, motion = filmed(take_of("squat", 55, reps=3))
    blind = replace(motion, valid=np.zeros_like(motion.valid))
    found = analyse_exercise(blind, Told("squat"))
    assert found.reps_total == 0
    assert found.bouts[0].rejected[0].reason is Reason.JOINT_UNSEEN


def test_same_answer_twice() -> None:
    _, motion = filmed(take_of("push_up", 56, reps=3))
    first, second = (analyse_exercise(motion, Told("push_up")) for _ in range(2))
    assert exercise_json(first) == exercise_json(second)


def test_caption_counts_along() -> None:
    _, motion = filmed(take_of("squat", 57, reps=3))
    found = analyse_exercise(motion, Told("squat"))
    ends = [rep.end_s for rep in found.bouts[0].reps]
    assert exercise_caption(found, ends[0] - 0.01) == "squat  0"
    assert exercise_caption(found, ends[1] + 0.01) == "squat  2"
    assert exercise_caption(found, 1e6) is None
    assert exercise_caption(ExerciseResult(withheld=Reason.NO_EXERCISE), 1.0) is None


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


HEAD = ("head", "nose")
FEET = tuple(f"{side}_{joint}" for side in ("left", "right") for joint in ("heel", "foot_index"))


@pytest.mark.parametrize("missing", [HEAD, FEET, (*HEAD, *FEET)])
@pytest.mark.parametrize("label", ["squat", "lunge", "bicep_curl", "push_up"])
def test_a_joint_that_is_not_needed_costs_nothing(label: str, missing: tuple[str, ...]) -> None:
    """Marker sets without a head, crops without feet: five of five, named or not."""
    motion = without(take_motion(take_of(label, 7, reps=5)), *missing)
    assert analyse_exercise(motion, Told(label)).reps_total == 5
    assert analyse_exercise(motion, Told("other")).reps_total == 5


@pytest.mark.parametrize("label", ["squat", "lunge", "sit_up", "deadlift"])
def test_hands_are_not_needed_for_legs(label: str) -> None:
    motion = without(take_motion(take_of(label, 7, reps=5)), "left_wrist", "right_wrist")
    assert analyse_exercise(motion, Told(label)).reps_total == 5


def test_what_is_missing_is_said() -> None:
    arms = tuple(f"{side}_{joint}" for side in ("left", "right") for joint in ("shoulder", "elbow", "wrist"))
    motion = without(take_motion(take_of("bicep_curl", 7, reps=5)), *arms)
    (bout,) = analyse_exercise(motion, Told("bicep_curl")).bouts
    assert not bout.reps and [item.reason for item in bout.rejected] == [Reason.JOINT_UNSEEN]
    assert analyse_exercise(motion, Told("walking")).withheld is Reason.NO_EXERCISE
    still = without(take_motion(take_of("plank", 7)), *arms)
    assert analyse_exercise(still, Told("other")).withheld is Reason.JOINT_UNSEEN


def test_a_score_only_where_it_means_something() -> None:
    take = take_of("squat", 51, reps=3)
    pose, motion = filmed(take, noise_m=0.003)
    (plain,) = analyse_exercise(motion, Told("squat")).bouts
    assert all(0.0 <= rep.score <= 1.0 and "score" not in rep.withheld for rep in plain.reps)
    seen = [keypoints_of(pose, i) for i in range(len(pose))]
    track = KeypointTrack(
        person=1,
        layout=pose.layout,
        frame=np.arange(len(pose), dtype=np.int32),
        time_s=pose.time_s,
        xy_px=np.stack([item.xy_px for item in seen]),
        sigma_px=np.stack([item.sigma_px for item in seen]),
        score=np.stack([item.score for item in seen]),
        valid=np.ones(pose.valid.shape, bool),
        interpolated=np.zeros(pose.valid.shape, bool),
    )
    (film,) = analyse_exercise(replace(motion, keypoints=track), Told("squat")).bouts
    assert all(np.isnan(rep.score) and rep.withheld["score"] is Reason.NOT_COMPARABLE for rep in film.reps)
    assert all("score" not in rep.not_judged for rep in film.reps)


@pytest.mark.parametrize("wrong", ["bicep_curl", "plank"])
def test_a_wrong_name_does_not_lose_the_count(wrong: str) -> None:
    """What the machine for the named exercise doesn't see, the network that counts anything does."""
    motion = take_motion(take_of("squat", 7, reps=5))
    (bout,) = analyse_exercise(motion, Told(wrong)).bouts
    assert bout.label == "other" and len(bout.reps) == 5


def test_feet_out_of_the_picture_do_not_hide_a_squat() -> None:
    """Ankles of which nothing is known leave the knees in doubt; the hips see the squat."""
    pose = filmed(take_of("squat", 7, reps=1))[0]
    sigma_m = pose.sigma_m.copy()
    for joints, counted in ((("left_ankle", "right_ankle"), 1), (BODY21.joints, 0)):
        sigma_m[:, BODY21.indices(*joints)] = 1.5
        doubtful = replace(pose, sigma_m=sigma_m)
        motion = Motion.from_pose(doubtful, joint_angles(doubtful))
        squat = CATALOGUE["squat"]
        assert not beyond_doubt(describe(motion, squat, count_exercise(motion, squat)))[0]
        assert analyse_exercise(motion, Told("squat")).reps_total == counted


class Unsure(Told):
    """Knows that an exercise is done, and not quite which."""

    def probabilities(self, motion: Motion) -> WindowScores:
        scores = super().probabilities(motion)
        table = np.zeros_like(scores.probability)
        table[:, LABELS.index(self.label)] = 0.4
        table[:, LABELS.index("pull_up")] = 0.15
        table[:, LABELS.index("other")] = 0.45
        return replace(scores, probability=table)


def test_repetitions_name_an_exercise_in_doubt() -> None:
    """Squats whose squats all are repetitions; they aren't curls, though something was counted."""
    motion = filmed(take_of("squat", 7, reps=5))[1]
    assert segments(Unsure("squat").probabilities(motion))[0].likely == ("squat", pytest.approx(0.4))
    (bout,) = analyse_exercise(motion, Unsure("squat")).bouts
    assert bout.label == "squat" and len(bout.reps) == 5 and bout.confidence == 0.4
    (bout,) = analyse_exercise(motion, Unsure("bicep_curl")).bouts
    assert bout.label == "other" and len(bout.reps) == 5


def test_a_clip_cut_at_the_turn_counts_whole_repetitions() -> None:
    """From the first turn to the last of five there are three squats, whatever repeats from turn to turn."""
    motion = take_motion(take_of("squat", 7, reps=5))
    reps = analyse_exercise(motion, Told("squat")).bouts[0].reps
    inside = (motion.time_s >= reps[0].turn_s) & (motion.time_s <= reps[-1].turn_s)
    angles = Angles(motion.angles.names, motion.angles.deg[inside], motion.angles.sigma_deg[inside])
    parts = {name: getattr(motion, name)[inside] for name in ("time_s", "xyz_m", "sigma_m", "valid", "root_m")}
    assert analyse_exercise(replace(motion, angles=angles, **parts), Told("squat")).reps_total == 3


def test_a_moment_like_something_else_does_not_part_a_set() -> None:
    """One window within a set that looks like walking: one bout with all five; a long one parts it."""
    motion = take_motion(take_of("squat", 7, reps=5))
    end_s = float(motion.time_s[-1])
    for gap_s, bouts_found in ((1.5, 1), (3.0, 2)):
        a, b = 0.5 * (end_s - gap_s), 0.5 * (end_s + gap_s)
        found = [Segment("squat", 0.9, 0.0, a), Segment("walking", 0.6, a, b), Segment("squat", 0.7, b, end_s)]
        done = bouts(motion, found, CATALOGUE)
        assert len(done) == bouts_found
        if bouts_found == 1:
            assert len(done[0].reps) == 5 and 0.7 < done[0].confidence < 0.9


def test_slow_motion_that_is_counted_in_part_counts_the_same() -> None:
    """Some squats are counted at their slow pace; the whole set is, looked at faster."""
    motion = filmed(take_of("squat", 1, reps=6), 3)[1]
    result = analyse_exercise(replace(motion, time_s=4.0 * motion.time_s), Recogniser())
    assert result.reps_total == 6
    assert float(np.median([rep.end_s - rep.start_s for bout in result.bouts for rep in bout.reps])) > 6.0


def test_slow_motion_counts_the_same() -> None:
    recogniser = Recogniser()
    for label in ("squat", "lateral_raise", "sit_up"):
        motion = filmed(take_of(label, 8, reps=4), 3)[1]
        slow = replace(motion, time_s=4.0 * motion.time_s)
        result = analyse_exercise(slow, recogniser)
        assert result.reps_total == 4, label
        starts = [rep.start_s for bout in result.bouts for rep in bout.reps]
        assert starts == sorted(starts) and starts[-1] > 0.4 * slow.time_s[-1]
    walk = filmed(take_of("walking", 52))[1]
    assert analyse_exercise(replace(walk, time_s=4.0 * walk.time_s), recogniser).reps_total == 0


@pytest.mark.parametrize(("label", "seed", "pace"), [("shoulder_press", 4, 5.0), ("bicep_curl", 6, 3.3)])
def test_a_quick_set_counts_the_same(label: str, seed: int, pace: float) -> None:
    """Repetitions of half a second are too short for machine and networks; looked at slower they aren't."""
    recogniser = Recogniser()
    motion = filmed(take_of(label, seed, reps=5), 3)[1]
    quick = replace(motion, time_s=motion.time_s / pace)
    result = analyse_exercise(quick, recogniser)
    assert result.reps_by_label == {label: 5}
    ends = [rep.end_s for bout in result.bouts for rep in bout.reps]
    assert ends == sorted(ends) and ends[-1] <= quick.time_s[-1]


def test_who_walks_does_no_set_at_another_pace() -> None:
    """Steps seen slower look like something that repeats: what walks at the film's own pace stays a walk."""

    class WalksThen:
        """A walk at the clip's own pace with a moment of something else, squats at any other."""

        def probabilities(self, motion: Motion) -> WindowScores:
            own = np.isclose(motion.time_s[-1], squats.time_s[-1])
            scores = Told("walking" if own else "squat").probabilities(motion)
            if own:
                scores.probability[:2] = Told("other").probabilities(motion).probability[0]
            return scores

    squats = filmed(take_of("squat", 1, reps=6), 3)[1]
    assert analyse_exercise(squats, WalksThen()).reps_total == 0
