"""Counting as the frames come: the same repetitions as `posepipe.exercise.count`, known the moment they are complete.

NumPy alone, one number or two a frame, so that a small device can run it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posepipe.exercise.catalogue import Exercise
from posepipe.exercise.count import EDGE, FULL, RETURN, TRY, USUAL, Cycle
from posepipe.exercise.types import Phase, Rejected
from posepipe.reasons import Reason

__all__ = ["RepCounter", "RepStep"]

Array = NDArray[np.float64]

_CUTOFF_HZ = 4.0
_BLIND_S = 0.5
_USUAL_OF = 8


@dataclass(frozen=True, slots=True)
class RepStep:
    """What the counter knows after a frame.

    Attributes:
        reps: counted so far.
        phase: where in the repetition.
        progress: 0 at the start posture, 1 at the usual turn; NaN before anything is known.
        counted: the repetition counted in this frame; its end is now, refined in `RepCounter.cycles`.
        rejected: a movement turned down in this frame.
    """

    reps: int
    phase: Phase
    progress: float
    counted: Cycle | None = None
    rejected: Rejected | None = None


class RepCounter:
    """Counts one exercise, frame by frame.

    Args:
        exercise: from the catalogue; its `sides` say how left and right go together.
    """

    def __init__(self, exercise: Exercise) -> None:
        self.exercise = exercise
        self.cycles: list[Cycle] = []
        self.rejected: list[Rejected] = []
        names = ("left", "right") if exercise.sides == "either" else ("both",)
        self._tracks = [_Track(exercise, name) for name in names]

    def step(self, time_s: float, deg: Array) -> RepStep:
        """Take one frame.

        Args:
            time_s: its time; one that isn't after the last is ignored.
            deg: the exercise's signal, (2,) left and right or (1,); NaN where unseen.
        """
        values = self._values(np.asarray(deg, np.float64))
        counted = rejected = None
        for track, value in zip(self._tracks, values, strict=True):
            done, refused = track.step(time_s, value)
            if done is not None:
                counted = self._take(done) or counted
            if refused is not None:
                rejected = refused
                self.rejected.append(refused)
        lead = max(self._tracks, key=lambda track: -1.0 if np.isnan(track.progress) else track.progress)
        return RepStep(len(self.cycles), lead.phase, lead.progress, counted, rejected)

    def _values(self, deg: Array) -> list[float]:
        known = deg[np.isfinite(deg)]
        if len(self._tracks) == 2:
            return [float(deg[0]), float(deg[-1])] if len(deg) == 2 else [float(deg[0]), float("nan")]
        if not known.size:
            return [float("nan")]
        high = self.exercise.start == "low"
        most = known.max() if high else known.min()
        return [float(most if self.exercise.sides == "most" else known.mean())]

    def _take(self, cycle: Cycle) -> Cycle | None:
        """Count it, unless the other side has just done the same repetition."""
        last = self.cycles[-1] if self.cycles else None
        if last is not None and last.side != cycle.side:
            shared = min(last.end_s, cycle.end_s) - max(last.start_s, cycle.start_s)
            if shared > 0.5 * min(last.end_s - last.start_s, cycle.end_s - cycle.start_s):
                self.cycles[-1] = replace(last, end_s=max(last.end_s, cycle.end_s), side="both")
                return None
        self.cycles.append(cycle)
        return cycle


class _Track:
    """Follows one curve through rest, out and back."""

    def __init__(self, exercise: Exercise, side: str) -> None:
        self._exercise = exercise
        self._side = side
        self._sign = 1.0 if exercise.start == "low" else -1.0
        self._time_s = float("nan")
        self._value = float("nan")
        self._past: deque[tuple[float, float]] = deque()
        self._low = self._high = (0.0, float("nan"))
        self._sizes: deque[float] = deque(maxlen=_USUAL_OF)
        self._blind_s = 0.0
        self.phase = Phase.REST
        self.progress = float("nan")

    def step(self, time_s: float, deg: float) -> tuple[Cycle | None, Rejected | None]:
        """One sample; what it completed or what was turned down, if anything."""
        gap_s = time_s - self._time_s
        if gap_s <= 0.0:
            return None, None
        if not np.isfinite(deg):
            return None, None
        value = self._smooth(gap_s, self._sign * deg)
        if np.isfinite(gap_s) and gap_s > _BLIND_S and self.phase is not Phase.REST:
            self._blind_s += gap_s
        self._time_s, self._value = time_s, value
        self._past.append((time_s, value))
        result: tuple[Cycle | None, Rejected | None] = (None, None)
        if np.isnan(self._low[1]):
            self._low = self._high = (time_s, value)
        if self.phase is Phase.OUT:
            result = self._going_out(time_s, value)
        else:
            self._resting(time_s, value)
        usual = self._usual() or self._exercise.min_range_deg
        self.progress = float(np.clip((value - self._low[1]) / usual, 0.0, 1.0))
        return result

    def _smooth(self, gap_s: float, value: float) -> float:
        if not np.isfinite(self._value) or gap_s > _BLIND_S:
            return value
        turns = 2.0 * np.pi * _CUTOFF_HZ * gap_s
        return self._value + turns / (turns + 1.0) * (value - self._value)

    def _resting(self, time_s: float, value: float) -> None:
        if value <= self._low[1]:
            self._low = (time_s, value)
            self._forget(time_s)
        if value - self._low[1] >= self._swing():
            self.phase = Phase.OUT
            self._high = (time_s, value)
            self._blind_s = 0.0
        elif self.phase is Phase.BACK and value - self._low[1] < 0.3 * self._swing():
            self.phase = Phase.REST
        # At rest nothing older than the longest repetition matters.
        while self._past and self._past[0][0] < time_s - self._exercise.tempo_s[1]:
            self._past.popleft()

    def _going_out(self, time_s: float, value: float) -> tuple[Cycle | None, Rejected | None]:
        if value >= self._high[1]:
            self._high = (time_s, value)
        out, back = self._high[1] - self._low[1], self._high[1] - value
        if back < max(self._swing(), RETURN * out):
            return None, None
        cycle = Cycle(self._left_s(), self._high[0], time_s, self._side)
        reason = self._wrong(cycle, out)
        self.phase = Phase.BACK
        self._low = (time_s, value)
        self._forget(self._high[0])
        if reason is not None:
            return None, Rejected(cycle.start_s, cycle.end_s, reason.value)
        self._sizes.append(out)
        return cycle, None

    def _wrong(self, cycle: Cycle, out: float) -> Reason | None:
        least, most = self._exercise.tempo_s
        length_s = cycle.end_s - cycle.start_s
        usual = self._usual() if len(self._sizes) > 1 else 0.0
        if out < max(self._exercise.min_range_deg, FULL * usual):
            return Reason.TOO_SHALLOW
        if self._blind_s > 0.5 * length_s:
            return Reason.JOINT_UNSEEN
        # The way back isn't over yet: half of it is done.
        if length_s < 0.75 * least * (1.0 - 2.0 * EDGE):
            return Reason.TOO_FAST
        return Reason.TOO_SLOW if length_s > most else None

    def _swing(self) -> float:
        return max(TRY * self._exercise.min_range_deg, USUAL * self._usual())

    def _usual(self) -> float:
        return float(np.median(sorted(self._sizes)[-3:])) if self._sizes else 0.0

    def _left_s(self) -> float:
        """When the curve left its low level, as `posepipe.exercise.count` has it."""
        level = self._low[1] + EDGE * (self._high[1] - self._low[1])
        left_s = self._low[0]
        for time_s, value in reversed(self._past):
            if time_s <= self._high[0] and value <= level:
                return max(time_s, left_s)
        return left_s

    def _forget(self, before_s: float) -> None:
        while self._past and self._past[0][0] < before_s:
            self._past.popleft()
