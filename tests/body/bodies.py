"""A standing body and one with known angles, in BODY21: camera frame, pelvis at the origin, metres."""

from __future__ import annotations

import numpy as np

from posepipe.skeleton import BODY21, Layout
from posepipe.types import Camera, KeypointTrack, PoseTrack

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


# Facing the camera: the person's left is +x, forward is -z, up is -y.
LEFT, UP, FORWARD = np.array([1.0, 0, 0]), np.array([0, -1.0, 0]), np.array([0, 0, -1.0])


def rotate(vectors: np.ndarray, axis: np.ndarray, deg: float) -> np.ndarray:
    """Rodrigues."""
    a, k = np.radians(deg), axis / np.linalg.norm(axis)
    return (
        vectors * np.cos(a)
        + np.cross(k, vectors) * np.sin(a)
        + np.outer(vectors @ k, k).reshape(vectors.shape) * (1 - np.cos(a))
    )


def body(
    hip: float = 0.0,
    hip_out: float = 0.0,
    knee: float = 0.0,
    ankle: float = 0.0,
    shoulder: float = 0.0,
    shoulder_out: float = 0.0,
    elbow: float = 0.0,
    lean: float = 0.0,
    side: float = 0.0,
    neck: float = 0.0,
) -> np.ndarray:
    """(21, 3) joints of a symmetric body with the given angles in degrees; `side` leans the trunk to its left."""
    p: dict[str, np.ndarray] = {"pelvis": np.zeros(3)}
    # Trunk, built upright and then leant about the pelvis.
    p["thorax"], p["spine"] = 0.5 * UP, 0.25 * UP
    p["head"] = p["thorax"] + 0.25 * (np.cos(np.radians(neck)) * UP + np.sin(np.radians(neck)) * FORWARD)
    p["nose"] = p["head"] + 0.1 * FORWARD
    for name, s in (("left", 1.0), ("right", -1.0)):
        p[f"{name}_shoulder"] = p["thorax"] + 0.18 * s * LEFT
        e, w = np.radians(np.hypot(shoulder, shoulder_out)), np.arctan2(shoulder_out, shoulder)
        toward = np.cos(w) * FORWARD + np.sin(w) * s * LEFT
        arm = -np.cos(e) * UP + np.sin(e) * toward
        forearm = rotate(arm, np.cross(arm, np.cross(arm, LEFT) + 0.2 * FORWARD), elbow)
        p[f"{name}_elbow"] = p[f"{name}_shoulder"] + 0.3 * arm
        p[f"{name}_wrist"] = p[f"{name}_elbow"] + 0.25 * forearm
        p[f"{name}_hip"] = 0.12 * s * LEFT
        f, o = np.radians(hip), np.radians(hip_out)
        thigh = np.cos(o) * (np.sin(f) * FORWARD - np.cos(f) * UP) + np.sin(o) * s * LEFT
        bend = np.cross(LEFT, thigh) if abs(np.cos(o)) > 0.1 else LEFT
        bend /= np.linalg.norm(bend)
        k = np.radians(knee)
        shank = np.cos(k) * thigh - np.sin(k) * bend * np.sign(bend @ (np.cos(f) * FORWARD + np.sin(f) * UP))
        front = np.cross(LEFT, -shank)
        front = np.cross(shank, np.cross(front, shank))
        front /= np.linalg.norm(front)
        front *= np.sign(front @ (bend * np.sign(bend @ (np.cos(f) * FORWARD + np.sin(f) * UP)))) or 1.0
        a = np.radians(ankle)
        foot = np.cos(a) * front - np.sin(a) * shank
        p[f"{name}_knee"] = p[f"{name}_hip"] + 0.42 * thigh
        p[f"{name}_ankle"] = p[f"{name}_knee"] + 0.4 * shank
        p[f"{name}_heel"] = p[f"{name}_ankle"] + 0.06 * shank - 0.04 * foot
        p[f"{name}_foot_index"] = p[f"{name}_heel"] + 0.22 * foot
    xyz = np.stack([p[j] for j in BODY21.joints])
    # LEFT x UP is FORWARD, so leaning forward turns about -LEFT.
    xyz = rotate(xyz, LEFT, lean)
    return rotate(xyz, FORWARD, -side)


def pose(xyz: np.ndarray, sigma: float | np.ndarray = 0.01, time_s: np.ndarray | None = None) -> PoseTrack:
    """A track of (F, 21, 3) joints."""
    xyz = np.asarray(xyz, dtype=np.float32)
    f, j = xyz.shape[:2]
    valid = np.isfinite(xyz).all(axis=2)
    return PoseTrack(
        layout=BODY21,
        time_s=np.arange(f) / 30.0 if time_s is None else time_s,
        xyz_m=xyz,
        sigma_m=np.broadcast_to(np.float32(sigma), (f, j)).astype(np.float32),
        root_m=np.tile(np.float32([0.0, 0.0, 3.0]), (f, 1)),
        root_sigma_m=np.full((f, 3), 0.05, np.float32),
        valid=valid,
        interpolated=np.zeros_like(valid),
    )
