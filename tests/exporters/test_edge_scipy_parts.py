"""The runner's stand-ins for SciPy give what SciPy gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import interpolate, linalg, optimize, signal

from exporters.edge import scipy_parts
from posepipe import geometry

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
@given(SEEDS, st.sampled_from([1.0, 4.5]), st.sampled_from([0.0, 0.3]))
def test_peaks(seed: int, distance: float, prominence: float) -> None:
    rng = np.random.default_rng(seed)
    # Rounded, so that plateaus and equal heights occur.
    x = np.round(np.convolve(rng.normal(0, 1, 80), np.ones(3) / 3), 1) + 1e-6 * rng.normal(size=82) * (seed % 2)
    got, facts = geometry.find_peaks(x, distance=distance, prominence=prominence)
    wanted, theirs = signal.find_peaks(x, distance=distance, prominence=prominence)
    np.testing.assert_array_equal(got, wanted)
    for name in ("left_bases", "right_bases"):
        np.testing.assert_array_equal(facts[name], theirs[name])


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(4, 60), st.booleans())
def test_spline(seed: int, count: int, edge: bool) -> None:
    """The pipeline's digits are SciPy's, but for a processor that fuses operations; the runner's come near."""
    rng = np.random.default_rng(seed)
    x, y = np.cumsum(rng.uniform(0.02, 0.1, count)), rng.normal(0, 1, count)
    at = np.linspace(x[0] - 0.05, x[-1] + 0.05, 200)
    with pytest.MonkeyPatch.context() as patch:
        if edge:
            patch.setattr(linalg, "solve_banded", scipy_parts.solve_banded)
        values, slopes = geometry.cubic_spline(x, y, at)
    theirs = interpolate.CubicSpline(x, y)
    near = 1e-6 if edge else 1e-11
    assert values == pytest.approx(theirs(at), rel=near, abs=near)
    assert slopes == pytest.approx(theirs(at, 1), rel=near, abs=10.0 * near)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(2, 4), st.integers(4, 25))
def test_banded_systems(seed: int, bands: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(0, 1, (bands, count))
    # Diagonally dominant, so positive definite.
    matrix[-1] = 2.0 * bands + np.abs(matrix[-1])
    for right in (rng.normal(0, 1, count), rng.normal(0, 1, (count, 3))):
        assert scipy_parts.solveh_banded(matrix, right) == pytest.approx(linalg.solveh_banded(matrix, right), abs=1e-9)
