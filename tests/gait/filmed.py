"""Exact walkers in the pictures of exact cameras, and what can be done to them; for the tests of events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from posepipe.body.angles import joint_angles
from posepipe.body.motion import Motion
from posepipe.body.smooth import smooth
from posepipe.gait.types import Walk
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.gait import SynthWalk, cameras_for, make_walk
from posepipe.skeleton import BODY21
from posepipe.types import KeypointTrack, PoseTrack

Array = NDArray[np.float64]

_LEAST_M, _LEAST_PX = 1e-3, 0.05


@lru_cache(maxsize=64)
def walker(
    seed: int,
    pattern: str = "normal",
    severity: float = 0.0,
    side: str = "left",
    fps_hz: float = 30.0,
    seconds: float = 6.0,
    treadmill: bool = False,
    turn_m: float | None = None,
) -> SynthWalk:
    """One walk; the same arguments give the same one."""
    rng = np.random.default_rng(seed)
    return make_walk(
        rng,
        pattern=pattern,
        severity=severity,
        side=side,
        fps_hz=fps_hz,
        duration_s=seconds,
        treadmill=treadmill,
        turn_m=turn_m,
    )


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
    noise: Array = np.zeros((*walk.xyz_m.shape[:2], 5))
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


def seen(
    walk: SynthWalk,
    yaw_deg: float = 90.0,
    kind: str = "follow",
    size_px: tuple[int, int] = (480, 480),
    distance_m: float | None = None,
    noise_m: float = 0.0,
) -> Motion:
    """A walk in the pictures of a camera."""
    cameras = cameras_for(walk, yaw_deg=yaw_deg, kind=kind, size_px=size_px, distance_m=distance_m)
    return walk_motion(walk, cameras, rng=np.random.default_rng(1), noise_m=noise_m)


def remade(motion: Motion, xyz: NDArray[np.float32], valid: NDArray[np.bool_]) -> Motion:
    """A motion with other joints, angles made anew."""
    flat = np.full(motion.root_m.shape, np.nan, np.float32)
    pose = PoseTrack(
        motion.layout, motion.time_s, xyz, motion.sigma_m, motion.root_m, flat, valid, np.zeros_like(valid)
    )
    return replace(motion, xyz_m=xyz, valid=valid, angles=joint_angles(pose, up=motion.up.tolist()))


def mirrored(motion: Motion) -> Motion:
    """Seen in a mirror: left is right, and the picture is turned over."""
    order = motion.layout.mirror
    flip = np.array([-1.0, 1.0, 1.0], np.float32)
    out = remade(motion, motion.xyz_m[:, order] * flip, motion.valid[:, order])
    track, size = motion.keypoints, motion.size_px
    if track is None or size is None:
        return out
    xy = track.xy_px[:, order].copy()
    xy[..., 0] = size[0] - xy[..., 0]
    return replace(out, keypoints=replace(track, xy_px=xy, sigma_px=track.sigma_px[:, order]))


def without(motion: Motion, start_s: float, end_s: float) -> Motion:
    """With nobody there for a while."""
    gone = (motion.time_s >= start_s) & (motion.time_s < end_s)
    valid = motion.valid & ~gone[:, None]
    out = remade(motion, np.where(valid[..., None], motion.xyz_m, np.float32(np.nan)), valid)
    if motion.keypoints is None:
        return out
    track = motion.keypoints
    xy = np.where(valid[..., None], track.xy_px, np.float32(np.nan))
    return replace(out, keypoints=replace(track, xy_px=xy, valid=valid))


def times(walk: Walk, side: str, kind: str) -> Array:
    """Times of one foot's events."""
    return np.array([e.time_s for e in walk.events if e.side == side and e.type == kind])
