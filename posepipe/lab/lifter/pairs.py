"""Detector-in-the-loop pairs: keypoints that a real detector found in rendered pictures, with the true pose.

`posepipe.lab.rendered` makes them, in runs of a few frames. Left and right are put in order run by run before
anything else, as the pipeline does before it lifts: a lifter that saw every exchange would learn to distrust sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.body.lift import encode
from posepipe.body.sides import repair_swaps
from posepipe.errors import InputError
from posepipe.geometry import project
from posepipe.keypoints.sigma import SigmaFeatures, capped_sigma
from posepipe.lab.lifter.data import AugmentConfig, Batch, Mocap, camera_poses, stature_factor
from posepipe.skeleton import BLAZEPOSE33, BODY21, conversion
from posepipe.types import KeypointTrack

__all__ = ["Pairs", "exchanged", "load_pairs", "pair_batch", "pair_features", "stated_sigma", "transfer_batch"]

FloatArray = NDArray[np.float32]

_MIN_PRESENCE = 0.5
_MAP_CELLS = 64
_HALVES = tuple(
    BODY21.indices(*[f"{side}_{part}" for part in parts for side in ("left", "right")])
    for parts in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
)
# Half of these are an arm's length apart in pose; among so many the body faces the same way within some 20 degrees.
_CANDIDATES = 96


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Detected keypoints and true poses.

    Attributes:
        rays: (N, 21, 2) x/z and y/z in the camera frame; NaN where not seen.
        sigma: (N, 21) in ray units.
        xyz_m: (N, 21, 3) truth relative to the pelvis, camera frame; NaN where unknown.
        root_m: (N, 3) true pelvis, camera frame.
        world_m: (N, 33, 3) the detector's own 3D guess.
        subject: (N,) whose motion it is.
        source: (N,) "ui" or "cmu".
    """

    rays: FloatArray
    sigma: FloatArray
    xyz_m: FloatArray
    root_m: FloatArray
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
            self.root_m[mask],
            self.world_m[mask],
            self.subject[mask],
            self.source[mask],
        )


def load_pairs(files: Sequence[Path]) -> Pairs:
    """Read files of pairs; frames in which the detector was sure to see a person, left and right repaired by run.

    Raises:
        InputError: no files.
    """
    if not files:
        raise InputError("no detector-in-the-loop pairs", hint="Make them: posepipe train pairs")
    keys = ("camera", "xyz_m", "world_m", "subject", "sequence", "presence")
    parts = []
    for file in files:
        with np.load(file) as data:
            sigma = stated_sigma(data["features"], data["roi"])
            seen = data["presence"] >= _MIN_PRESENCE
            xy, sigma = _repaired(data["xy_px"], sigma, seen, data["run"], data["fps_hz"])
            parts.append([xy, sigma, *(data[key] for key in keys)])
    columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    xy, sigma, camera, xyz, world, subject, sequence, presence = columns
    matrix = conversion(BLAZEPOSE33, BODY21)
    rays = (matrix @ xy - camera[:, None, 1:3]) / camera[:, None, :1]
    ray_sigma = np.sqrt((sigma**2) @ (matrix**2).T) / camera[:, :1]
    pairs = Pairs(
        rays.astype(np.float32),
        ray_sigma.astype(np.float32),
        xyz - xyz[:, :1],
        xyz[:, 0],
        world,
        subject,
        np.where(np.char.startswith(sequence, "ui_"), "ui", "cmu"),
    )
    return pairs.select(presence >= _MIN_PRESENCE)


def _repaired(
    xy_px: FloatArray,
    sigma_px: FloatArray,
    seen: NDArray[np.bool_],
    run: NDArray[np.integer[Any]],
    fps_hz: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Keypoints (N, 33, 2) and sigma (N, 33) after the repair of each run; frames not seen stay as they are."""
    xy, sigma = xy_px.copy(), sigma_px.copy()
    for rows in np.split(np.arange(len(run)), np.flatnonzero(np.diff(run)) + 1):
        valid = seen[rows, None] & np.isfinite(xy_px[rows]).all(axis=-1)
        track = KeypointTrack(
            person=1,
            layout=BLAZEPOSE33,
            frame=np.arange(len(rows), dtype=np.int32),
            time_s=np.arange(len(rows)) / float(fps_hz[rows[0]]),
            xy_px=np.where(valid[..., None], xy_px[rows], np.nan),
            sigma_px=np.where(valid, sigma_px[rows], np.nan),
            score=valid.astype(np.float32),
            valid=valid,
            interpolated=np.zeros_like(valid),
        )
        fixed, _ = repair_swaps(track)
        here = rows[valid.all(axis=1)]
        xy[here], sigma[here] = fixed.xy_px[here - rows[0]], fixed.sigma_px[here - rows[0]]
    return xy, sigma


def exchanged(pairs: Pairs) -> NDArray[np.bool_]:
    """(N,) frames whose arms or legs fit the truth far better with left and right exchanged.

    A lifter can't tell them from a person who faces the other way; taught as they are, they cost the others.
    """
    truth = project(pairs.xyz_m + pairs.root_m[:, None])
    out = np.zeros(len(pairs), dtype=bool)
    for half in _HALVES:
        joints = np.array(half)
        straight = np.linalg.norm(pairs.rays[:, joints] - truth[:, joints], axis=-1).mean(axis=1)
        crossed = np.linalg.norm(pairs.rays[:, BODY21.mirror[joints]] - truth[:, joints], axis=-1).mean(axis=1)
        out |= crossed < 0.5 * straight
    return out


def stated_sigma(features: FloatArray, roi: FloatArray) -> FloatArray:
    """Sigma (N, 33) in pixels as the detector states it today, whatever it said when the pictures were made."""
    peak, spread, visibility, presence = np.moveaxis(features, 2, 0)
    in_cells = capped_sigma(SigmaFeatures(peak, spread, visibility, presence, 1.0))
    return np.asarray(in_cells * roi[:, 2:3] / _MAP_CELLS, dtype=np.float32)


def pair_batch(pairs: Pairs, count: int, config: AugmentConfig, rng: np.random.Generator) -> Batch:
    """Draw pairs with replacement, varied.

    Bodies get a drawn stature (one farther away looks the same), half are mirrored, all are turned a little about the
    optical axis and shaken by a quarter of their sigma. In a third the focal length is off by a random factor and
    marked as assumed.
    """
    pick = rng.integers(0, len(pairs), count)
    rays, sigma, xyz = pairs.rays[pick], pairs.sigma[pick], pairs.xyz_m[pick]
    if config.stature_m > 0:
        xyz = xyz * stature_factor(xyz, config, rng)[:, None, None]
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
    rays += 0.25 * sigma[..., None] * rng.standard_normal(rays.shape)
    rays, sigma = (rays * ratio[:, None, None]).astype(np.float32), sigma * ratio[:, None]
    encoded = encode(rays, sigma.astype(np.float32), ~np.any(np.isnan(rays), axis=-1), guess)
    return Batch(encoded.features, (xyz @ np.swapaxes(encoded.rotation, 1, 2)).astype(np.float32))


def transfer_batch(mocap: Mocap, pairs: Pairs, count: int, config: AugmentConfig, rng: np.random.Generator) -> Batch:
    """Motion capture with the detector's real errors: those it made on the most similar of some pairs.

    The error of all joints together is taken over, in metres at the person's distance, with its sigma: what belongs
    together (a hip in front, both shoulders, swapped sides) stays together, on far more bodies and poses than were
    ever rendered.

    Args:
        mocap: where poses come from.
        pairs: where errors come from.
        count: batch size B.
        config: of bodies and cameras.
        rng: source of every random number.
    """
    absolute = camera_poses(mocap, count, config, rng)
    relative = absolute - absolute[:, :1]
    pick = rng.integers(0, len(pairs), (count, _CANDIDATES))
    gap = ((pairs.xyz_m[pick] - relative[:, None]) ** 2).sum(axis=(2, 3))
    chosen = pick[np.arange(count), np.argmin(gap, axis=1)]
    truth = pairs.xyz_m[chosen] + pairs.root_m[chosen][:, None]
    ratio = (pairs.root_m[chosen, 2] / absolute[:, 0, 2]).astype(np.float32)[:, None, None]
    error = (pairs.rays[chosen] - project(truth)) * ratio
    sigma = pairs.sigma[chosen] * ratio[..., 0]
    rays = project(absolute) + np.nan_to_num(error) + 0.25 * sigma[..., None] * rng.standard_normal(error.shape)
    guess = rng.random(count) < config.focal_unknown
    focal = np.where(guess, np.exp(config.focal_sigma * rng.standard_normal(count)), 1.0).astype(np.float32)
    seen = ~np.isnan(rays).any(axis=-1)
    encoded = encode((rays * focal[:, None, None]).astype(np.float32), sigma * focal[:, None], seen, guess)
    return Batch(encoded.features, (relative @ np.swapaxes(encoded.rotation, 1, 2)).astype(np.float32))


def pair_features(pairs: Pairs) -> tuple[FloatArray, FloatArray]:
    """All pairs as they are: the network's input (N, 21, 6) and target (N, 21, 3), focal length known."""
    seen = ~np.any(np.isnan(pairs.rays), axis=-1)
    encoded = encode(pairs.rays, pairs.sigma, seen, np.zeros(len(pairs), dtype=bool))
    return encoded.features, (pairs.xyz_m @ np.swapaxes(encoded.rotation, 1, 2)).astype(np.float32)
