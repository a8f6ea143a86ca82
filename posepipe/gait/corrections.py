"""Heel strikes that somebody who looked at the video took out again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from posepipe.gait.types import HEEL_STRIKE, Side, Stride, Walk

__all__ = ["Strike", "without_strikes"]

Strike = tuple[Side, float]
"""The foot, and when, in seconds."""

_NEAR_S = 0.08
"""A strike is the one that was meant if it is so near; two of one foot are never that close."""
_USUAL_TOE_OFF = 0.6
"""Share of the cycle at which toes usually leave the ground; tells which of two toe offs a joined stride keeps."""


def without_strikes(walk: Walk, strikes: Sequence[Strike]) -> Walk:
    """The walk without some heel strikes: two strides that met at one become one.

    Args:
        walk: as found.
        strikes: to leave out; those that aren't there change nothing.
    """
    for side, time_s in strikes:
        events = tuple(
            event
            for event in walk.events
            if not (event.side == side and event.type == HEEL_STRIKE and abs(event.time_s - time_s) < _NEAR_S)
        )
        if len(events) == len(walk.events):
            continue
        before = [s for s in walk.strides if s.side == side and abs(s.end_s - time_s) < _NEAR_S]
        after = [s for s in walk.strides if s.side == side and abs(s.start_s - time_s) < _NEAR_S]
        strides = [s for s in walk.strides if s not in before and s not in after]
        if before and after and before[0].pass_index == after[0].pass_index:
            strides.append(_joined(before[0], after[0]))
        walk = replace(walk, events=events, strides=tuple(sorted(strides, key=lambda s: s.start_s)))
    return walk


def _joined(first: Stride, second: Stride) -> Stride:
    usual_s = first.start_s + _USUAL_TOE_OFF * (second.end_s - first.start_s)
    toe_off_s = min(first.toe_off_s, second.toe_off_s, key=lambda moment: abs(moment - usual_s))
    return replace(first, toe_off_s=toe_off_s, end_s=second.end_s)
