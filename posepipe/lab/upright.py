"""Which way is up, learnt: made people who exercise, walk, sit and lie, and captured motion, before any camera.

The network is one sum of weights over `posepipe.tracking.upright.describe_pose`: a conditional logit over the picture's
four sides, of which the true one is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from posepipe.errors import UsageError
from posepipe.exercise.labels import LABELS, OTHER
from posepipe.lab.people.body import from_mocap, load_mocap
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.exercises.takes import make_exercise
from posepipe.skeleton import BODY21
from posepipe.tracking.upright import UPRIGHT, describe_pose

__all__ = ["evaluate_upright", "fit_weights", "made_people", "upright_table"]

Array = NDArray[np.float64]
Rng = np.random.Generator

_FRAMES = 24
"""Of a take, evenly over it."""
_OTHER_SHARE = 0.3
_STEEP_SHARE = 0.12
"""Cameras that look down on a person."""
_NOISE = 0.006
"""Error of a keypoint, in body sizes."""
_SHRINK = 1e-4
"""Weight of the squared weights beside the mean loss."""
_MOST_S = 300


def made_people(takes: int, seed: int, mocap: Path | None = None) -> Iterator[tuple[str, Array]]:
    """Labels and pictures (24, 21, 2) of upright films; of captured motion where a file is given.

    Args:
        takes: how many movements; three cameras see each made one.
        seed: of everything.
        mocap: file of `posepipe.lab.people.body.load_mocap`.
    """
    rng = np.random.default_rng(seed)
    data = None if mocap is None else load_mocap(mocap)
    for number in range(takes):
        if data is None:
            label = OTHER if rng.random() < _OTHER_SHARE else LABELS[number % len(LABELS)]
            xyz = make_exercise(label, rng, fps_hz=10.0, reps=int(rng.integers(1, 4)), context=0.2).positions
        else:
            label, sequence = "captured", int(rng.integers(len(data.seq_start) - 1))
            first, end = int(data.seq_start[sequence]), int(data.seq_start[sequence + 1])
            first = int(rng.integers(first, max(end - _MOST_S, first + 1)))
            part = slice(first, min(first + _MOST_S, end))
            xyz = from_mocap(data.positions[part], data.extra[part])
        if len(xyz) < _FRAMES:
            continue
        xyz = xyz[np.linspace(0, len(xyz) - 1, _FRAMES).round().astype(int)]
        for _ in range(3 if data is None else 1):
            xy = _seen(xyz, rng)
            if xy is not None:
                yield label, xy


def _seen(xyz: Array, rng: Rng) -> Array | None:
    """(F, 21, 2) as a camera anywhere around sees it; None if the person comes too near to it."""
    steep = rng.random() < _STEEP_SHARE
    camera = SynthCamera.random(
        rng,
        np.median(xyz[:, 0], axis=0),
        distance_m=(0.8, 2.5) if steep else (1.8, 6.0),
        camera_height_m=(1.29, 3.2) if steep else (0.15, 2.2),
        fov_deg=(40.0, 75.0),
        max_roll_deg=12.0,
    )
    xy, depth = camera.project(xyz)
    if depth.min() < 0.5:
        return None
    size = float(np.ptp(xy.reshape(-1, 2), axis=0).max())
    return np.asarray(xy + rng.normal(0.0, _NOISE * size, xy.shape))


def fit_weights(shares: Array, shrink: float = _SHRINK) -> Array:
    """Weights (K,) under which the first of the four sides of (N, 4, K) is the likeliest."""

    def loss(weights: Array) -> tuple[float, Array]:
        score = shares @ weights
        odds = np.exp(score - score.max(axis=1, keepdims=True))
        chance = odds / odds.sum(axis=1, keepdims=True)
        slope = ((chance[..., None] * shares).sum(axis=1) - shares[:, 0]).mean(axis=0)
        value = -np.log(chance[:, 0] + 1e-12).mean() + 0.5 * shrink * weights @ weights
        return float(value), slope + shrink * weights

    found = minimize(loss, np.zeros(shares.shape[2]), jac=True, method="L-BFGS-B", options={"maxiter": 2000})
    return np.asarray(found.x)


def upright_table(mocap: Path, *, takes: int = 1000, seed: int = 0) -> str:
    """The rows of `posepipe.tracking.upright_weights`, and what they reach on takes held out.

    Args:
        mocap: captured motion to learn from, besides made takes.
        takes: made ones; as many and a half of captured ones.
        seed: of everything.
    """
    made = [*made_people(takes, seed), *made_people(takes * 3 // 2, seed + 1, mocap)]
    weights = fit_weights(np.stack([describe_pose(xy, BODY21.name) for _, xy in made]))
    rows = [", ".join(f"{value:.3f}" for value in part) for part in np.array_split(weights, 9)]
    measured = _measured(weights, made_people(500, seed + 2))
    lines = [f"{name}: {value:.3f}" for name, value in measured.items()]
    return "\n".join(["WEIGHTS: tuple[float, ...] = (", *(f"    {row}," for row in rows), ")", *lines])


def _measured(weights: Array, takes: Iterator[tuple[str, Array]]) -> dict[str, float]:
    scores = np.stack([describe_pose(xy, BODY21.name) @ weights for _, xy in takes])
    out = {"takes": float(len(scores)), "best_is_true": float((scores.argmax(axis=1) == 0).mean())}
    out["wrongly_turned"] = float((scores[:, 1:].max(axis=1) - scores[:, 0] >= UPRIGHT.margin).mean())
    for side, turn in enumerate((90, 180, 270), start=1):
        clear = (scores[:, 0] - scores[:, side] >= UPRIGHT.margin) & (scores.argmax(axis=1) == 0)
        out[f"found_{turn}"] = float(clear.mean())
    return out


def evaluate_upright(takes: int = 500, seed: int = 2) -> dict[str, Any]:
    """How often made films would be turned wrongly, and how often those on their side are found, by movement.

    Args:
        takes: made movements that nothing was learnt from; three cameras see each.
        seed: of everything.

    Raises:
        UsageError: fewer than one take.
    """
    if takes < 1:
        raise UsageError(f"{takes} takes", where="evaluate upright", hint="Give 1 or more")
    from posepipe.tracking.upright_weights import WEIGHTS

    found = list(made_people(takes, seed))
    weights = np.asarray(WEIGHTS)
    rows = [
        {"label": label, **_measured(weights, iter([one for one in found if one[0] == label]))}
        for label in sorted({label for label, _ in found})
    ]
    return {"metrics": _measured(weights, iter(found)), "rows": rows, "versions": {}}
