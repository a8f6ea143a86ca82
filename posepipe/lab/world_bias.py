"""Learn what the lifter has wrong about who stays on the spot: made clips seen by simulated eyes, and lifted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posepipe.body.left_right import in_order
from posepipe.body.lift import OWN_JOINTS, measure_stature
from posepipe.body.smooth import fill_gaps, smooth
from posepipe.body.world_bias import WEIGHTS, Bias, mean_pose
from posepipe.errors import InputError
from posepipe.lab.film import Film, detect, open_film
from posepipe.lab.lifter.data import body21_from_h36m
from posepipe.lab.people.exercises.takes import make_exercise
from posepipe.lab.people.filmed import FEET, draw_camera
from posepipe.media.atomic import atomic_path
from posepipe.skeleton import BODY21

__all__ = ["fit_bias", "make_bias"]

Array = NDArray[np.float64]
Rng = np.random.Generator

_LABELS = ("shoulder_press", "bicep_curl", "lateral_raise", "front_raise", "other")
"""None of `posepipe.lab.people.filmed.MOVES`, on which the room is measured."""
_RIDGE = 3000.0
"""Weight of the prior, in clips; chosen on kinds of movement that weren't learnt from."""
_FLAT = 1e-2
"""No coordinate is taken to vary by less, in lengths of a leg."""
_MOST_WEIGHT = 3.0
"""No clip counts for more than so many, however sure the lifter was."""
_CAPTURED = ("val.npz", "more.npz")
"""People from whom the lifter hasn't learnt, and kinds of movement that they lack."""
_OWN = np.flatnonzero(OWN_JOINTS)
_MIRROR = np.array([list(_OWN).index(BODY21.mirror[joint]) for joint in _OWN])
_FLIP = np.array([-1.0, 1.0, 1.0])


class _Item(NamedTuple):
    """One clip: mean pose (18, 3), what is wrong about it, both in lengths of a leg, and the lifter's sigma."""

    pose: Array
    wrong: Array
    sigma: float

    def mirrored(self) -> _Item:
        return _Item((self.pose * _FLIP)[_MIRROR], (self.wrong * _FLIP)[_MIRROR], self.sigma)


def make_bias(data: Path, out: Path = WEIGHTS, *, exercises: int = 250, captured: int = 700, seed: int = 10) -> Bias:
    """Make clips, see and lift them, fit, and write what ships.

    Args:
        data: folder of motion capture with val.npz and more.npz.
        out: npz to write.
        exercises: clips of the synthetic coach.
        captured: clips of captured people.
        seed: of the first.

    Raises:
        InputError: a file isn't there.
    """
    for name in _CAPTURED:
        if not (data / name).is_file():
            hint = f"Name the folder with {' and '.join(_CAPTURED)}"
            raise InputError("no such file", where=str(data / name), hint=hint)
    stages = open_film()
    items = []
    for number, (time_s, xyz) in enumerate(_movements(data, exercises, captured, seed)):
        item = _lifted(stages, time_s, xyz, np.random.default_rng([seed, number, 993]))
        if item is not None:
            items.append(item)
    bias = fit_bias(items)
    with atomic_path(out) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **{name: part.astype(np.float32) for name, part in bias._asdict().items()})
    return bias


def fit_bias(items: list[_Item]) -> Bias:
    """Ridge regression of what is wrong on the mean pose, each clip mirrored, too."""
    items = items + [item.mirrored() for item in items]
    pose = np.stack([item.pose.ravel() for item in items])
    wrong = np.stack([item.wrong.ravel() for item in items])
    weight = np.array([item.sigma for item in items]) ** -2.0
    weight = np.minimum(weight / weight.mean(), _MOST_WEIGHT)
    mean, off = np.average(pose, axis=0, weights=weight), np.average(wrong, axis=0, weights=weight)
    spread = pose.std(axis=0) + _FLAT
    white = (pose - mean) / spread
    heavy = (white * weight[:, None]).T
    turn = np.linalg.solve(heavy @ white + _RIDGE * np.eye(len(mean)), heavy @ (wrong - off))
    return Bias(mean, off, turn / spread[:, None])


def _movements(data: Path, exercises: int, captured: int, seed: int) -> Iterator[tuple[Array, Array]]:
    for number in range(exercises):
        rng = np.random.default_rng([seed, number, 991])
        label = _LABELS[number % len(_LABELS)]
        take = make_exercise(label, rng, reps=3, context=0.0, cut=0.0, partial=0.0, noise_deg=0.0)
        most = int(30.0 * rng.uniform(2.5, 6.0))
        yield take.time_s[:most], take.positions[:most]
    for i, name in enumerate(_CAPTURED):
        share = captured // 3 if i == 0 else captured - captured // 3
        yield from _captured(data / name, share, np.random.default_rng([seed, i, 992]))


def _captured(path: Path, count: int, rng: Rng) -> Iterator[tuple[Array, Array]]:
    """Stretches of two to five seconds of people who stand upright for most of it, on the floor."""
    with np.load(path) as kept:
        positions, extra, starts, fps, tier = (
            kept[name] for name in ("positions", "extra", "seq_start", "fps", "tier")
        )
    good = np.flatnonzero(tier != "C")
    while count:
        sequence = int(rng.choice(good))
        first, after, rate = int(starts[sequence]), int(starts[sequence + 1]), float(fps[sequence])
        length = int(rate * rng.uniform(2.2, 5.0))
        if after - first < length:
            continue
        begin = first + int(rng.integers(0, after - first - length + 1))
        part = slice(begin, begin + length)
        xyz = body21_from_h36m(positions[part], extra[part]).astype(np.float64)
        stands = xyz[:, BODY21.index("thorax"), 2] - xyz[:, BODY21.index("left_ankle"), 2]
        if not np.isfinite(xyz).all() or np.median(stands) < 0.7:
            continue
        xyz[..., 2] -= np.percentile(xyz[:, FEET, 2].min(axis=1), 10.0) - 0.025
        xyz[..., :2] -= xyz[:, 0, :2].mean(axis=0)
        count -= 1
        yield np.arange(length) / rate, xyz


def _lifted(stages: Film, time_s: Array, xyz: Array, rng: Rng) -> _Item | None:
    tries = (draw_camera("other", xyz, rng, None) for _ in range(100))
    camera = next((one for one in tries if one is not None), None)
    if camera is None:
        return None
    track = detect(time_s, xyz, camera, rng)
    if track.valid.any(axis=1).mean() < 0.8:
        return None
    track, _ = in_order(track, stages.lifter, camera.intrinsics)
    height_m = measure_stature(xyz.astype(np.float32), np.ones(xyz.shape[:2], bool))
    result = stages.lifter.lift(fill_gaps(track, 0.25), camera.intrinsics, height_m=height_m)
    pose = smooth(stages.refiner.refine(result).pose, 6.0)
    found = mean_pose(pose.xyz_m.astype(np.float64), pose.root_m.astype(np.float64))
    if found is None:
        return None
    true = camera.to_camera(xyz[track.frame])
    miss = (pose.xyz_m - (true - true[:, :1]))[:, _OWN]
    whole = np.isfinite(miss).all(axis=(1, 2)) & np.isfinite(pose.root_m).all(axis=1)
    wrong = miss[whole].mean(axis=0) @ found.axes.T / found.leg_m
    return _Item(found.place, wrong, float(np.sqrt((pose.sigma_m[whole][:, _OWN] ** 2).mean())))
