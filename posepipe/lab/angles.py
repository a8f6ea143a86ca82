"""How large the errors of joint angles really are, and how those of one repetition go together.

`posepipe.body.angles` propagates the joints' sigmas as if joints erred independently. They don't: both ends of a limb
are wrong in depth together, which hardly changes an elbow; a hip marked too low bends hip and trunk in every frame.
The propagated sigma is multiplied by one factor for each kind of angle, fitted on people that the lifter was not
trained on, seen by simulated cameras and, rendered, by BlazePose (``posepipe train angle-sigma``).

Two moments of a repetition are wrong together, the less the more the angle changed: what
`posepipe.exercise.signal.difference_sigma` knows (``posepipe evaluate angle-errors``). Synthetic repetitions are filmed
as the training of recognition does and lifted, and nine moments of each compared with the truth.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.body.angles import ANGLES, joint_angles
from posepipe.body.lift import Lifter
from posepipe.body.motion import Motion
from posepipe.exercise.catalogue import load_catalogue
from posepipe.exercise.labels import EXERCISES
from posepipe.exercise.signal import Measure, measure
from posepipe.lab.film import film, open_film
from posepipe.lab.layouts import bare_pose
from posepipe.lab.lifter.data import load_mocap, simulate
from posepipe.lab.lifter.pairs import load_pairs
from posepipe.lab.people.exercises.takes import ExerciseTake, make_exercise
from posepipe.types import PoseTrack

__all__ = ["angle_table", "evaluate_angle_errors"]

Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]

_NOISE_M = (0.0, 0.01, 0.025, 0.05)
_FRAMES = 1500
_FEW = 500
_WITHIN_90 = 1.645

_MEASURES = ("knee_flexion", "elbow_flexion", "arm_raise", "hip_bend", "trunk_lean")
_MOMENTS = 9
_APART = 2
"""Moments nearer than this share the smoothing's window."""
_MOMENT_S = 0.1
_CHANGES_DEG = (0, 3, 6, 10, 15, 22, 30, 45, 60, 90, 130)
_CLIP_SIGMA = 4.0


def angle_kinds() -> dict[str, list[int]]:
    """Columns of `ANGLES` of each kind, both sides together."""
    kinds: dict[str, list[int]] = {}
    for column, spec in enumerate(ANGLES):
        kinds.setdefault(spec.name.removeprefix("left_").removeprefix("right_"), []).append(column)
    return kinds


def angle_errors(xyz_m: FloatArray, sigma_m: FloatArray, truth_m: FloatArray) -> tuple[Array, Array]:
    """Errors (F, A) of the angles in degrees, and their propagated sigmas; NaN where either is withheld.

    Args:
        xyz_m: (F, 21, 3) lifted.
        sigma_m: (F, 21).
        truth_m: (F, 21, 3).
    """
    ours = joint_angles(bare_pose(xyz_m, sigma_m), independent=True)
    right = joint_angles(bare_pose(truth_m, np.zeros_like(sigma_m)), independent=True)
    gap = (ours.deg.astype(np.float64) - right.deg + 180.0) % 360.0 - 180.0
    return gap, np.where(np.isnan(gap), np.nan, ours.sigma_deg.astype(np.float64))


def fit_angle(error_deg: Array, sigma_deg: Array) -> float:
    """The factor with which 90 % of the errors (N,) lie within 1.645 of their sigmas (N,)."""
    return round(float(np.quantile(np.abs(error_deg) / sigma_deg, 0.9)) / _WITHIN_90, 3)


def coverage_90(error_deg: Array, sigma_deg: Array, factor: float = 1.0) -> float:
    """Share of errors within 1.645 sigma."""
    return float((np.abs(error_deg) <= _WITHIN_90 * factor * sigma_deg).mean())


def held_out_angles(
    data: Path, subjects: Sequence[str], lifter: Lifter, pairs: Path | None = None, seed: int = 0
) -> list[tuple[Array, Array]]:
    """`angle_errors` of some subjects of train.npz: one set for each noise of simulated keypoints, one of the pairs.

    Args:
        data: folder with train.npz.
        subjects: held out from training.
        lifter: whose angles.
        pairs: folder with loop*train*.npz.
        seed: of frames and cameras.
    """
    mocap = load_mocap(data / "train.npz")
    mocap = mocap.select(np.isin(mocap.subject, list(subjects)))
    rng = np.random.default_rng(seed)
    out = []
    for number, noise_m in enumerate(_NOISE_M):
        pick = np.zeros(len(mocap), dtype=bool)
        pick[rng.choice(len(mocap), min(_FRAMES, len(mocap)), replace=False)] = True
        seen = simulate(mocap.select(pick), rng, crooked=number % 2 == 1, noise_m=noise_m)
        out.append(_lifted(lifter, seen.rays, seen.sigma, seen.valid, seen.xyz_m, True))
    if pairs is not None:
        loop = load_pairs(sorted(pairs.glob("loop*train*.npz")))
        loop = loop.select(np.isin(loop.subject, list(subjects)))
        out.append(_lifted(lifter, loop.rays, loop.sigma, ~np.any(np.isnan(loop.rays), axis=-1), loop.xyz_m, False))
    return out


def _lifted(
    lifter: Lifter,
    rays: FloatArray,
    sigma: FloatArray,
    valid: NDArray[np.bool_],
    truth: FloatArray,
    independent: bool,
) -> tuple[Array, Array]:
    unknown = np.zeros(len(rays), dtype=bool)
    xyz, spread, usable = lifter.lift_rays(rays, sigma, valid, unknown, independent=independent)
    return angle_errors(xyz[usable], spread[usable], truth[usable])


def _kind(sets: Sequence[tuple[Array, Array]], columns: list[int]) -> tuple[Array, Array]:
    """Errors and sigmas (N,) of one kind; simulated and rendered people count alike."""
    errors, sigmas = [], []
    most = max(len(error) for error, _ in sets)
    for error, sigma in sets:
        part, spread = error[:, columns].ravel(), sigma[:, columns].ravel()
        seen = np.isfinite(part) & np.isfinite(spread) & (spread > 0)
        times = max(1, round(most / max(len(error), 1)))
        errors.append(np.tile(part[seen], times))
        sigmas.append(np.tile(spread[seen], times))
    return np.concatenate(errors), np.concatenate(sigmas)


def angle_table(data: Path, subjects: Sequence[str], pairs: Path | None = None) -> str:
    """The lines that `posepipe.body.angles` holds, and the coverage of 90 % intervals before and after.

    Args:
        data: folder with train.npz.
        subjects: held out from training.
        pairs: folder with loop*train*.npz.
    """
    sets = held_out_angles(data, subjects, Lifter(), pairs)
    lines = []
    for kind, columns in angle_kinds().items():
        error, sigma = _kind(sets, columns)
        if len(error) < _FEW:
            lines.append(f"# {kind}: only {len(error)} errors")
            continue
        factor = fit_angle(error, sigma)
        before, after = coverage_90(error, sigma), coverage_90(error, sigma, factor)
        lines.append(f'    "{kind}": {factor},  # 90 % intervals held {before:.3f}, now {after:.3f}')
    return "\n".join(lines)


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
        for name in _MEASURES:
            rows += [(name, *row) for row in _moments(take, measure(seen, name), measure(true, name))]
    deg, error, sigma = (np.array([row[i] for row in rows]) for i in (1, 2, 3))
    whole = np.isfinite(deg + error + sigma).all(axis=1)
    return Errors(np.array([row[0] for row in rows])[whole], deg[whole], error[whole], sigma[whole])


def over_sigma(errors: Errors) -> dict[str, float]:
    """Root mean square of error over sigma, by measure; single ones count up to 4."""
    z = np.clip(errors.error_deg / errors.sigma_deg, -_CLIP_SIGMA, _CLIP_SIGMA)
    return {
        name: float(np.sqrt((z[errors.name == name] ** 2).mean())) for name in _MEASURES if (errors.name == name).any()
    }


def by_change(errors: Errors) -> list[tuple[float, float, int, float]]:
    """Correlation of the errors of two moments by the change between them: rows (from, to, pairs, correlation)."""
    scale = over_sigma(errors)
    z = np.clip(errors.error_deg / errors.sigma_deg, -_CLIP_SIGMA, _CLIP_SIGMA)
    z = z / np.array([scale[name] for name in errors.name])[:, None]
    first, second = np.triu_indices(_MOMENTS, _APART)
    change = np.abs(errors.deg[:, first] - errors.deg[:, second])
    product, power = z[:, first] * z[:, second], 0.5 * (z[:, first] ** 2 + z[:, second] ** 2)
    rows: list[tuple[float, float, int, float]] = []
    for low, high in pairwise(_CHANGES_DEG):
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
        near = [np.abs(take.time_s - at) <= _MOMENT_S for at in np.linspace(start_s, end_s, _MOMENTS)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # A joint unseen at a moment is NaN.
            one, two, sigma = (
                np.stack([np.nanmedian(part[frames], axis=0) for frames in near])
                for part in (seen.deg, true.deg, seen.sigma_deg)
            )
        yield from zip(one.T, (one - two).T, sigma.T, strict=True)


def evaluate_angle_errors(takes: int, seed: int = 77) -> dict[str, Any]:
    """How the errors of a repetition's moments go together, as ``{"metrics", "rows"}``."""
    errors = measured(takes, seed)
    rows = [
        {"from_deg": low, "to_deg": high, "pairs": pairs, "correlation": rho}
        for low, high, pairs, rho in by_change(errors)
    ]
    return {"metrics": {f"{name}_over_sigma": value for name, value in over_sigma(errors).items()}, "rows": rows}
