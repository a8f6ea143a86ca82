"""Joint layouts, their edges and mirror pairs, and the linear conversions between them.

The names are the contract's: Human3.6M's 17 joints, and MediaPipe's names for everything else.
``pelvis``, ``spine``, ``thorax`` and ``head`` have no keypoint of their own; `conversion` makes them from others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import UsageError

__all__ = ["BLAZEPOSE33", "BODY21", "COCO17", "H36M17", "HALPE26", "LAYOUTS", "Layout", "conversion"]

Edge = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Layout:
    """An ordered set of named joints.

    Attributes:
        name: short name, as in `LAYOUTS`.
        joints: joint names, in the order of every array with a joint axis.
        edges: bones, as pairs of joint names.
    """

    name: str
    joints: tuple[str, ...]
    edges: tuple[Edge, ...]

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Position of a joint; raises `UsageError` naming the valid ones."""
        try:
            return self.joints.index(joint)
        except ValueError:
            raise UsageError(f"no joint {joint!r} in {self.name}", hint=f"Valid: {', '.join(self.joints)}") from None

    def indices(self, *joints: str) -> list[int]:
        """Positions of several joints."""
        return [self.index(joint) for joint in joints]

    @property
    def edge_indices(self) -> NDArray[np.intp]:
        """Bones as joint positions, shape (E, 2)."""
        return np.array([self.indices(*edge) for edge in self.edges], dtype=np.intp)

    @property
    def mirror(self) -> NDArray[np.intp]:
        """Permutation (J,) that swaps left and right."""
        return np.array([self.index(mirror_name(joint)) for joint in self.joints], dtype=np.intp)


def mirror_name(joint: str) -> str:
    """The same joint on the other side of the body."""
    other = {"left": "right", "right": "left"}
    return "_".join(other.get(word, word) for word in joint.split("_"))


def _both(*edges: Edge) -> tuple[Edge, ...]:
    """Edges of the left side, then the same of the right side."""
    return edges + tuple((mirror_name(a), mirror_name(b)) for a, b in edges)


H36M17 = Layout(
    "h36m17",
    (
        "pelvis",
        "right_hip",
        "right_knee",
        "right_ankle",
        "left_hip",
        "left_knee",
        "left_ankle",
        "spine",
        "thorax",
        "nose",
        "head",
        "left_shoulder",
        "left_elbow",
        "left_wrist",
        "right_shoulder",
        "right_elbow",
        "right_wrist",
    ),
    (
        ("pelvis", "spine"),
        ("spine", "thorax"),
        ("thorax", "nose"),
        ("nose", "head"),
        *_both(
            ("pelvis", "left_hip"),
            ("left_hip", "left_knee"),
            ("left_knee", "left_ankle"),
            ("thorax", "left_shoulder"),
            ("left_shoulder", "left_elbow"),
            ("left_elbow", "left_wrist"),
        ),
    ),
)
"""Human3.6M, in the order of the VideoPose3D family. Index 9, "Neck/Nose" there, is the nose here."""

_FEET = (
    ("left_ankle", "left_heel"),
    ("left_heel", "left_foot_index"),
    ("left_ankle", "left_foot_index"),
)

BODY21 = Layout(
    "body21",
    (*H36M17.joints, "left_heel", "left_foot_index", "right_heel", "right_foot_index"),
    (*H36M17.edges, *_both(*_FEET)),
)
"""What the lifter gives: Human3.6M 17, then heels and toes."""

_LIMBS = _both(
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
)
_TORSO: tuple[Edge, ...] = (
    ("left_shoulder", "right_shoulder"),
    ("left_hip", "right_hip"),
    ("left_shoulder", "left_hip"),
    ("right_shoulder", "right_hip"),
)

BLAZEPOSE33 = Layout(
    "blazepose33",
    (
        "nose",
        "left_eye_inner",
        "left_eye",
        "left_eye_outer",
        "right_eye_inner",
        "right_eye",
        "right_eye_outer",
        "left_ear",
        "right_ear",
        "mouth_left",
        "mouth_right",
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
        "left_wrist",
        "right_wrist",
        "left_pinky",
        "right_pinky",
        "left_index",
        "right_index",
        "left_thumb",
        "right_thumb",
        "left_hip",
        "right_hip",
        "left_knee",
        "right_knee",
        "left_ankle",
        "right_ankle",
        "left_heel",
        "right_heel",
        "left_foot_index",
        "right_foot_index",
    ),
    (
        *_TORSO,
        *_LIMBS,
        *_both(
            ("left_wrist", "left_index"),
            ("left_wrist", "left_pinky"),
            ("left_wrist", "left_thumb"),
            *_FEET,
            ("nose", "left_eye"),
            ("left_eye", "left_ear"),
        ),
        ("mouth_left", "mouth_right"),
    ),
)
"""MediaPipe's BlazePose landmarks."""

_FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
_BODY = (
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)
_FACE_EDGES = _both(("nose", "left_eye"), ("left_eye", "left_ear"))

COCO17 = Layout("coco17", _FACE + _BODY, (*_TORSO, *_LIMBS, *_FACE_EDGES))

HALPE26 = Layout(
    "halpe26",
    (
        *_FACE,
        *_BODY,
        "head",
        "neck",
        "pelvis",
        "left_foot_index",
        "right_foot_index",
        "left_small_toe",
        "right_small_toe",
        "left_heel",
        "right_heel",
    ),
    (
        *_TORSO,
        *_LIMBS,
        *_FACE_EDGES,
        ("head", "neck"),
        ("neck", "pelvis"),
        *_both(
            ("left_ankle", "left_heel"),
            ("left_ankle", "left_foot_index"),
            ("left_ankle", "left_small_toe"),
        ),
    ),
)
"""Halpe full body with feet; ``left_foot_index`` is its big toe."""

LAYOUTS: Mapping[str, Layout] = {layout.name: layout for layout in (H36M17, BODY21, BLAZEPOSE33, COCO17, HALPE26)}

# Joints made from others. Head is the middle of the skull: from the ears up by the distance mouth to eyes.
_PELVIS = {"left_hip": 0.5, "right_hip": 0.5}
_THORAX = {"left_shoulder": 0.5, "right_shoulder": 0.5}
_SPINE = {"left_hip": 0.25, "right_hip": 0.25, "left_shoulder": 0.25, "right_shoulder": 0.25}
_EARS = {"left_ear": 0.5, "right_ear": 0.5}
_HEAD = {
    **_EARS,
    "left_eye": 0.5,
    "right_eye": 0.5,
    "mouth_left": -0.5,
    "mouth_right": -0.5,
}
_EYES_OVER_NOSE = {**_EARS, "left_eye": 1.0, "right_eye": 1.0, "nose": -2.0}
_DERIVED: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "blazepose33": {"pelvis": _PELVIS, "thorax": _THORAX, "spine": _SPINE, "head": _HEAD},
    "coco17": {"pelvis": _PELVIS, "thorax": _THORAX, "spine": _SPINE, "head": _EYES_OVER_NOSE},
    "halpe26": {"pelvis": _PELVIS, "thorax": _THORAX, "spine": _SPINE, "head": _EYES_OVER_NOSE},
}

_OPTIONAL = frozenset({"left_heel", "left_foot_index", "right_heel", "right_foot_index"})


@cache
def conversion(source: Layout, target: Layout) -> NDArray[np.float32]:
    """Matrix (target joints, source joints) of the linear map from one layout to another.

    ``xy_target = matrix @ xy_source``; variances go through ``matrix ** 2``. The row of a target joint that the
    source lacks (feet in COCO17) is all zero: treat that joint as missing.
    Known: any layout to itself, and BlazePose33, COCO17, Halpe26, Human3.6M 17 to Human3.6M 17 and Body21.

    Raises:
        UsageError: a target joint other than heels and toes can't be made from the source.
    """
    matrix = np.zeros((len(target), len(source)), dtype=np.float32)
    derived = {} if source == target else _DERIVED.get(source.name, {})
    for row, joint in enumerate(target.joints):
        if joint in derived:
            for name, weight in derived[joint].items():
                matrix[row, source.index(name)] = weight
        elif joint in source.joints:
            matrix[row, source.index(joint)] = 1.0
        elif joint not in _OPTIONAL:
            raise UsageError(f"can't make {joint!r} of {target.name} from {source.name}")
    matrix.flags.writeable = False
    return matrix
