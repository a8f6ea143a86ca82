"""The pixel sigma goes the right way with each of its features."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posepipe.keypoints.sigma import SigmaFeatures, pixel_sigma, sigma_from_score

unit = st.floats(0.0, 1.0)


def one(peak: float, spread: float, visibility: float, presence: float, cell_px: float) -> SigmaFeatures:
    return SigmaFeatures(*(np.array([x], np.float32) for x in (peak, spread, visibility, presence)), cell_px)


@settings(deadline=None)
@given(unit, st.floats(0.0, 8.0), unit, unit, st.floats(0.1, 50.0), unit, st.sampled_from(range(5)))
def test_monotone(
    peak: float, spread: float, visibility: float, presence: float, cell_px: float, more: float, which: int
) -> None:
    """Less spread and smaller people lower the sigma; a lower peak, visibility or presence never does."""
    before = one(peak, spread, visibility, presence, cell_px)
    name = [field.name for field in fields(SigmaFeatures)][which]
    after = replace(before, **{name: getattr(before, name) + np.float32(more)})
    change = float(pixel_sigma(after)[0] - pixel_sigma(before)[0])
    slack = 1e-4 * cell_px
    if name in ("spread", "cell_px"):
        assert change >= -slack
    else:
        assert change <= slack


@settings(max_examples=50, deadline=None)
@given(unit, st.floats(0.0, 8.0), unit, unit, st.floats(0.1, 50.0))
def test_finite_and_positive(peak: float, spread: float, visibility: float, presence: float, cell_px: float) -> None:
    sigma = pixel_sigma(one(peak, spread, visibility, presence, cell_px))
    assert np.isfinite(sigma).all()
    assert (sigma > 0).all()


def test_unknown_spread_is_wide() -> None:
    sharp = pixel_sigma(one(0.9, 1.5, 0.9, 1.0, 10.0))
    unknown = pixel_sigma(one(0.9, np.nan, 0.9, 1.0, 10.0))
    assert unknown[0] > 3 * sharp[0]


def test_magnitudes_for_a_person_of_500_px() -> None:
    """Crop about 700 px, one cell about 11 px."""
    cell_px = 700 / 64
    clear = pixel_sigma(one(0.95, 1.15, 0.99, 1.0, cell_px))[0]
    hidden = pixel_sigma(one(0.2, 4.0, 0.1, 1.0, cell_px))[0]
    assert 3.0 <= clear <= 6.5
    assert hidden >= 20.0


def test_scale() -> None:
    small, large = (pixel_sigma(one(0.7, 2.0, 0.6, 0.9, cell)) for cell in (2.0, 6.0))
    assert large[0] == pytest.approx(3 * small[0], rel=1e-5)


def test_from_score_falls_with_the_score() -> None:
    sigma = sigma_from_score(np.linspace(0, 1, 11, dtype=np.float32), 5.0)
    assert (np.diff(sigma) < 0).all()
