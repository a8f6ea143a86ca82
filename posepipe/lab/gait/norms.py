"""Norms of walking: what normal training walks look like through this pipeline, as the tables that ship."""

from __future__ import annotations

import csv
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.body.motion import Motion
from posepipe.errors import InputError, NobodyFoundError, UsageError
from posepipe.gait.curves import SAGITTAL
from posepipe.gait.features import FEATURES
from posepipe.gait.norms import SEEN, SPREAD
from posepipe.gait.picture_angles import PLACES, TERMS, from_picture, habit_terms
from posepipe.gait.types import POINTS, SIDES
from posepipe.lab.gait.data import CURVES, NORMAL, VARIED, Walks
from posepipe.lab.people.gait import CAMERAS, PATTERNS, cameras_for, make_walk, write_film
from posepipe.pipeline import Config, Pipeline
from posepipe.types import Angles

__all__ = [
    "Rendered", "fit_habits", "fit_spread", "join_legs", "leg_frames", "load_rendered", "render_walks", "write_habits",
    "write_norms",
]  # fmt: skip

Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]

_log = logging.getLogger(__name__)


def write_norms(walks: Walks, folder: Path) -> None:
    """Write ``curves.csv``, ``features.csv`` and ``deviation.csv`` from the normal training walks.

    Motion-captured and synthetic walks count the same altogether. Spread is half of the 16th to 84th percentile, so
    that a failed event doesn't widen the band; features have one on each side of the median.
    """
    curves, features, deviations = [], [], []
    for seen in SEEN:
        rows = (walks.seen == seen) & (walks.pattern == NORMAL) & (walks.split == "train") & (walks.source != VARIED)
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


# What a detector gets wrong about a walker's legs from the side, learnt on rendered walkers.

_SIZE_PX = (480, 480)
_SECONDS = 4.0
_ABNORMAL = 0.4
_RIDGE = 5.0  # Frames' worth of pull towards no correction.
_FRAMES = ("terms", "away_deg", "sigma_deg", "phase", "near")
_COVERED, _NORMAL_SD = 0.9, 1.645
"""Share of errors that should lie within so many standard deviations."""
_BINS = 20  # Of a mean cycle; at 30 pictures a second each holds one or two frames of every stride.


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """Frames of rendered walkers, both legs apart.

    Attributes:
        terms: (N, 4), see `posepipe.gait.picture_angles.habit_terms`.
        away_deg: (N, 3) true less measured angle, in the order of `SAGITTAL`; NaN where not measured.
        sigma_deg: (N, 3) the measured angles' stated standard deviations.
        phase: (N,) share of the leg's stride; NaN before its first and after its last heel strike.
        near: (N,) whether the leg is the one nearer to the camera.
        walk: (N,) number of the walk.
    """

    terms: Array
    away_deg: Array
    sigma_deg: Array
    phase: Array
    near: NDArray[np.bool_]
    walk: NDArray[np.int64]


def render_walks(folder: Path, count: int, seed: int) -> list[Path]:
    """Render walkers from the side and let the pipeline look at them; files that are there already are used again.

    Args:
        folder: for one npz a walk.
        count: walks; each takes half a minute.
        seed: of the first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(seed, seed + count):
        path = folder / f"habits_{number}.npz"
        try:
            if not path.is_file():
                np.savez_compressed(path, **dict[str, Any](_render(number)))
                _log.info("%s", path)
        except NobodyFoundError:  # Too small, or too much like the wall behind.
            continue
        paths.append(path)
    return paths


def _render(seed: int) -> dict[str, NDArray[np.generic]]:
    rng = np.random.default_rng(seed)
    abnormal = rng.random() < _ABNORMAL
    pattern = str(rng.choice([name for name in PATTERNS if name != "normal"])) if abnormal else "normal"
    walk = make_walk(
        rng,
        pattern=pattern,
        severity=float(rng.uniform(0.3, 0.9)) if abnormal else 0.0,
        side=str(rng.choice(SIDES)),
        duration_s=_SECONDS,
        fps_hz=30.0,
    )
    yaw_deg = float(rng.choice([-90.0, 90.0]) + rng.uniform(-15.0, 15.0))
    cameras = cameras_for(walk, yaw_deg=yaw_deg, kind=str(rng.choice(CAMERAS)), size_px=_SIZE_PX)
    with tempfile.TemporaryDirectory() as name:
        film = Path(name) / "walk.mp4"
        write_film(film, walk, cameras)
        recording = Pipeline(Config(height_m=walk.shape.height_m, task="pose", workers=1, quality="standard")).run(film)
    person = max(recording.people, key=lambda one: len(one.keypoints))
    motion = from_picture(Motion.from_pose(person.pose, person.angles, person.keypoints, _SIZE_PX), habits=False)
    strikes: dict[str, list[float]] = {
        side: [e.time_s for e in walk.events if (e.side, e.kind) == (side, "heel_strike")] for side in SIDES
    }
    return leg_frames(motion, walk.time_s, walk.angles(), strikes, "left" if yaw_deg > 0.0 else "right")


def leg_frames(
    motion: Motion, time_s: Array, true: Angles, strikes: Mapping[str, Sequence[float]], near: str
) -> dict[str, NDArray[np.generic]]:
    """What `Rendered` holds of one walk, by name; but its number.

    Args:
        motion: as `from_picture` gives it without habits taken off.
        time_s: (F,) of the true angles.
        true: angles of the exact body.
        strikes: times of heel strikes, by side.
        near: side that the camera sees.
    """
    parts: dict[str, list[Any]] = {name: [] for name in _FRAMES}
    for side in SIDES:
        columns = [motion.angles.names.index(f"{side}_{angle}") for angle in SAGITTAL]
        truth = [
            np.interp(motion.time_s, time_s, true.deg[:, true.names.index(f"{side}_{angle}")]) for angle in SAGITTAL
        ]
        parts["terms"].append(habit_terms(motion, side))
        parts["away_deg"].append(np.stack(truth, axis=1) - motion.angles.deg[:, columns])
        parts["sigma_deg"].append(motion.angles.sigma_deg[:, columns])
        mine = strikes[side]
        count = np.interp(motion.time_s, mine, np.arange(len(mine)), left=np.nan, right=np.nan)
        parts["phase"].append(count % 1.0)
        parts["near"].append(np.full(len(motion), side == near))
    return {key: np.concatenate(value) for key, value in parts.items()}


def load_rendered(paths: Sequence[Path]) -> list[dict[str, NDArray[Any]]]:
    """Read what `render_walks` wrote, for `join_legs`.

    Raises:
        InputError: a file can't be read.
    """
    walks: list[dict[str, NDArray[Any]]] = []
    for path in paths:
        try:
            with np.load(path) as data:
                walks.append({key: data[key] for key in _FRAMES})
        except (OSError, KeyError, ValueError) as error:
            raise InputError(f"can't be read ({error})", where=str(path), hint="Delete it and run again") from error
    return walks


def join_legs(walks: Sequence[Mapping[str, NDArray[Any]]]) -> Rendered:
    """Several walks, each as `leg_frames` gives it."""
    number = np.concatenate([np.full(len(walk["near"]), i) for i, walk in enumerate(walks)])
    return Rendered(walk=number, **{key: np.concatenate([walk[key] for walk in walks]) for key in _FRAMES})


def fit_habits(seen: Rendered) -> Array:
    """Weights (2, 3, 4) by place (near, far), angle and term: least squares with a slight pull to 0."""
    out = np.zeros((len(PLACES), len(SAGITTAL), len(TERMS)))
    for place, near in enumerate((True, False)):
        for angle in range(len(SAGITTAL)):
            rows = (seen.near == near) & np.isfinite(seen.away_deg[:, angle]) & np.isfinite(seen.terms).all(axis=1)
            x, y = seen.terms[rows], seen.away_deg[rows, angle]
            out[place, angle] = np.linalg.solve(x.T @ x + _RIDGE * np.eye(x.shape[1]), x.T @ y)
    return out


def fit_spread(seen: Rendered, weights: Array) -> Array:
    """Factors (2, 3) by place and angle on the stated standard deviations, for them to cover what is left.

    Mean cycles are compared, since they are what is reported: what differs from frame to frame averages out there.

    Args:
        seen: frames of rendered walkers.
        weights: as `fit_habits` gives them.
    """
    out = np.ones((len(PLACES), len(SAGITTAL)))
    part = np.minimum(np.nan_to_num(seen.phase) * _BINS, _BINS - 1).astype(np.int64)
    place_of = seen.walk * _BINS + part
    for place, near in enumerate((True, False)):
        for angle in range(len(SAGITTAL)):
            left = seen.away_deg[:, angle] - seen.terms @ weights[place, angle]
            sigma = seen.sigma_deg[:, angle]
            rows = (seen.near == near) & np.isfinite(left) & np.isfinite(sigma) & np.isfinite(seen.phase)
            total, stated = (np.bincount(place_of[rows], values[rows]) for values in (left, sigma))
            known = stated > 0.0
            if known.any():
                out[place, angle] = np.quantile(np.abs(total[known]) / stated[known], _COVERED) / _NORMAL_SD
    return out


def write_habits(weights: Array, spread: Array, walks: int, path: Path) -> None:
    """Write the table that `posepipe.gait.norms.picture_habits` reads."""
    _write(path, ("source", "place", "angle", "term", "weight", "walks"), list(_rows(weights, spread, walks)))


def _rows(weights: Array, spread: Array, walks: int) -> Iterator[tuple[str, str, str, str, str, int]]:
    for i, place in enumerate(PLACES):
        for j, angle in enumerate(SAGITTAL):
            for k, term in enumerate(TERMS):
                yield "rendered", place, angle, term, f"{weights[i, j, k]:.4g}", walks
            yield "rendered", place, angle, SPREAD, f"{spread[i, j]:.4g}", walks
