"""Heel strikes and toe offs in a run of walking, as a force plate has them, and the strides between them.

The candidates of events are Zeni's (Zeni, Richards, Higginson 2008): a foot strikes where its heel is farthest ahead of
the pelvis, and leaves where its toe is farthest behind. Both are a little off: the heel begins to come back before it
lands, and the toe stops falling behind only after it has left (27 ms early and 32 ms late on synthetic walkers with
true joint curves and 6 Hz smoothing). So each is moved to where the foot's speed against the pelvis is halfway between
what it is in the air and what it is on the ground: a step in speed, blurred evenly, has its middle where it was.

That is when the foot's movement changes. A force plate feels 20 N a little later: a heel first touches and only then
takes weight, and the toe that still touches follows the foot already. What lies between is a setting, measured on
plates; with it, an event is where a laboratory has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from posepipe.body.motion import Motion
from posepipe.gait.signals import GRID_HZ, Forward, joint_m, mean_heading, on_grid
from posepipe.gait.types import HEEL_STRIKE, SIDES, TOE_OFF, Event, EventType, Side, Stride
from posepipe.geometry import find_peaks
from posepipe.settings import setting

__all__ = [
    "EVENT", "SPREAD_PCT", "EventSettings", "coarse_strides", "events_in", "odd_steps", "offs_against_other_foot",
    "step_period", "strides_of",
]  # fmt: skip

Array = NDArray[np.float64]

SPREAD_PCT = (5.0, 95.0)
"""Percentiles that stand for the extremes of a signal: a single frame's error doesn't decide."""

_RENDERED = "judgement; what is left on rendered walkers: `posepipe evaluate gait`"
_EXACT = "judgement; what is left on exact walkers is bounded by tests/gait/test_events.py"


@dataclass(frozen=True, slots=True)
class EventSettings:
    """Thresholds of heel strikes, toe offs and strides; some differ by `posepipe.gait.signals.Forward.source`."""

    plate_strike_s: float = setting(
        0.019,
        "a force plate feels 20 N so long after the foot has stopped to move forward",
        unit="s",
        source="8 children on plates, straight walks (Dixon 2017): `posepipe evaluate gait-events`",
    )
    plate_off_s: float = setting(
        0.018,
        "and feels less than 20 N so long after the foot has begun to",
        unit="s",
        source="8 children on plates, straight walks (Dixon 2017): `posepipe evaluate gait-events`",
    )
    plate_off_turning_s: float = setting(
        0.035,
        "and so long after it has begun to move against the other foot's heel, as it is found in turns",
        unit="s",
        source="the same straight walks, by that rule (SD 10 ms); walks with a turn had no say",
    )
    plate_sd_s: float = setting(
        0.008,
        "standard deviation of these two from person to person; it lasts, so it takes no part in any spread",
        unit="s",
        source="8 children on plates: SD 7 and 11 ms with the error of finding, `posepipe evaluate gait-events`",
    )
    turning_s: float = setting(
        0.010,
        "standard deviation that comes on top in a turn, where the pelvis turns under the feet",
        unit="s",
        source="children on plates: SD 9 and 14 ms in turns, `posepipe evaluate gait-events`",
    )
    landed_picture: float = setting(
        0.66, "share of its speed on the ground at which a foot has landed, in the picture", source=_RENDERED
    )
    landed_file: float = setting(0.60, "the same in 3D files", source=_EXACT)
    landed_lifted: float = setting(0.10, "the same in 3D from a video", source="judgement")
    left_picture: float = setting(0.64, "share of it at which a foot has left, in the picture", source=_RENDERED)
    left_file: float = setting(0.70, "the same in 3D files", source=_EXACT)
    left_lifted: float = setting(0.05, "the same in 3D from a video", source="judgement")
    left_by_ankle: float = setting(0.10, "the same of an ankle, where no feet are seen", source="judgement")
    floor_picture_s: float = setting(
        0.009,
        "standard deviation of an event's time seen well from the side",
        unit="s",
        source="judgement; how many events its 90 % hold on rendered walkers: `posepipe evaluate gait`",
    )
    floor_file_s: float = setting(0.006, "the same in 3D files", unit="s", source="judgement")
    floor_lifted_s: float = setting(0.045, "the same in 3D from a video", unit="s", source="judgement")
    memory_s: float = setting(
        0.09,
        "how long a keypoint's error lasts: sigma over this is the error of its speed",
        unit="s",
        source="judgement",
    )
    least_slope: float = setting(2.0, "no change of speed is taken for slower", unit="m/s2", source="judgement")
    most_sigma_s: float = setting(
        0.15, "no event is called less certain by its foot's speed", unit="s", source="judgement"
    )
    worse: float = setting(
        1.5, "of two strikes too near each other one so many times less sure goes", source="judgement"
    )
    unknown_sigma_m: float = setting(0.03, "sigma of a foot that says none", unit="m", source="judgement")
    shortest_s: float = setting(0.6, "no stride is shorter", unit="s", source="judgement")
    longest_s: float = setting(2.5, "no stride is longer", unit="s", source="judgement")
    period_off: float = setting(
        0.2, "the feet pass each other that much oftener or more seldom than strides may be long", source="judgement"
    )
    passing: float = setting(
        0.15, "share of the feet's range by which one must be ahead to have passed the other", source="judgement"
    )
    prominence_m: float = setting(0.03, "least rise of a foot's place before an event", unit="m", source="judgement")
    prominence: float = setting(0.2, "the same as a share of the foot's range", source="judgement")
    slight: float = setting(0.05, "share of it that must show after an event near a run's end", source="judgement")
    near_end: float = setting(0.35, "share of a stride from a run's end that counts as near", source="judgement")
    sure: float = setting(0.6, "share of the usual rise from which an event is sure", source="judgement")
    least_usual: float = setting(0.5, "the usual rise is no less than this share of the range", source="judgement")
    apart: float = setting(0.55, "share of a stride between two strikes of one foot, at least", source="judgement")
    stands_from: float = setting(
        0.12, "share of a stride after its strike from which a foot surely stands", source="judgement"
    )
    stands_to: float = setting(0.40, "and until which it does", source="judgement")
    search_s: float = setting(
        0.16, "an event is looked for so long from where the foot turns round", unit="s", source="judgement"
    )
    hidden_m: float = setting(
        0.06, "a foot twice as uncertain as usual, and more than this, is hidden", unit="m", source="judgement"
    )
    hidden_trust: float = setting(0.4, "factor on the confidence of a hidden foot's events", source="judgement")
    midway: float = setting(
        0.05,
        "a hidden foot's strike is believed if it halves the time between two sure ones of the other, but for this",
        source="36 rendered short walks: both such strikes lie within 10 ms of true ones, of seven others two",
    )
    midway_trust: float = setting(0.6, "confidence of such a strike, at least", source="judgement")
    broken: float = setting(0.7, "share of a stride within which one foot doesn't strike twice", source="judgement")
    broken_trust: float = setting(0.4, "factor on the confidence of two that do", source="judgement")
    together_s: float = setting(
        0.1, "both feet don't strike within so short a time", unit="s", source="judgement: runners' don't, either"
    )
    edge: float = setting(1.0, "strides from a run's end within which a strike may be half seen", source="judgement")
    edge_steps: int = setting(3, "steps from which an end's step is compared with others", source="judgement")
    odd_step: float = setting(
        1.6,
        "a step so many times longer than the others, and only once, hides a strike",
        source="judgement: it would be two of 0.8",
    )
    edge_differs: float = setting(
        0.24,
        "share by which it then differs from the others to be doubted",
        source="filmed walks: true first steps differ by up to 22 %, steps cut by the picture's edge by 24 % and more",
    )
    least_confidence: float = setting(0.25, "events less sure are left out", source="judgement")
    clean: float = setting(
        0.45, "least confidence of an event that bounds a stride or a run of steps", source="judgement"
    )
    uneven: float = setting(0.45, "a stride differs from the usual one by no larger share", source="judgement")
    off_from: float = setting(0.35, "share of a stride before which no toe leaves", source="judgement")
    off_to: float = setting(0.88, "and after which none does", source="judgement")
    coarse_rise: float = setting(
        0.3, "share of the ankle's range that a coarse stride's extremes rise by", source="judgement"
    )


EVENT = EventSettings()


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


def step_period(grid_s: Array, apart: Array) -> float:
    """Stride time from when the feet pass each other; NaN with fewer than two passings.

    Args:
        grid_s: (G,) times.
        apart: (G,) left foot ahead of the right.
    """
    low, high = np.percentile(apart, SPREAD_PCT)
    centre, margin = 0.5 * (low + high), EVENT.passing * (high - low)
    state = 0
    times = []
    for at, value in zip(grid_s, apart - centre, strict=True):
        new = 1 if value > margin else -1 if value < -margin else state
        if state and new != state:
            times.append(at)
        state = new
    return 2.0 * float(np.median(np.diff(times))) if len(times) > 1 else float("nan")


def events_in(time_s: Array, forward: Forward, part: slice) -> tuple[list[Event], float]:
    """Events of both feet in some frames, in order of time, and the stride time (NaN where the feet don't pass)."""
    times = time_s[part]
    grid = np.arange(times[0], times[-1] + 1e-9, 1.0 / GRID_HZ)
    ankle = [on_grid(times, forward.ankle[part, i], grid)[0] for i in (0, 1)]
    period = step_period(grid, ankle[0] - ankle[1])
    shortest, longest = (1.0 - EVENT.period_off) * EVENT.shortest_s, (1.0 + EVENT.period_off) * EVENT.longest_s
    if not np.isfinite(period) or not shortest <= period <= longest:
        return [], period
    found: list[Event] = []
    for i, side in enumerate(SIDES):
        heel, heel_speed = on_grid(times, forward.heel[part, i], grid)
        toe, toe_speed = on_grid(times, forward.toe[part, i], grid)
        sigma = np.interp(grid, times, np.nan_to_num(forward.sigma[part, i], nan=EVENT.unknown_sigma_m))
        if not (np.isfinite(heel).all() and np.isfinite(toe).all()):
            continue
        foot = _Foot(side, grid, heel, heel_speed, toe, toe_speed, sigma)
        found += [e for kind in (HEEL_STRIKE, TOE_OFF) for e in _events_of(foot, forward, period, kind)]
    ordered = _midway_believed(_alternating(found, period))
    return _edges_doubted(ordered, period, (float(times[0]), float(times[-1]))), period


def offs_against_other_foot(motion: Motion, found: Sequence[Event], period_s: float) -> list[Event]:
    """Events with each toe off where the toe begins to move against the other foot, which stands then.

    In a turn the pelvis turns under the feet, so a foot's movement against it says little. The other foot's heel has
    just landed and lies still on the ground. The toe has left where its level speed against that heel is as high as
    elsewhere the pelvis tells: the share of the ground speed that is then missing.

    Args:
        motion: with feet; events of a side whose joints weren't seen stay as they are.
        found: events in order of time.
        period_s: stride time.
    """
    up = motion.up.astype(np.float64)
    pelvis = 0.5 * (joint_m(motion, "left_hip") + joint_m(motion, "right_hip"))
    grid = np.arange(motion.time_s[0], motion.time_s[-1] + 1e-9, 1.0 / GRID_HZ)

    def speed(a: Array, b: Array) -> Array:
        apart = a - b
        apart = apart - np.outer(apart @ up, up)
        parts = np.stack([on_grid(motion.time_s, apart[:, k], grid)[1] for k in range(3)])
        return np.asarray(np.linalg.norm(parts, axis=0))

    out = list(found)
    for side, other in (SIDES, SIDES[::-1]):
        toe = joint_m(motion, f"{side}_foot_index")
        moving, ground = speed(toe, joint_m(motion, f"{other}_heel")), speed(toe, pelvis)
        if not (np.isfinite(moving).all() and np.isfinite(ground).all()):
            continue
        for i, event in enumerate(out):
            if event.side == side and event.type == TOE_OFF:
                moment = _left_ground(grid, moving, ground, event.time_s - EVENT.plate_off_s, period_s)
                if moment is not None:
                    out[i] = replace(event, time_s=moment + EVENT.plate_off_turning_s)
    return out


def _left_ground(grid_s: Array, moving: Array, ground: Array, about_s: float, period_s: float) -> float | None:
    """The last time before a foot swings at which it is slow; None where it isn't slow near `about_s`."""
    stood = (grid_s > about_s - EVENT.stands_to * period_s) & (grid_s < about_s - EVENT.stands_from * period_s)
    near = np.flatnonzero(np.abs(grid_s - about_s) <= EVENT.search_s)
    if not stood.any() or not len(near):
        return None
    level = (1.0 - EVENT.left_file) * float(np.median(ground[stood]))
    slow = near[moving[near] <= level]
    if not len(slow) or slow[-1] == near[-1]:
        return None
    i = int(slow[-1])
    share = (level - moving[i]) / max(moving[i + 1] - moving[i], 1e-9)
    return float(grid_s[i] + share * (grid_s[i + 1] - grid_s[i]))


def _candidates(signal: Array, sigma: Array, period_s: float) -> tuple[NDArray[np.intp], Array]:
    """Peaks and their prominence over the usual one, at most 1.

    Of peaks too near each other the higher one stays, unless it is seen much worse: a hidden leg is often put on the
    other one, and then seems to land with it.
    """
    low, high = np.percentile(signal, SPREAD_PCT)
    least = max(EVENT.prominence_m, EVENT.prominence * float(high - low))
    distance = max(1, int(EVENT.apart * period_s * GRID_HZ))
    near = round(EVENT.near_end * period_s * GRID_HZ)
    slight = EVENT.slight * float(high - low)
    peaks, facts = find_peaks(signal, distance=1, prominence=0.0)
    before, after = signal[peaks] - signal[facts["left_bases"]], signal[peaks] - signal[facts["right_bases"]]
    lesser = np.minimum(before, after)
    # Near an end half of the peak is missing: there the other half counts, and that it has passed must just show.
    prominence = np.where(peaks < near, after, np.where(peaks >= len(signal) - near, before, lesser))
    good = (prominence >= least) & (lesser >= slight)
    good &= _apart(peaks, signal[peaks], np.where(good, sigma[peaks], np.inf), distance)
    peaks, prominence = peaks[good], prominence[good]
    if not len(peaks):
        return peaks, np.empty(0)
    usual = max(float(np.median(prominence)), EVENT.least_usual * float(high - low))
    return peaks, np.minimum(1.0, prominence / (EVENT.sure * usual))


def _apart(peaks: NDArray[np.intp], height: Array, sigma: Array, distance: int) -> NDArray[np.bool_]:
    """Which peaks (P,) stay if no two are nearer to each other than `distance`.

    Args:
        peaks: indices, rising.
        height: of each.
        sigma: of each; infinite where the rise is too small for a strike.
        distance: in samples.
    """
    first, after = np.searchsorted(peaks, peaks - distance, "right"), np.searchsorted(peaks, peaks + distance)
    near = [slice(a, b) for a, b in zip(first, after, strict=True)]
    beaten = [bool((own > EVENT.worse * sigma[some]).any()) for own, some in zip(sigma, near, strict=True)]
    keep = ~(np.array(beaten, bool) & np.isfinite(sigma))
    for place in np.argsort(height)[::-1]:
        if keep[place]:
            keep[near[place]] = False
            keep[place] = True
    return keep


def _events_of(foot: _Foot, forward: Forward, period_s: float, kind: EventType) -> list[Event]:
    """One foot's strikes, from its heel, or toe offs, from its toe: the same the other way round."""
    if kind == HEEL_STRIKE:
        place, speed, way = foot.heel, foot.heel_speed, 1
        share = {"picture": EVENT.landed_picture, "file": EVENT.landed_file, "lifted": EVENT.landed_lifted}
    else:
        place, speed, way = -foot.toe, foot.toe_speed, -1
        share = {"picture": EVENT.left_picture, "file": EVENT.left_file, "lifted": EVENT.left_lifted}
        if not forward.feet:
            share = dict.fromkeys(share, EVENT.left_by_ankle)
    out = []
    for peak, sure in zip(*_candidates(place, foot.sigma, period_s), strict=True):
        ground = _ground_speed(speed, peak, period_s, way)
        moment, slope = _crossing(foot.grid_s, speed, peak, -share[forward.source] * ground, way)
        moment += EVENT.plate_strike_s if kind == HEEL_STRIKE else EVENT.plate_off_s
        out.append(_event(foot, moment, slope, float(sure), kind, forward))
    return out


def _ground_speed(speed: Array, at: int, period_s: float, way: int) -> float:
    """How fast a standing foot goes back under the pelvis: after a strike (way 1), before a toe off (-1)."""
    near, far = (round(share * period_s * GRID_HZ) for share in (EVENT.stands_from, EVENT.stands_to))
    first, last = sorted((at + way * near, at + way * far))
    part = speed[max(first, 0) : max(last, 0)]
    part = part if len(part) >= 4 else speed[speed < 0.0]
    return max(-float(np.median(part)), 0.0) if len(part) else 0.0


def _crossing(grid_s: Array, speed: Array, at: int, level: float, way: int) -> tuple[float, float]:
    """When the speed passes a level near an extremum, and how steeply; the extremum itself where it doesn't."""
    last = int(np.clip(at + way * round(EVENT.search_s * GRID_HZ), 0, len(speed) - 1))
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


def _event(foot: _Foot, moment: float, slope: float, sure: float, kind: EventType, forward: Forward) -> Event:
    sigma_m = float(np.interp(moment, foot.grid_s, foot.sigma))
    if sigma_m > max(EVENT.hidden_m, 2.0 * float(np.median(foot.sigma))):
        sure *= EVENT.hidden_trust
    floor_s = {"picture": EVENT.floor_picture_s, "file": EVENT.floor_file_s, "lifted": EVENT.floor_lifted_s}
    own_s = min(sigma_m / EVENT.memory_s / max(slope, EVENT.least_slope), EVENT.most_sigma_s)
    random_s = float(np.hypot(floor_s[forward.source] * forward.slant**2, own_s))
    return Event(moment, float(np.hypot(random_s, EVENT.plate_sd_s)), foot.side, kind, sure)


def _alternating(found: Sequence[Event], period_s: float) -> list[Event]:
    """Events in order of time; those that break the alternation of the feet lose confidence, the weakest go."""
    out: list[Event] = []
    for kind in (HEEL_STRIKE, TOE_OFF):
        mine = sorted((e for e in found if e.type == kind), key=lambda e: e.time_s)
        for i, event in enumerate(mine):
            beside = [mine[j] for j in (i - 1, i + 1) if 0 <= j < len(mine)]
            broken = any(
                abs(other.time_s - event.time_s)
                < (EVENT.broken * period_s if other.side == event.side else EVENT.together_s)
                for other in beside
            )
            kept = replace(event, confidence=EVENT.broken_trust * event.confidence) if broken else event
            if kept.confidence >= EVENT.least_confidence:
                out.append(kept)
    return sorted(out, key=lambda e: e.time_s)


def _midway_believed(found: Sequence[Event]) -> list[Event]:
    """Events in which a doubted strike is believed that lies where a steady walker's would, between sure ones."""
    out = list(found)
    strikes = [(i, event) for i, event in enumerate(found) if event.type == HEEL_STRIKE]
    for (_, a), (i, b), (_, c) in zip(strikes, strikes[1:], strikes[2:], strict=False):
        sure = min(a.confidence, c.confidence) >= EVENT.midway_trust and a.side == c.side != b.side
        if sure and abs((b.time_s - a.time_s) / (c.time_s - a.time_s) - 0.5) <= EVENT.midway:
            out[i] = replace(b, confidence=max(b.confidence, EVENT.midway_trust))
    return out


def _edges_doubted(found: Sequence[Event], period_s: float, ends_s: tuple[float, float]) -> list[Event]:
    """Events in which strikes near the ends of a run are doubted where their step is of another length than others.

    Who comes into the picture or leaves it is half seen there, and the step that isn't whole is misplaced; a steady
    walker's isn't. A step is compared with others of the same foot, as both feet's may differ.
    """
    out = list(found)
    for last in (False, True):
        sure = [e for e in out if e.type == HEEL_STRIKE and e.confidence >= EVENT.clean]
        order = sorted(sure, key=lambda e: e.time_s, reverse=last)
        for i, strike in enumerate(order[:-1]):
            if abs(strike.time_s - ends_s[last]) > EVENT.edge * period_s:
                break
            pairs = [(a, b) for a, b in pairwise(order[i:]) if a.side != b.side]
            # A step belongs to the foot that lands, which comes later.
            mine = [(abs(a.time_s - b.time_s), (a if last else b).side) for a, b in pairs]
            if not pairs or pairs[0][0] is not strike or len(mine) < EVENT.edge_steps:
                break
            length, side = mine[0]
            others = [step for step, who in mine[1:] if who == side] or [step for step, _ in mine[1:]]
            usual = float(np.median(others))
            if abs(length - usual) <= EVENT.edge_differs * usual:
                break
            out[out.index(strike)] = replace(strike, confidence=EVENT.broken_trust * strike.confidence)
    return [event for event in out if event.confidence >= EVENT.least_confidence]


def odd_steps(strikes: Sequence[Event]) -> frozenset[tuple[float, float]]:
    """Begin and end of steps so long that a strike was missed in them, or the legs were exchanged.

    A limp's long steps come back at every stride; of a foot whose other steps are as short as the other foot's, or that
    has no other, one that is far longer isn't taken for a step.
    """
    order = sorted((e for e in strikes if e.confidence >= EVENT.clean), key=lambda e: e.time_s)
    steps = [(b.time_s - a.time_s, b.side, (a.time_s, b.time_s)) for a, b in pairwise(order) if a.side != b.side]
    if len(steps) < EVENT.edge_steps:
        return frozenset()
    out = []
    for i, (length, side, span) in enumerate(steps):
        others = [(step, who) for j, (step, who, _) in enumerate(steps) if j != i]
        most = EVENT.odd_step * float(np.median([step for step, _ in others]))
        if length > most and not any(step > most for step, who in others if who == side):
            out.append(span)
    return frozenset(out)


def strides_of(events: Sequence[Event], period_s: float, pass_index: int) -> list[Stride]:
    """Strides between clean strikes, with one toe off and one strike of the other foot in them, and no odd step."""
    out = []
    odd = odd_steps([e for e in events if e.type == HEEL_STRIKE])
    for side in SIDES:
        mine = [e for e in events if e.side == side and e.confidence >= EVENT.clean]
        strikes = [e.time_s for e in mine if e.type == HEEL_STRIKE]
        offs = [e.time_s for e in mine if e.type == TOE_OFF]
        others = [e.time_s for e in events if e.side != side and e.type == HEEL_STRIKE]
        for start, end in pairwise(strikes):
            length = end - start
            inside = [t for t in offs if start < t < end]
            across = [t for t in others if start < t < end]
            even = abs(length / period_s - 1.0) <= EVENT.uneven
            if not EVENT.shortest_s <= length <= EVENT.longest_s or not even:
                continue
            if len(inside) != 1 or len(across) != 1 or any(start <= a and b <= end for a, b in odd):
                continue
            if EVENT.off_from <= (inside[0] - start) / length <= EVENT.off_to:
                out.append(Stride(side, start, inside[0], end, pass_index))
    return out


def coarse_strides(motion: Motion) -> tuple[Stride, ...]:
    """Strides from nothing but how far each ankle is ahead of the pelvis.

    For judging walks too short or too noisy for `find_walk`; never for parameters. Ahead most is taken for the heel
    strike, behind most for the toe off (Zeni 2008).
    """
    forward = mean_heading(motion, np.ones(len(motion), dtype=bool))
    found: list[Stride] = []
    for side in SIDES:
        ahead = joint_m(motion, f"{side}_ankle") @ forward
        known = np.isfinite(ahead)
        if known.sum() < 10:
            continue
        ahead = np.interp(motion.time_s, motion.time_s[known], ahead[known])
        low, high = np.percentile(ahead, SPREAD_PCT)
        rise = EVENT.coarse_rise * float(high - low)
        distance = max(int(EVENT.shortest_s / float(np.median(np.diff(motion.time_s)))), 1)
        strikes, offs = (find_peaks(sign * ahead, prominence=rise, distance=distance)[0] for sign in (1, -1))
        for a, b in pairwise(strikes):
            between = offs[(offs > a) & (offs < b)]
            start_s, end_s = float(motion.time_s[a]), float(motion.time_s[b])
            if len(between) == 1 and EVENT.shortest_s < end_s - start_s < EVENT.longest_s:
                found.append(Stride(side, start_s, float(motion.time_s[between[0]]), end_s, 0))
    return tuple(sorted(found, key=lambda stride: stride.start_s))
