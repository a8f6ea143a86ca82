"""The pixel sigma goes the right way with each of its features."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posepipe.keypoints.sigma import CapRow, SigmaFeatures, capped_sigma, pixel_sigma, sigma_from_score

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


def test_cap_falls_with_what_the_detector_sees() -> None:
    """All 33 points at once; less spread and more visibility never raise a sigma."""
    ones = np.ones(33, np.float32)
    clear = capped_sigma(SigmaFeatures(0.95 * ones, 1.15 * ones, 0.99 * ones, ones, 10.0))
    wide = capped_sigma(SigmaFeatures(0.5 * ones, 3.0 * ones, 0.99 * ones, ones, 10.0))
    hidden = capped_sigma(SigmaFeatures(0.5 * ones, 3.0 * ones, 0.2 * ones, ones, 10.0))
    assert clear.shape == (33,)
    assert (clear > 0).all()
    assert (wide > clear).all()
    assert (hidden >= wide).all()
    near = capped_sigma(SigmaFeatures(0.95 * ones, 1.15 * ones, 0.99 * ones, ones, 20.0))
    assert np.allclose(near, 2 * clear, rtol=1e-5)


def test_cap_over_frames_is_the_cap_of_each_frame() -> None:
    rng = np.random.default_rng(3)
    peak, spread, visibility, presence = rng.random((4, 5, 33)).astype(np.float32)
    together = capped_sigma(SigmaFeatures(peak, 3 * spread, visibility, presence, 7.0))
    for row in range(5):
        one_frame = SigmaFeatures(peak[row], 3 * spread[row], visibility[row], presence[row], 7.0)
        assert np.allclose(capped_sigma(one_frame), together[row])


@pytest.mark.parametrize("shape", [1.0, 2.0])
def test_cap_is_found_again(shape: float) -> None:
    """Errors drawn from a known cap: the fit states their standard deviation within five percent."""
    pytest.importorskip("scipy")
    from posepipe.lab.detector import fit_row, honesty

    rng = np.random.default_rng(0)
    first, visibility = rng.uniform(0.5, 3.0, 6000), rng.random(6000)
    truth = CapRow(1.3, 0.8, 0.7, shape)
    scale = truth.sigma(first, visibility)[:, None]
    noise = rng.laplace(0, 1 / np.sqrt(2), (6000, 2)) if shape == 1.0 else rng.standard_normal((6000, 2))
    found = fit_row(scale * noise, first, visibility)
    assert found.sigma(first, visibility) == pytest.approx(scale[:, 0], rel=0.08)
    assert found.shape == pytest.approx(shape, abs=0.15)
    honest, wrong = (honesty(scale * noise, s) for s in (found.sigma(first, visibility), first))
    assert honest["laplace_loss"] < wrong["laplace_loss"]
    assert 0.88 < honest["within_1.645"] < 0.93
