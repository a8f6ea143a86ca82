"""How fast something repeats, moment by moment: what a network sees, and what it says.

At every moment the pose is compared with the poses a lag before and after it, for lags spaced evenly on a logarithmic
scale: a movement of another pace is the same picture, moved along the lags. Whole body, arms, legs and the body's shape
(which doesn't know left from right, nor where the camera stands) are compared each for itself, so the network knows no
exercise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import ModelError
from posepipe.exercise.repeats import shape_curves
from posepipe.exercise.signal import POSE_JOINTS, grid, pose_matrix
from posepipe.inference import open_session
from posepipe.motion.clip import Motion
from posepipe.weights import find_model

__all__ = ["CHANNELS", "LAGS_S", "RATE_HZ", "Pace", "PaceModel", "pace_image", "pace_poses"]

Array = NDArray[np.float64]

RATE_HZ = 10.0
"""The network looks at this many moments a second."""
LAGS_S = np.geomspace(0.3, 12.0, 44)
_KEPT = (8, 6, 6, 8)
"""Directions of most movement that are compared, of body, arms, legs and shape."""
_ARMS, _LEGS = (
    [3 * k + axis for k, joint in enumerate(POSE_JOINTS) if joint.endswith(parts) for axis in range(3)]
    for parts in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
)
"""Columns of a pose."""
CHANNELS = 2 * (len(_KEPT) + 1) + len(_KEPT) + 2
_LEAST_S = 2.0
_WINDOW_S, _EDGE_S = 60.0, 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Pace:
    """How fast something repeats.

    Attributes:
        time_s: (T,) every 0.1 s.
        repeating: (T,) probability that a repetition is under way.
        rate_hz: (T,) repetitions a second, if one is.
    """

    time_s: Array
    repeating: Array
    rate_hz: Array


class PaceModel:
    """Reads the pace of a motion.

    Args:
        name: on a model card, or an ONNX file.

    Raises:
        ModelError: the model is missing, damaged or another one.
    """

    def __init__(self, name: str | Path = "reps") -> None:
        path = Path(name) if str(name).endswith(".onnx") else find_model(str(name))
        self._session = open_session(path, threads=1)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if inputs[0].shape[1::2] != [CHANNELS, len(LAGS_S)] or [o.name for o in outputs] != ["repeating", "rate_hz"]:
            raise ModelError(
                f"not a counting model: needs (B, {CHANNELS}, T, {len(LAGS_S)}) in, repeating and rate_hz out",
                where=str(path),
                hint="Make it again: python -m posepipe.training.pace",
            )

    def read(self, motion: Motion) -> Pace | None:
        """The pace of one person's movement; None if they are seen for under two seconds."""
        poses = pace_poses(motion)
        if poses is None:
            return None
        time_s, pose, shape = poses
        repeating, rate_hz = np.zeros(len(time_s)), np.ones(len(time_s))
        for part, kept in _parts(len(time_s)):
            image = pace_image(pose[part], shape[part])[None]
            outputs = self._session.run(["repeating", "rate_hz"], {"lags": image})
            inside = slice(kept.start - part.start, kept.stop - part.start)
            repeating[kept], rate_hz[kept] = (output[0, inside] for output in outputs)
        return Pace(time_s, repeating, rate_hz)


def _parts(count: int) -> Iterator[tuple[slice, slice]]:
    """Stretches to look at, a minute each as in training, and the middle of each that is kept."""
    window, edge = int(_WINDOW_S * RATE_HZ), int(_EDGE_S * RATE_HZ)
    if count <= window:
        yield slice(0, count), slice(0, count)
        return
    starts = [*range(0, count - window, window - 2 * edge), count - window]
    done = 0
    for start in starts:
        end = count if start == starts[-1] else start + window - edge
        yield slice(start, start + window), slice(done, end)
        done = end


def pace_poses(motion: Motion) -> tuple[Array, Array, Array] | None:
    """Times (T,), poses (T, 42) and shapes (T, D) at `RATE_HZ`; None if the person is seen too little."""
    at = grid(motion.time_s, RATE_HZ)
    if len(at) < _LEAST_S * RATE_HZ:
        return None
    pose = pose_matrix(motion, at)
    shape, _ = shape_curves(motion, at)
    if pose.shape[1] < 3 * len(POSE_JOINTS) or shape.shape[1] == 0:
        return None
    return at, pose, shape


def pace_image(pose: Array, shape: Array) -> NDArray[np.float32]:
    """What the network sees: (CHANNELS, T, lags).

    Args:
        pose: (T, 42), see `pace_poses`.
        shape: (T, D).
    """
    groups = [pose, pose[:, _ARMS], pose[:, _LEGS], shape]
    count, lags = len(pose), len(LAGS_S)
    out = np.zeros((CHANNELS, count, lags), np.float32)
    steps = LAGS_S * RATE_HZ
    whole = np.floor(steps).astype(int)
    part = (steps - whole)[None, :, None]
    frame = np.arange(count)
    known = []
    for sign in (1, -1):
        near = frame[:, None] + sign * whole
        far = near + sign
        known.append(((far >= 0) & (far < count)).astype(np.float32))
    k = 0
    for x, kept in zip(groups, _KEPT, strict=True):
        x = _compact(x, kept)
        spread = x.var(axis=0).sum() + 1e-6
        for sign, inside in zip((1, -1), known, strict=True):
            then = _at_lag(x, whole, part, sign)
            gap = ((then - x[:, None]) ** 2).sum(axis=-1) / (2.0 * spread)
            out[k] = np.sqrt(gap) * inside
            k += 1
        out[k] = np.log10(spread)
        k += 1
    speed = _compact(np.gradient(pose, axis=0), _KEPT[0])
    norm = np.linalg.norm(speed, axis=1)
    floor = 0.3 * np.sqrt((norm**2).mean()) + 1e-6
    for sign, inside in zip((1, -1), known, strict=True):
        then = _at_lag(speed, whole, part, sign)
        both = (norm[:, None] + floor) * (np.linalg.norm(then, axis=-1) + floor)
        out[k] = (then * speed[:, None]).sum(axis=-1) / both * inside
        k += 1
    out[k], out[k + 1] = known
    return out


def _compact(x: Array, kept: int) -> Array:
    """(T, <= kept) coordinates along the directions that vary most."""
    level = x - x.mean(axis=0)
    _, way = np.linalg.eigh(level.T @ level)
    return np.asarray(level @ way[:, ::-1][:, :kept])


def _at_lag(x: Array, whole: NDArray[np.intp], part: Array, sign: int) -> Array:
    """(T, lags, D) the rows of x a lag later or earlier, between frames; beyond the ends the last ones."""
    frame = np.arange(len(x))[:, None]
    near = np.clip(frame + sign * whole, 0, len(x) - 1)
    far = np.clip(near + sign, 0, len(x) - 1)
    return np.asarray(x[near] * (1.0 - part) + x[far] * part)
