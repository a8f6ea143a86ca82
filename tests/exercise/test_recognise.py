"""Naming movements: synthetic truth, live against offline, doubt."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from exercise_kit import take_motion

from posepipe.body.motion import Motion
from posepipe.errors import ModelError
from posepipe.exercise.features import WINDOW_S
from posepipe.exercise.labels import EXERCISES, LABELS, OTHER, WALKING
from posepipe.exercise.recognise import Recogniser, RecogniseSettings, Segment, WindowScores, longest, segments
from posepipe.lab.people.exercises.takes import ExerciseTake, make_exercise
from posepipe.lab.recogniser.measure import motion_of
from posepipe.reasons import Reason
from posepipe.skeleton import BODY21

_MODELS = ("exercise", "exercise_bilstm")


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser()


def _take(label: str, seed: int = 0, fps_hz: float = 30.0) -> ExerciseTake:
    rng = np.random.default_rng(seed)
    return make_exercise(label, rng, fps_hz=fps_hz, reps=3, cut=0.0, context=0.0, partial=0.0)


def _label(recogniser: Recogniser, motion: Motion) -> str:
    return longest(segments(recogniser.probabilities(motion)))


@pytest.mark.parametrize("name", _MODELS)
def test_synthetic_movements_are_named(name: str) -> None:
    recogniser = Recogniser(name)
    right = [
        _label(recogniser, take_motion(_take(label, seed))) == label
        for label in (*EXERCISES, WALKING)
        for seed in range(40, 44)
    ]
    assert np.mean(right) >= 0.8


def test_everyday_movement_is_hardly_ever_an_exercise(recogniser: Recogniser) -> None:
    takes = [_take(label, seed) for label in (WALKING, OTHER) for seed in range(60, 80)]
    assert np.mean([_label(recogniser, take_motion(take)) in EXERCISES for take in takes]) <= 0.15


@pytest.mark.parametrize("label", ["squat", "push_up", "shoulder_press", "jumping_jack", "walking"])
def test_rate_mirror_and_heading_change_nothing(recogniser: Recogniser, label: str) -> None:
    take = _take(label, 43)
    said = _label(recogniser, take_motion(take))
    for fps_hz in (15.0, 24.0, 60.0):
        assert _label(recogniser, take_motion(_take(label, 43, fps_hz))) == said
    image = take.positions[:, BODY21.mirror] * np.array([1.0, -1.0, 1.0])
    assert _label(recogniser, take_motion(take, image)) == said
    c, s = np.cos(np.radians(30.0)), np.sin(np.radians(30.0))
    turned = take.positions @ np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]).T
    assert _label(recogniser, take_motion(take, turned)) == said


def test_probabilities_are_probabilities(recogniser: Recogniser) -> None:
    scores = recogniser.probabilities(take_motion(_take("squat")))
    assert scores.probability.shape == (len(scores.time_s), len(LABELS))
    assert np.allclose(scores.probability.sum(axis=1), 1.0, atol=1e-5) and (scores.probability >= 0).all()
    assert (np.diff(scores.time_s) > 0).all()


def test_live_is_offline_a_second_later(recogniser: Recogniser) -> None:
    take = _take("bicep_curl", 1)
    motion = take_motion(take)
    offline = recogniser.probabilities(motion, stride_s=1.0 / 30.0)
    stream = recogniser.start()
    got = []
    for k in range(len(motion)):
        out = stream.step(
            float(motion.time_s[k]), motion.xyz_m[k], motion.sigma_m[k], motion.root_m[k], (0.0, 0.0, 1.0)
        )
        got.append(out)
    assert all(out is None for out in got[:17]) and got[-1] is not None
    changed = [k for k in range(1, len(got)) if got[k] is not None and got[k] is not got[k - 1]]
    gaps = np.diff(motion.time_s[changed])
    assert gaps.min() > 0.15 and gaps.max() < 0.3
    compared = 0
    for k in changed:
        nearest = int(np.abs(offline.time_s - (motion.time_s[k] - WINDOW_S / 2)).argmin())
        if abs(offline.time_s[nearest] - (motion.time_s[k] - WINDOW_S / 2)) < 1e-6:
            assert np.allclose(np.asarray(got[k]), offline.probability[nearest], atol=1e-4)
            compared += 1
    assert compared > 10


def test_a_stream_starts_anew_when_time_goes_back(recogniser: Recogniser) -> None:
    motion = take_motion(_take("squat", 1))
    stream = recogniser.start()
    first = [stream.step(float(t), x, up=(0.0, 0.0, 1.0)) for t, x in zip(motion.time_s, motion.xyz_m, strict=True)]
    again = [stream.step(float(t), x, up=(0.0, 0.0, 1.0)) for t, x in zip(motion.time_s, motion.xyz_m, strict=True)]
    for a, b in zip(first, again, strict=True):
        assert (a is None) == (b is None) and (a is None or np.array_equal(a, np.asarray(b)))


def test_nobody_seen_is_no_opinion(recogniser: Recogniser) -> None:
    take = _take("squat")
    motion = take_motion(take, np.full_like(take.positions, np.nan))
    scores = recogniser.probabilities(motion)
    assert np.isnan(scores.probability).all()
    found = segments(scores)
    assert [s.label for s in found] == [OTHER] and found[0].confidence == 0.0
    empty = recogniser.probabilities(motion_of(take.time_s[:0], take.positions[:0].astype(np.float32)))
    assert segments(empty) == () and longest(()) == OTHER


def test_another_network_is_refused() -> None:
    with pytest.raises(ModelError, match="not a recogniser"):
        Recogniser("lifter")


def _scores(course: list[tuple[str, float, float]]) -> WindowScores:
    """Scores of (label, probability, seconds); the rest goes to `other`."""
    rows = []
    for label, p, seconds in course:
        row = np.full(len(LABELS), 1e-3, np.float32)
        row[LABELS.index(OTHER)] = 1.0 - p
        row[LABELS.index(label)] = p
        rows += [row / row.sum()] * round(seconds / 0.2)
    time_s = 1.0 + 0.2 * np.arange(len(rows))
    return WindowScores(time_s, np.array(rows), 0.0, float(time_s[-1] + 1.0))


def test_bouts_follow_each_other() -> None:
    found = segments(_scores([("squat", 0.9, 8.0), (OTHER, 1.0, 4.0), ("push_up", 0.95, 8.0)]))
    assert [s.label for s in found] == ["squat", OTHER, "push_up"]
    assert found[0].start_s == 0.0 and found[-1].end_s == pytest.approx(21.8)
    assert all(a.end_s == b.start_s for a, b in pairwise(found))
    assert found[0].end_s == pytest.approx(8.9, abs=0.3) and found[1].end_s == pytest.approx(12.9, abs=0.3)
    assert found[0].confidence == pytest.approx(0.9, abs=0.03)


def test_a_flicker_is_not_a_bout() -> None:
    found = segments(_scores([("squat", 0.9, 5.0), ("lunge", 0.6, 0.4), ("squat", 0.9, 5.0)]))
    assert [s.label for s in found] == ["squat"]


def test_too_unsure_is_other_with_the_reason() -> None:
    rows = np.full((30, len(LABELS)), 1e-3, np.float32)
    rows[:, LABELS.index("squat")], rows[:, LABELS.index("lunge")] = 0.4, 0.39
    rows[:, LABELS.index("deadlift")], rows[:, LABELS.index(OTHER)] = 0.1, 0.1
    scores = WindowScores(np.arange(30) * 0.2, rows / rows.sum(axis=1, keepdims=True), 0.0, 6.0)
    (found,) = segments(scores)
    assert found.label == OTHER and found.doubt is Reason.UNSURE_WHICH


def test_a_weak_guess_is_other_without_doubt() -> None:
    rows = np.full((30, len(LABELS)), 1e-3, np.float32)
    rows[:, LABELS.index("squat")], rows[:, LABELS.index(OTHER)] = 0.35, 0.64
    scores = WindowScores(np.arange(30) * 0.2, rows / rows.sum(axis=1, keepdims=True), 0.0, 6.0)
    (found,) = segments(scores)
    assert found.label == OTHER and found.doubt is None


def test_one_likelier_than_all_other_exercises_is_named() -> None:
    """Whether it is an exercise and which one are two questions."""
    rows = np.full((30, len(LABELS)), 1e-3, np.float32)
    rows[:, LABELS.index("squat")], rows[:, LABELS.index("lunge")], rows[:, LABELS.index(OTHER)] = 0.46, 0.25, 0.28
    scores = WindowScores(np.arange(30) * 0.2, rows / rows.sum(axis=1, keepdims=True), 0.0, 6.0)
    (found,) = segments(scores)
    assert found.label == "squat" and found.confidence < 0.5 and found.doubt is None


def test_without_an_exercise_the_likelier_of_walking_and_other_is_named() -> None:
    course = [("walking", 0.97, 2.0), ("walking", 0.44, 1.6)]
    (found,) = segments(_scores(course), RecogniseSettings(bout_s=100.0))
    assert found.label == "walking"


def test_what_lasts_longest() -> None:
    found = (Segment("squat", 0.9, 0, 3), Segment(OTHER, 0.9, 3, 7), Segment("squat", 0.8, 7, 9))
    assert longest(found) == "squat"


def test_a_short_bout_amid_standing_about_is_found() -> None:
    course = [(OTHER, 0.9, 6.0), ("squat", 0.95, 4.0), (OTHER, 0.9, 6.0)]
    assert [s.label for s in segments(_scores(course))] == [OTHER, "squat", OTHER]


def test_windows_some_at_a_time_are_as_all(monkeypatch: pytest.MonkeyPatch) -> None:
    take = make_exercise("squat", np.random.default_rng(4), reps=4)
    motion = take_motion(take)
    whole = Recogniser().probabilities(motion)
    monkeypatch.setattr("posepipe.exercise.recognise._AT_ONCE", 16)
    some = Recogniser().probabilities(motion)
    assert len(whole.time_s) > 32
    np.testing.assert_array_equal(some.time_s, whole.time_s)
    np.testing.assert_allclose(some.probability, whole.probability, atol=1e-5)
