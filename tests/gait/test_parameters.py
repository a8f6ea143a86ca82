"""Spatiotemporal parameters against exact truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posepipe.body.motion import Motion
from posepipe.gait.norms import picture_habits
from posepipe.gait.parameters import PARAMETERS, Strider, parameters, spread_of
from posepipe.gait.picture_angles import from_picture, habit_terms
from posepipe.gait.signals import signals_of
from posepipe.gait.types import HEEL_STRIKE, SIDES, Event, Parameters, Value, Walk
from posepipe.gait.walk import find_walk
from posepipe.lab.people.gait import SynthWalk
from posepipe.reasons import Reason
from tests.gait.filmed import mirrored, seen, walk_motion, walker


def _measured(motion: Motion, scale_known: bool = True) -> Parameters:
    return parameters(motion, find_walk(motion), scale_known)


def _wrong(walk: SynthWalk, found: Parameters) -> list[str]:
    """Parameters that miss the truth, or are withheld."""
    truth = walk.truth
    step_m = float(np.mean(list(truth.step_length_m.values())))
    wanted: dict[tuple[str, ...], tuple[float, float]] = {
        ("cadence_spm",): (truth.cadence_spm, 1.0),
        ("step_length_m",): (step_m, 0.05 * step_m),
        ("walking_speed_mps",): (truth.walking_speed_mps, 0.05 * truth.walking_speed_mps),
        ("double_support_pct",): (truth.double_support_pct, 4.0),
    }
    wanted |= {("stance_pct", side): (truth.stance_pct[side], 2.4) for side in SIDES}
    wrong = []
    for name, (value, most) in wanted.items():
        got = found.value(*name)
        if got is None or abs(got.value - value) > most:
            wrong.append(f"{' '.join(name)}: {got}, not {value:.2f}")
    for side in SIDES:
        stance, swing = found.value("stance_pct", side), found.value("swing_pct", side)
        if stance is not None and abs(stance.value - truth.stance_pct[side]) >= 3.0 * stance.sigma:
            wrong.append(f"sigma of stance {side}: {stance.sigma}")
        if stance is None or swing is None or swing.value + stance.value != pytest.approx(100.0):
            wrong.append(f"swing {side}: {swing}")
    return wrong


@pytest.mark.parametrize(("pattern", "severity"), [("normal", 0.0), ("antalgic", 0.7), ("parkinsonian", 0.6)])
@pytest.mark.parametrize("view", ["file", "side", "treadmill"])
def test_parameters_are_true(pattern: str, severity: float, view: str) -> None:
    walk = walker(41, pattern, severity, treadmill=view == "treadmill")
    motion = walk_motion(walk) if view == "file" else seen(walk, kind="static" if view == "treadmill" else "pan")
    assert _wrong(walk, _measured(motion)) == []


@pytest.mark.parametrize("size_px", [(1280, 720), (720, 1280), (720, 720)])
def test_the_shape_of_the_picture_stretches_nothing(size_px: tuple[int, int]) -> None:
    """Normalised coordinates taken for square ones would make steps 1.78 times too short, or too long."""
    walk = walker(42)
    assert _wrong(walk, _measured(seen(walk, size_px=size_px))) == []


def test_both_directions_and_the_mirror() -> None:
    walk = walker(43, "hemiplegic", 0.7)
    there, back = (_measured(seen(walk, yaw_deg)) for yaw_deg in (90.0, -90.0))
    turned = _measured(mirrored(seen(walk, 90.0)))
    for name in ("cadence_spm", "step_length_m", "double_support_pct"):
        values = [found.value(name) for found in (there, back, turned)]
        assert all(value is not None for value in values)
        assert values[1].value == pytest.approx(values[0].value, rel=0.04)  # type: ignore[union-attr]
        assert values[2].value == pytest.approx(values[0].value, rel=1e-3)  # type: ignore[union-attr]
    for name in ("stance_pct", "step_time_s", "step_length_side_m", "arm_swing_deg"):
        assert turned.value(name, "right").value == pytest.approx(there.value(name, "left").value, rel=5e-3)  # type: ignore[union-attr]
    stance = there.items["symmetry"]["stance_pct"]  # type: ignore[index]
    other = turned.items["symmetry"]["stance_pct"]  # type: ignore[index]
    assert isinstance(stance, Value)
    assert isinstance(other, Value)
    assert stance.value > 1.0  # The right foot stands longer than the left one, which is at fault.
    assert other.value == pytest.approx(-stance.value, abs=0.1)


def test_without_a_height_there_are_no_metres() -> None:
    motion = seen(walker(44))
    known, unknown = _measured(motion), _measured(motion, False)
    for name in ("step_length_m", "stride_length_m", "walking_speed_mps", "walk_ratio_m_spm", "toe_lift_m"):
        assert unknown.items[name] == Reason.SCALE_ASSUMED
        assert known.value(name) is not None
    assert unknown.value("step_length_ll") == known.value("step_length_ll")
    assert unknown.value("cadence_spm") == known.value("cadence_spm")


def test_what_a_view_doesnt_show_is_withheld() -> None:
    walk = walker(45)
    front, side, oblique = (_measured(seen(walk, yaw_deg)) for yaw_deg in (0.0, 90.0, 45.0))
    for name in (
        "step_time_s",
        "stance_pct",
        "double_support_pct",
        "step_length_m",
        "walking_speed_mps",
        "step_length_ll",
    ):
        assert front.items[name] == Reason.WRONG_VIEW
        assert side.value(name) is not None
    assert side.items["step_width_m"] == Reason.WRONG_VIEW
    width, cadence = front.value("step_width_m"), front.value("cadence_spm")
    assert width is not None
    assert width.value == pytest.approx(walk.truth.step_width_m, abs=0.04)
    assert cadence is not None
    assert cadence.value == pytest.approx(walk.truth.cadence_spm, abs=1.5)
    assert oblique.items["step_length_side_m"] == Reason.WRONG_VIEW


def test_variation_needs_strides_and_not_a_longer_clip() -> None:
    """A longer clip isn't thinned out, so the variation doesn't grow with it."""
    assert _measured(walk_motion(walker(46, seconds=6.0))).items["stride_time_cv_pct"] == Reason.TOO_FEW_STRIDES
    found = []
    for seconds in (15.0, 30.0, 60.0):
        walk = walker(46, seconds=seconds)
        found.append(_measured(walk_motion(walk)).value("stride_time_cv_pct"))
    true = 100.0 * walk.style.time_cv / np.sqrt(2.0)  # A stride is two steps that vary by themselves.
    for value in found:
        assert value is not None
        assert value.value == pytest.approx(true, abs=0.8)


def test_ataxia_varies_more() -> None:
    steady, shaky = (_measured(walk_motion(walker(47, "ataxic", s, seconds=15.0))) for s in (0.0, 1.0))
    for name in ("stride_time_cv_pct", "step_length_cv_pct"):
        a, b = steady.value(name), shaky.value(name)
        assert a is not None
        assert b is not None
        assert b.value > a.value + 1.0


def test_noise_doesnt_make_a_walk_look_steadier() -> None:
    walk = walker(48, seconds=15.0)
    values = [_measured(seen(walk, noise_m=noise)).value("stride_time_cv_pct") for noise in (0.0, 0.01, 0.02)]
    assert all(value is not None for value in values)
    sigmas = [value.sigma for value in values]  # type: ignore[union-attr]
    assert sigmas[0] < sigmas[2]
    true = 100.0 * walk.style.time_cv / np.sqrt(2.0)
    assert all(abs(v.value - true) < 2.5 * v.sigma + 0.3 for v in values)  # type: ignore[union-attr]


def test_arms_and_trunk() -> None:
    swinging, still, bent = (
        _measured(walk_motion(walker(49, pattern, 1.0))) for pattern in ("normal", "reduced_arm_swing", "slouched")
    )
    arm = [found.value("arm_swing_deg") for found in (swinging, still)]
    assert arm[0].value > 3.0 * arm[1].value  # type: ignore[union-attr]
    lean = [found.value("trunk_lean_deg") for found in (swinging, bent)]
    assert lean[1].value - lean[0].value == pytest.approx(16.0, abs=3.0)  # type: ignore[union-attr]


def test_nothing_found_gives_reasons() -> None:
    motion = walk_motion(walker(50))
    found = parameters(motion, Walk(withheld=Reason.NOT_WALKING))
    assert set(found.items) == set(PARAMETERS)
    assert set(found.items.values()) == {Reason.NOT_WALKING}
    assert found.value("cadence_spm") is None


def test_sides_and_counts_are_complete() -> None:
    found = _measured(seen(walker(51)))
    assert set(found.items) == set(PARAMETERS)
    assert set(found.items["stance_pct"]) == {"left", "right"}  # type: ignore[arg-type]
    assert found.strides == {side: len(find_walk(seen(walker(51))).strides_of(side)) for side in SIDES}


@given(left=st.floats(0.1, 10.0), right=st.floats(0.1, 10.0))
def test_symmetry_angle(left: float, right: float) -> None:
    from posepipe.gait.parameters import _symmetry_angle

    pair = {"left": Value(left, 0.01), "right": Value(right, 0.01)}
    swapped = {"left": pair["right"], "right": pair["left"]}
    a, b = _symmetry_angle(pair), _symmetry_angle(swapped)
    assert isinstance(a, Value)
    assert isinstance(b, Value)
    assert a.value == pytest.approx(-b.value, abs=1e-9)
    assert -50.0 <= a.value <= 50.0
    assert (a.value > 0) == (right > left) or left == right


def test_picture_angles_are_the_bodys() -> None:
    walk = walker(52, "crouch", 0.5)
    true = walk.angles()
    for yaw_deg in (90.0, -90.0):
        motion = seen(walk, yaw_deg)
        blank = replace(motion.angles, deg=np.full_like(motion.angles.deg, np.nan))
        found = from_picture(replace(motion, angles=blank), habits=False).angles
        for angle, worst in (("knee_flexion", 6.0), ("hip_flexion", 6.0), ("ankle_dorsiflexion", 9.0)):
            for side in SIDES:
                column = found.names.index(f"{side}_{angle}")
                away = found.deg[5:-5, column] - true.deg[5:-5, true.names.index(f"{side}_{angle}")]
                assert np.sqrt(np.mean(away**2)) < worst
    front = seen(walk, 0.0)
    assert from_picture(front) is front
    plain = walk_motion(walk)
    assert from_picture(plain) is plain


def test_what_a_detector_does_to_legs_is_taken_off() -> None:
    """The correction is the table's weights times the terms, each leg's own; small where the legs are apart."""
    walk = walker(52)
    for yaw_deg, near in ((90.0, "left"), (-90.0, "right")):
        motion = seen(walk, yaw_deg)
        raw, found = from_picture(motion, habits=False), from_picture(motion)
        for side in SIDES:
            terms = habit_terms(raw, side)
            weights = picture_habits()["near" if side == near else "far", "knee_flexion"]
            column = found.angles.names.index(f"{side}_knee_flexion")
            more = found.angles.deg[:, column] - raw.angles.deg[:, column]
            np.testing.assert_allclose(more, terms @ weights, atol=1e-3)
            apart = terms[:, 1] < 0.05
            assert apart.any()
            assert np.abs(more[apart]).max() < 6.0


def test_few_values_dont_tell_their_own_spread() -> None:
    """The interval grows as strides get fewer, also where those that were seen happen to agree."""
    one, two, ten = (spread_of(np.full(count, 1.1)) / np.sqrt(count) for count in (1, 2, 10))
    assert one > 1.3 * two > 2.6 * ten
    assert one > 0.05 * 1.1
    wild = spread_of(np.array([1.0, 1.5]))
    assert wild > 2.0 * spread_of(np.array([1.2, 1.3]))


def test_a_missed_strike_is_part_of_the_error() -> None:
    """Where the legs pass each other at another pace than strikes were found, one of both is wrong."""
    walk = walker(53)
    motion = seen(walk)
    found = find_walk(motion)
    plain = parameters(motion, found).value("cadence_spm")
    times = sorted(e.time_s for e in found.events if e.type == HEEL_STRIKE)
    # As if one of ten had been missed, and the others moved so that it doesn't show.
    strikes = tuple(Event(1.1 * t, 0.01, SIDES[i % 2], HEEL_STRIKE, 1.0) for i, t in enumerate(times))
    wrong = parameters(motion, replace(found, events=strikes, strides=())).value("cadence_spm")
    assert plain is not None
    assert wrong is not None
    assert wrong.value < 0.93 * plain.value
    assert wrong.sigma > 4.0 * plain.sigma
    assert abs(wrong.value - walk.truth.cadence_spm) < 2.0 * wrong.sigma


def test_steps_tell_the_pace_where_there_is_no_stride() -> None:
    walk = walker(54)
    motion = seen(walk)
    found = replace(find_walk(motion), strides=())
    cadence = parameters(motion, found).value("cadence_spm")
    assert cadence is not None
    assert abs(cadence.value - walk.truth.cadence_spm) < 2.0
    assert parameters(motion, found).items["double_support_pct"] is Reason.TOO_FEW_STRIDES
    assert parameters(motion, replace(found, events=found.events[:3])).value("cadence_spm") is None


def test_without_a_pace_there_are_no_times_of_steps() -> None:
    """Legs that pass each other at half of the pace of the strikes: what is a step then isn't known."""
    motion = seen(walker(55))
    found = find_walk(motion)
    plain = parameters(motion, found)
    assert isinstance(plain.value("step_time_s", "left"), Value)
    doubtful = replace(found, passes=tuple(replace(span, stride_s=0.55 * span.stride_s) for span in found.passes))
    other = parameters(motion, doubtful)
    for name in ("cadence_spm", "step_time_s", "stance_pct", "single_support_pct", "double_support_pct"):
        assert other.items[name] is Reason.TOO_UNCERTAIN
    assert other.value("trunk_lean_deg") is not None


def test_a_doubtful_strike_makes_no_step() -> None:
    motion = seen(walker(56))
    found, signals = find_walk(motion), signals_of(motion)
    strikes = [e for e in found.events if e.type == HEEL_STRIKE]
    middle = strikes[len(strikes) // 2]
    events = tuple(replace(e, confidence=0.4) if e is middle else e for e in found.events)
    plain, fewer = (Strider(motion, walk, signals).steps() for walk in (found, replace(found, events=events)))
    assert len(fewer) == len(plain) - 2
