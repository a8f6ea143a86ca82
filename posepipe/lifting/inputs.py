"""What the lifting network sees: rays turned so that the pelvis is straight ahead, then scaled to unit size.

A person's place and size in the picture, the picture's resolution and aspect, and the panning of the camera all drop
out here. One implementation serves training and use.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.geometry.rays import pelvis_axis, turn_rays
from posepipe.skeleton import BODY21

__all__ = ["Encoded", "encode"]

FloatArray = NDArray[np.float32]

_MIN_SIGMA, _MAX_SIGMA = 1e-3, 1.0
_MEASURED = np.array(
    [j not in ("pelvis", "spine", "thorax") and "foot" not in j and "heel" not in j for j in BODY21.joints]
)
_HIPS = BODY21.indices("left_hip", "right_hip")
_PELVIS = BODY21.index("pelvis")


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """The network's input and the way back.

    Attributes:
        features: (F, 21, 6): x, y in units of `scale`; log sigma; valid; log of `scale`; 1 where the focal length is
            only assumed. All shifted and scaled to order one.
        rotation: (F, 3, 3) camera frame to the network's frame; its transpose leads back.
        scale: (F,) size of the person in ray units (tangent of the angle).
        usable: (F,) bool; at least four measured joints.
    """

    features: FloatArray
    rotation: FloatArray
    scale: FloatArray
    usable: NDArray[np.bool_]


def encode(rays: FloatArray, sigma: FloatArray, valid: NDArray[np.bool_], focal_assumed: NDArray[np.bool_]) -> Encoded:
    """Make the network's input.

    Args:
        rays: (F, 21, 2) x/z and y/z in the camera frame; anything where not valid.
        sigma: (F, 21) standard deviation of each ray coordinate.
        valid: (F, 21) bool.
        focal_assumed: (F,) bool.
    """
    rays = np.where(valid[..., None], rays, 0.0).astype(np.float32)
    measured = valid & _MEASURED
    count = measured.sum(axis=1)
    mean = (rays * measured[..., None]).sum(axis=1) / np.maximum(count, 1)[:, None]
    axis = np.where(valid[:, _PELVIS, None], rays[:, _PELVIS], mean)
    rotation = pelvis_axis(axis)
    turned, front = turn_rays(rotation, rays)
    valid = valid & front
    measured &= valid
    count = measured.sum(axis=1)
    square = (turned**2).sum(axis=-1)
    scale = np.sqrt((square * measured).sum(axis=1) / np.maximum(count, 1))
    scale = np.maximum(scale, 1e-4).astype(np.float32)
    unit = turned / scale[:, None, None]
    with np.errstate(invalid="ignore"):
        relative = np.clip(np.nan_to_num(sigma / scale[:, None], nan=_MAX_SIGMA), _MIN_SIGMA, _MAX_SIGMA)
    features = np.zeros((*valid.shape, 6), dtype=np.float32)
    features[..., :2] = np.where(valid[..., None], unit, 0.0)
    features[..., 2] = np.where(valid, (np.log(relative) - np.log(0.03)) / 2.0, 0.0)
    features[..., 3] = valid
    features[..., 4] = ((np.log(scale) - np.log(0.15)) * 2.0)[:, None]
    features[..., 5] = focal_assumed[:, None]
    return Encoded(features, rotation, scale, count >= 4)
