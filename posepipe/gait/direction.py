"""Which way a walker faces and goes, frame by frame.

The way is toe minus heel, helped by hips and shoulders; never the path of the hips: a camera that pans or goes along
makes the hips stand still, or move backwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from posepipe.motion.clip import Motion

__all__ = ["Heading", "find_heading", "joint_m", "view_of"]

Array = NDArray[np.float64]
Bool = NDArray[np.bool_]

_SMOOTH_S = 0.7  # Over a step: the pelvis turns to and fro with every one.
_FRONT_DEG, _SIDE_DEG = 25.0, 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Heading:
    """Where the body faces.

    Attributes:
        forward: (F, 3) level unit vectors, camera frame; NaN where unknown.
        yaw_deg: (F,) of them, continuous over time: 0 towards the camera, 90 to the picture's left (the left side
            shows), 180 away.
        rate_deg_s: (F,) how fast that changes.
    """

    forward: Array
    yaw_deg: Array
    rate_deg_s: Array


def joint_m(motion: Motion, name: str) -> Array:
    """One joint's (F, 3); NaN where not seen or not in the layout."""
    if name not in motion.layout.joints:
        return np.full((len(motion), 3), np.nan)
    return motion.joint(name).astype(np.float64)


def find_heading(motion: Motion) -> Heading:
    """Heading of every frame that shows hips or feet, smoothed over a stride."""
    up = motion.up.astype(np.float64)
    up = up / np.linalg.norm(up)

    def level(vectors: Array) -> Array:
        flat = vectors - (vectors @ up)[:, None] * up
        length = np.linalg.norm(flat, axis=1, keepdims=True)
        return np.asarray(flat / np.maximum(length, 1e-9))

    parts = [level(joint_m(motion, f"{s}_foot_index") - joint_m(motion, f"{s}_heel")) for s in ("left", "right")]
    for a, b in (("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")):
        parts.append(0.7 * level(np.cross(joint_m(motion, a) - joint_m(motion, b), up)))
    stack = np.stack(parts)
    known = np.isfinite(stack).all(axis=2)
    total = np.where(known[..., None], stack, 0.0).sum(axis=0)
    seen = known.any(axis=0)
    rate_hz = 1.0 / max(float(np.median(np.diff(motion.time_s))), 1e-3) if len(motion) > 1 else 30.0
    width = max(1, round(_SMOOTH_S * rate_hz))
    even = uniform_filter1d(np.where(seen[:, None], total, 0.0), width, axis=0, mode="nearest")
    length = np.linalg.norm(even, axis=1)
    seen &= length > 1e-3
    forward = np.where(seen[:, None], even / np.maximum(length, 1e-9)[:, None], np.nan)
    yaw, rate = np.full(len(motion), np.nan), np.full(len(motion), np.nan)
    if seen.sum() > 1:
        toward = _level_axis(up)
        aside = np.cross(toward, up)
        angle = np.arctan2(forward[seen] @ aside, forward[seen] @ toward)
        yaw[seen] = np.degrees(np.unwrap(angle))
        rate[seen] = np.gradient(yaw[seen], motion.time_s[seen])
    return Heading(forward, yaw, rate)


def _level_axis(up: Array) -> Array:
    """Level direction towards the camera."""
    toward = np.array([0.0, 0.0, -1.0])
    toward = toward - (toward @ up) * up
    length = float(np.linalg.norm(toward))
    return toward / length if length > 1e-6 else np.array([0.0, 1.0, 0.0])


def view_of(yaw_deg: float) -> str:
    """Name of a yaw: "side", "oblique", "front" or "back"."""
    turn = abs((yaw_deg + 180.0) % 360.0 - 180.0)
    if _SIDE_DEG <= turn <= 180.0 - _SIDE_DEG:
        return "side"
    if turn < _FRONT_DEG:
        return "front"
    return "back" if turn > 180.0 - _FRONT_DEG else "oblique"
