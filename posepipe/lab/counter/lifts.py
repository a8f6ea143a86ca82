"""How true the speed of a lift is: synthetic sets before a level camera on a tripod, their height told.

Truth is the joint's own height in the world, timed in the same repetitions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.body.angles import joint_angles
from posepipe.body.lift import assumed_camera, measure_stature
from posepipe.body.motion import Motion
from posepipe.body.smooth import smooth
from posepipe.doctor import package_versions
from posepipe.exercise.catalogue import Exercise, load_catalogue
from posepipe.exercise.count import Cycle, count_exercise
from posepipe.exercise.effort import effort, lift_speed
from posepipe.exercise.form import describe
from posepipe.exercise.labels import EXERCISES
from posepipe.exercise.types import Repetition
from posepipe.lab.film import Film, detect, open_film
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.exercises.takes import ExerciseTake, make_exercise
from posepipe.skeleton import BODY21

__all__ = ["evaluate_lifts"]

SEED = 7001
_REPS = 4
_HEIGHT_M, _AWAY_M = 1.0, (3.0, 4.5)
"""Of the camera."""
_WIDTH_PX, _LENGTH_PX, _FOCAL_PX = 720, 1280, 1100.0

Pair = tuple[tuple[float, float], tuple[float, float]]


def evaluate_lifts(sets: int) -> dict[str, Any]:
    """Error of mean and peak speed, and of the loss over a set.

    Args:
        sets: synthetic sets of four repetitions, the exercises that lift something in turn.
    """
    catalogue, stages = load_catalogue(), open_film()
    labels = [name for name in EXERCISES if catalogue[name].lifts]
    pairs: dict[str, list[Pair]] = {name: [] for name in labels}
    losses = []
    for k in range(sets):
        exercise = catalogue[labels[k % len(labels)]]
        found = list(_timed(exercise, k, stages))
        pairs[exercise.name] += found
        true, said = (effort([Repetition(0, 0, 0, speed_m_s=pair[i]) for pair in found]).speed_loss for i in (0, 1))
        losses.append(abs(said - true))
    everything = [pair for mine in pairs.values() for pair in mine]
    rows = [{"exercise": name, "repetitions": len(mine), **_errors(mine)} for name, mine in pairs.items() if mine]
    return {
        "metrics": {**_errors(everything), "loss off": float(np.nanmedian(losses))},
        "rows": rows,
        "versions": package_versions(("posepipe", "onnxruntime", "numpy")),
    }


def _errors(pairs: list[Pair]) -> dict[str, float]:
    """Share known, and medians of the relative error's size."""
    true, said = (np.array([pair[i] for pair in pairs]) for i in (0, 1))
    off = np.nanmedian(np.abs(said / true - 1.0), axis=0)
    return {"known": float(np.isfinite(said[:, 0]).mean()), "mean off": float(off[0]), "peak off": float(off[1])}


def _timed(exercise: Exercise, k: int, stages: Film) -> Iterator[Pair]:
    """True and told (mean, peak) of every repetition of a set."""
    rng = np.random.default_rng([SEED, k])
    take = make_exercise(exercise.name, rng, reps=_REPS, context=0.0, cut=0.0, partial=0.0, noise_deg=0.5)
    motion = _seen(take, stages, rng)
    names = (
        [exercise.lifts] * 2
        if exercise.lifts in BODY21.joints
        else [f"{s}_{exercise.lifts}" for s in ("left", "right")]
    )
    joint_m, up = take.positions[:, BODY21.indices(*names)].astype(np.float64), np.array([0.0, 0.0, 1.0])
    for rep in describe(motion, exercise, count_exercise(motion, exercise)):
        cycle = Cycle(rep.start_s, rep.turn_s, rep.end_s, rep.side)
        yield lift_speed(take.time_s, joint_m, up, cycle), rep.speed_m_s


def _seen(take: ExerciseTake, stages: Film, rng: np.random.Generator) -> Motion:
    middle: NDArray[np.float64] = np.median(take.positions[:, 0], axis=0)
    way, away_m = rng.uniform(-np.pi, np.pi), rng.uniform(*_AWAY_M)
    x, y = middle[:2] + away_m * np.array([np.cos(way), np.sin(way)])
    camera = SynthCamera(
        (float(x), float(y), _HEIGHT_M),
        (float(middle[0]), float(middle[1]), _HEIGHT_M),
        _FOCAL_PX,
        _WIDTH_PX,
        _LENGTH_PX,
    )
    keypoints = detect(take.time_s, take.positions, camera, rng)
    height_m = measure_stature(take.positions.astype(np.float32), np.ones(take.positions.shape[:2], bool))
    lifted = stages.lifter.lift(keypoints, assumed_camera(_WIDTH_PX, _LENGTH_PX), height_m=height_m)
    pose = smooth(stages.refiner.refine(lifted).pose, 6.0)
    return Motion.from_pose(pose, joint_angles(pose))
