"""What the picture shows of a body: what lies outside it, or what the detector only guessed, isn't seen.

A detector places joints outside the picture too, from the rest of the body. Lifting uses these guesses, by their sigma;
but they aren't seen, in no count and no share, and of a limb that is out of sight for long nothing is claimed in 3D.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posepipe.settings import setting
from posepipe.types import KeypointTrack, PoseTrack

__all__ = ["VISIBLE", "VisibleSettings", "only_seen", "without_unseen"]

Bool = NDArray[np.bool_]

_LIMBS = ("elbow", "wrist", "knee", "ankle", "heel", "foot_index")
"""Joints of which nothing is claimed when they aren't seen; the trunk is what everything else stands on."""


@dataclass(frozen=True, slots=True)
class VisibleSettings:
    """What counts as seen."""

    min_score: float = setting(
        0.01, "a joint of a lower score isn't seen", source="BlazePose gives 0.0001 to legs that a picture cuts off"
    )
    out_of_sight_s: float = setting(
        5.0,
        "a limb unseen for longer at a stretch has no 3D",
        unit="s",
        source="set on a filmed clip: feet cut off at the top of every repetition come back sooner",
    )
    most_unseen: float = setting(0.9, "nor one unseen for this share of the track", source="judgement")


VISIBLE = VisibleSettings()


def only_seen(track: KeypointTrack, size_px: tuple[int, int], settings: VisibleSettings = VISIBLE) -> KeypointTrack:
    """The same track without what the picture doesn't show: NaN and not valid there.

    Args:
        track: keypoints; joints filled between seen ones stay if they lie in the picture.
        size_px: width and height of the picture.
        settings: thresholds.
    """
    inside = np.all((track.xy_px >= 0.0) & (track.xy_px <= np.array(size_px, np.float32)), axis=2)
    scored = (track.score >= settings.min_score) | track.interpolated
    seen = track.valid & inside & scored
    blank = np.float32(np.nan)
    return replace(
        track,
        xy_px=np.where(seen[..., None], track.xy_px, blank),
        sigma_px=np.where(seen, track.sigma_px, blank),
        valid=seen,
        interpolated=track.interpolated & seen,
    )


def without_unseen(pose: PoseTrack, seen: KeypointTrack, settings: VisibleSettings = VISIBLE) -> PoseTrack:
    """The same pose without limbs whose keypoint is out of sight for long; those unseen for a while count as filled.

    Args:
        pose: of F frames.
        seen: keypoints of the same frames, as `only_seen` gives them.
        settings: thresholds.
    """
    valid, filled = pose.valid.copy(), pose.interpolated.copy()
    for column, name in enumerate(pose.layout.joints):
        if name.split("_", 1)[-1] in _LIMBS and name in seen.layout.joints:
            there = seen.valid[:, seen.layout.index(name)]
            filled[:, column] |= ~there
            valid[:, column] &= ~_long_away(there, seen.time_s, settings)
    blank = np.float32(np.nan)
    return replace(
        pose,
        xyz_m=np.where(valid[..., None], pose.xyz_m, blank),
        sigma_m=np.where(valid, pose.sigma_m, blank),
        valid=valid,
        interpolated=filled & valid,
    )


def _long_away(seen: Bool, time_s: NDArray[np.float64], settings: VisibleSettings) -> Bool:
    """(F,) frames of long runs of unseen ones; all unseen ones if they are nearly all there are."""
    if len(seen) and 1.0 - seen.mean() >= settings.most_unseen:
        return ~seen
    away = np.zeros_like(seen)
    edge = np.flatnonzero(np.diff(np.concatenate([[True], seen, [True]]).astype(np.int8)))
    for first, end in zip(edge[::2].tolist(), edge[1::2].tolist(), strict=True):
        away[first:end] = time_s[min(end, len(seen) - 1)] - time_s[max(first - 1, 0)] > settings.out_of_sight_s
    return away
