"""Windows of the pool as training examples, and how they are varied."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.exercise.features import ANGLES, COLUMNS, DISTANCES, JOINTS, SAMPLES, WINDOW_S, mirror, windows
from posepipe.exercise.labels import LABELS, OTHER
from posepipe.skeleton import BODY21
from posepipe.training.exercise_pool import Pool

__all__ = ["Examples", "augment", "cut_pool"]

FloatArray = NDArray[np.float32]
_CAMERA_UP = np.array([0.0, -1.0, 0.0])
_INDEX = BODY21.indices(*JOINTS)


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Windows with their answers.

    Attributes:
        x: (N, 30, 82) float16 features.
        target: (N, L) share of the window's time each label has.
        take: (N,) which take each is from.
        kind: (N,) of the take.
        beside: (N,) bool; `other` before or after the set of a synthetic exercise.
    """

    x: NDArray[np.float16]
    target: FloatArray
    take: NDArray[np.intp]
    kind: NDArray[np.str_]
    beside: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.x)


def cut_pool(pool: Pool, seed: int, *, stride_s: float = 0.4, passes: int = 1, vary: bool = True) -> Examples:
    """Cut every take into windows, `passes` times, each at another speed (0.7 to 1.4).

    Args:
        pool: lifted takes.
        seed: of speeds and offsets.
        stride_s: time between windows.
        passes: how often each take is cut.
        vary: whether speed varies, and some takes are cut short.
    """
    x, target, take = [], [], []
    for turn in range(passes):
        for k in range(len(pool.start) - 1):
            rng = np.random.default_rng([seed, turn, k])
            part = slice(int(pool.start[k]), int(pool.start[k + 1]))
            speed = float(np.exp(rng.uniform(np.log(0.7), np.log(1.4)))) if vary else 1.0
            if vary and rng.random() < 0.15:
                part = _short(part, rng)
            time_s = pool.time_s[part] / speed
            time_s = time_s - time_s[0]
            centers = _centers(float(time_s[-1]), stride_s, rng)
            xyz, sigma = (v[part][:, _INDEX].astype(np.float64) for v in (pool.xyz_m, pool.sigma_m))
            cut = windows(time_s, xyz, sigma, pool.root_m[part].astype(np.float64), _CAMERA_UP, centers)
            x.append(cut.x.astype(np.float16))
            target.append(_shares(time_s, pool.label[part], centers))
            take.append(np.full(len(centers), k))
    takes = np.concatenate(take)
    targets = np.concatenate(target)
    own = np.array([str(name).split(":")[0] for name in pool.name])[takes]
    beside = (targets.argmax(axis=1) == LABELS.index(OTHER)) & (own != OTHER) & (pool.kind[takes] == "synth")
    return Examples(np.concatenate(x), targets, takes, pool.kind[takes], beside)


def _short(part: slice, rng: np.random.Generator) -> slice:
    """A stretch of 0.7 to 2 seconds."""
    length = int(rng.integers(11, 31))
    start = part.start + int(rng.integers(0, max(1, part.stop - part.start - length)))
    return slice(start, min(start + length, part.stop))


def _centers(span_s: float, stride_s: float, rng: np.random.Generator) -> NDArray[np.float64]:
    if span_s <= WINDOW_S:
        return np.array([span_s / 2])
    first = WINDOW_S / 2 + rng.uniform(0, min(stride_s, span_s - WINDOW_S))
    return np.arange(first, span_s - WINDOW_S / 2 + 1e-6, stride_s)


def _shares(time_s: NDArray[np.float64], label: NDArray[np.int16], centers: NDArray[np.float64]) -> FloatArray:
    at = centers[:, None] + (np.arange(SAMPLES) / (SAMPLES - 1) - 0.5) * WINDOW_S
    nearest = np.clip(np.searchsorted(time_s, at), 0, len(time_s) - 1)
    return np.asarray((label[nearest][..., None] == np.arange(len(LABELS))).mean(axis=1), np.float32)


_DROPPED = (
    *(f"{side} {parts}" for side in ("left", "right") for parts in ("wrist", "elbow wrist", "ankle", "knee ankle")),
)
_LIMBS = (
    *(tuple(JOINTS.index(f"{d.split()[0]}_{part}") for part in d.split()[1:]) for d in _DROPPED),
    tuple(JOINTS.index(n) for n in ("left_ankle", "right_ankle")),
    tuple(JOINTS.index(n) for n in ("left_knee", "right_knee", "left_ankle", "right_ankle")),
    (JOINTS.index("head"),),
)


def augment(x: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Vary a batch (B, 30, 82): mirrored, turned, tilted, jittered, limbs dropped, the way through the world lost."""
    count = len(x)
    flip = rng.random(count) < 0.5
    x = np.where(flip[:, None, None], mirror(x), x)
    turn = _turns(count, rng)
    joints = x[..., COLUMNS["joints"]].reshape(count, SAMPLES, len(JOINTS), 3)
    there = (x[..., COLUMNS["trust"]] > 0)[..., None]
    level = np.exp(rng.uniform(np.log(0.003), np.log(0.04), (count, 1, 1, 1)))
    noise = rng.standard_normal(joints.shape, dtype=np.float32) * level
    slow = rng.standard_normal((count, 1, len(JOINTS), 3), dtype=np.float32) * level
    joints = np.einsum("bac,bsjc->bsja", turn, joints) + (noise + slow) * there
    x[..., COLUMNS["joints"]] = joints.reshape(count, SAMPLES, -1)
    pelvis = x[..., 64:67]
    x[..., 64:67] = np.einsum("bac,bsc->bsa", turn, pelvis)
    x[rng.random(count) < 0.3, :, COLUMNS["pelvis"]] = 0.0
    plain = rng.random(count) < 0.15
    trust = x[..., COLUMNS["trust"]]
    x[..., COLUMNS["trust"]] = np.where(plain[:, None, None] & (trust > 0), np.float32(0.8), trust)
    _drop_limbs(x, rng)
    return x.astype(np.float32)


def _turns(count: int, rng: np.random.Generator) -> FloatArray:
    """Small rotations (B, 3, 3): mostly about the vertical."""
    yaw, pitch, roll = (np.radians(s) * rng.standard_normal(count) for s in (12.0, 5.0, 4.0))
    zero, one = np.zeros(count), np.ones(count)
    z = np.array([[np.cos(yaw), -np.sin(yaw), zero], [np.sin(yaw), np.cos(yaw), zero], [zero, zero, one]])
    y = np.array([[np.cos(pitch), zero, np.sin(pitch)], [zero, one, zero], [-np.sin(pitch), zero, np.cos(pitch)]])
    x = np.array([[one, zero, zero], [zero, np.cos(roll), -np.sin(roll)], [zero, np.sin(roll), np.cos(roll)]])
    return np.asarray(np.einsum("abn,bcn,cdn->nad", z, y, x), np.float32)


def _drop_limbs(x: FloatArray, rng: np.random.Generator) -> None:
    """Some windows lose a limb, in place: its columns are 0, as where it was never seen."""
    for limb in _LIMBS:
        rows = np.flatnonzero(rng.random(len(x)) < 0.025)
        if not len(rows):
            continue
        names = {JOINTS[j] for j in limb}
        columns = [3 * j + axis for j in limb for axis in range(3)] + [COLUMNS["trust"].start + j for j in limb]
        columns += [COLUMNS["angles"].start + i for i, g in enumerate(ANGLES) if names & set(g)]
        columns += [COLUMNS["distances"].start + i for i, g in enumerate(DISTANCES) if names & set(g)]
        heights = COLUMNS["distances"].stop - 2
        columns += [heights + i for i, s in enumerate(("left", "right")) if f"{s}_elbow" in names]
        x[np.ix_(rows, np.arange(SAMPLES), np.array(columns))] = 0.0
