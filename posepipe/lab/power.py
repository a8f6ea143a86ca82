"""How large a fault must be to be found: every rule of form on synthetic people, seen by simulated cameras.

The truth of a repetition is what the rule's measure says of the exact joints; what the camera's measure says beyond it
is its error. A fault of some size is found where size and error together pass the rule's error bar, as in judging: that
holds for whatever threshold the rule has. A fault of size 0 lies on the threshold; naming it is a false alarm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from posepipe.body.angles import joint_angles
from posepipe.body.motion import LABELS as VIEWS
from posepipe.body.motion import Motion, facing
from posepipe.doctor import package_versions
from posepipe.exercise.catalogue import Exercise, load_catalogue
from posepipe.exercise.count import count_exercise
from posepipe.exercise.filming import PLACES
from posepipe.exercise.form import FORM, rules_seen, view_of
from posepipe.exercise.labels import EXERCISES
from posepipe.lab.film import film, open_film
from posepipe.lab.layouts import bare_pose
from posepipe.lab.people.exercises.takes import ExerciseTake, make_exercise
from posepipe.reasons import Reason

__all__ = ["Judged", "evaluate_power", "power_rows"]

SEED = 931
"""Takes of this seed are in no pool."""
_REPS = 4
_SIGMA_M = 0.001
"""Of exact joints: angles need one."""
_SIZES_DEG = (10.0, 20.0, 30.0, 40.0, 50.0, 60.0)
"""Sizes of fault that are told."""
_FOUND = 0.8
"""Share from which a rule finds faults of a size."""
_LEAST = 5
"""Shares of fewer repetitions aren't told."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One rule on one repetition.

    Attributes:
        exercise, rule: names.
        error_deg: of the camera's measure towards the fault's side; NaN where it can't be judged.
        bar_deg: its error bar.
        wrong_view: whether the camera stood where the rule isn't judged from.
        place: of the camera, of `posepipe.exercise.filming.PLACES`; empty where the view isn't known.
    """

    exercise: str
    rule: str
    error_deg: float
    bar_deg: float
    wrong_view: bool = False
    place: str = ""

    def found(self, size_deg: float) -> bool:
        """Whether a fault of a size would be named."""
        return self.error_deg + size_deg > self.bar_deg


def evaluate_power(sets: int) -> dict[str, Any]:
    """Power and false alarms of every rule.

    Args:
        sets: synthetic sets of four repetitions, the exercises that have rules in turn.
    """
    found = list(_judged(sets))
    known = [item for item in found if np.isfinite(item.error_deg)]
    alarms = float(np.mean([item.found(0.0) for item in known])) if known else 0.0
    return {
        "metrics": {"judgements": float(len(known)), "false_alarms": alarms},
        "rows": power_rows(found),
        "versions": package_versions(("posepipe", "onnxruntime", "numpy")),
    }


def power_rows(found: Sequence[Judged]) -> list[dict[str, Any]]:
    """A row for each rule, over repetitions seen from its views: share judged, false alarms, share found by size.

    Of what can't be judged nothing is found. ``found from`` is the least size of which 80 % are, from all of its views
    and from each place that has some; where the rule isn't judged from a place the row has nothing there.
    """
    rows = []
    for key in sorted({(item.exercise, item.rule) for item in found}):
        mine = [item for item in found if (item.exercise, item.rule) == key and not item.wrong_view]
        row: dict[str, Any] = {"exercise": key[0], "rule": key[1], "repetitions": len(mine)}
        row["judged"] = _share([bool(np.isfinite(item.error_deg)) for item in mine])
        row["false alarms"] = _share([item.found(0.0) for item in mine])
        shares = {size: _share([item.found(size) for item in mine]) for size in _SIZES_DEG}
        row |= {f"found of {size:g}°": share for size, share in shares.items()}
        row["found from"] = _found_from(mine)
        row |= {place: _found_from([item for item in mine if item.place == place]) for place in PLACES}
        rows.append(row)
    return rows


def _found_from(mine: Sequence[Judged]) -> str:
    """The least size of which enough are found; a dash if none is, nothing where too few were seen to tell."""
    if len(mine) < _LEAST:
        return ""
    enough = [size for size in _SIZES_DEG if np.mean([item.found(size) for item in mine]) >= _FOUND]
    return f"{enough[0]:g}°" if enough else "–"


def _share(flags: Sequence[bool]) -> float | str:
    return float(np.mean(flags)) if len(flags) >= _LEAST else "–"


def _judged(sets: int) -> Iterator[Judged]:
    catalogue, stages = load_catalogue(), open_film()
    labels = [name for name in EXERCISES if catalogue[name].rules]
    for k in range(sets):
        exercise = catalogue[labels[k % len(labels)]]
        rng = np.random.default_rng([SEED, k])
        take = make_exercise(exercise.name, rng, reps=_REPS, context=0.0, cut=0.0, partial=0.0, fps_hz=20.0)
        pose = film(stages, take.time_s, take.positions, rng)
        if pose is None:
            continue
        seen = Motion.from_pose(pose, joint_angles(pose))
        truth = _exact(take)
        exact, yaw_deg = _everywhere(exercise), facing(pose)[0]
        for cycle in count_exercise(seen, exercise).reps:
            inside = (seen.time_s >= cycle.start_s) & (seen.time_s <= cycle.end_s)
            place = next((name for name, views in PLACES.items() if view_of(yaw_deg[inside]) in views), "")
            pairs = zip(exercise.rules, rules_seen(truth, exact, cycle), rules_seen(seen, exercise, cycle), strict=True)
            for rule, true, said in pairs:
                wrong_view = said.reason is Reason.WRONG_VIEW
                judged = not wrong_view and said.sigma_deg <= rule.max_sigma_deg
                error = said.value_deg - true.value_deg if judged else float("nan")
                error = error if rule.above_deg is not None else -error
                yield Judged(exercise.name, rule.code, error, FORM.sure * said.sigma_deg, wrong_view, place)


def _exact(take: ExerciseTake) -> Motion:
    """The joints as they were made, in a camera's axes."""
    xyz = take.positions[..., [0, 2, 1]] * np.array([1.0, -1.0, 1.0])
    pose = bare_pose((xyz - xyz[:, :1]).astype(np.float32), _SIGMA_M, take.time_s)
    return Motion.from_pose(pose, joint_angles(pose))


def _everywhere(exercise: Exercise) -> Exercise:
    """The same rules, judged from any side and whatever their sigma: the truth has neither."""
    rules = tuple(replace(rule, views=frozenset(VIEWS), max_sigma_deg=360.0) for rule in exercise.rules)
    return replace(exercise, rules=rules)
