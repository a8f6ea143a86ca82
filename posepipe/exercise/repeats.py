"""Repetitions of movements without a name: a network reads the pace of whatever repeats, and the clip is cut at it.

At every moment the pose is compared with the poses a lag before and after it, for lags spaced evenly on a logarithmic
scale: a movement of another pace is the same picture, moved along the lags. Whole body, arms, legs and the body's shape
(which doesn't know left from right, nor where the camera stands) are compared each for itself, so the network knows no
exercise. It tells from moment to moment whether something repeats and how fast.

The clip is cut by dynamic programming into repetitions and what lies between them, so that each is about as long as the
network says, ends in the posture in which it began, and begins and ends where the body is slow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posepipe.body.motion import Motion
from posepipe.errors import ModelError
from posepipe.exercise.count import Counted, Cycle
from posepipe.exercise.signal import POSE_JOINTS, grid, low_pass, measure, pose_matrix, resampled
from posepipe.exercise.signal import RATE_HZ as GRID_HZ
from posepipe.inference import open_session
from posepipe.settings import setting
from posepipe.weights import find_model

__all__ = [
    "CHANNELS", "LAGS_S", "RATE_HZ", "REPEAT", "Pace", "PaceModel", "RepeatSettings", "Repeats", "count_any",
    "find_repeats", "pace_image", "pace_poses", "paced_repeats", "steps",
]  # fmt: skip

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

RATE_HZ = 10.0
"""The network looks at this many moments a second."""
LAGS_S = np.geomspace(0.3, 12.0, 44)
"""What it compares a moment with; as in training."""
_KEPT = (8, 6, 6, 8)
"""Directions of most movement that are compared, of body, arms, legs and shape."""
_ARMS, _LEGS = (
    [3 * k + axis for k, joint in enumerate(POSE_JOINTS) if joint.endswith(parts) for axis in range(3)]
    for parts in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
)
"""Columns of a pose."""
CHANNELS = 2 * (len(_KEPT) + 1) + len(_KEPT) + 2
_LEAST_S = 2.0
"""The network isn't asked about less."""
_WINDOW_S, _EDGE_S = 60.0, 10.0
"""It reads a minute at a time, as in training; what lies this close to a part's end is read with the next part."""
_STILL = 0.3
"""Speeds are compared as if faster by this share of the usual one, so that rests don't count; as in training."""
_FASTEST = 90
"""Percentile of speeds that rests are compared with."""
_RESTING_HZ = 1e-3
"""Repetitions a second while nothing moves."""
_MOST_SPEED = 2.0
"""No moment is taken for faster than this many usual speeds where a clip is cut."""
_UNIT_DEG, _UNIT_TRUNKS = 30.0, 0.25
"""Angles and lengths are made comparable: a limb turned by the one moves its end by about the other."""
_ANGLES = ("elbow_flexion", "arm_raise", "knee_flexion", "hip_bend")
_SIDES = ("left", "right")
_HEIGHTS = ("wrist", "elbow", "knee", "ankle")
_SPANS = (("wrist", "shoulder"), ("wrist", "hip"), ("ankle", "hip"), ("wrist", "knee"), ("elbow", "knee"))
_WIDTHS = ("wrist", "ankle", "knee", "elbow")


_PAUSED = (
    "chosen among 0.1 and 0.2 on 200 synthetic clips (0.2 costs exact counts); with 3 s of rest or absence within 18 "
    "sets 0.78 count the same, without it 0.60"
)
_CUT = "chosen on synthetic sets in no pool; kept after `posepipe.lab.counter.measure --sweep`"
_CHANGE = "two thirds of a shrug; standing, planks and wall sits stay under half of it"
_GATE = (
    "chosen on synthetic sets with and without repetitions (`posepipe.lab.counter.measure --sweep`), walks uncounted"
)


@dataclass(frozen=True, slots=True)
class RepeatSettings:
    """Thresholds of counting movements without a name."""

    paused: float = setting(
        0.1, "share of the speed that nine moments in ten stay under, under which the body rests", source=_PAUSED
    )
    paused_s: float = setting(
        1.0, "a rest or absence so long is left out where the pace is read", unit="s", source=_PAUSED
    )
    left_s: float = setting(0.3, "so much of it stays at either end", unit="s", source="as short as a usual rest")
    least_s: float = setting(0.35, "a repetition is no shorter", unit="s", source=_CUT)
    most_s: float = setting(15.0, "a repetition is no longer", unit="s", source=_CUT)
    short: float = setting(0.5, "fewest repetitions that the network's rate makes of one", source=_CUT)
    long: float = setting(1.9, "most repetitions that the network's rate makes of one", source=_CUT)
    evidence_hz: float = setting(2.0, "opinions of the network that a second counts for", unit="Hz", source=_CUT)
    prior: float = setting(1.0, "added to the network's log odds: it misses more than it invents", source=_CUT)
    sure: float = setting(3.0, "log odds beyond this aren't believed", source=_CUT)
    off_pace: float = setting(4.0, "cost of a squared log of a repetition's length over the network's", source=_CUT)
    off_posture: float = setting(1.0, "cost of ending in a posture unrelated to the first one", source=_CUT)
    moving: float = setting(0.3, "cost of beginning or ending at the movement's usual speed", source=_CUT)
    least_change: float = setting(
        1.0, "a repetition changes the posture by so much", unit="quarter trunks", source=_CHANGE
    )
    edge: float = setting(0.1, "share of the change at which a repetition begins and ends", source="as in counting")
    clear: float = setting(0.6, "probability from which a repetition is believed to be one", source=_GATE)
    slow_hz: float = setting(0.25, "slower movement of the legs isn't a step", unit="Hz", source=_GATE)
    legs_deg: float = setting(2.5, "spread of knees or hips from which they may be steps", unit="deg", source=_GATE)
    legs_share: float = setting(0.5, "and their spread's share of that of elbows or shoulders", source=_GATE)
    together: float = setting(
        0.0,
        "correlation of left and right under which legs take turns",
        source="what the words mean; of 0.6, 0.3, 0, -0.2, -0.4 the first that costs nothing on 218 synthetic sets",
    )
    still_deg: float = setting(
        4.0,
        "spread of elbows, shoulders, knees and hips under which nobody moves",
        unit="deg",
        source="standing about, as a camera sees it, spreads by 2 to 4; more costs counts on 258 synthetic sets",
    )


REPEAT = RepeatSettings()


@dataclass(frozen=True, slots=True, eq=False)
class Pace:
    """How fast something repeats.

    Attributes:
        time_s: (T,) every 0.1 s.
        repeating: (T,) probability that a repetition is under way.
        rate_hz: (T,) repetitions a second, if one is.
        moving: (T,) bool; False in the midst of rests and absences, where nothing is known of either.
    """

    time_s: Array
    repeating: Array
    rate_hz: Array
    moving: NDArray[np.bool_]


class PaceModel:
    """Reads the pace of a motion.

    Args:
        name: on a model card, or an ONNX file.

    Raises:
        ModelError: the model is missing, damaged or another one.
    """

    def __init__(self, name: str | Path = "reps") -> None:
        path = find_model(name)
        self._session = open_session(path, threads=1)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if inputs[0].shape[1::2] != [CHANNELS, len(LAGS_S)] or [o.name for o in outputs] != ["repeating", "rate_hz"]:
            raise ModelError(
                f"not a counting model: needs (B, {CHANNELS}, T, {len(LAGS_S)}) in, repeating and rate_hz out",
                where=str(path),
                hint="Make it again: posepipe train reps",
            )

    def read(self, motion: Motion) -> Pace | None:
        """The pace of one person's movement; None if they are seen for under two seconds."""
        poses = pace_poses(motion)
        if poses is None:
            return None
        time_s, pose, shape = poses
        moving = _moving(motion, time_s, pose)
        repeating, rate_hz = self._read(pose[moving], shape[moving])
        known_s = time_s[moving]
        return Pace(
            time_s, np.interp(time_s, known_s, repeating), np.exp(np.interp(time_s, known_s, np.log(rate_hz))), moving
        )

    def _read(self, pose: Array, shape: Array) -> tuple[Array, Array]:
        """Probability (T,) and rate (T,)."""
        repeating, rate_hz = np.zeros(len(pose)), np.ones(len(pose))
        for part, kept in _parts(len(pose)):
            image = pace_image(pose[part], shape[part])[None]
            outputs = self._session.run(["repeating", "rate_hz"], {"lags": image})
            inside = slice(kept.start - part.start, kept.stop - part.start)
            repeating[kept], rate_hz[kept] = (output[0, inside] for output in outputs)
        return repeating, rate_hz


def _moving(motion: Motion, time_s: Array, pose: Array, settings: RepeatSettings = REPEAT) -> NDArray[np.bool_]:
    """(T,) False in the midst of long rests and absences: a set with a pause in it repeats as evenly as without."""
    speed = np.linalg.norm(np.gradient(pose, axis=0), axis=1)
    still = speed < settings.paused * np.percentile(speed, _FASTEST)
    seen_s = motion.time_s[motion.valid.any(axis=1)]
    after = np.clip(np.searchsorted(seen_s, time_s), 1, len(seen_s) - 1)
    still |= seen_s[after] - seen_s[after - 1] > settings.paused_s
    moving = np.ones(len(time_s), bool)
    left = round(settings.left_s * RATE_HZ)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], still.astype(int), [0]])))
    for first, last in edges.reshape(-1, 2):
        if last - first >= settings.paused_s * RATE_HZ:
            moving[first + left : last - left] = False
    return moving if moving.sum() >= _LEAST_S * RATE_HZ else np.ones(len(time_s), bool)


def _parts(count: int) -> Iterator[tuple[slice, slice]]:
    """Stretches to look at, a minute each as in training, and the middle of each that is kept."""
    window, edge = int(_WINDOW_S * RATE_HZ), int(_EDGE_S * RATE_HZ)
    if count <= window:
        yield slice(0, count), slice(0, count)
        return
    starts = [*range(0, count - window, window - 2 * edge), count - window]
    done = 0
    for start in starts:
        end = count if start == starts[-1] else start + window - edge
        yield slice(start, start + window), slice(done, end)
        done = end


def pace_poses(motion: Motion) -> tuple[Array, Array, Array] | None:
    """Times (T,), poses (T, 42) and shapes (T, D) at `RATE_HZ`; None if the person is seen too little."""
    at = grid(motion.time_s, RATE_HZ)
    if len(at) < _LEAST_S * RATE_HZ:
        return None
    pose = pose_matrix(motion, at)
    shape, _ = shape_curves(motion, at)
    if pose.shape[1] < 3 * len(POSE_JOINTS) or shape.shape[1] == 0:
        return None
    return at, pose, shape


def pace_image(pose: Array, shape: Array) -> NDArray[np.float32]:
    """What the network sees: (CHANNELS, T, lags).

    Args:
        pose: (T, 42), see `pace_poses`.
        shape: (T, D).
    """
    groups = [pose, pose[:, _ARMS], pose[:, _LEGS], shape]
    count, lags = len(pose), len(LAGS_S)
    out = np.zeros((CHANNELS, count, lags), np.float32)
    steps = LAGS_S * RATE_HZ
    whole = np.floor(steps).astype(int)
    part = (steps - whole)[None, :, None]
    frame = np.arange(count)
    known = []
    for sign in (1, -1):
        near = frame[:, None] + sign * whole
        far = near + sign
        known.append(((far >= 0) & (far < count)).astype(np.float32))
    k = 0
    for x, kept in zip(groups, _KEPT, strict=True):
        x = _compact(x, kept)
        spread = x.var(axis=0).sum() + 1e-6
        for sign, inside in zip((1, -1), known, strict=True):
            then = _at_lag(x, whole, part, sign)
            gap = ((then - x[:, None]) ** 2).sum(axis=-1) / (2.0 * spread)
            out[k] = np.sqrt(gap) * inside
            k += 1
        out[k] = np.log10(spread)
        k += 1
    speed = _compact(np.gradient(pose, axis=0), _KEPT[0])
    norm = np.linalg.norm(speed, axis=1)
    floor = _STILL * np.sqrt((norm**2).mean()) + 1e-6
    for sign, inside in zip((1, -1), known, strict=True):
        then = _at_lag(speed, whole, part, sign)
        both = (norm[:, None] + floor) * (np.linalg.norm(then, axis=-1) + floor)
        out[k] = (then * speed[:, None]).sum(axis=-1) / both * inside
        k += 1
    out[k], out[k + 1] = known
    return out


def _compact(x: Array, kept: int) -> Array:
    """(T, <= kept) coordinates along the directions that vary most."""
    level = x - x.mean(axis=0)
    _, way = np.linalg.eigh(level.T @ level)
    return np.asarray(level @ way[:, ::-1][:, :kept])


def _at_lag(x: Array, whole: NDArray[np.intp], part: Array, sign: int) -> Array:
    """(T, lags, D) the rows of x a lag later or earlier, between frames; beyond the ends the last ones."""
    frame = np.arange(len(x))[:, None]
    near = np.clip(frame + sign * whole, 0, len(x) - 1)
    far = np.clip(near + sign, 0, len(x) - 1)
    return np.asarray(x[near] * (1.0 - part) + x[far] * part)


@dataclass(frozen=True, slots=True, eq=False)
class Repeats:
    """What repeats.

    Attributes:
        time_s: (T,) the grid.
        cycle: (N, 3) positions on the grid of start, turn and end of each repetition, in order.
        likeness: (N,) the network's probability of each, in [0, 1].
    """

    time_s: Array
    cycle: Indices
    likeness: Array

    def __len__(self) -> int:
        return len(self.cycle)


def count_any(
    motion: Motion,
    span: tuple[float, float] | None = None,
    *,
    steady: bool = False,
    found: Repeats | None = None,
    settings: RepeatSettings = REPEAT,
) -> Counted:
    """Repetitions of any movement.

    Args:
        motion: one person's movement.
        span: only those whose turn lies in these seconds.
        steady: only those that are clear, and none if the legs take turns as in walking and running or nothing moves.
        found: what repeats in the motion; found now if None.
        settings: thresholds.
    """
    if steady and (steps(motion, span, settings) or _still(motion, span, settings)):
        return Counted()
    found = found if found is not None else find_repeats(motion, settings=settings)
    first, last = span or (-np.inf, np.inf)
    reps = []
    for row, likeness in zip(found.cycle, found.likeness, strict=True):
        start_s, turn_s, end_s = found.time_s[row].tolist()
        cycle = Cycle(start_s, turn_s, end_s)
        if first <= cycle.turn_s <= last and (likeness >= settings.clear or not steady):
            reps.append(cycle)
    return Counted(tuple(reps))


def steps(motion: Motion, span: tuple[float, float] | None = None, settings: RepeatSettings = REPEAT) -> bool:
    """Whether the legs move in turns: walking, running, high knees.

    Args:
        motion: one person's movement.
        span: seconds to look at; all if None.
        settings: thresholds.
    """
    at = _within(motion, span)
    if len(at) < _LEAST_S * GRID_HZ:
        return False
    swings = _swings(motion, at, settings)
    arms_deg = max(float(np.nan_to_num(swings[name].std(axis=1)).max()) for name in ("elbow_flexion", "arm_raise"))
    least_deg = max(settings.legs_deg, settings.legs_share * arms_deg)
    for name in ("knee_flexion", "hip_bend"):
        legs = swings[name]
        if legs.std(axis=1).min() > least_deg and float(np.asarray(np.corrcoef(legs))[0, 1]) < settings.together:
            return True
    return False


def _still(motion: Motion, span: tuple[float, float] | None, settings: RepeatSettings) -> bool:
    """Whether no limb moves by more than a camera's error."""
    at = _within(motion, span)
    if len(at) < _LEAST_S * GRID_HZ:
        return False
    swings = _swings(motion, at, settings)
    return max(float(np.nan_to_num(x.std(axis=1)).max()) for x in swings.values()) < settings.still_deg


def _within(motion: Motion, span: tuple[float, float] | None) -> Array:
    at = grid(motion.time_s)
    return at if span is None else at[(at >= span[0]) & (at <= span[1])]


def _swings(motion: Motion, at: Array, settings: RepeatSettings) -> dict[str, Array]:
    """(2, T) of each limb's angle, without what is too slow to be a step."""
    out = {}
    for name in _ANGLES:
        deg = resampled(motion.time_s, measure(motion, name).deg, at)
        out[name] = np.stack([x - low_pass(x, 1.0 / GRID_HZ, settings.slow_hz) for x in deg.T])
    return out


def find_repeats(motion: Motion, model: PaceModel | None = None, settings: RepeatSettings = REPEAT) -> Repeats:
    """The repetitions of a clip; none where nothing repeats.

    Args:
        motion: one person's movement.
        model: the shipped one if None.
        settings: thresholds.
    """
    pace = (model or PaceModel()).read(motion)
    if pace is None:
        return Repeats(grid(motion.time_s), np.zeros((0, 3), np.intp), np.zeros(0))
    return paced_repeats(motion, pace, settings)


def paced_repeats(motion: Motion, pace: Pace, settings: RepeatSettings = REPEAT) -> Repeats:
    """The repetitions of a clip at a pace; none where nothing repeats.

    Args:
        motion: one person's movement.
        pace: read off it.
        settings: thresholds.
    """
    at = grid(motion.time_s)
    pose = pose_matrix(motion, at)
    repeating = np.clip(np.interp(at, pace.time_s, pace.repeating), 1e-3, 1.0 - 1e-3)
    rate_hz = np.exp(np.interp(at, pace.time_s, np.log(pace.rate_hz)))
    moving = np.interp(at, pace.time_s, pace.moving.astype(float)) >= 0.5
    # A rest speaks neither for nor against a repetition that it lies in, and makes it no longer.
    unsure = 1.0 / (1.0 + np.exp(settings.prior))
    bounds = _cut(pose, np.where(moving, repeating, unsure), np.where(moving, rate_hz, _RESTING_HZ), settings)
    turn = np.array([_turn(pose, a, b) for a, b in bounds], np.intp)
    cycle = np.stack([bounds[:, 0], turn, bounds[:, 1]], axis=1)
    cycle = cycle[np.linalg.norm(_changes(pose, cycle), axis=1) >= settings.least_change]
    likeness = np.array([repeating[a:b][moving[a:b]].mean() if moving[a:b].any() else 0.0 for a, _, b in cycle])
    return Repeats(at, _edged(pose, cycle, settings.edge), likeness)


def _cut(pose: Array, repeating: Array, rate_hz: Array, settings: RepeatSettings = REPEAT) -> Indices:
    """(N, 2) starts and ends of the best set of repetitions: Viterbi over segments."""
    odds = np.log(repeating) - np.log1p(-repeating) + settings.prior
    odds = np.clip(odds, -settings.sure, settings.sure) * settings.evidence_hz / GRID_HZ
    evidence = np.concatenate([[0.0], np.cumsum(odds)])
    phase = np.concatenate([[0.0], np.cumsum(rate_hz / GRID_HZ)])
    unit, speed = _scales(pose, repeating)
    count = len(pose)
    best, back = np.zeros(count), np.full(count, -1)
    shortest, longest = int(settings.least_s * GRID_HZ), int(settings.most_s * GRID_HZ)
    for j in range(1, count):
        best[j] = best[j - 1]
        first = max(int(np.searchsorted(phase, phase[j] - settings.long)), j - longest)
        last = min(int(np.searchsorted(phase, phase[j] - settings.short, "right")), j - shortest + 1)
        if last <= first:
            continue
        span = slice(first, last)
        apart = ((pose[span] - pose[j]) ** 2).sum(axis=1) / unit
        score = (
            best[span]
            + evidence[j]
            - evidence[span]
            - settings.off_posture * apart
            - settings.moving * (speed[span] + speed[j])
        )
        score -= settings.off_pace * np.log(phase[j] - phase[span]) ** 2
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
    return unit, np.minimum(speed / (float(weight @ speed) + 1e-9), _MOST_SPEED)


def _turn(pose: Array, start: int, end: int) -> int:
    """Where a repetition is farthest from the postures at its ends."""
    rest = (pose[start] + pose[end]) / 2.0
    return start + 1 + int(np.linalg.norm(pose[start + 1 : end] - rest, axis=1).argmax())


def _changes(pose: Array, cycle: Indices) -> Array:
    """(N, D) from the postures at a repetition's ends to that at its turn."""
    return np.asarray(pose[cycle[:, 1]] - (pose[cycle[:, 0]] + pose[cycle[:, 2]]) / 2.0)


def _edged(pose: Array, cycle: Indices, edge: float) -> Indices:
    """The same repetitions (N, 3) without the rest before and after: from and to `edge` of the way to the turn."""
    out = cycle.copy()
    for row, way in zip(out, _changes(pose, cycle), strict=True):
        start, turn, end = (int(i) for i in row)
        before, after = pose[start : turn + 1] @ way, pose[turn : end + 1] @ way
        left = np.flatnonzero(before[:-1] <= before[0] + edge * (before[-1] - before[0]))
        back = np.flatnonzero(after[1:] <= after[-1] + edge * (after[0] - after[-1]))
        row[0] = start + left[-1] if left.size else start
        row[2] = turn + 1 + back[0] if back.size else end
    return out


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
