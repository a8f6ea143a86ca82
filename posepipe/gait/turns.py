"""Turns: where a walker changes direction, by how much, and what is walked straight between.

A turn is where the body's heading changes faster than a steady walker's ever does, widened to where it begins and ends
to change, and by enough to be one: whoever looks round doesn't turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.gait.signals import Heading
from posepipe.gait.types import HEEL_STRIKE, Event, Turn
from posepipe.settings import setting

__all__ = ["TURN", "Run", "TurnSettings", "count_steps", "find_turns", "straight_runs"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """Thresholds of a turn."""

    fast_deg_s: float = setting(55.0, "who turns faster doesn't walk steadily", unit="deg/s", source="judgement")
    edge_deg_s: float = setting(
        20.0, "a turn lasts for as long as the heading changes faster than this", unit="deg/s", source="judgement"
    )
    least_deg: float = setting(
        30.0, "smaller changes of direction are no turn, but break a steady walk all the same", unit="deg",
        source="judgement",
    )  # fmt: skip

    most_deg_s: float = setting(
        150.0,
        "nobody who walks turns faster on the mean; a heading that does was taken for its opposite",
        unit="deg/s",
        source="judgement",
    )


TURN = TurnSettings()


@dataclass(frozen=True, slots=True)
class Run:
    """Frames `start` to `stop` (exclusive) of one run."""

    start: int
    stop: int

    @property
    def part(self) -> slice:
        """For indexing."""
        return slice(self.start, self.stop)


def find_turns(time_s: Array, heading: Heading, run: Run) -> tuple[Turn, ...]:
    """Turns within a gap-free run, in order of time; their steps aren't counted yet."""
    rate = np.nan_to_num(heading.rate_deg_s[run.part])
    out: list[Turn] = []
    for fast in _stretches(np.abs(rate) >= TURN.fast_deg_s):
        way = np.sign(rate[fast.start])
        first, last = fast.start, fast.stop - 1
        while first > 0 and way * rate[first - 1] >= TURN.edge_deg_s:
            first -= 1
        while last < len(rate) - 1 and way * rate[last + 1] >= TURN.edge_deg_s:
            last += 1
        first, last = first + run.start, last + run.start
        # The yaw grows to the picture's left, which is the right of whoever faces the camera.
        angle = float(heading.yaw_deg[first] - heading.yaw_deg[last])
        turn = Turn(float(time_s[first]), float(time_s[last]), angle, 0)
        if abs(angle) < TURN.least_deg or abs(angle) > TURN.most_deg_s * (turn.end_s - turn.start_s):
            continue
        if out and turn.start_s <= out[-1].end_s:  # Two fast stretches of one turn.
            first = int(np.searchsorted(time_s, out[-1].start_s))
            angle = float(heading.yaw_deg[first] - heading.yaw_deg[last])
            turn = Turn(out[-1].start_s, max(turn.end_s, out[-1].end_s), angle, 0)
            out.pop()
        out.append(turn)
    return tuple(out)


def straight_runs(time_s: Array, heading: Heading, run: Run, turns: Sequence[Turn]) -> list[Run]:
    """What is left of a run without turns and without frames in which the body turns fast."""
    rate = heading.rate_deg_s[run.part]
    steady = np.abs(np.where(np.isfinite(rate), rate, 0.0)) < TURN.fast_deg_s
    times = time_s[run.part]
    for turn in turns:
        steady &= (times < turn.start_s) | (times > turn.end_s)
    return [Run(part.start + run.start, part.stop + run.start) for part in _stretches(steady)]


def count_steps(turn: Turn, events: Sequence[Event]) -> Turn:
    """The turn with its steps: feet that land in it."""
    steps = sum(e.type == HEEL_STRIKE and turn.start_s <= e.time_s <= turn.end_s for e in events)
    return Turn(turn.start_s, turn.end_s, turn.angle_deg, steps)


def _stretches(flags: NDArray[np.bool_]) -> list[Run]:
    index = np.flatnonzero(flags)
    if not len(index):
        return []
    cuts = np.flatnonzero(np.diff(index) > 1) + 1
    return [Run(int(part[0]), int(part[-1]) + 1) for part in np.split(index, cuts)]
