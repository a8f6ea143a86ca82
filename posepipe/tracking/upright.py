"""Which way is up: films on their side or upside down, told by how the people in them hold themselves.

Every frame is described by the directions of its limbs against each of the picture's four sides taken for up: legs
that hang under a trunk, arms that hang beside it or stand under a lying one, feet or hands that are lowest. How usual
that is was learnt from made people who exercise, walk and lie (`posepipe.lab.upright`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from posepipe.settings import setting
from posepipe.skeleton import LAYOUTS
from posepipe.tracking.upright_weights import WEIGHTS
from posepipe.types import KeypointTrack

__all__ = ["UPRIGHT", "UprightSettings", "describe_pose", "find_turn", "turned", "turned_points"]

Float64 = NDArray[np.float64]
Intp = NDArray[np.intp]

_UP = np.array([(0.0, -1.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0)])
"""What is up in the picture if it has to be turned counter-clockwise by 0, 90, 180, 270 degrees."""
_SLANT = 0.5
"""Cosine from which a limb points up or down: 60 degrees."""
_SHORT = 0.05
"""A limb shorter than this share of the body points at the camera: neither up nor down."""
_ENDS = ("ankle", "knee", "hip", "shoulder", "elbow", "wrist", "nose")
"""Joints that may be lowest."""


@dataclass(frozen=True, slots=True)
class UprightSettings:
    """When a film is turned."""

    margin: float = setting(
        5.0,
        "log odds of the best side over the picture's own from which it is turned",
        source="made takes, filmed clips in view: 0.4 % turned wrongly, 84 % found; posepipe evaluate upright",
    )
    min_score: float = setting(0.3, "a joint of a lower score isn't seen", source="judgement")
    seen_joints: float = setting(
        0.6, "share of limb joints seen in the picture from which a frame is asked", source="set on filmed clips"
    )
    least_s: float = setting(1.0, "people seen for a shorter time aren't asked", unit="s", source="judgement")
    least_share: float = setting(0.2, "share of the film's frames that must be asked", source="judgement")


UPRIGHT = UprightSettings()


@cache
def _limbs(layout: str) -> tuple[Intp, Intp]:
    """Joints (S, 2) of both sides' thigh, shank, upper arm, forearm; and the ends' joints (7, 2)."""
    joints = LAYOUTS[layout]
    bones = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
    pairs = [joints.indices(f"{side}_{a}", f"{side}_{b}") for a, b in bones for side in ("left", "right")]
    ends = [joints.indices(*((name, name) if name == "nose" else (f"left_{name}", f"right_{name}"))) for name in _ENDS]
    return np.array(pairs, np.intp), np.array(ends, np.intp)


def describe_pose(xy_px: Float64, layout: str) -> Float64:
    """Shares (4, K) of what frames show, for each of the picture's sides taken for up.

    Args:
        xy_px: (F, J, 2) frames in which all limbs are known.
        layout: name of the joint layout.
    """
    pairs, ends = _limbs(layout)
    size = np.hypot(*np.ptp(xy_px[:, ends.ravel()], axis=1).T)[:, None]
    middle = xy_px[:, ends[[3, 2]]].mean(axis=2)  # shoulders, hips
    neck = xy_px[:, ends[6, 0]] - middle[:, 0]
    way = xy_px[:, pairs[:, 1]] - xy_px[:, pairs[:, 0]]
    way = np.concatenate([way, (middle[:, 0] - middle[:, 1])[:, None], neck[:, None]], axis=1)
    length = np.linalg.norm(way, axis=2)
    unit = way / np.maximum(length, np.maximum(_SHORT * size, 1e-9))[..., None]
    place = xy_px[:, ends].mean(axis=2) if len(xy_px) else np.zeros((0, len(_ENDS), 2))
    rows = []
    for up in _UP:
        cosine = unit @ up
        to = (cosine > _SLANT).astype(np.intp) - (cosine < -_SLANT) + 1  # 0 down, 1 neither, 2 up
        trunk, head = to[:, 8], to[:, 9]
        lowest = (xy_px[:, ends] @ up).min(axis=2).argmin(axis=1)
        counts = [
            *(_shares(9 * trunk + 3 * to[:, side] + to[:, side + 2], 27) for side in (0, 1)),
            *(_shares(9 * trunk + 3 * to[:, side + 4] + to[:, side + 6], 27) for side in (0, 1)),
        ]
        legs, arms = 0.5 * (counts[0] + counts[1]), 0.5 * (counts[2] + counts[3])
        extent = np.log(np.ptp(place @ up, axis=0) + 0.02 * size.mean())
        across = np.log(np.ptp(place @ up[::-1], axis=0) + 0.02 * size.mean())
        moved = np.clip(extent - across, -2.0, 2.0)[[0, 2, 5]]
        rows.append(np.concatenate([legs, arms, _shares(3 * trunk + head, 9), _shares(7 * trunk + lowest, 21), moved]))
    return np.stack(rows)


def _shares(kind: Intp, count: int) -> Float64:
    return np.bincount(kind, minlength=count) / max(len(kind), 1)


def find_turn(
    tracks: Sequence[KeypointTrack], frames: int, size_px: tuple[int, int], settings: UprightSettings = UPRIGHT
) -> int:
    """By how many degrees counter-clockwise a film must be turned to stand upright: 0, 90, 180 or 270.

    0 where too little of anybody is seen, or for too short a time, or where the other sides aren't clearly better.

    Args:
        tracks: everybody there is.
        frames: of the film.
        size_px: width and height of its pictures.
        settings: thresholds.
    """
    total, weight = np.zeros(4), 0.0
    for track in tracks:
        known = _asked(track, size_px, settings)
        seen_s = known.mean() * float(track.time_s[-1] - track.time_s[0])
        if seen_s < settings.least_s or known.sum() < settings.least_share * frames:
            continue
        shares = describe_pose(track.xy_px[known].astype(np.float64), track.layout.name)
        mine = float(known.sum())
        total += mine * (shares @ np.asarray(WEIGHTS))
        weight += mine
    if weight == 0.0:
        return 0
    score = total / weight
    best = int(score.argmax())
    return 90 * best if score[best] - score[0] >= settings.margin else 0


def _asked(track: KeypointTrack, size_px: tuple[int, int], settings: UprightSettings) -> NDArray[np.bool_]:
    """(F,) frames in which all joints are known, and enough of them lie in the picture and were seen."""
    pairs, ends = _limbs(track.layout.name)
    joints = np.unique(np.concatenate([pairs.ravel(), ends.ravel()]))
    xy = track.xy_px[:, joints]
    inside = ((xy >= 0.0) & (xy <= np.array(size_px, np.float32))).all(axis=2)
    seen = inside & (track.score[:, joints] >= settings.min_score)
    return np.asarray(track.valid[:, joints].all(axis=1) & (seen.mean(axis=1) >= settings.seen_joints))


def turned_points(xy_px: NDArray[np.float32], size_px: tuple[int, int], turn_deg: int) -> NDArray[np.float32]:
    """Points (..., 2) of a picture of that size after it was turned counter-clockwise by 0, 90, 180 or 270 degrees."""
    width, height = size_px
    x, y = xy_px[..., 0], xy_px[..., 1]
    spots = {0: (x, y), 90: (y, width - x), 180: (width - x, height - y), 270: (height - y, x)}
    return np.stack(spots[turn_deg], axis=-1).astype(np.float32)


def turned(track: KeypointTrack, size_px: tuple[int, int], turn_deg: int) -> KeypointTrack:
    """The track in the picture turned counter-clockwise; `size_px` is the size before."""
    return replace(track, xy_px=turned_points(track.xy_px, size_px, turn_deg))
