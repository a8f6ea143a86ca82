"""Mean curves, their errors, and where they leave a band."""

from __future__ import annotations

import numpy as np
import pytest

from posepipe.errors import UsageError
from posepipe.gait.curves import compare, cut_cycles, mean_curve, mean_curves, phase_words
from posepipe.gait.events import coarse_strides
from posepipe.gait.norms import (
    PUBLISHED_ADULTS,
    PUBLISHED_CHILDREN,
    SOURCES,
    Band,
    curve_bands,
    published_bands,
    spatiotemporal,
)
from posepipe.gait.types import MeanCurve
from tests.gait.walks import noisy, straight_motion

PERCENT = np.arange(101.0)


def _curve(offset: np.ndarray | float, sigma: float = 1.0) -> MeanCurve:
    mean = 20.0 + np.zeros(101) + offset
    return MeanCurve("left", "knee_flexion", mean, np.ones(101), np.full(101, sigma), 4)


BAND = {"knee_flexion": Band("knee_flexion", np.full(101, 20.0), np.full(101, 5.0), "posepipe")}


def test_the_place_of_the_worst_departure_is_found() -> None:
    bump = 20.0 * np.exp(-(((PERCENT - 72.0) / 5.0) ** 2))
    found = compare(_curve(-bump), BAND)
    assert found is not None
    assert found.worst_pct == 72
    assert found.worst_z == pytest.approx(-4.0)
    assert found.phase == "initial swing"
    assert 5.0 < found.outside_pct < 15.0


def test_a_curve_in_the_middle_of_its_band_departs_nowhere() -> None:
    found = compare(_curve(0.0), BAND)
    assert found is not None
    assert found.rms_deg == 0.0
    assert found.outside_pct == 0.0


def test_without_a_band_there_is_no_departure() -> None:
    assert compare(_curve(0.0), {}) is None


def test_measuring_error_does_not_average_out() -> None:
    motion = noisy(straight_motion(5), 0.02)
    cycles = cut_cycles(motion, coarse_strides(motion))
    one = mean_curve(cycles[:1], cycles[0].side, "knee_flexion")
    many = mean_curve(cycles, cycles[0].side, "knee_flexion")
    assert one is not None
    assert many is not None
    single = np.nanmedian(cycles[0].sigma_deg[:, 1])
    assert np.nanmedian(many.sigma_deg) >= 0.9 * single


def test_both_sides_of_every_angle_are_there() -> None:
    motion = straight_motion(5)
    curves = mean_curves(cut_cycles(motion, coarse_strides(motion)))
    assert len({(curve.side, curve.angle) for curve in curves}) == 8
    assert mean_curves([]) == ()


def test_phases_have_names() -> None:
    assert phase_words(0) == "loading response"
    assert phase_words(55) == "pre-swing"
    assert phase_words(100) == "terminal swing"


def test_every_norm_names_its_source() -> None:
    for source in (PUBLISHED_ADULTS, PUBLISHED_CHILDREN):
        assert all(band.source in SOURCES for band in published_bands(source).values())
    for seen in ("side", "oblique", "front", "3d"):
        assert curve_bands(seen)["knee_flexion"].source in SOURCES
    with pytest.raises(UsageError, match="nobody"):
        published_bands("nobody")


def test_published_knees_are_as_printed() -> None:
    knee = published_bands()["knee_flexion"]
    assert knee.mean_deg.max() == pytest.approx(61.4, abs=0.3)
    assert abs(int(knee.mean_deg.argmax()) - 72) <= 1


def test_ranges_follow_age_and_sex_and_nothing_is_scaled() -> None:
    young, old = (spatiotemporal("step_length_m", "female", age) for age in (25, 87))
    assert young is not None
    assert old is not None
    assert old.high < young.low + 0.05
    assert spatiotemporal("step_length_m", "male", 97) is None
    assert spatiotemporal("stance_pct", "male", 2) is None
    assert spatiotemporal("harmonic_ratio", None, None) is None
    anyone = spatiotemporal("cadence_spm", None, None)
    assert anyone is not None
    assert anyone.age_from >= 18
    assert anyone.source in SOURCES
    with pytest.raises(UsageError):
        spatiotemporal("cadence_spm", "none", None)
