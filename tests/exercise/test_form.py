"""Ranges, faults and their error bars."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from exercise_kit import exercise, filmed, take_of
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from posepipe.body.angles import joint_angles
from posepipe.body.motion import LABELS as VIEWS
from posepipe.body.motion import Motion
from posepipe.exercise.count import count_exercise
from posepipe.exercise.form import (
    FEATURE_COUNT,
    QualityModel,
    advice,
    beyond_doubt,
    consistency,
    describe,
    rep_features,
    rules_seen,
)
from posepipe.exercise.signal import difference_sigma, measure
from posepipe.exercise.types import Form, Rejected, Repetition
from posepipe.lab.people.exercises.takes import ExerciseTake
from posepipe.reasons import Reason
from posepipe.skeleton import BODY21


def _reps(sigma_m: float | None = None, yaw_deg: float = 0.0, seed: int = 61) -> tuple[tuple[Repetition, ...], Motion]:
    take = take_of("squat", seed, reps=3)
    pose, motion = filmed(take, noise_m=0.003, yaw_deg=yaw_deg)
    if sigma_m is not None:
        pose = replace(pose, sigma_m=np.full_like(pose.sigma_m, sigma_m))
        motion = Motion.from_pose(pose, joint_angles(pose))
    squat = exercise("squat")
    return describe(motion, squat, count_exercise(motion, squat)), motion


def test_range_is_the_curve_s() -> None:
    reps, motion = _reps()
    knee = measure(motion, "knee_flexion").deg.mean(axis=1)
    for rep in reps:
        inside = (motion.time_s >= rep.start_s - 0.2) & (motion.time_s <= rep.end_s + 0.2)
        assert abs(rep.rom_deg - np.ptp(knee[inside])) < 0.2 * rep.rom_deg + 3.0


def test_sigma_grows_with_the_joints() -> None:
    fine, rough = _reps(0.005)[0], _reps(0.03)[0]
    assert all(a.rom_sigma_deg < b.rom_sigma_deg for a, b in zip(fine, rough, strict=True))


def test_what_is_too_uncertain_is_not_judged() -> None:
    reps, _ = _reps(0.2)
    assert all(not rep.faults for rep in reps)
    assert all(rep.withheld for rep in reps)


def test_a_view_that_hides_it_is_not_judged() -> None:
    said = []
    for yaw_deg in (0.0, 90.0, 180.0, 270.0):
        reps, _ = _reps(0.003, yaw_deg)
        said.append({rep.withheld.get("knees_in") for rep in reps} == {"wrong_view"})
    # From the front only.
    assert said.count(False) == 1


def test_faults_need_more_than_the_error_bar() -> None:
    """More noise in sigma can only take faults away (trap 7)."""
    sure = _reps(0.003)[0]
    for sigma_m in (0.01, 0.03, 0.1):
        unsure = _reps(sigma_m)[0]
        assert all(set(b.faults) <= set(a.faults) for a, b in zip(sure, unsure, strict=True))


def test_three_answers_are_different() -> None:
    """Good, no fault seen, and couldn't judge: each where it belongs, never the one for the other."""
    good = _reps(0.003, yaw_deg=315.0, seed=37)[0]
    assert {rep.form for rep in good} == {Form.GOOD}
    assert all(not rep.withheld for rep in good)
    # Who leans further, half towards the camera, may lean too far.
    assert Form.NO_FAULT in {rep.form for rep in _reps(0.003, yaw_deg=315.0)[0]}
    # From the side the knees can't be judged, so it isn't good, whatever the rest says.
    side = [_reps(0.003, yaw_deg)[0] for yaw_deg in (0.0, 180.0)]
    assert {rep.form for reps in side for rep in reps} == {Form.NO_FAULT}
    blind = _reps(0.2)[0]
    assert {rep.form for rep in blind} == {Form.NOT_JUDGED}
    assert all(set(rep.withheld.values()) <= {Reason.TOO_UNCERTAIN, Reason.WRONG_VIEW} for rep in blind)


def test_within_the_error_bar_it_is_neither_fault_nor_fine() -> None:
    """A squat on the wrong side of a threshold, by less than the error bar, can't be judged."""
    _, motion = _reps(0.003)
    squat = exercise("squat")
    counted = count_exercise(motion, squat)
    depth = [describe(motion, squat, counted)[0]]
    thigh = measure(motion, "thigh_rise")
    at = int(np.abs(motion.time_s - counted.reps[0].turn_s).argmin())
    bar = 1.645 * float(thigh.sigma_deg[at].mean())
    said = []
    for beyond in (-2.0, -0.5, 0.5, 2.0):
        rule = replace(squat.rules[0], above_deg=float(thigh.deg[at].mean()) - beyond * bar)
        one = describe(motion, replace(squat, rules=(rule,)), counted)[0]
        said.append((one.form, one.withheld.get("shallow")))
    unsure = Reason.TOO_UNCERTAIN
    assert said == [(Form.GOOD, None), (Form.NO_FAULT, None), (Form.NOT_JUDGED, unsure), (Form.FAULT, None)]
    assert depth[0].form is not Form.FAULT


def test_a_range_within_its_own_doubt_is_no_repetition() -> None:
    sure, vague = Repetition(0, 1, 2, rom_deg=49.0, rom_sigma_deg=20.0), Repetition(2, 3, 4, 49.0, 60.0)
    unknown = Repetition(4, 5, 6)
    assert beyond_doubt((sure,)) == ((sure,), ())
    assert beyond_doubt((vague,)) == ((), (Rejected(2, 4, Reason.TOO_UNCERTAIN),))
    assert beyond_doubt((unknown,)) == ((unknown,), ())
    # Five alike are less doubtful than one, and nothing takes a count away again.
    assert beyond_doubt((vague,) * 5) == ((vague,) * 5, ())
    nothing = Repetition(2, 3, 4, 1.0, 40.0)
    just = replace(sure, rom_deg=25.0)
    kept, out = beyond_doubt((just, *(nothing,) * 3))
    assert kept == (just,) and len(out) == 3
    kept, out = beyond_doubt(_reps(0.8)[0])
    assert not kept and {item.reason for item in out} == {Reason.TOO_UNCERTAIN}


def test_what_to_do_about_it() -> None:
    squat = exercise("squat")
    assert advice(squat, "leaning_forward", Reason.WRONG_VIEW) == "Film from the side."
    assert "front" in advice(exercise("squat"), "knees_in", Reason.WRONG_VIEW)
    assert advice(squat, "shallow", Reason.JOINT_UNSEEN) and advice(squat, "shallow", Reason.TOO_UNCERTAIN)
    assert not advice(squat, "score", Reason.NOT_COMPARABLE)


def test_mirrored_person_has_the_other_side() -> None:
    take = take_of("squat", 62, reps=3)
    squat = exercise("squat")
    plain, other = (filmed(take, noise_m=0.003, mirrored=flag)[1] for flag in (False, True))
    a, b = (describe(motion, squat, count_exercise(motion, squat)) for motion in (plain, other))
    for one, two in zip(a, b, strict=True):
        assert abs(one.rom_deg - two.rom_deg) < 1.0
        assert abs(one.left_right_deg + two.left_right_deg) < 1.0


@given(change=st.floats(-200, 200), one=st.floats(0.1, 60), other=st.floats(0.1, 60))
def test_a_difference_is_between_certain_and_independent(change: float, one: float, other: float) -> None:
    got = difference_sigma(*(np.array([x]) for x in (change, one, other)))[0]
    assert abs(one - other) <= got <= np.hypot(one, other) + 1e-9
    further = difference_sigma(*(np.array([x]) for x in (1.5 * change, one, other)))[0]
    assert further >= got - 1e-9


def test_consistency() -> None:
    reps = tuple(Repetition(i, i + 0.5, i + 1.0, rom_deg=100.0 + i) for i in range(3))
    alike = consistency(reps)
    assert alike is not None and alike.rom_mean_deg == 101.0 and alike.rom_sd_deg == 1.0
    assert consistency(reps[:1]) is None


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.floats(0.1, 20.0))
def test_noise_never_raises_the_score(seed: int, size: float) -> None:
    """Whatever the repetition, noise to one side and the other deviates more on average than none (trap 7)."""
    rng = np.random.default_rng(seed)
    model = QualityModel()
    clean, noise = rng.normal(40, 30, FEATURE_COUNT), rng.normal(0, size, FEATURE_COUNT)
    for movement in ("squat", "scaption"):
        plain = model.deviation(movement, clean)[0]
        both = model.deviation(movement, np.stack([clean + noise, clean - noise])).mean()
        assert both >= plain * (1 - 1e-5)


def test_features_are_a_mirrored_person_s_too() -> None:
    take = take_of("lunge", 63, reps=2)
    start_s, end_s = (float(t) for t in take.rep_bounds[0])
    rows = [rep_features(filmed(take, noise_m=0.0, mirrored=flag)[1], start_s, end_s)[0] for flag in (False, True)]
    assert rows[0].shape == (FEATURE_COUNT,)
    np.testing.assert_allclose(rows[0], rows[1], atol=0.1)


def test_no_score_without_a_model_or_certainty() -> None:
    _, motion = _reps(0.2)
    span = [(float(motion.time_s[0]), float(motion.time_s[-1]))]
    model = QualityModel()
    assert np.isnan(model.score("squat", motion, span)).all()
    assert np.isnan(model.score("bicep_curl", motion, span)).all()


def test_scores_lie_between_zero_and_one() -> None:
    reps, motion = _reps(0.003)
    scores = QualityModel().score("squat", motion, [(rep.start_s, rep.end_s) for rep in reps])
    assert ((scores > 0) & (scores <= 1)).all()


def test_a_lean_in_depth_is_hardly_seen() -> None:
    """The error bar of a lean holds the camera's tilt, and what lies in depth; how much it changes is free of both."""
    squat = exercise("squat")
    lean = next(rule for rule in squat.rules if rule.code == "leaning_forward")
    lean = replace(lean, views=frozenset(VIEWS), max_sigma_deg=90.0)
    sway = replace(lean, code="sway", at="rep", take="range")
    told = []
    for yaw_deg in (0.0, 90.0):  # From the side, from the front.
        pose, _ = filmed(take_of("squat", 61, reps=2), noise_m=0.003, yaw_deg=yaw_deg)
        pose = replace(pose, sigma_m=np.full_like(pose.sigma_m, 0.001))
        motion = Motion.from_pose(pose, joint_angles(pose))
        (cycle, _) = count_exercise(motion, squat).reps
        told.append(rules_seen(motion, replace(squat, rules=(lean, sway)), cycle))
    (side, side_change), (front, front_change) = told
    assert 5.0 < side.sigma_deg < 6.0 < 10.0 < front.sigma_deg
    assert max(side_change.sigma_deg, front_change.sigma_deg) < 1.0
    assert measure(motion, "knee_flexion").alone_deg is None


def _leaning(take: ExerciseTake, lean_deg: NDArray[np.float64]) -> Motion:
    """A take whose upper body leans back by (F,), nearly from the side."""
    legs = ("hip", "knee", "ankle", "heel", "foot")
    upper = [i for i, name in enumerate(BODY21.joints) if not any(part in name for part in legs)]
    turn = np.radians(lean_deg)[:, None]
    xyz = take.positions.copy()
    x, z = (xyz[:, upper, axis] - xyz[:, :1, axis] for axis in (0, 2))
    xyz[:, upper, 0] = xyz[:, :1, 0] + np.cos(turn) * x - np.sin(turn) * z
    xyz[:, upper, 2] = xyz[:, :1, 2] + np.sin(turn) * x + np.cos(turn) * z
    return filmed(replace(take, positions=xyz), noise_m=0.003, yaw_deg=60.0)[1]


def _raised(take: ExerciseTake) -> NDArray[np.float64]:
    """How far the hands are up (F,), 0 to 1."""
    wrists = take.positions[:, BODY21.indices("left_wrist", "right_wrist"), 2].mean(axis=1)
    return np.asarray((wrists - wrists.min()) / np.ptp(wrists))


def test_a_swing_through_the_vertical_is_one() -> None:
    """Who curls with a bow forward and then backward leans as far at both ends: only with its sign is that a swing."""
    take = take_of("bicep_curl", 7, reps=3)
    curl = exercise("bicep_curl")
    for size_deg, faults in ((25.0, {"swinging", "leaning_back"}), (0.0, set())):
        motion = _leaning(take, size_deg * (2.0 * _raised(take) - 1.0))
        reps = describe(motion, curl, count_exercise(motion, curl))
        assert len(reps) == 3
        assert all(set(rep.faults) & {"swinging", "leaning_back"} == faults for rep in reps)


def test_sides_that_contradict_each_other_cannot_be_judged() -> None:
    """Where one arm is hidden, guessed hanging, the mean of both says nothing of a press that ended overhead."""
    press = exercise("shoulder_press")
    take = take_of("shoulder_press", 3, reps=2)
    hidden = take.positions.copy()
    arm = BODY21.indices("right_elbow", "right_wrist")
    down_m = np.array([[0.0, 0.0, -0.28], [0.0, 0.0, -0.53]])
    hidden[:, arm] = hidden[:, [BODY21.index("right_shoulder")]] + down_m
    for xyz, judged in ((take.positions, True), (hidden, False)):
        motion = filmed(replace(take, positions=xyz), noise_m=0.003)[1]
        cycle = count_exercise(motion, press).reps[0]
        lockout = next(
            seen for seen in rules_seen(motion, press, replace(cycle, side="both")) if seen.code == "no_lockout"
        )
        assert not lockout.broken and (lockout.reason is None) is judged
        assert judged or lockout.reason is Reason.TOO_UNCERTAIN


def test_heights_are_seen_from_any_side() -> None:
    """How high hands and thighs are is the same from the front and from the side, and what it is by its words."""
    for label, name, low, high in (("jumping_jack", "hand_rise", -60.0, 35.0), ("squat", "thigh_rise", 30.0, 75.0)):
        take = take_of(label, 5, reps=2)
        seen = [measure(filmed(take, noise_m=0.003, yaw_deg=yaw)[1], name) for yaw in (0.0, 90.0)]
        assert np.abs(seen[0].deg - seen[1].deg).max() < 8.0
        assert np.percentile(seen[0].deg, 5) < low and np.percentile(seen[0].deg, 95) > high
    push_up = filmed(take_of("push_up", 5, reps=2), noise_m=0.003)[1]
    line = measure(push_up, "hip_rise")
    assert np.abs(np.median(line.deg)) < 20.0 and np.median(line.sigma_deg) < 3.0
    # A standing body has no height of the hip over itself.
    stands = measure(filmed(take_of("bicep_curl", 5, reps=2), noise_m=0.003)[1], "hip_rise")
    assert np.median(stands.sigma_deg) > 3.0 * np.median(line.sigma_deg)


def test_a_press_leans_back_against_how_it_began() -> None:
    """Who leans on a bench all along isn't told; who leans back as the arms go up is."""
    take = take_of("shoulder_press", 3, reps=3)
    raised = _raised(take)
    told = {}
    for name, lean_deg in (("bench", 35.0 + 0.0 * raised), ("meanwhile", 35.0 * raised), ("upright", 0.0 * raised)):
        motion = _leaning(take, lean_deg)
        press = exercise("shoulder_press")
        reps = describe(motion, press, count_exercise(motion, press))
        assert len(reps) == 3
        told[name] = {"leaning_back" in rep.faults for rep in reps}
        assert all("leaning_back" not in rep.not_judged for rep in reps)
    assert told == {"bench": {False}, "meanwhile": {True}, "upright": {False}}
