"""Repetitions of any movement, known or not, in a whole clip.

Several curves are tried: the main directions in which the body moves, and a few joint angles. Each is cut into cycles,
away and back, at several swings. A set of cycles is worth the energy of the movement that its members share: posture
changes that are alike in direction, size and time, and that return to where they began. Cycles of half the true length
come out worthless (the posture at their start and end differs), those of twice the length are fewer. The best set
wins; what it left over is searched again for the same movement at another pace or size.

The local period, from the autocorrelation of the whole pose, lowers the worth of cycles of another length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.exercise.signal import RATE_HZ, grid, low_pass, measure, pose_matrix, resampled
from posepipe.motion.clip import Motion

__all__ = ["Repeats", "cycles", "extremes", "find_repeats", "no_repeats", "shape_curves"]

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

LEAST_S, MOST_S = 0.4, 15.0
"""A repetition is no shorter and no longer than this."""
_SWINGS = (0.15, 0.25, 0.35, 0.5, 0.65)
"""Swings that cut a curve into cycles, as shares of its range."""
_UNIT_DEG, _UNIT_TRUNKS = 30.0, 0.25
"""Angles and lengths are made comparable: a limb turned by the one moves its end by about the other."""
_ANGLES = ("elbow_flexion", "arm_raise", "knee_flexion", "hip_bend")
_SIDES = ("left", "right")
_HEIGHTS = ("wrist", "elbow", "knee", "ankle")
_SPANS = (("wrist", "shoulder"), ("wrist", "hip"), ("ankle", "hip"), ("wrist", "knee"), ("elbow", "knee"))
_WIDTHS = ("wrist", "ankle", "knee", "elbow")
# How fast likeness fades: each is the deviation (log of size and of time, gap in parts of the swing) that costs 40 %.
_SIZE, _TIME, _GAP, _PERIOD = 0.5, 0.25, 0.9, 0.25
_LEAST_COSINE = 0.3
_LEAST_LIKENESS = 0.05
_NOISE = 4.0
"""Squared swing, in pose units, that noise alone reaches: three joints by 30 degrees."""
_FILL_LIKENESS, _FILL_COSINE = 0.35, 0.5
_FILL_GAP = 1.5
_FILL_PACE = 3.5


@dataclass(frozen=True, slots=True, eq=False)
class Repeats:
    """What repeats.

    Attributes:
        time_s: (T,) the grid.
        cycle: (N, 3) positions on the grid of start, turn and end of each repetition, in order.
        likeness: (N,) how much each resembles the others, in [0, 1].
        curve: (T,) the movement along its main direction; about 0 at the start posture and 1 at the turn.
    """

    time_s: Array
    cycle: Indices
    likeness: Array
    curve: Array

    def __len__(self) -> int:
        return len(self.cycle)


def find_repeats(motion: Motion) -> Repeats:
    """The repetitions of a clip; none where nothing repeats.

    Args:
        motion: one person's movement.
    """
    at = grid(motion.time_s)
    pose = pose_matrix(motion, at)
    if pose.shape[1] == 0 or len(at) < 2 * LEAST_S * RATE_HZ:
        return no_repeats(at)
    shape, single = shape_curves(motion, at)
    search = _Search(pose, shape, single, (_Pace(shape), _Pace(pose)))
    first = search.best(0, len(at))
    if first is None:
        return no_repeats(at)
    first = search.refined(first, 0, len(at))
    found, todo = [first], [(0, len(at))]
    for _ in range(4):
        cycle = np.concatenate([part.cycle for part in found])
        spans = [gap for span in todo for gap in _gaps(cycle, span, _FILL_GAP * first.length)]
        todo = []
        for start, end in spans:
            more = search.best(start, end)
            if more is None:
                continue
            more = search.refined(more, start, end)
            if _alike(more, first):
                found.append(more)
                todo.append((start, end))
        if not todo:
            break
    return _gathered(at, pose, found)


@dataclass(frozen=True, slots=True, eq=False)
class _Set:
    """Cycles that resemble each other.

    Attributes:
        cycle: (N, 3).
        likeness: (N,).
        way: (D,) the posture change from start to turn.
        worth: what the set explains.
    """

    cycle: Indices
    likeness: Array
    way: Array
    worth: float

    @property
    def length(self) -> float:
        """Typical length in grid steps."""
        return float(np.median(self.cycle[:, 2] - self.cycle[:, 0]))


class _Search:
    """Finds the best set of cycles in parts of a clip."""

    def __init__(self, pose: Array, shape: Array, single: Array, paces: Sequence[_Pace]) -> None:
        self._pose = pose
        self._shape = shape
        self._single = single
        self._paces = paces

    def best(self, start: int, end: int) -> _Set | None:
        """The best set between two positions; None if nothing there goes away and back."""
        best: _Set | None = None
        for cycle in self._proposals(start, end):
            found = self._judged(cycle)
            if found.worth > 0.0 and (best is None or found.worth > best.worth):
                best = found
        return best

    def refined(self, found: _Set, start: int, end: int) -> _Set:
        """The same movement cut again along its own main direction, so that weak repetitions are found too."""
        for _ in range(2):
            if len(found.cycle) < 2:
                break
            size = float(found.way @ found.way)
            curve = low_pass(self._pose[start:end] @ found.way / size, 1.0, min(0.2, 3.0 / found.length))
            cycle = cycles(extremes(curve, 0.4), 1) + start
            if not len(cycle):
                break
            a, u, e = (self._pose[cycle[:, k]] for k in range(3))
            change = u - (a + e) / 2.0
            norm = np.linalg.norm(change, axis=1) + 1e-9
            along, cosine = change @ found.way / size, change @ found.way / norm / np.sqrt(size)
            span = (cycle[:, 2] - cycle[:, 0]) / found.length
            fits = (along > 0.35) & (along < 3.0) & (cosine > _LEAST_COSINE) & (span > 0.45) & (span < 2.2)
            fits &= np.linalg.norm(a - e, axis=1) / norm < 1.2
            if fits.sum() < 2:
                break
            again = self._judged(cycle[fits], least=-1.0)
            found = _Set(again.cycle, again.likeness, again.way, found.worth)
        return found

    def _proposals(self, start: int, end: int) -> Iterator[Indices]:
        if end - start < 2 * LEAST_S * RATE_HZ:
            return
        curves = _main(self._pose[start:end], 3) + _main(self._shape[start:end], 4)
        curves += [self._single[start:end, k] for k in range(self._single.shape[1])]
        for curve in curves:
            low, high = np.percentile(curve, [3, 97])
            if high - low < 0.4:
                continue
            for share in _SWINGS:
                turning = extremes(curve, share * float(high - low))
                for kind in (1, -1):
                    cycle = cycles(turning, kind)
                    span_s = (cycle[:, 2] - cycle[:, 0]) / RATE_HZ
                    cycle = cycle[(span_s >= LEAST_S) & (span_s <= MOST_S)]
                    if len(cycle):
                        yield cycle + start

    def _judged(self, cycle: Indices, least: float = _LEAST_LIKENESS) -> _Set:
        a, u, e = (self._pose[cycle[:, k]] for k in range(3))
        change = u - (a + e) / 2.0
        way = np.median(change, axis=0) if len(cycle) > 2 else change.mean(axis=0)
        size = float(way @ way) + 1e-9
        norm = np.linalg.norm(change, axis=1) + 1e-9
        along = np.maximum(change @ way / size, 1e-3)
        like = np.maximum(change @ way / norm / np.sqrt(size) - _LEAST_COSINE, 0.0) / (1.0 - _LEAST_COSINE)
        like *= _fade(np.log(along), _SIZE) * _fade(np.linalg.norm(a - e, axis=1) / norm, _GAP)
        span = np.log((cycle[:, 2] - cycle[:, 0]) / RATE_HZ)
        if len(cycle) > 2:
            like *= _fade(span - np.median(span), _TIME)
        paced = self._paced(cycle) if len(cycle) > 1 else np.ones(1)
        total = float(like.sum())
        share = float((like * paced).sum()) / max(total, 1e-9)
        like = like * paced
        keep = like > least
        # One cycle is its own model: only those beyond it are evidence.
        count = max(total - 1.0, 0.0) + 0.1 * min(total, 1.0)
        worth = np.sqrt(size * size / (size + _NOISE)) * count * share**2
        return _Set(cycle[keep], like[keep], way, float(worth) if keep.any() else 0.0)

    def _paced(self, cycle: Indices) -> Array:
        """Agreement with the local period: the best of those that are known."""
        trust = np.stack([pace.trust(cycle) for pace in self._paces])
        agreement = np.stack([pace.agreement(cycle) for pace in self._paces])
        known = trust > 0.2
        best = np.where(known, agreement, -1.0).max(axis=0)
        return np.asarray(np.where(known.any(axis=0), best, 1.0))


class _Pace:
    """The local period of a clip, from the autocorrelation of the pose over ten seconds.

    Args:
        pose: (T, D).
    """

    _WINDOW_S = 10.0

    def __init__(self, pose: Array) -> None:
        count = len(pose)
        half = int(3 * RATE_HZ)
        total = np.cumsum(np.vstack([np.zeros(pose.shape[1]), pose]), axis=0)
        low, high = np.maximum(np.arange(count) - half, 0), np.minimum(np.arange(count) + half + 1, count)
        level = pose - (total[high] - total[low]) / (high - low)[:, None]
        window, hop = int(self._WINDOW_S * RATE_HZ), int(RATE_HZ)
        starts = range(0, max(1, count - window // 2 + 1), hop)
        rows = [(s + min(window, count) / 2, *_period(level[s : s + window])) for s in starts]
        table = np.array(rows)
        nearest = np.searchsorted((table[1:, 0] + table[:-1, 0]) / 2, np.arange(count))
        self._period = np.maximum(table[nearest, 1], 1.0)
        self._trust = np.clip((table[nearest, 2] - 0.3) / 0.4, 0.0, 1.0)

    def trust(self, cycle: Indices) -> Array:
        """How clear the period is at each cycle, in [0, 1]."""
        return np.asarray(self._trust[cycle[:, 1]])

    def agreement(self, cycle: Indices) -> Array:
        """How well the length of each cycle fits the period there, in [0, 1]; 1 where there is no period."""
        length, middle = cycle[:, 2] - cycle[:, 0], cycle[:, 1]
        off = 1.0 - _fade(np.log(length / self._period[middle]), _PERIOD)
        return np.asarray(1.0 - self._trust[middle] * off)


def _period(x: Array) -> tuple[float, float]:
    """Period in steps and how well it correlates; (0, 0) if there is none."""
    count = len(x)
    if count < 2 * RATE_HZ:
        return 0.0, 0.0
    spectrum = np.fft.rfft(x, 2 * count, axis=0)
    product = np.fft.irfft(np.abs(spectrum) ** 2, axis=0)[:count].sum(axis=1)
    energy = np.concatenate([[0.0], np.cumsum((x**2).sum(axis=1))])
    lag = np.arange(count)
    rho = product / np.sqrt(energy[count - lag] * (energy[count] - energy[lag]) + 1e-9)
    part = rho[: int(0.6 * count)]
    peaks = 1 + np.flatnonzero((part[1:-1] > part[:-2]) & (part[1:-1] >= part[2:]))
    peaks = peaks[peaks > LEAST_S * RATE_HZ]
    if not len(peaks) or part[peaks].max() <= 0.0:
        return 0.0, 0.0
    # The shortest lag that does about as well as the best: its multiples do too.
    first = int(peaks[part[peaks] >= 0.85 * part[peaks].max()][0])
    return float(first), float(part[first])


def extremes(curve: Array, swing: float) -> list[tuple[int, int]]:
    """Highs (1) and lows (-1) of a curve, in turn, between which it moves by at least a swing.

    Returns:
        (position, kind); the first and last are the curve's best up to there.
    """
    found: list[tuple[int, int]] = []
    way, high, low = 0, 0, 0
    for i, value in enumerate(curve):
        if value > curve[high]:
            high = i
        if value < curve[low]:
            low = i
        if way != -1 and curve[high] - value >= swing:
            found.append((high, 1))
            way, low = -1, i
            high = i
        elif way != 1 and value - curve[low] >= swing:
            found.append((low, -1))
            way, high = 1, i
            low = i
    if way:
        found.append((high, 1) if way == 1 else (low, -1))
    return found


def cycles(turning: list[tuple[int, int]], kind: int) -> Indices:
    """(N, 3) positions of start, turn and end for every turn of a kind that has an extreme on both sides."""
    rows = [
        (turning[k - 1][0], turning[k][0], turning[k + 1][0])
        for k in range(1, len(turning) - 1)
        if turning[k][1] == kind
    ]
    return np.array(rows, dtype=np.intp).reshape(-1, 3)


def _main(x: Array, count: int) -> list[Array]:
    """A few curves: the movement along the directions of most speed."""
    if x.shape[1] == 0 or len(x) < 3:
        return []
    step = np.diff(x, axis=0)
    _, directions = np.linalg.eigh(step.T @ step)
    return [x @ directions[:, -1 - k] for k in range(min(count, x.shape[1]))]


def shape_curves(motion: Motion, at: Array) -> tuple[Array, Array]:
    """The body's shape over time, the same for a mirrored person and from wherever it is seen.

    Returns:
        (T, D): of paired measures the mean and the difference's size. (T, A): single curves worth trying.
    """
    up = motion.up.astype(np.float64)
    trunk = np.linalg.norm(motion.joint("thorax") - motion.joint("pelvis"), axis=1)
    known = trunk[np.isfinite(trunk)]
    unit = _UNIT_TRUNKS * (float(np.median(known)) if known.size else 1.0)
    pairs = [measure(motion, name).deg / _UNIT_DEG for name in _ANGLES]
    pairs += [np.stack([motion.joint(f"{s}_{joint}") @ up / unit for s in _SIDES], axis=1) for joint in _HEIGHTS]
    pairs += [np.stack([_apart(motion, f"{s}_{a}", f"{s}_{b}") / unit for s in _SIDES], axis=1) for a, b in _SPANS]
    alone = [_apart(motion, f"left_{joint}", f"right_{joint}") / unit for joint in _WIDTHS]
    alone += [measure(motion, "trunk_lean").deg[:, 0] / _UNIT_DEG, motion.joint("head") @ up / unit]
    sides = resampled(motion.time_s, np.concatenate(pairs, axis=1), at)
    other = resampled(motion.time_s, np.stack(alone, axis=1), at)
    left, right = sides[:, ::2], sides[:, 1::2]
    good = np.isfinite(left).all(axis=0) & np.isfinite(right).all(axis=0)
    left, right, other = left[:, good], right[:, good], other[:, np.isfinite(other).all(axis=0)]
    shape = np.concatenate([(left + right) / np.sqrt(2.0), np.abs(left - right) / np.sqrt(2.0), other], axis=1)
    return shape, np.concatenate([(left + right) / 2.0, other], axis=1)


def _apart(motion: Motion, a: str, b: str) -> Array:
    return np.asarray(np.linalg.norm(motion.joint(a) - motion.joint(b), axis=1), np.float64)


def _fade(deviation: Array, scale: float) -> Array:
    return np.asarray(np.exp(-0.5 * (deviation / scale) ** 2))


def _gaps(cycle: Indices, span: tuple[int, int], least: float) -> list[tuple[int, int]]:
    """Parts of a span that no cycle covers."""
    inside = cycle[(cycle[:, 0] >= span[0]) & (cycle[:, 2] <= span[1])]
    order = inside[np.argsort(inside[:, 0])]
    edges = [span[0], *order[:, [0, 2]].ravel().tolist(), span[1]]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return [(a, b) for a, b in pairs if b - a > max(least, _FILL_GAP * RATE_HZ)]


def _alike(more: _Set, model: _Set) -> bool:
    """Whether a set found later is the same movement."""
    if len(more.cycle) < 2 or more.likeness.mean() < _FILL_LIKENESS:
        return False
    one, two = np.linalg.norm(more.way), np.linalg.norm(model.way)
    pace = more.length / model.length
    if not 1.0 / _FILL_PACE < pace < _FILL_PACE:
        return False
    same_way = more.way @ model.way > _FILL_COSINE * one * two and one > 0.3 * two
    # After a cut the camera may stand elsewhere: then only many, and alike, count.
    many = len(more.cycle) >= 4 and more.likeness.mean() >= 0.75 and one > 0.7 * two
    return bool(same_way or many)


def _gathered(at: Array, pose: Array, found: list[_Set]) -> Repeats:
    cycle = np.concatenate([part.cycle for part in found])
    likeness = np.concatenate([part.likeness for part in found])
    order = np.argsort(cycle[:, 0])
    way = found[0].way
    curve = pose @ way / float(way @ way)
    curve = curve - np.median(curve[cycle[:, [0, 2]]])
    return Repeats(at, cycle[order], likeness[order], curve)


def no_repeats(at: Array) -> Repeats:
    """Nothing found on a grid (T,)."""
    return Repeats(at, np.zeros((0, 3), np.intp), np.zeros(0), np.zeros(len(at)))
