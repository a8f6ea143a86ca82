"""Parts of strides: what is seen of a walk before its first whole stride of a side and after its last.

Whoever crosses the picture once takes six steps, and half of a stride of each side lies before the first strike that is
seen and after the last. A cycle repeats, so what is seen of the one that came before and of the one that follows makes
up for a whole one: of strikes of the left, right, left, right and left foot the left has two whole strides, and so has
the right, one of them in two parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.body.motion import Motion
from posepipe.gait.events import EVENT
from posepipe.gait.signals import Forward
from posepipe.gait.types import HEEL_STRIKE, POINTS, SIDES, TOE_OFF, Cycle, Pass, Side, Stride, Walk
from posepipe.geometry import median_known
from posepipe.settings import setting

__all__ = ["PART", "Part", "PartSettings", "parts_of", "strides_seen", "sure_strides"]


Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PartSettings:
    """What of a stride counts."""

    whole: int = setting(
        2,
        "whole strides of both sides together from which parts of others are used",
        source="what a part is like is seen beside whole ones only",
    )
    least: float = setting(0.1, "share of a stride under which a part isn't used", source="judgement: a few pictures")
    sure: float = setting(
        0.6,
        "confidence of a strike that bounds a stride or a part of one, where there are so few",
        source="judgement: a strike at the picture's edge or behind furniture spoils half of what is judged",
    )
    hidden: float = setting(
        2.0,
        "legs that are so many times less sure than usual, and stay so to the end of a pass, are no longer seen",
        source="judgement: as for a hidden foot's strikes",
    )
    unlike: float = setting(
        0.15,
        "a part ends where the ankles' distance along the way differs by more from a stride earlier or later; share of "
        "its range",
        source="200 made short walks of which 120 stop, slow down or start: of 43 steady ones that are judged without "
        "this, 43 are, from 0.3 down to 0.1; of normal ones that aren't steady 11 are flagged without, 4 from 0.15 on",
    )
    covered: float = setting(
        0.9,
        "share of the cycle that must have been seen so often for as many strides to count",
        source="judgement: parts meet at a strike, whose time isn't known better",
    )


PART = PartSettings()


@dataclass(frozen=True, slots=True)
class Part:
    """Part of a stride.

    Attributes:
        stride: the whole of it; one of its strikes lies outside of what was seen, a stride's time from the other. Its
            toe off is NaN where it wasn't seen.
        from_s, to_s: what was seen.
    """

    stride: Stride
    from_s: float
    to_s: float


def sure_strides(walk: Walk, strides: Sequence[Stride]) -> tuple[Stride, ...]:
    """Those between sure strikes."""
    sure = {(e.side, e.time_s) for e in walk.events if e.type == HEEL_STRIKE and e.confidence >= PART.sure}
    return tuple(s for s in strides if (s.side, s.start_s) in sure and (s.side, s.end_s) in sure)


def parts_of(motion: Motion, walk: Walk, strides: Sequence[Stride], forward: Forward) -> tuple[Part, ...]:
    """Parts of strides before and after whole ones of a pass: between its steps, as far as both legs are seen.

    A part ends where they no longer walk as in the whole strides.

    Args:
        motion: in which the walk was found.
        walk: as found.
        strides: whole ones of it, those that are judged.
        forward: the feet's places, of that motion.
    """
    out: list[Part] = []
    for number in sorted({stride.pass_index for stride in strides}):
        whole = [stride for stride in strides if stride.pass_index == number]
        legs_s, steps_s = _legs_seen(motion, walk.passes[number]), _stepped(walk, walk.passes[number])
        same_s = _alike(motion.time_s, forward, walk.passes[number], whole)
        seen_s = max(legs_s[0], steps_s[0], same_s[0]), min(legs_s[1], steps_s[1], same_s[1])
        for side in SIDES:
            out += _parts_beside(walk, seen_s, whole, side)
    return tuple(out)


def _legs_seen(motion: Motion, span: Pass) -> tuple[float, float]:
    """When both legs are first and last seen about as well as usual in the pass; before and after they are guessed."""
    inside = (motion.time_s >= span.start_s) & (motion.time_s <= span.end_s)
    time_s, track = motion.time_s[inside], motion.keypoints
    if track is not None:
        legs = [track.layout.indices(*(f"{side}_{part}" for part in ("hip", "knee", "ankle"))) for side in SIDES]
        sigma_px = np.stack([track.sigma_px[inside][:, leg].mean(axis=1) for leg in legs], axis=1)
        seen = np.all(sigma_px <= PART.hidden * median_known(sigma_px), axis=1)
        time_s = time_s[seen] if seen.any() else time_s
    return float(time_s[0]), float(time_s[-1])


def _stepped(walk: Walk, span: Pass) -> tuple[float, float]:
    """First and last event of a pass: who stands before the first step or after the last is no part of a stride."""
    times = [event.time_s for event in walk.steady if span.start_s <= event.time_s <= span.end_s]
    return min(times), max(times)


def _alike(time_s: Array, forward: Forward, span: Pass, whole: Sequence[Stride]) -> tuple[float, float]:
    """From when to when the ankles pass each other as in the whole strides: who starts or stops doesn't walk yet."""
    first_s, last_s = min(stride.start_s for stride in whole), max(stride.end_s for stride in whole)
    stride_s = float(np.median([stride.duration_s for stride in whole]))
    apart = forward.ankle[:, 0] - forward.ankle[:, 1]
    known = np.isfinite(apart) & (time_s >= span.start_s) & (time_s <= span.end_s)
    at_s, apart = time_s[known], apart[known]
    later = stride_s * np.ceil(np.maximum(first_s - at_s, 0.0) / stride_s)
    earlier = stride_s * np.ceil(np.maximum(at_s - last_s, 0.0) / stride_s)
    usual = np.interp(at_s + later - earlier, at_s, apart)
    inside = (at_s >= first_s) & (at_s <= last_s)
    if not inside.any():
        return -np.inf, np.inf
    other = np.abs(apart - usual) > PART.unlike * np.ptp(apart[inside])
    before, after = at_s[other & (at_s < first_s)], at_s[other & (at_s > last_s)]
    return float(before.max(initial=-np.inf)), float(after.min(initial=np.inf))


def _parts_beside(walk: Walk, seen_s: tuple[float, float], whole: Sequence[Stride], side: Side) -> list[Part]:
    """One side's, in one pass."""
    stride_s = float(np.median([stride.duration_s for stride in whole]))
    mine = [stride for stride in whole if stride.side == side]
    if mine:
        first_s, last_s = min(stride.start_s for stride in mine), max(stride.end_s for stride in mine)
    else:  # The one strike within the other side's stride bounds two parts.
        inside = [
            event.time_s
            for event in walk.of(side, HEEL_STRIKE)
            if event.confidence >= PART.sure and any(s.start_s < event.time_s < s.end_s for s in whole)
        ]
        if not inside:
            return []
        first_s, last_s = inside[0], inside[-1]
    number, offs = whole[0].pass_index, [event.time_s for event in walk.of(side, TOE_OFF)]

    def part(start_s: float) -> Part:
        from_s, to_s = max(start_s, seen_s[0]), min(start_s + stride_s, seen_s[1])
        shares = [(off - start_s) / stride_s for off in offs if from_s < off < to_s]
        usual = [share for share in shares if EVENT.off_from <= share <= EVENT.off_to]
        off_s = start_s + usual[0] * stride_s if len(usual) == 1 else float("nan")
        return Part(Stride(side, start_s, off_s, start_s + stride_s, number), from_s, to_s)

    return [p for p in (part(first_s - stride_s), part(last_s)) if p.to_s - p.from_s >= PART.least * stride_s]


def strides_seen(cycles: Sequence[Cycle], side: str) -> int:
    """How often one side's cycle was seen, parts of strides put together."""
    percent = np.arange(POINTS)
    seen = np.zeros(POINTS, int)
    for cycle in cycles:
        if cycle.side == side:
            seen += (percent >= cycle.first) & (percent <= cycle.last)
    return int(np.quantile(seen, 1.0 - PART.covered, method="lower"))
