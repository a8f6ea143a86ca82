"""Metrics of measured answers, and results as markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.geometry import align

__all__ = [
    "auroc", "ause", "balanced_accuracy", "bootstrap_ci", "bootstrap_groups", "calibration_error", "coverage",
    "drop_gain", "ence", "joint_errors_m", "macro_f1", "markdown", "spearman",
]  # fmt: skip

Floats = NDArray[np.floating[Any]]
FloatArray = NDArray[np.float64]
Bools = NDArray[np.bool_]


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
    a, b = np.ravel(a), np.ravel(b)
    keep = ~(np.isnan(a) | np.isnan(b))
    return a[keep].astype(np.float64), b[keep].astype(np.float64)


def balanced_accuracy(truth: Bools, said: Bools) -> float:
    """Mean of the shares of both kinds that were named right; NaN without both kinds."""
    if truth.all() or not truth.any():
        return float("nan")
    return float(0.5 * (said[truth].mean() + (~said[~truth]).mean()))


def auroc(truth: Bools, score: Floats) -> float:
    """Probability that a true one scores higher than a false one; ties count half. NaN without both kinds."""
    if truth.all() or not truth.any():
        return float("nan")
    above = score[truth][:, None] - score[~truth][None, :]
    return float((above > 0).mean() + 0.5 * (above == 0).mean())


def macro_f1(truth: Sequence[object], said: Sequence[object]) -> float:
    """Mean F1 over the classes that occur in the truth."""
    scores = []
    for name in dict.fromkeys(truth):
        hits = sum(t == name and s == name for t, s in zip(truth, said, strict=True))
        wrong = sum((t == name) != (s == name) for t, s in zip(truth, said, strict=True))
        scores.append(2.0 * hits / max(2 * hits + wrong, 1))
    return float(np.mean(scores)) if scores else float("nan")


def calibration_error(truth: Bools, probability: Floats, bins: int = 10) -> float:
    """Expected calibration error over equally wide bins."""
    place = np.clip((probability * bins).astype(int), 0, bins - 1)
    error = 0.0
    for number in np.unique(place):
        mine = place == number
        error += float(mine.mean()) * abs(float(truth[mine].mean()) - float(probability[mine].mean()))
    return error


def bootstrap_groups(
    truth: Bools, said: Bools, groups: NDArray[np.str_], draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """90 % interval of the balanced accuracy, drawing whole groups (people, videos) anew."""
    rng = np.random.default_rng(seed)
    names = np.unique(groups)
    rows = {name: np.flatnonzero(groups == name) for name in names}
    found = []
    for _ in range(draws):
        index = np.concatenate([rows[name] for name in rng.choice(names, len(names))])
        value = balanced_accuracy(truth[index], said[index])
        if np.isfinite(value):
            found.append(value)
    return (float(np.percentile(found, 5)), float(np.percentile(found, 95))) if found else (float("nan"), float("nan"))


def markdown(result: Mapping[str, Any]) -> str:
    """Markdown of ``{"metrics": {...}, "rows": [...], "versions": {...}}``.

    Args:
        result: rows are flat mappings; a missing key gives an empty cell.

    Returns:
        The rows as a table, the metrics as a list, the versions as one line.
    """
    parts = []
    rows: Sequence[Mapping[str, Any]] = result.get("rows", [])
    if rows:
        columns = list(dict.fromkeys(key for row in rows for key in row))
        lines = [columns, ["---"] * len(columns), *([_cell(row.get(key)) for key in columns] for row in rows)]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    if result.get("metrics"):
        parts.append("\n".join(f"- {name}: {_cell(value)}" for name, value in result["metrics"].items()))
    if result.get("versions"):
        parts.append(", ".join(f"{name} {value}" for name, value in result["versions"].items()))
    return "\n\n".join(parts)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return "–".join(_cell(item) for item in value)
    return str(value)
