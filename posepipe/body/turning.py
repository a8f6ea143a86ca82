"""Front and back told by how a body moves: nobody turns round between two pictures, and people walk forwards.

A detector that sees no face (blurred, boxed or pixelated) takes front for back for a while, or for good, and exchanges
left and right in everything. Shoulders and hips then change sides faster than any body turns; and somebody who is taken
for seen from behind comes nearer, step by step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.body.toes import exchanged, facing, spans
from posepipe.settings import setting
from posepipe.types import KeypointTrack, Swap

__all__ = ["TURNING", "TurningSettings", "turn_back", "turn_to_walk", "untorn"]

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

_LINES = ("shoulder", "hip")
_LEGS = ("left_ankle", "right_ankle")
_LEAST_FRAMES, _LEAST_SPREAD = 4, 0.12
"""Frames that growth is told from, and the spread of their times: of even ones over 0.4 of the window. Judgement."""
_MADE = "chosen on 24 made clips with covered heads (posepipe.lab.people.filmed, seeds 7100 to 7102)"


@dataclass(frozen=True, slots=True)
class TurningSettings:
    """When movement overrules the labels. Lengths are shares of the body's height in the picture."""

    widest: float = setting(80.0, "percentile of widths that is the body's full width", source="judgement")
    wide: float = setting(
        0.06, "full width of the shoulders under which a body is seen from the side and tells nothing", source=_MADE
    )
    clear: float = setting(0.5, "share of the full width from which a frame says how a body is turned", source=_MADE)
    opposite: float = setting(-0.5, "cosine of two lines that point to opposite sides", source="judgement: 120 degrees")
    fastest_deg_s: float = setting(
        500.0, "nobody turns faster", unit="deg/s", source="judgement; from 400 to 700 little changes on made clips"
    )
    impossible: float = setting(3.0, "cost of a turn that is too fast", source=_MADE)
    slowly: float = setting(0.3, "cost of an exchange that begins or ends as slowly as a body turns", source=_MADE)
    exchanged: float = setting(4.0, "cost of a whole track exchanged: the detector is mostly right", source=_MADE)
    apart: float = setting(
        0.1, "so much dearer is any story without an exchange made", source="judgement: a fortieth of the track"
    )
    most: float = setting(0.42, "largest share of the track that may be exchanged", source="as in repairing swaps")
    near_s: float = setting(1.0, "growth is measured over so long", unit="s", source="judgement: two steps")
    grows_per_s: float = setting(
        0.05, "growth that is walking towards the camera", unit="1/s", source="half a metre a second from 10 m away"
    )
    steps: float = setting(
        0.03, "spread of the ankles' difference in height that is stepping", unit="trunks", source=_MADE
    )
    least_s: float = setting(0.8, "time of a span that must speak against its labels", unit="s", source=_MADE)
    share: float = setting(0.6, "and its share of the span", source=_MADE)


TURNING = TurningSettings()


def _lines(track: KeypointTrack) -> Float64:
    """(F, 2, 2) from the right to the left shoulder and hip in the picture, in body heights; NaN where unseen."""
    xy = np.where(track.valid[..., None], track.xy_px, np.nan).astype(np.float64)
    low = np.min(xy, axis=1, initial=np.inf, where=np.isfinite(xy))
    high = np.max(xy, axis=1, initial=-np.inf, where=np.isfinite(xy))
    tall = np.linalg.norm(high - low, axis=1)
    tall = np.where(np.isfinite(tall) & (tall > 0.0), tall, np.nan)
    at = [track.layout.indices(f"left_{part}", f"right_{part}") for part in _LINES]
    return np.stack([xy[:, left] - xy[:, right] for left, right in at], axis=1) / tall[:, None, None]


def turn_back(track: KeypointTrack, settings: TurningSettings = TURNING) -> tuple[KeypointTrack, tuple[Swap, ...]]:
    """Exchange left and right between turns that are faster than any body's; what lasts longer is believed.

    An exchange may also end as slowly as a body turns, at a cost: a detector that is in doubt puts both sides in the
    middle for a while.

    Args:
        track: keypoints as detected.
        settings: thresholds.

    Returns:
        The track (the same object if nothing was exchanged) and the spans; their gain is how many times too fast the
        slower of their two turns is. Where each half lasts as long, or another story is about as good, nothing is
        exchanged, and they aren't repaired.
    """
    if len(track) < 3:
        return track, ()
    both = _lines(track)
    agree = np.sum(both[:, 0] * both[:, 1], axis=1) > 0.0
    line = np.where(agree[:, None], both[:, 0], np.nan)
    width = np.linalg.norm(line, axis=1)
    if not np.isfinite(width).any():
        return track, ()
    full = float(np.nanpercentile(width, settings.widest))
    clear = np.flatnonzero(np.nan_to_num(width) >= settings.clear * full)
    if full < settings.wide or len(clear) < 2:
        return track, ()
    fast = _too_fast(track.time_s, line / full, clear, settings)
    if not (fast > 1.0).any():
        return track, ()
    odd, apart = _exchanges(track.time_s[clear], fast, settings)
    state = _sides(line, clear, odd)
    step_s = np.diff(track.time_s, append=track.time_s[-1])
    turned_s, whole_s = float(step_s[state].sum()), float(step_s.sum())
    sure = turned_s <= settings.most * whole_s and apart >= settings.apart
    swaps = []
    for first, last in _runs(state):
        times = float(track.time_s[first]), float(track.time_s[last])
        ends = fast[(clear[1:] >= first) & (clear[:-1] <= last) & (fast > 1.0)]
        swaps.append(Swap("body", *times, last - first + 1, float(ends.min()) if len(ends) else 1.0, repaired=sure))
    return (exchanged(track, state) if sure and swaps else track), tuple(swaps)


def turn_to_walk(track: KeypointTrack, settings: TurningSettings = TURNING) -> tuple[KeypointTrack, tuple[Swap, ...]]:
    """Exchange left and right over spans in which the labels say back and the person comes nearer step by step.

    Args:
        track: keypoints of a layout with heels and toes; others are given back as they are.
        settings: thresholds.

    Returns:
        The track (the same object if nothing was exchanged) and the spans; their gain is the growth in percent.
    """
    found = facing(track)
    if found is None:
        return track, ()
    width = found[0]
    nearer = _growth(track, settings)
    state, swaps = np.zeros(len(track), bool), []
    step_s = np.diff(track.time_s, append=track.time_s[-1])
    for first, last in spans(width, track.time_s):
        run = slice(first, last + 1)
        told = nearer[run] >= settings.grows_per_s
        back = width[run] < 0.0
        against_s = float(step_s[run][told & back].sum())
        if against_s < settings.least_s or against_s < settings.share * float(step_s[run].sum()):
            continue
        state[run] |= back
        times = float(track.time_s[first]), float(track.time_s[last])
        gain = 100.0 * float(np.nansum(np.where(told, nearer[run] * step_s[run], 0.0)))
        swaps.append(Swap("body", *times, int(state[run].sum()), gain, repaired=True))
    return (exchanged(track, state), tuple(swaps)) if swaps else (track, ())


def untorn(
    track: KeypointTrack,
    runs: Sequence[tuple[slice | NDArray[np.intp], Bool]],
    near_s: float,
    settings: TurningSettings = TURNING,
) -> list[bool]:
    """Which exchanges turn neither shoulders nor hips round faster than any body turns.

    Args:
        track: as it is.
        runs: rows, and which of arms and legs (2,) would be exchanged there.
        near_s: a sudden turn of the track itself so near to an exchange's end excuses it.
        settings: thresholds.

    Returns:
        False for exchanges that begin or end with such a turn, or follow on one that does.
    """
    good = [True] * len(runs)
    both = np.moveaxis(_lines(track), 1, 0)
    while True:
        state = np.zeros((len(track), 2), bool)
        for (rows, groups), kept in zip(runs, good, strict=True):
            state[rows] |= groups & kept
        each = zip(both, state.T, strict=True)
        torn = np.stack([_torn(track.time_s, line, sides, near_s, settings) for line, sides in each], axis=1)
        lost = [kept and bool((torn[rows] & groups).any()) for (rows, groups), kept in zip(runs, good, strict=True)]
        if not any(lost):
            return good
        good = [kept and not gone for kept, gone in zip(good, lost, strict=True)]


def _torn(time_s: Float64, line: Float64, state: Bool, near_s: float, settings: TurningSettings) -> Bool:
    """(F,) runs of an exchange of one line (F, 2) whose ends turn it round."""
    out = np.zeros(len(line), bool)
    known = np.linalg.norm(line, axis=1)
    full = float(np.nanpercentile(known, settings.widest)) if np.isfinite(known).any() else 0.0
    clear = np.flatnonzero(np.nan_to_num(known) >= settings.clear * full)
    if full < settings.wide or len(clear) < 2 or not state.any():
        return out
    there_s = time_s[clear[1:][_too_fast(time_s, line / full, clear, settings) > 1.0]]
    turned = np.where(state[:, None], -line, line) / full
    new = np.flatnonzero(_too_fast(time_s, turned, clear, settings) > 1.0)
    for first, last in _runs(state):
        for a, b in zip(clear[:-1][new], clear[1:][new], strict=True):
            at_an_end = a < first <= b or a <= last < b
            if at_an_end and not (np.abs(there_s - time_s[b]) <= near_s).any():
                out[first : last + 1] = True
    return out


def _too_fast(time_s: Float64, line: Float64, clear: NDArray[np.intp], settings: TurningSettings) -> Float64:
    """(C - 1,) speed of the turn between clear frames over the fastest there is; 0 where sides aren't changed.

    Args:
        time_s: (F,).
        line: (F, 2) in full widths; a line of half of that is turned 60 degrees away from the picture's plane.
        clear: (C,) rows.
        settings: thresholds.
    """
    a, b = line[clear[:-1]], line[clear[1:]]
    long_a, long_b = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    cosine = np.sum(a * b, axis=1) / (long_a * long_b)
    turned_deg = np.degrees(np.arcsin(np.minimum(long_a, 1.0)) + np.arcsin(np.minimum(long_b, 1.0)))
    speed = turned_deg / np.maximum(np.diff(time_s[clear]), 1e-6)
    return np.where(cosine < settings.opposite, speed / settings.fastest_deg_s, 0.0)


def _exchanges(time_s: Float64, fast: Float64, settings: TurningSettings) -> tuple[Bool, float]:
    """The cheapest story of what the person did and what the detector.

    Args:
        time_s: (C,) of the clear frames.
        fast: (C - 1,) from `_too_fast`.
        settings: thresholds.

    Returns:
        (C,) which clear frames are exchanged; and how much dearer any story is in which one of these isn't, infinite
        if there are none.
    """
    turns = np.flatnonzero(fast > 0.0)
    bounds = np.concatenate([[0], turns + 1, [len(time_s)]])
    ends_s = np.append(time_s, time_s[-1])[bounds]
    share = np.diff(ends_s) / max(float(time_s[-1] - time_s[0]), 1e-9)
    here = np.stack([np.zeros(len(share)), settings.exchanged * share], axis=1)
    same = np.where(fast[turns] > 1.0, settings.impossible, 0.0)
    other = np.where(fast[turns] > 1.0, 0.0, settings.slowly)
    turn = np.stack([same, other, other, same], axis=1).reshape(-1, 2, 2)
    until, after = here.copy(), np.zeros_like(here)
    for k in range(1, len(share)):
        until[k] += (until[k - 1][:, None] + turn[k - 1]).min(axis=0)
    for k in range(len(share) - 2, -1, -1):
        after[k] = (turn[k] + after[k + 1] + here[k + 1]).min(axis=1)
    cost = until + after
    path = [int(cost[0].argmin())]
    for k in range(1, len(share)):
        path.append(int((turn[k - 1, path[-1]] + here[k] + after[k]).argmin()))
    odd = np.array(path, bool)
    apart = float(np.min((cost[:, 0] - cost[:, 1])[odd], initial=np.inf))
    return np.repeat(odd, np.diff(bounds)), apart


def _sides(line: Float64, clear: NDArray[np.intp], odd: Bool) -> Bool:
    """(F,) which frames are exchanged, if the clear ones (C,) are; between two of them a frame's own line tells."""
    before = np.clip(np.searchsorted(clear, np.arange(len(line)), "right") - 1, 0, len(clear) - 1)
    after = np.minimum(before + 1, len(clear) - 1)
    state = odd[before]
    between = odd[before] != odd[after]
    towards = np.sum(line * line[clear[after]], axis=1) > 0.0  # False where a frame has no line.
    state[between] = np.where(towards[between], odd[after][between], odd[before][between])
    state[clear] = odd
    return state


def _growth(track: KeypointTrack, settings: TurningSettings) -> Float64:
    """(F,) how fast somebody who steps grows in the picture, 1/s; NaN where nobody steps or it can't be told."""
    at = track.layout.indices(*(f"{side}_{part}" for part in _LINES for side in ("left", "right")))
    xy = np.where(track.valid[..., None], track.xy_px, np.nan).astype(np.float64)
    trunk = np.linalg.norm(xy[:, at[:2]].mean(axis=1) - xy[:, at[2:]].mean(axis=1), axis=1)
    trunk = np.where(trunk > 0.0, trunk, np.nan)
    left, right = track.layout.indices(*_LEGS)
    apart = (xy[:, left, 1] - xy[:, right, 1]) / trunk
    known = np.isfinite(trunk) & np.isfinite(apart)
    time_s = track.time_s - track.time_s[0]
    columns = [np.ones(len(track)), time_s, time_s**2, np.log(trunk), time_s * np.log(trunk), apart, apart**2]
    sums = np.cumsum(np.where(known, columns, 0.0), axis=1)
    sums = np.concatenate([np.zeros((len(columns), 1)), sums], axis=1)
    first = np.searchsorted(time_s, time_s - 0.5 * settings.near_s)
    end = np.searchsorted(time_s, time_s + 0.5 * settings.near_s, "right")
    count, t, tt, y, ty, a, aa = sums[:, end] - sums[:, first]
    with np.errstate(invalid="ignore", divide="ignore"):
        spread_s = np.sqrt(np.maximum(tt / count - (t / count) ** 2, 0.0))
        slope = (ty / count - t / count * y / count) / spread_s**2
        steps = np.sqrt(np.maximum(aa / count - (a / count) ** 2, 0.0))
    told = (count >= _LEAST_FRAMES) & (spread_s >= _LEAST_SPREAD * settings.near_s) & (steps >= settings.steps)
    return np.where(told, slope, np.nan)


def _runs(state: Bool) -> list[tuple[int, int]]:
    """First and last rows of runs that are true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], state.astype(np.int8), [0]])))
    return [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]
