"""Recordings with everything a writer may meet: odd rates, uneven times, gaps, missing joints, turned bodies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from posepipe.body.angles import joint_angles
from posepipe.record.recording import Recording
from posepipe.skeleton import BLAZEPOSE33, Layout
from tests.record.factory import make_keypoints, make_person, make_pose, make_recording


def tumbling(seed: int, frames: int = 60, rate_hz: float = 29.97, layout: Layout = BLAZEPOSE33) -> Recording:
    """A body that turns any way, with bones that change, gaps, and a joint that is never seen."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(frames) / rate_hz + 0.5
    pose = make_pose(time_s, seed)
    turns = Rotation.from_rotvec(np.cumsum(rng.normal(0, 0.15, (frames, 3)), axis=0)).as_matrix()
    xyz = np.einsum("fij,fkj->fki", turns, pose.xyz_m * rng.uniform(0.9, 1.1, (frames, 21, 1)))
    xyz += rng.normal(0, 0.01, xyz.shape)
    xyz[:, 0] = 0.0
    valid = pose.valid & (rng.random(pose.valid.shape) > 0.1)
    valid[:, rng.integers(1, 21)] = False
    valid[:, 0] = True
    pose = replace(
        pose,
        xyz_m=np.where(valid[..., None], xyz, np.nan).astype(np.float32),
        sigma_m=np.where(valid, rng.uniform(0.01, 0.1, valid.shape), np.nan).astype(np.float32),
        valid=valid,
        interpolated=np.zeros_like(valid),
    )
    person = replace(
        make_person(frames), id=3, keypoints=make_keypoints(pose, layout, 3), pose=pose, angles=joint_angles(pose)
    )
    return make_recording(frames, people=(person,))


def uneven(seed: int = 0, frames: int = 80) -> Recording:
    """The factory's figure at times that no clock ticks."""
    rng = np.random.default_rng(seed)
    time_s = np.cumsum(np.where(rng.random(frames) < 0.3, 2.0, 1.0) / 30.0)
    pose = make_pose(time_s)
    person = replace(make_person(frames), keypoints=make_keypoints(pose), pose=pose, angles=joint_angles(pose))
    return make_recording(frames, people=(person,))


def gappy(frames: int = 60) -> Recording:
    """Joints missing at the start, in the middle and at the end, the last marker among them; whole absent frames."""
    pose = make_pose(np.arange(frames) / 30.0 + 0.5)
    valid = np.ones_like(pose.valid)
    index = pose.layout.index
    valid[:7, index("left_ankle")] = False
    valid[20:26, index("right_knee")] = False
    valid[-4:, index("right_elbow")] = False
    valid[frames // 3 :, index("left_elbow")] = False
    valid[[0, 30, -1], -1] = False
    valid[40:44] = False
    nan, gone = np.float32(np.nan), ~valid.any(axis=1)
    pose = replace(
        pose,
        xyz_m=np.where(valid[..., None], pose.xyz_m, nan),
        sigma_m=np.where(valid, pose.sigma_m, nan),
        root_m=np.where(gone[:, None], nan, pose.root_m),
        root_sigma_m=np.where(gone[:, None], nan, pose.root_sigma_m),
        valid=valid,
        interpolated=np.zeros_like(valid),
    )
    person = replace(make_person(frames), keypoints=make_keypoints(pose), pose=pose, angles=joint_angles(pose))
    return make_recording(frames, people=(person,))


def truth_y_up(recording: Recording, person: int = 0) -> dict[str, np.ndarray]:
    """Metres in the room, x right, y up, z to the camera; by the tables' own description."""
    pose = recording.people[person].pose
    xyz = pose.xyz_m.astype(np.float64) + pose.root_m[:, None]
    xyz[~pose.valid] = np.nan
    xyz = xyz * [1.0, -1.0, -1.0]
    return {name: xyz[:, i] for i, name in enumerate(pose.layout.joints)}
