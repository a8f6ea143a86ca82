"""What the network that counts learns from.

Synthetic sets of any movement are filmed and lifted once and kept as npz:

    posepipe train reps-pool --out runs/pace/pool --takes 1000 --seed 1

Examples are stretches of them, made various, with what is true of each moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.exercise.labels import EXERCISES
from posepipe.exercise.repeats import RATE_HZ, pace_image, pace_poses
from posepipe.exercise.signal import DEPTH_WEIGHT
from posepipe.lab.counter.web import web_poses
from posepipe.lab.film import film, open_film
from posepipe.lab.layouts import without_angles
from posepipe.lab.people.exercises import everyday, home
from posepipe.lab.people.exercises.move import Factory
from posepipe.lab.people.exercises.takes import ExerciseTake, anything, gym_counted, make_exercise
from posepipe.media.atomic import atomic_path

__all__ = [
    "Example", "PacePool", "build_pace_pool", "counted_takes", "ended", "example", "load_pace_pool", "write_pace_pool",
]  # fmt: skip

Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]

FPS_HZ = 15.0
MOST_S = 60.0
_KINDS = {"known": 0.4, "gym": 0.27, "anything": 0.25, "nothing": 0.08}
_WEB_KINDS = {"known": 0.5, "gym": 0.3, "anything": 0.12, "nothing": 0.08}
_NOTHING: tuple[tuple[Factory, float], ...] = (
    (everyday.idle, 0.32), (everyday.daily, 0.4), (everyday.walking, 0.14), (everyday.dance, 0.05), (home.plank, 0.09),
)  # fmt: skip
_RESTING = 0.2
_WIDTH = 40
FRAMES = 384
"""Longest stretch of a take in an example."""
_AROUND_SHARE = 0.5
"""Takes that get other things before and after them."""


@dataclass(frozen=True, slots=True, eq=False)
class PacePool:
    """Takes one after another, at `posepipe.exercise.repeats.RATE_HZ`.

    Attributes:
        pose: (F, 42) `posepipe.exercise.signal.pose_matrix`.
        shape: (F, 40) the body's shape; columns that aren't known are 0.
        start: (S + 1,) first frame of each take, and the end.
        bounds: (R, 2) seconds from the start of its take.
        take: (R,) which take each repetition belongs to.
        name: (S,) what it is.
    """

    pose: NDArray[np.float16]
    shape: NDArray[np.float16]
    start: NDArray[np.int64]
    bounds: NDArray[np.float32]
    take: NDArray[np.int64]
    name: NDArray[np.str_]

    @property
    def idle(self) -> NDArray[np.intp]:
        """Takes without any repetition."""
        return np.setdiff1d(np.arange(len(self.name)), self.take)


def counted_takes(takes: int, seed: int, nothing: bool = False, web: bool = False) -> Iterator[ExerciseTake]:
    """Random sets of known, of other and of made-up exercises, up to a minute each, and takes without repetitions.

    Args:
        takes: how many.
        seed: take k of a seed is always the same.
        nothing: only takes without repetitions.
        web: as web videos show them: more with a name, more standing about.
    """
    kinds = _WEB_KINDS if web else _KINDS
    for k in range(takes):
        rng = np.random.default_rng([seed, 11, k])
        kind = "nothing" if nothing else str(rng.choice(list(kinds), p=list(kinds.values())))
        reps = round(float(np.exp(rng.uniform(0.0, np.log(40.0)))))
        common: dict[str, Any] = {
            "fps_hz": FPS_HZ, "context": 0.6 if web else 0.35, "cut": 0.3, "noise_deg": float(rng.uniform(0.3, 4.0)),
            "tempo": float(np.exp(rng.normal(0.25, 0.3))), "rest": _RESTING,
        }  # fmt: skip
        if kind == "nothing":
            take = _nothing(rng, common)
        elif kind == "known":
            counted = [name for name in EXERCISES if name != "plank"]
            take = make_exercise(str(rng.choice(counted)), rng, reps=reps, **common)
        else:
            factory = gym_counted if kind == "gym" else anything
            take = make_exercise("other", rng, reps=reps, factory=factory, **common)
        yield take


def _nothing(rng: np.random.Generator, common: dict[str, Any]) -> ExerciseTake:
    share = np.array([weight for _, weight in _NOTHING])
    factory = _NOTHING[int(rng.choice(len(_NOTHING), p=share / share.sum()))][0]
    return make_exercise("other", rng, reps=0, factory=factory, **{**common, "context": 0.8})


def ended(take: ExerciseTake, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """At most a minute: times, joints and the bounds of whole repetitions."""
    length = min(len(take), int(MOST_S * FPS_HZ))
    first = int(rng.integers(0, len(take) - length + 1))
    time_s = take.time_s[first : first + length] - take.time_s[first]
    bounds = take.rep_bounds[take.rep_complete] - take.time_s[first]
    whole = (bounds[:, 0] >= -0.1) & (bounds[:, 1] <= time_s[-1] + 0.1)
    return time_s, take.positions[first : first + length], bounds[whole]


def build_pace_pool(takes: int, seed: int, nothing: bool = False, web: bool = False) -> PacePool:
    """Film every take once, or see it as `posepipe.lab.counter.web` does."""
    stages = open_film()
    pose, shape, bounds, of, name = [], [], [], [], []
    length: list[int] = []
    for k, take in enumerate(counted_takes(takes, seed, nothing, web)):
        rng = np.random.default_rng([seed, 12, k])
        time_s, xyz, reps = ended(take, rng)
        if len(time_s) < 2 * FPS_HZ or not np.isfinite(xyz).all():
            continue
        step = int(rng.integers(1, 3)) if rng.random() < 0.15 else 1
        how = web_poses if web else film
        seen = how(stages, time_s[::step], xyz[::step], rng)
        if seen is None:
            continue
        found = pace_poses(without_angles(seen[0] if isinstance(seen, tuple) else seen))
        if found is None:
            continue
        pose.append(found[1].astype(np.float16))
        shape.append(np.pad(found[2], ((0, 0), (0, _WIDTH - found[2].shape[1]))).astype(np.float16))
        bounds.append(reps - found[0][0])
        of.append(np.full(len(reps), len(length)))
        length.append(len(found[0]))
        name.append(f"{take.label}: {take.variant}")
    return PacePool(
        np.concatenate(pose), np.concatenate(shape), np.cumsum([0, *length]),
        np.concatenate(bounds).astype(np.float32), np.concatenate(of), np.array(name),
    )  # fmt: skip


def load_pace_pool(paths: list[Path]) -> PacePool:
    """Read pools and put them behind each other."""
    parts = []
    for path in paths:
        with np.load(path) as data:
            parts.append(PacePool(*(data[name] for name in PacePool.__slots__)))
    shift = np.cumsum([0, *(len(p.pose) for p in parts)])
    takes = np.cumsum([0, *(len(p.name) for p in parts)])
    start = np.concatenate([p.start[:-1] + s for p, s in zip(parts, shift, strict=False)] + [shift[-1:]])
    return PacePool(
        np.concatenate([p.pose for p in parts]), np.concatenate([p.shape for p in parts]), start,
        np.concatenate([p.bounds for p in parts]),
        np.concatenate([p.take + s for p, s in zip(parts, takes, strict=False)]),
        np.concatenate([p.name for p in parts]),
    )  # fmt: skip


def write_pace_pool(pool: PacePool, path: Path) -> None:
    """Write a pool, compressed, under its name only when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **{key: getattr(pool, key) for key in PacePool.__slots__})


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
        at = _paced(len(pose), rng)
        pose, shape = _read(pose, at), _read(shape, at)
        bounds = np.interp(bounds, at, np.arange(float(len(at))))
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


def _paced(frames: int, rng: np.random.Generator) -> Array:
    """Which frames to read: at another pace, in half of the examples one that changes on the way."""
    speed = float(np.exp(rng.uniform(np.log(0.6), np.log(1.6))))
    drift = float(rng.normal(0.0, 0.35)) if rng.random() < 0.5 else 0.0
    pace = speed * np.exp(drift * np.linspace(-1.0, 1.0, max(2, frames)))
    clock = np.concatenate([[0.0], np.cumsum(1.0 / pace[:-1])])
    return np.asarray(np.interp(np.arange(0.0, clock[-1]), clock, np.arange(float(len(clock)))))


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
