"""Means over what is known."""

from __future__ import annotations

import numpy as np

from posepipe.geometry.missing import mean_known, median_known, spread_known


def test_missing_is_left_out() -> None:
    values = np.array([[1.0, np.nan], [3.0, np.nan]])
    assert mean_known(values[:, 0]) == 2.0
    np.testing.assert_array_equal(median_known(values, axis=0), [2.0, np.nan])
    np.testing.assert_allclose(spread_known(values, axis=0), [np.sqrt(2.0), np.nan])


def test_nothing_known_is_nan_without_a_warning() -> None:
    for measure in (mean_known, median_known, spread_known):
        assert np.isnan(measure([]))
        assert np.isnan(measure([np.nan, np.nan]))
