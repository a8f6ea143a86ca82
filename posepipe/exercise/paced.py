"""Repetitions of any movement, cut at the pace that a network reads off the motion.

The network tells from moment to moment whether something repeats and how fast (`posepipe.exercise.pace`). The clip is
cut by dynamic programming into repetitions and what lies between them, so that each is about as long as the network
says, ends in the posture in which it began, and begins and ends where the body is slow.

The search of `posepipe.exercise.repeats` knows nothing but likeness. Where its repetitions are alike and the network
sees them too they are taken, for their ends are exact; else those cut by pace.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.exercise.pace import Pace, PaceModel
from posepipe.exercise.repeats import Repeats, find_repeats, no_repeats
from posepipe.exercise.signal import RATE_HZ, grid, pose_matrix
from posepipe.motion.clip import Motion

__all__ = ["Read", "paced_repeats", "read_repeats"]

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

LEAST_S, MOST_S = 0.35, 15.0
"""A repetition is no shorter and no longer than this."""
_SHORT, _LONG = 0.5, 1.9
"""Repetitions that the network's rate makes of one: no less and no more."""
_EVIDENCE_PER_S = 2.0
"""A second of the network's word counts as so many opinions: moments side by side see the same."""
_PRIOR, _SURE = 1.0, 3.0
"""Added to the network's log odds, which miss repetitions more often than they invent some; more aren't believed."""
_OFF_PACE, _OFF_POSTURE, _MOVING = 4.0, 1.0, 0.3
"""Cost of a squared log of the length over the network's, of ending in an unrelated posture, of ending in motion.

All of these were chosen on synthetic sets that the network wasn't trained on."""
_LEAST_CHANGE = 1.0
"""A repetition changes the posture by this at least, in units of `posepipe.exercise.signal.pose_matrix`: two thirds of
a shrug. Standing, planks and wall sits stay under half of it."""
_AGREED = 0.6
"""The search is believed where its likeness times the network's probability reaches this."""
_ALIKE = 0.5
"""Where the search's repetitions are less alike than this its count is as doubtful as the network's."""


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """The repetitions of a clip, read twice.

    Attributes:
        searched: by likeness alone.
        paced: cut at the network's pace.
        seen: the network's mean probability within `searched`; 0 if that is empty.
    """

    searched: Repeats
    paced: Repeats
    seen: float

    @property
    def best(self) -> Repeats:
        """The one to take."""
        return self.searched if self.alike * self.seen >= _AGREED else self.paced

    @property
    def count(self) -> int:
        """How many there are, if it is known that something is repeated: the search's count, or the mean of both."""
        if self.alike >= _ALIKE:
            return len(self.searched)
        return round((len(self.searched) + len(self.paced)) / 2)

    @property
    def alike(self) -> float:
        """Mean likeness of `searched`; 0 if it is empty."""
        return float(self.searched.likeness.mean()) if len(self.searched) else 0.0

    @property
    def trust(self) -> float:
        """The network's mean probability within `best`."""
        if self.best is self.searched:
            return self.seen
        return float(self.paced.likeness.mean()) if len(self.paced) else 0.0


def read_repeats(motion: Motion, model: PaceModel | None = None) -> Read:
    """Both readings of one person's movement.

    Args:
        motion: one person's movement.
        model: the shipped one if None.
    """
    searched = find_repeats(motion)
    pace = (model or PaceModel()).read(motion)
    if pace is None:
        return Read(searched, no_repeats(searched.time_s), 0.0)
    within = np.zeros(len(searched.time_s), bool)
    for start, _, end in searched.cycle:
        within[start:end] = True
    probability = np.interp(searched.time_s, pace.time_s, pace.repeating)
    return Read(searched, paced_repeats(motion, pace), float(probability[within].mean()) if within.any() else 0.0)


def paced_repeats(motion: Motion, pace: Pace) -> Repeats:
    """The repetitions of a clip at a pace; none where nothing repeats. Their likeness is the network's probability.

    Args:
        motion: one person's movement.
        pace: read off it.
    """
    at = grid(motion.time_s)
    pose = pose_matrix(motion, at)
    repeating = np.clip(np.interp(at, pace.time_s, pace.repeating), 1e-3, 1.0 - 1e-3)
    rate_hz = np.exp(np.interp(at, pace.time_s, np.log(pace.rate_hz)))
    bounds = _cut(pose, repeating, rate_hz)
    turn = np.array([_turn(pose, a, b) for a, b in bounds], np.intp)
    cycle = np.stack([bounds[:, 0], turn, bounds[:, 1]], axis=1)
    cycle = cycle[np.linalg.norm(_changes(pose, cycle), axis=1) >= _LEAST_CHANGE]
    return Repeats(at, cycle, np.array([repeating[a:b].mean() for a, _, b in cycle]), _curve(pose, cycle))


def _cut(pose: Array, repeating: Array, rate_hz: Array) -> Indices:
    """(N, 2) starts and ends of the best set of repetitions: Viterbi over segments."""
    odds = np.log(repeating) - np.log1p(-repeating) + _PRIOR
    odds = np.clip(odds, -_SURE, _SURE) * _EVIDENCE_PER_S / RATE_HZ
    evidence = np.concatenate([[0.0], np.cumsum(odds)])
    phase = np.concatenate([[0.0], np.cumsum(rate_hz / RATE_HZ)])
    unit, speed = _scales(pose, repeating)
    count = len(pose)
    best, back = np.zeros(count), np.full(count, -1)
    shortest, longest = int(LEAST_S * RATE_HZ), int(MOST_S * RATE_HZ)
    for j in range(1, count):
        best[j] = best[j - 1]
        first = max(int(np.searchsorted(phase, phase[j] - _LONG)), j - longest)
        last = min(int(np.searchsorted(phase, phase[j] - _SHORT, "right")), j - shortest + 1)
        if last <= first:
            continue
        span = slice(first, last)
        apart = ((pose[span] - pose[j]) ** 2).sum(axis=1) / unit
        score = best[span] + evidence[j] - evidence[span] - _OFF_POSTURE * apart - _MOVING * (speed[span] + speed[j])
        score -= _OFF_PACE * np.log(phase[j] - phase[span]) ** 2
        top = int(score.argmax())
        if score[top] > best[j]:
            best[j], back[j] = score[top], first + top
    found, j = [], count - 1
    while j > 0:
        if back[j] >= 0:
            found.append((back[j], j))
        j = int(back[j]) if back[j] >= 0 else j - 1
    return np.array(found[::-1], np.intp).reshape(-1, 2)


def _scales(pose: Array, repeating: Array) -> tuple[float, Array]:
    """Squared distance of two unrelated postures of the movement, and speed (T,) in its usual speeds, 2 at most."""
    weight = repeating / repeating.sum()
    unit = 2.0 * float(weight @ ((pose - weight @ pose) ** 2).sum(axis=1)) + 1e-6
    speed = np.linalg.norm(np.gradient(pose, axis=0), axis=1)
    return unit, np.minimum(speed / (float(weight @ speed) + 1e-9), 2.0)


def _turn(pose: Array, start: int, end: int) -> int:
    """Where a repetition is farthest from the postures at its ends."""
    rest = (pose[start] + pose[end]) / 2.0
    return start + 1 + int(np.linalg.norm(pose[start + 1 : end] - rest, axis=1).argmax())


def _changes(pose: Array, cycle: Indices) -> Array:
    """(N, D) from the postures at a repetition's ends to that at its turn."""
    return np.asarray(pose[cycle[:, 1]] - (pose[cycle[:, 0]] + pose[cycle[:, 2]]) / 2.0)


def _curve(pose: Array, cycle: Indices) -> Array:
    """(T,) along the usual change: 0 at the start posture, 1 at the turn."""
    if not len(cycle):
        return np.zeros(len(pose))
    way = np.median(_changes(pose, cycle), axis=0) if len(cycle) > 2 else _changes(pose, cycle).mean(axis=0)
    curve = pose @ way / (float(way @ way) + 1e-9)
    return np.asarray(curve - np.median(curve[cycle[:, [0, 2]]]))
