"""Heel strikes and toe offs.

The candidates are Zeni's (Zeni, Richards, Higginson 2008): a foot strikes where its heel is farthest ahead of the
pelvis, and leaves where its toe is farthest behind. Both are a little off: the heel begins to come back before it
lands, and the toe stops falling behind only after it has left (27 ms early and 32 ms late on synthetic walkers with
true joint curves and 6 Hz smoothing). So each is moved to where the foot's speed against the pelvis is halfway between
what it is in the air and what it is on the ground: a step in speed, blurred evenly, has its middle where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from posepipe.gait.bounce import is_running
from posepipe.gait.direction import find_heading
from posepipe.gait.passes import Run, describe_pass, find_runs
from posepipe.gait.signals import GRID_HZ, Forward, forward_signals, on_grid
from posepipe.gait.types import HEEL_STRIKE, SIDES, TOE_OFF, Event, Pass, Side, Stride, Walk
from posepipe.motion.clip import Motion
from posepipe.reasons import Reason

__all__ = ["find_walk", "step_period"]

Array = NDArray[np.float64]

_STRIDE_S = (0.6, 2.5)
_PROMINENCE_M, _PROMINENCE_SHARE = 0.03, 0.2
_LEAST_APART = 0.55  # Of a stride, between two strikes of one foot.
_NEAR_END = 0.35  # Of a stride.
_SLIGHT_SHARE = 0.05
_ON_GROUND = (0.12, 0.40)  # Shares of a stride after its strike in which a foot surely stands.
_SEARCH_S = 0.16
_TOE_OFF_SHARE = (0.35, 0.88)
_LEAST_CONFIDENCE = 0.25
_CLEAN = 0.45
"""Confidence of an event that may bound a stride."""
_HIDDEN_M, _HIDDEN_TRUST = 0.06, 0.4
"""A foot twice as uncertain as usual, and more than this, is hidden: behind furniture, or beside the picture."""

# Share of the speed on the ground at which a foot has landed, and has left: by what the signal is.
_LANDED = {"picture": 0.66, "file": 0.60, "lifted": 0.10}
_LEFT = {"picture": 0.64, "file": 0.70, "lifted": 0.05}
_LEFT_BY_ANKLE = 0.10
_FLOOR_S = {"picture": 0.009, "file": 0.006, "lifted": 0.045}
_MEMORY_S = 0.09  # How long a keypoint's error lasts; with its sigma it gives the error of the speed.


@dataclass(frozen=True, slots=True, eq=False)
class _Foot:
    """One foot's signals on the grid."""

    side: Side
    grid_s: Array
    heel: Array
    heel_speed: Array
    toe: Array
    toe_speed: Array
    sigma: Array


def find_walk(motion: Motion) -> Walk:
    """Every pass, event and stride of a motion.

    Nothing depends on the picture's shape or the person's place in it; mirroring the picture exchanges the sides.
    """
    if len(motion) < 8:
        return Walk(withheld=Reason.TOO_FEW_FRAMES)
    heading = find_heading(motion)
    forward = forward_signals(motion, heading)
    runs, reason = find_runs(motion, heading, forward)
    passes: list[Pass] = []
    events: list[Event] = []
    strides: list[Stride] = []
    for run in runs:
        found, period_s = _run_events(motion.time_s, forward, run)
        mine = _strides(found, period_s, len(passes))
        if not found:
            continue
        if is_running(motion, mine):
            reason = Reason.NOT_WALKING
            continue
        passes.append(describe_pass(motion, heading, run))
        events += found
        strides += mine
    if not strides and reason is None:
        reason = Reason.TOO_FEW_STRIDES
    events.sort(key=lambda event: event.time_s)
    strides.sort(key=lambda stride: stride.start_s)
    return Walk(tuple(passes), tuple(events), tuple(strides), None if strides else reason)


def step_period(grid_s: Array, apart: Array) -> float:
    """Stride time from when the feet pass each other; NaN with fewer than two passings.

    Args:
        grid_s: (G,) times.
        apart: (G,) left foot ahead of the right.
    """
    low, high = np.percentile(apart, [5.0, 95.0])
    centre, margin = 0.5 * (low + high), 0.15 * (high - low)
    state = 0
    times = []
    for at, value in zip(grid_s, apart - centre, strict=True):
        new = 1 if value > margin else -1 if value < -margin else state
        if state and new != state:
            times.append(at)
        state = new
    return 2.0 * float(np.median(np.diff(times))) if len(times) > 1 else float("nan")


def _run_events(time_s: Array, forward: Forward, run: Run) -> tuple[list[Event], float]:
    part = run.part
    times = time_s[part]
    grid = np.arange(times[0], times[-1] + 1e-9, 1.0 / GRID_HZ)
    ankle = [on_grid(times, forward.ankle[part, i], grid)[0] for i in (0, 1)]
    period = step_period(grid, ankle[0] - ankle[1])
    if not np.isfinite(period) or not 0.8 * _STRIDE_S[0] <= period <= 1.2 * _STRIDE_S[1]:
        return [], period
    found: list[Event] = []
    for i, side in enumerate(SIDES):
        heel, heel_speed = on_grid(times, forward.heel[part, i], grid)
        toe, toe_speed = on_grid(times, forward.toe[part, i], grid)
        sigma = np.interp(grid, times, np.nan_to_num(forward.sigma[part, i], nan=0.03))
        if not (np.isfinite(heel).all() and np.isfinite(toe).all()):
            continue
        foot = _Foot(side, grid, heel, heel_speed, toe, toe_speed, sigma)
        found += _strikes(foot, forward, period) + _offs(foot, forward, period)
    return _alternating(found, period), period


def _candidates(signal: Array, period_s: float) -> tuple[NDArray[np.intp], Array]:
    """Peaks and their prominence over the usual one, at most 1."""
    low, high = np.percentile(signal, [5.0, 95.0])
    least = max(_PROMINENCE_M, _PROMINENCE_SHARE * float(high - low))
    distance = max(1, int(_LEAST_APART * period_s * GRID_HZ))
    near = round(_NEAR_END * period_s * GRID_HZ)
    slight = _SLIGHT_SHARE * float(high - low)
    peaks, facts = find_peaks(signal, distance=distance, prominence=slight)
    before, after = signal[peaks] - signal[facts["left_bases"]], signal[peaks] - signal[facts["right_bases"]]
    # Near an end half of the peak is missing: there the other half counts, and that it has passed must just show.
    prominence = np.where(peaks < near, after, np.where(peaks >= len(signal) - near, before, np.minimum(before, after)))
    good = prominence >= least
    peaks, prominence = peaks[good], prominence[good]
    if not len(peaks):
        return peaks, np.empty(0)
    usual = max(float(np.median(prominence)), 0.5 * float(high - low))
    return peaks, np.minimum(1.0, prominence / (0.6 * usual))


def _strikes(foot: _Foot, forward: Forward, period_s: float) -> list[Event]:
    peaks, trust = _candidates(foot.heel, period_s)
    share = _LANDED[forward.source]
    out = []
    for peak, sure in zip(peaks, trust, strict=True):
        ground = _ground_speed(foot.heel_speed, peak, period_s, 1)
        moment, slope = _crossing(foot.grid_s, foot.heel_speed, peak, -share * ground, 1)
        out.append(_event(foot, moment, slope, float(sure), HEEL_STRIKE, forward))
    return out


def _offs(foot: _Foot, forward: Forward, period_s: float) -> list[Event]:
    troughs, trust = _candidates(-foot.toe, period_s)
    share = _LEFT[forward.source] if forward.feet else _LEFT_BY_ANKLE
    out = []
    for trough, sure in zip(troughs, trust, strict=True):
        ground = _ground_speed(foot.toe_speed, trough, period_s, -1)
        moment, slope = _crossing(foot.grid_s, foot.toe_speed, trough, -share * ground, -1)
        out.append(_event(foot, moment, slope, float(sure), TOE_OFF, forward))
    return out


def _ground_speed(speed: Array, at: int, period_s: float, way: int) -> float:
    """How fast a standing foot goes back under the pelvis: after a strike (way 1), before a toe off (-1)."""
    near, far = (round(share * period_s * GRID_HZ) for share in _ON_GROUND)
    first, last = sorted((at + way * near, at + way * far))
    part = speed[max(first, 0) : max(last, 0)]
    part = part if len(part) >= 4 else speed[speed < 0.0]
    return max(-float(np.median(part)), 0.0) if len(part) else 0.0


def _crossing(grid_s: Array, speed: Array, at: int, level: float, way: int) -> tuple[float, float]:
    """When the speed passes a level near an extremum, and how steeply; the extremum itself where it doesn't."""
    last = int(np.clip(at + way * round(_SEARCH_S * GRID_HZ), 0, len(speed) - 1))
    i = at
    while i != last and speed[i] > level:
        i += way
    before = i - way
    if speed[i] > level or i == at or not 0 <= before < len(speed):
        return float(grid_s[at]), _steepness(speed, at)
    share = (speed[before] - level) / (speed[before] - speed[i])
    moment = grid_s[before] + share * (grid_s[i] - grid_s[before])
    return float(moment), _steepness(speed, i)


def _steepness(speed: Array, at: int) -> float:
    first, last = max(at - 2, 0), min(at + 2, len(speed) - 1)
    return abs(float(speed[last] - speed[first])) * GRID_HZ / max(last - first, 1)


def _event(foot: _Foot, moment: float, slope: float, sure: float, kind: str, forward: Forward) -> Event:
    sigma_m = float(np.interp(moment, foot.grid_s, foot.sigma))
    if sigma_m > max(_HIDDEN_M, 2.0 * float(np.median(foot.sigma))):
        sure *= _HIDDEN_TRUST
    wrong_speed = sigma_m / _MEMORY_S
    sigma = float(np.hypot(_FLOOR_S[forward.source] * forward.slant**2, min(wrong_speed / max(slope, 2.0), 0.15)))
    return Event(moment, sigma, foot.side, HEEL_STRIKE if kind == HEEL_STRIKE else TOE_OFF, sure)


def _alternating(found: Sequence[Event], period_s: float) -> list[Event]:
    """Events in order of time; those that break the alternation of the feet lose confidence, the weakest go."""
    out: list[Event] = []
    for kind in (HEEL_STRIKE, TOE_OFF):
        mine = sorted((e for e in found if e.type == kind), key=lambda e: e.time_s)
        for i, event in enumerate(mine):
            broken = any(
                0 <= j < len(mine)
                and mine[j].side == event.side
                and abs(mine[j].time_s - event.time_s) < 0.7 * period_s
                for j in (i - 1, i + 1)
            )
            kept = replace(event, confidence=0.4 * event.confidence) if broken else event
            if kept.confidence >= _LEAST_CONFIDENCE:
                out.append(kept)
    return sorted(out, key=lambda e: e.time_s)


def _strides(events: Sequence[Event], period_s: float, pass_index: int) -> list[Stride]:
    """Strides between clean strikes, with one toe off and one strike of the other foot in them."""
    out = []
    for side in SIDES:
        mine = [e for e in events if e.side == side and e.confidence >= _CLEAN]
        strikes = [e.time_s for e in mine if e.type == HEEL_STRIKE]
        offs = [e.time_s for e in mine if e.type == TOE_OFF]
        others = [e.time_s for e in events if e.side != side and e.type == HEEL_STRIKE]
        for start, end in pairwise(strikes):
            length = end - start
            inside = [t for t in offs if start < t < end]
            across = [t for t in others if start < t < end]
            if not _STRIDE_S[0] <= length <= _STRIDE_S[1] or abs(length / period_s - 1.0) > 0.45:
                continue
            if len(inside) != 1 or len(across) != 1:
                continue
            if _TOE_OFF_SHARE[0] <= (inside[0] - start) / length <= _TOE_OFF_SHARE[1]:
                out.append(Stride(side, start, inside[0], end, pass_index))
    return out
