"""Few functions that SciPy has too: importing its packages takes longer than analysing a short clip.

Tests hold each against SciPy's own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["gaussian_mean", "running_mean", "running_median", "student_quantile"]

Array = NDArray[np.float64]

_REACH = 4.0
"""Standard deviations to which a Gaussian reaches; SciPy's."""


def running_median(x: Array, size: int) -> Array:
    """Running median (N,) of a curve, its ends repeated; a window of even size reaches one further back."""
    return np.asarray(np.sort(_windows(x, size), axis=-1)[..., size // 2])


def running_mean(x: Array, size: int, axis: int = -1) -> Array:
    """Running mean along an axis, the ends repeated; a window of even size reaches one further back."""
    return np.moveaxis(_windows(np.moveaxis(x, axis, -1), size).mean(axis=-1), -1, axis)


def _windows(x: Array, size: int) -> Array:
    """Windows (..., N, size) around every sample."""
    before = size // 2
    pad = [(0, 0)] * (x.ndim - 1) + [(before, size - 1 - before)]
    padded = np.pad(np.asarray(x, np.float64), pad, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, size, axis=-1)


def gaussian_mean(x: Array, sigma: float) -> Array:
    """Mean (..., N) along the last axis, weighted by a Gaussian of `sigma` samples; outside there are zeros."""
    reach = int(_REACH * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    rows = np.asarray(x, np.float64).reshape(-1, x.shape[-1])
    out = np.array([np.convolve(row, weights)[reach : reach + len(row)] for row in rows])
    return out.reshape(x.shape)


def student_quantile(freedom: int, share: float) -> float:
    """Quantile of Student's distribution with whole degrees of freedom, by bisection.

    The distribution function is the finite series of Abramowitz and Stegun (1964), 26.7.3 and 26.7.4.
    """
    low, high = -1e6, 1e6
    while high - low > 1e-10 * max(1.0, abs(low)):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _student(freedom, middle) < share else (low, middle)
    return (low + high) / 2.0


def _student(freedom: int, t: float) -> float:
    """Share of Student's distribution below t."""
    angle = float(np.arctan(t / np.sqrt(freedom)))
    square = float(np.cos(angle)) ** 2
    odd = freedom % 2
    term, total = 1.0, 0.0
    for k in range(odd, freedom - 1, 2):
        total += term
        term *= square * (k + 1) / (k + 2)
    if odd:
        inside = 2.0 / np.pi * (angle + float(np.sin(angle) * np.cos(angle)) * total)
    else:
        inside = float(np.sin(angle)) * total
    return float(0.5 + inside / 2.0)
