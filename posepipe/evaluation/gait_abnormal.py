"""Normal or abnormal: the gait classifier on labelled walks, from 3D files or from films.

Walks of 3D files are short; there any stride is judged, to measure the classifier. What `posepipe analyze`
would report (three strides a side) is counted beside it. Films are judged exactly as `posepipe analyze` does.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.doctor import package_versions
from posepipe.errors import InputError, NobodyFoundError
from posepipe.evaluation.binary import auroc, balanced_accuracy, bootstrap_groups
from posepipe.evaluation.layouts import to_layout, to_metres, to_z_up
from posepipe.gait.abnormal import Abnormal
from posepipe.gait.analyse import GaitAnalysis, analyse
from posepipe.gait.gates import LEAST_STRIDES, count_of
from posepipe.motion.angles import joint_angles
from posepipe.motion.clip import Motion
from posepipe.motion.smooth import smooth
from posepipe.skeleton import BODY21
from posepipe.types import PoseTrack

__all__ = ["LabelledWalk", "evaluate_gait_abnormal", "file_motion", "labelled_walks", "metrics_of"]

FloatArray = NDArray[np.float32]

_LEAST_SIGMA_M = 0.003
"""Files give no error bars. Bones keep their length: how far a file's don't tells its joints' error, this at least."""

_LASTING = 1.7
"""The whole error over the part that varies: what a sensor gets wrong all the time doesn't show in lengths."""

_LEG_M = 0.83
"""Thigh and shank of an average adult: the scale of files whose unit isn't known."""

_REASON = "not judged"


@dataclass(frozen=True, slots=True, eq=False)
class LabelledWalk:
    """A walk with its label.

    Attributes:
        name, subject: of the file.
        label: as in the file.
        abnormal: what it means.
        motion: ready for `posepipe.gait.analyse.analyse`.
    """

    name: str
    subject: str
    label: str
    abnormal: bool
    motion: Motion


def labelled_walks(path: Path) -> Iterator[LabelledWalk]:
    """Walks of an npz with keys ``kp layout offsets label`` (and ``subject name fps units axes`` where there are).

    Labels starting with "normal" or "able" are normal walks; everything else counts as abnormal.

    Raises:
        InputError: the file can't be read or lacks an array.
    """
    try:
        with np.load(path) as data:
            missing = [key for key in ("kp", "layout", "offsets", "label") if key not in data]
            if missing:
                raise InputError(f"lacks {', '.join(missing)}", where=str(path))
            table = {key: data[key] for key in data.files}
    except (OSError, ValueError) as error:
        raise InputError(f"can't be read ({error})", where=str(path), hint="Give an npz of walks") from error
    count = len(table["label"])
    names = table.get("name", np.arange(count).astype(str))
    subjects = table.get("subject", names)
    fps = table.get("fps", np.full(count, 30.0))
    units, axes = str(table.get("units", "m")), str(table.get("axes", "z up"))
    layout = [str(joint) for joint in table["layout"]]
    for number in range(count):
        points = table["kp"][table["offsets"][number] : table["offsets"][number + 1]]
        label = str(table["label"][number])
        yield LabelledWalk(
            str(names[number]),
            str(subjects[number]),
            label,
            not label.lower().startswith(("normal", "able")),
            file_motion(points, layout, float(fps[number]), units, axes),
        )


def file_motion(points: FloatArray, layout: Sequence[str], fps_hz: float, units: str, axes: str) -> Motion:
    """A motion from 3D joints of any known skeleton.

    Sensors' axes are often left-handed without saying so, which swaps the body's sides: knees that would bend
    backwards give that away, and the body is mirrored. Lengths of unknown units are scaled to an average leg.

    Args:
        points: (F, J, 3).
        layout: joint names.
        fps_hz: frame rate.
        units: as the file describes them.
        axes: likewise.
    """
    xyz = to_layout(np.asarray(points, np.float32), layout, BODY21)
    level = xyz @ to_z_up(axes).T
    camera = np.stack([level[..., 0], -level[..., 2], level[..., 1]], axis=-1)
    try:
        camera = camera * to_metres(units)
    except InputError:
        camera = camera * (_LEG_M / max(_leg(camera), 1e-6))
    if _knees_bend_backwards(camera):
        camera = camera * np.array([-1.0, 1.0, 1.0], np.float32)
    root = camera[:, 0].astype(np.float32)
    moving = bool(np.nanmax(np.abs(root - root[:1])) > 0.05)
    valid = np.isfinite(camera).all(axis=-1)
    sigma_m = _joint_error(camera)
    pose = PoseTrack(
        layout=BODY21,
        time_s=np.arange(len(camera)) / fps_hz,
        xyz_m=(camera - camera[:, :1]).astype(np.float32),
        sigma_m=np.where(valid, sigma_m, np.nan).astype(np.float32),
        root_m=root if moving else np.full_like(root, np.nan),
        root_sigma_m=np.full_like(root, sigma_m if moving else np.nan),
        valid=valid,
        interpolated=np.zeros(valid.shape, dtype=bool),
    )
    pose = smooth(pose)
    return Motion.from_pose(pose, joint_angles(pose))


def _joint_error(xyz: FloatArray) -> float:
    """Standard deviation of a joint's coordinate, from the spread of thighs' and shanks' lengths in metres."""
    spreads = []
    for side in ("left", "right"):
        for a, b in (("hip", "knee"), ("knee", "ankle")):
            bone = xyz[:, BODY21.index(f"{side}_{a}")] - xyz[:, BODY21.index(f"{side}_{b}")]
            length = np.linalg.norm(bone, axis=1)
            if np.isfinite(length).sum() > 2:
                low, high = np.nanpercentile(length, [16, 84])
                spreads.append(float(high - low) / 2.0)
    return max(_LASTING * float(np.median(spreads)) / 2**0.5, _LEAST_SIGMA_M) if spreads else _LEAST_SIGMA_M


def _leg(xyz: FloatArray) -> float:
    lengths = []
    for side in ("left", "right"):
        hip, knee, ankle = (xyz[:, BODY21.index(f"{side}_{part}")] for part in ("hip", "knee", "ankle"))
        lengths.append(np.nanmedian(np.linalg.norm(hip - knee, axis=1) + np.linalg.norm(knee - ankle, axis=1)))
    return float(np.mean(lengths))


def _knees_bend_backwards(xyz: FloatArray) -> bool:
    """Whether the knees lie behind the line from hip to ankle, the front taken from left and right."""
    i = BODY21.index
    across = xyz[:, i("left_hip")] - xyz[:, i("right_hip")] + xyz[:, i("left_shoulder")] - xyz[:, i("right_shoulder")]
    forward = np.cross(across, np.array([0.0, -1.0, 0.0]))
    forward /= np.maximum(np.linalg.norm(forward, axis=1, keepdims=True), 1e-6)
    ahead = []
    for side in ("left", "right"):
        hip, knee, ankle = (xyz[:, i(f"{side}_{part}")] for part in ("hip", "knee", "ankle"))
        ahead.append(np.einsum("fk,fk->f", knee - 0.5 * (hip + ankle), forward))
    return bool(np.nanmean(ahead) < 0.0)


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
    if path.is_dir():
        from posepipe.evaluation.gait_gavd import evaluate_gavd, gavd_files

        if gavd_files(path):
            return evaluate_gavd(path, model) | {"versions": _versions()}
    rows = _film_rows(path, model) if path.is_dir() else _file_rows(path, model)
    if not rows:
        raise InputError("no walk is labelled normal or abnormal", where=str(path))
    return {
        "metrics": metrics_of(rows),
        "rows": rows,
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    return {name: found for name, found in package_versions(("posepipe", "onnxruntime", "numpy")).items() if found}


def _file_rows(path: Path, model: str | Path) -> list[dict[str, Any]]:
    rows = []
    for walk in labelled_walks(path):
        found = analyse(walk.motion, model=model, least_strides=0)
        enough = min(count_of(found.walk.strides, side) for side in ("left", "right")) >= LEAST_STRIDES
        rows.append(_row(walk.name, walk.subject, walk.label, walk.abnormal, found) | {"reported": enough})
    return rows


def _film_rows(folder: Path, model: str | Path) -> list[dict[str, Any]]:
    from posepipe.pipeline import Config, Pipeline
    from posepipe.results.gait_report import person_motion

    listing = folder / "videos.csv"
    if not listing.is_file():
        raise InputError("no videos.csv", where=str(folder), hint="See docs/gait.md for its columns")
    with listing.open(encoding="utf-8-sig", newline="") as file:
        wanted = [row for row in csv.DictReader(file) if row.get("walk") in ("normal", "abnormal")]
    rows = []
    for row in wanted:
        abnormal = row["walk"] == "abnormal"
        try:
            recording = Pipeline(Config(task="pose")).run(folder / row["file"])
        except NobodyFoundError:
            rows.append(_blank(row["file"], row["file"], row["walk"], abnormal, "nobody_found"))
            continue
        found = analyse(person_motion(recording, recording.people[0]), model=model)
        rows.append(_row(row["file"], row["file"], row["walk"], abnormal, found) | {"reported": True})
    return rows


def _row(name: str, subject: str, label: str, abnormal: bool, found: GaitAnalysis) -> dict[str, Any]:
    answer = found.abnormal
    if not isinstance(answer, Abnormal):
        return _blank(name, subject, label, abnormal, str(found.withheld or answer), found)
    return {
        "walk": name,
        "subject": subject,
        "label": label,
        "abnormal": abnormal,
        "probability": round(answer.probability, 3),
        "flagged": answer.label == "abnormal",
        "pattern": answer.pattern,
        "strides": _strides(found),
        "withheld": "",
    }


def _blank(
    name: str, subject: str, label: str, abnormal: bool, reason: str, found: GaitAnalysis | None = None
) -> dict[str, Any]:
    return {
        "walk": name,
        "subject": subject,
        "label": label,
        "abnormal": abnormal,
        "probability": None,
        "flagged": None,
        "pattern": _REASON,
        "strides": _strides(found) if found is not None else "",
        "withheld": reason,
        "reported": False,
    }


def _strides(found: GaitAnalysis) -> str:
    return "+".join(str(count_of(found.walk.strides, side)) for side in ("left", "right"))


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
    return {name: value for name, value in out.items() if np.isfinite(value)}


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
