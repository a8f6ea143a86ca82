"""What a detector gets wrong about a walker's legs from the side, learnt on rendered walkers.

Its joints aren't quite the joint centres, and a leg that passes behind the other is drawn towards it. Both shift the
angles read off the picture in the same way for everyone; `posepipe.gait.picture_angles` takes that off. The walkers
here are other people than those that ``posepipe evaluate gait`` measures on.
"""

from __future__ import annotations

import csv
import logging
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import InputError, NobodyFoundError
from posepipe.gait.norms import SPREAD
from posepipe.gait.picture_angles import PICTURED, PLACES, TERMS, from_picture, habit_terms
from posepipe.gait.types import SIDES
from posepipe.motion.clip import Motion
from posepipe.pipeline import Config, Pipeline
from posepipe.synth.gait import PATTERNS, make_walk
from posepipe.synth.gait_film import CAMERAS, cameras_for, write_film

__all__ = ["Rendered", "fit_habits", "fit_spread", "load_rendered", "render_walks", "write_habits"]

Array = NDArray[np.float64]

_log = logging.getLogger(__name__)

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
        away_deg: (N, 3) true less measured angle, in the order of `PICTURED`; NaN where not measured.
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
                np.savez_compressed(path, **_render(number))
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
        recording = Pipeline(Config(height_m=walk.shape.height_m, task="pose", workers=1)).run(film)
    person = max(recording.people, key=lambda one: len(one.keypoints))
    motion = from_picture(Motion.from_pose(person.pose, person.angles, person.keypoints, _SIZE_PX), habits=False)
    true = walk.angles()
    parts: dict[str, list[Any]] = {name: [] for name in _FRAMES}
    for side in SIDES:
        columns = [motion.angles.names.index(f"{side}_{angle}") for angle in PICTURED]
        truth = [
            np.interp(motion.time_s, walk.time_s, true.deg[:, true.names.index(f"{side}_{angle}")])
            for angle in PICTURED
        ]
        parts["terms"].append(habit_terms(motion, side))
        parts["away_deg"].append(np.stack(truth, axis=1) - motion.angles.deg[:, columns])
        parts["sigma_deg"].append(motion.angles.sigma_deg[:, columns])
        strikes = [event.time_s for event in walk.events if event.side == side and event.kind == "heel_strike"]
        count = np.interp(motion.time_s, strikes, np.arange(len(strikes)), left=np.nan, right=np.nan)
        parts["phase"].append(count % 1.0)
        parts["near"].append(np.full(len(motion), (side == "left") == (yaw_deg > 0.0)))
    return {key: np.concatenate(value) for key, value in parts.items()}


def load_rendered(paths: Sequence[Path]) -> Rendered:
    """Read what `render_walks` wrote.

    Raises:
        InputError: a file can't be read.
    """
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in (*_FRAMES, "walk")}
    for number, path in enumerate(paths):
        try:
            with np.load(path) as data:
                for key in _FRAMES:
                    parts[key].append(data[key])
        except (OSError, KeyError, ValueError) as error:
            raise InputError(f"can't be read ({error})", where=str(path), hint="Delete it and run again") from error
        parts["walk"].append(np.full(len(parts["near"][-1]), number))
    return Rendered(**{key: np.concatenate(value) for key, value in parts.items()})


def fit_habits(seen: Rendered) -> Array:
    """Weights (2, 3, 4) by place (near, far), angle and term: least squares with a slight pull to 0."""
    out = np.zeros((len(PLACES), len(PICTURED), len(TERMS)))
    for place, near in enumerate((True, False)):
        for angle in range(len(PICTURED)):
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
    out = np.ones((len(PLACES), len(PICTURED)))
    part = np.minimum(np.nan_to_num(seen.phase) * _BINS, _BINS - 1).astype(np.int64)
    place_of = seen.walk * _BINS + part
    for place, near in enumerate((True, False)):
        for angle in range(len(PICTURED)):
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
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("source", "place", "angle", "term", "weight", "walks"))
        writer.writerows(_rows(weights, spread, walks))


def _rows(weights: Array, spread: Array, walks: int) -> Iterator[tuple[str, str, str, str, str, int]]:
    for i, place in enumerate(PLACES):
        for j, angle in enumerate(PICTURED):
            for k, term in enumerate(TERMS):
                yield "rendered", place, angle, term, f"{weights[i, j, k]:.4g}", walks
            yield "rendered", place, angle, SPREAD, f"{spread[i, j]:.4g}", walks
