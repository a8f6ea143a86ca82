"""Runs of steady walking: without gaps, without turns, upright, one leg past the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.gait.direction import Heading, joint_m, view_of
from posepipe.gait.signals import Forward, picture_scale
from posepipe.gait.types import SIDES, Pass, PassKind
from posepipe.geometry.missing import median_known
from posepipe.motion.clip import Motion
from posepipe.reasons import Reason

__all__ = ["Run", "describe_pass", "find_runs", "pieces"]

Array = NDArray[np.float64]
Bool = NDArray[np.bool_]

MAX_GAP_S = 0.15
"""Longer gaps aren't bridged: what happened in them isn't known."""
_SHORTEST_S = 0.9
_TURN_DEG_S = 55.0
_UPRIGHT = 0.5  # Cosine of trunk and legs against up: 60 degrees.
_STEP_SHARE = 0.15
"""Least distance of the ankles along the way, between both extremes, in leg lengths: shuffling is about 0.3."""
_LIFT_SHARE = 0.45
"""Feet lifted higher, in leg lengths, march on the spot with high knees, or sprint; walkers stay under 0.3."""
_MOVED_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Run:
    """Frames `start` to `stop` (exclusive) of one run."""

    start: int
    stop: int

    @property
    def part(self) -> slice:
        """For indexing."""
        return slice(self.start, self.stop)


def find_runs(motion: Motion, heading: Heading, forward: Forward) -> tuple[tuple[Run, ...], Reason | None]:
    """Runs that may hold strides, and why there are none."""
    seen = np.isfinite(forward.ankle).all(axis=1) & np.isfinite(heading.yaw_deg)
    if not seen.any():
        return (), Reason.JOINT_UNSEEN
    long = [p for p in pieces(motion.time_s, seen) if _lasts(motion, p)]
    if not long:
        longest = float(np.ptp(motion.time_s[seen]))
        return (), Reason.GAPS if longest > 2.0 * _SHORTEST_S else Reason.TOO_SHORT
    straight = [q for p in long for q in _straight(motion, heading, p) if _lasts(motion, q)]
    if not straight:
        return (), Reason.UNSTEADY
    walking = tuple(run for run in straight if _walks(motion, forward, run))
    return walking, None if walking else Reason.NOT_WALKING


def _lasts(motion: Motion, run: Run) -> bool:
    return float(motion.time_s[run.stop - 1] - motion.time_s[run.start]) >= _SHORTEST_S


def pieces(time_s: Array, seen: Bool) -> list[Run]:
    """Gap-free runs of seen frames; a run begins and ends with a seen one."""
    index = np.flatnonzero(seen)
    step = float(np.median(np.diff(time_s))) if len(time_s) > 1 else MAX_GAP_S
    limit = max(MAX_GAP_S, 1.6 * step)
    cuts = np.flatnonzero(np.diff(time_s[index]) > limit) + 1
    return [Run(int(part[0]), int(part[-1]) + 1) for part in np.split(index, cuts)]


def _straight(motion: Motion, heading: Heading, run: Run) -> list[Run]:
    rate = heading.rate_deg_s[run.part]
    steady = np.abs(np.where(np.isfinite(rate), rate, 0.0)) < _TURN_DEG_S
    index = np.flatnonzero(steady) + run.start
    if not len(index):
        return []
    cuts = np.flatnonzero(np.diff(index) > 1) + 1
    return [Run(int(part[0]), int(part[-1]) + 1) for part in np.split(index, cuts)]


def _walks(motion: Motion, forward: Forward, run: Run) -> bool:
    """Upright, feet not lifted high, and passing each other."""
    up = motion.up.astype(np.float64)
    part = run.part
    ankles = 0.5 * (joint_m(motion, "left_ankle") + joint_m(motion, "right_ankle"))[part]
    hips = 0.5 * (joint_m(motion, "left_hip") + joint_m(motion, "right_hip"))[part]
    thorax = joint_m(motion, "thorax")[part]
    for top, bottom in ((hips, ankles), (thorax, hips)):
        line = top - bottom
        known = np.isfinite(line).all(axis=1)
        if known.any():
            cosine = (line[known] @ up) / np.maximum(np.linalg.norm(line[known], axis=1), 1e-9)
            if float(np.median(cosine)) < _UPRIGHT:
                return False
    leg = float(median_known(np.linalg.norm(hips - ankles, axis=1))) if np.isfinite(hips - ankles).any() else 0.85
    for side in SIDES:
        height = joint_m(motion, f"{side}_ankle")[part] @ up
        height = height[np.isfinite(height)]
        if len(height) and float(np.subtract(*np.percentile(height, [95.0, 10.0]))) > _LIFT_SHARE * leg:
            return False
    apart = forward.ankle[part, 0] - forward.ankle[part, 1]
    low, high = np.nanpercentile(apart, [5.0, 95.0])
    return bool(high - low > 2.0 * _STEP_SHARE * leg and low < 0.1 * leg and high > -0.1 * leg)


def describe_pass(motion: Motion, heading: Heading, run: Run) -> Pass:
    """Direction, kind and view of a run."""
    part = run.part
    yaw = float(median_known(heading.yaw_deg[part]))
    yaw = (yaw + 180.0) % 360.0 - 180.0
    view = view_of(yaw) if motion.keypoints is not None else "side"
    away, right = abs(yaw) > 90.0, yaw <= 0.0
    direction = 1 if (away if view in ("front", "back") else right) else -1
    start, end = float(motion.time_s[run.start]), float(motion.time_s[run.stop - 1])
    return Pass(start, end, direction, _kind(motion, run), view, yaw)


def _kind(motion: Motion, run: Run) -> PassKind:
    """Whether the person gets anywhere, seen from the camera."""
    scale = picture_scale(motion)[run.part]
    track = motion.keypoints
    if track is None or not np.isfinite(scale).any() or "left_hip" not in track.layout.joints:
        return "unknown"
    hips = track.layout.indices("left_hip", "right_hip")
    x = track.xy_px[run.part, hips[0], 0] / scale
    known = np.flatnonzero(np.isfinite(x))
    if len(known) < 2:
        return "unknown"
    first, last = scale[known[0]], scale[known[-1]]
    grown = abs(float(np.log(last / first)))
    moved = abs(float(x[known[-1]] - x[known[0]]))
    return "overground" if moved > _MOVED_SHARE or grown > 0.15 else "in_place"
