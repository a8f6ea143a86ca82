"""Synthetic walkers as the gait stage takes them, without rendering: exact, or with noise of known size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from posepipe.motion.angles import joint_angles
from posepipe.motion.clip import Motion
from posepipe.motion.smooth import smooth
from posepipe.skeleton import BODY21
from posepipe.synth.camera import SynthCamera
from posepipe.synth.gait import SynthWalk
from posepipe.types import KeypointTrack, PoseTrack

__all__ = ["walk_motion"]

Array = NDArray[np.float64]

_LEAST_M, _LEAST_PX = 1e-3, 0.05


def walk_motion(
    walk: SynthWalk,
    cameras: Sequence[SynthCamera] | None = None,
    *,
    rng: np.random.Generator | None = None,
    noise_m: float = 0.0,
) -> Motion:
    """A walk as a motion, smoothed as the pipeline smooths.

    Args:
        walk: the walk.
        cameras: one for each frame, level: their view of the body, and its keypoints (Body21) in their pictures.
            None gives 3D alone, as from a motion-capture file.
        rng: source of the noise.
        noise_m: standard deviation of every joint's coordinates; of keypoints, as metres at the person.
    """
    noise = np.zeros((*walk.xyz_m.shape[:2], 5))
    if rng is not None and noise_m > 0.0:
        noise = noise_m * rng.standard_normal(noise.shape)
    if cameras is None:
        seen = np.stack([walk.xyz_m[..., 0], -walk.xyz_m[..., 2], walk.xyz_m[..., 1]], axis=-1)
    else:
        seen = np.stack([camera.to_camera(xyz) for camera, xyz in zip(cameras, walk.xyz_m, strict=True)])
    up = np.array([0.0, -1.0, 0.0]) if cameras is None else cameras[0].rotation @ np.array([0.0, 0.0, 1.0])
    relative = (seen - seen[:, :1] + noise[..., :3]).astype(np.float32)
    flat = np.zeros(relative.shape[:2], dtype=np.float32)
    valid = np.ones(flat.shape, dtype=bool)
    root = seen[:, 0].astype(np.float32)
    sigma_m = flat + np.float32(max(noise_m, _LEAST_M))
    pose = smooth(PoseTrack(BODY21, walk.time_s, relative, sigma_m, root, sigma_m[:, :3], valid, ~valid))
    angles = joint_angles(pose, up=up.tolist())
    if cameras is None:
        return Motion.from_pose(pose, angles)
    metre_px = np.array([camera.focal_px for camera in cameras])[:, None] / seen[..., 2]
    xy = np.stack([camera.project(xyz)[0] for camera, xyz in zip(cameras, walk.xyz_m, strict=True)])
    track = KeypointTrack(
        person=1,
        layout=BODY21,
        frame=np.arange(len(walk), dtype=np.int32),
        time_s=walk.time_s,
        xy_px=(xy + metre_px[..., None] * noise[..., 3:]).astype(np.float32),
        sigma_px=np.maximum(metre_px * max(noise_m, _LEAST_M), _LEAST_PX).astype(np.float32),
        score=flat + np.float32(1.0),
        valid=valid,
        interpolated=~valid,
    )
    size = cameras[0].width_px, cameras[0].height_px
    return Motion.from_pose(pose, angles, smooth(track), size, up=up.tolist())
