"""A cap on the frozen keypoint detector: how large its errors really are, per joint and visibility.

After BayesCap (Upadhyay et al., ECCV 2022): the detector stays as it is, and a small model of what it shows of its own
doubt is fitted to its errors under a generalised Gaussian. With s the first sigma of `posepipe.keypoints.sigma` in
crop cells and v the visibility, the scale of joint j is ``gain_j * s**power_j * exp(hidden_j * (1 - v))``; its shape
``beta_j`` lies between Laplace (1) and Gauss (2). The standard deviation follows from scale and shape.

    python -m posepipe.training.sigma_cap --pairs FOLDER

prints the table that `posepipe.keypoints.sigma` holds, and how true the sigmas are before and after.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import gammaln

from posepipe.errors import InputError
from posepipe.keypoints.sigma import CAP_JOINTS, CapRow, SigmaFeatures, pixel_sigma
from posepipe.skeleton import BLAZEPOSE33, BODY21

__all__ = ["CapData", "fit_cap", "fit_row", "honesty", "load_cap_data"]

Array = NDArray[np.float64]

_MIN_PRESENCE = 0.5
_MAP_CELLS = 64
_BOUNDS = ((-3.0, 3.0), (0.3, 1.5), (0.0, 3.0), (1.0, 2.0))
_MOST_ROWS = 40_000


@dataclass(frozen=True, slots=True, eq=False)
class CapData:
    """What the detector said about the 17 joints that both skeletons share.

    Attributes:
        joints: their names.
        error: (N, 17, 2) detected minus true position, in crop cells.
        first: (N, 17) the first sigma, in cells.
        visibility: (N, 17).
        subject: (N,).
    """

    joints: tuple[str, ...]
    error: Array
    first: Array
    visibility: Array
    subject: NDArray[np.str_]


def load_cap_data(files: Sequence[Path]) -> CapData:
    """Read files of `posepipe.synth.detector_loop`.

    Raises:
        InputError: no files.
    """
    if not files:
        raise InputError("no detector-in-the-loop pairs", hint="Make them: python -m posepipe.synth.detector_loop")
    joints = tuple(joint for joint in BODY21.joints if joint in BLAZEPOSE33.joints)
    here, there = list(BLAZEPOSE33.indices(*joints)), list(BODY21.indices(*joints))
    parts: list[tuple[NDArray[np.generic], ...]] = []
    for file in files:
        with np.load(file) as data:
            seen = data["presence"] >= _MIN_PRESENCE
            cell = data["roi"][seen, 2].astype(np.float64) / _MAP_CELLS
            error = data["xy_px"][seen][:, here] - data["xy_true_px"][seen][:, there]
            peak, spread, visibility, presence = np.moveaxis(data["features"][seen][:, here], 2, 0)
            first = pixel_sigma(SigmaFeatures(peak, spread, visibility, presence, 1.0))
            parts.append((error / cell[:, None, None], first, visibility, data["subject"][seen]))
    error, first, visibility, subject = (np.concatenate(column) for column in zip(*parts, strict=True))
    return CapData(joints, error.astype(float), first.astype(float), visibility.astype(float), subject.astype(str))


def _loss(values: Array, error: Array, first: Array, hidden: Array) -> float:
    """Mean negative log-likelihood of a generalised Gaussian, for each coordinate."""
    log_gain, power, veil, shape = values
    log_scale = log_gain + power * np.log(first) + veil * hidden
    residual = np.clip(error * np.exp(-log_scale)[:, None], 1e-4, 1e3)
    constant = np.log(shape) - np.log(2.0) - gammaln(1.0 / shape)
    return float(np.mean(residual**shape) + np.mean(log_scale) - constant)


def fit_row(error: Array, first: Array, visibility: Array) -> CapRow:
    """Maximum likelihood for one joint.

    Args:
        error: (N, 2) in cells.
        first: (N,) first sigma in cells.
        visibility: (N,).
    """
    if len(error) > _MOST_ROWS:
        pick = np.linspace(0, len(error) - 1, _MOST_ROWS).astype(int)
        error, first, visibility = error[pick], first[pick], visibility[pick]
    arguments = (np.abs(error), np.maximum(first, 1e-3), 1.0 - np.clip(visibility, 0.0, 1.0))
    found = minimize(_loss, np.array([0.0, 1.0, 0.1, 1.3]), arguments, method="L-BFGS-B", bounds=_BOUNDS)
    log_gain, power, veil, shape = (float(value) for value in found.x)
    return CapRow(round(float(np.exp(log_gain)), 3), round(power, 3), round(veil, 3), round(shape, 3))


def _kind(joint: str) -> str:
    return joint.removeprefix("left_").removeprefix("right_")


def fit_cap(data: CapData) -> dict[str, CapRow]:
    """One row for each kind of joint in `CAP_JOINTS`, both sides pooled."""
    rows = {}
    for kind in CAP_JOINTS:
        columns = [
            i for i, joint in enumerate(data.joints) if joint.removeprefix("left_").removeprefix("right_") == kind
        ]
        pooled = (data.error[:, columns], data.first[:, columns], data.visibility[:, columns])
        error, first, visibility = (x.reshape(-1, *x.shape[2:]) for x in pooled)
        rows[kind] = fit_row(error, first, visibility)
    return rows


def honesty(error: Array, sigma: Array) -> dict[str, float]:
    """Shares of coordinates within 1, 1.645 and 1.96 sigma (0.68, 0.90, 0.95 if Gaussian) and the mean log loss.

    Args:
        error: (..., 2).
        sigma: (...).
    """
    ratio = np.abs(error) / sigma[..., None]
    loss = np.log(sigma)[..., None] + np.sqrt(2.0) * ratio
    return {
        "within_1": float((ratio < 1.0).mean()),
        "within_1.645": float((ratio < 1.645).mean()),
        "within_1.96": float((ratio < 1.96).mean()),
        "laplace_loss": float(loss.mean()),
    }


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Fit the cap on the keypoint detector's sigma.")
    parser.add_argument("--pairs", type=Path, required=True, help="folder with loop*train*.npz, and loop_val*.npz")
    args = parser.parse_args(argv)
    rows = fit_cap(load_cap_data(sorted(args.pairs.glob("loop*train*.npz"))))
    for kind, row in rows.items():
        sys.stdout.write(f'    "{kind}": CapRow({row.gain}, {row.power}, {row.hidden}, {row.shape}),\n')
    held_out = load_cap_data(sorted(args.pairs.glob("loop_val*.npz")))
    capped = np.stack(
        [
            rows[joint.removeprefix("left_").removeprefix("right_")].sigma(
                held_out.first[:, i], held_out.visibility[:, i]
            )
            for i, joint in enumerate(held_out.joints)
        ],
        axis=1,
    )
    for name, sigma in (("before", held_out.first), ("after", capped)):
        figures = ", ".join(f"{key} {value:.3f}" for key, value in honesty(held_out.error, sigma).items())
        sys.stdout.write(f"{name}: {figures}\n")


if __name__ == "__main__":
    main()
