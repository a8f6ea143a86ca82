"""Scores of yes-or-no answers and of named classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["auroc", "balanced_accuracy", "bootstrap_groups", "calibration_error", "macro_f1"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.floating[Any]]


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


def macro_f1(truth: Sequence[str], said: Sequence[str]) -> float:
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
