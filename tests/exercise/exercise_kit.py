"""Synthetic takes seen by a camera, as motions."""

from __future__ import annotations

import numpy as np

from posepipe.exercise.catalogue import Exercise, load_catalogue
from posepipe.motion.angles import joint_angles
from posepipe.motion.clip import Motion
from posepipe.skeleton import BODY21
from posepipe.synth.exercises import ExerciseTake, make_exercise
from posepipe.types import Angles, Keypoints, PoseTrack

CATALOGUE = load_catalogue()
COUNTED = tuple(name for name, item in CATALOGUE.exercises.items() if item.counted)


def take_of(label: str, seed: int, **more: float | int) -> ExerciseTake:
    """A plain take: nothing before or after, no half repetitions."""
    options = {"context": 0.0, "cut": 0.0, "partial": 0.0, "reps": 4} | more
    return make_exercise(label, np.random.default_rng(seed), **options)  # type: ignore[arg-type]


def filmed(
    take: ExerciseTake, seed: int = 0, *, noise_m: float = 0.01, yaw_deg: float = 30.0, mirrored: bool = False
) -> tuple[PoseTrack, Motion]:
    """What a camera and a lifter would give: axes of the camera, correlated noise, honest sigma."""
    turn = np.radians(yaw_deg)
    spin = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    xyz = take.positions @ spin.T
    xyz = np.stack([xyz[..., 0], -xyz[..., 2], xyz[..., 1]], axis=-1)
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(len(xyz) + 8, *xyz.shape[1:]))
    smooth = np.cumsum(noise, axis=0)
    noise = (smooth[8:] - smooth[:-8]) / np.sqrt(8.0)
    points = xyz - xyz[:, :1] + noise_m * noise
    if mirrored:
        points = points[:, BODY21.mirror] * np.array([-1.0, 1.0, 1.0])
    points = (points - points[:, :1]).astype(np.float32)
    frames = len(points)
    valid = np.ones(points.shape[:2], bool)
    pose = PoseTrack(
        layout=BODY21,
        time_s=take.time_s,
        xyz_m=points,
        sigma_m=np.full(valid.shape, max(noise_m, 0.003), np.float32),
        root_m=(xyz[:, 0] + np.array([0.0, 1.0, 4.0])).astype(np.float32),
        root_sigma_m=np.full((frames, 3), 0.1, np.float32),
        valid=valid,
        interpolated=np.zeros_like(valid),
    )
    return pose, Motion.from_pose(pose, joint_angles(pose))


def exercise(label: str) -> Exercise:
    """From our catalogue."""
    return CATALOGUE[label]


def frame_of(pose: PoseTrack, angles: Angles, i: int) -> tuple[PoseTrack, Angles]:
    """One frame, as the live session gives it."""
    part = slice(i, i + 1)
    single = PoseTrack(
        pose.layout,
        pose.time_s[part],
        pose.xyz_m[part],
        pose.sigma_m[part],
        pose.root_m[part],
        pose.root_sigma_m[part],
        pose.valid[part],
        pose.interpolated[part],
    )
    return single, Angles(angles.names, angles.deg[part], angles.sigma_deg[part])


def keypoints_of(pose: PoseTrack, i: int) -> Keypoints:
    """Where the joints would be in a picture of 640 x 480."""
    xyz = pose.xyz_m[i] + pose.root_m[i]
    xy = np.stack([320 + 400 * xyz[:, 0] / xyz[:, 2], 240 + 400 * (xyz[:, 1] - 1.0) / xyz[:, 2]], axis=1)
    count = len(pose.layout)
    return Keypoints(pose.layout, xy.astype(np.float32), np.full(count, 2, np.float32), np.ones(count, np.float32))
