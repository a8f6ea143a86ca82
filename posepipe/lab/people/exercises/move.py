"""What a movement is to the generator, and what many share: where the hands are, how the legs stand, the timing.

Timing: repetitions with their pauses, and slow random movement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posepipe.lab.people.body import smooth
from posepipe.lab.people.exercises.rig import Body, Rig

__all__ = [
    "Course", "Factory", "Move", "Tempo", "choose", "frames_of", "hands", "repetitions", "seat", "stand", "wander",
]  # fmt: skip

Array = NDArray[np.float64]
Pose = Callable[[Array, Array], Array]

_WAVES = 7


@dataclass(frozen=True, slots=True)
class Move:
    """A movement with one person's way of doing it.

    Attributes:
        label: of `posepipe.exercise.labels`.
        variant: what exactly, in words.
        pose: from time (F,) and share (F, 2), left and right, to joints (F, 21, 3); share 0 is where a repetition
            starts, 1 the far end.
        rep_s: range of a repetition's time, rests left out.
        sides: "both", "alternate", "left" or "right".
        counted: whether repetitions of it are counted.
        hold_s, pause_s: longest usual rests at the far and the near end.
        lead: what the person does right before: "stand", "floor", "seat", "hang" or "none".
    """

    label: str
    variant: str
    pose: Pose
    rep_s: tuple[float, float] = (1.4, 4.0)
    sides: str = "both"
    counted: bool = True
    hold_s: float = 0.5
    pause_s: float = 0.7
    lead: str = "stand"


Factory = Callable[[np.random.Generator, Body], Move]


def choose(rng: np.random.Generator, **weights: float) -> str:
    """One of the names, by weight."""
    names = list(weights)
    p = np.array([weights[name] for name in names])
    return str(names[int(rng.choice(len(names), p=p / p.sum()))])


def frames_of(share: Array) -> int:
    """F."""
    return len(share)


def both(share: Array) -> Array:
    """One course (F,) for movements in which both sides go together."""
    return np.asarray(share.max(axis=1))


def stand(
    rig: Rig,
    lean: ArrayLike = 2.0,
    *,
    dip: ArrayLike = 0.0,
    width: float | None = None,
    toe_out: float = 8.0,
    rise: ArrayLike = 0.0,
    sway_m: ArrayLike = 0.0,
    side: ArrayLike = 0.0,
    twist: ArrayLike = 0.0,
    stagger: float = 0.0,
) -> Rig:
    """Trunk and legs of a standing body.

    Args:
        rig: to set.
        lean: of the trunk, forward.
        dip: how much lower than at ease, as a share of the leg.
        width: between the ankles; a little over the hips' if None.
        toe_out: of each foot.
        rise: metres that the ankles are off the ground.
        sway_m: pelvis forward.
        side: lean to the left, see `Rig.trunk`.
        twist: of the shoulders to the left.
        stagger: how far the left foot stands ahead, metres.
    """
    b = rig.body
    wide = (2.3 * b.hip_half if width is None else width) / 2.0
    spread = max(wide - b.hip_half, 0.0)
    leg = b.leg * (0.992 - np.broadcast_to(np.asarray(dip, dtype=float), (rig.frames,)))
    low = np.sqrt(np.maximum(leg**2 - spread**2 - (stagger / 2.0) ** 2, 0.01))
    lift = np.broadcast_to(np.asarray(rise, dtype=float), (rig.frames,))
    pelvis = np.stack([0 * low + sway_m, 0 * low, b.ankle_height + low + lift], axis=1)
    rig.trunk(pelvis, lean, side=side, twist=twist)
    for i, sign in enumerate((1.0, -1.0)):
        zero = np.zeros(rig.frames)
        ankle = np.stack([zero + sign * stagger / 2.0 - 0.01, zero + sign * wide, b.ankle_height + lift], axis=1)
        rig.step(i, ankle, toe_out)
    return rig


def seat(rig: Rig, lean: ArrayLike = 0.0, *, height: float = 0.45, knee: float = 90.0, width: float = 0.3) -> Rig:
    """Trunk and legs of a sitting body, the feet on the ground ahead."""
    b = rig.body
    rig.trunk([0.0, 0.0, height + 0.08], lean)
    for i, sign in enumerate((1.0, -1.0)):
        ahead = b.thigh + b.shank * np.cos(np.radians(knee))
        rig.step(i, np.array([ahead, sign * width / 2.0, b.ankle_height]), 8.0)
    return rig


def hands(rig: Rig, style: str, i: int, spare: float = 0.0) -> Rig:
    """One hand in a common place.

    Args:
        rig: with its trunk set.
        style: "hang", "weights" (straight down by gravity), "forward", "chest", "hips", "head", "crossed",
            "bar" (barbell on the back), "rack" (barbell in front), "overhead", "behind", "straps" (held ahead) or
            "pockets".
        i: 0 left, 1 right.
        spare: -1 to 1, a person's own way.
    """
    b = rig.body
    name = ("left", "right")[i]
    shoulder, thorax, pelvis = rig[f"{name}_shoulder"], rig["thorax"], rig["pelvis"]
    s = b.height
    if style == "hang":
        return rig.arm(i, 3.0 + 6.0 * spare, 9.0 + 4.0 * spare, 17.0 + 8.0 * spare)
    if style == "weights":
        down = np.array([0.0, 0.0, -1.0]) * 0.985 * b.arm
        return rig.reach(i, shoulder + down + rig.local(0.02, 0.03 + 0.02 * spare, 0.0, i), rig.local(-1, 0.5, 0, i))
    if style in ("forward", "straps"):
        return _ahead(rig, style, i, spare)
    if style == "chest":
        goal = thorax + rig.local(0.13 * s, 0.03 * s, (-0.05 + 0.03 * spare) * s, i)
        return rig.reach(i, goal, rig.local(0.1, 0.5 + 0.3 * spare, -1.0, i))
    if style == "hips":
        goal = pelvis + rig.local(0.02 * s, 0.1 * s, 0.04 * s, i)
        return rig.reach(i, goal, rig.local(-0.5, 1.0, 0.0, i))
    if style == "head":
        goal = rig["head"] + rig.local(-0.03 * s, 0.05 * s, -0.01 * s, i)
        return rig.reach(i, goal, rig.local(0.4 + 0.3 * spare, 1.0, -0.1, i))
    if style == "crossed":
        goal = thorax + rig.local(0.08 * s, -0.06 * s, (-0.03 + 0.02 * spare) * s, i)
        return rig.reach(i, goal, rig.local(0.6, 0.4, -0.6, i))
    if style == "bar":
        goal = shoulder + rig.local(-0.01 * s, (0.08 + 0.05 * spare) * s, 0.035 * s, i)
        return rig.reach(i, goal, rig.local(-0.4, 0.2, -1.0, i))
    if style == "rack":
        goal = shoulder + rig.local(0.06 * s, (0.01 + 0.03 * spare) * s, 0.02 * s, i)
        return rig.reach(i, goal, rig.local(0.9 + 0.4 * spare, 0.2, -0.7, i))
    if style == "overhead":
        goal = shoulder + rig.local(0.02 * s, (0.08 + 0.06 * spare) * s, 0.97 * b.arm, i)
        return rig.reach(i, goal, rig.local(0.0, 1.0, 0.0, i))
    if style == "behind":
        goal = pelvis + rig.local(-0.09 * s, 0.01 * s, 0.05 * s, i)
        return rig.reach(i, goal, rig.local(-0.7, 0.8, 0.0, i))
    goal = pelvis + rig.local(0.04 * s, 0.09 * s, -0.01 * s, i)
    return rig.reach(i, goal, rig.local(-0.8, 0.7, 0.0, i))


def _ahead(rig: Rig, style: str, i: int, spare: float) -> Rig:
    """A hand held out, or on a strap or handle in front."""
    if style == "forward":
        return rig.arm(i, 88.0 + 8.0 * spare, 2.0, 8.0 + 6.0 * spare)
    b = rig.body
    out = np.array([0.78 + 0.15 * spare, 0.0, 0.1 + 0.15 * spare]) * b.arm
    goal = rig[f"{('left', 'right')[i]}_shoulder"] + out + rig.local(0.0, -0.03 * b.height, 0.0, i)
    return rig.reach(i, goal, rig.local(0.0, 0.4, -1.0, i))


@dataclass(frozen=True, slots=True)
class Tempo:
    """How repetitions follow each other.

    Attributes:
        rep_s: time of one repetition without its rests.
        out_share: part of it for the way out; the rest is the way back.
        hold_s: rest at the far end.
        pause_s: rest at the near end.
        uneven: spread of all times from one repetition to the next (log).
        ease: 0 keeps a level speed in the middle, 1 eases in and out like a reach.
    """

    rep_s: float
    out_share: float = 0.5
    hold_s: float = 0.1
    pause_s: float = 0.2
    uneven: float = 0.08
    ease: float = 0.7


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """Repetitions over F frames.

    Attributes:
        share: (F, 2) left and right, 0 at the near end, 1 at the far end.
        bounds: (R, 2) start and end of each, seconds.
        complete: (R,) bool.
        side: (R,) "both", "left" or "right".
        end_s: end of the last.
    """

    share: Array
    bounds: Array
    complete: NDArray[np.bool_]
    side: NDArray[np.str_]
    end_s: float


def _ease(s: Array, ease: float) -> Array:
    s = np.clip(s, 0.0, 1.0)
    return np.asarray((1.0 - ease) * (0.5 - 0.5 * np.cos(np.pi * s)) + ease * smooth(s))


def repetitions(
    time_s: Array,
    start_s: float,
    tempo: Tempo,
    sizes: Array,
    sides: list[str],
    rng: np.random.Generator,
) -> Course:
    """The course of repetitions of given sizes.

    Args:
        time_s: (F,).
        start_s: start of the first.
        tempo: their times.
        sizes: (R,) how far each goes; from 0.7 on it counts as complete.
        sides: R of "both", "left", "right".
        rng: source of chance.
    """
    share = np.zeros((len(time_s), 2))
    bounds = np.empty((len(sizes), 2))
    lag_s = rng.normal(0.0, 0.015, 2)
    begin = start_s
    for k, (size, side) in enumerate(zip(sizes, sides, strict=True)):
        total = tempo.rep_s * float(np.exp(rng.normal(0.0, tempo.uneven))) * (0.55 + 0.45 * min(float(size), 1.0))
        out = total * tempo.out_share
        hold = tempo.hold_s * rng.uniform(0.5, 1.5)
        rise = begin + out + hold
        end = rise + total - out
        for i in (0, 1):
            if side in ("both", ("left", "right")[i]):
                t = time_s - lag_s[i]
                share[:, i] += size * np.where(
                    t < rise, _ease((t - begin) / out, tempo.ease), 1.0 - _ease((t - rise) / (end - rise), tempo.ease)
                )
        bounds[k] = begin, end
        begin = end + tempo.pause_s * rng.uniform(0.4, 1.6)
    last = float(bounds[-1, 1]) if len(bounds) else start_s
    return Course(share, bounds, np.asarray(sizes) >= 0.7, np.array(sides, dtype="<U5"), last)


def wander(rng: np.random.Generator, time_s: Array, count: int, slow_s: float, sigma: float = 1.0) -> Array:
    """Smooth random curves (F, count) of given standard deviation that change over about `slow_s`.

    Sums of waves that don't know the clip: the same generator gives the same curve at any frame rate and length.
    """
    frequency = np.abs(rng.standard_normal((_WAVES, count))) * (0.35 / slow_s)
    phase = rng.uniform(0.0, 2.0 * np.pi, (_WAVES, count))
    angle = 2.0 * np.pi * time_s[:, None, None] * frequency + phase
    return np.asarray(sigma * np.sqrt(2.0 / _WAVES) * np.sin(angle).sum(axis=1))
