"""Real walks made a little worse, and seen on other skeletons.

Patients differ from healthy people by little and in everything; the patterns of `posepipe.lab.people.gait` are walks
with one marked sign. Here captured walks of healthy people are changed by degrees: slower, steps shorter on both sides
or one, hips, knees and ankles with less range, longer stance, uneven timing, strides that differ, a trunk that leans or
sways, arms that hardly swing. Any walk can be put on another skeleton: its joints turned and its bones scaled by
constants, of both sides and of one, as marker sets, detectors and retargeted bodies do to everyone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from posepipe.gait.types import HEEL_STRIKE, SIDES, Event
from posepipe.numeric import running_mean
from posepipe.skeleton import BODY21

__all__ = ["Change", "Skeleton", "at_pace", "changed", "draw_impairment", "draw_skeleton"]

Array = NDArray[np.float64]

_HEADING_S = 0.7
_UPPER = tuple(
    BODY21.index(name)
    for name in BODY21.joints
    if any(part in name for part in ("shoulder", "elbow", "wrist", "thorax", "spine", "head", "nose"))
)
_LEAST_EVENTS = 3


@dataclass(frozen=True, slots=True)
class Change:
    """What is done to a walk; nothing by default. Pairs are (left, right).

    Attributes:
        time: factor on every duration.
        hip, knee, ankle, arm: factors on the ranges: hip, ankle and arm about their mean, knee about its straightest.
        stance: what is added to the share of the stride in which a foot stands.
        late: by which share of a stride a foot comes later than it did.
        time_jitter: standard deviation of an event's time, as a share of the stride.
        range_jitter: standard deviation of a stride's hip and knee range, as a share.
        drop_deg: by how much the foot hangs more in swing.
        lean_deg, sway_deg: trunk further forward, and to the standing leg.
    """

    time: float = 1.0
    hip: tuple[float, float] = (1.0, 1.0)
    knee: tuple[float, float] = (1.0, 1.0)
    ankle: tuple[float, float] = (1.0, 1.0)
    arm: tuple[float, float] = (1.0, 1.0)
    stance: tuple[float, float] = (0.0, 0.0)
    late: tuple[float, float] = (0.0, 0.0)
    time_jitter: float = 0.0
    range_jitter: float = 0.0
    drop_deg: tuple[float, float] = (0.0, 0.0)
    lean_deg: float = 0.0
    sway_deg: float = 0.0


@dataclass(frozen=True, slots=True)
class Skeleton:
    """What a skeleton does to everyone: constant turns in degrees and factors on bones; pairs are (left, right)."""

    hip_deg: tuple[float, float] = (0.0, 0.0)
    knee_deg: tuple[float, float] = (0.0, 0.0)
    ankle_deg: tuple[float, float] = (0.0, 0.0)
    thigh: tuple[float, float] = (1.0, 1.0)
    shank: tuple[float, float] = (1.0, 1.0)
    trunk_deg: float = 0.0
    tilt_deg: float = 0.0


def draw_skeleton(rng: np.random.Generator, size: float = 1.0) -> Skeleton:
    """A skeleton by chance: joints turned by 6 degrees (both sides alike) and 3 (one side), bones by 5 and 2 %.

    Args:
        rng: source of chance.
        size: factor on all of it.
    """

    def pair(common: float, own: float, about: float = 0.0) -> tuple[float, float]:
        both = about + size * common * rng.standard_normal()
        first, second = size * own * rng.standard_normal(2)
        return float(both + first), float(both + second)

    return Skeleton(
        pair(6.0, 3.0), pair(6.0, 3.0), pair(6.0, 3.0), pair(0.05, 0.02, 1.0), pair(0.05, 0.02, 1.0),
        float(4.0 * size * rng.standard_normal()), float(2.0 * size * rng.standard_normal()),
    )  # fmt: skip


def at_pace(rng: np.random.Generator, spread: float = 0.12) -> Change:
    """A healthy walk at another speed of a healthy person's choice: step and cadence share it, stance follows.

    Healthy adults' self-selected speed has a standard deviation of about 12 %; knees keep most of their range.
    """
    speed = float(np.exp(spread * rng.standard_normal()))
    share = float(speed**0.5)
    stance = -0.03 * (speed - 1.0)
    knee = float(speed**0.2)
    return Change(1.0 / share, (share, share), (knee, knee), (share**0.5,) * 2, (speed, speed), (stance, stance))


def draw_impairment(rng: np.random.Generator, severity: float, pace: Change) -> Change:
    """A patient's walk: some signs by chance, each between nothing and mild to moderate.

    Sizes at severity 1 are about twice what reviews give as the mean difference of patients with joint disease,
    weakness or stroke who walk unaided: speed 20 to 30 %, hip and knee 6 to 10 degrees of 40 and 60, stance 2 to 4 %,
    spread of stride times 1 to 2 %.

    Args:
        rng: source of chance.
        severity: 0 to 1.
        pace: what is done to the walk anyway.
    """

    def much(most: float) -> float:
        return float(most * severity * rng.beta(1.0, 1.0))

    worse = int(rng.integers(2))
    one_sided = rng.random() < 0.6

    def pair(most: float) -> tuple[float, float]:
        size = much(most)
        other = size * float(rng.uniform(0.0, 0.6)) if one_sided else size
        return (size, other) if worse == 0 else (other, size)

    def less(before: tuple[float, float], most: float) -> tuple[float, float]:
        first, second = pair(most)
        return before[0] * (1.0 - first), before[1] * (1.0 - second)

    slower = much(0.25)
    stance, drop = pair(0.05), pair(8.0)
    late = (0.0, much(0.06) * float(rng.choice([-1.0, 1.0]))) if one_sided else (0.0, 0.0)
    if one_sided:  # The worse leg carries for a shorter time than the other.
        spared = much(0.04)
        stance = (stance[0] - spared, stance[1] + spared) if worse == 0 else (stance[0] + spared, stance[1] - spared)
    return Change(
        pace.time * (1.0 + slower),
        less(pace.hip, 0.4), less(pace.knee, 0.4), less(pace.ankle, 0.4), less(pace.arm, 0.5),
        (pace.stance[0] + stance[0], pace.stance[1] + stance[1]),
        late, much(0.03), much(0.12), drop, much(10.0), much(3.0),
    )  # fmt: skip


def changed(
    time_s: Array, xyz_m: Array, events: Sequence[Event], change: Change, skeleton: Skeleton, rng: np.random.Generator
) -> Array | None:
    """A walk changed; None where a foot has too few events to know its strides.

    Args:
        time_s: (F,) even times.
        xyz_m: (F, 21, 3) Body21 joints in a world with z up.
        events: heel strikes and toe offs of the walk.
        change: what to change.
        skeleton: on which body it is seen.
        rng: source of the strides' jitter.

    Returns:
        (F', 21, 3) at the same rate; longer where the walk got slower.
    """
    axes = _axes(time_s, xyz_m)
    local = np.einsum("fij,fpj->fpi", axes, xyz_m - xyz_m[:, :1])
    out = local.copy()
    _turn_trunk(out, time_s, events, change, skeleton)
    for number, side in enumerate(SIDES):
        warp = _warp(time_s, events, side, change, number, rng)
        if warp is None:
            return None
        _turn_leg(out, local, time_s, side, number, change, skeleton, warp)
        _turn_arm(out, side, change.arm[number])
    root = xyz_m[:, 0].copy()
    path = root - root[:1]
    root = root[:1] + path * (0.5 * (change.hip[0] + change.hip[1]))
    whole = root[:, None] + np.einsum("fji,fpj->fpi", axes, out)
    frames = max(round((len(time_s) - 1) * change.time) + 1, 2)
    at = np.linspace(0.0, len(time_s) - 1.0, frames)
    low = np.minimum(at.astype(int), len(time_s) - 2)
    share = (at - low)[:, None, None]
    return np.asarray(whole[low] * (1.0 - share) + whole[low + 1] * share)


def _axes(time_s: Array, xyz: Array) -> Array:
    """(F, 3, 3) rows forward, left, up; level, smooth."""
    i = BODY21.index
    across = xyz[:, i("left_hip")] - xyz[:, i("right_hip")] + xyz[:, i("left_shoulder")] - xyz[:, i("right_shoulder")]
    width = max(1, round(_HEADING_S / float(np.median(np.diff(time_s)))))
    left = running_mean(across * np.array([1.0, 1.0, 0.0]), width, axis=0)
    left = left / np.maximum(np.linalg.norm(left, axis=1, keepdims=True), 1e-9)
    up = np.broadcast_to(np.array([0.0, 0.0, 1.0]), left.shape)
    return np.stack([np.cross(left, up), left, up], axis=1)


def _warp(
    time_s: Array, events: Sequence[Event], side: str, change: Change, number: int, rng: np.random.Generator
) -> Array | None:
    """(F,) at which old time a leg is where it will be; from its events before and after."""
    mine = sorted((event for event in events if event.side == side), key=lambda event: event.time_s)
    strikes = [event.time_s for event in mine if event.type == HEEL_STRIKE]
    if len(mine) < _LEAST_EVENTS or len(strikes) < 2:
        return None
    stride_s = float(np.median(np.diff(strikes)))
    old: list[float] = []
    new: list[float] = []
    for event in mine:
        away = change.late[number] + change.time_jitter * rng.standard_normal()
        away += 0.0 if event.type == HEEL_STRIKE else change.stance[number]
        if old and event.time_s - old[-1] < 0.15 * stride_s:
            continue
        old.append(event.time_s)
        new.append(max(event.time_s + away * stride_s, new[-1] + 0.1 * stride_s if new else -np.inf))
    before, after = old[0] - stride_s, old[-1] + stride_s
    old, new = [before, *old, after], [new[0] - stride_s, *new, new[-1] + stride_s]
    inside = np.clip(time_s, new[0], new[-1])
    return np.asarray(np.clip(PchipInterpolator(new, old)(inside) + (time_s - inside), time_s[0], time_s[-1]))


def _pitch(vectors: Array) -> Array:
    """(F,) radians of a bone that hangs: forward is positive."""
    return np.unwrap(np.arctan2(vectors[:, 0], -vectors[:, 2]))


def _turned(vectors: Array, angle: Array) -> Array:
    """Bones turned forward by an angle (F,)."""
    c, s = np.cos(angle), np.sin(angle)
    return np.stack(
        [c * vectors[:, 0] - s * vectors[:, 2], vectors[:, 1], s * vectors[:, 0] + c * vectors[:, 2]], axis=1
    )


def _turn_leg(
    out: Array, local: Array, time_s: Array, side: str, number: int, change: Change, skeleton: Skeleton, warp: Array
) -> None:
    names = ("hip", "knee", "ankle", "heel", "foot_index")
    hip, knee, ankle, heel, toe = (
        np.stack([np.interp(warp, time_s, local[:, BODY21.index(f"{side}_{name}"), k]) for k in range(3)], axis=1)
        for name in names
    )
    thigh, shank = knee - hip, ankle - knee
    hip_rad, shank_rad = _pitch(thigh), _pitch(shank)
    bend = hip_rad - shank_rad
    foot = _pitch(toe - ankle) - shank_rad
    straight = float(np.percentile(bend, 5.0))
    grade = 1.0 + change.range_jitter * _slow_noise(time_s, len(names) * number + round(1e3 * change.time))
    new_hip = hip_rad.mean() + change.hip[number] * grade * (hip_rad - hip_rad.mean())
    new_bend = straight + change.knee[number] * grade * (bend - straight)
    swing = np.clip((bend - straight) / max(float(np.ptp(bend)), 1e-6), 0.0, 1.0)
    new_foot = foot.mean() + change.ankle[number] * (foot - foot.mean()) - np.radians(change.drop_deg[number]) * swing
    new_hip += np.radians(skeleton.hip_deg[number])
    new_bend += np.radians(skeleton.knee_deg[number])
    new_foot += np.radians(skeleton.ankle_deg[number])
    new_shank = new_hip - new_bend
    thigh = skeleton.thigh[number] * _turned(thigh, new_hip - hip_rad)
    turn = new_shank - shank_rad
    shank = skeleton.shank[number] * _turned(shank, turn)
    foot_turn = turn + new_foot - foot
    i = BODY21.index
    out[:, i(f"{side}_hip")] = hip
    out[:, i(f"{side}_knee")] = hip + thigh
    out[:, i(f"{side}_ankle")] = hip + thigh + shank
    out[:, i(f"{side}_heel")] = hip + thigh + shank + _turned(heel - ankle, foot_turn)
    out[:, i(f"{side}_foot_index")] = hip + thigh + shank + _turned(toe - ankle, foot_turn)


def _slow_noise(time_s: Array, seed: int) -> Array:
    """(F,) of unit spread, the same within a stride or so."""
    rng = np.random.default_rng(seed)
    knots = np.arange(time_s[0] - 1.0, time_s[-1] + 2.0, 0.9)
    return np.asarray(np.interp(time_s, knots, rng.standard_normal(len(knots))))


def _turn_arm(out: Array, side: str, factor: float) -> None:
    shoulder, elbow, wrist = (BODY21.index(f"{side}_{part}") for part in ("shoulder", "elbow", "wrist"))
    upper = _pitch(out[:, elbow] - out[:, shoulder])
    turn = (factor - 1.0) * (upper - upper.mean())
    for joint in (elbow, wrist):
        out[:, joint] = out[:, shoulder] + _turned(out[:, joint] - out[:, shoulder], turn)


def _turn_trunk(out: Array, time_s: Array, events: Sequence[Event], change: Change, skeleton: Skeleton) -> None:
    strikes = sorted(event.time_s for event in events if event.side == "left" and event.type == HEEL_STRIKE)
    phase = np.interp(time_s, strikes, np.arange(len(strikes), dtype=float)) if len(strikes) > 1 else np.zeros(1)
    pitch = np.full(len(time_s), -np.radians(change.lean_deg + skeleton.trunk_deg))
    roll = np.radians(change.sway_deg * np.sin(2.0 * np.pi * phase) + skeleton.tilt_deg) * np.ones(len(time_s))
    c, s = np.cos(roll), np.sin(roll)
    for joint in _UPPER:
        x = _turned(out[:, joint], pitch)
        out[:, joint] = np.stack([x[:, 0], c * x[:, 1] + s * x[:, 2], c * x[:, 2] - s * x[:, 1]], axis=1)
