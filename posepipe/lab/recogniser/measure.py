"""How well movements are named: on filmed people, on sets of labelled poses, and by our networks side by side.

The label of a clip is what its result says of it: the exercise done in it, else what lasts longest
(`posepipe.exercise.analyse.clip_label`), and walking, too, where the gait room finds whole strides on both sides.
Walking, everyday movement and empty scenes must not be called an exercise; how often that happens is
``false_exercise``.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from posepipe.body.angles import joint_angles
from posepipe.body.lift import Lifter, assumed_camera
from posepipe.body.motion import Motion
from posepipe.doctor import installed
from posepipe.errors import InputError, NobodyFoundError
from posepipe.exercise.analyse import Recognises, clip_label
from posepipe.exercise.catalogue import load_catalogue
from posepipe.exercise.features import motion_windows
from posepipe.exercise.labels import EXERCISES, LABELS, OTHER, WALKING
from posepipe.exercise.recognise import Recogniser, Segment, segments
from posepipe.gait.analyse import analyse
from posepipe.gait.types import SIDES
from posepipe.lab.film import PICTURE_UNIT_PX
from posepipe.lab.layouts import to_layout, to_metres, to_z_up, without_angles
from posepipe.lab.metrics import macro_f1
from posepipe.lab.recogniser.nets import NetConfig, build_net, cut_pool
from posepipe.lab.recogniser.pool import UI_PRMD, load_pool
from posepipe.lab.recogniser.train import ExerciseConfig, draw_weights, fit, logits_of, pool_files, scores
from posepipe.skeleton import BODY21, H36M17
from posepipe.types import Angles, KeypointTrack, PoseTrack
from posepipe.weights import find_model

__all__ = ["compare_classifiers", "evaluate_recognition", "filmed_motion", "labelled_windows", "penn_folds"]

FloatArray = NDArray[np.float32]

_NAMES = {
    "jump_jack": "jumping_jack", "jumping_jacks": "jumping_jack", "jumpingjack": "jumping_jack",
    "situp": "sit_up", "sit_ups": "sit_up", "pushup": "push_up", "push_ups": "push_up",
    "pullup": "pull_up", "pull_ups": "pull_up", "squats": "squat", "lunges": "lunge",
    "biceps_curl": "bicep_curl", "barbell_biceps_curl": "bicep_curl", "curl": "bicep_curl",
    "press": "shoulder_press", "military_press": "shoulder_press", "walk": WALKING,
    "squat1reps": "squat", "squat3reps": "squat", "sneak2stepslstart": WALKING,
}  # fmt: skip
PENN_EXERCISES = (
    "bench_press", "clean_and_jerk", "jump_rope", "jumping_jacks", "pullup", "pushup", "situp", "squat",
)  # fmt: skip
_PENN_FPS_HZ = 30.0
_STRIDE_S = 0.3
_HAND_MARK_SIGMA = 0.012
"""Error of a hand-marked joint, as a share of the person's extent in the picture."""


@dataclass(frozen=True, slots=True)
class Named:
    """One clip and what it was called.

    Attributes:
        name: of the clip.
        label: true.
        said: label of the clip as recognised.
        found: all segments.
    """

    name: str
    label: str
    said: str
    found: tuple[Segment, ...]


def label_of(name: str) -> str:
    """Our label for other people's names of movements; `other` for those we don't tell apart."""
    key = name.strip().lower().replace("-", "_").replace(" ", "_")
    key = _NAMES.get(key, key)
    return key if key in LABELS else OTHER


def named(clips: Iterable[tuple[str, str, Motion | None]], recogniser: Recognises) -> list[Named]:
    """Recognise clips of (name, label, motion); no motion means that nobody was found."""
    catalogue = load_catalogue()
    out = []
    for name, label, motion in clips:
        if motion is None or not len(motion):
            out.append(Named(name, label, OTHER, ()))
            continue
        found = segments(recogniser.probabilities(motion))
        said = clip_label(motion, found, catalogue)
        out.append(Named(name, label, WALKING if said == OTHER and _walks(motion) else said, found))
    return out


def _walks(motion: Motion) -> bool:
    """Whether a result would show somebody's gait: whole strides on both sides."""
    gait = analyse(motion)
    return gait.withheld is None and all(gait.parameters.strides.get(side, 0) for side in SIDES)


def summary(results: Sequence[Named]) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Metrics, and a row for each label and each mistake.

    ``accuracy`` and ``macro_f1`` are over clips, F1 over the labels that occur; ``false_exercise`` is the share of
    clips without an exercise that are called one.
    """
    true = np.array([r.label for r in results])
    said = np.array([r.said for r in results])
    rows: list[dict[str, Any]] = []
    f1 = []
    for label in (name for name in LABELS if (true == name).any()):
        hit = int(((true == label) & (said == label)).sum())
        total, called = int((true == label).sum()), int((said == label).sum())
        f1.append(2.0 * hit / max(total + called, 1))
        rows.append(
            {"label": label, "clips": total, "right": hit, "recall": hit / total, "precision": hit / max(called, 1)}
        )
    quiet = np.isin(true, [WALKING, OTHER])
    metrics = {"accuracy": float((true == said).mean()), "macro_f1": float(np.mean(f1)), "clips": float(len(results))}
    if quiet.any():
        metrics["false_exercise"] = float(np.isin(said[quiet], EXERCISES).mean())
    rows += [{"clip": r.name, "label": r.label, "said": r.said} for r in results if r.label != r.said]
    return metrics, rows


def motion_of(
    time_s: NDArray[np.float64],
    xyz: FloatArray,
    *,
    up: Sequence[float] = (0.0, 0.0, 1.0),
    root: FloatArray | None = None,
) -> Motion:
    """A motion from Body21 joints alone.

    Args:
        time_s: (F,).
        xyz: (F, 21, 3) in any frame; NaN where missing; made relative to the pelvis.
        up: (3,) against gravity in that frame.
        root: (F, 3) pelvis in that frame; NaN if None.
    """
    frames = len(time_s)
    pelvis = xyz[:, :1]
    points = np.where(np.isfinite(pelvis), xyz - pelvis, np.nan).astype(np.float32)
    empty = np.zeros((frames, 0), np.float32)
    return Motion(
        time_s=np.asarray(time_s, np.float64),
        layout=BODY21,
        xyz_m=points,
        sigma_m=np.full(points.shape[:2], np.nan, np.float32),
        valid=np.all(np.isfinite(points), axis=-1),
        root_m=np.full((frames, 3), np.nan, np.float32) if root is None else root.astype(np.float32),
        up=np.asarray(up, np.float32),
        angles=Angles((), empty, empty),
    )


def evaluate_recognition(
    path: Path, recogniser: Recogniser | None = None, results: Path | None = None
) -> dict[str, Any]:
    """Measure recognition on a folder of videos with a ``videos.csv``, or on an ``npz`` of labelled poses.

    Args:
        path: the folder or file.
        recogniser: the shipped one if None.
        results: see `filmed_motion`.

    Raises:
        InputError: neither; or a file that lacks what is needed.
    """
    recogniser = recogniser if recogniser is not None else Recogniser()
    clips = _filmed(path, results) if path.is_dir() else files_motions(path)
    metrics, rows = summary(named(clips, recogniser))
    return {"metrics": metrics, "rows": rows, "versions": installed(("posepipe", "onnxruntime", "numpy"))}


def _filmed(folder: Path, results: Path | None) -> Iterator[tuple[str, str, Motion | None]]:
    """Every clip of a folder through the pipeline, the main subject's motion."""
    table = folder / "videos.csv"
    if not table.is_file():
        raise InputError("no videos.csv", where=str(folder), hint="It needs the columns file and label")
    with table.open(encoding="utf-8", newline="") as file:
        listed = [row for row in csv.DictReader(file) if row.get("label")]
    if not listed:
        raise InputError("lists no labelled clip", where=str(table))
    motion = filmed_motion(results)
    for row in listed:
        yield row["file"], label_of(row["label"]), motion(folder / row["file"])


def filmed_motion(results: Path | None = None) -> Callable[[Path], Motion | None]:
    """What makes a video the motion of its main subject, None where nobody is found.

    Args:
        results: folder of results folders by the videos' names, as ``posepipe analyze`` wrote them: their poses are
            taken, and a video without a folder has nobody in it. None analyses every video anew.

    Raises:
        InputError: there is no such folder.
    """
    from posepipe.pipeline import Config, Pipeline
    from posepipe.record.folder import load
    from posepipe.record.recording import Recording

    if results is not None and not results.is_dir():
        raise InputError("no such folder", where=str(results))
    pipeline = Pipeline(Config(task="pose", quality="standard"))

    def recording_of(video: Path) -> Recording | None:
        if results is not None:
            folder = results / video.stem
            return load(folder) if (folder / "summary.json").is_file() else None
        try:
            return pipeline.run(video)
        except NobodyFoundError:
            return None

    def motion_of_video(video: Path) -> Motion | None:
        recording = recording_of(video)
        if recording is None:
            return None
        person, size = recording.people[0], (recording.video.width_px, recording.video.height_px)
        return Motion.from_pose(person.pose, joint_angles(person.pose), person.keypoints, size)

    return motion_of_video


def files_motions(path: Path) -> Iterator[tuple[str, str, Motion | None]]:
    """Clips of an ``npz``: labelled joints in 3D or 2D (``kp``), or motion capture (``positions``).

    Raises:
        InputError: it is neither.
    """
    if not path.is_file():
        raise InputError("no such file or folder", where=str(path))
    with np.load(path) as file:
        data = {name: file[name] for name in file.files}
    if "positions" in data:
        yield from _mocap(data)
    elif {"kp", "layout", "offsets", "label", "fps"} <= set(data):
        yield from _flat(data) if data["kp"].shape[-1] == 2 else _solid(data)
    else:
        raise InputError(
            "holds no labelled motion", where=str(path), hint="Expected kp layout offsets label fps, or positions"
        )


def _mocap(data: Mapping[str, NDArray[Any]]) -> Iterator[tuple[str, str, Motion | None]]:
    words = data["category"] if "category" in data else data["description"]
    for k, name in enumerate(data["seq_name"]):
        part = slice(int(data["seq_start"][k]), int(data["seq_start"][k + 1]))
        xyz = to_layout(data["positions"][part], H36M17.joints, BODY21)
        label = WALKING if ("walk" in data and data["walk"][k]) or words[k] == "walk" else OTHER
        label = next((v for w, v in UI_PRMD.items() if f" {w} " in str(data["description"][k])), label)
        if label:
            yield str(name), label, motion_of(np.arange(len(xyz)) / float(data["fps"][k]), xyz, root=xyz[:, 0])


def _solid(data: Mapping[str, NDArray[Any]]) -> Iterator[tuple[str, str, Motion | None]]:
    """3D joints; those a picture's detector made are lifted anew, for their depth is a guess."""
    axes = str(data["axes"])
    from_picture = "camera" in axes.lower() and "y down" in axes.lower()
    scale, turn = _metres(str(data["units"]).lower()), to_z_up(axes)
    lifter = Lifter(threads=1) if from_picture else None
    for k in range(len(data["offsets"]) - 1):
        part = slice(int(data["offsets"][k]), int(data["offsets"][k + 1]))
        name, label = str(data["name"][k]), label_of(str(data["label"][k]))
        points = data["kp"][part].astype(np.float32)
        time_s = np.arange(len(points)) / float(data["fps"][k])
        layout = [str(n) for n in data["layout"]]
        if not np.isfinite(points).any():
            yield name, label, None
        elif lifter is not None:
            xy = to_layout(points[..., :2], layout, BODY21)
            pose = lift_flat(lifter, time_s, 320.0 + PICTURE_UNIT_PX * xy, 640, 640)
            motion = without_angles(pose)
            yield name, label, replace(motion, root_m=np.full_like(motion.root_m, np.nan))
        else:
            xyz = to_layout(((points * scale) @ turn.T).astype(np.float32), layout, BODY21)
            # Hip-centred sets have lost the way through the world.
            moves = float(np.nanstd(xyz[:, 0])) > 1e-3
            yield name, label, motion_of(time_s, xyz, root=xyz[:, 0] if moves else None)


def _metres(units: str) -> float:
    try:
        return to_metres(units)
    except InputError:
        return 1.0  # Recognition doesn't depend on size.


def _flat(data: Mapping[str, NDArray[Any]]) -> Iterator[tuple[str, str, Motion | None]]:
    """2D joints in pixels, lifted."""
    lifter = Lifter(threads=1)
    for k in range(len(data["offsets"]) - 1):
        part = slice(int(data["offsets"][k]), int(data["offsets"][k + 1]))
        fps = float(data["fps"][k])
        time_s = np.arange(part.stop - part.start) / (fps if np.isfinite(fps) and fps > 0 else _PENN_FPS_HZ)
        xy = to_layout(data["kp"][part].astype(np.float32), [str(n) for n in data["layout"]], BODY21)
        pose = lift_flat(lifter, time_s, xy, int(data["width"][k]), int(data["height"][k]))
        motion = without_angles(pose)
        yield str(data["name"][k]), label_of(str(data["label"][k])), motion


def lift_flat(
    lifter: Lifter, time_s: NDArray[np.float64], xy_px: FloatArray, width_px: int, height_px: int
) -> PoseTrack:
    """Lift hand-marked Body21 keypoints (F, 21, 2); NaN where unmarked."""
    valid = np.all(np.isfinite(xy_px), axis=-1)
    shown = np.where(valid[..., None], xy_px, np.nan)
    some = np.any(valid, axis=1)
    spread = np.nanmax(shown[some], axis=1) - np.nanmin(shown[some], axis=1)
    extent = float(np.median(np.linalg.norm(spread, axis=1))) if some.any() else 1.0
    sigma = np.where(valid, _HAND_MARK_SIGMA * extent, np.nan).astype(np.float32)
    frames = len(time_s)
    track = KeypointTrack(
        0, BODY21, np.arange(frames, dtype=np.int32), np.asarray(time_s, np.float64), xy_px.astype(np.float32), sigma,
        valid.astype(np.float32), valid, np.zeros_like(valid),
    )  # fmt: skip
    return lifter.lift(track, assumed_camera(width_px, height_px)).pose


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
    f1 = macro_f1(true.tolist(), said.tolist())
    return {
        "metrics": {"accuracy": float((true == said).mean()), "macro_f1": f1, "clips": float(len(true))},
        "rows": rows,
        "versions": installed(("posepipe", "torch", "numpy")),
    }


def forest_features(x: NDArray[np.floating[Any]]) -> FloatArray:
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
        "versions": installed(("posepipe", "torch", "scikit-learn", "numpy")),
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
