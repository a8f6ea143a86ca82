"""Runs of steady walking, and heel strikes and toe offs in them.

A run is without gaps, turns and standing, upright, one leg past the other, and no running. Walkers vault over a
straight leg: the hips are highest when one foot passes the other, at 30 and 80 % of the stride, and lowest with both
feet on the ground. Runners bounce: they are lowest over the standing leg and highest in the air between (Cavagna,
Heglund, Taylor 1977). That shows from every side, without seeing when feet leave the ground.

Turns are no part of a run. Feet land and leave in them, too: such events are found from the 3D body, in its own axes,
and marked; nothing that is said of steady walking rests on them. Who walks backwards is told by the feet: on the ground
they come slowly forward under the pelvis, and go back fast. Such a pass is named, and its events aren't looked for: the
toe lands first there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posepipe.body.motion import Motion
from posepipe.gait.events import EVENT, SPREAD_PCT, events_in, offs_against_other_foot, strides_of
from posepipe.gait.signals import SIGNAL, Forward, Signals, joint_m, signals_of, view_of
from posepipe.gait.turns import Run, count_steps, find_turns, straight_runs
from posepipe.gait.types import SIDES, Event, Pass, PassKind, Stride, Turn, Walk
from posepipe.geometry import median_known
from posepipe.reasons import Reason
from posepipe.settings import setting

__all__ = ["LEAST_FRAMES", "RUN", "RunSettings", "describe_pass", "find_runs", "find_walk", "is_running", "pieces"]

Array = NDArray[np.float64]
Bool = NDArray[np.bool_]

LEAST_FRAMES = 8
"""Fewer show no stride at any frame rate."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """Thresholds of what is steady walking."""

    shortest_s: float = setting(0.9, "a shorter run holds no stride", unit="s", source="judgement")
    upright: float = setting(0.5, "least cosine of trunk and legs against up: 60 degrees", source="judgement")
    apart: float = setting(
        0.3,
        "least change of the ankles' distance along the way",
        unit="leg lengths",
        source="judgement: shuffling is about so much",
    )
    stand_s: float = setting(
        2.0,
        "in so long a walker's ankles move past each other, at least in part",
        unit="s",
        source="judgement: the slowest stride that is measured takes 2.5 s",
    )
    stand: float = setting(
        0.1,
        "who moves them by less in that time stands",
        unit="leg lengths",
        source="joints that err by 1 cm move who squats by more than 0.06; a shuffling walker's change by three times "
        "as much over a stride",
    )
    crossing: float = setting(
        0.1,
        "by so much one ankle may stay ahead of the other and still pass it",
        unit="leg lengths",
        source="judgement",
    )
    lift: float = setting(
        0.45,
        "feet lifted higher march with high knees, or sprint",
        unit="leg lengths",
        source="judgement: walkers stay under 0.3",
    )
    usual_leg_m: float = setting(0.85, "leg length where none was seen whole", unit="m", source="judgement: an adult's")
    moved_m: float = setting(0.6, "who moves further across the picture gets somewhere", unit="m", source="judgement")
    grown: float = setting(0.15, "or whose size in it changes by more: logarithm of the ratio", source="judgement")
    bounce: float = setting(
        0.02,
        "hips that rise and fall less don't tell running from walking",
        unit="leg lengths",
        source="judgement: some 17 mm; shufflers' hardly move",
    )
    highest: float = setting(
        0.29,
        "share of the stride after a heel strike at which a walker's hips are highest",
        source="35 rendered and filmed walks lie between 0.26 and 0.31",
    )
    backward: float = setting(
        -0.25,
        "skewness (of the 5th, 50th and 95th percentile) of the feet's speed against the pelvis under which they walk "
        "backwards",
        source="54 made walks of nine patterns have 0.57 and more, played backwards -0.60 and less",
    )
    most_off: float = setting(
        0.1, "further from that it is running", source="judgement: runners are a quarter of a stride away"
    )


RUN = RunSettings()


def find_runs(motion: Motion, signals: Signals, turns: Sequence[Turn] = ()) -> tuple[tuple[Run, ...], Reason | None]:
    """Runs that may hold strides, outside turns, and why there are none."""
    heading, forward = signals.heading, signals.forward
    seen = np.isfinite(forward.ankle).all(axis=1) & np.isfinite(heading.yaw_deg)
    if not seen.any():
        return (), Reason.JOINT_UNSEEN
    long = [p for p in pieces(motion.time_s, seen) if _lasts(motion, p)]
    if not long:
        longest = float(np.ptp(motion.time_s[seen]))
        return (), Reason.GAPS if longest > 2.0 * RUN.shortest_s else Reason.TOO_SHORT
    straight = [q for p in long for q in straight_runs(motion.time_s, heading, p, turns) if _lasts(motion, q)]
    if not straight:
        return (), Reason.UNSTEADY
    moving = [q for p in straight for q in _moving(motion, signals, p) if _lasts(motion, q)]
    walking = tuple(run for run in moving if _walks(motion, signals, run))
    return walking, None if walking else Reason.NOT_WALKING


def _lasts(motion: Motion, run: Run) -> bool:
    return float(motion.time_s[run.stop - 1] - motion.time_s[run.start]) >= RUN.shortest_s


def _moving(motion: Motion, signals: Signals, run: Run) -> list[Run]:
    """A run without the times in which the person stands: who talks before a walk takes no steps then."""
    time_s, ankle = motion.time_s[run.part], signals.forward.ankle[run.part]
    known = np.isfinite(ankle).all(axis=1)
    if known.sum() < LEAST_FRAMES:
        return [run]
    apart = np.interp(time_s, time_s[known], ankle[known, 0] - ankle[known, 1])
    leg_m = signals.leg_m if np.isfinite(signals.leg_m) else RUN.usual_leg_m
    stands = np.zeros(len(apart), bool)
    last = np.searchsorted(time_s, time_s + RUN.stand_s)
    for first in range(int(np.searchsorted(time_s, time_s[-1] - RUN.stand_s, side="right"))):
        if np.ptp(apart[first : last[first]]) < RUN.stand * leg_m:
            stands[first : last[first]] = True
    return [Run(run.start + piece.start, run.start + piece.stop) for piece in pieces(time_s, ~stands)]


def pieces(time_s: Array, seen: Bool) -> list[Run]:
    """Gap-free runs of seen frames; a run begins and ends with a seen one."""
    index = np.flatnonzero(seen)
    step = float(np.median(np.diff(time_s))) if len(time_s) > 1 else SIGNAL.max_gap_s
    limit = max(SIGNAL.max_gap_s, 1.6 * step)  # At low frame rates two frames in a row are no gap.
    cuts = np.flatnonzero(np.diff(time_s[index]) > limit) + 1
    return [Run(int(part[0]), int(part[-1]) + 1) for part in np.split(index, cuts)]


def _walks(motion: Motion, signals: Signals, run: Run, forward: Forward | None = None) -> bool:
    """Upright, feet not lifted high, and passing each other."""
    forward = forward or signals.forward
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
            if float(np.median(cosine)) < RUN.upright:
                return False
    leg_m = signals.leg_m if np.isfinite(signals.leg_m) else RUN.usual_leg_m
    for side in SIDES:  # The top of the swing over the foot on the ground, where it is for most of the time.
        height = joint_m(motion, f"{side}_ankle")[part] @ up
        height = height[np.isfinite(height)]
        if len(height) and float(np.subtract(*np.percentile(height, [95.0, 10.0]))) > RUN.lift * leg_m:
            return False
    apart = forward.ankle[part, 0] - forward.ankle[part, 1]
    low, high = np.nanpercentile(apart, SPREAD_PCT)
    crossing = RUN.crossing * leg_m
    return bool(high - low > RUN.apart * leg_m and low < crossing and high > -crossing)


def describe_pass(motion: Motion, signals: Signals, run: Run) -> Pass:
    """Direction, kind and view of a run."""
    part = run.part
    yaw = float(median_known(signals.heading.yaw_deg[part]))
    yaw = (yaw + 180.0) % 360.0 - 180.0
    view = view_of(yaw) if motion.keypoints is not None else "side"
    away, right = abs(yaw) > 90.0, yaw <= 0.0
    direction = 1 if (away if view in ("front", "back") else right) else -1
    start, end = float(motion.time_s[run.start]), float(motion.time_s[run.stop - 1])
    kind = _kind(motion, signals.scale_px_m[part], run)
    return Pass(start, end, direction, kind, view, yaw, _is_backward(motion, signals, run))


def _is_backward(motion: Motion, signals: Signals, run: Run) -> bool:
    """Whether the feet go back faster than forward: skewness of their speed against the pelvis, mean of both feet.

    By percentiles: a foot that is guessed while it leaves the picture leaps, and its cube would outweigh all the rest.
    """
    ankle, time_s = signals.forward.ankle[run.part], motion.time_s[run.part]
    known = np.isfinite(ankle).all(axis=1)
    low, middle, high = np.percentile(
        np.gradient(ankle[known], time_s[known], axis=0), (SPREAD_PCT[0], 50.0, SPREAD_PCT[1]), axis=0
    )
    skewness = (high + low - 2.0 * middle) / np.maximum(high - low, 1e-9)
    return bool(np.mean(skewness) < RUN.backward)


def _kind(motion: Motion, scale: Array, run: Run) -> PassKind:
    """Whether the person gets anywhere, seen from the camera."""
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
    return "overground" if moved > RUN.moved_m or grown > RUN.grown else "in_place"


def is_running(motion: Motion, signals: Signals, strides: Sequence[Stride]) -> bool:
    """Whether the body bounces over these strides as in running; False where that can't be told."""
    height = _height_ll(motion, signals)
    if height is None or not strides:
        return False
    phase = np.arange(60) / 60.0
    waves = []
    for stride in strides:
        wave = np.interp(stride.start_s + phase * stride.duration_s, motion.time_s, height)
        # A camera that tilts and a person who comes nearer move the hips slowly.
        wave = wave - np.polyval(np.polyfit(phase, wave, 2), phase)
        waves.append(2.0 * np.mean(wave * np.exp(-4j * np.pi * phase)))
    mean = complex(np.mean(waves))
    highest = -np.angle(mean) / (4.0 * np.pi)
    off = (highest - RUN.highest + 0.25) % 0.5 - 0.25
    return bool(abs(mean) > RUN.bounce and abs(off) > RUN.most_off)


def _height_ll(motion: Motion, signals: Signals) -> Array | None:
    """Height of the hips' middle in the picture (or the world) over time, in leg lengths; None where not known."""
    if not np.isfinite(signals.leg_m):
        return None
    track = motion.keypoints
    if track is None:
        height = motion.root_m.astype(np.float64) @ motion.up.astype(np.float64)
    elif {"left_hip", "right_hip"} <= set(track.layout.joints):
        hips = track.layout.indices("left_hip", "right_hip")
        height = -track.xy_px[:, hips, 1].astype(np.float64).mean(axis=1) / signals.scale_px_m
    else:
        return None
    known = np.isfinite(height)
    if known.sum() <= LEAST_FRAMES:
        return None
    return np.interp(motion.time_s, motion.time_s[known], height[known]) / signals.leg_m


def find_walk(motion: Motion, signals: Signals | None = None) -> Walk:
    """Every pass, turn, event and stride of a motion.

    Nothing depends on the picture's shape or the person's place in it; mirroring the picture exchanges the sides.

    Args:
        motion: one person's.
        signals: of that motion, if they were made already.
    """
    if len(motion) < LEAST_FRAMES:
        return Walk(withheld=Reason.TOO_FEW_FRAMES)
    signals = signals or signals_of(motion)
    whole = _whole(motion, signals)
    turns = tuple(turn for run in whole for turn in find_turns(motion.time_s, signals.heading, run))
    runs, reason = find_runs(motion, signals, turns)
    passes: list[Pass] = []
    events: list[Event] = []
    strides: list[Stride] = []
    for run in runs:
        found, period_s = events_in(motion.time_s, signals.forward, run.part)
        mine = strides_of(found, period_s, len(passes))
        if not found:
            continue
        if is_running(motion, signals, mine):
            reason = Reason.NOT_WALKING
            continue
        span = replace(describe_pass(motion, signals, run), stride_s=period_s)
        passes.append(span)
        if span.backward:
            reason = Reason.UNSTEADY
            continue
        events += found
        strides += mine
    walked = [(span.start_s, span.end_s) for span in passes]
    turned, events = _turned(motion, signals, whole, turns, walked, events)
    if not strides and reason is None:
        reason = Reason.TOO_FEW_STRIDES
    events.sort(key=lambda event: event.time_s)
    strides.sort(key=lambda stride: stride.start_s)
    return Walk(tuple(passes), tuple(events), tuple(strides), None if strides else reason, turned)


def _whole(motion: Motion, signals: Signals) -> list[Run]:
    """Gap-free runs of the 3D body, turns and all."""
    seen = np.isfinite(signals.body.ankle).all(axis=1) & np.isfinite(signals.heading.yaw_deg)
    return [run for run in pieces(motion.time_s, seen) if _lasts(motion, run)] if seen.any() else []


def _turned(
    motion: Motion,
    signals: Signals,
    whole: Sequence[Run],
    turns: Sequence[Turn],
    walked: Sequence[tuple[float, float]],
    events: Sequence[Event],
) -> tuple[tuple[Turn, ...], list[Event]]:
    """Turns of a walker with their steps, and all events with those in and next to turns, which are marked.

    A turn counts where there is a pass just before or after it, or where the whole of it is walked; and if a foot
    lands in it.
    """
    kept: list[Turn] = []
    every = list(events)
    for run in whole:
        mine = [turn for turn in turns if motion.time_s[run.start] <= turn.start_s <= motion.time_s[run.stop - 1]]
        if not mine:
            continue
        start_s, end_s = float(motion.time_s[run.start]), float(motion.time_s[run.stop - 1])
        if any(first < end_s and last > start_s for first, last in walked):
            near_s = RUN.shortest_s
            mine = [t for t in mine if any(a < t.end_s + near_s and b > t.start_s - near_s for a, b in walked)]
        elif not _walks(motion, signals, run, signals.body):
            continue
        found, period_s = events_in(motion.time_s, signals.body, run.part)
        if signals.body.source == "file":
            found = offs_against_other_foot(motion, found, period_s)
        for event in found:
            near = any(turn.start_s - RUN.shortest_s <= event.time_s <= turn.end_s + RUN.shortest_s for turn in mine)
            passed = any(first <= event.time_s <= last for first, last in walked)
            known = any(
                (e.side, e.type) == (event.side, event.type) and abs(e.time_s - event.time_s) < EVENT.broken * period_s
                for e in events
            )
            if near and not passed and not known:
                sigma_s = float(np.hypot(event.sigma_s, EVENT.turning_s))
                every.append(replace(event, sigma_s=sigma_s, turning=True))
        kept += mine
    counted = (count_steps(turn, every) for turn in kept)
    return tuple(turn for turn in counted if turn.steps), every
