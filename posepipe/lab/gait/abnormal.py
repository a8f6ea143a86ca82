"""Normal or abnormal: the gait classifier on labelled walks, from 3D files, from films, or from GAVD.

Walks of 3D files are short; there any stride is judged, to measure the classifier. What `posepipe analyze`
would report (three strides a side) is counted beside it. Films are judged exactly as `posepipe analyze` does.

GAVD, the Gait Abnormality in Video Dataset, has annotation files of one row per frame: ``seq, frame_num, cam_view,
gait_event, dataset, gait_pat, bbox, vid_info, id, url``, the boxes and video facts as printed Python dicts. The videos
aren't distributed: put those you have beside each other, named by their id. Sequences of one video always stay in one
fold: the published 12 normal sequences of a popular subset all come from a single video.
"""

from __future__ import annotations

import ast
import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from posepipe.doctor import installed
from posepipe.errors import InputError, NobodyFoundError, UsageError
from posepipe.gait.analyse import analyse
from posepipe.gait.features import FEATURES
from posepipe.gait.judge import JUDGE, count_of
from posepipe.gait.norms import feature_norms
from posepipe.gait.source import Source, source_of
from posepipe.gait.types import SIDES, Abnormal, GaitResult
from posepipe.lab.gait.files import labelled_walks
from posepipe.lab.metrics import auroc, balanced_accuracy, bootstrap_groups, macro_f1
from posepipe.pipeline import Config, Detection, Pipeline
from posepipe.types import KeypointTrack

__all__ = [
    "GAVD_COLUMNS", "GavdSequence", "evaluate_gait_abnormal", "find_video", "folds_by_video", "gavd_files",
    "majority_baseline", "match_track", "metrics_of", "missing_features", "read_gavd",
]  # fmt: skip

FloatArray = NDArray[np.float32]


def evaluate_gait_abnormal(path: Path, model: str | Path = "gait") -> dict[str, Any]:
    """Judge every labelled walk.

    Args:
        path: an npz of walks, a folder of videos with ``videos.csv`` (column ``walk``: normal or abnormal), or a folder
            with GAVD's annotation files and videos.
        model: the classifier.

    Returns:
        Metrics, one row for each walk, versions.

    Raises:
        InputError: the path holds no labelled walks.
    """
    versions = installed(("posepipe", "onnxruntime", "numpy"))
    if path.is_dir() and gavd_files(path):
        return _evaluate_gavd(path, model) | {"versions": versions}
    rows, foreign = (_film_rows(path, model), 0) if path.is_dir() else _file_rows(path, model)
    if not rows:
        raise InputError("no walk is labelled normal or abnormal", where=str(path))
    metrics = metrics_of(rows) | ({"foreign_features": float(foreign)} if foreign else {})
    return {"metrics": metrics, "rows": rows, "versions": versions}


def _file_rows(path: Path, model: str | Path) -> tuple[list[dict[str, Any]], int]:
    """A row for each walk, and how many features are far from normal in everybody: the skeleton is another.

    What the normal walks of the file's other people share is taken off, if there are enough of them; `alone` is the
    probability without. Patients' walks don't tell what is normal in their source.
    """
    walks = list(labelled_walks(path))
    plain = [analyse(walk.motion, model=model, least_strides=0) for walk in walks]

    def source_for(view: str, subject: str) -> Source | None:
        usual = [
            one.features
            for walk, one in zip(walks, plain, strict=True)
            if not walk.abnormal and walk.subject != subject and one.view == view and one.features
        ]
        return source_of(usual, feature_norms(view))

    sources = {
        key: source_for(*key) for key in {(b.view, a.subject) for a, b in zip(walks, plain, strict=True)} if key[0]
    }
    rows = []
    for walk, first in zip(walks, plain, strict=True):
        source = sources.get((first.view, walk.subject))
        found = first if source is None else analyse(walk.motion, model=model, least_strides=0, source=source)
        enough = min(count_of(found.walk.strides, side) for side in SIDES) >= JUDGE.least_strides
        row = _row(found, walk.abnormal, walk=walk.name, subject=walk.subject, label=walk.label)
        pace = {"pace": round(walk.pace, 4)} if np.isfinite(walk.pace) else {}
        alone = {"alone": round(first.abnormal.probability, 3)} if isinstance(first.abnormal, Abnormal) else {}
        rows.append(row | pace | {"reported": enough} | (alone if source is not None else {}))
    return rows, max((len(source.foreign) for source in sources.values() if source is not None), default=0)


def _film_rows(folder: Path, model: str | Path) -> list[dict[str, Any]]:
    listing = folder / "videos.csv"
    if not listing.is_file():
        raise InputError("no videos.csv", where=str(folder), hint="See docs/gait.md for its columns")
    with listing.open(encoding="utf-8-sig", newline="") as file:
        wanted = [row for row in csv.DictReader(file) if row.get("walk") in ("normal", "abnormal")]
    rows = []
    for row in wanted:
        found: GaitResult | None = None
        try:
            recording = Pipeline(Config(task="pose", quality="standard")).run(folder / row["file"])
            found = analyse(recording.motion_of(recording.people[0]), model=model)
        except NobodyFoundError:
            pass
        facts = {"walk": row["file"], "subject": row["file"], "label": row["walk"]}
        made = _row(found, row["walk"] == "abnormal", missing="nobody_found", **facts)
        rows.append(made | {"reported": found is not None})
    return rows


def _row(found: GaitResult | None, abnormal: bool, *, missing: str = "", **facts: str) -> dict[str, Any]:
    """One walk's row; `missing` says why there is no result at all."""
    answer = found.abnormal if found is not None else None
    strides = "+".join(str(count_of(found.walk.strides, side)) for side in SIDES) if found is not None else ""
    row: dict[str, Any] = {**facts, "abnormal": abnormal}
    if isinstance(answer, Abnormal):
        flagged = answer.label == "abnormal"
        row |= {"probability": round(answer.probability, 3), "flagged": flagged, "pattern": answer.pattern}
        return row | {"strides": strides, "withheld": ""}
    reason = missing if found is None else str(found.withheld or answer)
    return row | {
        "probability": None,
        "flagged": None,
        "pattern": "not judged",
        "strides": strides,
        "withheld": reason,
    }


def metrics_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Balanced accuracy and the like over the judged rows, and again over people with both kinds of walk."""
    judged = [row for row in rows if row["probability"] is not None]
    out = {"walks": float(len(rows)), "judged": float(len(judged)), "withheld": float(len(rows) - len(judged))}
    out |= _scores(judged, "")
    both = {
        name
        for name in {row["subject"] for row in judged}
        if len({r["abnormal"] for r in judged if r["subject"] == name}) == 2
    }
    if both:
        out |= _scores([row for row in judged if row["subject"] in both], "_both_kinds")
        out["people_both_kinds"] = float(len(both))
    reported = [row for row in judged if row.get("reported")]
    if len(reported) != len(judged):
        out["reported"] = float(len(reported))
        out |= _scores(reported, "_reported")
    out |= _pace_scores(judged)
    if known := [row for row in judged if "alone" in row]:
        one_by_one = [{**row, "probability": row["alone"], "flagged": row["alone"] >= JUDGE.flagged} for row in known]
        out |= {
            k: v for k, v in _scores(one_by_one, "_alone").items() if k in ("auroc_alone", "balanced_accuracy_alone")
        }
    return {name: value for name, value in out.items() if np.isfinite(value)}


_SAME_PACE = 0.04
"""Walks whose speeds differ by less, over the root of gravity times leg length, count as equally fast: 0.1 m/s."""


def _pace_scores(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """What speed alone tells, and what is told of pairs of walks of the same speed; nothing where it isn't known."""
    if not rows or any("pace" not in row for row in rows):
        return {}
    truth = np.array([bool(row["abnormal"]) for row in rows])
    probability, pace = (np.array([float(row[key]) for row in rows]) for key in ("probability", "pace"))
    near = np.abs(pace[truth][:, None] - pace[~truth]) <= _SAME_PACE
    ahead = probability[truth][:, None] - probability[~truth]
    slower = pace[~truth] - pace[truth][:, None]
    out = {"auroc_speed_alone": auroc(truth, -pace), "speed_matched_pairs": float(near.sum())}
    for name, gap in (("auroc_speed_matched", ahead), ("auroc_speed_alone_matched", slower)):
        if near.any():
            out[name] = float(np.mean(np.where(gap > 0, 1.0, np.where(gap == 0, 0.5, 0.0))[near]))
    people = {
        name: [i for i, row in enumerate(rows) if row["subject"] == name] for name in {r["subject"] for r in rows}
    }
    if all(len({truth[i] for i in mine}) == 1 for mine in people.values()):
        of = list(people.values())
        kinds = np.array([truth[mine[0]] for mine in of])
        out["auroc_people"] = auroc(kinds, np.array([probability[mine].mean() for mine in of]))
        out["auroc_people_speed_alone"] = auroc(kinds, np.array([-pace[mine].mean() for mine in of]))
    return out


def _scores(rows: Sequence[Mapping[str, Any]], suffix: str) -> dict[str, float]:
    if not rows:
        return {}
    truth = np.array([bool(row["abnormal"]) for row in rows])
    probability = np.array([float(row["probability"]) for row in rows])
    flagged = np.array([bool(row["flagged"]) for row in rows])
    groups = np.array([str(row["subject"]) for row in rows])
    out = {
        f"balanced_accuracy{suffix}": balanced_accuracy(truth, flagged),
        f"auroc{suffix}": auroc(truth, probability),
        f"accuracy{suffix}": float((truth == flagged).mean()),
    }
    if truth.any():
        out[f"sensitivity{suffix}"] = float(flagged[truth].mean())
    if not truth.all():
        out[f"specificity{suffix}"] = float((~flagged[~truth]).mean())
    low, high = bootstrap_groups(truth, flagged, groups)
    return out | {f"balanced_accuracy{suffix}_low": low, f"balanced_accuracy{suffix}_high": high}


# GAVD: annotation files and the videos that go with them, in one folder.

GAVD_COLUMNS = ("seq", "frame_num", "cam_view", "gait_event", "dataset", "gait_pat", "bbox", "vid_info", "id", "url")
_BOX, _SIZE = ("left", "top", "width", "height"), ("width", "height")
_VIDEO_ENDINGS = (".mp4", ".mkv", ".webm", ".mov", ".avi")
_LEAST_OVERLAP = 0.2
"""Mean overlap of box and keypoints under which it isn't that person."""
_FOLDS = 5

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class GavdSequence:
    """One walking pass in one direction.

    Attributes:
        seq: its id.
        video: id of the source video.
        url: of the video.
        view: "front", "back", "left side" or "right side" of the person.
        abnormal: whether the annotators called it abnormal.
        pattern: their name of it, such as "parkinsons"; "normal" for normal walks.
        frame: (N,) frame numbers in the source video, ascending.
        box_px: (N, 4) left, top, width, height; NaN where not given.
        size_px: width and height of the picture the boxes belong to.
        events: frame number -> name, sparse.
    """

    seq: str
    video: str
    url: str
    view: str
    abnormal: bool
    pattern: str
    frame: NDArray[np.int64]
    box_px: NDArray[np.float64]
    size_px: tuple[int, int]
    events: Mapping[int, str]


def read_gavd(paths: Sequence[Path]) -> tuple[GavdSequence, ...]:
    """Read annotation files; a sequence may go on in the next one.

    Raises:
        InputError: a file is missing, lacks a column, or a row can't be understood.
    """
    rows: dict[str, list[dict[str, str]]] = {}
    for path in paths:
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file)
                missing = [name for name in GAVD_COLUMNS if name not in (reader.fieldnames or ())]
                if missing:
                    raise InputError(f"lacks the column {', '.join(missing)}", where=str(path))
                for row in reader:
                    rows.setdefault(row["seq"], []).append(row)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"can't be read ({error})", where=str(path), hint="Give GAVD's CSV files") from error
    return tuple(_sequence(name, found) for name, found in rows.items())


def _sequence(name: str, rows: list[dict[str, str]]) -> GavdSequence:
    try:
        rows = sorted(rows, key=lambda row: int(float(row["frame_num"])))
        first, info = rows[0], _dict(rows[0]["vid_info"])
        frame = np.array([int(float(row["frame_num"])) for row in rows], dtype=np.int64)
        boxes = np.array([_values(_dict(row["bbox"]), _BOX) for row in rows], dtype=np.float64)
        size = _values(info, _SIZE)
        return GavdSequence(
            seq=name,
            video=first["id"],
            url=first["url"],
            view=first["cam_view"].strip().lower(),
            abnormal="abnormal" in first["dataset"].lower(),
            pattern=first["gait_pat"].strip().lower() or "unknown",
            frame=frame,
            box_px=boxes,
            size_px=(int(np.nan_to_num(size[0])), int(np.nan_to_num(size[1]))),
            events={
                int(number): row["gait_event"].strip()
                for number, row in zip(frame, rows, strict=True)
                if row["gait_event"].strip()
            },
        )
    except (ValueError, SyntaxError, KeyError) as error:
        raise InputError(
            f"sequence {name!r} can't be understood ({error})", hint="Is the file as published?"
        ) from error


def _dict(text: str) -> Mapping[str, object]:
    """A printed dict; empty for an empty cell."""
    if not text.strip():
        return {}
    value = ast.literal_eval(text)
    if not isinstance(value, dict):
        raise ValueError(f"expected a dict, got {text[:40]!r}")
    return value


def _values(found: Mapping[str, object], keys: Sequence[str]) -> list[float]:
    return [float(str(found[key])) if found.get(key) is not None else float("nan") for key in keys]


def find_video(folder: Path, video: str) -> Path | None:
    """The file of a video id: its name is the id, or holds it; None if there is none."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _VIDEO_ENDINGS)
    return next((path for path in files if path.stem == video), next((p for p in files if video in p.stem), None))


def folds_by_video(sequences: Sequence[GavdSequence], folds: int = 5, seed: int = 0) -> NDArray[np.intp]:
    """A fold (N,) for each sequence: all of a video's in one, sizes about even, each kind spread over the folds.

    Raises:
        UsageError: fewer videos than folds.
    """
    videos: dict[str, list[int]] = {}
    for index, sequence in enumerate(sequences):
        videos.setdefault(sequence.video, []).append(index)
    if not 2 <= folds <= len(videos):
        raise UsageError(f"{folds} folds of {len(videos)} videos", hint="Each fold needs a video of its own")
    rng = np.random.default_rng(seed)
    names = list(videos)
    rng.shuffle(names)
    names.sort(key=lambda name: -len(videos[name]))  # The large first, so that the small can even out.
    load = np.zeros((folds, 2))
    fold = np.zeros(len(sequences), dtype=np.intp)
    for name in names:
        kind = int(Counter(sequences[i].abnormal for i in videos[name]).most_common(1)[0][0])
        target = min(range(folds), key=lambda f: (load[f, kind], load[f].sum()))
        load[target, kind] += len(videos[name])
        fold[videos[name]] = target
    return fold


def majority_baseline(truth: NDArray[np.bool_], fold: NDArray[np.intp]) -> NDArray[np.float64]:
    """Probability (N,) of abnormal if nothing but the other folds' share is known."""
    out = np.zeros(len(truth))
    for number in np.unique(fold):
        out[fold == number] = truth[fold != number].mean()
    return out


def missing_features(
    known: NDArray[np.float32], truth: NDArray[np.bool_], fold: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Probability (N,) of abnormal from nothing but which features are missing: what a camera gives away.

    Ridge regression on the masks, learned on the other folds.
    """
    design = np.concatenate([known.astype(np.float64), np.ones((len(known), 1))], axis=1)
    out = np.zeros(len(truth))
    for number in np.unique(fold):
        train, test = fold != number, fold == number
        inner = design[train].T @ design[train] + np.eye(design.shape[1])
        weight = np.linalg.solve(inner, design[train].T @ truth[train].astype(np.float64))
        out[test] = np.clip(design[test] @ weight, 0.0, 1.0)
    return out


def gavd_files(folder: Path) -> list[Path]:
    """The annotation files of a folder: every CSV with GAVD's columns."""
    found = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            head = {name.strip().strip('"') for name in file.readline().split(",")}
        if set(GAVD_COLUMNS) <= head:
            found.append(path)
    return found


def _evaluate_gavd(folder: Path, model: str | Path = "gait") -> dict[str, Any]:
    """Judge every sequence whose video is there.

    Balanced accuracy and AUROC with an interval over videos, macro-F1 of normal against abnormal, and what guessing the
    majority and knowing only which features are missing give on folds that keep videos whole.
    """
    sequences = read_gavd(gavd_files(folder))
    rows: list[dict[str, Any]] = []
    masks: list[NDArray[np.float32]] = []
    used: list[GavdSequence] = []
    for video in dict.fromkeys(sequence.video for sequence in sequences):
        path = find_video(folder, video)
        if path is None:
            continue
        pipeline = Pipeline(Config(task="pose", quality="standard"))
        try:
            detection = pipeline.detect(path)
        except NobodyFoundError:
            continue
        for sequence in (one for one in sequences if one.video == video):
            found = _judge(pipeline, detection, sequence, model)
            facts = {"walk": sequence.seq, "subject": video, "label": sequence.pattern, "view": sequence.view}
            rows.append(_row(found, sequence.abnormal, missing="person_not_matched", **facts))
            features = found.features if found is not None else {}
            masks.append(np.array([spec.name in features for spec in FEATURES], np.float32))
            used.append(sequence)
    if not rows:
        raise InputError("no video of the annotated ones is here", where=str(folder), hint="Name videos by their id")
    return {"metrics": _gavd_metrics(rows, np.stack(masks), used), "rows": rows}


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


def _judge(pipeline: Pipeline, detection: Detection, sequence: GavdSequence, model: str | Path) -> GaitResult | None:
    size = detection.camera.width_px, detection.camera.height_px
    track = match_track(detection.tracks, sequence, size)
    if track is None:
        return None
    inside = (track.frame >= sequence.frame[0]) & (track.frame <= sequence.frame[-1])
    if inside.sum() < 2:
        return None
    part = _cut(track, inside)
    recording = Pipeline(replace(pipeline.config, subject="all")).describe(replace(detection, tracks=(part,)))
    return analyse(recording.motion_of(recording.people[0]), model=model)


def _cut(track: T, inside: NDArray[np.bool_]) -> T:
    arrays = {f.name: getattr(track, f.name) for f in fields(track)}  # type: ignore[arg-type]
    cut = {name: value[inside] for name, value in arrays.items() if isinstance(value, np.ndarray)}
    return replace(track, **cut)  # type: ignore[type-var]


def _gavd_metrics(
    rows: Sequence[dict[str, Any]], masks: NDArray[np.float32], used: Sequence[GavdSequence]
) -> dict[str, float]:
    truth = np.array([row["abnormal"] for row in rows])
    judged = [row for row in rows if row["probability"] is not None]
    out = {"walks": float(len(rows)), "judged": float(len(judged)), "videos": float(len({s.video for s in used}))}
    if judged:
        out |= _scores(judged, "")
        out["macro_f1"] = macro_f1(*(_names([row[key] for row in judged]) for key in ("abnormal", "flagged")))
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


def _names(abnormal: Sequence[bool] | NDArray[np.bool_]) -> list[str]:
    return ["abnormal" if flag else "normal" for flag in abnormal]
