"""Detector-in-the-loop pairs: keypoints that a real detector found in rendered pictures, with the true pose.

`posepipe.synth.detector_loop` makes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import InputError
from posepipe.lifting.inputs import encode
from posepipe.skeleton import BLAZEPOSE33, BODY21, conversion
from posepipe.training.augment import Batch

__all__ = ["Pairs", "load_pairs", "pair_batch", "pair_features"]

FloatArray = NDArray[np.float32]

_MIN_PRESENCE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Detected keypoints and true poses.

    Attributes:
        rays: (N, 21, 2) x/z and y/z in the camera frame.
        sigma: (N, 21) in ray units.
        xyz_m: (N, 21, 3) truth relative to the pelvis, camera frame.
        world_m: (N, 33, 3) the detector's own 3D guess.
        subject: (N,) whose motion it is.
        source: (N,) "ui" or "cmu".
    """

    rays: FloatArray
    sigma: FloatArray
    xyz_m: FloatArray
    world_m: FloatArray
    subject: NDArray[np.str_]
    source: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.rays)

    def select(self, mask: NDArray[np.bool_]) -> Pairs:
        """The pairs where the mask (N,) is true."""
        return Pairs(
            self.rays[mask],
            self.sigma[mask],
            self.xyz_m[mask],
            self.world_m[mask],
            self.subject[mask],
            self.source[mask],
        )


def load_pairs(files: Sequence[Path]) -> Pairs:
    """Read files of pairs; frames in which the detector was sure to see a person.

    Raises:
        InputError: no files.
    """
    if not files:
        raise InputError("no detector-in-the-loop pairs", hint="Make them: python -m posepipe.synth.detector_loop")
    keys = ("xy_px", "sigma_px", "camera", "xyz_m", "world_m", "subject", "sequence", "presence")
    parts = []
    for file in files:
        with np.load(file) as data:
            parts.append([data[key] for key in keys])
    xy, sigma, camera, xyz, world, subject, sequence, presence = (np.concatenate(c) for c in zip(*parts, strict=True))
    matrix = conversion(BLAZEPOSE33, BODY21)
    rays = (matrix @ xy - camera[:, None, 1:3]) / camera[:, None, :1]
    ray_sigma = np.sqrt((sigma**2) @ (matrix**2).T) / camera[:, :1]
    pairs = Pairs(
        rays.astype(np.float32),
        ray_sigma.astype(np.float32),
        xyz - xyz[:, :1],
        world,
        subject,
        np.where(np.char.startswith(sequence, "ui_"), "ui", "cmu"),
    )
    return pairs.select(presence >= _MIN_PRESENCE)


def pair_batch(pairs: Pairs, count: int, rng: np.random.Generator) -> Batch:
    """Draw pairs with replacement, varied.

    Half are mirrored, all are turned a little about the optical axis and shaken by a quarter of their sigma. In a third
    the focal length is off by a random factor and marked as assumed.
    """
    pick = rng.integers(0, len(pairs), count)
    rays, sigma, xyz = pairs.rays[pick], pairs.sigma[pick], pairs.xyz_m[pick]
    flip, mirror = rng.random(count) < 0.5, BODY21.mirror
    rays = np.where(flip[:, None, None], rays[:, mirror] * np.array([-1.0, 1.0]), rays)
    xyz = np.where(flip[:, None, None], xyz[:, mirror] * np.array([-1.0, 1.0, 1.0]), xyz)
    sigma = np.where(flip[:, None], sigma[:, mirror], sigma)
    roll = 0.25 * rng.standard_normal(count)
    c, s = np.cos(roll)[:, None], np.sin(roll)[:, None]
    rays = np.stack([c * rays[..., 0] - s * rays[..., 1], s * rays[..., 0] + c * rays[..., 1]], axis=-1)
    xyz = np.stack([c * xyz[..., 0] - s * xyz[..., 1], s * xyz[..., 0] + c * xyz[..., 1], xyz[..., 2]], axis=-1)
    guess = rng.random(count) < 0.33
    ratio = np.where(guess, np.exp(0.2 * rng.standard_normal(count)), 1.0).astype(np.float32)
    rays = rays + 0.25 * sigma[..., None] * rng.standard_normal(rays.shape)
    rays, sigma = (rays * ratio[:, None, None]).astype(np.float32), sigma * ratio[:, None]
    encoded = encode(rays, sigma.astype(np.float32), np.ones(rays.shape[:2], dtype=bool), guess)
    return Batch(encoded.features, (xyz @ np.swapaxes(encoded.rotation, 1, 2)).astype(np.float32))


def pair_features(pairs: Pairs) -> tuple[FloatArray, FloatArray]:
    """All pairs as they are: the network's input (N, 21, 6) and target (N, 21, 3), focal length known."""
    seen = np.ones(pairs.sigma.shape, dtype=bool)
    encoded = encode(pairs.rays, pairs.sigma, seen, np.zeros(len(pairs), dtype=bool))
    return encoded.features, (pairs.xyz_m @ np.swapaxes(encoded.rotation, 1, 2)).astype(np.float32)
