"""Pose errors and the honesty of their sigmas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.geometry.procrustes import align

__all__ = ["ause", "bootstrap_ci", "coverage", "drop_gain", "ence", "joint_errors_m", "spearman"]

Floats = NDArray[np.floating[Any]]
FloatArray = NDArray[np.float64]


def joint_errors_m(predicted: Floats, truth: Floats, kind: str = "root") -> FloatArray:
    """Distance of each joint from the truth, (F, J).

    Args:
        predicted: (F, J, 3) relative to the pelvis.
        truth: (F, J, 3) likewise.
        kind: "root" as they are (MPJPE); "scale" after the best scale of each frame (N-MPJPE); "procrustes" after the
            best similarity (PA-MPJPE).
    """
    a, b = predicted.astype(np.float64), truth.astype(np.float64)
    if kind == "scale":
        factor = np.nansum(a * b, axis=(1, 2)) / np.maximum(np.nansum(a * a, axis=(1, 2)), 1e-12)
        a = a * factor[:, None, None]
    elif kind == "procrustes":
        a = align(a, b)
    return np.asarray(np.linalg.norm(a - b, axis=-1))


def coverage(error: Floats, radius: Floats) -> float:
    """Share of errors inside their radius; NaN is left out."""
    seen = ~(np.isnan(error) | np.isnan(radius))
    return float((error <= radius)[seen].mean())


def ence(error: Floats, sigma: Floats, bins: int = 20) -> float:
    """Expected normalised calibration error: `mean |RMV - RMSE| / RMV` over equally filled bins of sigma.

    Args:
        error: (N,) distance in 3D.
        sigma: (N,) standard deviation of each of the three coordinates.
        bins: number of bins.
    """
    error, sigma = _seen(error, sigma)
    gaps = []
    for part in np.array_split(np.argsort(sigma), bins):
        predicted = np.sqrt(3.0 * np.mean(sigma[part] ** 2))
        gaps.append(abs(predicted - np.sqrt(np.mean(error[part] ** 2))) / predicted)
    return float(np.mean(gaps))


def ause(error: Floats, sigma: Floats, steps: int = 50) -> float:
    """Area between the sparsification curve of sigma and the oracle's, as a share of the full error."""
    error, sigma = _seen(error, sigma)
    shares = np.arange(steps) / steps
    by_sigma, by_error = error[np.argsort(sigma)], np.sort(error)
    mean_sigma, mean_error = (np.cumsum(x) / np.arange(1, len(x) + 1) for x in (by_sigma, by_error))
    last = np.maximum((len(error) * (1.0 - shares)).astype(int), 1) - 1
    return float((mean_sigma[last] - mean_error[last]).mean() / error.mean())


def drop_gain(error: Floats, sigma: Floats, share: float = 0.2) -> float:
    """By how much the mean error falls (as a share) without the most doubtful part."""
    error, sigma = _seen(error, sigma)
    kept = error[sigma <= np.quantile(sigma, 1.0 - share)]
    return float(1.0 - kept.mean() / error.mean())


def spearman(a: Floats, b: Floats) -> float:
    """Rank correlation."""
    a, b = _seen(a, b)
    ranks = [np.argsort(np.argsort(x)).astype(np.float64) for x in (a, b)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def bootstrap_ci(
    values: Floats,
    groups: NDArray[np.str_],
    *,
    statistic: Callable[[FloatArray], float] = lambda x: float(np.mean(x)),
    rounds: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of a statistic when whole groups (subjects) are drawn anew.

    Args:
        values: (N,) one value for each frame.
        groups: (N,) who each frame belongs to.
        statistic: of the pooled values.
        rounds: resamples.
        level: of the interval.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    parts = [np.asarray(values[groups == name], dtype=np.float64) for name in np.unique(groups)]
    draws = [
        statistic(np.concatenate([parts[i] for i in rng.integers(0, len(parts), len(parts))])) for _ in range(rounds)
    ]
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _seen(a: Floats, b: Floats) -> tuple[FloatArray, FloatArray]:
    a, b = np.ravel(a).astype(np.float64), np.ravel(b).astype(np.float64)
    keep = ~(np.isnan(a) | np.isnan(b))
    return a[keep], b[keep]
