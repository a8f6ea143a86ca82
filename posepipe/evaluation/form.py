"""Form measured: repetitions of a rehabilitation set, done well and deliberately badly.

``auroc`` of a movement: how often a faulty repetition deviates more than a correct one of the same people. Each
repetition is found by posepipe itself in its recording.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.doctor import package_versions
from posepipe.errors import InputError
from posepipe.evaluation.layouts import to_layout
from posepipe.exercise.catalogue import load_catalogue
from posepipe.exercise.quality import MIDDLE, MOVEMENTS, SIDED, QualityModel, features_of
from posepipe.exercise.repeats import cycles, extremes
from posepipe.exercise.signal import Measure, low_pass, measure
from posepipe.motion.angles import joint_angles
from posepipe.motion.clip import Motion
from posepipe.skeleton import BODY21, H36M17
from posepipe.types import PoseTrack

__all__ = ["RepSet", "auroc", "evaluate_form", "read_reps"]

Array = NDArray[np.float64]

_SIGMA_M = 0.005
_EDGE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class RepSet:
    """Repetitions of all movements.

    Attributes:
        features: (N, FEATURE_COUNT).
        movement, subject: (N,) names.
        faulty: (N,) bool.
    """

    features: Array
    movement: NDArray[np.str_]
    subject: NDArray[np.str_]
    faulty: NDArray[np.bool_]


def evaluate_form(path: Path) -> dict[str, Any]:
    """AUROC of correct against faulty repetitions, for every movement in a file.

    Args:
        path: ``npz`` of motion capture with UI-PRMD sequences (names start ``ui_m01_``; faulty ones end ``_inc``).

    Raises:
        InputError: it holds none.
    """
    reps = read_reps(path)
    model = QualityModel()
    rows = score_rows(reps, lambda movement, x: model.deviation(movement, x))
    metrics = {"auroc": float(np.mean([row["auroc"] for row in rows])), "movements": float(len(rows))}
    return {"metrics": metrics, "rows": rows, "versions": package_versions(("posepipe", "onnxruntime", "numpy"))}


def score_rows(reps: RepSet, deviation: Callable[[str, Array], Array]) -> list[dict[str, Any]]:
    """A row for each movement with both kinds of repetitions."""
    rows: list[dict[str, Any]] = []
    for movement in MOVEMENTS:
        mine = reps.movement == movement
        faulty = reps.faulty[mine]
        if not mine.any() or faulty.all() or not faulty.any():
            continue
        value = auroc(deviation(movement, reps.features[mine]), faulty)
        people = len(set(reps.subject[mine].tolist()))
        rows.append(
            {
                "movement": movement,
                "people": people,
                "correct": int((~faulty).sum()),
                "faulty": int(faulty.sum()),
                "auroc": value,
            }
        )
    return rows


def auroc(score: Array, positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve; ties count half."""
    high, low = score[positive][:, None], score[~positive][None, :]
    return float(((high > low) + 0.5 * (high == low)).mean())


def read_reps(path: Path) -> RepSet:
    """All UI-PRMD repetitions of a file.

    Raises:
        InputError: it isn't such a file.
    """
    if not path.is_file():
        raise InputError("no such file", where=str(path), hint="Give an npz of motion capture")
    with np.load(path) as file:
        if not {"positions", "seq_start", "seq_name", "fps"} <= set(file.files):
            raise InputError(
                "holds no motion capture", where=str(path), hint="Expected positions seq_start seq_name fps"
            )
        names = [str(name) for name in file["seq_name"]]
        chosen = [i for i, name in enumerate(names) if name.startswith("ui_m")]
        if not chosen:
            raise InputError("holds no UI-PRMD repetition", where=str(path), hint="Sequence names start with ui_m01_")
        positions, start, fps = file["positions"], file["seq_start"], file["fps"]
    parts = [positions[start[i] : start[i + 1]] for i in chosen]
    seen = _measures(np.concatenate(parts))
    edges = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
    rows = []
    for k, i in enumerate(chosen):
        part = slice(int(edges[k]), int(edges[k + 1]))
        movement = MOVEMENTS[int(names[i].split("_")[1][1:]) - 1]
        own = {name: Measure(name, item.deg[part], item.sigma_deg[part]) for name, item in seen.items()}
        time_s = np.arange(len(parts[k])) / float(fps[i])
        rows.append(features_of(time_s, own, *_span(time_s, own, movement))[0])
    words = [names[i].split("_") for i in chosen]
    return RepSet(
        np.nan_to_num(np.array(rows)),
        np.array([MOVEMENTS[int(word[1][1:]) - 1] for word in words]),
        np.array([word[2] for word in words]),
        np.array([word[-1] == "inc" for word in words]),
    )


def _measures(positions: NDArray[np.float32]) -> Mapping[str, Measure]:
    """Every measure of sequences laid end to end."""
    xyz = to_layout(positions, H36M17.joints, BODY21)
    xyz = np.stack([xyz[..., 0], -xyz[..., 2], xyz[..., 1]], axis=-1)  # z up to y down
    xyz = (xyz - xyz[:, :1]).astype(np.float32)
    valid = np.isfinite(xyz).all(axis=-1)
    blank = np.full((len(xyz), 3), np.nan, np.float32)
    pose = PoseTrack(
        layout=BODY21,
        time_s=np.arange(len(xyz), dtype=np.float64),
        xyz_m=xyz,
        sigma_m=np.where(valid, np.float32(_SIGMA_M), np.float32(np.nan)),
        root_m=blank,
        root_sigma_m=blank,
        valid=valid,
        interpolated=np.zeros_like(valid),
    )
    motion = Motion.from_pose(pose, joint_angles(pose))
    return {name: measure(motion, name) for name in (*SIDED, *MIDDLE)}


def _span(time_s: Array, seen: Mapping[str, Measure], movement: str) -> tuple[float, float]:
    """Where the repetition lies in its recording: the largest excursion of the movement's signal."""
    exercise = load_catalogue().get(movement)
    whole = float(time_s[0]), float(time_s[-1])
    if exercise is None or exercise.signal not in seen:
        return whole
    deg = np.nan_to_num(seen[exercise.signal].deg)
    side = int(np.ptp(deg, axis=0).argmax())
    curve = low_pass(deg[:, side] * (1 if exercise.start == "low" else -1), float(np.median(np.diff(time_s))), 4.0)
    found = cycles(extremes(curve, 0.4 * float(np.ptp(curve))), 1)
    if not len(found):
        return whole
    first, turn, last = max(found.tolist(), key=lambda row: curve[row[1]])
    low, high = curve[first] + _EDGE * (curve[turn] - curve[first]), curve[last] + _EDGE * (curve[turn] - curve[last])
    start = turn - int(np.argmax(curve[first : turn + 1][::-1] <= low))
    end = turn + int(np.argmax(curve[turn : last + 1] <= high))
    return float(time_s[start]), float(time_s[end])


def leave_one_out(reps: RepSet, fit: Callable[[Array], tuple[Array, Array]]) -> Sequence[float]:
    """AUROC of each movement averaged over people, each judged by the correct repetitions of the others.

    Args:
        reps: of several people.
        fit: correct repetitions (N, D) to mean and spread.
    """
    found = []
    for movement in MOVEMENTS:
        values = []
        for subject in sorted(set(reps.subject.tolist())):
            mine = reps.movement == movement
            others = mine & (reps.subject != subject) & ~reps.faulty
            own = mine & (reps.subject == subject)
            if not others.any() or reps.faulty[own].all() or not reps.faulty[own].any():
                continue
            mean, spread = fit(reps.features[others])
            distance = (((reps.features[own] - mean) / spread) ** 2).mean(axis=1)
            values.append(auroc(distance, reps.faulty[own]))
        if values:
            found.append(float(np.mean(values)))
    return found
