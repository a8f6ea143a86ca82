"""Presentation times: seconds from the first frame, strictly increasing."""

from __future__ import annotations

from fractions import Fraction

__all__ = ["Clock"]

# A step back by more than this is a new timeline (joined recordings, a restarted stream), not a jittered stamp.
_NEW_TIMELINE_S = 1.0


class Clock:
    """Turns presentation timestamps into times.

    A variable frame rate is kept. A frame without a timestamp comes one mean frame after the one before it; one whose
    timestamp repeats or steps back comes half a frame after it, so that the true timeline is caught up with.

    Args:
        rate_hz: mean frame rate, used for those frames only.
    """

    def __init__(self, rate_hz: float) -> None:
        self._period_s = 1.0 / rate_hz
        self._origin: Fraction | None = None
        self._offset_s = 0.0
        self._last_s: float | None = None

    def stamp(self, pts: int | None, time_base: Fraction | None) -> tuple[float, bool]:
        """Time in seconds of the next frame, and whether it had to be estimated.

        Args:
            pts: presentation timestamp in units of `time_base`, or None.
            time_base: seconds per unit.
        """
        seconds = None if pts is None or not time_base else Fraction(pts) * time_base
        time_s, estimated = self._next(seconds)
        self._last_s = time_s
        return time_s, estimated

    def _next(self, seconds: Fraction | None) -> tuple[float, bool]:
        last = self._last_s
        if last is None:
            self._origin = seconds
            return 0.0, seconds is None
        if seconds is None:
            return last + self._period_s, True
        if self._origin is None:
            return self._restart(seconds, last), True
        time_s = self._offset_s + float(seconds - self._origin)
        if time_s > last:
            return time_s, False
        if time_s < last - _NEW_TIMELINE_S:
            return self._restart(seconds, last), True
        return last + self._period_s / 2.0, True

    def _restart(self, seconds: Fraction, last: float) -> float:
        self._origin = seconds
        self._offset_s = last + self._period_s
        return self._offset_s
