"""Arm exercises on one's feet or on a seat: presses, curls, raises."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posepipe.synth.exercises.move import Move, both, choose, frames_of, hands, seat, stand
from posepipe.synth.exercises.rig import Body, Rig

__all__ = ["bicep_curl", "front_raise", "lateral_raise", "shoulder_press"]

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
