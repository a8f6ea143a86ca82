"""Norms of walking: what normal training walks look like through this pipeline, as the tables that ship."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import UsageError
from posepipe.gait.curves import SAGITTAL
from posepipe.gait.cycles import POINTS
from posepipe.gait.features import FEATURES
from posepipe.gait.norms import SEEN
from posepipe.training.gait_walks import CURVES, NORMAL, Walks

__all__ = ["write_norms"]

Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]


def write_norms(walks: Walks, folder: Path) -> None:
    """Write ``curves.csv``, ``features.csv`` and ``deviation.csv`` from the normal training walks.

    Motion-captured and synthetic walks count the same altogether. Spread is half of the 16th to 84th percentile, so
    that a failed event doesn't widen the band; features have one on each side of the median.
    """
    curves, features, deviations = [], [], []
    for seen in SEEN:
        rows = (walks.seen == seen) & (walks.pattern == NORMAL) & (walks.split == "train")
        if rows.sum() < 20:
            raise UsageError(f"only {rows.sum()} normal walks seen {seen!r}", hint="Make more")
        weight = _even(walks.source[rows])
        means = {}
        for angle in dict.fromkeys(name for _, name in CURVES):
            columns = [index for index, (_, name) in enumerate(CURVES) if name == angle]
            both = walks.curves[rows][:, columns].reshape(-1, POINTS)
            mean, sd = _mean_sd(both, np.repeat(weight, len(columns)))
            means[angle] = mean
            curves += [("posepipe", seen, angle, p, f"{mean[p]:.2f}", f"{sd[p]:.2f}") for p in range(POINTS)]
        low, mean, high = _spread(walks.values[rows], weight)
        counts = np.isfinite(walks.values[rows]).sum(axis=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            stride_sd = np.nan_to_num(np.nanmedian(walks.stride_sd[rows], axis=0))
        strides = int(np.median(walks.strides[rows]))
        features += [
            ("posepipe", seen, spec.name, f"{mean[i]:.5g}", *_sides(low[i], mean[i], high[i]), f"{stride_sd[i]:.4g}",
             strides, int(counts[i]))
            for i, spec in enumerate(FEATURES)
            if counts[i]
        ]  # fmt: skip
        log = np.log([_rms(row, means) for row in walks.curves[rows]])
        mean, sd = _mean_sd(log[:, None], weight)
        deviations.append(("posepipe", seen, f"{mean[0]:.4f}", f"{sd[0]:.4f}", int(rows.sum())))
    _write(folder / "curves.csv", ("source", "seen", "angle", "percent", "mean_deg", "sd_deg"), curves)
    head = ("source", "seen", "feature", "mean", "sd_low", "sd_high", "stride_sd", "strides", "walks")
    _write(folder / "features.csv", head, features)
    _write(folder / "deviation.csv", ("source", "seen", "log_mean", "log_sd", "walks"), deviations)


def _rms(curves: FloatArray, means: dict[str, Array]) -> float:
    squares = [
        float(np.nanmean((curves[i] - means[angle]) ** 2))
        for i, (_, angle) in enumerate(CURVES)
        if angle in SAGITTAL and np.isfinite(curves[i]).any()
    ]
    return float(np.sqrt(np.mean(squares)))


def _even(source: NDArray[np.str_]) -> Array:
    """Weights (N,) that give every source the same sum."""
    weight = np.zeros(len(source))
    for name in np.unique(source):
        weight[source == name] = 1.0 / (source == name).sum()
    return weight


def _mean_sd(values: NDArray[np.floating[Any]], weight: Array) -> tuple[Array, Array]:
    """Weighted median and half of the weighted 16th to 84th percentile of each column."""
    low, middle, high = _spread(values, weight)
    return middle, (high - low) / 2.0


def _spread(values: NDArray[np.floating[Any]], weight: Array) -> tuple[Array, Array, Array]:
    """Weighted 16th, 50th and 84th percentile of each column."""
    columns = range(values.shape[1])
    low, middle, high = (np.array([_percentile(values[:, c], weight, p) for c in columns]) for p in (0.16, 0.5, 0.84))
    return low, middle, high


def _sides(low: float, middle: float, high: float) -> tuple[str, str]:
    """Spread below and above the middle; neither is less than half of their mean."""
    least = max(0.25 * (high - low), 1e-4)
    return f"{max(middle - low, least):.5g}", f"{max(high - middle, least):.5g}"


def _percentile(values: NDArray[np.floating[Any]], weight: Array, share: float) -> float:
    known = np.isfinite(values)
    if not known.any():
        return float("nan")
    order = np.argsort(values[known])
    running = np.cumsum(weight[known][order])
    return float(np.interp(share * running[-1], running - 0.5 * weight[known][order], values[known][order]))


def _write(path: Path, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)
