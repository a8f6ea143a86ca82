"""Motion capture seen by simulated cameras: exact keypoints, or keypoints with noise of known size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.training.mocap import Mocap

__all__ = ["Simulation", "simulate"]

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """Frames with their simulated keypoints.

    Attributes:
        rays: (N, 21, 2) x/z and y/z in the camera frame.
        sigma: (N, 21) standard deviation of the rays' noise.
        valid: (N, 21) bool.
        xyz_m: (N, 21, 3) truth relative to the pelvis, camera frame.
        root_m: (N, 3) pelvis in the camera frame.
        source: (N,) where the frame comes from.
        subject: (N,) whose it is.
    """

    rays: FloatArray
    sigma: FloatArray
    valid: NDArray[np.bool_]
    xyz_m: FloatArray
    root_m: FloatArray
    source: NDArray[np.str_]
    subject: NDArray[np.str_]


def simulate(mocap: Mocap, rng: np.random.Generator, *, crooked: bool = False, noise_m: float = 0.0) -> Simulation:
    """One random camera for every frame: 2 to 6 m away, any heading, the person anywhere in the picture.

    Args:
        mocap: the frames.
        rng: source of the cameras.
        crooked: False: 0.4 to 2 m over the floor, level horizon. True: up to 3 m, rolled by up to 30 degrees.
        noise_m: standard deviation of the keypoints' noise, as metres at the person's distance.
    """
    count = len(mocap)
    world = mocap.xyz_m
    heading, side = rng.uniform(-np.pi, np.pi, count), rng.uniform(-0.35, 0.35, count)
    distance = rng.uniform(2.0, 6.0, count)
    height = rng.uniform(0.4, 3.0 if crooked else 2.0, count)
    roll = np.radians(rng.uniform(-30.0, 30.0, count)) if crooked else np.zeros(count)
    place = np.stack([distance * np.cos(heading), distance * np.sin(heading), height], axis=1)
    toward = np.stack([np.zeros(count), np.zeros(count), world[:, 0, 2]], axis=1) - place
    yaw = np.arctan2(toward[:, 1], toward[:, 0]) + side
    tilt = np.arctan2(toward[:, 2], np.linalg.norm(toward[:, :2], axis=1)) + rng.uniform(-0.1, 0.1, count)
    forward = np.stack([np.cos(tilt) * np.cos(yaw), np.cos(tilt) * np.sin(yaw), np.sin(tilt)], axis=1)
    right = np.stack([np.sin(yaw), -np.cos(yaw), np.zeros(count)], axis=1)
    down = np.cross(forward, right)
    c, s = np.cos(roll)[:, None], np.sin(roll)[:, None]
    rotation = np.stack([c * right - s * down, s * right + c * down, forward], axis=1)
    camera = (world - place[:, None]) @ np.swapaxes(rotation, 1, 2)
    rays = camera[..., :2] / camera[..., 2:]
    sigma = np.repeat((noise_m / camera[:, 0, 2])[:, None], world.shape[1], axis=1)
    rays = rays + sigma[..., None] * rng.standard_normal(rays.shape)
    valid = (camera[..., 2] > 0.1) & ~np.isnan(rays).any(axis=-1)
    return Simulation(
        rays.astype(np.float32),
        sigma.astype(np.float32),
        valid,
        (camera - camera[:, :1]).astype(np.float32),
        camera[:, 0].astype(np.float32),
        mocap.source,
        mocap.subject,
    )
