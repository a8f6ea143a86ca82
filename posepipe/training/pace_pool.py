r"""What the network that counts learns from: synthetic sets of any movement, filmed and lifted once, kept as npz.

python -m posepipe.training.pace_pool --out runs/pace/pool --takes 1000 --seed 1
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.exercise.labels import EXERCISES
from posepipe.exercise.pace import pace_poses
from posepipe.media.atomic import atomic_path
from posepipe.motion.clip import Motion
from posepipe.synth.exercises import ExerciseTake, everyday, floor, make_exercise
from posepipe.synth.exercises.anything import anything, gym_counted
from posepipe.synth.exercises.move import Factory
from posepipe.training.exercise_sim import film, open_film
from posepipe.types import Angles

__all__ = ["PacePool", "build_pace_pool", "counted_takes", "ended", "load_pace_pool"]

Array = NDArray[np.float64]

FPS_HZ = 15.0
MOST_S = 60.0
_KINDS = {"known": 0.4, "gym": 0.27, "anything": 0.25, "nothing": 0.08}
_NOTHING: tuple[tuple[Factory, float], ...] = (
    (everyday.idle, 0.32), (everyday.daily, 0.4), (everyday.walking, 0.14), (everyday.dance, 0.05), (floor.plank, 0.09),
)  # fmt: skip
_RESTING = 0.2
_WIDTH = 40


@dataclass(frozen=True, slots=True, eq=False)
class PacePool:
    """Takes one after another, at `posepipe.exercise.pace.RATE_HZ`.

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


def counted_takes(takes: int, seed: int, nothing: bool = False) -> Iterator[ExerciseTake]:
    """Random sets of known, of other and of made-up exercises, up to a minute each, and takes without repetitions.

    Args:
        takes: how many.
        seed: take k of a seed is always the same.
        nothing: only takes without repetitions.
    """
    for k in range(takes):
        rng = np.random.default_rng([seed, 11, k])
        kind = "nothing" if nothing else str(rng.choice(list(_KINDS), p=list(_KINDS.values())))
        reps = round(float(np.exp(rng.uniform(0.0, np.log(40.0)))))
        common: dict[str, Any] = {
            "fps_hz": FPS_HZ, "context": 0.35, "cut": 0.3, "noise_deg": float(rng.uniform(0.3, 4.0)),
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


def build_pace_pool(takes: int, seed: int, nothing: bool = False) -> PacePool:
    """Film every take once."""
    stages = open_film()
    pose, shape, bounds, of, name = [], [], [], [], []
    length: list[int] = []
    for k, take in enumerate(counted_takes(takes, seed, nothing)):
        rng = np.random.default_rng([seed, 12, k])
        time_s, xyz, reps = ended(take, rng)
        if len(time_s) < 2 * FPS_HZ or not np.isfinite(xyz).all():
            continue
        step = int(rng.integers(1, 3)) if rng.random() < 0.15 else 1
        seen = film(stages, time_s[::step], xyz[::step], rng)
        if seen is None:
            continue
        empty = np.zeros((len(seen), 0), np.float32)
        found = pace_poses(Motion.from_pose(seen, Angles((), empty, empty)))
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


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Film sets of repetitions for the network that counts.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--takes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--held", action="store_true", help="For validation: the name says so.")
    parser.add_argument("--nothing", action="store_true", help="Only takes without repetitions.")
    args = parser.parse_args(argv)
    pool = build_pace_pool(args.takes, args.seed, args.nothing)
    path = args.out / f"{'val' if args.held else 'nothing' if args.nothing else 'reps'}_{args.seed}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **{key: getattr(pool, key) for key in PacePool.__slots__})


if __name__ == "__main__":
    main()
