"""Other programs' joints under our names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from posepipe.errors import InputError
from posepipe.skeleton import BLAZEPOSE33, COCO17, HALPE26, Layout

__all__ = ["ORDERS", "joint_named", "layout_for"]

_LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_NEEDED = tuple(f"{side}_{limb}" for side in ("left", "right") for limb in _LIMBS)

_COCO18 = (
    *("nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist"),
    *("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
    *("right_eye", "left_eye", "right_ear", "left_ear"),
)
_BODY25 = (
    *("nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist"),
    *("pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
    *("right_eye", "left_eye", "right_ear", "left_ear"),
    *("left_foot_index", "left_small_toe", "left_heel", "right_foot_index", "right_small_toe", "right_heel"),
)
_COCO23 = (
    *COCO17.joints,
    *("left_foot_index", "left_small_toe", "left_heel", "right_foot_index", "right_small_toe", "right_heel"),
)

ORDERS: dict[int, tuple[str, ...]] = {
    17: COCO17.joints,
    18: _COCO18,
    25: _BODY25,
    26: HALPE26.joints,
    33: BLAZEPOSE33.joints,
    # Whole bodies: the first points are COCO's with feet, or Halpe's.
    133: _COCO23,
    136: HALPE26.joints,
}
"""Joints in the order of a file that gives no names, by the number of its points."""

_PARTS = {
    "shoulder": "shoulder",
    "elbow": "elbow",
    "wrist": "wrist",
    "hip": "hip",
    "knee": "knee",
    "ankle": "ankle",
    "heel": "heel",
    "eye": "eye",
    "ear": "ear",
    "bigtoe": "foot_index",
    "toe": "foot_index",
    "footindex": "foot_index",
    "smalltoe": "small_toe",
}
_MIDDLE = {
    "nose": "nose",
    "neck": "neck",
    "midhip": "pelvis",
    "pelvis": "pelvis",
    "head": "head",
    "headtop": "head",
}
_SIDES = {"l": "left", "left": "left", "2": "left", "r": "right", "right": "right", "1": "right"}
_KNOWN = frozenset((*BLAZEPOSE33.joints, *HALPE26.joints))


def joint_named(name: str) -> str | None:
    """Our name of a joint: ``LeftAnkle``, ``l_ankle``, ``ankle_L`` and DeepLabCut's ``ankle2`` are `left_ankle`.

    None for a joint that isn't used. DeepLabCut's human model numbers the right side 1.
    """
    plain = name.strip().lower().replace(" ", "_").replace("-", "_")
    if plain in _KNOWN:
        return plain
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name.strip())
    words = [word for word in re.split(r"[^A-Za-z0-9]+", spaced.lower()) if word]
    if not words:
        return None
    joined = "".join(words)
    if joined in _MIDDLE:
        return _MIDDLE[joined]
    for side, rest in ((words[0], words[1:]), (words[-1], words[:-1])):
        part = _PARTS.get("".join(rest))
        if side in _SIDES and part is not None:
            return f"{_SIDES[side]}_{part}"
    return None


def layout_for(names: Sequence[str | None], where: str) -> Layout:
    """The layout that holds joints of these names.

    Raises:
        InputError: shoulders, elbows, wrists, hips, knees or ankles are missing: not a human body.
    """
    missing = [joint for joint in _NEEDED if joint not in names]
    if missing:
        raise InputError(
            f"no joint {missing[0]!r} among its {len(names)}",
            where=where,
            hint="The points must be a person's: shoulders, elbows, wrists, hips, knees, ankles",
        )
    return BLAZEPOSE33 if set(BLAZEPOSE33.joints) <= set(names) else HALPE26
