"""How large the errors of joint angles really are, for each kind of angle.

`posepipe.motion.angles` propagates the joints' sigmas as if joints erred independently. They don't: both ends of a limb
are wrong in depth together, which hardly changes an elbow; a hip marked too low bends hip and trunk in every frame.
The propagated sigma is multiplied by one factor for each kind of angle, fitted on people that the lifter was not
trained on, seen by simulated cameras and, rendered, by BlazePose.

    python -m posepipe.training.angle_sigma --data ../shared/data/mocap --pairs FOLDER

prints the table that `posepipe.motion.angles` holds, and the coverage of 90 % intervals before and after.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posepipe.evaluation.simulate import simulate
from posepipe.lifting.lifter import Lifter
from posepipe.motion.angles import ANGLES, joint_angles
from posepipe.skeleton import BODY21
from posepipe.training.mocap import load_mocap
from posepipe.training.pairs import load_pairs
from posepipe.types import PoseTrack

__all__ = ["angle_errors", "angle_kinds", "coverage_90", "fit_angle", "held_out_angles"]

Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]

_NOISE_M = (0.0, 0.01, 0.025, 0.05)
_FRAMES = 1500
_FEW = 500
_WITHIN_90 = 1.645


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
    ours = joint_angles(_track(xyz_m, sigma_m), independent=True)
    right = joint_angles(_track(truth_m, np.zeros_like(sigma_m)), independent=True)
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
        out.append(_lifted(lifter, loop.rays, loop.sigma, ~np.isnan(loop.rays).any(axis=-1), loop.xyz_m, False))
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


def _track(xyz_m: FloatArray, sigma_m: FloatArray) -> PoseTrack:
    there = ~np.isnan(xyz_m).any(axis=-1)
    zeros = np.zeros((len(xyz_m), 3), dtype=np.float32)
    return PoseTrack(BODY21, np.arange(len(xyz_m)) / 30.0, xyz_m, sigma_m, zeros, zeros, there, ~there)


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


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Fit the sigma of joint angles.")
    parser.add_argument("--data", type=Path, required=True, help="folder with train.npz")
    parser.add_argument("--pairs", type=Path, help="folder with loop*train*.npz")
    parser.add_argument("--subjects", nargs="+", default=["ui_s07", "94", "49", "120"], help="held out from training")
    args = parser.parse_args(argv)
    sets = held_out_angles(args.data, args.subjects, Lifter(), args.pairs)
    for kind, columns in angle_kinds().items():
        error, sigma = _kind(sets, columns)
        if len(error) < _FEW:
            sys.stdout.write(f"# {kind}: only {len(error)} errors\n")
            continue
        factor = fit_angle(error, sigma)
        before, after = coverage_90(error, sigma), coverage_90(error, sigma, factor)
        sys.stdout.write(f'    "{kind}": {factor},  # 90 % intervals held {before:.3f}, now {after:.3f}\n')


if __name__ == "__main__":
    main()
