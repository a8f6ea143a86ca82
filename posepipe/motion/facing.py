"""Which way a body faces, seen from the camera.

Yaw, in degrees, about the camera's vertical: 0 facing the camera, +90 with the person's left side towards the camera
(looking to the picture's left), -90 with the right side, 180 with the back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.types import PoseTrack

__all__ = ["LABELS", "View", "clip_view", "facing", "view_label"]

Float32 = NDArray[np.float32]

LABELS = ("front", "front_left", "left", "back_left", "back", "back_right", "right", "front_right")
"""Side of the body that the camera sees, in steps of 45 degrees of yaw."""


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

    The left-right axis is the sum of hip line and shoulder line; sigma is first-order and capped at 104 degrees,
    the standard deviation of a yaw about which nothing is known. It is NaN with the torso's four corners.
    """
    index = pose.layout.indices("left_hip", "right_hip", "left_shoulder", "right_shoulder")
    valid = pose.valid[:, index].all(axis=1)
    corner = pose.xyz_m[:, index].astype(np.float64)
    across = corner[:, 0] - corner[:, 1] + corner[:, 2] - corner[:, 3]
    width = np.hypot(across[:, 0], across[:, 2])
    valid &= width > 1e-6
    yaw = np.degrees(np.arctan2(-across[:, 2], across[:, 0]))
    noise = np.sqrt(np.sum(pose.sigma_m[:, index].astype(np.float64) ** 2, axis=1))
    sigma = np.minimum(np.degrees(noise / np.maximum(width, 1e-6)), 104.0)
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
