"""Lengths and widths of steps, from where the feet are against each other.

Both feet are on the ground when one strikes, so their distance is the step on a treadmill, beside a camera that goes
along, and on open ground alike: nothing here needs the camera to stand still.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from posepipe.gait.direction import Heading, find_heading, joint_m
from posepipe.gait.signals import Forward, forward_signals, on_grid
from posepipe.gait.types import HEEL_STRIKE, SIDES, Side, Walk
from posepipe.geometry.missing import median_known
from posepipe.motion.clip import Motion

__all__ = ["Step", "Strider", "strider"]

Array = NDArray[np.float64]

_FLAT = (0.25, 0.65)
"""Shares of the stance in which the foot lies flat: after the heel's rocker, before the heel rises (Perry)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step, from the strike of the other foot to that of this one.

    Attributes:
        side: the foot that lands.
        time_s: duration.
        length_m: between the feet along the way; NaN where not seen.
        width_m: between them across the way.
        pass_index: of `Walk.passes`.
    """

    side: Side
    time_s: float
    length_m: float
    width_m: float
    pass_index: int


@dataclass(frozen=True, slots=True, eq=False)
class Strider:
    """Signals of a walk, ready to be asked for lengths."""

    motion: Motion
    walk: Walk
    heading: Heading
    forward: Forward
    leg_m: float

    def steps(self) -> tuple[Step, ...]:
        """Every step between two strikes that follow each other within a pass."""
        out = []
        for number, span in enumerate(self.walk.passes):
            strikes = [e for e in self.walk.events if e.type == HEEL_STRIKE and span.start_s <= e.time_s <= span.end_s]
            strides = [s.duration_s for s in self.walk.strides if s.pass_index == number]
            usual = float(np.median(strides)) if strides else 1.1
            for old, new in pairwise(strikes):
                if old.side == new.side or not 0.15 * usual < new.time_s - old.time_s < 0.85 * usual:
                    continue
                length, width = self._apart(old.side, new.side, new.time_s)
                out.append(Step(new.side, new.time_s - old.time_s, length, width, number))
        return tuple(out)

    def _apart(self, behind: Side, ahead: Side, at_s: float) -> tuple[float, float]:
        """Distance along and across the way at a strike.

        The foot that lands touches with its heel, the other stands on its ball: from ball to heel, and a foot's length.
        """
        time_s, i, j = self.motion.time_s, SIDES.index(ahead), SIDES.index(behind)
        if self.forward.feet:
            heel = _at(time_s, self.forward.heel[:, i], at_s)
            ball = _at(time_s, self.forward.toe[:, j], at_s)
            length = heel - ball + self._foot_m(j)
        else:
            length = _at(time_s, self.forward.ankle[:, i], at_s) - _at(time_s, self.forward.ankle[:, j], at_s)
        return length, self._across(ahead, behind, at_s)

    def _foot_m(self, column: int) -> float:
        """Heel to ball along the way while the foot is flat, median over strides."""
        side, time_s = SIDES[column], self.motion.time_s
        foot = self.forward.toe[:, column] - self.forward.heel[:, column]
        seen = []
        for stride in self.walk.strides_of(side):
            length = stride.toe_off_s - stride.start_s
            inside = (time_s >= stride.start_s + _FLAT[0] * length) & (time_s <= stride.start_s + _FLAT[1] * length)
            seen.append(foot[inside & np.isfinite(foot)])
        every = np.concatenate(seen) if seen else np.empty(0)
        return float(np.median(every)) if len(every) else float("nan")

    def _across(self, ahead: Side, behind: Side, at_s: float) -> float:
        up = self.motion.up.astype(np.float64)
        gap = joint_m(self.motion, f"{ahead}_ankle") - joint_m(self.motion, f"{behind}_ankle")
        aside = np.cross(up, self.heading.forward)  # To the person's left.
        wide = (gap * aside).sum(axis=1) * (1.0 if ahead == "left" else -1.0)
        return _at(self.motion.time_s, wide, at_s)


def strider(motion: Motion, walk: Walk) -> Strider:
    """Signals of a walk."""
    heading = find_heading(motion)
    return Strider(motion, walk, heading, forward_signals(motion, heading), _leg_m(motion))


def _leg_m(motion: Motion) -> float:
    """Thigh and shank, median over frames and sides; NaN where never seen."""
    lengths = []
    for side in SIDES:
        hip, knee, ankle = (joint_m(motion, f"{side}_{part}") for part in ("hip", "knee", "ankle"))
        both = np.linalg.norm(hip - knee, axis=1) + np.linalg.norm(knee - ankle, axis=1)
        if np.isfinite(both).any():
            lengths.append(float(median_known(both)))
    return float(np.mean(lengths)) if lengths else float("nan")


def _at(time_s: Array, values: Array, at_s: float) -> float:
    known = np.isfinite(values)
    near = known & (np.abs(time_s - at_s) < 0.25)
    if near.sum() < 4:
        return float("nan")
    return float(on_grid(time_s[near], values[near], np.array([at_s]))[0][0])
