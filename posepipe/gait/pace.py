"""Stride time from every event of a walk at once.

The time between two heel strikes rests on two events; one that is misplaced, as often at the picture's edge, spoils
it. A walker's heel strikes and toe offs of both feet all come back after a stride, each at its own share of it. So a
line is fitted to all of them: when each came against how many strides have passed. Its slope is the stride time. Events
off the line lose weight, ones that were missed cost nothing, and legs that the detector exchanged change little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from posepipe.gait.events import EVENT, odd_steps
from posepipe.gait.types import HEEL_STRIKE, SIDES, Event, Value, Walk
from posepipe.numeric import student_quantile
from posepipe.settings import setting

__all__ = ["PACE", "PaceSettings", "pace_of"]

Array = NDArray[np.float64]
Bool = NDArray[np.bool_]

_NORMAL_90 = 1.645
"""Standard deviations on either side that hold 90 % of a normal distribution."""


@dataclass(frozen=True, slots=True)
class PaceSettings:
    """How events of a stride follow each other, and how well."""

    off_share: float = setting(
        0.62, "share of a stride after its strike at which a foot leaves", source="Perry: 60 to 62 % in healthy adults"
    )
    other_sd: float = setting(
        0.08,
        "standard deviation of the other foot's strike around half of the stride: a limp",
        unit="share of the stride",
        source="judgement: steps of 0.42 and 0.58",
    )
    off_sd: float = setting(
        0.05, "the same of a toe off around its share", unit="share of the stride", source="judgement: shuffling, 72 %"
    )
    jitter: float = setting(
        0.04,
        "standard deviation of an event from its place in an even walk",
        unit="share of the stride",
        source="judgement: strides of a film vary by 5 % as measured, an event by 1 / sqrt(2) of that",
    )
    tail: float = setting(
        4.0,
        "degrees of freedom of Student's distribution of an event's error",
        source="judgement: one in 20 is far",
    )
    off_line_sd: float = setting(2.5, "standard deviations from which an event is off the line", source="judgement")
    least_fitting: float = setting(
        0.6, "share of the events that must not be; else they show no pace", source="judgement: most"
    )
    usual_count: float = setting(
        4.0, "how far off events usually are counts as much as so many of them", source="judgement: soon outweighed"
    )
    window: float = setting(
        4.0, "strides that are taken for even; longer walks are fitted in parts", source="judgement: the pace drifts"
    )
    between: float = setting(
        0.03, "share by which the pace differs from pass to pass", source="judgement: healthy walkers, 2 to 3 %"
    )
    about_sd: float = setting(
        0.08, "share by which strides may differ from the time in which the legs pass each other", source="judgement"
    )
    exchanged_cost: float = setting(
        6.0, "what taking the legs for exchanged from some moment on costs, in log likelihood", source="judgement"
    )
    range_from: float = setting(
        0.75, "least stride time that is tried, in those of the legs' passing", source="judgement"
    )
    range_to: float = setting(1.35, "and the longest", source="judgement")
    least_strikes: int = setting(4, "sure strikes from which the pace is told: three steps", source="judgement")


PACE = PaceSettings()
_TRIED = 31
"""Stride times tried from `range_from` to `range_to`, 2 % apart. Judgement."""
_ROUNDS = 12
"""Rounds of weighing. Judgement."""


def pace_of(walk: Walk) -> Value | None:
    """Stride time in seconds from all steady events of all passes; None where too few strikes follow each other.

    Args:
        walk: as found.
    """
    found = [fit for part, about_s in _parts(walk) if (fit := _fit(part, about_s)) is not None]
    if not found:
        return None
    stride = np.array([one.value for one in found])
    sigma = np.array([one.sigma for one in found])
    usual = (PACE.between * stride) ** 2
    weight = 1.0 / (sigma**2 + usual)
    weight /= weight.sum()
    mean = float(weight @ stride)
    # Parts that differ by more than healthy walkers' have no one pace, and the interval says so.
    excess = max(float(weight @ ((stride - mean) ** 2 - sigma**2 - usual)), 0.0)
    return Value(mean, float(np.sqrt(np.sum((weight * sigma) ** 2) + excess)))


def _parts(walk: Walk) -> list[tuple[list[Event], float]]:
    """Events of passes, long ones in parts of some strides, and about how long a stride is there.

    A step in which a strike was missed and the legs exchanged reads as a limp's. The time in which the legs pass each
    other tells, but where it contradicts the other steps, too, steps don't follow each other over the odd one.
    """
    spans = [(p.start_s, p.end_s, p.stride_s) for p in walk.passes] or [(-np.inf, np.inf, float("nan"))]
    out = []
    for start_s, end_s, stride_s in (piece for span in spans for piece in _in_a_row(walk, *span)):
        mine = sorted((e for e in walk.steady if start_s <= e.time_s <= end_s), key=lambda e: e.time_s)
        strikes = [e for e in mine if e.type == HEEL_STRIKE]
        if sum(e.confidence >= EVENT.clean for e in strikes) < PACE.least_strikes:
            continue
        about_s = stride_s if np.isfinite(stride_s) else _usual_stride(strikes)
        length = mine[-1].time_s - mine[0].time_s
        count = max(1, round(length / (PACE.window * about_s)))
        edges = mine[0].time_s + length * np.arange(1, count) / count
        place = np.searchsorted(edges, [e.time_s for e in mine])
        out += [([e for e, at in zip(mine, place, strict=True) if at == k], about_s) for k in range(count)]
    return out


def _in_a_row(walk: Walk, start_s: float, end_s: float, stride_s: float) -> list[tuple[float, float, float]]:
    """A pass, without odd steps where the others contradict its legs: begin, end and stride time of what is left."""
    strikes = [e for e in walk.steady if e.type == HEEL_STRIKE and start_s <= e.time_s <= end_s]
    odd = odd_steps(strikes)
    times = sorted(e.time_s for e in strikes if e.confidence >= EVENT.clean)
    steps = [b - a for a, b in pairwise(times) if (a, b) not in odd]
    fits = bool(steps) and PACE.range_from < 2.0 * float(np.median(steps)) / stride_s < PACE.range_to
    edges = [start_s, *([] if fits else (edge for span in sorted(odd) for edge in span)), end_s]
    return [(a, b, stride_s) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _usual_stride(strikes: Sequence[Event]) -> float:
    gaps = [
        b.time_s - a.time_s
        for side in SIDES
        for a, b in zip(*(([e for e in strikes if e.side == side])[k:] for k in (0, 1)), strict=False)
    ]
    steps = np.diff([e.time_s for e in strikes])
    return float(np.median(gaps)) if gaps else 2.0 * float(np.median(steps))


def _fit(events: Sequence[Event], about_s: float) -> Value | None:
    """A line through the events of one part; None with too few."""
    strikes = [e for e in events if e.type == HEEL_STRIKE]
    if len(strikes) < PACE.least_strikes - 1 or len({e.side for e in strikes}) < 2:
        return None
    times = np.array([e.time_s for e in events])
    own = np.array([max(e.sigma_s**2 - EVENT.plate_sd_s**2, 0.0) for e in events])
    noise = np.sqrt(own + (PACE.jitter * about_s) ** 2) / np.array([min(max(e.confidence, 0.1), 1.0) for e in events])
    right = np.array([e.side == "right" for e in events])
    off = np.array([e.type != HEEL_STRIKE for e in events])
    best, start, kinds = np.inf, (0.0, about_s), (right, off)
    for after in range(len(events)):  # From there on the legs are exchanged; at 0 they aren't.
        sides = right ^ ((np.arange(len(events)) >= after) & (after > 0))
        cost, found = _start(times, _shares(sides, off), noise, about_s)
        cost += PACE.exchanged_cost * (after > 0)
        if cost < best:
            best, start, kinds = cost, found, (sides, off)
    return _line(times, noise, *kinds, start, about_s)


def _shares(right: Bool, off: Bool) -> Array:
    """(E,) shares of a stride at which events lie that are counted from a left heel strike."""
    return np.asarray(0.5 * right + PACE.off_share * off, np.float64)


def _start(times: Array, share: Array, noise: Array, about_s: float) -> tuple[float, tuple[float, float]]:
    """What it costs, when the walk begins, and its stride time: the best of many that are tried."""
    best, out = np.inf, (float(times[0]), about_s)
    for factor in np.linspace(PACE.range_from, PACE.range_to, _TRIED):
        stride = about_s * factor
        begin = times - share * stride
        phase = (begin[:, None] - begin[None]) / stride  # Each event as the one that lies right.
        away = (phase - np.round(phase)) * stride / noise[:, None]
        cost = 0.5 * (PACE.tail + 1.0) * np.log1p(away**2 / PACE.tail).sum(axis=0)
        cost += 0.5 * ((factor - 1.0) / PACE.about_sd) ** 2
        i = int(cost.argmin())
        if cost[i] < best:
            best, out = float(cost[i]), (float(begin[i]), float(stride))
    return best, out


def _line(
    times: Array, noise: Array, right: Bool, off: Bool, start: tuple[float, float], about_s: float
) -> Value | None:
    """Least squares with weights that fall with an event's distance; None where the slope runs away or few fit."""
    # Unknown: begin, stride time, and by how much each kind of event is off its usual share, in strides.
    kinds = about_s * np.stack([right, off & ~right, off & right], axis=1)
    prior = np.diag([0.0, (PACE.about_sd * about_s) ** -2.0, PACE.other_sd**-2.0, PACE.off_sd**-2.0, PACE.off_sd**-2.0])
    usual = np.array([0.0, about_s, 0.0, 0.0, 0.0])
    share = _shares(right, off)
    found = np.array([*start, 0.0, 0.0, 0.0])
    for _ in range(_ROUNDS):
        place = times - found[0] - kinds @ found[2:]
        count = np.round(place / found[1] - share) + share
        away = (place - count * found[1]) / noise
        weight = (PACE.tail + 1.0) / (PACE.tail + away**2) / noise**2
        design = np.column_stack([np.ones(len(times)), count, kinds])
        square = design.T @ (weight[:, None] * design) + prior
        found = np.linalg.solve(square, design.T @ (weight * times) + prior @ usual)
        if not PACE.range_from < found[1] / about_s < PACE.range_to:
            return None
    fits = float(np.mean(np.abs(away) < PACE.off_line_sd))
    if fits < PACE.least_fitting or not EVENT.shortest_s <= found[1] <= EVENT.longest_s:
        return None
    far = float(np.sum((PACE.tail + 1.0) / (PACE.tail + away**2) * away**2))
    spread = max((PACE.usual_count + far) / (PACE.usual_count + len(times)), 1.0)
    freedom = round(PACE.usual_count + max(len(times) - 4, 0))
    factor = student_quantile(freedom, 0.95) / _NORMAL_90
    return Value(float(found[1]), factor * float(np.sqrt(spread * np.linalg.inv(square)[1, 1])))
