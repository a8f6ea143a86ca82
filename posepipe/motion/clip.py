"""One person's movement, as the expert modules take it: 3D joints over time, from video or from anyone's file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import UsageError
from posepipe.skeleton import Layout
from posepipe.types import Angles, BoolArray, FloatArray, KeypointTrack, PoseTrack

__all__ = ["Motion"]


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """3D joints over F frames. Everything is relative to the pelvis, so nothing depends on the place in the picture.

    Attributes:
        time_s: (F,) float64, strictly increasing.
        layout: joint layout; usually `posepipe.skeleton.BODY21`.
        xyz_m: (F, J, 3) metres, camera frame (x right, y down, z away), relative to the pelvis.
        sigma_m: (F, J) standard deviation of each coordinate; NaN where unknown.
        valid: (F, J) bool.
        root_m: (F, 3) pelvis in the camera frame; NaN where unknown.
        up: (3,) unit vector against gravity in the camera frame.
        angles: joint angles of the same frames.
        keypoints: the 2D keypoints behind it; None for a file without a picture.
        size_px: width and height of the picture; None without one.
    """

    time_s: NDArray[np.float64]
    layout: Layout
    xyz_m: FloatArray
    sigma_m: FloatArray
    valid: BoolArray
    root_m: FloatArray
    up: FloatArray
    angles: Angles
    keypoints: KeypointTrack | None = None
    size_px: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        f, j = len(self.time_s), len(self.layout)
        shapes = {
            "xyz_m": (f, j, 3),
            "sigma_m": (f, j),
            "valid": (f, j),
            "root_m": (f, 3),
            "up": (3,),
        }
        for name, expected in shapes.items():
            got = np.shape(getattr(self, name))
            if got != expected:
                raise UsageError(f"Motion.{name}: expected shape {expected}, got {got}")
        if len(self.angles.deg) != f:
            raise UsageError(f"Motion.angles: expected {f} frames, got {len(self.angles.deg)}")

    def __len__(self) -> int:
        return len(self.time_s)

    def joint(self, name: str) -> FloatArray:
        """One joint's (F, 3) positions; NaN where not valid."""
        index = self.layout.index(name)
        return np.where(self.valid[:, index, None], self.xyz_m[:, index], np.float32(np.nan))

    @classmethod
    def from_pose(
        cls,
        pose: PoseTrack,
        angles: Angles,
        keypoints: KeypointTrack | None = None,
        size_px: tuple[int, int] | None = None,
        up: Sequence[float] = (0.0, -1.0, 0.0),
    ) -> Motion:
        """From what the pipeline makes of one person."""
        return cls(
            time_s=pose.time_s,
            layout=pose.layout,
            xyz_m=pose.xyz_m,
            sigma_m=pose.sigma_m,
            valid=pose.valid,
            root_m=pose.root_m,
            up=np.asarray(up, np.float32),
            angles=angles,
            keypoints=keypoints,
            size_px=size_px,
        )
