"""Calibrated cameras with lens distortion, as OpenCV and Pose2Sim describe them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import InputError
from posepipe.geometry.rotation import from_rotation_vector
from posepipe.types import Camera

__all__ = ["CalibratedCamera", "load_pose2sim"]

FloatArray = NDArray[np.float64]


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
