"""Ids that stay with people: Hungarian matching on a keypoint distance, with prediction and body shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import UsageError
from posepipe.settings import setting
from posepipe.skeleton import LAYOUTS, Layout
from posepipe.types import Keypoints, KeypointTrack

__all__ = ["TRACKER", "Tracker", "TrackerSettings", "body_size", "drift_s", "limb_lengths"]

Float64 = NDArray[np.float64]

_LIMBS = (
    (("left_shoulder", "right_shoulder"),),
    (("left_shoulder", "left_hip"), ("right_shoulder", "right_hip")),
    (("left_hip", "left_knee"), ("right_hip", "right_knee")),
    (("left_knee", "left_ankle"), ("right_knee", "right_ankle")),
    (("left_shoulder", "left_elbow"), ("right_shoulder", "right_elbow")),
    (("left_elbow", "left_wrist"), ("right_elbow", "right_wrist")),
)
_NO = 1e6
"""Cost of a pair that can't be."""


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """Thresholds of following people from frame to frame. Lengths are in body sizes, the diagonal of the body's box.

    Raises:
        UsageError: a negative gap, or a gate that lets nobody through.
    """

    max_gap_s: float = setting(1.0, "a person lost for longer gets a new id", unit="s", source="judgement")
    gate: float = setting(0.3, "how far from its prediction a body may be", source="judgement")
    gate_per_s: float = setting(1.0, "how much that widens for each second of absence", source="judgement")
    gate_most: float = setting(1.0, "how far it can widen", source="judgement")
    shape_weight: float = setting(0.5, "what a difference in body shape counts against distance", source="judgement")
    away_weight: float = setting(0.1, "what each second of absence counts", source="judgement")
    still_weight: float = setting(0.05, "what it counts to have stopped instead of going on", source="judgement")
    near: float = setting(0.05, "a nearer match needs no second look", source="judgement")
    far: float = setting(1.5, "no keypoint counts as further off: one doesn't lose a person", source="judgement")
    exact: float = setting(0.03, "a keypoint isn't taken for surer", source="judgement")
    speed_s: float = setting(0.15, "time constant of speed and size", unit="s", source="judgement")
    log_length_sigma: float = setting(
        0.15, "sigma of a log length in one frame: pose and view change it", source="judgement"
    )
    memory: int = setting(30, "sightings over which the running mean of a body's shape forgets", source="judgement")

    def __post_init__(self) -> None:
        if self.max_gap_s < 0.0 or self.gate <= 0.0:
            raise UsageError(
                f"tracker with max_gap_s {self.max_gap_s} and gate {self.gate}", hint="Give positive numbers"
            )


TRACKER = TrackerSettings()

_DRIFT_S = 0.7
"""Time constant with which the speed of somebody who isn't seen fades. Judgement."""


def drift_s(away_s: float) -> float:
    """For how long a lost person may be taken to have gone on at their speed."""
    return float(_DRIFT_S * (1.0 - np.exp(-away_s / _DRIFT_S)))


def body_size(keypoints: Keypoints) -> float:
    """Diagonal of the box around the better-known half of the keypoints, in pixels; NaN without any."""
    seen = np.isfinite(keypoints.xy_px).all(axis=1) & np.isfinite(keypoints.sigma_px)
    if not seen.any():
        return float("nan")
    sigma = keypoints.sigma_px[seen]
    xy = keypoints.xy_px[seen][sigma <= 3.0 * np.partition(sigma, len(sigma) // 2)[len(sigma) // 2]]
    return float(np.hypot(*(xy.max(axis=0) - xy.min(axis=0))))


def _measure(keypoints: Keypoints, settings: TrackerSettings) -> tuple[Float64, Float64]:
    """Log lengths of six body parts in log pixels, and their variances (inf where unknown)."""
    xy, sigma = keypoints.xy_px.astype(np.float64), keypoints.sigma_px.astype(np.float64)
    a, b = _parts(keypoints.layout.name)
    step = xy[a] - xy[b]
    length = np.hypot(step[..., 0], step[..., 1])
    spread = sigma[a] ** 2 + sigma[b] ** 2
    length = np.where(np.isfinite(length) & np.isfinite(spread) & (length > 1e-6), length, 0.0)
    # The longer of left and right is the less foreshortened one.
    pick = length.argmax(axis=1)
    rows = np.arange(len(pick))
    longest, spread = length[rows, pick], spread[rows, pick]
    known = longest > 0.0
    safe = np.where(known, longest, 1.0)
    logs = np.where(known, np.log(safe), np.nan)
    return logs, np.where(known, spread / safe**2 + settings.log_length_sigma**2, np.inf)


def limb_lengths(track: KeypointTrack, rows: NDArray[np.intp], settings: TrackerSettings = TRACKER) -> Float64:
    """Log lengths (n, 6) of six body parts in log pixels, in some rows of a track; NaN where unknown."""
    xy = np.where(track.valid[rows, :, None], track.xy_px[rows], np.nan)
    parts = zip(xy, track.sigma_px[rows], track.score[rows], strict=True)
    logs = [_measure(Keypoints(track.layout, *part), settings)[0] for part in parts]
    return np.stack(logs) if logs else np.empty((0, len(_LIMBS)))


@dataclass(slots=True)
class _Shape:
    """Running mean and spread of one person's log lengths; changed in place."""

    mean: Float64
    variance: Float64
    count: Float64

    def add(self, measured: tuple[Float64, Float64], memory: int) -> None:
        """Take another sighting in."""
        logs, spread = measured
        seen = np.isfinite(logs)
        new = seen & (self.count == 0)
        self.mean[new], self.variance[new] = logs[new], spread[new]
        old = seen & ~new
        self.count[seen] = np.minimum(self.count[seen] + 1.0, memory)
        gain = 1.0 / self.count[old]
        off = logs[old] - self.mean[old]
        self.mean[old] += gain * off
        self.variance[old] += gain * (spread[old] + off**2 - self.variance[old])

    def distance(self, measured: tuple[Float64, Float64]) -> float:
        """How unlike a sighting is: 0 the same, about 0.1 for a common frame of the same person, at most 1."""
        logs, spread = measured
        both = np.isfinite(logs) & (self.count > 0)
        if not both.any():
            return 0.0
        square = (logs[both] - self.mean[both]) ** 2 / (self.variance[both] + spread[both])
        return float(np.mean(np.minimum(square, 9.0)) / 9.0)


@cache
def _mirror(layout: str) -> NDArray[np.intp]:
    """Permutation that swaps left and right in a layout given by name."""
    return LAYOUTS[layout].mirror


@cache
def _parts(layout: str) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Ends of the body parts, (6, 2) each: left and right, or the same twice."""
    joints = LAYOUTS[layout]
    ends = np.array([[joints.indices(*pairs[0]), joints.indices(*pairs[-1])] for pairs in _LIMBS], dtype=np.intp)
    return ends[..., 0], ends[..., 1]


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
    shape: _Shape
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
        settings: thresholds.
    """

    def __init__(self, settings: TrackerSettings = TRACKER) -> None:
        self.settings = settings
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
        self._people = [p for p in self._people if time_s - p.time_s <= self.settings.max_gap_s + 1e-6]
        seen = [_look(keypoints, self.settings) for keypoints in people]
        ids = [0] * len(seen)
        for i, j in self._match(time_s, seen):
            _update(self._people[i], time_s, seen[j], self.settings)
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
        s, away_s = self.settings, time_s - known.time_s
        scale = 0.5 * (known.size_px + seen.size_px)
        if not np.isfinite(scale) or scale <= 0.0 or seen.xy_px.shape != known.xy_px.shape:
            return _NO
        moved = _distance(known.xy_px + known.speed_px * drift_s(away_s), known.sigma_px, seen, scale, s)
        # Speed is a guess; a person may have stopped.
        still = _distance(known.xy_px, known.sigma_px, seen, scale, s) if moved > s.near else np.inf
        distance = min(moved, still + s.still_weight)
        if not distance <= min(s.gate + s.gate_per_s * away_s, s.gate_most):
            return _NO
        return distance + s.shape_weight * known.shape.distance(seen.shape) + s.away_weight * away_s


def _look(keypoints: Keypoints, settings: TrackerSettings) -> _Seen:
    return _Seen(
        keypoints.layout,
        keypoints.xy_px.astype(np.float64),
        keypoints.sigma_px.astype(np.float64),
        body_size(keypoints),
        _measure(keypoints, settings),
    )


def _new(person: int, time_s: float, seen: _Seen) -> _Person:
    logs, spread = seen.shape
    shape = _Shape(logs.copy(), spread.copy(), np.isfinite(logs).astype(np.float64))
    return _Person(person, time_s, seen.xy_px, seen.sigma_px, np.zeros(2), seen.size_px, shape)


def _update(known: _Person, time_s: float, seen: _Seen, settings: TrackerSettings) -> None:
    dt = time_s - known.time_s
    follow = dt / (dt + settings.speed_s)
    weight = _weights(known.sigma_px, seen.sigma_px, settings.exact * known.size_px)
    step = seen.xy_px - known.xy_px
    weight = np.where(np.isfinite(step).all(axis=1), weight, 0.0)
    if weight.sum() > 0.0:
        # Whole-body step by the weighted median: a swapped or wild limb doesn't move it.
        velocity = np.array([_median(step[:, axis], weight) for axis in (0, 1)]) / dt
        gain = 1.0 if known.sightings == 1 else follow
        known.speed_px = known.speed_px + gain * (velocity - known.speed_px)
    known.xy_px, known.sigma_px = seen.xy_px, seen.sigma_px
    if np.isfinite(seen.size_px):
        known.size_px += follow * (seen.size_px - known.size_px)
    known.shape.add(seen.shape, settings.memory)
    known.time_s = time_s
    known.sightings += 1


def _weights(a: Float64, b: Float64, exact_px: float) -> Float64:
    """Weight of each keypoint from both sigmas."""
    variance = a**2 + b**2 + exact_px**2
    return np.where(np.isfinite(variance), 1.0 / np.maximum(variance, 1e-12), 0.0)


def _distance(xy_px: Float64, sigma_px: Float64, seen: _Seen, scale: float, settings: TrackerSettings) -> float:
    """Weighted mean distance of keypoints in body sizes; the better of as is and left-right exchanged."""
    best = np.inf
    for order in (slice(None), _mirror(seen.layout.name)):
        step = xy_px - seen.xy_px[order]
        gap = np.hypot(step[:, 0], step[:, 1])
        weight = np.where(np.isfinite(gap), _weights(sigma_px, seen.sigma_px[order], settings.exact * scale), 0.0)
        total = weight.sum()
        if total > 0.0:
            best = min(best, float(np.sum(weight * np.minimum(np.nan_to_num(gap) / scale, settings.far)) / total))
        if best <= settings.near:
            break
    return best


def _median(x: Float64, weight: Float64) -> float:
    keep = weight > 0.0
    x, weight = x[keep], weight[keep]
    order = np.argsort(x)
    total = np.cumsum(weight[order])
    return float(x[order][np.searchsorted(total, 0.5 * total[-1])])
