"""What is said of a walk in a clinician's words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from posepipe.gait.analyse import analyse
from posepipe.gait.findings import FINDING, _judged, findings
from posepipe.gait.judge import JUDGE, Classifier
from posepipe.gait.types import Abnormal, Finding, GaitResult, Value
from posepipe.lab.people.gait import make_walk
from posepipe.reasons import Reason
from posepipe.reports.gait import finding_words
from posepipe.texts import load
from tests.gait.filmed import walk_motion
from tests.gait.walks import mirrored, straight_motion


@pytest.fixture(scope="module")
def stiff() -> GaitResult:
    return analyse(straight_motion(11, "stiff_knee", 1.0, "right"))


def test_a_stiff_knee_is_named_by_side_phase_and_amount(stiff: GaitResult) -> None:
    (knee,) = (f for f in findings(stiff) if f.name == "knee_swing_deg")
    assert knee.side == "right"
    assert knee.way == -1
    assert knee.uneven
    assert knee.other is not None
    assert knee.low is not None
    assert knee.value.value + FINDING.ninety_sd * knee.value.sigma < knee.low
    assert knee.value.value < knee.other.value - FINDING.differ_deg


def test_a_mirror_names_the_other_side(stiff: GaitResult) -> None:
    other = findings(analyse(mirrored(straight_motion(11, "stiff_knee", 1.0, "right"))))
    swap = {"left": "right", "right": "left", "": ""}
    key = [(f.name, swap[f.side], f.way, f.uneven) for f in findings(stiff) if f.weight > 2.0]
    assert key
    assert set(key) <= {(f.name, f.side, f.way, f.uneven) for f in other}


def test_of_normal_walks_little_is_said() -> None:
    said = [len(findings(analyse(straight_motion(seed)))) for seed in range(40, 46)]
    assert np.median(said) <= 1
    assert findings(GaitResult(withheld=Reason.NOT_WALKING)) == ()


def test_what_is_uncertain_isnt_said(stiff: GaitResult) -> None:
    blurred = tuple(replace(curve, sigma_deg=np.full_like(curve.sigma_deg, 60.0)) for curve in stiff.curves)
    names = {f.name for f in findings(replace(stiff, curves=blurred))}
    assert not any(name.startswith(("knee", "hip", "ankle", "trunk")) for name in names)


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "Right knee bends 31° ± 5 in swing, left 58° ± 5; normal 50 to 65°; the sides differ."),
        ("de", "Rechts beugt sich das Knie in der Schwungphase um 31° ± 5, links 58° ± 5; normal 50 bis 65°; "
         "die Seiten unterscheiden sich."),
    ],
)  # fmt: skip
def test_the_sentence(language: str, sentence: str) -> None:
    sigma = 5.0 / FINDING.ninety_sd
    one = Finding("knee_swing_deg", "right", Value(31.0, sigma), Value(58.0, sigma), -1, True, 50.0, 65.0, 6.0)
    assert finding_words(one, load(language)) == sentence


def test_what_a_camera_gets_wrong_of_both_sides_is_no_finding() -> None:
    both = {"left": Value(2.0, 5.0), "right": Value(3.0, 5.0)}
    norm = (24.0, 6.0)  # Nine in ten do 14 to 34.
    assert [f.way for f in _judged("knee_loading_deg", both, norm, FINDING.differ_deg)] == [-1]
    assert _judged("knee_loading_deg", both, norm, FINDING.differ_deg, FINDING.knee_offset_deg) == []
    uneven = {"left": Value(6.0, 2.0), "right": Value(20.0, 2.0)}
    (found,) = _judged("knee_loading_deg", uneven, norm, FINDING.differ_deg, FINDING.knee_offset_deg)
    assert (found.side, found.way, found.uneven) == ("left", 0, True)


def test_nobody_bends_by_less_than_nothing() -> None:
    knee = Finding("knee_stance_deg", "left", Value(-10.0, 3.0), Value(2.0, 3.0), -1, False, 2.0, 19.0, 3.0)
    assert finding_words(knee, load("en")) == (
        "Left knee is at \u221210° ± 5 in stance (minus is overstretched), right 2° ± 5; normal 2 to 19°."
    )
    bent = replace(knee, value=Value(30.0, 3.0), way=1)
    assert finding_words(bent, load("en")).startswith("Left knee stays bent 30° ± 5 in stance")


def test_one_stride_says_nothing_of_a_curve(stiff: GaitResult) -> None:
    left = [cycle for cycle in stiff.cycles if cycle.side == "left"]
    right = [cycle for cycle in stiff.cycles if cycle.side == "right"]
    few = findings(replace(stiff, cycles=(*left, right[0])))
    assert "knee_swing_deg" not in {f.name for f in few if f.side == "right" or f.other is not None}
    enough = findings(replace(stiff, cycles=(*left, *right[:2])))
    assert "knee_swing_deg" in {f.name for f in enough if f.side == "right"}


def test_every_measure_has_words(stiff: GaitResult) -> None:
    from posepipe.gait.findings import _READINGS
    from posepipe.reports.gait import _BEYOND_STRAIGHT, _SENTENCES

    names = {reading.name for reading in _READINGS}
    others = {"trunk_lean_deg", "stance_pct", "step_time_s", "step_length_side_m", "pace_llps"}
    assert names | others == set(_SENTENCES)
    every = (*_SENTENCES.values(), *_BEYOND_STRAIGHT.values())
    assert all(sentence in load("de").sentences for sentence in every)


def test_a_pattern_is_named_only_where_it_is_clearly_ahead() -> None:
    judge = Classifier()
    share = np.full(len(judge.patterns), 0.01, np.float32)
    share[2] = JUDGE.named + 0.01
    assert judge._name(share, ()) == judge.patterns[2]
    share[2] = JUDGE.named - 0.1
    assert judge._name(share, ()) == "unspecified"


def test_a_name_is_no_surer_than_its_calibration_allows() -> None:
    found, judge = analyse(straight_motion(11, "crouch", 1.0, "right")), Classifier()
    assert isinstance(found.abnormal, Abnormal)
    walks = judge._calibrated[found.view][-1]
    assert found.abnormal.pattern == "crouch"
    assert found.abnormal.pattern_probability == pytest.approx(1.0 - 1.0 / (walks + 2))


@pytest.mark.parametrize(("speed_mps", "way"), [(0.55, -1), (1.25, 0)])
def test_a_slow_walk_is_told_in_leg_lengths(speed_mps: float, way: int) -> None:
    """Whatever the body's size: metres need a height that nobody gave."""
    rng = np.random.default_rng(31)
    walk = make_walk(rng, speed_mps=speed_mps, duration_s=8.0, fps_hz=30.0)
    paces = [f for f in findings(analyse(walk_motion(walk))) if f.name == "pace_llps"]
    assert [f.way for f in paces] == ([way] if way else [])
    for pace in paces:
        assert pace.low is not None
        assert pace.value.value + FINDING.ninety_sd * pace.value.sigma < pace.low
        assert "leg lengths a second" in finding_words(pace, load("en"))
        assert "Beinlängen in der Sekunde" in finding_words(pace, load("de"))
