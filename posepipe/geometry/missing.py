"""Means that leave out what is missing, and give NaN, without a warning, where everything is."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["mean_known", "median_known", "spread_known"]


def mean_known(values: ArrayLike, axis: int | None = None) -> Any:
    """Mean of what isn't NaN; a number, or an array without `axis`."""
    return _quiet(np.nanmean, values, axis)


def median_known(values: ArrayLike, axis: int | None = None) -> Any:
    """Median of what isn't NaN."""
    return _quiet(np.nanmedian, values, axis)


def spread_known(values: ArrayLike, axis: int | None = None) -> Any:
    """Sample standard deviation (n - 1) of what isn't NaN; NaN where fewer than two are known."""
    return _quiet(np.nanstd, values, axis, ddof=1)


def _quiet(measure: Any, values: ArrayLike, axis: int | None, **options: int) -> Any:
    array = np.asarray(values)
    if array.size == 0 and axis is None:
        return float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return measure(array, axis=axis, **options)
