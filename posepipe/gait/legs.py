"""Legs that a detector took for each other, put right by how walking goes.

From the side, one leg hides the other each time they pass, and a detector may come out of it with the sides exchanged.
In walking the feet pass each other at every step: where they come together and part again the way they came, the
sides were exchanged there; so they were where the feet change places faster than feet move. Which labelling is right
is for the majority of the frames to say.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from posepipe.gait.direction import find_heading
from posepipe.gait.events import find_walk
from posepipe.gait.passes import find_runs
from posepipe.gait.signals import forward_signals
from posepipe.motion.angles import joint_angles
from posepipe.motion.clip import Motion
from posepipe.skeleton import Layout, mirror_name
from posepipe.types import PoseTrack

__all__ = ["exchanged_frames", "untangle_legs"]

Array = NDArray[np.float64]
Bool = NDArray[np.bool_]
Values = TypeVar("Values", NDArray[np.float32], NDArray[np.bool_])

_PARTS = ("knee", "ankle", "heel", "foot_index")
_TOGETHER = 0.3  # Of the usual distance: the feet are beside each other.
_APART = 0.25
_PASSING = 0.25
_FAST = (
    0.2  # Of a stride: from four fifths of the distance with one foot ahead to as much with the other takes 0.3 of one.
)
_MOST = 0.48
"""More than this share exchanged isn't an exchange: one foot is only ever drawn up to the other."""


def untangle_legs(motion: Motion) -> Motion:
    """The same motion with the legs exchanged where a detector had exchanged them; only for views from the side.

    An exchange is made only if more whole strides are found with it than without.
    """
    if motion.keypoints is None or len(motion) < 8:
        return motion
    heading = find_heading(motion)
    forward = forward_signals(motion, heading)
    if forward.source != "picture":
        return motion
    apart = forward.ankle[:, 0] - forward.ankle[:, 1]
    best, most = motion, len(find_walk(motion).strides)
    for jumps in (False, True):
        wrong = np.zeros(len(motion), dtype=bool)
        for run in find_runs(motion, heading, forward)[0]:
            wrong[run.part] = exchanged_frames(motion.time_s[run.part], apart[run.part], jumps=jumps)
        if wrong.any():
            other = _exchange(motion, wrong)
            count = len(find_walk(other).strides)
            if count > most:
                best, most = other, count
    return best


def exchanged_frames(time_s: Array, apart: Array, *, jumps: bool = True) -> Bool:
    """Frames (F,) in which left is right.

    Args:
        time_s: (F,) without gaps.
        apart: (F,) left foot ahead of the right, as labelled.
        jumps: whether feet that change places too fast count, too.
    """
    none = np.zeros(len(apart), dtype=bool)
    if len(apart) < 8:
        return none
    gap = np.abs(apart)
    usual = float(np.percentile(gap, 90.0))
    peaks, _ = find_peaks(gap, height=_APART * usual, prominence=_APART * usual)
    if len(peaks) < 3 or usual <= 0.0:
        return none
    stride_s = 2.0 * float(np.percentile(np.diff(time_s[peaks]), 60.0))
    wrong = none.copy()
    for first, last in pairwise(peaks):
        between = np.arange(first, last + 1)
        lowest = int(between[np.argmin(gap[between])])
        stays = apart[first] * apart[last] > 0.0
        if stays:
            exchanged = gap[lowest] < _TOGETHER * usual and _bounces(time_s, gap, lowest, usual, stride_s)
        else:
            exchanged = jumps and _change_s(time_s, gap, (first, lowest, last)) < _FAST * stride_s
        if exchanged:
            wrong[lowest:] = ~wrong[lowest:]
    if wrong.mean() > 0.5:
        wrong = ~wrong
    return none if wrong.mean() > _MOST else wrong


def _bounces(time_s: Array, gap: Array, at: int, usual: float, stride_s: float) -> bool:
    """Whether the feet come together and part again as fast as feet that pass each other.

    A sixteenth of a stride before and after, feet that pass are 0.38 of their distance apart (sine of 22.5 degrees),
    one that is only drawn up, and slows down for it, 0.15.
    """
    near = np.interp(time_s[at] + np.array([-1.0, 1.0]) * stride_s / 16.0, time_s, gap)
    return bool((near > _PASSING * usual).all())


def _change_s(time_s: Array, gap: Array, at: tuple[int, int, int]) -> float:
    """How long the feet take to change places: between four fifths of the distances before and after."""
    first, lowest, last = at
    before = np.interp(0.8 * gap[first], gap[first : lowest + 1][::-1], time_s[first : lowest + 1][::-1])
    after = np.interp(0.8 * gap[last], gap[lowest : last + 1], time_s[lowest : last + 1])
    return float(after - before)


def _swapped(values: Values, wrong: Bool, layout: Layout) -> Values:
    names = [f"left_{part}" for part in _PARTS if f"left_{part}" in layout.joints]
    order = np.arange(len(layout))
    for name in names:
        left, right = layout.index(name), layout.index(mirror_name(name))
        order[[left, right]] = right, left
    out = values.copy()
    out[wrong] = values[wrong][:, order]
    return out


def _exchange(motion: Motion, wrong: Bool) -> Motion:
    layout, track = motion.layout, motion.keypoints
    pose = PoseTrack(
        layout,
        motion.time_s,
        _swapped(motion.xyz_m, wrong, layout),
        _swapped(motion.sigma_m, wrong, layout),
        motion.root_m,
        np.full_like(motion.root_m, np.nan),
        _swapped(motion.valid, wrong, layout),
        np.zeros_like(motion.valid),
    )
    if track is not None:
        track = replace(
            track,
            xy_px=_swapped(track.xy_px, wrong, track.layout),
            sigma_px=_swapped(track.sigma_px, wrong, track.layout),
            score=_swapped(track.score, wrong, track.layout),
            valid=_swapped(track.valid, wrong, track.layout),
            interpolated=_swapped(track.interpolated, wrong, track.layout),
        )
    return replace(
        motion,
        xyz_m=pose.xyz_m,
        sigma_m=pose.sigma_m,
        valid=pose.valid,
        angles=joint_angles(pose, up=motion.up.tolist()),
        keypoints=track,
    )
