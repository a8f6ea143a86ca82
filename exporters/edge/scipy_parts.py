"""The few functions of SciPy that the pipeline's live and gait code uses, in NumPy, for the one-file runner.

Tests hold each against SciPy's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CubicSpline", "find_peaks", "linear_sum_assignment", "median_filter", "solveh_banded", "uniform_filter1d"]

Array = NDArray[np.float64]


def linear_sum_assignment(cost: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Cheapest pairing of rows and columns: the Hungarian algorithm by shortest paths, as SciPy's function.

    Jonker and Volgenant (1987), in the form with potentials; some people at most, so plain loops do.
    """
    turned = cost.shape[0] > cost.shape[1]
    matrix = cost.T if turned else cost
    rows, columns = matrix.shape
    u, v = np.zeros(rows + 1), np.zeros(columns + 1)
    owner = np.zeros(columns + 1, np.intp)  # row of each column, counted from 1; 0 is none
    for row in range(1, rows + 1):
        owner[0] = row
        least, before = np.full(columns + 1, np.inf), np.zeros(columns + 1, np.intp)
        done = np.zeros(columns + 1, bool)
        column = 0
        while owner[column]:
            done[column] = True
            here = owner[column]
            gap = np.where(done[1:], np.inf, matrix[here - 1] - u[here] - v[1:])
            better = gap < least[1:]
            least[1:][better], before[1:][better] = gap[better], column
            open_least = np.where(done, np.inf, least)
            open_least[0] = np.inf
            following = int(np.argmin(open_least))
            step = open_least[following]
            u[owner[done]] += step
            v[done] -= step
            least[~done] -= step
            column = following
        while column:
            owner[column] = owner[before[column]]
            column = int(before[column])
    pairs = sorted((int(owner[j]) - 1, j - 1) for j in range(1, columns + 1) if owner[j])
    first, second = (np.array(side, np.intp) for side in zip(*pairs, strict=True))
    if turned:
        order = np.argsort(second)
        return second[order], first[order]
    return first, second


def find_peaks(
    x: Array, height: float | None = None, distance: float | None = None, prominence: float | None = None
) -> tuple[NDArray[np.intp], dict[str, Any]]:
    """Maxima of a curve, as `scipy.signal.find_peaks` with these three conditions; plateaus count at their middle."""
    x = np.asarray(x, np.float64)
    peaks = _maxima(x)
    if height is not None:
        peaks = peaks[x[peaks] >= height]
    if distance is not None:
        peaks = _apart(x, peaks, distance)
    facts: dict[str, Any] = {}
    if prominence is not None:
        bases = np.array([_bases(x, int(peak)) for peak in peaks], np.intp).reshape(-1, 2)
        rises = x[peaks] - np.maximum(x[bases[:, 0]], x[bases[:, 1]])
        keep = rises >= prominence
        peaks, bases = peaks[keep], bases[keep]
        facts = {"prominences": rises[keep], "left_bases": bases[:, 0], "right_bases": bases[:, 1]}
    return peaks, facts


def _maxima(x: Array) -> NDArray[np.intp]:
    found = []
    i, last = 1, len(x) - 1
    while i < last:
        if x[i - 1] < x[i]:
            ahead = i + 1
            while ahead < last and x[ahead] == x[i]:
                ahead += 1
            if x[ahead] < x[i]:
                found.append((i + ahead - 1) // 2)
                i = ahead
        i += 1
    return np.array(found, np.intp)


def _apart(x: Array, peaks: NDArray[np.intp], distance: float) -> NDArray[np.intp]:
    """The highest first; those nearer to one that stays than the distance go."""
    least = int(np.ceil(distance))
    keep = np.ones(len(peaks), bool)
    for place in np.argsort(x[peaks], kind="stable")[::-1]:
        if keep[place]:
            near = np.abs(peaks - peaks[place]) < least
            near[place] = False
            keep[near] = False
    return np.asarray(peaks[keep], np.intp)


def _bases(x: Array, peak: int) -> tuple[int, int]:
    """The lowest points on both sides of a peak, each up to the next higher one; the nearest of equals."""
    found = []
    for way in (-1, 1):
        i = low = peak
        while 0 <= i < len(x) and x[i] <= x[peak]:
            low = i if x[i] < x[low] else low
            i += way
        found.append(low)
    return found[0], found[1]


class CubicSpline:
    """Interpolating cubic spline with not-a-knot ends, as `scipy.interpolate.CubicSpline`; at least four points."""

    def __init__(self, x: Array, y: Array) -> None:
        self._x, self._y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        step = np.diff(self._x)
        rise = np.diff(self._y) / step
        self._slope = _slopes(step, rise)
        self._step, self._rise = step, rise

    def __call__(self, at: Array, derivative: int = 0) -> Array:
        """Values at some places, or their first derivative; the outer pieces go on beyond the ends."""
        at = np.asarray(at, np.float64)
        i = np.clip(np.searchsorted(self._x, at, side="right") - 1, 0, len(self._step) - 1)
        h, d = self._step[i], at - self._x[i]
        first, second = self._slope[i], self._slope[i + 1]
        cubic = (first + second - 2.0 * self._rise[i]) / h**2
        square = (3.0 * self._rise[i] - 2.0 * first - second) / h
        if derivative == 1:
            return np.asarray(first + d * (2.0 * square + 3.0 * cubic * d))
        return np.asarray(self._y[i] + d * (first + d * (square + d * cubic)))


def _slopes(step: Array, rise: Array) -> Array:
    """Slopes at the knots: the tridiagonal system of a spline, ends not-a-knot, by elimination."""
    count = len(step) + 1
    lower, middle, upper, right = (np.zeros(count) for _ in range(4))
    lower[1:-1], upper[1:-1] = step[1:], step[:-1]
    middle[1:-1] = 2.0 * (step[:-1] + step[1:])
    right[1:-1] = 3.0 * (step[1:] * rise[:-1] + step[:-1] * rise[1:])
    near, far = step[0] + step[1], step[-1] + step[-2]
    middle[0], upper[0] = step[1], near
    right[0] = ((step[0] + 2.0 * near) * step[1] * rise[0] + step[0] ** 2 * rise[1]) / near
    middle[-1], lower[-1] = step[-2], far
    right[-1] = (step[-1] ** 2 * rise[-2] + (2.0 * far + step[-1]) * step[-2] * rise[-1]) / far
    for i in range(1, count):
        share = lower[i] / middle[i - 1]
        middle[i] -= share * upper[i - 1]
        right[i] -= share * right[i - 1]
    out = np.zeros(count)
    out[-1] = right[-1] / middle[-1]
    for i in range(count - 2, -1, -1):
        out[i] = (right[i] - upper[i] * out[i + 1]) / middle[i]
    return out


def solveh_banded(ab: Array, b: Array, **unused: bool) -> Array:
    """Solution of a positive definite banded system in upper form, as `scipy.linalg.solveh_banded`: banded Cholesky."""
    del unused
    bands, count = ab.shape
    factor, out = np.zeros((bands, count)), np.array(b, np.float64)
    for j in range(count):
        first = max(0, j - bands + 1)
        for i in range(first, j + 1):
            shared = range(max(first, i - bands + 1), i)
            rest = sum(factor[bands - 1 - (i - k), i] * factor[bands - 1 - (j - k), j] for k in shared)
            value = ab[bands - 1 - (j - i), j] - rest
            factor[bands - 1 - (j - i), j] = np.sqrt(value) if i == j else value / factor[-1, i]
        for k in range(first, j):
            out[j] -= factor[bands - 1 - (j - k), j] * out[k]
        out[j] /= factor[-1, j]
    for j in range(count - 1, -1, -1):
        out[j] /= factor[-1, j]
        for k in range(max(0, j - bands + 1), j):
            out[k] -= factor[bands - 1 - (j - k), j] * out[j]
    return out


def median_filter(x: Array, size: int, mode: str = "nearest") -> Array:
    """Running median of a curve, its ends repeated."""
    return np.asarray(np.sort(_windows(np.asarray(x, np.float64), size, mode), axis=-1)[..., size // 2])


def uniform_filter1d(x: Array, size: int, axis: int = -1, mode: str = "nearest") -> Array:
    """Running mean along an axis, its ends repeated."""
    moved = np.moveaxis(np.asarray(x, np.float64), axis, -1)
    return np.moveaxis(_windows(moved, size, mode).mean(axis=-1), -1, axis)


def _windows(x: Array, size: int, mode: str) -> Any:
    """Windows (..., N, size) around every sample; an even one reaches one further back."""
    if mode != "nearest":
        raise ValueError(f"mode {mode!r}")
    before = size // 2
    pad = [(0, 0)] * (x.ndim - 1) + [(before, size - 1 - before)]
    return np.lib.stride_tricks.sliding_window_view(np.pad(x, pad, mode="edge"), size, axis=-1)
