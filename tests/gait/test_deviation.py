"""The deviation score: normal walks near 100, worse walks lower, and noise never makes anybody healthier."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posepipe.body.motion import Motion
from posepipe.gait.curves import SAGITTAL, cut_cycles, mean_curves
from posepipe.gait.events import coarse_strides
from posepipe.gait.judge import deviation, rms_deviation, score
from posepipe.gait.norms import curve_bands
from posepipe.gait.types import MeanCurve
from tests.gait.walks import mirrored, noisy, straight_motion


def _score(motion: Motion) -> float:
    found = deviation(mean_curves(cut_cycles(motion, coarse_strides(motion))), "3d")
    assert found is not None
    return found.score


def _curves(extra: float, sigma: float = 2.0) -> list[MeanCurve]:
    bands = curve_bands("3d")
    return [
        MeanCurve(side, angle, bands[angle].mean_deg + extra, np.ones(101), np.full(101, sigma), 4)
        for angle in SAGITTAL
        for side in ("left", "right")
    ]


def test_the_distance_is_the_root_mean_square() -> None:
    rms, _ = rms_deviation(_curves(7.0), curve_bands("3d"))
    assert rms == pytest.approx(7.0)


@given(st.floats(1.0, 40.0), st.floats(1.05, 3.0))
@settings(max_examples=30, deadline=None)
def test_further_is_always_lower(distance: float, factor: float) -> None:
    assert score(distance * factor, "3d")[0] < score(distance, "3d")[0]


def test_less_certain_curves_widen_the_bar_and_leave_the_score() -> None:
    sure, unsure = deviation(_curves(8.0, 1.0), "3d"), deviation(_curves(8.0, 4.0), "3d")
    assert sure is not None
    assert unsure is not None
    assert unsure.score == pytest.approx(sure.score)
    assert unsure.sigma == pytest.approx(4.0 * sure.sigma)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_noise_never_looks_healthier(seed: int) -> None:
    motion = straight_motion(seed)
    clean = _score(motion)
    for sigma_m, draws in ((0.02, 6), (0.05, 1)):
        # One draw moves a score by some points either way; all together they don't raise it.
        found = [_score(noisy(motion, sigma_m, 100 * seed + draw)) for draw in range(draws)]
        assert np.mean(found) <= clean


@pytest.mark.parametrize("pattern", ["crouch", "stiff_knee", "parkinsonian"])
def test_more_severe_is_never_better(pattern: str) -> None:
    found = [_score(straight_motion(4, pattern, severity)) for severity in (0.0, 0.5, 1.0)]
    assert found[2] < found[0] - 5.0
    assert found[1] < found[0] + 2.0


def test_mirroring_changes_nothing() -> None:
    motion = straight_motion(4, "stiff_knee", 0.8)
    assert _score(mirrored(motion)) == pytest.approx(_score(motion), abs=0.5)


def test_without_knees_there_is_no_score() -> None:
    hips = [curve for curve in _curves(0.0) if curve.angle != "knee_flexion"]
    assert deviation(hips, "3d") is None


def test_ankles_may_be_missing() -> None:
    legs = [curve for curve in _curves(5.0) if curve.angle != "ankle_dorsiflexion"]
    found = deviation(legs, "3d")
    assert found is not None
    assert {part.angle for part in found.parts} == {"hip_flexion", "knee_flexion"}
