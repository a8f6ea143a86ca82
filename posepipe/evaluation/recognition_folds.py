r"""Recognition trained on one labelled set and tested on the rest of it, by clip; and our classifiers side by side.

    python -m posepipe.evaluation.recognition_folds --data ../shared/data/exercise/penn_action_train.npz --init exercise
    python -m posepipe.evaluation.recognition_folds --pool runs/exercise/pool

The networks trained here on other people's sets are thrown away: such sets may measure, not ship.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from posepipe.doctor import package_versions
from posepipe.evaluation.recognition import files_motions
from posepipe.evaluation.tables import markdown
from posepipe.exercise.features import motion_windows
from posepipe.exercise.labels import LABELS
from posepipe.training.exercise import ExerciseConfig, draw_weights, fit, logits_of, pool_files, scores
from posepipe.training.exercise_nets import NetConfig, build_net
from posepipe.training.exercise_pool import load_pool
from posepipe.training.exercise_windows import cut_pool
from posepipe.weights import find_model

__all__ = ["compare_classifiers", "forest_features", "labelled_windows", "penn_folds"]

FloatArray = NDArray[np.float32]
PENN_EXERCISES = (
    "bench_press", "clean_and_jerk", "jump_rope", "jumping_jacks", "pullup", "pushup", "situp", "squat",
)  # fmt: skip
_STRIDE_S = 0.3


def labelled_windows(path: Path, keep: tuple[str, ...]) -> tuple[FloatArray, NDArray[np.intp], NDArray[np.intp]]:
    """Windows (N, 30, 82) of a set's clips with some of its own labels, their clip (N,) and label (N,) numbers."""
    with np.load(path) as file:
        names = {str(n): str(label) for n, label in zip(file["name"], file["label"], strict=True)}
    x, clip, label = [], [], []
    for k, (name, _, motion) in enumerate(files_motions(path)):
        if names[name] not in keep or motion is None:
            continue
        cut = motion_windows(motion, _STRIDE_S)
        x.append(cut.x)
        clip.append(np.full(len(cut.x), k))
        label.append(np.full(len(cut.x), keep.index(names[name])))
    return np.concatenate(x), np.concatenate(clip), np.concatenate(label)


def penn_folds(
    x: FloatArray,
    clip: NDArray[np.intp],
    label: NDArray[np.intp],
    *,
    init: str | None,
    steps: int = 350,
    folds: int = 5,
) -> dict[str, Any]:
    """Accuracy over clips, each tested by a network that never saw it.

    Args:
        x: (N, 30, 82) windows.
        clip: (N,) whose they are.
        label: (N,) 0 to 7.
        init: "exercise" or "exercise_bilstm" to start from what ships, all but its last layers; None for none.
        steps: of training in each fold.
        folds: how many.
    """
    clips = np.unique(clip)
    order = np.random.default_rng(0).permutation(clips)
    right = []
    for fold in range(folds):
        test = np.isin(clip, order[fold::folds])
        kind = "bilstm" if init == "exercise_bilstm" else "parts"
        torch.manual_seed(fold)
        net = build_net(NetConfig(kind), labels=len(PENN_EXERCISES))
        if init is not None:
            shipped = load_file(str(find_model(init).with_suffix(".safetensors")))
            own = net.state_dict()
            own.update({k: v for k, v in shipped.items() if own[k].shape == v.shape})
            net.load_state_dict(own)
        each = 1.0 / np.bincount(clip)[clip[~test]] / np.bincount(label[~test])[label[~test]]
        target = np.eye(len(PENN_EXERCISES), dtype=np.float32)[label[~test]]
        config = ExerciseConfig(steps=steps, batch=96, lr=2e-3, ema=0.97, seed=fold)
        fit(net, x[~test].astype(np.float16), target, each / each.sum(), config)
        logits = logits_of(net, x[test])
        p = torch.log_softmax(torch.from_numpy(logits), dim=-1).numpy()
        for k in np.unique(clip[test]):
            mine = clip[test] == k
            right.append((label[test][mine][0], int(p[mine].mean(axis=0).argmax())))
    true, said = np.array(right).T
    rows = [
        {"label": name, "clips": int((true == i).sum()), "recall": float((said[true == i] == i).mean())}
        for i, name in enumerate(PENN_EXERCISES)
    ]
    f1 = [
        2 * ((true == i) & (said == i)).sum() / max((true == i).sum() + (said == i).sum(), 1)
        for i in range(len(PENN_EXERCISES))
    ]
    return {
        "metrics": {
            "accuracy": float((true == said).mean()),
            "macro_f1": float(np.mean(f1)),
            "clips": float(len(true)),
        },
        "rows": rows,
        "versions": package_versions(("posepipe", "torch", "numpy")),
    }


def forest_features(x: FloatArray) -> FloatArray:
    """Mean, spread, least, greatest and mean step of every feature over its window (N, 410)."""
    x = x.astype(np.float32)
    step = np.abs(np.diff(x, axis=1)).mean(axis=1)
    return np.concatenate([x.mean(axis=1), x.std(axis=1), x.min(axis=1), x.max(axis=1), step], axis=1)


def compare_classifiers(
    pool: Path,
    clips: Callable[[Callable[[FloatArray], FloatArray]], dict[str, float]] | None = None,
    *,
    steps: int = 800,
) -> dict[str, Any]:
    """Shipped networks, the paper's feature set and a random forest, on the same windows.

    Args:
        pool: folder of pools, as for training.
        clips: takes a classifier (windows to probabilities) and gives its metrics on filmed clips.
        steps: for the BiLSTM on the paper's 22 features, which is trained here.
    """
    from sklearn.ensemble import RandomForestClassifier

    from posepipe.exercise.recognise import Recogniser

    train_files, held_files = pool_files(pool)
    train, held = cut_pool(load_pool(train_files), 1), cut_pool(load_pool(held_files), 12345)
    config = ExerciseConfig(steps=steps)
    weight = draw_weights(train, config)
    paper = fit(build_net(NetConfig("paper22")), train.x, train.target, weight, config)
    classifiers: dict[str, Callable[[FloatArray], FloatArray]] = {
        "part streams": Recogniser("exercise").score,
        "BiLSTM, all features": Recogniser("exercise_bilstm").score,
        "BiLSTM, the paper's 22 features": lambda x: _softmax(logits_of(paper, x)),
    }
    some = np.random.default_rng(0).choice(len(train), min(len(train), 20000), p=weight)
    for name, columns in (("all features", slice(None)), ("the paper's 22 features", slice(42, 64))):
        forest = RandomForestClassifier(200, min_samples_leaf=2, random_state=0)
        forest.fit(forest_features(train.x[some][..., columns]), train.target[some].argmax(axis=1))
        classifiers[f"random forest, {name}"] = _forest(forest, columns)
    rows = []
    for name, score in classifiers.items():
        row: dict[str, Any] = {"classifier": name, **scores(score(held.x.astype(np.float32)), held.target)}
        if clips is not None:
            row |= {f"filmed_{k}": v for k, v in clips(score).items()}
        rows.append(row)
    best = rows[0]
    return {
        "metrics": {k: v for k, v in best.items() if isinstance(v, float)},
        "rows": rows,
        "versions": package_versions(("posepipe", "torch", "scikit-learn", "numpy")),
    }


def _forest(forest: Any, columns: slice) -> Callable[[FloatArray], FloatArray]:
    def score(x: FloatArray) -> FloatArray:
        out = np.zeros((len(x), len(LABELS)), np.float32)
        if len(x):
            out[:, forest.classes_] = forest.predict_proba(forest_features(x[..., columns]))
        return out

    return score


def _softmax(logits: FloatArray) -> FloatArray:
    return np.asarray(torch.softmax(torch.from_numpy(logits), dim=-1).numpy())


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Recognition by folds, and classifiers side by side.")
    parser.add_argument("--data", type=Path, help="Penn Action's npz")
    parser.add_argument("--init", choices=("exercise", "exercise_bilstm"), default=None)
    parser.add_argument("--pool", type=Path)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    results = []
    if args.data is not None:
        results.append(penn_folds(*labelled_windows(args.data, PENN_EXERCISES), init=args.init))
    if args.pool is not None:
        results.append(compare_classifiers(args.pool))
    for result in results:
        sys.stdout.write((json.dumps(result, indent=2) if args.json else markdown(result)) + "\n")


if __name__ == "__main__":
    main()
