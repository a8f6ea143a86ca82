"""Counting an exercise's repetitions: one machine, stepped frame by frame, live as the frames come and over a clip.

A repetition leaves the start posture, turns, and comes back; it counts as soon as half of the way back is done. The
curve is followed with hysteresis, so a tremble at any level counts once, and the swing needed follows what this person
does. Every movement that almost was a repetition is kept with the reason why it wasn't.

NumPy alone, one number or two a frame, so that a small device can run it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from posepipe.body.motion import Motion
from posepipe.exercise.catalogue import Exercise
from posepipe.exercise.signal import measure
from posepipe.exercise.types import Phase, Rejected
from posepipe.reasons import Reason
from posepipe.settings import setting

__all__ = ["COUNT", "CountSettings", "Counted", "Cycle", "RepCounter", "RepStep", "count_exercise"]

Array = NDArray[np.float64]

_SWEPT = "kept after 0.7 and 1.4 times as much on synthetic sets by `posepipe.lab.counter.measure --sweep`"


@dataclass(frozen=True, slots=True)
class CountSettings:
    """Thresholds of counting. An exercise's own, such as its least range, stand in the catalogue."""

    looked_at: float = setting(0.6, "share of the least range from which a movement is looked at", source=_SWEPT)
    of_usual: float = setting(0.45, "share of the person's usual range from which it is looked at", source=_SWEPT)
    full: float = setting(
        0.6, "share of the usual range that a repetition reaches; else it is too shallow", source=_SWEPT
    )
    way_back: float = setting(0.5, "share of the way back after which a repetition counts", source=_SWEPT)
    edge: float = setting(0.1, "share of the range at which a repetition begins and ends", source=_SWEPT)
    usual_of: int = setting(8, "repetitions that the usual range is taken from: the last ones", source=_SWEPT)
    usual_top: int = setting(3, "of these, how many of the largest the usual range is the median of", source=_SWEPT)
    usual_from: int = setting(2, "repetitions after which the usual range can turn others down", source=_SWEPT)
    cutoff_hz: float = setting(
        4.0, "faster movement is smoothed away: two repetitions a second are the fastest", unit="Hz", source=_SWEPT
    )
    blind_s: float = setting(0.5, "a hole in the curve that is longer isn't bridged", unit="s", source=_SWEPT)
    blind_share: float = setting(0.5, "share of a repetition in such holes above which it isn't counted", source=_SWEPT)
    rest_s: float = setting(0.5, "after so long without going further back the person rests", unit="s", source=_SWEPT)
    same_time: float = setting(
        0.5, "share of the shorter one from which left and right are one repetition", source=_SWEPT
    )
    seen_share: float = setting(
        0.3, "share of a clip's frames in which the signal must be seen; else another measure is taken", source=_SWEPT
    )
    margin_s: float = setting(1.0, "a clip is followed from so long before a bout", unit="s", source=_SWEPT)
    outside: float = setting(
        0.5,
        "share of a repetition in which a limb is beyond the picture's edge where that is why it wasn't seen",
        source="judgement",
    )
    covered: float = setting(0.3, "share of a movement turned down that counted ones may cover", source="judgement")
    apart_s: float = setting(
        0.1, "overlap of two movements turned down of which one is told", unit="s", source="judgement"
    )


COUNT = CountSettings()


@dataclass(frozen=True, slots=True)
class Cycle:
    """Where one repetition lies.

    Attributes:
        start_s, turn_s, end_s: between frames.
        side: "left", "right" or "both".
    """

    start_s: float
    turn_s: float
    end_s: float
    side: str = "both"


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """The repetitions of a clip.

    Attributes:
        reps: counted.
        rejected: looked at and not counted.
        signal: measure that was used; empty where there is none.
    """

    reps: tuple[Cycle, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    signal: str = ""

    def __len__(self) -> int:
        return len(self.reps)


@dataclass(frozen=True, slots=True)
class RepStep:
    """What the counter knows after a frame.

    Attributes:
        reps: counted so far.
        phase: where in the repetition.
        progress: 0 at the start posture, 1 at the usual turn; NaN before anything is known.
        counted: the repetition counted in this frame; its end is now, and moves on in `RepCounter.cycles`.
        rejected: a movement turned down in this frame.
    """

    reps: int
    phase: Phase
    progress: float
    counted: Cycle | None = None
    rejected: Rejected | None = None


def count_exercise(
    motion: Motion, exercise: Exercise, span: tuple[float, float] | None = None, settings: CountSettings = COUNT
) -> Counted:
    """Repetitions of a known exercise in a clip: what `RepCounter` counts, stepped through it.

    Args:
        motion: one person's movement.
        exercise: from the catalogue.
        span: seconds in which the exercise was recognised; the whole clip if None.
        settings: thresholds.
    """
    if not exercise.counted or len(motion) < 4:
        return Counted()
    first, last = span or (float(motion.time_s[0]), float(motion.time_s[-1]))
    # What turns in the bout may come back long after it.
    frames = (motion.time_s >= first - settings.margin_s) & (motion.time_s <= last + exercise.tempo_s[1])
    time_s = motion.time_s[frames]
    for name in (exercise.signal, *exercise.others):
        deg = measure(motion, name).deg[frames]
        if not len(deg) or np.isfinite(deg).any(axis=1).mean() < settings.seen_share:
            continue
        counter = RepCounter(exercise, settings)
        for moment_s, row in zip(time_s, deg, strict=True):
            counter.step(float(moment_s), row)
        # A repetition belongs to the bout in which it turns, as one without a name does.
        reps = [cycle for cycle in counter.cycles if first <= cycle.turn_s <= last]
        out = [_worded(motion, item, settings) for item in (*counter.rejected, *counter.unfinished())]
        out = [r for r in out if first <= 0.5 * (r.start_s + r.end_s) <= last]
        return Counted(tuple(reps), _tidy(out, reps, settings), name)
    return Counted((), (Rejected(first, last, Reason.JOINT_UNSEEN),), exercise.signal)


class RepCounter:
    """Counts one exercise, frame by frame.

    Args:
        exercise: from the catalogue; its `sides` say how left and right go together.
        settings: thresholds.
    """

    def __init__(self, exercise: Exercise, settings: CountSettings = COUNT) -> None:
        self.exercise = exercise
        self.cycles: list[Cycle] = []
        self.rejected: list[Rejected] = []
        self._settings = settings
        names = ("left", "right") if exercise.sides == "either" else ("both",)
        self._tracks = [_Track(exercise, name, settings) for name in names]
        # Each track's latest repetition in `cycles`.
        self._last = [-1] * len(names)

    def step(self, time_s: float, deg: Array) -> RepStep:
        """Take one frame.

        Args:
            time_s: its time; one that isn't after the last is ignored.
            deg: the exercise's signal, (2,) left and right or (1,); NaN where unseen.
        """
        values = self._values(deg.tolist())
        counted = rejected = None
        for i, (track, value) in enumerate(zip(self._tracks, values, strict=True)):
            done, refused = track.step(time_s, value)
            if done is not None:
                counted = self._take(done, i) or counted
            elif self._last[i] >= 0 and track.end_s > self.cycles[self._last[i]].end_s:
                self.cycles[self._last[i]] = replace(self.cycles[self._last[i]], end_s=track.end_s)
            if refused is not None:
                rejected = refused
                self.rejected.append(refused)
        lead = max(self._tracks, key=lambda track: -1.0 if math.isnan(track.progress) else track.progress)
        return RepStep(len(self.cycles), lead.phase, lead.progress, counted, rejected)

    def unfinished(self) -> list[Rejected]:
        """Movements that have begun and haven't ended yet."""
        return [item for track in self._tracks if (item := track.unfinished()) is not None]

    def _values(self, deg: list[float]) -> list[float]:
        if len(self._tracks) == 2:
            return deg if len(deg) == 2 else [deg[0], math.nan]
        known = [value for value in deg if math.isfinite(value)]
        if not known:
            return [math.nan]
        if self.exercise.sides == "most":
            return [max(known) if self.exercise.start == "low" else min(known)]
        return [sum(known) / len(known)]

    def _take(self, cycle: Cycle, track: int) -> Cycle | None:
        """Count it, unless the other side has just done the same repetition."""
        last = self.cycles[-1] if self.cycles else None
        if last is not None and last.side != cycle.side:
            least_s = self._settings.same_time * min(last.end_s - last.start_s, cycle.end_s - cycle.start_s)
            if _shared(last, cycle) > least_s:
                self.cycles[-1] = replace(last, end_s=max(last.end_s, cycle.end_s), side="both")
                self._last[track] = len(self.cycles) - 1
                return None
        self._last[track] = len(self.cycles)
        self.cycles.append(cycle)
        return cycle


class _Track:
    """Follows one curve through rest, out and back."""

    def __init__(self, exercise: Exercise, side: str, settings: CountSettings) -> None:
        self._exercise = exercise
        self._side = side
        self._settings = settings
        self._sign = 1.0 if exercise.start == "low" else -1.0
        # What a low-pass of the first order shows now was so long ago.
        self._lag_s = 1.0 / (2.0 * math.pi * settings.cutoff_hz)
        self._time_s = self._value = self._first_s = math.nan
        self._past: deque[tuple[float, float]] = deque()
        self._low = self._high = (0.0, math.nan)
        self._peak_deg = self._head_deg = -math.inf
        self._fall: list[tuple[float, float]] = []
        self._level = math.nan
        self._sizes: deque[float] = deque(maxlen=settings.usual_of)
        self._usual_deg = 0.0
        self._blind_s = 0.0
        self.end_s = -math.inf
        self.phase = Phase.REST
        self.progress = math.nan

    def step(self, time_s: float, deg: float) -> tuple[Cycle | None, Rejected | None]:
        """One sample; what it completed or what was turned down, if anything."""
        gap_s = time_s - self._time_s
        if gap_s <= 0.0 or not math.isfinite(deg):
            return None, None
        value = self._smooth(gap_s, self._sign * deg)
        if gap_s > self._settings.blind_s and self.phase is not Phase.REST:
            self._blind_s += gap_s
        if math.isnan(self._time_s):
            self._first_s = time_s
            self._low = self._high = (time_s, value)
        self._time_s, self._value = time_s, value
        at_s = max(time_s - self._lag_s, self._first_s)
        self._past.append((at_s, value))
        result = self._going_out(at_s, value) if self.phase is Phase.OUT else (None, self._resting(at_s, value))
        usual = self._usual_deg or self._exercise.min_range_deg
        self.progress = min(max((value - self._low[1]) / usual, 0.0), 1.0)
        return result

    def unfinished(self) -> Rejected | None:
        """The movement that is under way."""
        if self.phase is not Phase.OUT:
            return None
        return Rejected(self._left_s(), self._time_s, Reason.INCOMPLETE)

    def _smooth(self, gap_s: float, value: float) -> float:
        if not gap_s <= self._settings.blind_s:
            return value
        return self._value + gap_s / (gap_s + self._lag_s) * (value - self._value)

    def _resting(self, at_s: float, value: float) -> Rejected | None:
        """Before the way out; turns down a movement that the clip began in the midst of."""
        self._peak_deg = max(self._peak_deg, value)
        if value <= self._low[1]:
            self._low = (at_s, value)
            # The highest before the low, until the first way out.
            self._head_deg = self._peak_deg
            if len(self._fall) > 1 and self._fall[-2][1] == self._fall[-1][1] == value:
                # Of a level stretch its ends are enough.
                self._fall[-1] = (at_s, value)
            else:
                self._fall.append((at_s, value))
            self._ended()
        refused = None
        if value - self._low[1] >= self._swing():
            if self._head_deg - self._low[1] >= self._swing():
                refused = Rejected(self._first_s, self._low[0], Reason.INCOMPLETE)
            self._peak_deg = math.nan
            self.phase = Phase.OUT
            self._high = (at_s, value)
            self._blind_s = 0.0
        elif self.phase is Phase.BACK and at_s - self._low[0] > self._settings.rest_s:
            self.phase = Phase.REST
        # At rest nothing older than the longest repetition matters.
        self._forget(at_s - self._exercise.tempo_s[1])
        return refused

    def _forget(self, before_s: float) -> None:
        while self._past and self._past[0][0] < before_s:
            self._past.popleft()

    def _going_out(self, at_s: float, value: float) -> tuple[Cycle | None, Rejected | None]:
        if value >= self._high[1]:
            self._high = (at_s, value)
        most_s = self._exercise.tempo_s[1]
        if self._past[0][0] < at_s - 3.0 * most_s:
            # Who sits down and stays is too slow by now; when that began is all that matters.
            self._low = (self._left_s(), self._low[1])
            self._forget(at_s - 2.0 * most_s)
        out, back = self._high[1] - self._low[1], self._high[1] - value
        if back < max(self._swing(), self._settings.way_back * out):
            return None, None
        cycle = Cycle(self._left_s(), self._high[0], at_s, self._side)
        reason = self._wrong(cycle, out)
        self.phase = Phase.BACK
        self._low = (at_s, value)
        self._fall = [self._low]
        if reason is not None:
            self._level, self.end_s = math.nan, -math.inf
            return None, Rejected(cycle.start_s, cycle.end_s, reason)
        self._level, self.end_s = self._high[1], at_s
        self._sizes.append(out)
        self._usual_deg = median(sorted(self._sizes)[-self._settings.usual_top :])
        return cycle, None

    def _wrong(self, cycle: Cycle, out: float) -> Reason | None:
        settings = self._settings
        least_s, most_s = self._exercise.tempo_s
        length_s = cycle.end_s - cycle.start_s
        usual = self._usual_deg if len(self._sizes) >= settings.usual_from else 0.0
        if out < max(self._exercise.min_range_deg, settings.full * usual):
            return Reason.TOO_SHALLOW
        if self._blind_s > settings.blind_share * length_s:
            return Reason.JOINT_UNSEEN
        # The edges are cut off, and the rest of the way back is still to come.
        if length_s < 0.5 * (1.0 + settings.way_back) * least_s * (1.0 - 2.0 * settings.edge):
            return Reason.TOO_FAST
        return Reason.TOO_SLOW if length_s > most_s else None

    def _swing(self) -> float:
        return max(self._settings.looked_at * self._exercise.min_range_deg, self._settings.of_usual * self._usual_deg)

    def _left_s(self) -> float:
        """When the curve left its low level."""
        level = self._low[1] + self._settings.edge * (self._high[1] - self._low[1])
        after: tuple[float, float] | None = None
        for at_s, value in reversed(self._past):
            if at_s > self._high[0]:
                continue
            if value <= level:
                return _crossing((at_s, value), after, level) if after else at_s
            after = (at_s, value)
        return self._low[0]

    def _ended(self) -> None:
        """Move the end of the last repetition to where the curve has come back to its low level."""
        level = self._low[1] + self._settings.edge * (self._level - self._low[1])
        before: tuple[float, float] | None = None
        for point in self._fall:
            if point[1] <= level:
                self.end_s = _crossing(point, before, level) if before else point[0]
                return
            before = point


def _crossing(below: tuple[float, float], above: tuple[float, float], level: float) -> float:
    """When a straight line between two points of (time, value) passes a level."""
    share = (level - below[1]) / (above[1] - below[1])
    return below[0] + min(max(share, 0.0), 1.0) * (above[0] - below[0])


def _shared(a: Cycle, b: Cycle) -> float:
    """Seconds that both last."""
    return min(a.end_s, b.end_s) - max(a.start_s, b.start_s)


def _worded(motion: Motion, item: Rejected, settings: CountSettings) -> Rejected:
    """Says so if a joint was unseen because some limb was mostly outside the picture."""
    if item.reason != Reason.JOINT_UNSEEN or motion.keypoints is None or motion.size_px is None:
        return item
    xy = motion.keypoints.xy_px[(motion.time_s >= item.start_s) & (motion.time_s <= item.end_s)]
    with np.errstate(invalid="ignore"):
        out = (xy < 0).any(axis=2) | (xy > np.array(motion.size_px)).any(axis=2)
    mostly = len(xy) > 0 and out.mean(axis=0).max() > settings.outside
    return replace(item, reason=Reason.OUT_OF_FRAME) if mostly else item


def _tidy(rejected: Sequence[Rejected], reps: Sequence[Cycle], settings: CountSettings) -> tuple[Rejected, ...]:
    """In order, without those at the time of a counted repetition."""

    def covered(item: Rejected) -> bool:
        least_s = settings.covered * (item.end_s - item.start_s)
        return any(_shared(cycle, Cycle(item.start_s, item.start_s, item.end_s)) > least_s for cycle in reps)

    free = [item for item in rejected if not covered(item)]
    kept: list[Rejected] = []
    for item in sorted(free, key=lambda item: item.start_s):
        if not kept or item.start_s >= kept[-1].end_s - settings.apart_s:
            kept.append(item)
    return tuple(kept)
