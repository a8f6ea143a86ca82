"""The two counters of movements without a name, on synthetic sets that nothing was trained on.

Sets of known, other and made-up exercises, half of them with other things done before or after, cut to; filmed by
simulated cameras with a detector's errors and lifted. Metrics as in `posepipe.evaluation.reps`, for the search, for the
cut at the network's pace, and for what is taken of both.

    python -m posepipe.evaluation.reps_made --sets 220
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from posepipe.doctor import package_versions
from posepipe.evaluation.reps import Counts, count_metrics
from posepipe.exercise.paced import Read, read_repeats
from posepipe.motion.clip import Motion
from posepipe.synth.exercises import ExerciseTake
from posepipe.training.exercise_sim import Film, film, open_film
from posepipe.training.pace_pool import counted_takes, ended
from posepipe.types import Angles

__all__ = ["evaluate_made", "made_clips"]

SETS_SEED, AROUND_SEED = 911, 912
"""Takes of these seeds are in no pool."""
_AROUND_SHARE = 0.5
_LEAST_FRAMES = 30
_KINDS: Mapping[str, Callable[[Read], int]] = {
    "searched": lambda read: len(read.searched),
    "paced": lambda read: len(read.paced),
    "best": lambda read: len(read.best),
    "count": lambda read: read.count,
}


def made_clips(sets: int) -> Iterator[tuple[str, int, Motion]]:
    """What each clip shows, its whole repetitions, and the motion as the pipeline would see it."""
    stages = open_film()
    around = counted_takes(2 * sets, AROUND_SEED, nothing=True)
    for k, take in enumerate(counted_takes(sets, SETS_SEED)):
        rng = np.random.default_rng([SETS_SEED, 12, k])
        seen = _seen(take, stages, rng)
        if seen is None:
            continue
        motion, count = seen
        for after in (False, True):
            if rng.random() < _AROUND_SHARE and (other := _seen(next(around), stages, rng)) is not None:
                motion = _joined(motion, other[0]) if after else _joined(other[0], motion)
        yield f"{take.label}: {take.variant}", count, motion


def evaluate_made(sets: int) -> dict[str, Any]:
    """Metrics of every counter."""
    found: list[tuple[str, int, Read]] = [(name, count, read_repeats(m)) for name, count, m in made_clips(sets)]
    rows = []
    for kind, counted in _KINDS.items():
        metrics, _ = count_metrics([Counts(name, name, true, counted(read)) for name, true, read in found])
        rows.append({"counter": kind, **metrics})
    return {
        "metrics": {"clips": float(len(found)), "without_repetitions": float(sum(true == 0 for _, true, _ in found))},
        "rows": rows,
        "versions": package_versions(("posepipe", "onnxruntime", "numpy")),
    }


def _seen(take: ExerciseTake, stages: Film, rng: np.random.Generator) -> tuple[Motion, int] | None:
    time_s, xyz, bounds = ended(take, rng)
    pose = film(stages, time_s, xyz, rng) if len(time_s) >= _LEAST_FRAMES else None
    if pose is None:
        return None
    empty = np.zeros((len(pose), 0), np.float32)
    return Motion.from_pose(pose, Angles((), empty, empty)), len(bounds)


def _joined(first: Motion, second: Motion) -> Motion:
    """One after the other, as a cut does it."""
    gap_s = float(np.median(np.diff(first.time_s)))
    time_s = np.concatenate([first.time_s, second.time_s - second.time_s[0] + first.time_s[-1] + gap_s])
    parts = {
        name: np.concatenate([getattr(first, name), getattr(second, name)])
        for name in ("xyz_m", "sigma_m", "valid", "root_m")
    }
    empty = np.zeros((len(time_s), 0), np.float32)
    return replace(first, time_s=time_s, angles=Angles((), empty, empty), **parts)


def main(argv: list[str] | None = None) -> None:
    """Command line: prints JSON."""
    parser = argparse.ArgumentParser(description="Counters of movements without a name, on synthetic sets.")
    parser.add_argument("--sets", type=int, default=220)
    sys.stdout.write(json.dumps(evaluate_made(parser.parse_args(argv).sets), indent=2) + "\n")


if __name__ == "__main__":
    main()
