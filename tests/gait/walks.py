"""Walks for the tests of gait: exact 3D, and what can be done to them."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from posepipe.body.angles import joint_angles
from posepipe.body.motion import Motion, clip_view, facing
from posepipe.exercise.types import ExerciseResult
from posepipe.gait.analyse import analyse
from posepipe.lab.people.gait import make_walk
from posepipe.reasons import Reason
from posepipe.record.recording import Person, Recording, VideoFacts
from posepipe.skeleton import BODY21
from posepipe.types import Camera, KeypointTrack, PoseTrack

Array = NDArray[np.float64]


def motion_of(time_s: Array, xyz_m: Array, sigma_m: float = 0.005) -> Motion:
    """World joints (F, 21, 3), z up, as a motion that looks along y; NaN is missing."""
    camera = np.stack([xyz_m[..., 0], -xyz_m[..., 2], xyz_m[..., 1]], axis=-1)
    valid = np.isfinite(camera).all(axis=-1)
    root = np.full((len(time_s), 3), np.nan, np.float32)
    pose = PoseTrack(
        layout=BODY21,
        time_s=np.asarray(time_s, np.float64),
        xyz_m=(camera - camera[:, :1]).astype(np.float32),
        sigma_m=np.where(valid, sigma_m, np.nan).astype(np.float32),
        root_m=root,
        root_sigma_m=root,
        valid=valid,
        interpolated=np.zeros(valid.shape, dtype=bool),
    )
    return Motion.from_pose(pose, joint_angles(pose))


@lru_cache(maxsize=32)
def world_walk(
    seed: int, pattern: str = "normal", severity: float = 0.0, side: str = "left", seconds: float = 7.0
) -> tuple[Array, Array]:
    """Times (F,) and world joints (F, 21, 3) of a synthetic walk; the same seed is the same person and steps."""
    rng = np.random.default_rng(seed)
    walk = make_walk(rng, pattern=pattern, severity=severity, side=side, duration_s=seconds, fps_hz=30.0)
    return walk.time_s, walk.xyz_m


def straight_motion(
    seed: int, pattern: str = "normal", severity: float = 0.0, side: str = "left", seconds: float = 7.0
) -> Motion:
    """A synthetic walk seen perfectly."""
    time_s, xyz = world_walk(seed, pattern, severity, side, seconds)
    return motion_of(time_s, xyz)


def noisy(motion: Motion, sigma_m: float, seed: int = 0) -> Motion:
    """The same with Gaussian noise on every joint, honest about it."""
    rng = np.random.default_rng(seed)
    xyz = motion.xyz_m + sigma_m * rng.standard_normal(motion.xyz_m.shape).astype(np.float32)
    sigma = np.hypot(motion.sigma_m, np.float32(sigma_m)).astype(np.float32)
    return _again(motion, xyz.astype(np.float32), sigma, motion.valid)


def turned(motion: Motion, degrees: float) -> Motion:
    """The same, walking another way."""
    angle = np.radians(degrees)
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float32)
    return _again(motion, motion.xyz_m @ turn.T, motion.sigma_m, motion.valid)


def mirrored(motion: Motion) -> Motion:
    """What a mirror shows: sides exchanged."""
    flip = BODY21.mirror
    xyz = motion.xyz_m[:, flip] * np.array([-1.0, 1.0, 1.0], np.float32)
    return _again(motion, xyz, motion.sigma_m[:, flip], motion.valid[:, flip])


def without(motion: Motion, frames: NDArray[np.bool_], joints: tuple[str, ...] = BODY21.joints) -> Motion:
    """The same with joints missing in some frames."""
    valid = motion.valid.copy()
    valid[np.ix_(frames, np.array(BODY21.indices(*joints)))] = False
    return _again(motion, motion.xyz_m, motion.sigma_m, valid)


def _again(motion: Motion, xyz: NDArray[np.float32], sigma: NDArray[np.float32], valid: NDArray[np.bool_]) -> Motion:
    root = motion.root_m
    xyz = np.where(valid[..., None], xyz, np.nan).astype(np.float32)
    pose = PoseTrack(BODY21, motion.time_s, xyz, sigma, root, np.zeros_like(root), valid, np.zeros_like(valid))
    return replace(motion, xyz_m=xyz, sigma_m=sigma, valid=valid, angles=joint_angles(pose))


def recording_of(motion: Motion, name: str = "walk.mp4", height_m: float | None = None) -> Recording:
    """A recording of one walker, as the pipeline would make it of a film of the same motion."""
    frames = np.arange(len(motion), dtype=np.int32)
    seen = motion.valid
    xy = np.where(seen[..., None], 320.0 + 100.0 * motion.xyz_m[..., :2], np.nan).astype(np.float32)
    flat = np.ones(seen.shape, np.float32)
    track = KeypointTrack(
        person=1,
        layout=BODY21,
        frame=frames,
        time_s=motion.time_s,
        xy_px=xy,
        sigma_px=flat,
        score=flat,
        valid=seen,
        interpolated=np.zeros_like(seen),
    )
    root = np.zeros((len(motion), 3), np.float32)
    pose = PoseTrack(BODY21, motion.time_s, motion.xyz_m, motion.sigma_m, root, root, seen, np.zeros_like(seen))
    yaw, yaw_sigma = facing(pose)
    filmed = replace(motion, keypoints=track, size_px=(640, 640))
    person = Person(
        id=1,
        keypoints=track,
        pose=pose,
        angles=motion.angles,
        yaw_deg=yaw,
        yaw_sigma_deg=yaw_sigma,
        view=clip_view(yaw, yaw_sigma),
        exercise=ExerciseResult(withheld=Reason.NOT_ANALYSED),
        gait=analyse(filmed, scale_known=height_m is not None),
        scale_source="assumed" if height_m is None else "given",
        height_m=height_m,
    )
    fps_hz = 1.0 / float(np.median(np.diff(motion.time_s)))
    facts = VideoFacts(name, 640, 640, fps_hz, len(motion), len(motion) / fps_hz)
    return Recording(facts, Camera.from_fov(640, 640, 60.0, "assumed"), (person,), created="2026-01-02T03:04:05+00:00")
