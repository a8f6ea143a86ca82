"""The gait classifier on GAVD: annotation files and the videos that go with them, in one folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import InputError, NobodyFoundError
from posepipe.evaluation.binary import auroc, balanced_accuracy, bootstrap_groups, macro_f1
from posepipe.gait.abnormal import Abnormal
from posepipe.gait.analyse import GaitAnalysis, analyse
from posepipe.gait.features import FEATURES
from posepipe.pipeline import Config, Detection, Pipeline
from posepipe.results.gait_report import person_motion
from posepipe.training.gavd import (
    COLUMNS,
    GavdSequence,
    find_video,
    folds_by_video,
    majority_baseline,
    missing_features,
    read_gavd,
)
from posepipe.types import KeypointTrack

__all__ = ["evaluate_gavd", "gavd_files", "match_track"]

_LEAST_OVERLAP = 0.2
_FOLDS = 5

T = TypeVar("T")


def gavd_files(folder: Path) -> list[Path]:
    """The annotation files of a folder: every CSV with GAVD's columns."""
    found = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            head = {name.strip().strip('"') for name in file.readline().split(",")}
        if set(COLUMNS) <= head:
            found.append(path)
    return found


def evaluate_gavd(folder: Path, model: str | Path = "gait") -> dict[str, Any]:
    """Judge every sequence whose video is there.

    Args:
        folder: with annotation files and videos named by their ids.
        model: the classifier.

    Returns:
        Metrics and rows: balanced accuracy and AUROC over the judged sequences with an interval over videos, macro-F1
        of normal against abnormal, and what guessing the majority and knowing only which features are missing give on
        folds that keep videos whole.

    Raises:
        InputError: no sequence has its video.
    """
    sequences = read_gavd(gavd_files(folder))
    rows: list[dict[str, Any]] = []
    masks: list[NDArray[np.float32]] = []
    used: list[GavdSequence] = []
    for video in dict.fromkeys(sequence.video for sequence in sequences):
        path = find_video(folder, video)
        if path is None:
            continue
        pipeline = Pipeline(Config(task="pose"))
        try:
            detection = pipeline.detect(path)
        except NobodyFoundError:
            continue
        for sequence in (one for one in sequences if one.video == video):
            found = _judge(pipeline, detection, sequence, model)
            rows.append(_row(sequence, found))
            features = found.features if found is not None else {}
            masks.append(np.array([spec.name in features for spec in FEATURES], np.float32))
            used.append(sequence)
    if not rows:
        raise InputError("no video of the annotated ones is here", where=str(folder), hint="Name videos by their id")
    return {"metrics": _metrics(rows, np.stack(masks), used), "rows": rows}


def match_track(
    tracks: Sequence[KeypointTrack], sequence: GavdSequence, size_px: tuple[int, int]
) -> KeypointTrack | None:
    """The person whom the annotators boxed: the best mean overlap over the sequence's frames; None under 0.2.

    Args:
        tracks: everyone in the video.
        sequence: with boxes in its own picture size.
        size_px: width and height of the video that is here.
    """
    scale = np.array(size_px) / np.array([s or t for s, t in zip(sequence.size_px, size_px, strict=True)])
    boxes = sequence.box_px * np.array([*scale, *scale])
    best, chosen = _LEAST_OVERLAP, None
    for track in tracks:
        place = {int(frame): index for index, frame in enumerate(track.frame)}
        overlaps = [
            _overlap(boxes[number], track.xy_px[place[int(frame)]]) if int(frame) in place else 0.0
            for number, frame in enumerate(sequence.frame)
        ]
        mean = float(np.nanmean(overlaps)) if np.isfinite(overlaps).any() else 0.0
        if mean > best:
            best, chosen = mean, track
    return chosen


def _overlap(box: NDArray[np.float64], xy: NDArray[np.float32]) -> float:
    """Intersection over union of a box and the keypoints' own."""
    if not np.isfinite(box).all() or not np.isfinite(xy).any():
        return float("nan")
    low, high = np.nanmin(xy, axis=0), np.nanmax(xy, axis=0)
    inner = np.clip(np.minimum(high, box[:2] + box[2:]) - np.maximum(low, box[:2]), 0.0, None).prod()
    return float(inner / max(float((high - low).prod() + box[2:].prod() - inner), 1e-9))


def _judge(pipeline: Pipeline, detection: Detection, sequence: GavdSequence, model: str | Path) -> GaitAnalysis | None:
    size = detection.camera.width_px, detection.camera.height_px
    track = match_track(detection.tracks, sequence, size)
    if track is None:
        return None
    inside = (track.frame >= sequence.frame[0]) & (track.frame <= sequence.frame[-1])
    if inside.sum() < 2:
        return None
    part = _cut(track, inside)
    recording = Pipeline(replace(pipeline.config, subject="all")).describe(replace(detection, tracks=(part,)))
    return analyse(person_motion(recording, recording.people[0]), model=model)


def _cut(track: T, inside: NDArray[np.bool_]) -> T:
    arrays = {f.name: getattr(track, f.name) for f in fields(track)}  # type: ignore[arg-type]
    cut = {name: value[inside] for name, value in arrays.items() if isinstance(value, np.ndarray)}
    return replace(track, **cut)  # type: ignore[type-var]


def _row(sequence: GavdSequence, found: GaitAnalysis | None) -> dict[str, Any]:
    answer = found.abnormal if found is not None else None
    judged = isinstance(answer, Abnormal)
    reason = "person_not_matched" if found is None else str(found.withheld or answer)
    return {
        "walk": sequence.seq,
        "subject": sequence.video,
        "label": sequence.pattern,
        "view": sequence.view,
        "abnormal": sequence.abnormal,
        "probability": round(answer.probability, 3) if isinstance(answer, Abnormal) else None,
        "flagged": answer.label == "abnormal" if isinstance(answer, Abnormal) else None,
        "pattern": answer.pattern if isinstance(answer, Abnormal) else "not judged",
        "withheld": "" if judged else reason,
    }


def _metrics(
    rows: Sequence[dict[str, Any]], masks: NDArray[np.float32], used: Sequence[GavdSequence]
) -> dict[str, float]:
    truth = np.array([row["abnormal"] for row in rows])
    judged = np.array([row["probability"] is not None for row in rows])
    out = {"walks": float(len(rows)), "judged": float(judged.sum()), "videos": float(len({s.video for s in used}))}
    if judged.any():
        probability = np.array([row["probability"] for row in rows if row["probability"] is not None])
        flagged, real = probability >= 0.5, truth[judged]
        groups = np.array([row["subject"] for row in rows])[judged]
        low, high = bootstrap_groups(real, flagged, groups)
        out |= {
            "balanced_accuracy": balanced_accuracy(real, flagged),
            "balanced_accuracy_low": low,
            "balanced_accuracy_high": high,
            "auroc": auroc(real, probability),
            "macro_f1": macro_f1(_names(real), _names(flagged)),
        }
    folds = min(_FOLDS, len({sequence.video for sequence in used}))
    if folds >= 2:
        fold = folds_by_video(used, folds)
        majority, missing = majority_baseline(truth, fold), missing_features(masks, truth, fold)
        out |= {
            "baseline_majority_balanced_accuracy": balanced_accuracy(truth, majority >= 0.5),
            "baseline_majority_macro_f1": macro_f1(_names(truth), _names(majority >= 0.5)),
            "baseline_missing_balanced_accuracy": balanced_accuracy(truth, missing >= 0.5),
            "baseline_missing_auroc": auroc(truth, missing),
        }
    return {name: value for name, value in out.items() if np.isfinite(value)}


def _names(abnormal: NDArray[np.bool_]) -> list[str]:
    return ["abnormal" if flag else "normal" for flag in abnormal]
