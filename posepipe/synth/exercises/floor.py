"""Exercises on the floor and on the bar: push-ups, planks, sit-ups, pull-ups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posepipe.synth.exercises.move import Move, both, choose, frames_of, hands
from posepipe.synth.exercises.rig import UP, Body, Rig

__all__ = ["plank", "prone", "pull_up", "push_up", "sit_up"]

Array = NDArray[np.float64]
Rng = np.random.Generator


def prone(rig: Rig, tilt: Array, hip: Array, foot_m: tuple[float, float] = (0.0, 0.0), knees: bool = False) -> Rig:
    """A body straight from feet (or knees) to shoulders, face down, ahead in x.

    Args:
        rig: to set.
        tilt: (F,) of the body's line above level, degrees.
        hip: (F,) bend at the hips; positive lifts the seat.
        foot_m: where the pivot is: x and height.
        knees: whether it is the knees.
    """
    b = rig.body
    angle, bend = np.radians(tilt), np.radians(hip)
    lower = b.thigh if knees else b.leg
    way = np.stack([np.cos(angle + bend / 2), 0 * angle, np.sin(angle + bend / 2)], axis=1)
    pivot = np.array([foot_m[0], 0.0, foot_m[1] + (0.05 if knees else 0.55 * b.foot)])
    pelvis = pivot + lower * 0.997 * way
    rig.trunk(pelvis, 90.0 - (tilt - hip / 2))
    for i, sign in enumerate((1.0, -1.0)):
        if knees:
            rig.leg(i, hip, 60.0)
            continue
        ankle = pivot + np.array([0.0, sign * b.hip_half * 1.3, 0.0]) + 0 * way
        rig.place(i, ankle, np.array([0.3, 0.0, -1.0]), np.array([0.35, 0.0, -1.0]))
    return rig


def push_up(rng: Rng, body: Body) -> Move:
    """Push-ups on the floor, on the knees, on a bench, against a wall."""
    style = choose(rng, floor=0.56, knees=0.14, incline=0.12, decline=0.05, wall=0.13)
    b = body
    line = (b.thigh if style == "knees" else b.leg) + b.trunk
    straight = rng.uniform(0.9, 0.99) * b.arm
    lift = 0.05 if style == "knees" else 0.55 * b.foot
    block = rng.choice([0.0, rng.uniform(0.05, 0.2)], p=[0.8, 0.2])
    tilt1 = float(np.degrees(np.arcsin(np.clip((straight + block - lift) / line, -0.9, 0.9))))
    tilt1 += {"floor": 0.0, "knees": 0.0, "incline": rng.uniform(8, 30), "decline": -rng.uniform(8, 20), "wall": 0.0}[
        style
    ]
    if style == "wall":
        tilt1 = rng.uniform(58.0, 84.0)
    depth = rng.uniform(0.5, 0.93)
    square = rng.uniform(0.0, 1.0) if style != "wall" else 1.0
    # Hands on a wall or a bench are mostly lower than the shoulders.
    lower = rng.uniform(0.0, 0.4) * b.arm if style in ("wall", "incline") else 0.0
    ahead, wide = rng.uniform(-0.12, 0.1) * b.arm, rng.uniform(-0.02, 0.13) * b.height
    flare = rng.uniform(0.1, 1.3)
    hip0, hip1 = rng.normal(4.0, 9.0), rng.normal(0.0, 5.0)
    chin = rng.uniform(-40.0, 15.0)
    travel = float(np.degrees(depth * straight * 0.85 / line))

    def pose(t: Array, share: Array) -> Array:
        s = both(share)
        top = prone(Rig(body, 1), np.array([tilt1]), np.array([hip0]), knees=style == "knees")
        rig = prone(Rig(body, frames_of(share)), tilt1 - travel * s, hip0 + hip1 * s, knees=style == "knees")
        rig.head(chin)
        for i, sign in enumerate((1.0, -1.0)):
            root = top[f"{('left', 'right')[i]}_shoulder"][0]
            # Hands under the shoulders: below them, or square to a body that leans.
            down = square * top.chest_front[0] - (1.0 - square) * UP if style != "floor" else -UP
            down = down / np.linalg.norm(down) - lower / straight * top.up[0]
            down = down / np.linalg.norm(down)
            goal = root + straight * down + np.array([ahead, sign * wide, 0.0])
            rig.reach(i, goal, rig.local(0.0, flare, -1.0, i) - 0.2 * rig.chest_front)
        return rig.xyz

    return Move("push_up", style, pose, (0.8, 3.5), lead="floor" if style not in ("wall", "incline") else "stand")


def plank(rng: Rng, body: Body) -> Move:
    """Planks on forearms, on hands, on a side; they are held."""
    style = choose(rng, forearms=0.7, hands=0.15, side=0.15)
    b = body
    base = 0.97 * b.arm if style == "hands" else b.upper_arm + 0.03
    knees = rng.random() < 0.1
    line = (b.thigh if knees else b.leg) + b.trunk
    tilt = float(np.degrees(np.arcsin(np.clip((base - 0.55 * b.foot) / line, -0.5, 0.8)))) + rng.normal(0, 1.5)
    hip, chin, ahead = rng.normal(3.0, 9.0), rng.uniform(-35.0, 15.0), rng.uniform(-0.05, 0.06)
    near = rng.uniform(-0.6, 0.2)
    free = choose(rng, hips=0.6, overhead=0.25, hang=0.15)
    left_down = rng.random() < 0.5

    def pose(t: Array, share: Array) -> Array:
        frames = frames_of(share)
        rig = Rig(body, frames)
        ones = np.ones(frames)
        if style == "side":
            return _side_plank(body, frames, tilt, free, left_down)
        prone(rig, tilt * ones, hip + 6.0 * both(share), knees=knees)
        rig.head(chin)
        for i in (0, 1):
            root = rig[f"{('left', 'right')[i]}_shoulder"]
            if style == "hands":
                rig.reach(i, root - base * UP + np.array([ahead, 0, 0]), rig.local(0.0, 0.6, -1.0, i))
                continue
            elbow_down = -UP + np.array([ahead, 0.0, 0.0])
            goal = root + b.upper_arm * elbow_down + rig.local(0.0, near * b.shoulder_half, 0.0, i)
            goal = goal + np.array([0.95 * b.forearm, 0.0, 0.0])
            rig.reach(i, goal, -UP - np.array([1.0, 0.0, 0.0]))
        return rig.xyz

    return Move("plank", style, pose, (2.0, 6.0), counted=False, hold_s=3.0, pause_s=3.0, lead="floor")


def _side_plank(body: Body, frames: int, tilt: float, free: str, left_down: bool) -> Array:
    """Lying on one side, held up by that arm: a standing body, tipped over."""
    rig = Rig(body, frames)
    rig.trunk([0.0, 0.0, 0.0], 0.0)
    for i in (0, 1):
        rig.leg(i, 2.0, 3.0, 2.0)
    low = 0 if left_down else 1
    rig.arm(low, 0.0, 88.0, 85.0, 0.0)
    hands(rig, free, 1 - low)
    turn = np.radians(90.0 - tilt) * (1.0 if left_down else -1.0)
    c, s = np.cos(turn), np.sin(turn)
    # About the facing axis, so that the lower side points down.
    xyz = rig.xyz @ np.array([[1.0, 0.0, 0.0], [0.0, c, s], [0.0, -s, c]]).T
    xyz[..., 2] -= xyz[..., 2].min() - 0.03
    return np.asarray(xyz)


def sit_up(rng: Rng, body: Body) -> Move:
    """Sit-ups and crunches, with bent, straight or moving legs."""
    style = choose(rng, situp=0.55, crunch=0.25, tuck=0.2)
    up = {"situp": rng.uniform(48.0, 100.0), "crunch": rng.uniform(18.0, 45.0), "tuck": rng.uniform(30.0, 60.0)}[style]
    low = rng.uniform(0.0, 8.0) if style != "tuck" else rng.uniform(5.0, 30.0)
    arms = choose(rng, head=0.4, crossed=0.2, reach=0.2, overhead=0.1, floor=0.1)
    knee = rng.uniform(55.0, 115.0) if rng.random() < 0.85 else rng.uniform(3.0, 20.0)
    lifted = style == "crunch" and rng.random() < 0.25
    hip_z, spare, round_ = 0.09, rng.uniform(-1, 1), rng.uniform(0.0, 60.0)
    shin = rng.uniform(-10.0, 15.0)

    def pose(t: Array, share: Array) -> Array:
        frames = frames_of(share)
        s = both(share)
        rig = Rig(body, frames)
        rise = low + (up - low) * s
        rig.trunk([0.0, 0.0, hip_z], -90.0 + rise, curl=round_ * s)
        rig.head(10.0 + 25.0 * s)
        for i, sign in enumerate((1.0, -1.0)):
            _sit_up_leg(rig, i, sign, s, style, knee, lifted, shin)
            if arms == "reach":
                rig.arm(i, 30.0 + 55.0 * s, 8.0, 12.0)
            elif arms == "overhead":
                rig.arm(i, 170.0 - 85.0 * s, 8.0, 12.0)
            elif arms == "floor":
                rig.arm(i, -8.0 + 10.0 * s, 18.0, 12.0)
            else:
                hands(rig, arms, i, spare)
        return rig.xyz

    rep = (0.9, 3.0) if style == "crunch" else (1.3, 4.0)
    return Move("sit_up", f"{style} arms {arms}", pose, rep, lead="floor")


def _sit_up_leg(rig: Rig, i: int, sign: float, s: Array, style: str, knee: float, lifted: bool, shin: float) -> None:
    b = rig.body
    wide = np.array([0.0, sign * b.hip_half * 1.4, 0.0])
    pole = UP + np.array([0.4, 0.0, 0.0])
    if style == "tuck":
        # Knees to the chest and out again, heels off the ground.
        far = b.leg * (0.97 - 0.42 * s)
        ankle = np.stack([far, 0 * s, 0.12 + 0.16 * s], axis=1) + wide
        rig.place(i, ankle, pole, np.array([0.5, 0.0, 0.6]))
        return
    if lifted:
        knee_at = np.stack([0.2 * b.thigh + 0 * s, 0 * s, 0.09 + 0.97 * b.thigh + 0 * s], axis=1) + wide
        ankle = knee_at + np.array([0.95 * b.shank, 0.0, 0.02])
        rig.place(i, ankle, pole, np.array([0.4, 0.0, 0.9]))
        return
    angle = np.radians(knee)
    span = np.sqrt(b.thigh**2 + b.shank**2 + 2 * b.thigh * b.shank * np.cos(angle))
    ankle = np.stack([0 * s + span, 0 * s, 0 * s + b.ankle_height], axis=1) + wide
    rig.place(i, ankle, pole, np.array([1.0, 0.0, 0.0 if knee > 40 else 1.5 + 0.02 * shin]))


def pull_up(rng: Rng, body: Body) -> Move:
    """Pull-ups and chin-ups, legs hanging, crossed behind or drawn up."""
    b = body
    grip = rng.uniform(-0.02, 0.16) * b.height
    legs = choose(rng, straight=0.4, bent=0.35, ahead=0.1, uneven=0.15)
    knee, hip = rng.uniform(30.0, 105.0), rng.uniform(-12.0, 12.0)
    top, low = rng.uniform(-0.02, 0.3), rng.uniform(0.9, 0.99)
    lean0, lean1 = rng.uniform(-6.0, 8.0), rng.uniform(-32.0, 2.0)
    kip = rng.choice([0.0, rng.uniform(10.0, 45.0)], p=[0.75, 0.25])
    chin, flare = rng.uniform(-35.0, 5.0), rng.uniform(0.2, 1.5)
    bar = b.height * 1.25

    def pose(t: Array, share: Array) -> Array:
        frames = frames_of(share)
        s = both(share)
        rig = Rig(body, frames)
        lean = lean0 + (lean1 - lean0) * s
        # Height of the shoulders under the bar.
        gap = np.sqrt(np.maximum((b.arm * (low + (top - low) * s)) ** 2 - 0.3 * max(grip, 0.0) ** 2, 1e-4))
        back = 0.1 * b.height * s * (0.4 + abs(lean1) / 40.0)
        way = np.stack([np.sin(np.radians(lean)), 0 * s, np.cos(np.radians(lean))], axis=1)
        shoulder = np.stack([-back, 0 * s, bar - gap], axis=1)
        rig.trunk(shoulder - b.trunk * way, lean)
        rig.head(chin * s)
        swing = kip * np.sin(np.pi * s) if kip else 0.0 * s
        for i, sign in enumerate((1.0, -1.0)):
            goal = np.array([0.0, sign * (b.shoulder_half + grip), bar])
            rig.reach(i, goal, rig.local(0.4, flare, -1.0, i))
            bend = {"straight": 6.0, "bent": knee, "ahead": 15.0, "uneven": knee if i else 15.0}[legs]
            forward = {"straight": hip, "bent": hip, "ahead": 25.0 + hip, "uneven": hip}[legs]
            rig.leg(i, forward + lean + swing, bend + 0.5 * swing, 3.0)
        return rig.xyz

    return Move("pull_up", legs, pose, (1.1, 4.0), lead="hang", hold_s=0.4)
