"""How honest the lifter's sigma is: on motion capture under growing 2D noise, and on detector-in-the-loop pairs."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.evaluation.lifter import read_motion
from posepipe.evaluation.metrics import ause, coverage, drop_gain, ence, spearman
from posepipe.evaluation.simulate import simulate
from posepipe.lifting.calibration import LEVELS, SigmaCalibration
from posepipe.lifting.lifter import Lifter
from posepipe.motion.angles import joint_angles
from posepipe.skeleton import BODY21, H36M17
from posepipe.training.pairs import load_pairs
from posepipe.types import PoseTrack

__all__ = ["angle_rows", "evaluate_calibration"]

FloatArray = NDArray[np.float32]

_NOISE_M = (0.0, 0.01, 0.025, 0.05)
_ANGLES = ("knee_flexion", "elbow_flexion", "hip_flexion", "shoulder_elevation", "trunk_flexion")
_INNER = slice(1, len(H36M17))


def evaluate_calibration(
    data: Path,
    *,
    pairs: Path | None = None,
    lifter: Lifter | None = None,
    max_frames: int | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Coverage of the intervals, ENCE, AUSE and rank correlation over Human3.6M's joints without the pelvis.

    Args:
        data: npz of motion capture, or a folder with val.npz.
        pairs: folder with loop_val*.npz of `posepipe.synth.detector_loop`; adds a row.
        lifter: ours; the shipped one if None.
        max_frames: at most so many, evenly drawn.
        seed: of cameras and noise.

    Returns:
        ``{"metrics", "rows", "versions"}``: one row for each noise level, for the pairs, for each joint with all
        noise levels pooled, then for joint angles, exact 2D and rendered; metrics pool all noise levels.
    """
    lifter = lifter or Lifter()
    path = data / "val.npz" if data.is_dir() else data
    motion = read_motion(path)
    if max_frames is not None and len(motion) > max_frames:
        motion = motion.select(np.isin(np.arange(len(motion)), np.linspace(0, len(motion) - 1, max_frames).astype(int)))
    rows: list[dict[str, Any]] = []
    pool: list[tuple[FloatArray, FloatArray]] = []
    made, found = lifter.calibration_independent, lifter.calibration
    angles: list[dict[str, Any]] = []
    for number, noise_m in enumerate(_NOISE_M):
        seen = simulate(motion, np.random.default_rng((seed, number)), crooked=number % 2 == 1, noise_m=noise_m)
        pool.append(_predict(lifter, seen.rays, seen.sigma, seen.valid, seen.xyz_m, True))
        if number == 0:
            angles = angle_rows("exact 2D", lifter, seen.rays, seen.sigma, seen.valid, seen.xyz_m, True)
        rows.append({"data": f"2D noise {1000 * noise_m:.0f} mm"} | _figures(made, *pool[-1]))
    if pairs is not None:
        loop = load_pairs(sorted(pairs.glob("loop_val*.npz")))
        valid = np.ones(loop.sigma.shape, dtype=bool)
        lifted = _predict(lifter, loop.rays, loop.sigma, valid, loop.xyz_m, False)
        rows.append({"data": "rendered"} | _figures(found, *lifted))
    error, sigma = (np.concatenate(column) for column in zip(*pool, strict=True))
    radius = made.radius_m(sigma, 0.9)
    for joint in np.flatnonzero(~np.isnan(error).all(axis=0))[1:]:
        rows.append(
            {"data": BODY21.joints[joint], "coverage_90": coverage(error[:, joint], radius[:, joint])}
            | {"ence": ence(error[:, joint], sigma[:, joint])}
        )
    rows += angles
    if pairs is not None:
        rows += angle_rows("rendered", lifter, loop.rays, loop.sigma, valid, loop.xyz_m, False)
    versions = {"posepipe": version("posepipe"), "data": path.name}
    return {"metrics": _figures(made, error, sigma), "rows": rows, "versions": versions}


def angle_rows(
    name: str,
    lifter: Lifter,
    rays: FloatArray,
    ray_sigma: FloatArray,
    valid: NDArray[np.bool_],
    truth: FloatArray,
    independent: bool,
) -> list[dict[str, Any]]:
    """Joint angles against their sigma, with joint errors as they really are: together, not each by itself.

    `error_over_sigma` is the root mean square of error over stated sigma (1 if true), `coverage_90` the share within
    1.645 sigma; `linear` is the former for errors drawn independently with each joint's sigma, against the propagation
    formula alone.
    """
    unknown = np.zeros(len(rays), dtype=bool)
    xyz, sigma, usable = lifter.lift_rays(rays, ray_sigma, valid, unknown, independent=independent)
    xyz, sigma, truth = xyz[usable], sigma[usable], truth[usable]
    ours, right = joint_angles(_track(xyz, sigma)), joint_angles(_track(truth, np.zeros_like(sigma)))
    noise = np.random.default_rng(0).standard_normal(xyz.shape).astype(np.float32)
    shaken = joint_angles(_track(xyz + sigma[..., None] * noise, sigma), independent=True)
    alone = joint_angles(_track(xyz, sigma), independent=True)
    rows = []
    for angle in _ANGLES:
        columns = [i for i, full in enumerate(ours.names) if full.removeprefix("left_").removeprefix("right_") == angle]
        spread = ours.sigma_deg[:, columns]
        gap = (ours.deg - right.deg)[:, columns]
        drawn = ((shaken.deg - alone.deg) / alone.sigma_deg)[:, columns]
        seen = np.isfinite(gap / spread)
        if not seen.any():
            continue
        rows.append(
            {
                "data": f"{angle}, {name}",
                "error_deg": float(np.abs(gap[seen]).mean()),
                "sigma_deg": float(spread[seen].mean()),
                "error_over_sigma": float(np.sqrt(np.mean((gap[seen] / spread[seen]) ** 2))),
                "linear": float(np.sqrt(np.nanmean(drawn**2))),
                "coverage_90": float((np.abs(gap[seen]) <= 1.645 * spread[seen]).mean()),
            }
        )
    return rows


def _track(xyz_m: FloatArray, sigma_m: FloatArray) -> PoseTrack:
    frames = len(xyz_m)
    there = ~np.isnan(xyz_m).any(axis=-1)
    zeros = np.zeros((frames, 3), dtype=np.float32)
    return PoseTrack(BODY21, np.arange(frames) / 30.0, xyz_m, sigma_m, zeros, zeros, there, ~there)


def _predict(
    lifter: Lifter,
    rays: FloatArray,
    ray_sigma: FloatArray,
    valid: NDArray[np.bool_],
    truth: FloatArray,
    independent: bool,
) -> tuple[FloatArray, FloatArray]:
    """Joint errors and sigma, (N, 21) each."""
    unknown = np.zeros(len(rays), dtype=bool)
    xyz, sigma, _ = lifter.lift_rays(rays, ray_sigma, valid, unknown, independent=independent)
    return np.linalg.norm(xyz - truth, axis=-1).astype(np.float32), sigma


def _figures(calibration: SigmaCalibration, error: FloatArray, sigma: FloatArray) -> dict[str, float]:
    figures = {"mpjpe_mm": float(1000 * np.nanmean(error[:, : len(H36M17)]))}
    for level in LEVELS:
        radius = calibration.radius_m(sigma, level)
        figures[f"coverage_{100 * level:.0f}"] = coverage(error[:, _INNER], radius[:, _INNER])
    inner, doubt = error[:, _INNER], sigma[:, _INNER]
    return figures | {
        "ence": ence(inner, doubt),
        "ause": ause(inner, doubt),
        "spearman": spearman(inner, doubt),
        "drop20_gain": drop_gain(inner, doubt),
    }
