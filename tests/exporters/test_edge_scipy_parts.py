"""The runner's stand-ins for SciPy give what SciPy gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import interpolate, linalg, ndimage, optimize, signal

from exporters.edge import scipy_parts

SEEDS = st.integers(0, 10_000)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(1, 7), st.integers(1, 7))
def test_assignment(seed: int, rows: int, columns: int) -> None:
    cost = np.random.default_rng(seed).uniform(0, 10, (rows, columns))
    got, wanted = scipy_parts.linear_sum_assignment(cost), optimize.linear_sum_assignment(cost)
    assert cost[got].sum() == pytest.approx(cost[wanted].sum())
    np.testing.assert_array_equal(got[0], wanted[0])
    np.testing.assert_array_equal(got[1], wanted[1])


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from([None, 0.2]), st.sampled_from([None, 1, 4.5]), st.sampled_from([None, 0.3]))
def test_peaks(seed: int, height: float | None, distance: float | None, prominence: float | None) -> None:
    rng = np.random.default_rng(seed)
    # Rounded, so that plateaus occur.
    x = np.round(np.convolve(rng.normal(0, 1, 80), np.ones(3) / 3), 1) + 1e-6 * rng.normal(size=82) * (seed % 2)
    kept = {k: v for k, v in (("height", height), ("distance", distance), ("prominence", prominence)) if v is not None}
    if distance is not None and seed % 2 == 0:
        # Which of two equally high neighbours stays is left open.
        return
    got, facts = scipy_parts.find_peaks(x, **kept)
    wanted, theirs = signal.find_peaks(x, **kept)
    np.testing.assert_array_equal(got, wanted)
    if prominence is not None:
        assert facts["prominences"] == pytest.approx(theirs["prominences"])
        np.testing.assert_array_equal(facts["left_bases"], theirs["left_bases"])
        np.testing.assert_array_equal(facts["right_bases"], theirs["right_bases"])


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(4, 60))
def test_spline(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = np.cumsum(rng.uniform(0.02, 0.1, count)), rng.normal(0, 1, count)
    at = np.linspace(x[0] - 0.05, x[-1] + 0.05, 200)
    ours, theirs = scipy_parts.CubicSpline(x, y), interpolate.CubicSpline(x, y)
    assert ours(at) == pytest.approx(theirs(at), rel=1e-6, abs=1e-6)
    assert ours(at, 1) == pytest.approx(theirs(at, 1), rel=1e-6, abs=1e-5)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(2, 4), st.integers(4, 25))
def test_banded_systems(seed: int, bands: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(0, 1, (bands, count))
    # Diagonally dominant, so positive definite.
    matrix[-1] = 2.0 * bands + np.abs(matrix[-1])
    for right in (rng.normal(0, 1, count), rng.normal(0, 1, (count, 3))):
        assert scipy_parts.solveh_banded(matrix, right) == pytest.approx(linalg.solveh_banded(matrix, right), abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(1, 9), st.integers(1, 40))
def test_filters(seed: int, size: int, count: int) -> None:
    x = np.random.default_rng(seed).normal(0, 1, (count, 2))
    assert scipy_parts.uniform_filter1d(x, size, axis=0, mode="nearest") == pytest.approx(
        ndimage.uniform_filter1d(x, size, axis=0, mode="nearest")
    )
    assert scipy_parts.median_filter(x[:, 0], size, mode="nearest") == pytest.approx(
        ndimage.median_filter(x[:, 0], size, mode="nearest")
    )
