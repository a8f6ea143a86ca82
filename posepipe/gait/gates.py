"""When to abstain: what each number needs of the picture and of the walk, and the reason if it isn't there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.gait.curves import MeanCurve
from posepipe.gait.types import SIDES, Stride, Walk
from posepipe.geometry.missing import median_known
from posepipe.motion.clip import Motion
from posepipe.reasons import Reason

__all__ = ["LEAST_FPS_HZ", "LEAST_STRIDES", "Seen", "choose_strides", "picture_gate", "score_gate", "stride_gate"]

LEAST_STRIDES = 3
"""Clean strides a side below which nothing is judged."""

LEAST_FPS_HZ = 14.0
"""Below, a swing phase of 0.4 s has fewer than six pictures, and the knee's peak falls between them."""

_MOST_OUTSIDE, _MOST_UNSEEN = 0.3, 0.4
_MOST_KNEE_SIGMA_DEG = 30.0
_LEGS = tuple(f"{side}_{part}" for side in SIDES for part in ("hip", "knee", "ankle"))
_SAGITTAL_VIEWS = ("side", "oblique", "3d", "sensor")
_SENSOR_M = 0.012


@dataclass(frozen=True, slots=True)
class Seen:
    """The strides that are judged together.

    Attributes:
        view: "side", "oblique", "front" (from behind too); "3d" or "sensor" for motion that never was a picture, the
            second where its joints are uncertain by more than 12 mm.
        strides: of that view.
    """

    view: str
    strides: tuple[Stride, ...]


def choose_strides(motion: Motion, walk: Walk) -> Seen:
    """The view with the most strides and its strides: one mean cycle mustn't mix what a camera saw from two sides."""
    if motion.keypoints is None:
        legs = [motion.layout.index(joint) for joint in _LEGS if joint in motion.layout.joints]
        sigma = motion.sigma_m[:, legs][np.isfinite(motion.sigma_m[:, legs])]
        return Seen("sensor" if len(sigma) and float(np.median(sigma)) > _SENSOR_M else "3d", walk.strides)
    views = [
        "front" if walk.passes[s.pass_index].view == "back" else walk.passes[s.pass_index].view for s in walk.strides
    ]
    if not views:
        return Seen("side", ())
    best = max(dict.fromkeys(views), key=views.count)
    return Seen(best, tuple(s for s, view in zip(walk.strides, views, strict=True) if view == best))


def stride_gate(strides: Sequence[Stride], least: int = LEAST_STRIDES) -> Reason | None:
    """`Reason.TOO_FEW_STRIDES` unless both sides have enough."""
    return Reason.TOO_FEW_STRIDES if min(count_of(strides, side) for side in SIDES) < least else None


def count_of(strides: Sequence[Stride], side: str) -> int:
    """Strides of one side."""
    return sum(stride.side == side for stride in strides)


def picture_gate(motion: Motion, strides: Sequence[Stride]) -> Reason | None:
    """Why the picture can't carry a judgement; None if it can."""
    inside = np.zeros(len(motion), dtype=bool)
    for stride in strides:
        inside |= (motion.time_s >= stride.start_s) & (motion.time_s <= stride.end_s)
    if inside.sum() < 2:
        return Reason.TOO_FEW_STRIDES
    steps = np.diff(motion.time_s)[inside[:-1] & inside[1:]]
    if len(steps) and 1.0 / float(np.median(steps)) < LEAST_FPS_HZ:
        return Reason.FRAME_RATE_TOO_LOW
    if _outside_share(motion, inside) > _MOST_OUTSIDE:
        return Reason.OUT_OF_FRAME
    legs = [motion.layout.index(joint) for joint in _LEGS if joint in motion.layout.joints]
    if len(legs) < len(_LEGS) or 1.0 - float(motion.valid[inside][:, legs].mean()) > _MOST_UNSEEN:
        return Reason.JOINT_UNSEEN
    return None


def _outside_share(motion: Motion, inside: NDArray[np.bool_]) -> float:
    """Share of leg keypoints that are outside the picture, or were never seen beside its edge."""
    track, size = motion.keypoints, motion.size_px
    if track is None or size is None:
        return 0.0
    legs = [track.layout.index(joint) for joint in _LEGS if joint in track.layout.joints]
    xy = track.xy_px[inside][:, legs]
    known = np.isfinite(xy).all(axis=-1)
    outside = known & ((xy < 0.0) | (xy > np.array(size))).any(axis=-1)
    return float(outside.sum() / max(known.sum(), 1))


def score_gate(curves: Sequence[MeanCurve], view: str) -> Reason | None:
    """Why the sagittal deviation score can't be given; None if it can."""
    if view not in _SAGITTAL_VIEWS:
        return Reason.WRONG_VIEW
    needed = [c for c in curves if c.angle in ("hip_flexion", "knee_flexion")]
    if len(needed) < 4:
        return Reason.JOINT_UNSEEN
    knees = [float(median_known(c.sigma_deg)) for c in needed if c.angle == "knee_flexion"]
    return Reason.TOO_UNCERTAIN if max(knees) > _MOST_KNEE_SIGMA_DEG else None
