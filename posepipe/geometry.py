"""Rays and rotations between cameras, alignment, calibrated cameras, means over what is known, peaks and splines."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posepipe.errors import InputError, UsageError
from posepipe.types import Camera

__all__ = [
    "CalibratedCamera", "align", "cubic_spline", "find_peaks", "fit_similarity", "from_rotation_vector",
    "load_pose2sim", "mean_known", "median_known", "pelvis_axis", "pixels_from_rays", "project", "rays_from_pixels",
    "roll_matrix", "spread_known", "tangents", "to_rotation_vector", "turn_rays",
]  # fmt: skip

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]

_MIN_DEPTH = 0.05
"""Cosine under which a ray counts as not in front: 87 degrees off. Judgement."""
_TINY = 1e-9
"""No length is taken for less."""


def rays_from_pixels(xy_px: Float32Array, camera: Camera) -> Float32Array:
    """Pixels (..., 2) to rays (..., 2)."""
    center = np.asarray(camera.principal_px, dtype=np.float64)
    return np.asarray((xy_px - center) / camera.focal_px, dtype=np.float32)


def pixels_from_rays(rays: Float32Array, camera: Camera) -> Float32Array:
    """Rays (..., 2) to pixels (..., 2)."""
    return np.asarray(rays * camera.focal_px + np.asarray(camera.principal_px), dtype=np.float32)


def project(xyz_m: Float32Array) -> Float32Array:
    """Points (..., 3) in the camera frame to rays (..., 2); NaN where not in front."""
    depth = np.where(xyz_m[..., 2:] > 0, xyz_m[..., 2:], np.nan)
    return np.asarray(xyz_m[..., :2] / depth, dtype=np.float32)


def pelvis_axis(rays: Float32Array) -> Float32Array:
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


def turn_rays(rotation: Float32Array, rays: Float32Array) -> tuple[Float32Array, NDArray[np.bool_]]:
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


def from_rotation_vector(vector: NDArray[np.floating[Any]]) -> FloatArray:
    """Rodrigues' formula: vector (..., 3), axis times angle in radians, to matrix (..., 3, 3)."""
    vector = vector.astype(np.float64)
    angle = np.linalg.norm(vector, axis=-1)[..., None, None]
    x, y, z = vector[..., 0], vector[..., 1], vector[..., 2]
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)
    small = angle < 1e-8
    safe = np.where(small, 1.0, angle)
    first = np.where(small, 1.0, np.sin(safe) / safe)
    second = np.where(small, 0.5, (1.0 - np.cos(safe)) / safe**2)
    return np.asarray(np.eye(3) + first * cross + second * (cross @ cross))


def to_rotation_vector(matrix: NDArray[np.floating[Any]]) -> FloatArray:
    """Matrix (..., 3, 3) to axis times angle (..., 3), angle in [0, pi]."""
    matrix = matrix.astype(np.float64)
    skew = matrix - np.swapaxes(matrix, -1, -2)
    axis = np.stack([skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]], axis=-1) / 2.0
    sine = np.linalg.norm(axis, axis=-1)
    cosine = (np.trace(matrix, axis1=-2, axis2=-1) - 1.0) / 2.0
    angle = np.arctan2(sine, cosine)
    usual = axis / np.where(sine > 0, sine, 1.0)[..., None]
    # Near half a turn the skew part vanishes: the axis is the largest column of R + I.
    half = matrix + np.eye(3)
    column = np.argmax(np.diagonal(half, axis1=-2, axis2=-1), axis=-1)
    picked = np.take_along_axis(half, column[..., None, None], axis=-1)[..., 0]
    picked = picked / np.maximum(np.linalg.norm(picked, axis=-1, keepdims=True), 1e-12)
    picked = picked * np.where((picked * axis).sum(-1) < 0, -1.0, 1.0)[..., None]
    return np.asarray(np.where((np.pi - angle < 1e-4)[..., None], picked, usual) * angle[..., None])


def roll_matrix(angle_deg: float | NDArray[np.floating[Any]]) -> FloatArray:
    """Turn about the optical axis, (..., 3, 3); positive turns the picture's x axis towards its y axis (down)."""
    angle = np.radians(np.asarray(angle_deg, dtype=np.float64))
    zero = np.zeros_like(angle)
    return from_rotation_vector(np.stack([zero, zero, angle], axis=-1))


def fit_similarity(
    source: NDArray[np.floating[Any]],
    target: NDArray[np.floating[Any]],
    weight: NDArray[np.floating[Any]] | None = None,
    *,
    scale: bool = True,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Least squares ``target = s * source @ R.T + t``, R a proper rotation, over any leading axes (Umeyama 1991).

    Args:
        source: (..., N, 3).
        target: (..., N, 3). Points with NaN in either are left out.
        weight: (..., N); one everywhere if None.
        scale: also fit the scale; else s is one.

    Returns:
        s (...,), R (..., 3, 3), t (..., 3). Fewer than three usable points give NaN.

    Raises:
        UsageError: the shapes differ.
    """
    if source.shape != target.shape or source.shape[-1] != 3:
        raise UsageError(f"can't align shapes {source.shape} and {target.shape}")
    a, b = source.astype(np.float64), target.astype(np.float64)
    w = np.ones(a.shape[:-1]) if weight is None else weight.astype(np.float64)
    seen = ~np.any(np.isnan(a) | np.isnan(b), axis=-1)
    w = np.where(seen, w, 0.0)
    a, b = np.where(seen[..., None], a, 0.0), np.where(seen[..., None], b, 0.0)
    total = np.maximum(w.sum(-1), 1e-12)[..., None]
    mean_a, mean_b = (w[..., None] * a).sum(-2) / total, (w[..., None] * b).sum(-2) / total
    a, b = a - mean_a[..., None, :], b - mean_b[..., None, :]
    u, d, vt = np.linalg.svd(np.swapaxes(b * w[..., None], -1, -2) @ a)
    sign = np.sign(np.linalg.det(u @ vt))
    fix = np.stack([np.ones_like(sign), np.ones_like(sign), sign], axis=-1)
    rotation = (u * fix[..., None, :]) @ vt
    spread = (w * (a**2).sum(-1)).sum(-1)
    s = (d * fix).sum(-1) / np.maximum(spread, 1e-12) if scale else np.ones_like(spread)
    shift = mean_b - s[..., None] * (rotation @ mean_a[..., None])[..., 0]
    few = (w > 0).sum(-1) < 3
    s = np.where(few, np.nan, s)
    return s, rotation, np.where(few[..., None], np.nan, shift)


def align(
    source: NDArray[np.floating[Any]],
    target: NDArray[np.floating[Any]],
    weight: NDArray[np.floating[Any]] | None = None,
    *,
    scale: bool = True,
) -> FloatArray:
    """`source` after `fit_similarity` to `target`, same shape."""
    s, rotation, shift = fit_similarity(source, target, weight, scale=scale)
    turned = source.astype(np.float64) @ np.swapaxes(rotation, -1, -2)
    return np.asarray(s[..., None, None] * turned + shift[..., None, :])


@dataclass(frozen=True, slots=True, eq=False)
class CalibratedCamera:
    """Intrinsics, distortion and place of a camera: ``x = K distort(R X + t)``.

    Attributes:
        name: of the camera.
        width_px, height_px: picture size of the calibration.
        matrix: (3, 3) K.
        distortion: (4,) k1, k2, p1, p2.
        rotation: (3, 3) world to camera.
        translation_m: (3,).
    """

    name: str
    width_px: int
    height_px: int
    matrix: FloatArray
    distortion: FloatArray
    rotation: FloatArray
    translation_m: FloatArray

    def to_camera(self, world_m: NDArray[np.floating[Any]]) -> FloatArray:
        """World points (..., 3) to the camera frame (..., 3)."""
        return np.asarray(world_m @ self.rotation.T + self.translation_m)

    def project(self, world_m: NDArray[np.floating[Any]]) -> FloatArray:
        """World points (..., 3) to pixels (..., 2)."""
        point = self.to_camera(world_m)
        rays = self._distort(point[..., :2] / point[..., 2:])
        return np.asarray(rays @ self.matrix[:2, :2].T + self.matrix[:2, 2])

    def undistort(self, xy_px: NDArray[np.floating[Any]]) -> FloatArray:
        """Pixels (..., 2) to rays (..., 2) without distortion; five fixed-point steps."""
        target: FloatArray = np.matmul(xy_px - self.matrix[:2, 2], np.linalg.inv(self.matrix[:2, :2]).T)
        rays = target
        for _ in range(5):
            rays = rays - (self._distort(rays) - target)
        return rays

    def pinhole(self) -> Camera:
        """The same camera without distortion, for keypoints that were undistorted."""
        focal = float((self.matrix[0, 0] + self.matrix[1, 1]) / 2.0)
        center = (float(self.matrix[0, 2]), float(self.matrix[1, 2]))
        return Camera(self.width_px, self.height_px, focal, "given", center)

    def _distort(self, rays: FloatArray) -> FloatArray:
        k1, k2, p1, p2 = self.distortion
        x, y = rays[..., 0], rays[..., 1]
        r2 = x * x + y * y
        radial = 1.0 + k1 * r2 + k2 * r2 * r2
        return np.stack(
            [
                x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
                y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
            ],
            axis=-1,
        )


def load_pose2sim(path: Path) -> tuple[CalibratedCamera, ...]:
    """Read a Pose2Sim calibration (TOML), cameras in the file's order.

    Raises:
        InputError: missing file, or a camera lacks a field.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    if not path.is_file():
        raise InputError("no such calibration", where=str(path))
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    cameras = []
    for key, value in table.items():
        if not isinstance(value, dict) or "matrix" not in value:
            continue
        missing = {"size", "distortions", "rotation", "translation"} - set(value)
        if missing:
            raise InputError(f"camera {key!r} lacks {', '.join(sorted(missing))}", where=str(path))
        cameras.append(
            CalibratedCamera(
                str(value.get("name", key)),
                int(value["size"][0]),
                int(value["size"][1]),
                np.array(value["matrix"], dtype=np.float64),
                np.array(value["distortions"][:4], dtype=np.float64),
                from_rotation_vector(np.array(value["rotation"])),
                np.array(value["translation"], dtype=np.float64),
            )
        )
    if not cameras:
        raise InputError("no camera in the calibration", where=str(path))
    return tuple(cameras)


def mean_known(values: ArrayLike, axis: int | None = None) -> Any:
    """Mean of what isn't NaN; NaN, without a warning, of nothing. A number without `axis`, else an array."""
    return _quiet(np.nanmean, values, axis)


def median_known(values: ArrayLike, axis: int | None = None) -> Any:
    """Median of what isn't NaN."""
    return _quiet(np.nanmedian, values, axis)


def spread_known(values: ArrayLike, axis: int | None = None) -> Any:
    """Sample standard deviation (n - 1) of what isn't NaN; NaN where fewer than two are known."""
    return _quiet(np.nanstd, values, axis, ddof=1)


def _quiet(measure: Any, values: ArrayLike, axis: int | None, **options: int) -> Any:
    array = np.asarray(values)
    if array.size == 0 and axis is None:
        return float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return measure(array, axis=axis, **options)


def find_peaks(x: FloatArray, distance: float, prominence: float) -> tuple[NDArray[np.intp], dict[str, Any]]:
    """Maxima of a curve (N,), to the last digit as `scipy.signal.find_peaks`, whose import loads `scipy.stats`, too.

    Args:
        x: the curve; of a plateau the middle counts.
        distance: samples that two peaks are apart at least; the higher one stays.
        prominence: least height above the higher of both bases.

    Returns:
        Indices (P,), and ``left_bases`` and ``right_bases`` (P,): the lowest points up to the next higher ones.
    """
    x = np.asarray(x, np.float64)
    starts = np.flatnonzero(np.append(True, x[1:] != x[:-1]))
    ends = np.append(starts[1:], len(x)) - 1
    level = x[starts]
    top = np.flatnonzero((level[1:-1] > level[:-2]) & (level[1:-1] > level[2:])) + 1
    peaks = (starts[top] + ends[top]) // 2
    keep = np.ones(len(peaks), bool)
    for place in np.argsort(x[peaks])[::-1]:
        if keep[place]:
            keep[np.abs(peaks - peaks[place]) < np.ceil(distance)] = False
            keep[place] = True
    peaks = peaks[keep]
    left = peaks - np.array([_lowest(x[peak::-1]) for peak in peaks], np.intp)
    right = peaks + np.array([_lowest(x[peak:]) for peak in peaks], np.intp)
    good = x[peaks] - np.maximum(x[left], x[right]) >= prominence
    return peaks[good], {"left_bases": left[good], "right_bases": right[good]}


def _lowest(x: FloatArray) -> int:
    """Index of the first lowest point before a curve rises above its beginning."""
    higher = np.flatnonzero(~(x <= x[0]))
    return int(np.argmin(x[: higher[0]] if len(higher) else x))


def cubic_spline(x: FloatArray, y: FloatArray, at: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Values and slopes of the cubic spline through four points or more, with not-a-knot ends, that go on beyond.

    Written as `scipy.interpolate.CubicSpline` computes it, so that digits agree; importing that takes longer than a
    clip's whole gait. Source: de Boor, A Practical Guide to Splines (1978).
    """
    from scipy.linalg import solve_banded

    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    step = np.diff(x)
    rise = np.diff(y) / step
    bands, right = np.zeros((3, len(x))), np.empty(len(x))
    bands[1, 1:-1] = 2 * (step[:-1] + step[1:])
    bands[0, 2:], bands[2, :-2] = step[:-1], step[1:]
    right[1:-1] = 3 * (step[1:] * rise[:-1] + step[:-1] * rise[1:])
    near, far = x[2] - x[0], x[-1] - x[-3]
    bands[1, 0], bands[0, 1] = step[1], near
    right[0] = ((step[0] + 2 * near) * step[1] * rise[0] + step[0] ** 2 * rise[1]) / near
    bands[1, -1], bands[2, -2] = step[-2], far
    right[-1] = (step[-1] ** 2 * rise[-2] + (2 * far + step[-1]) * step[-2] * rise[-1]) / far
    slope = solve_banded((1, 1), bands, right)
    bend = (slope[:-1] + slope[1:] - 2 * rise) / step
    i = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(step) - 1)
    s = at - x[i]
    cubic, square = (bend / step)[i], ((rise - slope[:-1]) / step - bend)[i]
    values = y[i] + slope[i] * s + square * (s * s) + cubic * (s * s * s)
    return np.asarray(values), np.asarray(slope[i] + square * s * 2 + cubic * (s * s) * 3)


def tangents(up: FloatArray) -> FloatArray:
    """(2, 3) unit vectors square to `up` (3,), a unit vector in the camera frame: across the picture, then in depth."""
    across = np.array([1.0, 0.0, 0.0]) - up[0] * up
    across /= max(float(np.linalg.norm(across)), _TINY)
    return np.stack([across, np.cross(across, up)])
