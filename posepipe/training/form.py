"""Makes models/form.onnx: what correct repetitions look like, from UI-PRMD's people s01 to s07.

``python -m posepipe.training.form --data FOLDER`` with train.npz (and val.npz, whose s08 is only measured on).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.evaluation.form import RepSet, leave_one_out, read_reps, score_rows
from posepipe.exercise.quality import FEATURE_COUNT, MOVEMENTS, QualityModel
from posepipe.weights import sha256_of

__all__ = ["fit", "main", "make"]

Array = NDArray[np.float64]

FLOOR_DEG = 6.0
"""Spread added to that of the correct repetitions: what a camera's angles can't resolve anyway."""


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


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Fit, measure, write ``form.onnx`` and its card; returns the card's metrics."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train.npz and val.npz")
    parser.add_argument("--out", type=Path, default=Path("models"))
    options = parser.parse_args(arguments)
    train, held_out = read_reps(options.data / "train.npz"), read_reps(options.data / "val.npz")
    path = options.out / "form.onnx"
    make(train, path)
    model = QualityModel(path)
    rows = score_rows(held_out, model.deviation)
    every = RepSet(*(np.concatenate([getattr(train, f), getattr(held_out, f)]) for f in RepSet.__slots__))
    apart = leave_one_out(every, fit)
    metrics = {
        "held_out_auroc": round(float(np.mean([row["auroc"] for row in rows])), 4),
        "leave_one_out_auroc": round(float(np.mean(apart)), 4),
        "people": len(set(train.subject.tolist())),
        "repetitions": int((~train.faulty).sum()),
    }
    data = path.read_bytes()
    lines = [
        'name = "form"',
        'file = "form.onnx"',
        f'sha256 = "{sha256_of(data)}"',
        f"size_bytes = {len(data)}",
        'licence = "Apache-2.0"',
        'source = "Made here: python -m posepipe.training.form, from the correct repetitions of people s01 to s07 of '
        'UI-PRMD (Open Data Commons Public Domain Dedication)."',
        f'input = "repetition (B, {FEATURE_COUNT}) float32, made by posepipe.exercise.quality.rep_features"',
        f'output = "deviation (B, {len(MOVEMENTS)}) of posepipe.exercise.quality.MOVEMENTS; 1 is what one correct '
        'repetition in twenty exceeds"',
        'description = "How far a repetition is from correct ones"',
        "",
        "[metrics]",
        *(f"{name} = {value}" for name, value in metrics.items()),
    ]
    (options.out / "form.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return metrics


if __name__ == "__main__":
    main()
