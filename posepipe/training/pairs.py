"""Detector-in-the-loop pairs: keypoints that a real detector found in rendered pictures, with the true pose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import InputError
from posepipe.lifting.inputs import encode
from posepipe.skeleton import BODY21
from posepipe.training.augment import Batch

__all__ = ["Pairs", "load_pairs", "pair_batch", "pair_features"]

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Detected keypoints and true poses.

    Attributes:
        rays: (N, 21, 2) x/z and y/z in the camera frame.
        sigma: (N, 21) in ray units.
        valid: (N, 21) bool.
        xyz_m: (N, 21, 3) truth relative to the pelvis, camera frame; NaN where unknown.
    """

    rays: FloatArray
    sigma: FloatArray
    valid: NDArray[np.bool_]
    xyz_m: FloatArray

    def __len__(self) -> int:
        return len(self.rays)


def load_pairs(folder: Path, kinds: tuple[str, ...] = ("train",)) -> Pairs:
    """Read loop_KIND_*.npz files.

    Raises:
        InputError: none found.
    """
    files = [file for kind in kinds for file in sorted(folder.glob(f"loop_{kind}_*.npz"))]
    if not files:
        raise InputError("no loop_*.npz", where=str(folder), hint="Make them with posepipe.synth.detector_loop")
    parts: list[tuple[FloatArray, ...]] = []
    for file in files:
        with np.load(file) as data:
            parts.append(tuple(data[key] for key in ("rays", "sigma", "valid", "xyz_m")))
    rays, sigma, valid, xyz = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Pairs(rays, sigma, valid.astype(bool), xyz)


def pair_batch(pairs: Pairs, count: int, rng: np.random.Generator) -> Batch:
    """Draw pairs with replacement, half of them mirrored, all of them turned a little about the optical axis."""
    pick = rng.integers(0, len(pairs), count)
    rays, sigma, valid, xyz = pairs.rays[pick], pairs.sigma[pick], pairs.valid[pick], pairs.xyz_m[pick]
    flip = rng.random(count) < 0.5
    mirror = BODY21.mirror
    rays = np.where(flip[:, None, None], rays[:, mirror] * np.array([-1.0, 1.0]), rays)
    xyz = np.where(flip[:, None, None], xyz[:, mirror] * np.array([-1.0, 1.0, 1.0]), xyz)
    sigma = np.where(flip[:, None], sigma[:, mirror], sigma)
    valid = np.where(flip[:, None], valid[:, mirror], valid)
    roll = 0.3 * rng.standard_normal(count)
    c, s = np.cos(roll)[:, None], np.sin(roll)[:, None]
    rays = np.stack([c * rays[..., 0] - s * rays[..., 1], s * rays[..., 0] + c * rays[..., 1]], axis=-1)
    xyz = np.stack([c * xyz[..., 0] - s * xyz[..., 1], s * xyz[..., 0] + c * xyz[..., 1], xyz[..., 2]], axis=-1)
    encoded = encode(rays.astype(np.float32), sigma, valid, rng.random(count) < 0.3)
    return Batch(encoded.features, (xyz @ np.swapaxes(encoded.rotation, 1, 2)).astype(np.float32))


def pair_features(pairs: Pairs) -> tuple[FloatArray, FloatArray]:
    """All pairs as they are: the network's input (N, 21, 6) and target (N, 21, 3), focal length known."""
    encoded = encode(pairs.rays, pairs.sigma, pairs.valid, np.zeros(len(pairs), dtype=bool))
    return encoded.features, (pairs.xyz_m @ np.swapaxes(encoded.rotation, 1, 2)).astype(np.float32)
