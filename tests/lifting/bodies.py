"""A plain standing body for tests, in BODY21: camera frame, pelvis at the origin, metres."""

from __future__ import annotations

import numpy as np

from posepipe.skeleton import BODY21, Layout
from posepipe.types import Camera, KeypointTrack

_RIGHT = {
    "hip": (-0.09, 0.0, 0.0),
    "knee": (-0.1, 0.42, -0.03),
    "ankle": (-0.1, 0.84, 0.03),
    "heel": (-0.1, 0.88, 0.07),
    "foot_index": (-0.12, 0.9, -0.1),
    "shoulder": (-0.18, -0.5, 0.0),
    "elbow": (-0.25, -0.22, 0.02),
    "wrist": (-0.24, 0.02, -0.06),
}
_MIDDLE = {"pelvis": (0, 0, 0), "spine": (0, -0.25, 0), "thorax": (0, -0.5, 0), "nose": (0, -0.66, -0.1)}


def standing() -> np.ndarray:
    """(21, 3); stature about 1.7 m, facing the camera."""
    joints = {**_MIDDLE, "head": (0.0, -0.72, 0.0)}
    for part, (x, y, z) in _RIGHT.items():
        joints[f"right_{part}"] = (x, y, z)
        joints[f"left_{part}"] = (-x, y, z)
    return np.array([joints[name] for name in BODY21.joints], dtype=np.float64)


def turned(angle_deg: float) -> np.ndarray:
    """The same body turned about the vertical."""
    angle = np.radians(angle_deg)
    c, s = np.cos(angle), np.sin(angle)
    return standing() @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T


def track(xy_px: np.ndarray, *, layout: Layout = BODY21, sigma_px: float = 2.0) -> KeypointTrack:
    """A track of (F, J, 2) pixels; NaN is missing."""
    frames, joints = xy_px.shape[:2]
    valid = ~np.isnan(xy_px).any(axis=-1)
    return KeypointTrack(
        person=1,
        layout=layout,
        frame=np.arange(frames, dtype=np.int32),
        time_s=np.arange(frames) / 30.0,
        xy_px=xy_px.astype(np.float32),
        sigma_px=np.full((frames, joints), sigma_px, dtype=np.float32),
        score=np.ones((frames, joints), dtype=np.float32),
        valid=valid,
        interpolated=np.zeros((frames, joints), dtype=bool),
    )


def filmed(bodies: np.ndarray, camera: Camera, root: tuple[float, float, float] = (0.0, 0.0, 4.0)) -> np.ndarray:
    """Pixels (F, 21, 2) of bodies (F, 21, 3) whose pelvis is at `root`."""
    points = bodies + np.array(root)
    return points[..., :2] / points[..., 2:] * camera.focal_px + np.array(camera.principal_px)
