"""Examples for the network that counts: stretches of takes, made various, with what is true of each moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.exercise.pace import RATE_HZ, pace_image
from posepipe.exercise.signal import DEPTH_WEIGHT
from posepipe.training.pace_pool import PacePool

__all__ = ["Example", "example"]

Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]

FRAMES = 384
"""Longest stretch of a take."""
_AROUND_SHARE = 0.5
"""Takes that get other things before and after them."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One stretch of a take: (CHANNELS, FRAMES, lags), and per moment reps a second, whether repeating, what counts."""

    image: FloatArray
    rate_hz: FloatArray
    inside: FloatArray
    weight: FloatArray


def example(pool: PacePool, k: int, rng: np.random.Generator, vary: bool = True) -> Example:
    """A random stretch of take k at a random speed."""
    span = slice(int(pool.start[k]), int(pool.start[k + 1]))
    pose, shape = pool.pose[span].astype(np.float64), pool.shape[span].astype(np.float64)
    bounds = pool.bounds[pool.take == k].astype(np.float64) * RATE_HZ
    if vary and len(pool.idle) and rng.random() < _AROUND_SHARE:
        pose, shape, bounds = _surrounded(pool, pose, shape, bounds, rng)
    if vary:
        speed = float(np.exp(rng.uniform(np.log(0.6), np.log(1.6))))
        at = np.arange(0.0, len(pose) - 1, speed)
        pose, shape, bounds = _read(pose, at), _read(shape, at), bounds / speed
        first = int(rng.integers(0, max(1, len(pose) - FRAMES + 1)))
        pose, shape, bounds = pose[first : first + FRAMES], shape[first : first + FRAMES], bounds - first
        pose, shape = _varied(pose, shape, rng)
    count = len(pose)
    rate, inside, weight = np.zeros(count), np.zeros(count), np.ones(count)
    frame = np.arange(count) + 0.5
    for a, b in _joined(bounds):
        here = (frame >= a) & (frame < b)
        if a < -0.5 or b > count + 0.5:
            weight[here] = 0.0
            continue
        rate[here], inside[here] = RATE_HZ / (b - a), 1.0
    image = pace_image(pose, shape)
    return Example(image, *(v.astype(np.float32) for v in (rate, inside, weight)))


def _surrounded(
    pool: PacePool, pose: Array, shape: Array, bounds: Array, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """The set with other things done before and after it: cut to, or gone over to within a second."""
    for after in (False, True):
        if rng.random() < 0.3:
            continue
        k = int(pool.idle[rng.integers(len(pool.idle))])
        span = slice(int(pool.start[k]), int(pool.start[k + 1]))
        other = pool.pose[span].astype(np.float64), pool.shape[span].astype(np.float64)
        fade = 0 if rng.random() < 0.4 else int(rng.integers(4, 13))
        pairs = [((x, y) if after else (y, x)) for x, y in zip((pose, shape), other, strict=True)]
        pose, shape = (_faded(a, b, fade) for a, b in pairs)
        if not after:
            bounds = bounds + len(other[0]) + fade
    return pose, shape, bounds


def _faded(a: Array, b: Array, frames: int) -> Array:
    """One after the other, with a straight way of some frames between them."""
    part = (np.arange(frames) + 1.0)[:, None] / (frames + 1.0)
    return np.concatenate([a, (1.0 - part) * a[-1] + part * b[0], b])


def _joined(bounds: Array) -> Array:
    """Bounds that meet in the middle of short pauses."""
    out = bounds.copy()
    for k in range(len(out) - 1):
        gap = bounds[k + 1, 0] - bounds[k, 1]
        if gap < 0.5 * max(bounds[k, 1] - bounds[k, 0], bounds[k + 1, 1] - bounds[k + 1, 0]):
            out[k, 1] = out[k + 1, 0] = 0.5 * (bounds[k, 1] + bounds[k + 1, 0])
    return out


def _read(x: Array, at: Array) -> Array:
    i = np.floor(at).astype(int)
    part = (at - i)[:, None]
    return np.asarray(x[i] * (1.0 - part) + x[np.minimum(i + 1, len(x) - 1)] * part)


def _varied(pose: Array, shape: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Another camera from some moment on, joints that stand still, noise."""
    pose, shape = pose.copy(), shape.copy()
    xyz = pose.reshape(len(pose), -1, 3)
    if rng.random() < 0.12:
        turn, cut = rng.uniform(-np.pi, np.pi), int(rng.integers(0, len(pose)))
        x, z = xyz[cut:, :, 0].copy(), xyz[cut:, :, 2].copy() / DEPTH_WEIGHT
        xyz[cut:, :, 0] = np.cos(turn) * x + np.sin(turn) * z
        xyz[cut:, :, 2] = DEPTH_WEIGHT * (np.cos(turn) * z - np.sin(turn) * x)
    if rng.random() < 0.25:
        for joint in rng.choice(xyz.shape[1], int(rng.integers(1, 6)), replace=False):
            xyz[:, joint] = xyz[:, joint].mean(axis=0)
    if rng.random() < 0.3:
        size = float(np.exp(rng.uniform(np.log(0.05), np.log(0.6))))
        xyz += size * rng.standard_normal(xyz.shape)
        shape += size * rng.standard_normal(shape.shape)
    return pose, shape
