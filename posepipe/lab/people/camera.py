"""The synthetic camera: where it stands, what it looks at, and its lens."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posepipe.errors import UsageError
from posepipe.types import Camera

__all__ = ["SynthCamera"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SynthCamera:
    """A pinhole camera in a world with z up.

    Attributes:
        position_m: camera centre in the world.
        target_m: world point on the optical axis.
        focal_px: focal length.
        width_px, height_px: picture size.
        roll_deg: turn about the optical axis; positive turns the picture's content counter-clockwise.
        center_px: principal point; the middle of the picture if None.
    """

    position_m: tuple[float, float, float]
    target_m: tuple[float, float, float]
    focal_px: float
    width_px: int
    height_px: int
    roll_deg: float = 0.0
    center_px: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        axis = np.subtract(self.target_m, self.position_m)
        if np.linalg.norm(axis) < 1e-6:
            raise UsageError("the camera looks at its own position", where="SynthCamera")
        if self.focal_px <= 0 or self.width_px < 1 or self.height_px < 1:
            raise UsageError("focal length and picture size must be positive", where="SynthCamera")

    @classmethod
    def random(
        cls,
        rng: np.random.Generator,
        target_m: ArrayLike = (0.0, 0.0, 0.9),
        *,
        width_px: int = 640,
        height_px: int = 480,
        distance_m: tuple[float, float] = (2.0, 6.0),
        camera_height_m: tuple[float, float] = (0.4, 3.0),
        fov_deg: tuple[float, float] = (35.0, 80.0),
        max_roll_deg: float = 30.0,
    ) -> SynthCamera:
        """A camera around a target: any heading, mostly level, now and then rolled.

        Args:
            rng: source of chance.
            target_m: point to look at, about.
            width_px: picture width.
            height_px: picture height.
            distance_m: range of the horizontal distance.
            camera_height_m: range of the height over the ground (z = 0).
            fov_deg: range of the angle of view along the longer side.
            max_roll_deg: largest roll; three rolls in four stay under a tenth of it.
        """
        target = np.asarray(target_m, dtype=np.float64)
        heading = rng.uniform(0.0, 2.0 * np.pi)
        distance = rng.uniform(*distance_m)
        offset = distance * np.array([np.cos(heading), np.sin(heading)])
        height = rng.triangular(camera_height_m[0], min(1.3, camera_height_m[1]), camera_height_m[1])
        roll = rng.uniform(-max_roll_deg, max_roll_deg) * (1.0 if rng.random() < 0.25 else 0.1)
        fov = np.radians(rng.uniform(*fov_deg))
        look = target + rng.normal(0.0, 0.12, 3)
        return cls(
            (float(target[0] + offset[0]), float(target[1] + offset[1]), float(height)),
            (float(look[0]), float(look[1]), float(look[2])),
            float(max(width_px, height_px) / (2.0 * np.tan(fov / 2.0))),
            width_px,
            height_px,
            float(roll),
        )

    @property
    def rotation(self) -> Array:
        """World to camera rotation (3, 3); camera x right, y down, z away."""
        return _rotation(self.position_m, self.target_m, self.roll_deg)

    @property
    def translation_m(self) -> Array:
        """World to camera translation (3,): ``x_camera = rotation @ x_world + translation``."""
        return np.asarray(-self.rotation @ np.asarray(self.position_m, dtype=np.float64))

    @property
    def principal_px(self) -> tuple[float, float]:
        """Principal point."""
        return self.center_px or (self.width_px / 2.0, self.height_px / 2.0)

    @property
    def intrinsics(self) -> Camera:
        """The lens alone."""
        return Camera(self.width_px, self.height_px, self.focal_px, "given", self.center_px)

    def to_camera(self, xyz_world: ArrayLike) -> Array:
        """World points (..., 3) in the camera frame, metres."""
        return np.asarray(np.asarray(xyz_world, dtype=np.float64) @ self.rotation.T + self.translation_m)

    def project(self, xyz_world: ArrayLike) -> tuple[Array, Array]:
        """Picture position (..., 2) in pixels and depth (...) in metres of world points; NaN behind the camera."""
        xyz = self.to_camera(xyz_world)
        depth = xyz[..., 2]
        safe = np.where(depth > 1e-6, depth, np.nan)
        xy_px = self.focal_px * xyz[..., :2] / safe[..., None] + np.asarray(self.principal_px)
        return xy_px, depth

    def region(self, center_px: ArrayLike, size_px: float, turn_deg: float, out_px: int) -> SynthCamera:
        """The camera that sees a turned square of this one's picture as its whole picture.

        Args:
            center_px: middle of the square in this picture.
            size_px: its side in this picture.
            turn_deg: turn of the square in this picture, positive clockwise as seen.
            out_px: side of the new picture.
        """
        c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
        shift: Array = np.asarray(self.principal_px) - np.asarray(center_px, dtype=np.float64)
        scale = out_px / size_px
        principal = scale * (np.array([[c, s], [-s, c]]) @ shift) + out_px / 2.0
        return SynthCamera(
            self.position_m,
            self.target_m,
            self.focal_px * scale,
            out_px,
            out_px,
            self.roll_deg + turn_deg,
            (float(principal[0]), float(principal[1])),
        )


@lru_cache(maxsize=64)
def _rotation(position_m: tuple[float, float, float], target_m: tuple[float, float, float], roll_deg: float) -> Array:
    z = np.subtract(target_m, position_m).astype(np.float64)
    z /= np.linalg.norm(z)
    up = np.array([0.0, 0.0, 1.0]) if abs(z[2]) < 0.999 else np.array([0.0, 1.0, 0.0])
    x = np.cross(z, up)
    x /= np.linalg.norm(x)
    level = np.stack([x, np.cross(z, x), z])
    c, s = np.cos(np.radians(roll_deg)), np.sin(np.radians(roll_deg))
    rotation = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]]) @ level
    rotation.flags.writeable = False
    return np.asarray(rotation)
