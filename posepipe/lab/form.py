"""The form model: what UI-PRMD's correct repetitions look like, and whether faulty ones stand out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from posepipe.body.angles import joint_angles
from posepipe.body.motion import Motion
from posepipe.doctor import installed
from posepipe.errors import InputError
from posepipe.exercise.catalogue import load_catalogue
from posepipe.exercise.form import FEATURE_COUNT, MIDDLE, MOVEMENTS, SIDED, QualityModel, features_of
from posepipe.exercise.signal import Measure, low_pass, measure
from posepipe.lab.layouts import bare_pose, to_layout
from posepipe.lab.metrics import auroc
from posepipe.skeleton import BODY21, H36M17
from posepipe.weights import sha256_of, write_card

__all__ = ["evaluate_form", "make_form"]

Array = NDArray[np.float64]

_SIGMA_M = 0.005
_EDGE = 0.1
_PROMINENCE = 0.4
FLOOR_DEG = 6.0
"""Spread added to that of the correct repetitions: what a camera's angles can't resolve anyway."""


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
    return {"metrics": metrics, "rows": rows, "versions": installed(("posepipe", "onnxruntime", "numpy"))}


def score_rows(reps: RepSet, deviation: Callable[[str, Array], Array]) -> list[dict[str, Any]]:
    """A row for each movement with both kinds of repetitions."""
    rows: list[dict[str, Any]] = []
    for movement in MOVEMENTS:
        mine = reps.movement == movement
        faulty = reps.faulty[mine]
        if not mine.any() or faulty.all() or not faulty.any():
            continue
        value = auroc(faulty, deviation(movement, reps.features[mine]))
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
    pose = bare_pose(xyz, _SIGMA_M, np.arange(len(xyz), dtype=np.float64))
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
    turns, _ = find_peaks(curve, prominence=_PROMINENCE * float(np.ptp(curve)))
    if not len(turns):
        return whole
    k = int(curve[turns].argmax())
    turn, before, after = int(turns[k]), [0, *turns[:k]][-1], [*turns[k + 1 :], len(curve) - 1][0]
    first, last = before + int(curve[before:turn].argmin()), turn + int(curve[turn : after + 1].argmin())
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
            values.append(auroc(reps.faulty[own], distance))
        if values:
            found.append(float(np.mean(values)))
    return found


def fit(correct: Array) -> tuple[Array, Array]:
    """Mean and spread (D,) of correct repetitions (N, D)."""
    return correct.mean(axis=0), np.sqrt(correct.var(axis=0) + FLOOR_DEG**2)


def make(train: RepSet, out: Path) -> None:
    """Fit every movement and write the ONNX file."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    means, spreads, edges = [], [], []
    for movement in MOVEMENTS:
        mine = (train.movement == movement) & ~train.faulty
        mean, spread = fit(train.features[mine])
        means.append(mean)
        spreads.append(spread)
        edges.append(_edge(train, movement))
    constants = {
        "mean": np.array(means)[None],
        "spread": np.array(spreads)[None],
        "edge": np.array(edges)[None],
        "axis": np.array([1], np.int64),
        "last": np.array([2], np.int64),
    }
    nodes = [
        helper.make_node("Unsqueeze", ["repetition", "axis"], ["row"]),
        helper.make_node("Sub", ["row", "mean"], ["off"]),
        helper.make_node("Div", ["off", "spread"], ["z"]),
        helper.make_node("Mul", ["z", "z"], ["square"]),
        helper.make_node("ReduceMean", ["square", "last"], ["distance"], keepdims=0),
        helper.make_node("Div", ["distance", "edge"], ["deviation"]),
    ]
    graph = helper.make_graph(
        nodes,
        "form",
        [helper.make_tensor_value_info("repetition", TensorProto.FLOAT, ["B", FEATURE_COUNT])],
        [helper.make_tensor_value_info("deviation", TensorProto.FLOAT, ["B", len(MOVEMENTS)])],
        [
            numpy_helper.from_array(value if value.dtype == np.int64 else value.astype(np.float32), name)
            for name, value in constants.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(model.SerializeToString())


def _edge(train: RepSet, movement: str) -> float:
    """What one correct repetition in twenty exceeds, each person judged by the others."""
    distances: list[float] = []
    for subject in sorted(set(train.subject.tolist())):
        correct = (train.movement == movement) & ~train.faulty
        own, others = correct & (train.subject == subject), correct & (train.subject != subject)
        if own.any() and others.any():
            mean, spread = fit(train.features[others])
            distances += (((train.features[own] - mean) / spread) ** 2).mean(axis=1).tolist()
    return float(np.percentile(distances, 95))


def make_form(data: Path, out: Path) -> dict[str, Any]:
    """Fit, measure, write form.onnx and its card.

    Args:
        data: folder with train.npz and val.npz.
        out: folder of models.

    Returns:
        The card's metrics.
    """
    train, held_out = read_reps(data / "train.npz"), read_reps(data / "val.npz")
    path = out / "form.onnx"
    make(train, path)
    rows = score_rows(held_out, QualityModel(path).deviation)
    every = RepSet(*(np.concatenate([getattr(train, f), getattr(held_out, f)]) for f in RepSet.__slots__))
    metrics = {
        "held_out_auroc": round(float(np.mean([row["auroc"] for row in rows])), 4),
        "leave_one_out_auroc": round(float(np.mean(leave_one_out(every, fit))), 4),
        "people": len(set(train.subject.tolist())),
        "repetitions": int((~train.faulty).sum()),
    }
    card = {
        "name": "form",
        "file": path.name,
        "sha256": sha256_of(path.read_bytes()),
        "size_bytes": path.stat().st_size,
        "licence": "Apache-2.0",
        "source": "Made here: posepipe train form, from the correct repetitions of people s01 to s07 of UI-PRMD (Open "
        "Data Commons Public Domain Dedication).",
        "input": f"repetition (B, {FEATURE_COUNT}) float32, made by posepipe.exercise.form.rep_features",
        "output": f"deviation (B, {len(MOVEMENTS)}) of posepipe.exercise.form.MOVEMENTS; 1 is what one correct "
        "repetition in twenty exceeds",
        "description": "How far a repetition is from correct ones",
    }
    write_card(out / "form.toml", card, metrics)
    return metrics
