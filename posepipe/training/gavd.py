"""GAVD: the Gait Abnormality in Video Dataset's annotation files, and splits that don't leak.

One row per frame: ``seq, frame_num, cam_view, gait_event, dataset, gait_pat, bbox, vid_info, id, url``, the boxes and
video facts as printed Python dicts. The videos aren't distributed: put those you have beside each other, named by their
id. Sequences of one video always stay in one fold: the published 12 normal sequences of a popular subset all come
from a single video.
"""

from __future__ import annotations

import ast
import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import InputError, UsageError

__all__ = ["GavdSequence", "find_video", "folds_by_video", "majority_baseline", "missing_features", "read_gavd"]

COLUMNS = ("seq", "frame_num", "cam_view", "gait_event", "dataset", "gait_pat", "bbox", "vid_info", "id", "url")
_BOX, _SIZE = ("left", "top", "width", "height"), ("width", "height")
_VIDEO_ENDINGS = (".mp4", ".mkv", ".webm", ".mov", ".avi")


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
                missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
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
