"""What the pipeline takes from SciPy, in NumPy, for the one-file runner.

Tests hold each against SciPy's own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["linear_sum_assignment", "solve_banded", "solveh_banded"]

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


def solve_banded(bands: tuple[int, int], ab: Array, b: Array) -> Array:
    """Solution of a tridiagonal system, as `scipy.linalg.solve_banded` with one band on each side: by elimination."""
    del bands
    (upper, middle, lower), right = ab.copy(), b.copy()
    for i in range(1, len(b)):
        share = lower[i - 1] / middle[i - 1]
        middle[i] -= share * upper[i]
        right[i] -= share * right[i - 1]
    right[-1] /= middle[-1]
    for i in range(len(b) - 2, -1, -1):
        right[i] = (right[i] - upper[i + 1] * right[i + 1]) / middle[i]
    return right


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
