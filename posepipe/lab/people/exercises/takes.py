"""Whole takes: someone comes, gets ready, does repetitions, rests, goes; with exact truth.

Of known exercises, of what people do besides, and of movements that nobody has a name for: from a posture somewhere
else and back, over and over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import UsageError
from posepipe.exercise.labels import LABELS, OTHER, WALKING
from posepipe.lab.people.body import smooth
from posepipe.lab.people.exercises import everyday, home
from posepipe.lab.people.exercises.gym import gym
from posepipe.lab.people.exercises.move import Course, Factory, Move, Tempo, both, repetitions, wander
from posepipe.lab.people.exercises.rig import PARENTS, SIDES, Body, assemble, bridge, directions
from posepipe.skeleton import BODY21

__all__ = ["ExerciseTake", "anything", "gym_counted", "make_exercise"]

Array = NDArray[np.float64]
Rng = np.random.Generator

REST_S = 2.0
"""Who stands about for longer between repetitions isn't doing the exercise."""

_FACTORIES: Mapping[str, Factory] = {
    "squat": home.squat,
    "push_up": home.push_up,
    "shoulder_press": home.shoulder_press,
    "bicep_curl": home.bicep_curl,
    "lunge": home.lunge,
    "jumping_jack": home.jumping_jack,
    "deadlift": home.deadlift,
    "sit_up": home.sit_up,
    "pull_up": home.pull_up,
    "lateral_raise": home.lateral_raise,
    "front_raise": home.front_raise,
    "plank": home.plank,
    WALKING: everyday.walking,
}
_OTHERS: tuple[tuple[Factory, float], ...] = (
    (gym, 0.52),
    (everyday.idle, 0.12),
    (everyday.daily, 0.18),
    (everyday.dance, 0.08),
    (everyday.running, 0.1),
)
_LIMBS = (
    *(("knee", "ankle", "heel", "foot_index") for _ in SIDES),
    *(("elbow", "wrist") for _ in SIDES),
    ("spine", "thorax", "head", "nose"),
)
_POSTURES: tuple[Factory, ...] = (
    gym, home.squat, home.lunge, home.deadlift, home.jumping_jack, home.push_up, home.sit_up, home.pull_up,
    home.shoulder_press, home.bicep_curl, home.lateral_raise, home.front_raise,
)  # fmt: skip
_TURN_DEG = (12.0, 100.0)
_HELD = ("lying", "wall sit", "hang")
_SEEN_M = 0.03
"""Hops and calf raises move the whole body: a posture doesn't show them."""


@dataclass(frozen=True, slots=True, eq=False)
class ExerciseTake:
    """A movement and all that is true of it.

    Attributes:
        time_s: (F,) from 0.
        positions: (F, 21, 3) Body21 joints, metres, z up.
        label: of `posepipe.exercise.labels`.
        variant: what exactly, in words.
        rep_bounds: (R, 2) start and end of each repetition in seconds, begun ones too.
        rep_complete: (R,) bool; False for one that stops well short, or that the clip cuts off.
        rep_side: (R,) "both", "left" or "right".
        set_bounds: when the movement of the label starts and ends, seconds; the rest is `other`, or walking up and off.
        frame_label: (F,) position in `LABELS`.
    """

    time_s: Array
    positions: Array
    label: str
    variant: str
    rep_bounds: Array
    rep_complete: NDArray[np.bool_]
    rep_side: NDArray[np.str_]
    set_bounds: tuple[float, float]
    frame_label: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.time_s)


def make_exercise(
    label: str,
    rng: np.random.Generator,
    *,
    fps_hz: float = 30.0,
    reps: int | None = None,
    partial: float = 0.06,
    context: float = 0.6,
    cut: float = 0.15,
    tempo: float = 1.0,
    noise_deg: float = 1.2,
    rest: float = 0.0,
    factory: Factory | None = None,
) -> ExerciseTake:
    """A random take of a movement.

    A repetition is what the labels' contract says: squat and push-up top to top, curl and raises from below, press
    from the rack, deadlift from the floor, sit-up from lying, pull-up from hanging, jack from closed; every lunge, and
    every arm's own repetition where arms take turns, counts.

    Args:
        label: of `posepipe.exercise.labels`.
        rng: source of chance.
        fps_hz: frame rate.
        reps: repetitions begun; drawn from 1 to 8 if None. Held and cyclic movements have none.
        partial: share of repetitions that stop well short.
        context: chance, before and after each, of other movement around the set.
        cut: chance that the clip starts or ends within a repetition.
        tempo: factor of the speed.
        noise_deg: slow random turns of every bone.
        rest: chance that the person stands about for seconds between single repetitions; `frame_label` says `other`
            there.
        factory: makes the movement; one of the label's if None.

    Raises:
        UsageError: no such label, a rate or tempo that isn't positive, or fewer than 0 repetitions.
    """
    if label not in LABELS:
        raise UsageError(f"no label {label!r}", hint=f"Valid: {', '.join(LABELS)}")
    if not (fps_hz > 0 and tempo > 0) or (reps is not None and reps < 0):
        raise UsageError(f"{fps_hz} Hz, tempo {tempo}, {reps} repetitions", where="make_exercise")
    body = Body.random(rng)
    restless = np.random.default_rng(int(rng.integers(1 << 62)))
    move = _draw(label, rng, body) if factory is None else factory(rng, body)
    before = _context(rng, body, move) if rng.random() < context else None
    after = _context(rng, body, move) if rng.random() < context else None
    pace = _pace(move, rng, tempo)
    # Who begins bent, lying or hanging doesn't rest there.
    may_rest = rest > 0 and move.counted and move.lead == "stand" and label != "deadlift"
    if rests := may_rest and rng.random() < rest:
        pace = replace(pace, pause_s=float(rng.uniform(2.5, 7.0)))
    lead_s = rng.uniform(0.2, 1.5) / tempo
    steady = move.label in (WALKING, "plank") or not move.pause_s
    count = int(rng.integers(1, 9 if move.counted else 5)) if reps is None else reps
    course, end_s = _course(move, pace, lead_s, count, partial, rng, steady)
    tail_s = end_s + rng.uniform(0.2, 1.2) / tempo
    parts = _Parts(move, before, after, tail_s, rng.uniform(1.0, 3.5, 2), rng.uniform(0.7, 1.8, 2) / tempo)
    time_s, positions, start_s = _film(parts, course, pace, fps_hz, rng)
    positions = _restless(positions, time_s, noise_deg, restless)
    bounds, complete = course.bounds + start_s, course.complete.copy()
    own = (start_s + (lead_s if course.bounds.size else 0.0), start_s + (end_s if course.bounds.size else tail_s))
    take = ExerciseTake(
        time_s, positions, label, move.variant, bounds, complete, course.side, own,
        _labels(time_s, own, label, parts, start_s, bounds if rests else bounds[:0]),
    )  # fmt: skip
    return _cut(take, rng) if cut > 0 and rng.random() < cut and move.counted and len(bounds) > 1 else take


@dataclass(frozen=True, slots=True)
class _Parts:
    move: Move
    before: Move | None
    after: Move | None
    own_s: float
    context_s: Array
    bridge_s: Array


def _draw(label: str, rng: np.random.Generator, body: Body) -> Move:
    if label != OTHER:
        return _FACTORIES[label](rng, body)
    share = np.array([weight for _, weight in _OTHERS])
    return _OTHERS[int(rng.choice(len(_OTHERS), p=share / share.sum()))][0](rng, body)


def _context(rng: np.random.Generator, body: Body, move: Move) -> Move | None:
    """What comes before or after: standing about mostly, or walking in and out."""
    kinds: list[Factory] = [everyday.idle, everyday.daily, everyday.walking]
    weight = [0.55, 0.3, 0.15] if move.lead != "none" else [0.4, 0.4, 0.2]
    return kinds[int(rng.choice(3, p=weight))](rng, body)


def _pace(move: Move, rng: np.random.Generator, tempo: float) -> Tempo:
    low, high = move.rep_s
    return Tempo(
        float(np.exp(rng.uniform(np.log(low), np.log(high)))) / tempo,
        float(rng.uniform(0.35, 0.62)),
        float(rng.choice([0.05, rng.uniform(0.0, move.hold_s)])) / tempo,
        float(rng.choice([0.05, rng.uniform(0.0, max(move.pause_s, 0.1)), rng.uniform(0.0, 1.8)], p=[0.4, 0.45, 0.15]))
        / tempo,
        float(rng.uniform(0.02, 0.15)),
        float(rng.uniform(0.0, 1.0)),
    )


def _sides(move: Move, count: int, rng: np.random.Generator) -> list[str]:
    if move.sides != "alternate":
        return [move.sides] * count
    first = int(rng.integers(2))
    return [("left", "right")[(first + k) % 2] for k in range(count)]


def _course(
    move: Move, pace: Tempo, lead_s: float, count: int, partial: float, rng: np.random.Generator, steady: bool
) -> tuple[Course, float]:
    """Repetitions on a fine clock, and when they end; none for what isn't counted, though the course still runs."""
    whole = rng.uniform(0.72, 1.0) if rng.random() < 0.25 else rng.uniform(0.88, 1.05)
    sizes = np.clip(whole * rng.normal(1.0, 0.04, count), 0.7, 1.08)
    if move.counted:
        sizes = np.where(rng.random(count) < partial, rng.uniform(0.2, 0.48, count), sizes)
    span = max(1.0, lead_s + count * (pace.rep_s * 1.6 + pace.hold_s * 2 + pace.pause_s * 2) + 3.0)
    grid = np.arange(0.0, span, 1.0 / 240.0)
    course = repetitions(grid, lead_s, pace, sizes, _sides(move, count, rng), rng)
    end_s = course.end_s
    if not move.counted:
        none = np.zeros((0, 2))
        course = Course(course.share, none, np.zeros(0, bool), np.zeros(0, "<U5"), end_s)
    return course, max(end_s, lead_s + (rng.uniform(2.0, 7.0) if steady or not count else 0.5))


def _film(
    parts: _Parts, course: Course, pace: Tempo, fps_hz: float, rng: np.random.Generator
) -> tuple[Array, Array, float]:
    """Frame times, joints, and when the movement's own clock starts."""
    move = parts.move
    pre = parts.context_s[0] + parts.bridge_s[0] if parts.before else 0.0
    post = parts.context_s[1] + parts.bridge_s[1] if parts.after else 0.0
    time_s = np.arange(max(2, round((pre + parts.own_s + post) * fps_hz))) / fps_hz
    own = time_s - pre

    def film(t: Array) -> Array:
        fine = np.arange(len(course.share)) / 240.0
        share = np.stack([np.interp(t, fine, course.share[:, i]) for i in (0, 1)], axis=1)
        return move.pose(t, share)

    middle = (own >= 0) & (own <= parts.own_s)
    if not middle.any():
        middle[-1] = True
    pieces = []
    inside = film(own[middle])
    if (early := time_s[own < 0]).size and parts.before is not None:
        pieces.append(_approach(parts.before, early, parts.context_s[0], parts.bridge_s[0], inside[0], False))
    pieces.append(inside)
    if (late := own[own > parts.own_s] - parts.own_s).size and parts.after is not None:
        pieces.append(_approach(parts.after, late, parts.context_s[1], parts.bridge_s[1], inside[-1], True))
    return time_s, np.concatenate(pieces), pre


def _approach(move: Move, t: Array, free_s: float, bridge_s: float, pose: Array, leaving: bool) -> Array:
    """The movement around the set, and the way between it and the pose (21, 3) where the set starts or ends."""
    free = (t > bridge_s) if leaving else (t < free_s)
    clock = t[free] if free.any() else t[:1]
    around = move.pose(clock, np.zeros((len(clock), 2)))
    near = around[0] if leaving else around[-1]
    around = around.copy()
    shift = pose[0] * np.array([1, 1, 0]) - near[0] * np.array([1, 1, 0])
    around, near = around + shift, near + shift
    turn = smooth(t[~free] / bridge_s) if leaving else smooth((t[~free] - free_s) / bridge_s)
    way = bridge(pose, near, turn) if leaving else bridge(near, pose, turn)
    if not free.any():
        return way
    return np.concatenate([way, around] if leaving else [around, way])


def _restless(xyz: Array, time_s: Array, noise_deg: float, rng: np.random.Generator) -> Array:
    """Every bone turned a little, slowly and at random."""
    if noise_deg <= 0:
        return xyz
    way, length = directions(xyz)
    bones = way.shape[1]
    turn = np.radians(noise_deg) * wander(rng, time_s, bones * 3, 1.2).reshape(-1, bones, 3)
    return assemble(xyz[:, 0], way + np.cross(turn, way), length)


def _labels(
    time_s: Array, own: tuple[float, float], label: str, parts: _Parts, start_s: float, bounds: Array
) -> NDArray[np.intp]:
    out = np.full(len(time_s), LABELS.index(OTHER))
    end_s = start_s + parts.own_s + parts.bridge_s[1]
    around = ((parts.before, time_s < start_s - parts.bridge_s[0]), (parts.after, time_s > end_s))
    for move, when in around:
        if move is not None and move.label == WALKING:
            out[when] = LABELS.index(WALKING)
    out[(time_s >= own[0] - 1e-6) & (time_s <= own[1] + 1e-6)] = LABELS.index(label)
    for end, begin in zip(bounds[:-1, 1], bounds[1:, 0], strict=True):
        if begin - end > REST_S:
            out[(time_s > end + 0.25 * REST_S) & (time_s < begin - 0.25 * REST_S)] = LABELS.index(OTHER)
    return out.astype(np.intp)


def _cut(take: ExerciseTake, rng: np.random.Generator) -> ExerciseTake:
    """Start or end the clip within the first or last repetition."""
    at_start = rng.random() < 0.5
    begin, end = take.rep_bounds[0 if at_start else -1]
    moment = begin + rng.uniform(0.3, 0.7) * (end - begin)
    keep = take.time_s >= moment if at_start else take.time_s <= moment
    if keep.sum() < 2:
        return take
    first = float(take.time_s[keep][0])
    complete = take.rep_complete.copy()
    complete[0 if at_start else -1] = False
    time_s = take.time_s[keep] - first
    bounds = np.clip(take.rep_bounds - first, 0.0, time_s[-1])
    span = np.clip(np.array(take.set_bounds) - first, 0.0, time_s[-1])
    return ExerciseTake(
        time_s, take.positions[keep], take.label, take.variant, bounds, complete, take.rep_side,
        (float(span[0]), float(span[1])), take.frame_label[keep],
    )  # fmt: skip


def gym_counted(rng: Rng, body: Body) -> Move:
    """An exercise without a label of its own, its repetitions counted; one that can be seen in the posture."""
    while True:
        move = gym(rng, body)
        if move.variant not in _HELD and _reach_m(move) > _SEEN_M:
            return replace(move, counted=True)


def _reach_m(move: Move) -> float:
    """How far any joint goes from where it starts, as seen from the pelvis."""
    share = np.linspace(0.0, 1.0, 5)
    other = share if move.sides == "both" else np.zeros(5)
    pose = move.pose(np.zeros(5), np.stack([share, other], axis=1))
    relative = pose - pose[:, :1]
    return float(np.abs(relative - relative[0]).max())


def anything(rng: Rng, body: Body) -> Move:
    """A posture of some exercise, and one or two others reached from it by turning a few limbs, or all."""
    start = _posture(rng, body)
    ways = [_turned(start, rng)]
    if rng.random() < 0.3:
        ways.insert(0, _turned(start, rng))
    stops = np.linspace(0.0, 1.0, len(ways) + 1)
    stops[1:-1] = rng.uniform(0.3, 0.7, len(ways) - 1)
    points = [start, *ways]

    def pose(t: Array, share: Array) -> Array:
        s = both(share)
        out = np.empty((len(s), *start.shape))
        last = len(ways) - 1
        for k in range(len(ways)):
            inside = (s >= stops[k] if k else s == s) & (s < stops[k + 1] if k < last else s == s)
            if inside.any():
                out[inside] = bridge(points[k], points[k + 1], (s[inside] - stops[k]) / (stops[k + 1] - stops[k]))
        return out

    return Move("other", "anything", pose, (0.6, 6.0), "both", True, hold_s=1.0, pause_s=1.0, lead="none")


def _posture(rng: Rng, body: Body) -> Array:
    """(21, 3) somewhere within some exercise."""
    move = _POSTURES[int(rng.integers(len(_POSTURES)))](rng, body)
    return np.asarray(move.pose(np.zeros(1), np.full((1, 2), rng.choice([0.0, 1.0, rng.random()])))[0])


def _turned(pose: Array, rng: Rng) -> Array:
    """The posture with some limbs, or the trunk with all that hangs on it, turned."""
    way, length = directions(pose[None])
    groups = _groups()
    chosen = rng.choice(len(groups), int(rng.integers(1, 4)), replace=False)
    even = rng.random() < 0.5
    turn = np.zeros(way.shape[1:])
    for k in chosen:
        angle = np.radians(np.exp(rng.uniform(*np.log(_TURN_DEG))))
        axis = rng.normal(0.0, 1.0, 3)
        for bone in groups[k]:
            fresh = rng.normal(0.0, 1.0, 3)
            turn[bone] = angle * (axis if even else axis + 0.7 * fresh) / np.linalg.norm(axis)
    root = pose[None, 0] + rng.normal(0.0, 0.12, 3) * (rng.random() < 0.4)
    return np.asarray(assemble(root, _rotated(way, turn[None]), length)[0])


def _groups() -> list[list[int]]:
    """Bones of each arm, each leg, and the trunk with the head, as rows of `PARENTS`."""
    place = {child: row for row, (child, _) in enumerate(PARENTS)}
    names = [[f"{side}_{part}" for part in limb] for limb, side in zip(_LIMBS[:4], (*SIDES, *SIDES), strict=True)]
    names.append(list(_LIMBS[4]))
    return [[place[BODY21.index(name)] for name in group] for group in names]


def _rotated(way: Array, turn: Array) -> Array:
    """Directions turned by rotation vectors (Rodrigues)."""
    angle = np.linalg.norm(turn, axis=-1, keepdims=True)
    axis = turn / np.maximum(angle, 1e-9)
    dot = (axis * way).sum(axis=-1, keepdims=True)
    return np.asarray(np.cos(angle) * way + np.sin(angle) * np.cross(axis, way) + (1.0 - np.cos(angle)) * dot * axis)
