"""Exercises of the legs: squats, deadlifts, lunges, jumping jacks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posepipe.synth.exercises.move import Move, both, choose, frames_of, hands
from posepipe.synth.exercises.rig import Body, Rig, rad

__all__ = ["deadlift", "fold", "jumping_jack", "lunge", "squat"]

Array = NDArray[np.float64]
Rng = np.random.Generator


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
