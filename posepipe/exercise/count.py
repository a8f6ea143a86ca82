"""Counting the repetitions of a clip: with an exercise's own signal where it is known, by what repeats where it isn't.

A repetition leaves the start posture, turns, and comes back. A curve is cut at its highs and lows with hysteresis, so a
tremble at any level counts once; the swing needed follows what this person does. Every movement that almost was a
repetition is kept with the reason why it wasn't.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posepipe.exercise.catalogue import Exercise
from posepipe.exercise.paced import Read, read_repeats
from posepipe.exercise.repeats import cycles, extremes
from posepipe.exercise.signal import RATE_HZ, Measure, grid, low_pass, measure, pose_matrix, resampled
from posepipe.exercise.types import Rejected
from posepipe.motion.clip import Motion
from posepipe.reasons import Reason

__all__ = ["Counted", "Cycle", "count_any", "count_exercise", "steps"]

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

TRY = 0.6
"""A movement of this share of the least range is looked at; between it and 1 it is too shallow."""
USUAL = 0.45
"""So is one of this share of the person's usual range."""
FULL = 0.6
"""A repetition reaches this share of the usual range; between `USUAL` and this it is too shallow."""
RETURN = 0.5
"""It comes back by this share of the way out, and went out by this share of the way back."""
EDGE = 0.1
"""It begins and ends where the curve has left or reached its level by this share of the range."""
_MARGIN_S = 1.0
_SEEN = 0.3
_SIGMA_RATIO = 1.6
_OFF_POSTURE = 1.5
_OFF_COSINE = 0.2
_CLEAR = 0.6
"""Probability of repeating from which a movement without a name is counted."""
_SLOW_HZ = 0.25
_LEGS_DEG = 2.5
_TOGETHER = 0.6


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
        signal: measure that was used; empty for `count_any`.
    """

    reps: tuple[Cycle, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    signal: str = ""

    def __len__(self) -> int:
        return len(self.reps)


def count_exercise(motion: Motion, exercise: Exercise, span: tuple[float, float] | None = None) -> Counted:
    """Repetitions of a known exercise.

    Args:
        motion: one person's movement.
        exercise: from the catalogue.
        span: seconds in which the exercise was recognised; the whole clip if None.
    """
    if not exercise.counted or len(motion) < 4:
        return Counted()
    first, last = span or (float(motion.time_s[0]), float(motion.time_s[-1]))
    at = grid(motion.time_s)
    at = at[(at >= first - _MARGIN_S) & (at <= last + _MARGIN_S)]
    if len(at) < 4:
        return Counted()
    for name in (exercise.signal, *exercise.others):
        seen = measure(motion, name)
        curves = _curves(motion, seen, exercise.sides, at)
        if not curves:
            continue
        found = [_of_curve(at, curve, exercise, side) for side, curve in curves]
        merged = _merged([part.reps for part in found], exercise)
        rejected = [item for part in found for item in part.rejected]
        kept, blind = _with_sight(motion, seen, merged)
        kept, strange = _with_posture(motion, at, kept)
        inside = [cycle for cycle in kept if _inside(cycle.start_s, cycle.end_s, first, last)]
        out = [r for r in (*rejected, *blind, *strange) if _inside(r.start_s, r.end_s, first, last)]
        return Counted(tuple(inside), _tidy(out, inside), name)
    return Counted((), (Rejected(first, last, Reason.JOINT_UNSEEN.value),), exercise.signal)


def count_any(
    motion: Motion, span: tuple[float, float] | None = None, *, steady: bool = False, read: Read | None = None
) -> Counted:
    """Repetitions of any movement; see `posepipe.exercise.paced`.

    Args:
        motion: one person's movement.
        span: only those whose turn lies in these seconds.
        steady: only if it is clear that something repeats, and the legs don't take turns as in walking and running.
        read: what was read off the motion; read now if None.
    """
    read = read or read_repeats(motion)
    found = read.best
    if steady and (read.trust < _CLEAR or steps(motion, span)):
        return Counted()
    reps = []
    for row in found.cycle:
        cycle = _cycle(found.time_s, found.curve, row)
        if span is None or span[0] <= cycle.turn_s <= span[1]:
            reps.append(cycle)
    return Counted(tuple(reps))


def _curves(motion: Motion, seen: Measure, sides: str, at: Array) -> list[tuple[str, Array]]:
    """The curves to cut, by side."""
    inside = (motion.time_s >= at[0]) & (motion.time_s <= at[-1])
    share = np.isfinite(seen.deg[inside]).mean(axis=0)
    usable = [k for k in range(seen.deg.shape[1]) if share[k] >= _SEEN]
    if not usable:
        return []
    curve = resampled(motion.time_s, seen.deg, at)
    usable = [k for k in usable if np.isfinite(curve[:, k]).all()]
    if len(usable) == 2:
        sigma = np.array([_typical(seen.sigma_deg[inside, k]) for k in usable])
        # The far side of a side view is a guess that follows the near one.
        if np.isfinite(sigma).all() and sigma.max() > _SIGMA_RATIO * sigma.min():
            usable = [usable[int(sigma.argmin())]]
    if not usable:
        return []
    if len(usable) == 1:
        side = ("left", "right")[usable[0]] if seen.sided else "both"
        return [(side if sides != "together" else "both", curve[:, usable[0]])]
    if sides == "either":
        return [("left", curve[:, 0]), ("right", curve[:, 1])]
    return [("both", curve.max(axis=1) if sides == "most" else curve.mean(axis=1))]


def _of_curve(at: Array, curve: Array, exercise: Exercise, side: str) -> Counted:
    """Cut one curve."""
    sign = 1 if exercise.start == "low" else -1
    curve = sign * curve
    least = exercise.min_range_deg
    rows = cycles(extremes(curve, TRY * least), 1)
    size = _ranges(curve, rows)
    usual = float(np.median(np.sort(size)[-3:])) if len(size) else 0.0
    rows = cycles(extremes(curve, max(TRY * least, USUAL * usual)), 1)
    usual = float(np.median(_ranges(curve, rows))) if len(rows) > 2 else 0.0
    reps, rejected = [], []
    for row, range_deg in zip(rows, _ranges(curve, rows), strict=True):
        cycle = replace(_cycle(at, curve, row), side=side)
        out, back = curve[row[1]] - curve[row[0]], curve[row[1]] - curve[row[2]]
        length_s = cycle.end_s - cycle.start_s
        if range_deg < max(least, FULL * usual):
            reason = Reason.TOO_SHALLOW
        elif back < RETURN * out or out < RETURN * back:
            reason = Reason.INCOMPLETE
        elif length_s < exercise.tempo_s[0] * (1.0 - 2.0 * EDGE):
            reason = Reason.TOO_FAST
        elif length_s > exercise.tempo_s[1]:
            reason = Reason.TOO_SLOW
        else:
            reps.append(cycle)
            continue
        rejected.append(Rejected(cycle.start_s, cycle.end_s, reason.value))
    rejected += _cut_off(at, curve, rows, max(TRY * least, USUAL * usual))
    return Counted(tuple(reps), tuple(rejected))


def _ranges(curve: Array, rows: Indices) -> Array:
    """(N,) swing of each cycle: the mean of the ways out and back."""
    if not len(rows):
        return np.zeros(0)
    return np.asarray(curve[rows[:, 1]] - 0.5 * (curve[rows[:, 0]] + curve[rows[:, 2]]))


def _cut_off(at: Array, curve: Array, rows: Indices, swing: float) -> list[Rejected]:
    """Movements that had begun before the clip, or hadn't ended with it."""
    found = []
    head = rows[0, 0] if len(rows) else len(curve) - 1
    tail = rows[-1, 2] if len(rows) else 0
    before, after = curve[: head + 1], curve[tail:]
    if len(rows) and before.max() - curve[head] >= swing:
        found.append(Rejected(float(at[0]), float(at[head]), Reason.INCOMPLETE.value))
    top = int(after.argmax())
    if after[top] - after[: top + 1].min() >= swing:
        start = int(after[: top + 1].argmin())
        found.append(Rejected(float(at[tail + start]), float(at[-1]), Reason.INCOMPLETE.value))
    return found


def _cycle(at: Array, curve: Array, row: NDArray[np.intp]) -> Cycle:
    """Times between grid points: edges where the curve crosses a level, the turn at its parabola's top."""
    start, turn, end = (int(i) for i in row)
    low = curve[start] + EDGE * (curve[turn] - curve[start])
    i = turn
    while i > start and curve[i] > low:
        i -= 1
    start_s = _crossing(at, curve, i, low) if i < turn else float(at[start])
    low = curve[end] + EDGE * (curve[turn] - curve[end])
    i = turn
    while i < end and curve[i] > low:
        i += 1
    end_s = _crossing(at, curve, i - 1, low) if i > turn else float(at[end])
    return Cycle(start_s, _top(at, curve, turn), end_s)


def _crossing(at: Array, curve: Array, i: int, level: float) -> float:
    rise = curve[i + 1] - curve[i]
    share = float(np.clip((level - curve[i]) / rise, 0.0, 1.0)) if rise else 0.0
    return float(at[i] + share * (at[i + 1] - at[i]))


def _top(at: Array, curve: Array, i: int) -> float:
    if not 0 < i < len(curve) - 1:
        return float(at[i])
    bend = curve[i - 1] - 2 * curve[i] + curve[i + 1]
    shift = 0.5 * (curve[i - 1] - curve[i + 1]) / bend if bend else 0.0
    return float(at[i] + float(np.clip(shift, -0.5, 0.5)) / RATE_HZ)


def _merged(found: Sequence[tuple[Cycle, ...]], exercise: Exercise) -> list[Cycle]:
    """Repetitions of both sides as one list: at the same time they are one."""
    if len(found) == 1:
        return list(found[0])
    left, right = (list(side) for side in found)
    out: list[Cycle] = []
    for cycle in left:
        twin = next((other for other in right if _overlap(cycle, other) > 0.5), None)
        if twin is None:
            out.append(cycle)
            continue
        right.remove(twin)
        start, end = min(cycle.start_s, twin.start_s), max(cycle.end_s, twin.end_s)
        out.append(Cycle(start, 0.5 * (cycle.turn_s + twin.turn_s), end, "both"))
    out = sorted(out + right, key=lambda cycle: cycle.start_s)
    kept: list[Cycle] = []
    for cycle in out:
        # Half overlapping leftovers are a wobble of the other arm, not a repetition of their own.
        if kept and _overlap(kept[-1], cycle) > 0.5:
            if cycle.side == "both":
                kept[-1] = cycle
            continue
        kept.append(cycle)
    return kept


def _overlap(a: Cycle, b: Cycle) -> float:
    """Shared time, as a part of the shorter one."""
    shared = min(a.end_s, b.end_s) - max(a.start_s, b.start_s)
    return shared / max(min(a.end_s - a.start_s, b.end_s - b.start_s), 1e-6)


def _with_sight(motion: Motion, seen: Measure, found: list[Cycle]) -> tuple[list[Cycle], list[Rejected]]:
    """Without those in which the joint was mostly hidden."""
    known = np.isfinite(seen.deg).any(axis=1)
    kept, rejected = [], []
    for cycle in found:
        inside = (motion.time_s >= cycle.start_s) & (motion.time_s <= cycle.end_s)
        if not inside.any() or known[inside].mean() >= _SEEN:
            kept.append(cycle)
            continue
        reason = Reason.OUT_OF_FRAME if _outside(motion, inside) else Reason.JOINT_UNSEEN
        rejected.append(Rejected(cycle.start_s, cycle.end_s, reason.value))
    return kept, rejected


def _outside(motion: Motion, frames: NDArray[np.bool_]) -> bool:
    """Whether some limb was mostly outside the picture."""
    if motion.keypoints is None or motion.size_px is None:
        return False
    xy = motion.keypoints.xy_px[frames]
    with np.errstate(invalid="ignore"):
        out = (xy < 0).any(axis=2) | (xy > np.array(motion.size_px)).any(axis=2)
    return bool(out.mean(axis=0).max() > 0.5)


def _with_posture(motion: Motion, at: Array, found: list[Cycle]) -> tuple[list[Cycle], list[Rejected]]:
    """Without those done in another posture than the rest: getting into place, picking something up."""
    if len(found) < 3:
        return found, []
    pose = pose_matrix(motion, at)
    if pose.shape[1] == 0:
        return found, []
    place = [np.searchsorted(at, [c.start_s, c.turn_s, c.end_s]).clip(0, len(at) - 1) for c in found]
    start, turn, end = pose[[p[0] for p in place]], pose[[p[1] for p in place]], pose[[p[2] for p in place]]
    rest, change = (start + end) / 2.0, turn - (start + end) / 2.0
    usual_rest = np.median(rest, axis=0)
    size = np.median(np.linalg.norm(change, axis=1)) + 1e-9
    off = np.linalg.norm(rest - usual_rest, axis=1) / size
    unit = change / (np.linalg.norm(change, axis=1, keepdims=True) + 1e-9)
    # Left and right may take turns, so each is compared with the third that it is most like.
    alike = np.sort(unit @ unit.T, axis=1)[:, ::-1][:, 1 : 1 + max(1, len(found) // 3)].mean(axis=1)
    sides = [cycle.side for cycle in found]
    alike[[sides.count(side) < 3 for side in sides]] = 1.0
    good = (off < _OFF_POSTURE + 0.5 * np.median(off)) & (alike > _OFF_COSINE)
    kept = [cycle for cycle, fine in zip(found, good, strict=True) if fine]
    out = [
        Rejected(c.start_s, c.end_s, Reason.NOT_REPEATED.value) for c, fine in zip(found, good, strict=True) if not fine
    ]
    return kept, out


def steps(motion: Motion, span: tuple[float, float] | None = None) -> bool:
    """Whether the legs move in turns: walking, running, high knees.

    Args:
        motion: one person's movement.
        span: seconds to look at; all if None.
    """
    at = grid(motion.time_s)
    at = at if span is None else at[(at >= span[0]) & (at <= span[1])]
    if len(at) < 2 * RATE_HZ:
        return False
    for name in ("knee_flexion", "hip_bend"):
        deg = resampled(motion.time_s, measure(motion, name).deg, at)
        if not np.isfinite(deg).all():
            continue
        left, right = (deg[:, k] - low_pass(deg[:, k], 1.0 / RATE_HZ, _SLOW_HZ) for k in (0, 1))
        moving = min(float(left.std()), float(right.std())) > _LEGS_DEG
        if moving and float(np.corrcoef(left, right)[0, 1]) < _TOGETHER:
            return True
    return False


def _inside(start_s: float, end_s: float, first: float, last: float) -> bool:
    return min(end_s, last) - max(start_s, first) > 0.5 * (end_s - start_s)


def _tidy(rejected: Sequence[Rejected], reps: Sequence[Cycle]) -> tuple[Rejected, ...]:
    """In order, without those at the time of a counted repetition."""
    free = [
        item
        for item in rejected
        if not any(
            min(item.end_s, c.end_s) - max(item.start_s, c.start_s) > 0.3 * (item.end_s - item.start_s) for c in reps
        )
    ]
    kept: list[Rejected] = []
    for item in sorted(free, key=lambda item: item.start_s):
        if not kept or item.start_s >= kept[-1].end_s - 0.1:
            kept.append(item)
    return tuple(kept)


def _typical(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else float("nan")
