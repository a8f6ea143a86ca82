"""Movements that nobody has a name for: from a posture somewhere else and back, over and over.

For counting, which must not depend on knowing the exercise.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from posepipe.skeleton import BODY21
from posepipe.synth.exercises import floor, legs, standing
from posepipe.synth.exercises.gym import gym
from posepipe.synth.exercises.move import Factory, Move, both
from posepipe.synth.exercises.rig import PARENTS, SIDES, Body, assemble, bridge, directions

__all__ = ["anything", "gym_counted"]

Array = NDArray[np.float64]
Rng = np.random.Generator

_LIMBS = (
    *(("knee", "ankle", "heel", "foot_index") for _ in SIDES),
    *(("elbow", "wrist") for _ in SIDES),
    ("spine", "thorax", "head", "nose"),
)
_POSTURES: tuple[Factory, ...] = (
    gym, legs.squat, legs.lunge, legs.deadlift, legs.jumping_jack, floor.push_up, floor.sit_up, floor.pull_up,
    standing.shoulder_press, standing.bicep_curl, standing.lateral_raise, standing.front_raise,
)  # fmt: skip
_TURN_DEG = (12.0, 100.0)
_HELD = ("lying", "wall sit", "hang")
_SEEN_M = 0.03
"""Hops and calf raises move the whole body: a posture doesn't show them."""


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
