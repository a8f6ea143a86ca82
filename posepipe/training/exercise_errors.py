r"""How the errors of measures go together within a repetition: what `posepipe.exercise.signal.difference_sigma` knows.

python -m posepipe.training.exercise_errors --takes 180

films synthetic repetitions as the training of recognition does, lifts them, and compares nine moments of each with the
truth: error over sigma for each measure, and the correlation of two moments' errors by how much the angle changed.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from posepipe.exercise.catalogue import load_catalogue
from posepipe.exercise.labels import EXERCISES
from posepipe.exercise.signal import Measure, measure
from posepipe.motion.angles import joint_angles
from posepipe.motion.clip import Motion
from posepipe.synth.exercises import ExerciseTake, make_exercise
from posepipe.training.exercise_sim import film, open_film
from posepipe.types import PoseTrack

__all__ = ["Errors", "by_change", "main", "measured", "over_sigma"]

Array = NDArray[np.float64]

_NAMES = ("knee_flexion", "elbow_flexion", "arm_raise", "hip_bend", "trunk_lean")
_MOMENTS = 9
_APART = 2
"""Moments nearer than this share the smoothing's window."""
_SPREAD_S = 0.1
_STEPS_DEG = (0, 3, 6, 10, 15, 22, 30, 45, 60, 90, 130)
_CLIP = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """Nine moments of N repetitions, one side each.

    Attributes:
        name: (N,) measure.
        deg: (N, 9) as seen.
        error_deg: (N, 9) seen less true.
        sigma_deg: (N, 9) stated.
    """

    name: NDArray[np.str_]
    deg: Array
    error_deg: Array
    sigma_deg: Array


def measured(takes: int, seed: int) -> Errors:
    """Film and lift repetitions of every counted exercise in turn.

    Args:
        takes: how many, two repetitions each.
        seed: of all chance.
    """
    catalogue, stages = load_catalogue(), open_film()
    labels = [label for label in EXERCISES if catalogue[label].counted]
    rows: list[tuple[str, Array, Array, Array]] = []
    for k in range(takes):
        take = make_exercise(
            labels[k % len(labels)], np.random.default_rng([seed, k]), fps_hz=30.0, reps=2, context=0.0, cut=0.0,
            partial=0.0,
        )  # fmt: skip
        pose = film(stages, take.time_s, take.positions, np.random.default_rng([seed, 1, k]))
        if pose is None:
            continue
        seen, true = Motion.from_pose(pose, joint_angles(pose)), _true(take, pose)
        for name in _NAMES:
            rows += [(name, *row) for row in _moments(take, measure(seen, name), measure(true, name))]
    deg, error, sigma = (np.array([row[i] for row in rows]) for i in (1, 2, 3))
    whole = np.isfinite(deg + error + sigma).all(axis=1)
    return Errors(np.array([row[0] for row in rows])[whole], deg[whole], error[whole], sigma[whole])


def over_sigma(errors: Errors) -> dict[str, float]:
    """Root mean square of error over sigma, by measure; single ones count up to 4."""
    z = np.clip(errors.error_deg / errors.sigma_deg, -_CLIP, _CLIP)
    return {
        name: float(np.sqrt((z[errors.name == name] ** 2).mean())) for name in _NAMES if (errors.name == name).any()
    }


def by_change(errors: Errors) -> list[tuple[float, float, int, float]]:
    """Correlation of the errors of two moments by the change between them: rows (from, to, pairs, correlation)."""
    scale = over_sigma(errors)
    z = np.clip(errors.error_deg / errors.sigma_deg, -_CLIP, _CLIP)
    z = z / np.array([scale[name] for name in errors.name])[:, None]
    first, second = np.triu_indices(_MOMENTS, _APART)
    change = np.abs(errors.deg[:, first] - errors.deg[:, second])
    product, power = z[:, first] * z[:, second], 0.5 * (z[:, first] ** 2 + z[:, second] ** 2)
    rows: list[tuple[float, float, int, float]] = []
    for low, high in pairwise(_STEPS_DEG):
        inside = (change >= low) & (change < high)
        if inside.any():
            rows.append((low, high, int(inside.sum()), float(product[inside].sum() / power[inside].sum())))
    return rows


def _true(take: ExerciseTake, pose: PoseTrack) -> Motion:
    """The take itself in a camera's axes."""
    xyz = (take.positions - take.positions[:, :1]).astype(np.float32)
    xyz = np.stack([xyz[..., 0], -xyz[..., 2], xyz[..., 1]], axis=-1)
    exact = replace(pose, xyz_m=xyz, sigma_m=np.full_like(pose.sigma_m, 1e-3), valid=np.ones_like(pose.valid))
    return Motion.from_pose(exact, joint_angles(exact))


def _moments(take: ExerciseTake, seen: Measure, true: Measure) -> Iterator[tuple[Array, Array, Array]]:
    """Per repetition and side: seen, error and sigma at nine moments."""
    for start_s, end_s in take.rep_bounds:
        near = [np.abs(take.time_s - at) <= _SPREAD_S for at in np.linspace(start_s, end_s, _MOMENTS)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # A joint unseen at a moment is NaN.
            one, two, sigma = (
                np.stack([np.nanmedian(part[frames], axis=0) for frames in near])
                for part in (seen.deg, true.deg, seen.sigma_deg)
            )
        yield from zip(one.T, (one - two).T, sigma.T, strict=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="How errors go together within a repetition.")
    parser.add_argument("--takes", type=int, default=180)
    parser.add_argument("--seed", type=int, default=77)
    args = parser.parse_args(argv)
    errors = measured(args.takes, args.seed)
    lines = ["error over sigma"] + [f"  {name} {value:.2f}" for name, value in over_sigma(errors).items()]
    lines += ["change in degrees, pairs, correlation"]
    lines += [f"  {low:g} to {high:g}, {pairs}, {rho:.2f}" for low, high, pairs, rho in by_change(errors)]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
