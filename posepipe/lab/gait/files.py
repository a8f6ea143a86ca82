"""Labelled walks in files, as motions: joints as a sensor or a laboratory has them, whatever their unit and axes.

Two forms are read: ``kp layout offsets label`` (and ``subject name fps units axes`` where there are), and that of
``mocap/``: ``positions extra seq_start seq_name subject fps label`` (and ``abnormal speed_mps`` where there are).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.body.angles import joint_angles
from posepipe.body.motion import Motion
from posepipe.body.smooth import smooth
from posepipe.errors import InputError
from posepipe.lab.layouts import to_layout, to_metres, to_z_up
from posepipe.lab.lifter.data import body21_from_h36m
from posepipe.skeleton import BODY21
from posepipe.types import PoseTrack

__all__ = ["LabelledWalk", "file_motion", "labelled_walks"]

FloatArray = NDArray[np.float32]

_GRAVITY = 9.81

_LEAST_SIGMA_M = 0.003
"""Files give no error bars. Bones keep their length: how far a file's don't tells its joints' error, this at least."""

_LASTING = 1.7
"""The whole error over the part that varies: what a sensor gets wrong all the time doesn't show in lengths."""

_LEG_M = 0.83
"""Thigh and shank of an average adult: the scale of files whose unit isn't known."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledWalk:
    """A walk with its label.

    Attributes:
        name, subject: of the file.
        label: as in the file.
        abnormal: what it means.
        motion: ready for `posepipe.gait.analyse.analyse`.
        pace: speed over the root of gravity times leg length, where the file tells the speed; NaN elsewhere.
    """

    name: str
    subject: str
    label: str
    abnormal: bool
    motion: Motion
    pace: float = float("nan")


def labelled_walks(path: Path) -> Iterator[LabelledWalk]:
    """Walks of an npz; the module tells its forms.

    Labels starting with "normal" or "able" are normal walks; everything else counts as abnormal, unless the
    file says so itself.

    Raises:
        InputError: the file can't be read or lacks an array.
    """
    try:
        with np.load(path) as data:
            form = _MOCAP if "positions" in data else _KP
            missing = [key for key in form if key not in data]
            if missing:
                raise InputError(f"lacks {', '.join(missing)}", where=str(path))
            table = {key: data[key] for key in data.files}
    except (OSError, ValueError) as error:
        raise InputError(f"can't be read ({error})", where=str(path), hint="Give an npz of walks") from error
    if form is _MOCAP:
        yield from _mocap_walks(table)
        return
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
            not _is_normal(label),
            file_motion(points, layout, float(fps[number]), units, axes),
        )


_KP = ("kp", "layout", "offsets", "label")
_MOCAP = ("positions", "extra", "seq_start", "seq_name", "subject", "fps", "label")


def _mocap_walks(table: Mapping[str, NDArray[Any]]) -> Iterator[LabelledWalk]:
    joints = body21_from_h36m(table["positions"], table["extra"])
    for number, name in enumerate(table["seq_name"]):
        points = joints[table["seq_start"][number] : table["seq_start"][number + 1]]
        label = str(table["label"][number])
        abnormal = bool(table["abnormal"][number]) if "abnormal" in table else not _is_normal(label)
        pace = float("nan")
        if "speed_mps" in table:
            pace = float(table["speed_mps"][number]) / (_GRAVITY * _leg(points)) ** 0.5
        motion = file_motion(points, BODY21.joints, float(table["fps"][number]), "m", "z up")
        yield LabelledWalk(str(name), str(table["subject"][number]), label, abnormal, motion, pace)


def _is_normal(label: str) -> bool:
    return label.lower().startswith(("normal", "able", "healthy"))


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
        camera *= to_metres(units)
    except InputError:
        camera *= _LEG_M / max(_leg(camera), 1e-6)
    if _knees_bend_backwards(camera):
        camera = camera * np.array([-1.0, 1.0, 1.0], np.float32)
    root = camera[:, 0].astype(np.float32)
    moving = bool(np.nanmax(np.abs(root - root[:1])) > 0.05)
    valid = np.all(np.isfinite(camera), axis=-1)
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
