"""Form rules of the catalogue, judged on one repetition.

A fault is named only where the measure passes its threshold by more than its error bar, from a view that shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from posepipe.exercise.catalogue import Exercise, Rule
from posepipe.exercise.count import Cycle
from posepipe.exercise.signal import Measure, difference_sigma, measure
from posepipe.motion.clip import Motion
from posepipe.motion.facing import view_label
from posepipe.reasons import Reason

__all__ = ["SURE", "Judge", "at_turn", "view_of"]

Array = NDArray[np.float64]

SURE = 1.645
"""A fault passes its threshold by this many sigmas: right in nineteen of twenty."""
_SPREAD_S = 0.1
"""Half of the time that a single moment is averaged over."""


class Judge:
    """Judges the repetitions of one exercise in one motion.

    Args:
        motion: one person's movement.
        exercise: whose rules.
        yaw_deg: (F,) heading of the body in each frame, as `posepipe.motion.facing.facing` gives it.
    """

    def __init__(self, motion: Motion, exercise: Exercise, yaw_deg: NDArray[np.float32]) -> None:
        self._motion = motion
        self._exercise = exercise
        self._yaw_deg = yaw_deg
        self._seen: dict[str, Measure] = {}

    def measure(self, name: str) -> Measure:
        """A measure of the motion, worked out once."""
        if name not in self._seen:
            self._seen[name] = measure(self._motion, name)
        return self._seen[name]

    def faults(self, cycle: Cycle) -> tuple[tuple[str, ...], Mapping[str, str]]:
        """Codes of the rules broken, and the reason for each rule that can't be judged."""
        frames = (self._motion.time_s >= cycle.start_s) & (self._motion.time_s <= cycle.end_s)
        view = view_of(self._yaw_deg[frames])
        broken, unknown = [], {}
        for rule in self._exercise.rules:
            verdict = self._verdict(rule, cycle, view)
            if isinstance(verdict, Reason):
                unknown[rule.code] = verdict.value
            elif verdict:
                broken.append(rule.code)
        return tuple(broken), unknown

    def _verdict(self, rule: Rule, cycle: Cycle, view: str) -> bool | Reason:
        if view != "unknown" and view not in rule.views:
            return Reason.WRONG_VIEW
        value, sigma = self._value(rule, cycle)
        if not np.isfinite(value).any():
            return Reason.JOINT_UNSEEN
        fine = sigma <= rule.max_sigma_deg
        if not fine.any():
            return Reason.TOO_UNCERTAIN
        value, sigma = value[fine], sigma[fine]
        over = value - rule.threshold_deg if rule.above_deg is not None else rule.threshold_deg - value
        if rule.side == "worst":
            return bool((over > SURE * sigma).any())
        return bool(over.mean() > SURE * np.sqrt((sigma**2).mean()))

    def _value(self, rule: Rule, cycle: Cycle) -> tuple[Array, Array]:
        """What the rule looks at, by side, with its sigma."""
        seen = self.measure(rule.measure)
        low, high = {
            "start": (cycle.start_s - _SPREAD_S, cycle.start_s + _SPREAD_S),
            "turn": (cycle.turn_s - _SPREAD_S, cycle.turn_s + _SPREAD_S),
            "end": (cycle.end_s - _SPREAD_S, cycle.end_s + _SPREAD_S),
            "out": (cycle.start_s, cycle.turn_s),
            "back": (cycle.turn_s, cycle.end_s),
            "rep": (cycle.start_s, cycle.end_s),
        }[rule.at]
        deg, sigma = _window(self._motion, seen, low, high)
        if cycle.side != "both" and seen.sided:
            keep = [0 if cycle.side == "left" else 1]
            deg, sigma = deg[:, keep], sigma[:, keep]
        if not len(deg):
            return np.full(1, np.nan), np.full(1, np.nan)
        spread = _typical(sigma)
        if rule.take == "change":
            first, other = _window(self._motion, seen, cycle.start_s - _SPREAD_S, cycle.start_s + _SPREAD_S)
            first, other = (first, other) if first.shape[1] == deg.shape[1] else (first[:, keep], other[:, keep])
            change = _typical(deg) - _typical(first)
            return change, difference_sigma(change, spread, _typical(other))
        if rule.take == "range":
            size = _extreme(deg, 95) - _extreme(deg, 5)
            return size, difference_sigma(size, spread, spread)
        take = {"min": 5, "max": 95}.get(rule.take)
        return (_mean(deg) if take is None else _extreme(deg, take)), spread


def at_turn(motion: Motion, seen: Measure, cycle: Cycle, moment_s: float) -> tuple[Array, Array]:
    """A measure about one moment: (sides,) value and sigma; NaN where unseen."""
    deg, sigma = _window(motion, seen, moment_s - _SPREAD_S, moment_s + _SPREAD_S)
    if not len(deg):
        return np.full(seen.deg.shape[1], np.nan), np.full(seen.deg.shape[1], np.nan)
    return _typical(deg), _typical(sigma)


def view_of(yaw_deg: NDArray[np.float32]) -> str:
    """The side of the body that the camera saw in these frames, "unknown" if none has a heading."""
    known = np.radians(yaw_deg[np.isfinite(yaw_deg)].astype(np.float64))
    if not known.size:
        return "unknown"
    return view_label(float(np.degrees(np.angle(np.exp(1j * known).mean()))))


def _window(motion: Motion, seen: Measure, low: float, high: float) -> tuple[Array, Array]:
    """Frames of a stretch of time; the nearest one if it holds none."""
    frames = np.flatnonzero((motion.time_s >= low) & (motion.time_s <= high))
    if not frames.size:
        frames = np.array([int(np.abs(motion.time_s - 0.5 * (low + high)).argmin())])
    return seen.deg[frames], seen.sigma_deg[frames]


def _typical(x: Array) -> Array:
    return _over(x, lambda column: float(np.median(column)))


def _mean(x: Array) -> Array:
    return _over(x, lambda column: float(np.mean(column)))


def _extreme(x: Array, percent: int) -> Array:
    return _over(x, lambda column: float(np.percentile(column, percent)))


def _over(x: Array, take: Callable[[Array], float]) -> Array:
    out = np.full(x.shape[1], np.nan)
    for k in range(x.shape[1]):
        known = x[np.isfinite(x[:, k]), k]
        if known.size:
            out[k] = take(known)
    return out
