"""One person's movement, as the expert modules take it, and which way it faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import UsageError
from posepipe.skeleton import Layout
from posepipe.types import Angles, BoolArray, FloatArray, KeypointTrack, PoseTrack

__all__ = ["LABELS", "Motion", "View", "clip_view", "facing", "view_label"]

Float32 = NDArray[np.float32]

LABELS = ("front", "front_left", "left", "back_left", "back", "back_right", "right", "front_right")
"""Side of the body that the camera sees, in steps of 45 degrees of yaw."""

_MAX_YAW_SIGMA_DEG = 104.0
"""The standard deviation of a yaw about which nothing is known: 360 degrees over the square root of 12."""


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

    @classmethod
    def from_frames(cls, frames: Sequence[tuple[PoseTrack, Angles]]) -> Motion:
        """Parts that follow one another, as single frames of a live session, as one; without keypoints."""
        poses = [pose for pose, _ in frames]
        return cls(
            time_s=np.concatenate([pose.time_s for pose in poses]),
            layout=poses[0].layout,
            xyz_m=np.concatenate([pose.xyz_m for pose in poses]),
            sigma_m=np.concatenate([pose.sigma_m for pose in poses]),
            valid=np.concatenate([pose.valid for pose in poses]),
            root_m=np.concatenate([pose.root_m for pose in poses]),
            up=np.array([0.0, -1.0, 0.0], np.float32),
            angles=Angles(
                frames[0][1].names,
                np.concatenate([angles.deg for _, angles in frames]),
                np.concatenate([angles.sigma_deg for _, angles in frames]),
            ),
        )


@dataclass(frozen=True, slots=True)
class View:
    """How a clip shows a person.

    Attributes:
        yaw_deg: circular mean over the frames that have the label.
        label: the most frequent of `LABELS`, or "unknown".
        share: its share of the frames whose yaw is known, in [0, 1].
    """

    yaw_deg: float
    label: str
    share: float

    def as_dict(self) -> dict[str, float | str]:
        """The summary's ``view`` object."""
        return {"yaw_deg": round(self.yaw_deg, 1), "label": self.label, "share": round(self.share, 3)}


def facing(pose: PoseTrack) -> tuple[Float32, Float32]:
    """Yaw of the torso in (-180, 180] and its sigma, both (F,) in degrees; NaN where it can't be told.

    The left-right axis is the sum of hip line and shoulder line; sigma is first-order. Both are NaN without one of the
    torso's four corners.
    """
    index = pose.layout.indices("left_hip", "right_hip", "left_shoulder", "right_shoulder")
    valid = pose.valid[:, index].all(axis=1)
    corner = pose.xyz_m[:, index].astype(np.float64)
    across = corner[:, 0] - corner[:, 1] + corner[:, 2] - corner[:, 3]
    width = np.hypot(across[:, 0], across[:, 2])
    valid &= width > 1e-6
    yaw = np.degrees(np.arctan2(-across[:, 2], across[:, 0]))
    noise = np.sqrt(np.sum(pose.sigma_m[:, index].astype(np.float64) ** 2, axis=1))
    sigma = np.minimum(np.degrees(noise / np.maximum(width, 1e-6)), _MAX_YAW_SIGMA_DEG)
    blank = np.float32(np.nan)
    return np.where(valid, yaw, blank).astype(np.float32), np.where(valid, sigma, blank).astype(np.float32)


def view_label(yaw_deg: float) -> str:
    """Name of a yaw: one of `LABELS`, or "unknown" for NaN."""
    if not np.isfinite(yaw_deg):
        return "unknown"
    return LABELS[round(yaw_deg / 45.0) % 8]


def clip_view(yaw_deg: Float32, sigma_deg: Float32) -> View:
    """The view of a clip from its frames' yaw and sigma; "unknown" with share 0 if no frame has one."""
    known = np.isfinite(yaw_deg) & np.isfinite(sigma_deg)
    if not known.any():
        return View(float("nan"), "unknown", 0.0)
    yaw = np.radians(yaw_deg[known].astype(np.float64))
    sector = np.round(yaw / (np.pi / 4.0)).astype(int) % 8
    label = int(np.bincount(sector, minlength=8).argmax())
    mine = sector == label
    weight = 1.0 / np.maximum(sigma_deg[known][mine].astype(np.float64), 1.0) ** 2
    mean = np.angle(np.sum(weight * np.exp(1j * yaw[mine])))
    return View(float(np.degrees(mean)), LABELS[label], float(mine.mean()))
