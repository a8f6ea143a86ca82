"""Ids that stay with people: Hungarian matching on a keypoint distance, with prediction and body shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import UsageError
from posepipe.skeleton import Layout
from posepipe.tracking import shape
from posepipe.types import Keypoints

__all__ = ["Tracker"]

Float64 = NDArray[np.float64]

_NO = 1e6  # Cost of a pair that can't be.
_DRIFT_S = 0.7  # A lost person's speed fades with this time constant.
_NEAR = 0.05  # Body sizes; a nearer match needs no second look.
_SPEED_S = 0.15  # Time constant of the speed estimate.


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A person in the frame, measured once."""

    layout: Layout
    xy_px: Float64
    sigma_px: Float64
    size_px: float
    shape: tuple[Float64, Float64]


@dataclass(slots=True)
class _Person:
    """What the tracker remembers about one person; changed in place every frame."""

    person: int
    time_s: float
    xy_px: Float64
    sigma_px: Float64
    speed_px: Float64  # (2,) of the whole body, per second
    size_px: float
    shape: shape.Shape
    sightings: int = 1


class Tracker:
    """Gives every person an id, one frame at a time.

    Each frame, known people are moved on with their speed and matched to the people seen (Hungarian algorithm) on:

    - the mean distance of the keypoints from their prediction, in body sizes (diagonal of the body's box); uncertain
      keypoints weigh less, and a body with left and right exchanged is no further away;
    - the difference in body size and limb lengths, which tells people apart who cross.

    A pair further apart than the gate is never matched. The gate widens with the time since the person was seen.
    Causal: an id depends on this and earlier frames only. Ids start at 1, are never used twice, and are no index.

    Args:
        max_gap_s: a person lost for longer gets a new id on return.
        gate: largest distance at once, in body sizes.
        gate_per_s: how much the gate widens for each second of absence.
        shape_weight: what a difference in body shape counts against distance.
    """

    def __init__(
        self, max_gap_s: float = 1.0, gate: float = 0.3, gate_per_s: float = 1.0, shape_weight: float = 0.5
    ) -> None:
        if max_gap_s < 0.0 or gate <= 0.0:
            raise UsageError(f"tracker with max_gap_s {max_gap_s} and gate {gate}", hint="Give positive numbers")
        self.max_gap_s = max_gap_s
        self.gate = gate
        self.gate_per_s = gate_per_s
        self.shape_weight = shape_weight
        self.reset()

    def reset(self) -> None:
        """Forget everybody and start with id 1 again."""
        self._people: list[_Person] = []
        self._next = 1
        self._time_s = -np.inf

    def step(self, time_s: float, people: Sequence[Keypoints]) -> tuple[int, ...]:
        """Ids of the people in one frame, in the order given.

        Raises:
            UsageError: the time doesn't rise.
        """
        if time_s <= self._time_s:
            raise UsageError(f"time {time_s} s isn't after {self._time_s} s", hint="Use one tracker per video")
        self._time_s = time_s
        self._people = [p for p in self._people if time_s - p.time_s <= self.max_gap_s + 1e-6]
        seen = [_look(keypoints) for keypoints in people]
        ids = [0] * len(seen)
        for i, j in self._match(time_s, seen):
            _update(self._people[i], time_s, seen[j])
            ids[j] = self._people[i].person
        for j, one in enumerate(seen):
            if ids[j] == 0:
                ids[j] = self._next
                self._people.append(_new(self._next, time_s, one))
                self._next += 1
        return tuple(ids)

    def _match(self, time_s: float, people: Sequence[_Seen]) -> list[tuple[int, int]]:
        if not self._people or not people:
            return []
        cost = np.array([[self._cost(time_s, known, seen) for seen in people] for known in self._people])
        if cost.size == 1:
            return [(0, 0)] if cost[0, 0] < _NO else []
        # A third of a second to import, and most videos show one person.
        from scipy.optimize import linear_sum_assignment

        rows, columns = linear_sum_assignment(cost)
        return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if cost[i, j] < _NO]

    def _cost(self, time_s: float, known: _Person, seen: _Seen) -> float:
        away_s = time_s - known.time_s
        scale = 0.5 * (known.size_px + seen.size_px)
        if not np.isfinite(scale) or scale <= 0.0 or seen.xy_px.shape != known.xy_px.shape:
            return _NO
        drift = _DRIFT_S * (1.0 - np.exp(-away_s / _DRIFT_S))
        moved = _distance(known.xy_px + known.speed_px * drift, known.sigma_px, seen, scale)
        # Speed is a guess; a person may have stopped.
        still = _distance(known.xy_px, known.sigma_px, seen, scale) if moved > _NEAR else np.inf
        distance = min(moved, still + 0.05)
        gate = min(self.gate + self.gate_per_s * away_s, 1.0)
        if not distance <= gate:
            return _NO
        return distance + self.shape_weight * known.shape.distance(seen.shape) + 0.1 * away_s


def _look(keypoints: Keypoints) -> _Seen:
    return _Seen(
        keypoints.layout,
        keypoints.xy_px.astype(np.float64),
        keypoints.sigma_px.astype(np.float64),
        shape.body_size(keypoints),
        shape.measure(keypoints),
    )


def _new(person: int, time_s: float, seen: _Seen) -> _Person:
    start = shape.Shape.start(seen.shape)
    return _Person(person, time_s, seen.xy_px, seen.sigma_px, np.zeros(2), seen.size_px, start)


def _update(known: _Person, time_s: float, seen: _Seen) -> None:
    dt = time_s - known.time_s
    weight = _weights(known.sigma_px, seen.sigma_px, known.size_px)
    step = seen.xy_px - known.xy_px
    weight = np.where(np.isfinite(step).all(axis=1), weight, 0.0)
    if weight.sum() > 0.0:
        # Whole-body step by the weighted median: a swapped or wild limb doesn't move it.
        velocity = np.array([_median(step[:, axis], weight) for axis in (0, 1)]) / dt
        gain = 1.0 if known.sightings == 1 else dt / (dt + _SPEED_S)
        known.speed_px = known.speed_px + gain * (velocity - known.speed_px)
    known.xy_px, known.sigma_px = seen.xy_px, seen.sigma_px
    if np.isfinite(seen.size_px):
        known.size_px += dt / (dt + _SPEED_S) * (seen.size_px - known.size_px)
    known.shape.add(seen.shape)
    known.time_s = time_s
    known.sightings += 1


def _weights(a: Float64, b: Float64, size_px: float) -> Float64:
    """Weight of each keypoint from both sigmas; 3 % of the body is as good as exact."""
    variance = a**2 + b**2 + (0.03 * size_px) ** 2
    return np.where(np.isfinite(variance), 1.0 / np.maximum(variance, 1e-12), 0.0)


def _distance(xy_px: Float64, sigma_px: Float64, seen: _Seen, scale: float) -> float:
    """Weighted mean distance of keypoints in body sizes; the better of as is and left-right exchanged."""
    best = np.inf
    for order in (slice(None), shape.mirror(seen.layout.name)):
        step = xy_px - seen.xy_px[order]
        gap = np.hypot(step[:, 0], step[:, 1])
        weight = np.where(np.isfinite(gap), _weights(sigma_px, seen.sigma_px[order], scale), 0.0)
        total = weight.sum()
        if total > 0.0:
            # Capped, so that one wild point doesn't lose a person.
            best = min(best, float(np.sum(weight * np.minimum(np.nan_to_num(gap) / scale, 1.5)) / total))
        if best <= _NEAR:
            break
    return best


def _median(x: Float64, weight: Float64) -> float:
    keep = weight > 0.0
    x, weight = x[keep], weight[keep]
    order = np.argsort(x)
    total = np.cumsum(weight[order])
    return float(x[order][np.searchsorted(total, 0.5 * total[-1])])
