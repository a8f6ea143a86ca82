"""How firm counts are: made sets beside the same ones changed by less than anybody would see.

A detector on another processor, a network in int8, a film begun a moment later: such changes move keypoints by a part
of their error. Who counts well and stands on a threshold counts something else then. ``same`` is the share of pairs of
a set and its change with the same count and the same exercise, ``within_one`` of those whose counts differ by at most
one; ``exact`` and ``off_by_one`` are against the truth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.body.angles import joint_angles
from posepipe.body.motion import Motion
from posepipe.doctor import package_versions
from posepipe.exercise.analyse import analyse_exercise
from posepipe.exercise.catalogue import load_catalogue
from posepipe.exercise.labels import EXERCISES, OTHER
from posepipe.exercise.recognise import Recogniser
from posepipe.exercise.types import ExerciseResult
from posepipe.lab.counter.data import counted_takes, ended
from posepipe.lab.film import Film, filmed, lifted, open_film
from posepipe.lab.people.exercises.move import wander
from posepipe.lab.people.exercises.takes import gym_counted, make_exercise
from posepipe.types import Camera, KeypointTrack, PoseTrack

__all__ = ["FIRM_SEED", "Set", "evaluate_firm", "firm_sets", "told"]

Array = NDArray[np.float64]

FIRM_SEED = 9611
"""Of made sets; takes of this seed are in no pool."""
_MOST_REPS = 9.0
_LEAST_FRAMES = 30
_AROUND_SHARE = 0.5
_JITTER = 0.1
"""Of a keypoint's sigma."""
_ZOOM = 1.01
_DRIFT_M, _DRIFT_S = 0.004, 0.6
_LATER = 1.0 / 3.0
"""Of a frame."""


@dataclass(frozen=True, slots=True)
class Set:
    """A made clip and its changes.

    Attributes:
        name: of the clip.
        true: whole repetitions.
        whole: as it is.
        changed: by the name of the change.
    """

    name: str
    true: int
    whole: Motion
    changed: dict[str, Motion]


def firm_sets(sets: int, seed: int = FIRM_SEED) -> Iterator[Set]:
    """Short sets of known exercises, every sixth of another one, in turn with sets of any length among other things.

    Args:
        sets: how many.
        seed: of all chance.
    """
    stages = open_film()
    takes = counted_takes(sets, seed)
    around = counted_takes(sets, seed + 1000, nothing=True)
    for k in range(sets):
        rng = np.random.default_rng([seed, 13, k])
        if k % 2:
            take = next(takes)
            time_s, xyz, bounds = ended(take, rng)
            true = len(bounds)
            parts = [_film(time_s, xyz, rng)]
            for after in (False, True):
                if rng.random() < _AROUND_SHARE:
                    other = _film(*ended(next(around), rng)[:2], rng)
                    parts = [*parts, other] if after else [other, *parts]
        else:
            number, names = k // 2, [name for name in EXERCISES if name != "plank"]
            label = names[number % len(names)] if number % 6 else OTHER
            take = make_exercise(
                label, rng, reps=round(float(np.exp(rng.uniform(0.0, np.log(_MOST_REPS))))),
                fps_hz=float(rng.choice([24, 30])), context=0.4, cut=0.1, rest=0.1,
                noise_deg=float(rng.uniform(0.3, 3.0)), tempo=float(np.exp(rng.normal(0.0, 0.3))),
                factory=gym_counted if label == OTHER else None,
            )  # fmt: skip
            true = int(take.rep_complete.sum())
            parts = [_film(take.time_s, take.positions, rng)]
        seen = [part for part in parts if part is not None]
        if len(seen) == len(parts):
            yield _changes(f"{k} {take.label}: {take.variant}", true, seen, stages, rng)


def _film(time_s: Array, xyz: Array, rng: np.random.Generator) -> tuple[KeypointTrack, Camera] | None:
    return filmed(time_s, xyz, rng) if len(time_s) >= _LEAST_FRAMES else None


def _changes(
    name: str, true: int, parts: Sequence[tuple[KeypointTrack, Camera]], stages: Film, rng: np.random.Generator
) -> Set:
    whole = _joined([lifted(stages, *part) for part in parts])
    jittered = [(_jittered(track, rng), lens) for track, lens in parts]
    zoomed = [(_zoomed(track, lens), lens) for track, lens in parts]
    return Set(name, true, _motion(whole), {
        "jitter": _motion(_joined([lifted(stages, *part) for part in jittered])),
        "zoom": _motion(_joined([lifted(stages, *part) for part in zoomed])),
        "drift": _motion(_drifted(whole, rng)),
        "later": _motion(_later(whole)),
    })  # fmt: skip


def _motion(pose: PoseTrack) -> Motion:
    return Motion.from_pose(pose, joint_angles(pose))


def _jittered(track: KeypointTrack, rng: np.random.Generator) -> KeypointTrack:
    noise = _JITTER * track.sigma_px[..., None] * rng.standard_normal(track.xy_px.shape)
    return replace(track, xy_px=(track.xy_px + noise).astype(np.float32))


def _zoomed(track: KeypointTrack, lens: Camera) -> KeypointTrack:
    middle = 0.5 * np.array([lens.width_px, lens.height_px])
    xy = (middle + _ZOOM * (track.xy_px - middle)).astype(np.float32)
    return replace(track, xy_px=xy, sigma_px=(_ZOOM * track.sigma_px).astype(np.float32))


def _drifted(pose: PoseTrack, rng: np.random.Generator) -> PoseTrack:
    shape = pose.xyz_m.shape
    drift = _DRIFT_M * wander(rng, pose.time_s, shape[1] * shape[2], _DRIFT_S).reshape(shape)
    return replace(pose, xyz_m=(pose.xyz_m + drift).astype(np.float32))


def _later(pose: PoseTrack) -> PoseTrack:
    """What frames a third of a frame later would show, at the same times; the last frame has none."""

    def between(x: NDArray[Any]) -> NDArray[Any]:
        return np.asarray((1.0 - _LATER) * x[:-1] + _LATER * x[1:], x.dtype)

    parts: dict[str, Any] = {name: between(getattr(pose, name)) for name in _BLENDED}
    seen, filled = pose.valid[:-1] & pose.valid[1:], pose.interpolated[:-1]
    return replace(pose, time_s=pose.time_s[:-1], valid=seen, interpolated=filled, **parts)


_BLENDED = ("xyz_m", "sigma_m", "root_m", "root_sigma_m")


def _joined(parts: Sequence[PoseTrack]) -> PoseTrack:
    """One after another, as a cut does it."""
    out = parts[0]
    for pose in parts[1:]:
        gap_s = float(np.median(np.diff(out.time_s)))
        time_s = np.concatenate([out.time_s, pose.time_s - pose.time_s[0] + out.time_s[-1] + gap_s])
        names = (*_BLENDED, "valid", "interpolated")
        both = (np.concatenate([getattr(out, name), getattr(pose, name)]) for name in names)
        out = PoseTrack(out.layout, time_s, *both)
    return out


def told(result: ExerciseResult) -> tuple[int, str]:
    """What one reads first: the count, and the exercise with most repetitions, the longest of those held, or none."""
    best = max(result.bouts, key=lambda bout: (len(bout.reps), bout.end_s - bout.start_s), default=None)
    return result.reps_total, best.label if best is not None else ""


def evaluate_firm(sets: int, seed: int = FIRM_SEED) -> dict[str, Any]:
    """Whether made sets and their changes count and are called the same, and how often rightly.

    Args:
        sets: see `firm_sets`.
        seed: of all chance.
    """
    recogniser, catalogue = Recogniser(), load_catalogue()
    found = []
    for one in firm_sets(sets, seed):
        motions = {"": one.whole, **one.changed}
        results = {name: analyse_exercise(motion, recogniser, catalogue) for name, motion in motions.items()}
        found.append(_Counts(one.true, results))
    changes = (*(name for name in found[0].results if name), "all")
    return {
        "metrics": {"sets": float(len(found)), **_right(found)},
        "rows": [{"change": change, **_same(found, change)} for change in changes],
        "versions": package_versions(("posepipe", "onnxruntime", "numpy")),
    }


@dataclass(frozen=True, slots=True)
class _Counts:
    """Of one set, as it is ("") and by change."""

    true: int
    results: dict[str, ExerciseResult]


def _same(found: Sequence[_Counts], change: str) -> dict[str, float]:
    pairs = [
        (told(one.results[""]), told(done))
        for one in found
        for name, done in one.results.items()
        if name and change in (name, "all")
    ]
    return {
        "pairs": len(pairs),
        "same": float(np.mean([a == b for a, b in pairs])),
        "same_count": float(np.mean([a[0] == b[0] for a, b in pairs])),
        "same_name": float(np.mean([a[1] == b[1] for a, b in pairs])),
        "within_one": float(np.mean([abs(a[0] - b[0]) <= 1 for a, b in pairs])),
    }


def _right(found: Sequence[_Counts]) -> dict[str, float]:
    """Against the truth, of the sets and all their changes."""
    off = np.array([abs(done.reps_total - one.true) for one in found for done in one.results.values()])
    return {"exact": float((off == 0).mean()), "off_by_one": float((off <= 1).mean())}
