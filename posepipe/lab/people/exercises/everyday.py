"""Walking and running, and what people do between and beside exercises."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.lab.people.exercises.home import fold
from posepipe.lab.people.exercises.move import Move, choose, frames_of, hands, seat, stand, wander
from posepipe.lab.people.exercises.rig import Body, Rig

__all__ = ["beat", "daily", "dance", "idle", "running", "walking"]

Array = NDArray[np.float64]
Rng = np.random.Generator
_STYLES = ("hang", "hips", "crossed", "pockets", "chest", "behind", "head", "weights", "overhead", "forward")


def walking(rng: Rng, body: Body) -> Move:
    """Walking of any style: brisk, slow, stooped, stiff, limping, waddling in small steps, on a treadmill."""
    style = choose(rng, plain=0.4, slow=0.13, stooped=0.1, stiff=0.1, limp=0.12, march=0.03, crouched=0.05, waddle=0.07)
    speed = {"slow": rng.uniform(0.25, 0.8), "plain": rng.uniform(0.8, 1.8)}.get(style, rng.uniform(0.35, 1.2))
    step = float(np.clip(0.42 * np.sqrt(speed) * rng.uniform(0.85, 1.2), 0.12, 0.85))
    cadence = speed / step
    if style == "waddle" or (style in ("limp", "stiff", "slow") and rng.random() < 0.5):
        cadence, step = rng.uniform(0.75, 1.9), rng.uniform(0.06 if style == "waddle" else 0.12, 0.55)
    return _gait(rng, body, "walking", style, cadence, step)


def running(rng: Rng, body: Body) -> Move:
    """Running and jogging, also in place."""
    step = rng.choice([rng.uniform(0.02, 0.1), rng.uniform(0.5, 1.1)], p=[0.2, 0.8])
    return _gait(rng, body, "other", "run", rng.uniform(2.2, 3.3), float(step))


@dataclass(frozen=True, slots=True, eq=False)
class _Gait:
    """How one person walks or runs; arrays are left, right."""

    cadence_hz: float
    step_m: float
    phase: float
    duty: float
    lift_m: Array
    reach: Array
    stiff_m: Array
    worse: int
    lean: float
    dip: float
    arms: str
    swing_deg: Array
    held_deg: Array
    elbow: float
    sway_m: float
    tilt: float
    half_width_m: float
    chin: float
    arms_out: float
    held_out: float
    bounce: float
    turn_deg_s: float
    moves: bool


def _draw_gait(rng: Rng, body: Body, style: str, cadence_hz: float, step_m: float) -> _Gait:
    run, bad = style == "run", int(rng.integers(2))
    lift = np.full(2, rng.uniform(0.15, 0.4) if run else rng.uniform(0.04, 0.14)) + 0.2 * (style == "march")
    reach, stiff, held = np.ones(2), np.zeros(2), np.zeros(2)
    swing = np.full(2, rng.uniform(15, 45) if run else rng.uniform(4, 32))
    if style in ("limp", "stiff"):
        reach[bad] = rng.uniform(0.45, 0.9)
        if rng.random() < 0.5:
            swing[bad], held[bad] = 3.0, rng.uniform(10.0, 80.0)
    if style == "stiff":
        stiff[bad] = rng.uniform(0.03, 0.16)
        if rng.random() < 0.4:
            stiff[:] = stiff[bad]
    lean = {"stooped": rng.uniform(15, 40), "run": rng.uniform(3, 16), "crouched": rng.uniform(5, 20)}.get(
        style, rng.normal(3, 3)
    )
    arms = choose(
        rng, swing=0.44, still=0.12, out=0.07, chest=0.05, pockets=0.05, weights=0.05, hips=0.06, behind=0.02,
        crossed=0.02, head=0.01, talk=0.11,
    )  # fmt: skip
    return _Gait(
        cadence_hz=cadence_hz,
        step_m=step_m,
        phase=rng.uniform(0, 1),
        duty=rng.uniform(0.3, 0.4) if run else rng.uniform(0.58, 0.72),
        lift_m=lift,
        reach=reach,
        stiff_m=stiff,
        worse=bad,
        lean=lean,
        dip=rng.uniform(0.04, 0.14) if style == "crouched" else rng.uniform(0.012, 0.03) + 0.02 * run,
        arms="swing" if run else arms,
        swing_deg=swing,
        held_deg=held,
        elbow=rng.uniform(70, 110) if run else rng.uniform(8, 35),
        sway_m=rng.uniform(0.0, 0.05),
        tilt=rng.uniform(0.0, {"limp": 14.0, "stiff": 14.0, "waddle": 20.0}.get(style, 4.0)),
        half_width_m=rng.uniform(0.5, 2.2) * body.hip_half,
        chin=rng.normal(5, 6),
        arms_out=rng.uniform(3.0, 28.0) if style in ("limp", "stiff") else rng.uniform(4.0, 14.0),
        held_out=rng.uniform(35.0, 95.0),
        bounce=(0.036 if run else 0.012) * body.height / 1.7,
        turn_deg_s=rng.normal(0, 25) if rng.random() < 0.3 else 0.0,
        moves=rng.random() < 0.65,
    )


def _gait(rng: Rng, body: Body, label: str, style: str, cadence_hz: float, step_m: float) -> Move:
    g = _draw_gait(rng, body, style, cadence_hz, step_m)

    def pose(t: Array, share: Array) -> Array:
        rig = Rig(body, frames_of(share))
        cycle = g.phase + 0.5 * cadence_hz * t
        beat = 2 * np.pi * cycle
        low = g.dip + 0.12 * min(step_m, 0.8) ** 2
        z = body.ankle_height + body.leg * (0.99 - low) + g.bounce * np.cos(2 * beat)
        side = g.tilt * np.sin(beat) * (1 if g.worse else -1)
        pelvis = np.stack([0 * t, g.sway_m * np.sin(beat), z], axis=1)
        rig.trunk(pelvis, g.lean, side=side, twist=-4.0 * np.sin(beat)).head(g.chin - 0.5 * g.lean)
        for i, sign in enumerate((1.0, -1.0)):
            rig.step(i, _gait_ankle(g, body, np.mod(cycle + 0.5 * i, 1.0), i, sign), 7.0)
            angle = g.swing_deg[i] * np.sin(beat + np.pi * i - 0.6)
            if g.arms == "swing":
                rig.arm(i, angle, g.arms_out, g.elbow + g.held_deg[i] + 0.3 * np.maximum(angle, 0))
            elif g.arms == "out":  # Balancing.
                rig.arm(i, 5.0 + 0.3 * angle, g.held_out + 14.0 * np.sin(0.37 * beat + 2.0 * i + g.phase), g.elbow)
            elif g.arms == "talk" and i == g.worse:
                w = np.sin(0.61 * beat + g.phase), np.sin(0.23 * beat + 5.0 * g.phase)
                rig.arm(i, 30.0 + 22.0 * w[0], 14.0 + 10.0 * w[1], 70.0 + 25.0 * w[1], 15.0 * w[0])
            elif g.arms in ("still", "talk"):
                rig.arm(i, 3.0, g.arms_out, g.elbow + g.held_deg[i])
            else:
                hands(rig, g.arms, i)
        return _along(rig.xyz, t, g)

    return Move(label, f"{style} arms {g.arms}", pose, counted=False)


def _gait_ankle(g: _Gait, body: Body, p: Array, i: int, sign: float) -> Array:
    """Ankle (F, 3) of one leg at phase p (F,) of its cycle, the ground moving back under the body."""
    on = p < g.duty
    fly = np.clip((p - g.duty) / (1 - g.duty), 0, 1)
    x = np.where(on, 0.5 - p / g.duty, -0.5 + fly * fly * (3 - 2 * fly)) * 2 * g.step_m * g.duty * g.reach[i]
    roll = np.where(on, np.clip((p / g.duty - 0.6) / 0.4, 0, 1), 1 - np.clip(3 * fly, 0, 1))
    clear = g.lift_m[i] * np.sin(np.pi * fly) ** 2 * (1 - 4 * g.stiff_m[i])
    up = body.ankle_height + 0.08 * roll * min(g.step_m / 0.6, 1.0) + clear
    return np.stack([x, sign * (g.half_width_m + g.stiff_m[i] * np.sin(np.pi * fly)), up], axis=1)


def _along(xyz: Array, t: Array, g: _Gait) -> Array:
    """The body turned and moved along its way."""
    turn = np.radians(g.turn_deg_s) * t
    c, s = np.cos(turn)[:, None], np.sin(turn)[:, None]
    xyz = np.stack([c * xyz[..., 0] - s * xyz[..., 1], s * xyz[..., 0] + c * xyz[..., 1], xyz[..., 2]], axis=-1)
    if g.moves and len(t) > 1:
        way = np.stack([np.cos(turn), np.sin(turn)], axis=1)
        shift = g.step_m * g.cadence_hz * np.gradient(t)[:, None] * way
        xyz[..., :2] += (np.cumsum(shift, axis=0) - shift[:1])[:, None]
    return np.asarray(xyz)


def idle(rng: Rng, body: Body) -> Move:
    """Standing or sitting about."""
    seated = rng.random() < 0.25
    style = [str(rng.choice(_STYLES, p=np.array([5, 2, 2, 2, 2, 1, 0.4, 1, 0.3, 0.4]) / 16.1))] * 2
    if rng.random() < 0.4:
        style[1] = str(rng.choice(_STYLES[:5]))
    lean, width, spare = rng.normal(3, 4), rng.uniform(0.1, 0.3) * body.height, rng.uniform(-1, 1)
    seed, restless = int(rng.integers(1 << 31)), rng.uniform(0.3, 3.0)

    def pose(t: Array, share: Array) -> Array:
        rig = Rig(body, frames_of(share))
        w = wander(np.random.default_rng(seed), t, 4, 2.0, restless)
        if seated:
            seat(rig, lean + 3 * w[:, 0])
        else:
            stand(rig, lean + w[:, 0], dip=0.004, width=width, side=w[:, 1], twist=2 * w[:, 2])
        rig.head(5 + 3 * w[:, 3], 8 * w[:, 2])
        for i in (0, 1):
            hands(rig, style[i], i, spare)
        return rig.xyz

    return Move("other", "sitting" if seated else "standing", pose, counted=False, lead="none")


def daily(rng: Rng, body: Body) -> Move:
    """Hands at work: gestures, waving, drinking, reaching, typing, picking things up."""
    kind = choose(rng, gesture=1.5, wave=0.8, drink=1, reach=1, pick_up=1.4, type=0.7, phone=0.6, stretch=0.8, turn=0.8)
    seated = kind in ("type", "gesture", "drink", "phone") and rng.random() < 0.45
    hand, seed = int(rng.integers(2)), int(rng.integers(1 << 31))
    slow, size = rng.uniform(0.8, 2.5), rng.uniform(0.5, 1.3)
    rest = choose(rng, hang=0.7, hips=0.1, pockets=0.2)

    def pose(t: Array, share: Array) -> Array:
        rig = Rig(body, frames_of(share))
        noise = np.random.default_rng(seed)
        w = wander(noise, t, 8, slow, size)
        go = 1.0 / (1.0 + np.exp(-3.0 * (w[:, 7] / size + 0.2)))
        o = 0.0 * t
        if seated:
            seat(rig, 4 + 3 * w[:, 0])
        elif kind == "pick_up":
            fold(rig, 3 + 55 * go, 3 + 12 * go, 2 + 70 * go, 0.18 * body.height, 10.0)
        else:
            stand(rig, 3 + 2 * w[:, 0], twist=(45 if kind == "turn" else 5) * w[:, 1], side=3 * w[:, 2])
        rig.head(6 + 5 * w[:, 0] + (25 if kind in ("type", "phone") else 0), 10 * w[:, 1])
        for i in (0, 1):
            if kind == "pick_up" and (i == hand or size > 0.9):
                hands(rig, "weights", i)
            elif kind == "gesture" and (i == hand or size > 0.8):
                rig.arm(i, 25 + 18 * w[:, 3 + i], 12 + 8 * w[:, 5], 75 + 22 * w[:, 6 - i], 15 * w[:, 4])
            elif kind == "type":
                rig.arm(i, 30 + 3 * w[:, 3], 5 + o, 75 + 5 * w[:, 4 + i])
            elif kind == "stretch":
                rig.arm(i, 5 + 165 * go, 15 + 20 * np.sin(np.pi * go), 20 + 60 * go * (1 - go))
            elif i != hand or kind == "turn":
                hands(rig, rest if not seated else "pockets", i)
            elif kind == "wave":
                rig.arm(i, 20 + o, 70 * go, 60 + 40 * go + 25 * np.sin(9 * t), 70 * go)
            elif kind == "reach":
                rig.arm(i, 10 + 125 * go, 8 + 25 * np.abs(w[:, 4]), 25 * (1 - go))
            else:
                rig.arm(i, 15 + 35 * go, 6 + o, 40 + 95 * go)
        return rig.xyz

    return Move("other", kind.replace("_", " "), pose, counted=False, lead="none")


def dance(rng: Rng, body: Body) -> Move:
    """Every joint goes its own smooth way over standing, stepping legs."""
    seed, slow = int(rng.integers(1 << 31)), rng.uniform(0.5, 2.0)
    size, base = rng.uniform(0.4, 1.2), rng.uniform(0, 80, 2)

    def pose(t: Array, share: Array) -> Array:
        rig = Rig(body, frames_of(share))
        w = wander(np.random.default_rng(seed), t, 18, slow, size)
        bend = 12 + 14 * np.abs(w[:, 0])
        fold(rig, bend, bend * 0.8, 5 + 9 * w[:, 1], (0.2 + 0.04 * w[0, 2]) * body.height, 15.0)
        rig.trunk(rig["pelvis"].copy(), 5 + 9 * w[:, 1], heading=18 * w[:, 3], side=7 * w[:, 4], twist=16 * w[:, 5])
        rig.head(5 + 8 * w[:, 6], 15 * w[:, 7])
        for i, sign in enumerate((1.0, -1.0)):
            up = np.maximum(w[:, 8 + i], 0) * 0.12
            goal = np.stack([0.08 * w[:, 10 + i], sign * (0.13 + 0.03 * w[:, 8 + i]), body.ankle_height + up], axis=1)
            rig.step(i, goal, 15.0, 10 * w[:, 3])
            rig.arm(
                i, base[0] + 35 * w[:, 12 + i], 20 + 22 * w[:, 14 + i], 20 + base[1] * 0.8 + 30 * np.abs(w[:, 16 + i])
            )
        return rig.xyz

    return Move("other", "dance", pose, counted=False, lead="none")


def beat(rng: Rng, body: Body) -> Move:
    """Dancing to a beat on stepping feet, which is no walk: gliding backwards, steps to the side, swaying, bouncing."""
    kind = choose(rng, glide=0.35, side=0.3, sway=0.2, bounce=0.15)
    rate_hz, phase, far = rng.uniform(0.5, 1.3), rng.uniform(0.0, 1.0), rng.uniform(0.6, 1.4)
    style, swing = choose(rng, pump=0.35, swing=0.3, hips=0.1, chest=0.1, hang=0.15), rng.uniform(8.0, 40.0)
    lean, twist, elbow = rng.normal(4.0, 5.0), rng.uniform(0.0, 18.0), rng.uniform(30.0, 105.0)
    moves = rng.random() < 0.6

    def pose(t: Array, share: Array) -> Array:
        rig = Rig(body, frames_of(share))
        cycle = phase + rate_hz * t
        wave, double = np.sin(2 * np.pi * cycle), np.cos(4 * np.pi * cycle)
        width = (0.22 if kind == "sway" else 0.13) * body.height
        bob = {"bounce": 0.05, "sway": 0.02}.get(kind, 0.008) * far
        z = body.ankle_height + body.leg * (0.95 - bob + bob * double)
        across = {"side": 0.1, "sway": 0.05}.get(kind, 0.01) * body.height * far * np.sin(2 * np.pi * (cycle - 0.13))
        rig.trunk(np.stack([0 * t, across, z], axis=1), lean, side=-4.0 * far * wave, twist=twist * wave)
        rig.head(5.0 + 4.0 * double, 6.0 * wave)
        for i, sign in enumerate((1.0, -1.0)):
            # To the side the other foot follows; else they take turns.
            ankle, toes = _beat_foot(kind, np.mod(cycle - (0.12 if kind == "side" else 0.5) * i, 1.0), far, body)
            rig.step(i, ankle + np.array([0.0, sign * 0.5 * width, 0.0]), 10.0)
            rig.foot(i, toes)
            if style == "pump":
                rig.arm(i, 20.0 + swing * np.sin(2 * np.pi * (2 * cycle + 0.5 * i)), 15.0, elbow)
            elif style == "swing":
                rig.arm(i, swing * np.sin(2 * np.pi * (cycle + 0.5 * i)), 12.0, 0.4 * elbow)
            else:
                hands(rig, style, i)
        if moves and kind == "glide":
            rig.xyz[..., 0] -= (2.0 * _GLIDE * body.height * far * rate_hz * (t - t[0]))[:, None]
        return rig.xyz

    return Move("other", f"beat {kind}", pose, counted=False, lead="none")


_GLIDE = 0.11
"""How far a gliding foot goes to the front and to the back, in statures."""


def _beat_foot(kind: str, p: Array, far: float, body: Body) -> tuple[Array, Array]:
    """Ankle (F, 3) of a foot at phase p (F,) of the beat, about where it stands, and where its toes point."""
    o = 0.0 * p
    level = np.stack([o + 1.0, o, o], axis=1)
    if kind == "glide":
        # Flat it slides to the back; on its toes it is the leg that stands, and comes to the front.
        flat = p < 0.5
        x = np.where(flat, 1.0 - 4.0 * p, 4.0 * p - 3.0) * _GLIDE * body.height * far
        tip = np.where(flat, 0.0, np.sin(2.0 * np.pi * (p - 0.5)))
        ankle = np.stack([x, o, body.ankle_height + 0.5 * body.foot * tip], axis=1)
        return ankle, np.stack([1.0 - 0.4 * tip, o, -0.8 * tip], axis=1)
    if kind == "side":
        # A step out and, half a beat later, one back.
        part = np.clip(4.0 * np.mod(p, 0.5), 0.0, 1.0)
        way = np.cos(np.pi * part) * np.where(p < 0.5, -1.0, 1.0)
        up = 0.06 * np.sin(np.pi * part)
        return np.stack([o, 0.14 * body.height * far * way, body.ankle_height + up], axis=1), level
    up = 0.05 * far * np.maximum(np.sin(2.0 * np.pi * p), 0.0) * (kind == "bounce")
    return np.stack([o, o, body.ankle_height + up], axis=1), level
