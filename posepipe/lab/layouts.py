"""Skeletons of other people's files, understood by joint name: our names, metres, z up; and joints alone as a track.

Known spellings: Human3.6M 17 (``Hip RHip RKnee RFoot .. Neck/Nose Head LShoulder``), BlazePose 33, COCO 17, Halpe 26,
OpenPose 18, Kinect v2 25, the 20 joints of CMU and HDM05, the 16 of SPHERE, Penn Action's 13; any order, any subset.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from posepipe.body.motion import Motion
from posepipe.errors import InputError
from posepipe.skeleton import BODY21, LAYOUTS, Layout
from posepipe.types import Angles, PoseTrack

__all__ = ["MIDDLES", "bare_pose", "to_layout", "to_metres", "to_z_up", "without_angles"]

FloatArray = NDArray[np.float32]

MIDDLES: Mapping[str, tuple[str, ...]] = {
    "pelvis": ("left_hip", "right_hip"),
    "thorax": ("left_shoulder", "right_shoulder"),
    "spine": ("left_hip", "right_hip", "left_shoulder", "right_shoulder"),
}
"""Joints that no detector finds: means of others."""

_SIDED = {
    "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "heel", "foot_index", "eye", "ear", "eye_inner", "eye_outer",
    "pinky", "index", "thumb", "small_toe", "hand", "hand_tip", "foot", "mouth",
}  # fmt: skip
_SYNONYMS = {
    "hips": "pelvis", "midhip": "pelvis", "mid_hip": "pelvis", "spinebase": "pelvis", "spine_base": "pelvis",
    "root": "pelvis", "spinemid": "spine", "spine_mid": "spine", "torso": "spine", "spineshoulder": "thorax",
    "spine_shoulder": "thorax", "chest": "upper_spine", "neck_nose": "neck_nose", "toe": "foot_index",
    "toes": "foot_index", "toe_base": "foot_index", "big_toe": "foot_index", "bigtoe": "foot_index",
    "foot_tip": "foot_index", "smalltoe": "small_toe", "handtip": "hand_tip", "head_top": "head_top",
    "headtop": "head_top", "hand_thumb": "thumb", "upleg": "hip", "upper_leg": "hip", "leg": "knee",
    "arm": "shoulder", "upper_arm": "shoulder", "forearm": "elbow", "fore_arm": "elbow",
}  # fmt: skip
_SIDES = {"l": "left", "left": "left", "r": "right", "right": "right"}
_METRES = {"m": 1.0, "metre": 1.0, "metres": 1.0, "meter": 1.0, "meters": 1.0, "cm": 0.01, "centimetres": 0.01}
_METRES |= {"mm": 0.001, "millimetre": 0.001, "millimetres": 0.001, "millimeters": 0.001}


def canonical_names(names: Sequence[str]) -> tuple[str, ...]:
    """Our name for every joint; names that mean nothing here come back in lower case.

    A foot is the ankle where the set has no ankles (Human3.6M), else its own joint; a plain hip is the pelvis where
    hips with a side exist; Human3.6M's Neck/Nose is neither and stays ``neck_nose``.
    """
    found = [_one(str(name)) for name in names]
    joints = set(found)
    if "left_ankle" not in joints and "right_ankle" not in joints:
        found = [name.replace("_foot", "_ankle") if name in ("left_foot", "right_foot") else name for name in found]
    elif not joints & {"left_foot_index", "right_foot_index"}:
        found = [name + "_index" if name in ("left_foot", "right_foot") else name for name in found]
    return tuple("pelvis" if name == "hip" else name for name in found)


def _one(name: str) -> str:
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name.strip())
    text = re.sub(r"^([LR])([A-Z][a-z])", r"\1_\2", text)
    words = [word for word in re.split(r"[^A-Za-z0-9]+", text.lower()) if word]
    side = ""
    for place in (0, -1):
        if len(words) > 1 and words[place] in _SIDES:
            side = _SIDES[words.pop(place)]
            break
    part = "_".join(words)
    part = _SYNONYMS.get(part, part)
    if part == "mouth" and side:
        return f"mouth_{side}"
    return f"{side}_{part}" if side and part in _SIDED else (part if not side else f"{side}_{part}")


def to_layout(points: FloatArray, names: Sequence[str], target: Layout) -> FloatArray:
    """Points by joint name in the order of a layout.

    Pelvis, thorax and spine are made from hips and shoulders where those exist, as `posepipe.skeleton.conversion` does.

    Args:
        points: (..., J, D).
        names: J joint names, in any known spelling; or one name of `LAYOUTS`.
        target: the layout wanted.

    Returns:
        (..., len(target), D), NaN where the file has no such joint.

    Raises:
        InputError: the number of names and joints differ, or no joint is known.
    """
    if len(names) == 1 and str(names[0]).lower() in LAYOUTS:
        names = LAYOUTS[str(names[0]).lower()].joints
    if len(names) != points.shape[-2]:
        raise InputError(f"{len(names)} joint names for {points.shape[-2]} joints")
    known = canonical_names(names)
    out = np.full((*points.shape[:-2], len(target), points.shape[-1]), np.nan, dtype=np.float32)
    for place, name in enumerate(known):
        if name in target.joints:
            out[..., target.index(name), :] = points[..., place, :]
    for joint, parents in MIDDLES.items():
        if joint in target.joints and all(parent in known for parent in parents):
            places = [known.index(parent) for parent in parents]
            out[..., target.index(joint), :] = points[..., places, :].mean(axis=-2)
    if np.isnan(out).all():
        raise InputError(f"no known joint among {', '.join(map(str, names[:5]))}, ...")
    return out


def to_metres(units: str) -> float:
    """Factor from the unit named first in a text ("metres (bone lengths of ...)") to metres.

    Raises:
        InputError: it names no length.
    """
    word = re.split(r"[^a-z]+", units.strip().lower())[0]
    if word not in _METRES:
        raise InputError(f"units {units!r}", hint="Expected metres, centimetres or millimetres")
    return _METRES[word]


def to_z_up(axes: str) -> FloatArray:
    """Rotation (3, 3) that takes a file's axes to z up, from a text that names the vertical one.

    "z up" leaves them; "y up" maps (x, y, z) to (x, -z, y); "y down" (cameras) maps to (x, z, -y).

    Raises:
        InputError: the text names no vertical axis.
    """
    text = axes.lower().replace("-", " ")
    if re.search(r"\bz\s*up\b", text):
        return np.eye(3, dtype=np.float32)
    if re.search(r"\by\s*up\b", text):
        return np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], dtype=np.float32)
    if re.search(r"\by\s*down\b", text):
        return np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=np.float32)
    raise InputError(f"axes {axes!r}", hint="Expected a text such as 'z up', 'y up' or 'y down'")


def bare_pose(xyz_m: FloatArray, sigma_m: FloatArray | float, time_s: NDArray[np.float64] | None = None) -> PoseTrack:
    """A Body21 track of joints alone: valid where they are known, the pelvis nowhere.

    Args:
        xyz_m: (F, 21, 3); NaN where missing.
        sigma_m: (F, 21), or of all.
        time_s: (F,); 30 frames a second if None.
    """
    valid = np.all(np.isfinite(xyz_m), axis=-1)
    nowhere = np.full((len(xyz_m), 3), np.nan, np.float32)
    return PoseTrack(
        layout=BODY21,
        time_s=np.arange(len(xyz_m)) / 30.0 if time_s is None else time_s,
        xyz_m=np.where(valid[..., None], xyz_m, np.float32(np.nan)),
        sigma_m=np.where(valid, sigma_m, np.nan).astype(np.float32),
        root_m=nowhere,
        root_sigma_m=nowhere,
        valid=valid,
        interpolated=np.zeros_like(valid),
    )


def without_angles(pose: PoseTrack) -> Motion:
    """A motion for what needs joints alone."""
    empty = np.zeros((len(pose), 0), np.float32)
    return Motion.from_pose(pose, Angles((), empty, empty))
