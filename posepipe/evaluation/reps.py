"""Repetition counting measured: poses with counted repetitions, and folders of filmed clips. The exercise isn't told.

Of a file of poses everything that repeats counts, of films what the pipeline says.

``rep_mae`` is the mean of ``|counted - true| / (true + 1e-9)`` over clips with repetitions, ``rep_obo`` the share
off by at most one, ``rep_exact`` the share that is right. Clips whose true count is 0 have no relative error; they
count in the other two, and in ``false_counts``: the share of clips without repetitions in which some were counted.
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
from posepipe.errors import InputError
from posepipe.evaluation.layouts import to_layout, to_metres, to_z_up
from posepipe.evaluation.recognition import filmed_motion
from posepipe.exercise.analyse import analyse_exercise
from posepipe.exercise.paced import read_repeats
from posepipe.exercise.recognise import Recogniser
from posepipe.motion.angles import joint_angles
from posepipe.motion.clip import Motion
from posepipe.skeleton import BLAZEPOSE33, BODY21, conversion
from posepipe.types import PoseTrack

__all__ = ["Counts", "count_metrics", "evaluate_reps", "pose_motions"]

_STILL = ("walking",)
_BONE_M = 0.3
"""A mean bone, for files in body units."""
_SIGMA_M = 0.03


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
        results: see `posepipe.evaluation.recognition.filmed_motion`.

    Raises:
        InputError: neither, or without counts.
    """
    clips = list(_filmed(path, results) if path.is_dir() else _posed(path))
    metrics, rows = count_metrics(clips)
    return {"metrics": metrics, "rows": rows, "versions": package_versions(("posepipe", "numpy", "scipy"))}


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


def _posed(path: Path) -> Iterator[Counts]:
    for name, label, true, motion in pose_motions(path):
        yield Counts(name, label, true, read_repeats(motion).count if len(motion) else 0)


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
    for k in range(len(data["offsets"]) - 1):
        part = slice(int(data["offsets"][k]), int(data["offsets"][k + 1]))
        motion = _motion(data, data["kp"][part].astype(np.float32), float(data["fps"][k]))
        yield str(data["name"][k]), str(data["label"][k]), int(data["rep_count"][k]), motion


def _motion(data: Mapping[str, NDArray[Any]], kp: NDArray[np.float32], fps_hz: float) -> Motion:
    """3D joints of a file as a motion in a camera's axes."""
    names = [str(name) for name in data["layout"]]
    if tuple(names) == BLAZEPOSE33.joints:
        xyz = np.einsum("ij,fjd->fid", conversion(BLAZEPOSE33, BODY21), kp)
    else:
        xyz = to_layout(kp, names, BODY21) if np.isfinite(kp).any() else np.full((len(kp), len(BODY21), 3), np.nan)
    try:
        scale = to_metres(str(data["units"]))
    except (InputError, KeyError):
        scale = _BONE_M
    # z up to y down, as a camera sees it.
    turn = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]) @ to_z_up(str(data["axes"]))
    xyz = ((xyz - xyz[:, :1]) * scale @ turn.T).astype(np.float32)
    valid = np.isfinite(xyz).all(axis=-1)
    blank = np.full((len(xyz), 3), np.nan, np.float32)
    pose = PoseTrack(
        layout=BODY21,
        time_s=np.arange(len(xyz)) / fps_hz,
        xyz_m=np.where(valid[..., None], xyz, np.float32(np.nan)),
        sigma_m=np.where(valid, np.float32(_SIGMA_M), np.float32(np.nan)),
        root_m=blank,
        root_sigma_m=blank,
        valid=valid,
        interpolated=np.zeros_like(valid),
    )
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
        motion = motion_of(folder / row["file"])
        section = analyse_exercise(motion, recogniser) if motion is not None else {}
        yield Counts(row["file"], row["label"], 0 if nobody else true, int(section.get("reps_total", 0)))
