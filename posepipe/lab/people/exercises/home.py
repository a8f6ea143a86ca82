"""Exercises without equipment: standing, legs, on the floor."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posepipe.lab.people.exercises.move import Move, both, choose, frames_of, hands, seat, stand
from posepipe.lab.people.exercises.rig import UP, Body, Rig, rad

__all__ = [
    "bicep_curl", "deadlift", "fold", "front_raise", "jumping_jack", "lateral_raise", "lunge", "plank", "prone",
    "pull_up", "push_up", "shoulder_press", "sit_up", "squat",
]  # fmt: skip

Array = NDArray[np.float64]
Rng = np.random.Generator


def _sides(rng: Rng, single: float = 0.15, alternate: float = 0.2) -> str:
    return choose(rng, both=1.0 - single - alternate, alternate=alternate, left=single / 2, right=single / 2)


def _rests(sides: str, side: int) -> bool:
    """Whether this side (0 left, 1 right) keeps still because only the other one moves."""
    return sides == ("right", "left")[side]


def _base(rig: Rig, rng: Rng, kind: str, lean: Array | float, dip: Array | float = 0.0) -> Rig:
    """Stand or sit as drawn once; the same generator state gives the same stance."""
    if kind == "seated":
        return seat(
            rig, lean, height=rng.uniform(0.38, 0.6), knee=rng.uniform(70, 100), width=float(rng.uniform(0.2, 0.6))
        )
    if kind == "kneeling":
        rig.trunk([0.0, 0.0, rig.body.thigh * 0.99 + 0.05], lean)
        for i in (0, 1):
            rig.leg(i, 4.0, 88.0)
        return rig
    width = rig.body.height * float(rng.uniform(0.1, 0.32))
    stagger = float(rng.choice([0.0, rng.uniform(-0.3, 0.3)], p=[0.85, 0.15]))
    return stand(rig, lean, dip=0.005 + dip, width=width, toe_out=float(rng.uniform(0, 25)), stagger=stagger)


def _stance(rng: Rng, seated: float) -> tuple[str, int]:
    kind = choose(rng, standing=1.0 - seated - 0.02, seated=seated, kneeling=0.02)
    return kind, int(rng.integers(1 << 31))


def shoulder_press(rng: Rng, body: Body) -> Move:
    """Overhead presses from the rack."""
    sides = _sides(rng, 0.12, 0.1)
    kind, seed = _stance(rng, 0.35)
    tool = choose(rng, barbell=0.4, dumbbells=0.5, landmine=0.04, arnold=0.06)
    lean0, sag = rng.normal(-1.0 if kind != "seated" else -8.0, 4.0), rng.uniform(-8.0, 4.0)
    grip = rng.uniform(0.02, 0.13) if tool == "barbell" else rng.uniform(0.03, 0.16)
    low_up = rng.uniform(-0.03, 0.1) if tool != "arnold" else 0.0
    ahead0 = rng.uniform(0.03, 0.12) if tool in ("barbell", "arnold") else rng.uniform(-0.02, 0.08)
    ahead1 = rng.uniform(-0.03, 0.05) if tool != "landmine" else 0.16
    top = rng.uniform(0.93, 0.995)
    grip1 = grip * rng.uniform(0.4, 1.1) if tool != "barbell" else grip
    flare = rng.uniform(0.1, 1.4)
    dip = rng.choice([0.0, rng.uniform(0.01, 0.05)], p=[0.85, 0.15])
    behind = tool == "barbell" and rng.random() < 0.1
    other = choose(rng, hang=0.5, hips=0.3, rack=0.2)

    def pose(t: Array, share: Array) -> Array:
        rig = Rig(body, frames_of(share))
        s = both(share)
        _base(rig, np.random.default_rng(seed), kind, lean0 + sag * s, dip * np.sin(np.pi * np.clip(s * 2, 0, 1)))
        h = body.height
        for i in (0, 1):
            if _rests(sides, i):
                hands(rig, other, i)
                continue
            u = share[:, i]
            shoulder = rig[f"{('left', 'right')[i]}_shoulder"]
            # Out of the way of the chin on the way up.
            ahead = (1 - u) * ahead0 + u * ahead1 if not behind else -0.06 * (1 - u)
            out = (1 - u) * grip + u * grip1
            up = (1 - u) * low_up * h + u * top * body.arm
            goal = shoulder + rig.local(ahead * h, out * h, 0.0, i) + up[:, None] * np.array([0, 0, 1.0])
            turn = np.clip(u * 1.5, 0, 1) if tool == "arnold" else 1.0
            rig.reach(i, goal, rig.local(1.0 - flare * turn, 0.3 + flare * turn, -1.0, i))
        return rig.xyz

    return Move("shoulder_press", f"{kind} {tool} {sides}", pose, (1.2, 4.0), sides, lead="stand")


def bicep_curl(rng: Rng, body: Body) -> Move:
    """Curls."""
    sides = _sides(rng, 0.22, 0.22)
    kind, seed = _stance(rng, 0.15)
    style = choose(rng, plain=0.62, plate=0.08, preacher=0.08, concentration=0.06, drag=0.04, cheat=0.12)
    if style == "concentration":
        kind, sides = "seated", choose(rng, left=0.5, right=0.5)
    flex0 = rng.normal(2.0, 6.0) + (40.0 if style == "preacher" else 0.0)
    drift = rng.uniform(0.0, 30.0) if style != "drag" else -25.0
    if style in ("plain", "cheat") and rng.random() < 0.2:  # The elbows come along, the weights end at the face.
        drift = rng.uniform(30.0, 65.0)
    low, high = rng.uniform(4.0, 30.0), rng.uniform(108.0, 150.0)
    if rng.random() < 0.2:
        low = rng.uniform(30.0, 80.0)
    out0, turn = rng.uniform(2.0, 20.0), rng.uniform(-25.0, 25.0)
    if style == "plate":  # One weight in both hands.
        sides, out0, turn = "both", rng.uniform(-2.0, 10.0), rng.uniform(-45.0, -20.0)
    lean0 = rng.normal(2.0, 4.0) + (35.0 if style == "concentration" else 0.0) + (12 if style == "preacher" else 0)
    rock = rng.uniform(8.0, 22.0) if style == "cheat" else rng.uniform(0.0, 5.0)
    other = choose(rng, hang=0.7, hips=0.2, pockets=0.1) if kind != "seated" else "pockets"

    def pose(t: Array, share: Array) -> Array:
        rig = Rig(body, frames_of(share))
        swing = np.gradient(both(share)) * 30.0 if len(share) > 1 else 0.0
        _base(rig, np.random.default_rng(seed), kind, lean0 - rock * np.clip(swing, -1, 1))
        if style == "concentration":
            rig.head(25.0)
        for i in (0, 1):
            if _rests(sides, i):
                hands(rig, other, i)
                continue
            u = share[:, i]
            flex = flex0 + drift * u**2 + (lean0 if style == "concentration" else 0.0)
            rig.arm(i, flex, out0, low + (high - low) * u, turn * (1 - 0.5 * u))
        return rig.xyz

    return Move("bicep_curl", f"{kind} {style} {sides}", pose, (1.0, 4.5), sides)


def lateral_raise(rng: Rng, body: Body) -> Move:
    """Arms to the side."""
    sides = _sides(rng, 0.12, 0.06)
    kind, seed = _stance(rng, 0.12)
    high, elbow, ahead = rng.uniform(72.0, 108.0), rng.uniform(3.0, 40.0), rng.uniform(-5.0, 28.0)
    low, lean0, rock = rng.uniform(4.0, 16.0), rng.normal(3.0, 4.0), rng.uniform(0.0, 5.0)
    lead_elbow = rng.uniform(-20.0, 40.0)
    other = choose(rng, hang=0.5, hips=0.5)

    def pose(t: Array, share: Array) -> Array:
        rig = Rig(body, frames_of(share))
        _base(rig, np.random.default_rng(seed), kind, lean0 - rock * both(share))
        for i in (0, 1):
            if _rests(sides, i):
                hands(rig, other, i)
                continue
            u = share[:, i]
            rig.arm(i, ahead * u + 3.0, low + (high - low) * u, elbow, lead_elbow * u)
        return rig.xyz

    return Move("lateral_raise", f"{kind} {sides}", pose, (1.2, 4.0), sides)


def front_raise(rng: Rng, body: Body) -> Move:
    """Arms to the front."""
    sides = _sides(rng, 0.12, 0.3)
    kind, seed = _stance(rng, 0.05)
    high, elbow, out = rng.uniform(78.0, 115.0), rng.uniform(2.0, 30.0), rng.uniform(-10.0, 16.0)
    if rng.random() < 0.12:
        high = rng.uniform(130.0, 175.0)
    low, lean0, rock = rng.normal(6.0, 6.0), rng.normal(2.0, 4.0), rng.uniform(0.0, 9.0)
    other = choose(rng, hang=0.8, hips=0.2)

    def pose(t: Array, share: Array) -> Array:
        rig = Rig(body, frames_of(share))
        _base(rig, np.random.default_rng(seed), kind, lean0 - rock * both(share))
        for i in (0, 1):
            if _rests(sides, i):
                hands(rig, other, i)
                continue
            u = share[:, i]
            rig.arm(i, low + (high - low) * u, 6.0 * (1 - u) + out * u, elbow)
        return rig.xyz

    return Move("front_raise", f"{kind} {sides}", pose, (1.2, 4.0), sides)


# Exercises of the legs: squats, deadlifts, lunges, jumping jacks.


def fold(rig: Rig, thigh: ArrayLike, shank: ArrayLike, lean: ArrayLike, width: float, toe_out: float) -> Rig:
    """Stand with bent legs on planted feet.

    Args:
        rig: to set.
        thigh: (F,) lean of the thighs, back from vertical, degrees; 90 is level.
        shank: (F,) lean of the shanks, forward.
        lean: (F,) of the trunk, forward.
        width: between the ankles, metres.
        toe_out: of each foot.
    """
    b = rig.body
    th, sh = rad(thigh), rad(shank)
    # Seen from the side, legs that spread to the knees are shorter.
    spread = np.cos(np.radians(toe_out) * np.sin(th))
    down = b.shank * np.cos(sh) + b.thigh * np.cos(th)
    ahead = b.shank * np.sin(sh) - b.thigh * np.sin(th) * spread
    side = max(width / 2.0 - b.hip_half, 0.0)
    down = np.sqrt(np.maximum(down**2 - 0.3 * side**2, 0.02))
    rig.trunk(np.stack([ahead, 0 * ahead, b.ankle_height + down], axis=1), lean)
    for i, sign in enumerate((1.0, -1.0)):
        rig.step(i, np.array([0.0, sign * width / 2.0, b.ankle_height]), toe_out)
    return rig


def squat(rng: Rng, body: Body) -> Move:
    """Squats, however the arms are held."""
    arms = choose(
        rng,
        bar=0.3, forward=0.14, raising=0.14, chest=0.14, weights=0.08, crossed=0.05, hips=0.05, head=0.06, rack=0.06,
        overhead=0.02, hang=0.03, straps=0.03,
    )  # fmt: skip
    toe_out = rng.uniform(5.0, 40.0)
    width = body.height * rng.uniform(0.13, 0.36)
    thigh, shank = rng.uniform(58.0, 118.0), rng.uniform(10.0, 38.0)
    lean = rng.uniform(12.0, 58.0) if arms not in ("rack", "chest", "overhead") else rng.uniform(5.0, 35.0)
    if rng.random() < 0.15:  # A half squat.
        thigh, lean = rng.uniform(38.0, 58.0), 0.6 * lean
    lean0, bend0, early = rng.normal(2.0, 3.0), rng.uniform(2.0, 12.0), rng.uniform(0.8, 1.25)
    spare, chin = rng.uniform(-1.0, 1.0), rng.uniform(-0.6, 0.3)
    level = rng.uniform(0.0, 1.0)  # Arms held out go down with the trunk, or stay level.

    def pose(t: Array, share: Array) -> Array:
        rig = Rig(body, frames_of(share))
        s = both(share)
        inclined = lean0 + (lean - lean0) * s**early
        fold(rig, bend0 + (thigh - bend0) * s, bend0 + (shank - bend0) * s, inclined, width, toe_out)
        rig.head(5.0 + chin * inclined)
        for i in (0, 1):
            if arms == "raising":
                rig.arm(i, 4.0 + (86.0 + 12.0 * spare) * s + level * inclined * s, 8.0 * (1 - s), 12.0)
            elif arms == "forward":
                rig.arm(i, 88.0 + 8.0 * spare + level * inclined * s, 4.0, 8.0)
            else:
                hands(rig, arms, i, spare)
        return rig.xyz

    return Move("squat", f"arms {arms}", pose, (1.0, 4.5), hold_s=0.8)


def deadlift(rng: Rng, body: Body) -> Move:
    """Deadlifts; share 0 is at the floor, 1 upright."""
    style = choose(rng, conventional=0.5, sumo=0.12, stiff=0.28, dumbbells=0.1)
    thigh = {"conventional": (45, 78), "sumo": (55, 82), "stiff": (18, 42), "dumbbells": (35, 65)}[style]
    lean = {"conventional": (48, 80), "sumo": (35, 60), "stiff": (65, 95), "dumbbells": (50, 80)}[style]
    thigh_deg, lean_deg = rng.uniform(*thigh), rng.uniform(*lean)
    shank = rng.uniform(0.0, 16.0) if style != "stiff" else rng.uniform(-6.0, 5.0)
    width = body.height * (rng.uniform(0.3, 0.5) if style == "sumo" else rng.uniform(0.09, 0.22))
    toe_out = rng.uniform(20.0, 45.0) if style == "sumo" else rng.uniform(0.0, 20.0)
    grip = rng.uniform(-0.02, 0.06) if style != "sumo" else rng.uniform(-0.05, 0.0)
    knees_first, top = rng.uniform(0.8, 1.6), rng.normal(0.0, 3.0)
    chin = rng.uniform(-0.7, 0.3)

    def pose(t: Array, share: Array) -> Array:
        rig = Rig(body, frames_of(share))
        s = np.maximum(1.0 - both(share), 0.0)  # 1 at the floor
        inclined = top + (lean_deg - top) * s
        bend = 3.0 + (thigh_deg - 3.0) * s**knees_first
        fold(rig, bend, 3.0 + (shank - 3.0) * s, inclined, width, toe_out)
        rig.head(5.0 + chin * inclined)
        for i in (0, 1):
            name = ("left", "right")[i]
            down = np.array([0.03 * body.height, 0.0, -0.99 * body.arm])
            goal = rig[f"{name}_shoulder"] + down + rig.local(0.0, grip * body.height, 0.0, i)
            # Held weights stay before the thighs, not in them.
            clear = (rig[f"{name}_knee"][:, 0] * s + 0.07 * body.height) * (0.3 + 0.7 * s)
            goal = goal.copy()
            goal[:, 0] = np.maximum(goal[:, 0], np.minimum(clear, goal[:, 0] + 0.15))
            rig.reach(i, goal, rig.local(-1.0, 0.6, 0.0, i))
        return rig.xyz

    return Move("deadlift", style, pose, (1.6, 4.5), pause_s=1.0, hold_s=1.0)


def lunge(rng: Rng, body: Body) -> Move:
    """Lunges: steps ahead or back, split squats, to the side; the share of a side is its own lunge."""
    style = choose(rng, forward=0.4, reverse=0.25, split=0.28, side=0.07)
    sides = choose(rng, alternate=0.65, left=0.175, right=0.175) if style != "split" else choose(rng, left=1, right=1)
    arms = choose(rng, hang=0.2, weights=0.27, hips=0.19, chest=0.1, bar=0.1, head=0.04, forward=0.05, straps=0.05)
    reach = rng.uniform(0.32, 0.52) * body.height
    low = rng.uniform(0.28, 0.46)
    lean, width = rng.uniform(0.0, 22.0), body.height * rng.uniform(0.06, 0.14)
    spare, foot_up = rng.uniform(-1, 1), rng.random() < 0.15
    step_share = rng.uniform(0.45, 0.65)

    def pose(t: Array, share: Array) -> Array:
        rig = Rig(body, frames_of(share))
        u = both(share)
        left_now = np.full(len(u), sides == "left") if sides != "alternate" else share[:, 0] >= share[:, 1]
        b = body
        if style == "split":
            moved, sunk = np.full(len(u), 1.0), u
        else:
            moved, sunk = np.clip(u / step_share, 0, 1), np.clip((u - 0.25) / 0.75, 0, 1)
            moved = moved**2 * (3 - 2 * moved)
        height = b.ankle_height + b.leg * (0.985 - (low + 0.03) * sunk - 0.03 * moved)
        direction = {"forward": 1.0, "reverse": -1.0, "split": 0.5, "side": 0.0}[style]
        x = direction * 0.5 * reach * moved if style != "split" else 0.0 * u
        y = np.where(left_now, 1.0, -1.0) * (0.35 * reach * moved if style == "side" else 0.0)
        rig.trunk(np.stack([x, y, height], axis=1), lean * sunk + 2.0)
        rig.head(5.0)
        lift = 0.08 * np.sin(np.pi * moved) * (style != "split")
        for i, sign in enumerate((1.0, -1.0)):
            mine = left_now if i == 0 else ~left_now
            ahead = {"forward": 1.0, "reverse": -1.0, "split": 0.5, "side": 0.0}[style] * reach * moved
            still = -0.5 * reach * moved if style == "split" else 0.0 * moved
            gx = np.where(mine, ahead, still)
            out = 0.9 * reach * moved * mine if style == "side" else 0.0 * u
            # A foot that stays behind stands on its toes.
            behind = (~mine if style in ("forward", "split") else mine) & (style != "side")
            tip = behind * moved * (0.55 * b.foot * np.clip(sunk + 0.3, 0, 1) + (0.3 * b.leg if foot_up else 0.0))
            gz = b.ankle_height + np.where(mine, lift, 0.0) + tip
            goal = np.stack([gx, sign * (width + out), gz], axis=1)
            rig.step(i, goal, 6.0 if style != "side" else 15.0)
            down = np.where(behind[:, None] & (tip[:, None] > 0.02), np.array([0.7, 0, -0.7]), np.array([1.0, 0, 0]))
            rig.foot(i, down)
            hands(rig, arms, i, spare)
        return rig.xyz

    return Move("lunge", f"{style} {sides} arms {arms}", pose, (1.3, 3.8), sides, hold_s=0.5)


def jumping_jack(rng: Rng, body: Body) -> Move:
    """Jumping jacks, whole or with arms or legs only partly taken along."""
    style = choose(rng, jump=0.8, step=0.12, half=0.08)
    high = rng.uniform(140.0, 178.0) if style != "half" else rng.uniform(85.0, 115.0)
    low, elbow0, elbow1 = rng.uniform(5.0, 15.0), rng.uniform(5.0, 35.0), rng.uniform(5.0, 50.0)
    close, wide = body.height * rng.uniform(0.06, 0.14), body.height * rng.uniform(0.34, 0.6)
    hop, dip = rng.uniform(0.02, 0.09), rng.uniform(0.01, 0.06)
    front = rng.uniform(0.0, 25.0)
    one = style == "step"

    def pose(t: Array, share: Array) -> Array:
        rig = Rig(body, frames_of(share))
        s = both(share)
        gap = close + (wide - close) * s
        up = hop * np.sin(np.pi * np.clip(s, 0, 1)) * (not one)
        spread = np.maximum(gap / 2 - body.hip_half, 0.0)
        leg = body.leg * (0.99 - dip * (0.3 + 0.7 * s))
        z = body.ankle_height + np.sqrt(leg**2 - spread**2) + up
        rig.trunk(np.stack([0 * s, 0 * s, z], axis=1), 3.0)
        for i, sign in enumerate((1.0, -1.0)):
            goal = np.stack([0 * s, sign * gap / 2, body.ankle_height + up], axis=1)
            rig.step(i, goal, 8.0 + 12.0 * s)
            angle = low + (high - low) * s
            rig.arm(i, *_over(angle, front), elbow0 + (elbow1 - elbow0) * s, 60.0)
        return rig.xyz

    return Move("jumping_jack", style, pose, (0.75, 2.2), "both", hold_s=0.05, pause_s=0.15)


def _over(angle: Array, front: float) -> tuple[Array, Array]:
    """Flexion and abduction of an arm raised by `angle` in a plane `front` degrees ahead of the body's."""
    a, p = np.radians(angle), np.radians(front)
    ahead, out, down = np.sin(a) * np.sin(p), np.sin(a) * np.cos(p), np.cos(a)
    return np.degrees(np.arctan2(ahead, down)), np.degrees(np.arcsin(np.clip(out, -1, 1)))


# Exercises on the floor and on the bar: push-ups, planks, sit-ups, pull-ups.


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
