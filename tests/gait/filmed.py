"""Exact walkers in the pictures of exact cameras, and what can be done to them; for the tests of events."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from posepipe.gait.types import Walk
from posepipe.motion.angles import joint_angles
from posepipe.motion.clip import Motion
from posepipe.synth.gait import SynthWalk, make_walk
from posepipe.synth.gait_film import cameras_for
from posepipe.synth.gait_motion import walk_motion
from posepipe.types import PoseTrack

Array = NDArray[np.float64]


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
