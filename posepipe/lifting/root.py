"""Where the person stands: the pelvis in the camera frame from a root-relative pose and its rays, in closed form."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["estimate_root"]

FloatArray = NDArray[np.float32]
Array = NDArray[np.float64]

_CHUNK = 2048  # Frames at a time, to bound memory.
_MIN_DEPTH_M, _MAX_DEPTH_M = 0.3, 60.0


def estimate_root(
    xyz_m: FloatArray, sigma_m: FloatArray, rays: FloatArray, ray_sigma: FloatArray, valid: NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray]:
    """Weighted least squares over all joints.

    With ray (x, y) and root-relative point (X, Y, Z), the pelvis T satisfies ``Tx - x Tz = x Z - X`` and the same for
    y: two equations a joint, three unknowns. Weights are inverse variances of the right-hand sides; the part that
    comes from the keypoint grows with Tz, so a second pass uses the depth of the first.

    Args:
        xyz_m: (F, J, 3) relative to the pelvis, camera frame.
        sigma_m: (F, J) of each coordinate.
        rays: (F, J, 2) x/z and y/z.
        ray_sigma: (F, J) of each ray coordinate.
        valid: (F, J) joints to use.

    Returns:
        Pelvis (F, 3) in metres and its standard deviation (F, 3) from independent joint errors; NaN with fewer than
        three joints or a depth outside 0.3 to 60 m.
    """
    if len(xyz_m) > _CHUNK:
        parts = [slice(start, start + _CHUNK) for start in range(0, len(xyz_m), _CHUNK)]
        found = [estimate_root(xyz_m[p], sigma_m[p], rays[p], ray_sigma[p], valid[p]) for p in parts]
        return np.concatenate([root for root, _ in found]), np.concatenate([sigma for _, sigma in found])
    frames = len(xyz_m)
    use = valid & ~(np.isnan(rays).any(-1) | np.isnan(xyz_m).any(-1) | np.isnan(sigma_m))
    # The pelvis is the origin: its equations carry only the keypoint's noise.
    points = np.where(use[..., None], xyz_m, 0.0).astype(np.float64)
    xy = np.where(use[..., None], rays, 0.0).astype(np.float64)
    right = xy * points[..., 2:] - points[..., :2]
    spread = np.where(use, sigma_m, 1.0).astype(np.float64)[..., None] ** 2 * (1.0 + xy**2)
    noise = np.where(use, np.nan_to_num(ray_sigma, nan=1.0), 1.0).astype(np.float64)[..., None] ** 2
    depth = np.full(frames, 3.0)
    root, variance = np.zeros((frames, 3)), np.zeros((frames, 3))
    for _ in range(2):
        weight = np.where(use[..., None], 1.0 / (spread + noise * depth[:, None, None] ** 2 + 1e-8), 0.0)
        root, variance = _solve(weight, xy, right)
        depth = np.clip(np.nan_to_num(root[:, 2], nan=3.0), _MIN_DEPTH_M, _MAX_DEPTH_M)
    good = (use.sum(1) >= 3) & (root[:, 2] > _MIN_DEPTH_M) & (root[:, 2] < _MAX_DEPTH_M)
    sigma = np.sqrt(np.maximum(variance, 0.0))
    return (
        np.where(good[:, None], root, np.nan).astype(np.float32),
        np.where(good[:, None], sigma, np.nan).astype(np.float32),
    )


def _solve(weight: Array, xy: Array, right: Array) -> tuple[Array, Array]:
    """Solution (F, 3) and the diagonal of the inverse (F, 3) of the normal equations.

    Only the depth is tied to the other two, so elimination takes a line; a batched 3x3 inverse takes a hundred times as
    long.
    """
    side = weight.sum(1) + 1e-9
    tie = -(weight * xy).sum(1)
    free = (weight * right).sum(1)
    stiff = (weight * xy**2).sum((1, 2)) + 1e-9 - (tie**2 / side).sum(1)
    stiff = np.maximum(stiff, 1e-12)
    depth = (-(weight * xy * right).sum((1, 2)) - (tie * free / side).sum(1)) / stiff
    across = (free - tie * depth[:, None]) / side
    variance = np.concatenate([1.0 / side + (tie / side) ** 2 / stiff[:, None], 1.0 / stiff[:, None]], axis=1)
    return np.concatenate([across, depth[:, None]], axis=1), variance
