"""Repetition counting measured: counted poses, filmed clips, and synthetic sets that nothing was trained on.

The exercise isn't told: what counts is what ``posepipe analyze`` says.

``rep_mae`` is the mean of ``|counted - true| / (true + 1e-9)`` over clips with repetitions, ``rep_obo`` the share
off by at most one, ``rep_exact`` the share that is right. Clips whose true count is 0 have no relative error; they
count in the other two, and in ``false_counts``: the share of clips without repetitions in which some were counted.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.body.angles import joint_angles
from posepipe.body.motion import Motion
from posepipe.doctor import package_versions
from posepipe.errors import InputError
from posepipe.exercise.analyse import analyse_exercise
from posepipe.exercise.catalogue import load_catalogue
from posepipe.exercise.count import COUNT, CountSettings, count_exercise
from posepipe.exercise.labels import EXERCISES
from posepipe.exercise.recognise import Recogniser
from posepipe.exercise.repeats import REPEAT, Pace, PaceModel, RepeatSettings, count_any, paced_repeats
from posepipe.lab.counter.data import counted_takes, ended
from posepipe.lab.counter.web import WEB, web_poses
from posepipe.lab.film import Film, centred, film, open_film
from posepipe.lab.layouts import bare_pose, to_layout, to_metres, to_z_up, without_angles
from posepipe.lab.metrics import bootstrap_ci
from posepipe.lab.people.exercises.takes import ExerciseTake, make_exercise
from posepipe.lab.recogniser.measure import filmed_motion
from posepipe.settings import settings_of
from posepipe.skeleton import BLAZEPOSE33, BODY21, conversion
from posepipe.types import Angles

__all__ = ["evaluate_made", "evaluate_reps", "sweep"]

_STILL = ("walking",)
_BONE_M = 0.3
"""A mean bone, for files in body units."""
_SIGMA_M = 0.03
SETS_SEED, AROUND_SEED, TOLD_SEED = 911, 912, 921
"""Takes of these seeds are in no pool."""
CHOSEN_SEED = 913
"""Of the sets that settings were chosen on."""
NOTHING_SEED = 914
"""Of walks, everyday movement, dances and planks beside them."""
WEB_SEED = 946
"""Of sets as web videos show them."""
_AROUND_SHARE = 0.5
_LEAST_FRAMES = 30
_MOST_REPS = 15.0
_FACTORS = (0.7, 1.0, 1.4)

Told = tuple[str, int, Motion, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Counts:
    """One clip.

    Attributes:
        name: of the clip.
        label: what it shows, by the file's own name.
        true: repetitions; None where none were counted by hand because the movement has none.
        counted: by posepipe.
    """

    name: str
    label: str
    true: int | None
    counted: int


def evaluate_reps(path: Path, results: Path | None = None) -> dict[str, Any]:
    """Count the repetitions of an ``npz`` of poses, or of a folder of videos with a ``videos.csv``.

    Args:
        path: the file or folder.
        results: see `posepipe.lab.recogniser.measure.filmed_motion`.

    Raises:
        InputError: neither, or without counts.
    """
    clips = list(_filmed(path, results) if path.is_dir() else _posed(path))
    metrics, rows = count_metrics(clips)
    return {
        "metrics": metrics | intervals(clips),
        "rows": rows,
        "versions": package_versions(("posepipe", "numpy", "scipy")),
    }


def count_metrics(clips: Sequence[Counts]) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Metrics over clips, a row for each label, and one for each clip that is off."""
    told = [clip for clip in clips if clip.true is not None]
    metrics = _metrics(told)
    # Walking and empty scenes have no repetitions; of other movements without a count nobody says that they have none.
    silent = [clip for clip in clips if clip.true == 0 or (clip.true is None and clip.label in _STILL)]
    if silent:
        metrics["false_counts"] = float(np.mean([clip.counted > 0 for clip in silent]))
    metrics["clips"] = float(len(told))
    rows: list[dict[str, Any]] = []
    for label in sorted({clip.label for clip in told}):
        part = [clip for clip in told if clip.label == label]
        rows.append({"label": label, "clips": len(part), **_metrics(part)})
    off = [clip for clip in told if clip.true != clip.counted]
    rows += [{"clip": c.name, "label": c.label, "true": c.true, "counted": c.counted} for c in off]
    return metrics, rows


def _metrics(clips: Sequence[Counts]) -> dict[str, float]:
    if not clips:
        return {}
    true = np.array([clip.true for clip in clips], float)
    error = np.abs(np.array([clip.counted for clip in clips]) - true)
    some = true > 0
    out = {"rep_mae": float(np.mean(error[some] / (true[some] + 1e-9)))} if some.any() else {}
    return {**out, "rep_obo": float((error <= 1).mean()), "rep_exact": float((error == 0).mean())}


def intervals(clips: Sequence[Counts]) -> dict[str, float]:
    """95 % bootstrap intervals over clips with repetitions, ``…_low`` and ``…_high``; empty for one clip."""
    some = [clip for clip in clips if clip.true]
    if len(some) < 2:
        return {}
    true = np.array([clip.true for clip in some], float)
    error = np.abs(np.array([clip.counted for clip in some]) - true)
    names = np.array([str(k) for k in range(len(some))])
    out = {}
    for name, values in (("mae", error / true), ("obo", error <= 1), ("exact", error == 0)):
        out[f"rep_{name}_low"], out[f"rep_{name}_high"] = bootstrap_ci(values.astype(float), names)
    return out


def _posed(path: Path) -> Iterator[Counts]:
    recogniser = Recogniser()
    for name, label, true, motion in pose_motions(path):
        yield Counts(name, label, true, reps_counted(motion, recogniser))


def reps_counted(motion: Motion | None, recogniser: Recogniser) -> int:
    """Repetitions of a clip's main subject as the pipeline counts them; 0 where nobody is seen."""
    return analyse_exercise(motion, recogniser).reps_total if motion is not None else 0


def pose_motions(path: Path) -> Iterator[tuple[str, str, int, Motion]]:
    """Clips of an ``npz`` with ``kp layout offsets label name fps rep_count``, as motions.

    Raises:
        InputError: it can't be read, or lacks one of these.
    """
    if not path.is_file():
        raise InputError("no such file or folder", where=str(path))
    with np.load(path) as file:
        data = {name: file[name] for name in file.files}
    needed = {"kp", "layout", "offsets", "label", "name", "fps", "rep_count"}
    if not needed <= set(data) or data["kp"].shape[-1] != 3:
        raise InputError(
            "holds no counted repetitions", where=str(path), hint=f"Expected {' '.join(sorted(needed))}, kp in 3D"
        )
    stages = open_film()
    for k in range(len(data["offsets"]) - 1):
        part = slice(int(data["offsets"][k]), int(data["offsets"][k + 1]))
        motion = _motion(data, data["kp"][part].astype(np.float32), float(data["fps"][k]), stages)
        yield str(data["name"][k]), str(data["label"][k]), int(data["rep_count"][k]), motion


def _motion(data: Mapping[str, NDArray[Any]], kp: NDArray[np.float32], fps_hz: float, stages: Film) -> Motion:
    """3D joints of a file as a motion in a camera's axes; what a picture's detector made is lifted anew.

    Such a detector's depth is a guess, in no unit, and where the size of a pose is told by its bones the guess makes it
    breathe. What the pipeline would make of the same joints is made of their place in the picture alone.
    """
    names = [str(name) for name in data["layout"]]
    if tuple(names) == BLAZEPOSE33.joints:
        xyz = np.einsum("ij,fjd->fid", conversion(BLAZEPOSE33, BODY21), kp)
    else:
        xyz = to_layout(kp, names, BODY21) if np.isfinite(kp).any() else np.full((len(kp), len(BODY21), 3), np.nan)
    try:
        scale = to_metres(str(data["units"]))
    except (InputError, KeyError):
        scale = _BONE_M
    time_s, axes = np.arange(len(xyz)) / fps_hz, str(data["axes"]).lower()
    if "camera" in axes and "y down" in axes:
        flat = centred(stages, time_s, (xyz - xyz[:, :1])[..., :2] * scale / _BONE_M, _SIGMA_M / _BONE_M)
        return Motion.from_pose(flat, joint_angles(flat))
    # z up to y down, as a camera sees it.
    turn = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]) @ to_z_up(str(data["axes"]))
    xyz = ((xyz - xyz[:, :1]) * scale @ turn.T).astype(np.float32)
    pose = bare_pose(xyz, _SIGMA_M, time_s)
    return Motion.from_pose(pose, joint_angles(pose))


def _filmed(folder: Path, results: Path | None) -> Iterator[Counts]:
    """Every clip through the pipeline; the main subject's repetitions."""
    table = folder / "videos.csv"
    if not table.is_file():
        raise InputError("no videos.csv", where=str(folder), hint="It needs the columns file, label and reps")
    with table.open(encoding="utf-8", newline="") as file:
        listed = list(csv.DictReader(file))
    if not listed or "reps" not in listed[0]:
        raise InputError("lists no counted clip", where=str(table), hint="It needs the columns file, label and reps")
    motion_of, recogniser = filmed_motion(results), Recogniser()
    for row in listed:
        true = int(row["reps"]) if row["reps"].strip() else None
        nobody = row.get("persons", "").strip() == "0"
        counted = reps_counted(motion_of(folder / row["file"]), recogniser)
        yield Counts(row["file"], row["label"], 0 if nobody else true, counted)


def made_clips(sets: int, seed: int = SETS_SEED) -> Iterator[tuple[str, int, Motion]]:
    """What each clip shows, its whole repetitions, and the motion as the pipeline would see it."""
    stages = open_film()
    around = counted_takes(2 * sets, AROUND_SEED if seed == SETS_SEED else seed + 1000, nothing=True)
    for k, take in enumerate(counted_takes(sets, seed)):
        rng = np.random.default_rng([seed, 12, k])
        seen = _seen(take, stages, rng)
        if seen is None:
            continue
        motion, count = seen
        for after in (False, True):
            if rng.random() < _AROUND_SHARE and (other := _seen(next(around), stages, rng)) is not None:
                motion = _joined(motion, other[0]) if after else _joined(other[0], motion)
        yield f"{take.label}: {take.variant}", count, motion


def web_clips(sets: int, seed: int = WEB_SEED) -> Iterator[tuple[str, int, Motion, tuple[str, ...]]]:
    """Made sets as web videos show them: what, whole repetitions, motion, and which of `web.WEB` happened."""
    stages = open_film()
    for k, take in enumerate(counted_takes(sets, seed, web=True)):
        rng = np.random.default_rng([seed, 12, k])
        time_s, xyz, bounds = ended(take, rng)
        seen = web_poses(stages, time_s, xyz, rng) if len(time_s) >= _LEAST_FRAMES else None
        if seen is not None:
            pose, told = seen
            yield take.label, len(bounds), Motion.from_pose(pose, joint_angles(pose)), told


def told_clips(sets: int) -> Iterator[Told]:
    """Known exercises in turn: label, whole repetitions, motion, and when the set begins and ends."""
    stages = open_film()
    labels = [name for name in EXERCISES if name != "plank"]
    for k in range(sets):
        label = labels[k % len(labels)]
        rng = np.random.default_rng([TOLD_SEED, EXERCISES.index(label), k // len(labels)])
        take = make_exercise(
            label,
            rng,
            reps=round(float(np.exp(rng.uniform(0.0, np.log(_MOST_REPS))))),
            fps_hz=float(rng.choice([15, 24, 30])),
            context=0.5,
            rest=0.1,
            noise_deg=float(rng.uniform(0.3, 3.0)),
            tempo=float(np.exp(rng.normal(0.0, 0.3))),
        )
        pose = film(stages, take.time_s, take.positions, rng)
        if pose is not None:
            yield label, int(take.rep_complete.sum()), Motion.from_pose(pose, joint_angles(pose)), take.set_bounds


def evaluate_made(sets: int) -> dict[str, Any]:
    """Metrics of every way of counting; of sets as web videos show them also by what happened to them."""
    recogniser, catalogue = Recogniser(), load_catalogue()
    found = [(name, true, len(count_any(m)), reps_counted(m, recogniser)) for name, true, m in made_clips(sets)]
    told = [(label, true, len(count_exercise(m, catalogue[label], span))) for label, true, m, span in told_clips(sets)]
    counts = {
        "any": [Counts(name, name, true, counted) for name, true, counted, _ in found],
        "pipeline": [Counts(name, name, true, counted) for name, true, _, counted in found],
        "told": [Counts(name, name, true, counted) for name, true, counted in told],
    }
    web = [(label, true, reps_counted(m, recogniser), names) for label, true, m, names in web_clips(sets)]
    counts["web"] = [Counts(label, label, true, counted) for label, true, counted, _ in web]
    for name in WEB:
        mine = [Counts(label, label, true, counted) for label, true, counted, names in web if name in names]
        counts[f"web, {name}"] = mine
    return {
        "metrics": {"without_repetitions": float(sum(true == 0 for _, true, _, _ in found))},
        "rows": [{"counter": kind, **count_metrics(clips)[0]} for kind, clips in counts.items() if clips],
        "versions": package_versions(("posepipe", "onnxruntime", "numpy")),
    }


def sweep(sets: int) -> dict[str, Any]:
    """Share of exact counts with each setting as it is, 0.7 times and 1.4 times as large; and of counts of nothing."""
    catalogue, model = load_catalogue(), PaceModel()
    told = list(told_clips(sets))
    made = [(true, m, model.read(m)) for _, true, m in made_clips(sets, CHOSEN_SEED)]
    stages, rng = open_film(), np.random.default_rng(NOTHING_SEED)
    still = [_seen(take, stages, rng) for take in counted_takes(sets, NOTHING_SEED, nothing=True)]
    made += [(0, seen[0], model.read(seen[0])) for seen in still if seen is not None]

    def counted(settings: CountSettings) -> tuple[float, float]:
        right = [len(count_exercise(m, catalogue[label], span, settings)) == true for label, true, m, span in told]
        return float(np.mean(right)), float("nan")

    def repeated(settings: RepeatSettings) -> tuple[float, float]:
        found = [(true, _clear(m, pace, settings)) for true, m, pace in made]
        exact = float(np.mean([true == count for true, count in found if true]))
        return exact, float(np.mean([count > 0 for true, count in found if not true]))

    rows = [*_swept(COUNT, counted), *_swept(REPEAT, repeated)]
    return {"metrics": {"told": float(len(told)), "made": float(len(made))}, "rows": rows}


def _clear(motion: Motion, pace: Pace | None, settings: RepeatSettings) -> int:
    if pace is None:
        return 0
    return len(count_any(motion, steady=True, found=paced_repeats(motion, pace, settings), settings=settings))


def _swept(base: Any, measured: Callable[[Any], tuple[float, float]]) -> Iterator[dict[str, Any]]:
    usual = measured(base)
    for item in settings_of(type(base)):
        row: dict[str, Any] = {"settings": type(base).__name__, "name": item.name, "value": item.value}
        for factor in _FACTORS:
            value = type(item.value)(round(item.value * factor, 6))
            exact, false = usual if factor == 1.0 else measured(replace(base, **{item.name: value}))
            row[f"exact x{factor:g}"] = exact
            if np.isfinite(false):
                row[f"false x{factor:g}"] = false
        yield row


def _seen(take: ExerciseTake, stages: Film, rng: np.random.Generator) -> tuple[Motion, int] | None:
    time_s, xyz, bounds = ended(take, rng)
    pose = film(stages, time_s, xyz, rng) if len(time_s) >= _LEAST_FRAMES else None
    if pose is None:
        return None
    return without_angles(pose), len(bounds)


def _joined(first: Motion, second: Motion) -> Motion:
    """One after the other, as a cut does it."""
    gap_s = float(np.median(np.diff(first.time_s)))
    time_s = np.concatenate([first.time_s, second.time_s - second.time_s[0] + first.time_s[-1] + gap_s])
    parts: dict[str, Any] = {
        name: np.concatenate([getattr(first, name), getattr(second, name)])
        for name in ("xyz_m", "sigma_m", "valid", "root_m")
    }
    empty = np.zeros((len(time_s), 0), np.float32)
    return replace(first, time_s=time_s, angles=Angles((), empty, empty), **parts)
