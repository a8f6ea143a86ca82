"""Pixels to rays and back, and the rotation that puts a ray straight ahead.

A ray is (x/z, y/z) in the camera frame (x right, y down, z away): a point on the plane one unit in front.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posepipe.types import Camera

__all__ = ["pelvis_axis", "pixels_from_rays", "project", "rays_from_pixels", "turn_rays"]

FloatArray = NDArray[np.float32]
_MIN_DEPTH = 0.05


def rays_from_pixels(xy_px: FloatArray, camera: Camera) -> FloatArray:
    """Pixels (..., 2) to rays (..., 2)."""
    center = np.asarray(camera.principal_px, dtype=np.float64)
    return np.asarray((xy_px - center) / camera.focal_px, dtype=np.float32)


def pixels_from_rays(rays: FloatArray, camera: Camera) -> FloatArray:
    """Rays (..., 2) to pixels (..., 2)."""
    return np.asarray(rays * camera.focal_px + np.asarray(camera.principal_px), dtype=np.float32)


def project(xyz_m: FloatArray) -> FloatArray:
    """Points (..., 3) in the camera frame to rays (..., 2); NaN where not in front."""
    depth = np.where(xyz_m[..., 2:] > 0, xyz_m[..., 2:], np.nan)
    return np.asarray(xyz_m[..., :2] / depth, dtype=np.float32)


def pelvis_axis(rays: FloatArray) -> FloatArray:
    """Rotation (F, 3, 3) from the camera frame to one that looks along each ray (F, 2).

    The new x axis stays level in the camera (no turn about the old z): a camera that only pans to the side gives
    exactly the same picture of the person afterwards.
    """
    n = len(rays)
    z = np.concatenate([rays, np.ones((n, 1), dtype=rays.dtype)], axis=1)
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    x = np.stack([z[:, 2], np.zeros(n, dtype=z.dtype), -z[:, 0]], axis=1)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(np.stack([x, np.cross(z, x), z], axis=1), dtype=np.float32)


def turn_rays(rotation: FloatArray, rays: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Rays (F, J, 2) seen from frames turned by rotation (F, 3, 3).

    Returns:
        Turned rays (F, J, 2), and whether each is still in front (F, J); those that aren't are zero.
    """
    points = np.concatenate([rays, np.ones((*rays.shape[:-1], 1), dtype=rays.dtype)], axis=-1)
    turned = points @ np.swapaxes(rotation, 1, 2)
    depth = turned[..., 2]
    front = depth > _MIN_DEPTH * np.linalg.norm(points, axis=-1)
    out = turned[..., :2] / np.where(front, depth, 1.0)[..., None]
    return np.where(front[..., None], out, 0.0).astype(np.float32), front
