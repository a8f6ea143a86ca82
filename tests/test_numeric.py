"""Functions that SciPy has too give what SciPy gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, special

from posepipe import numeric

SEEDS = st.integers(0, 10_000)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(1, 9), st.integers(1, 40))
def test_filters(seed: int, size: int, count: int) -> None:
    x = np.random.default_rng(seed).normal(0, 1, (count, 2))
    mean = ndimage.uniform_filter1d(x, size, axis=0, mode="nearest")
    assert numeric.running_mean(x, size, axis=0) == pytest.approx(mean, abs=1e-12)
    assert numeric.running_median(x[:, 0], size) == pytest.approx(ndimage.median_filter(x[:, 0], size, mode="nearest"))


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.floats(0.05, 12.0), st.integers(1, 40))
def test_gaussian(seed: int, sigma: float, count: int) -> None:
    x = np.random.default_rng(seed).normal(0, 1, (3, count))
    wanted = ndimage.gaussian_filter1d(x, sigma, axis=1, mode="constant")
    assert numeric.gaussian_mean(x, sigma) == pytest.approx(wanted, abs=1e-12)
    assert numeric.gaussian_mean(x[0], sigma) == pytest.approx(wanted[0], abs=1e-12)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 10, 29, 100])
def test_student(freedom: int) -> None:
    for share in (0.6, 0.9, 0.95, 0.995):
        assert numeric.student_quantile(freedom, share) == pytest.approx(special.stdtrit(freedom, share), rel=1e-7)
