"""Training movements that have no label of their own: they are `other`, and must not be called anything else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from posepipe.lab.people.exercises.home import fold, prone, pull_up
from posepipe.lab.people.exercises.move import Move, both, choose, frames_of, hands, seat, stand
from posepipe.lab.people.exercises.rig import UP, Body, Rig

__all__ = ["gym"]

Array = NDArray[np.float64]
Rng = np.random.Generator
_Draw = Callable[[Rig, Array, Array], None]


def _move(variant: str, body: Body, draw: _Draw, rep_s: tuple[float, float], lead: str = "stand") -> Move:
    """A movement of both sides from a function that sets the rig."""

    def pose(t: Array, share: Array) -> Array:
        rig = Rig(body, frames_of(share))
        draw(rig, t, share)
        return rig.xyz

    sides = "alternate" if variant in _ALTERNATE else "both"
    return Move("other", variant, pose, rep_s, sides, False, lead=lead)


_ALTERNATE = {"high knees", "mountain climber", "boxing", "kicks", "leg swing", "russian twist", "side bend", "twist"}


def _bench_press(rng: Rng, body: Body) -> Move:
    wide, low, high = rng.uniform(0.0, 0.12) * body.height, rng.uniform(0.05, 0.4), rng.uniform(0.9, 0.99)
    flare, bench, tilt = rng.uniform(0.3, 1.5), rng.uniform(0.1, 0.5), rng.choice([0.0, rng.uniform(10, 45)])

    def draw(rig: Rig, t: Array, share: Array) -> None:
        rig.trunk([0.0, 0.0, bench + 0.08], -88.0 + tilt)
        rig.head(0.0)
        for i, sign in enumerate((1.0, -1.0)):
            u = share[:, i]
            root = rig[f"{('left', 'right')[i]}_shoulder"]
            goal = root + (body.arm * (low + (high - low) * u))[:, None] * UP + np.array([0.03, sign * wide, 0.0])
            rig.reach(i, goal, rig.local(-0.2, flare, -0.8, i))
            rig.step(i, np.array([0.85 * body.thigh, sign * 0.2, body.ankle_height]), 10.0)

    return _move("bench press", body, draw, (1.0, 3.5), "floor")


def _shrug(rng: Rng, body: Body) -> Move:
    lift, style = rng.uniform(0.03, 0.09), choose(rng, weights=0.7, hang=0.3)

    def draw(rig: Rig, t: Array, share: Array) -> None:
        stand(rig, 2.0).shrug(lift * both(share))
        for i in (0, 1):
            hands(rig, style, i)

    return _move("shrug", body, draw, (0.8, 2.5))


def _upper(rng: Rng, body: Body) -> Move:
    """Arm exercises beside the known ones."""
    kind = choose(
        rng, triceps=1, overhead_triceps=1, upright_row=1, bent_row=1.3, fly=1, circles=1, pushdown=0.7, rear_fly=0.7,
        clap=0.5, rotate=0.6, extension=0.5, pullover=0.5, scarecrow=0.4, y_raise=0.3,
    )  # fmt: skip
    lean = {"bent_row": rng.uniform(35, 80), "rear_fly": rng.uniform(40, 80), "triceps": rng.uniform(30, 70)}.get(
        kind, rng.normal(2, 4)
    )
    a, c = rng.uniform(0.8, 1.1), rng.uniform(-1, 1)

    def draw(rig: Rig, t: Array, share: Array) -> None:
        s = both(share)
        if lean > 25:
            fold(rig, 22.0 + 0 * s, 8.0 + 0 * s, lean + 0 * s, 0.16 * body.height, 8.0)
        else:
            stand(rig, lean)
        for i in (0, 1):
            u = share[:, i]
            rig.arm(i, *_upper_arm(kind, u, a, c, lean))

    return _move(kind.replace("_", " "), body, draw, (0.9, 3.0))


def _upper_arm(kind: str, u: Array, a: float, c: float, lean: float) -> tuple[Array, Array, Array, Array]:
    """Flexion, abduction, elbow and rotation over the course."""
    o = 0.0 * u
    table = {
        "triceps": (-lean * 0.9 + o, 8 + o, 100 - 95 * u * a, o),
        "overhead_triceps": (172 + o, 8 + o, 115 - 105 * u, o),
        "upright_row": (10 + 10 * u, 8 + 72 * u * a, 12 + 95 * u, -80 * u),
        "bent_row": (lean + 5 - (lean + 40) * u * a, 12 + 10 * u, 8 + 82 * u, o),
        "fly": (88 + 6 * c + o, 75 - 75 * u, 25 + o, o),
        "circles": (15 * np.sin(2 * np.pi * u), 85 + 12 * np.cos(2 * np.pi * u), 6 + o, o),
        "pushdown": (14 + o, 6 + o, 110 - 100 * u, o),
        "rear_fly": (lean * (1 - 0.9 * u), 5 + 80 * u * a, 20 + o, o),
        "clap": (178 * u, 8 + 20 * np.sin(np.pi * u), 12 + o, o),
        "rotate": (5 + o, 8 + o, 88 + o, -45 + 90 * u),
        "extension": (5 - 50 * u * a, 8 + o, 8 + o, o),
        "pullover": (170 - 130 * u * a, 6 + o, 15 + o, o),
        "scarecrow": (o, 88 + o, 88 + o, -60 + 150 * u),
        "y_raise": (70 * u * a + 80 * u, 10 + 45 * np.sin(np.pi * u / 2), 6 + o, o),
    }
    return table[kind]


def _legs(rng: Rng, body: Body) -> Move:
    """Leg exercises beside the known ones."""
    kind = choose(
        rng, high_knees=1.2, calf=1, wall_sit=4.0, jump_squat=1, swing=0.8, thruster=1, good_morning=0.7,
        kettlebell=0.8, hop=1, butt_kicks=0.6, leg_raise=0.7, step_up=0.7, skip=0.8, clean=1,
    )  # fmt: skip
    arms = choose(rng, hang=0.4, hips=0.2, chest=0.2, forward=0.2)
    deep, fast = rng.uniform(60.0, 105.0), rng.uniform(0.8, 1.2)
    spare, width = rng.uniform(-1, 1), rng.uniform(0.12, 0.28) * body.height
    slide = float(rng.choice([2.0, 30.0, deep - 5.0], p=[0.5, 0.1, 0.4]))  # Held, or up and down the wall.
    ahead = rng.uniform(0.75, 1.1) * body.thigh

    def draw(rig: Rig, t: Array, share: Array) -> None:
        s = both(share)
        o = 0.0 * s
        if kind in ("high_knees", "butt_kicks", "swing", "leg_raise", "step_up"):
            _one_leg(rig, kind, share, deep, arms, spare)
            return
        if kind == "wall_sit":
            _on_the_wall(rig, deep - slide * s, ahead, width)
            arms_now = arms
        elif kind in ("calf", "hop", "skip"):
            stand(rig, 2.0, rise=(0.05 if kind == "calf" else 0.12 if kind == "skip" else 0.3 * fast) * s)
            arms_now = arms if kind == "calf" else "hang"
        else:
            low = 1.0 - s if kind in ("kettlebell", "clean", "thruster", "jump_squat") else s
            flight = np.clip((s - 0.8) / 0.2, 0, 1) if kind == "jump_squat" else o
            th = {"good_morning": 25.0, "kettlebell": 40.0, "clean": 70.0}.get(kind, deep)
            lean = {"good_morning": 75.0, "kettlebell": 60.0, "clean": 60.0}.get(kind, 30.0)
            fold(rig, 4 + th * low, 3 + 15.0 * low * (th > 45), 2 + lean * low, width, 12.0)
            rig.xyz[..., 2] += (0.3 * np.sin(np.pi / 2 * flight))[:, None]
            arms_now = "bar" if kind == "good_morning" else arms
        for i in (0, 1):
            _leg_arms(rig, kind, i, s, arms_now, spare)

    rep = (0.5, 1.4) if kind in ("high_knees", "hop", "skip", "butt_kicks", "kettlebell") else (1.2, 3.5)
    return _move(kind.replace("_", " "), body, draw, rep)


def _on_the_wall(rig: Rig, thigh: Array, ahead: float, width: float) -> None:
    """Back on a wall, the feet standing ahead of it; the thighs `thigh` degrees from vertical."""
    b = rig.body
    far = np.minimum(b.thigh * np.sin(np.radians(np.maximum(thigh, 0.0))), ahead)
    shin = np.sqrt(np.maximum(b.shank**2 - (ahead - far) ** 2, 0.04))
    straight = np.sqrt((0.985 * b.leg) ** 2 - ahead**2)
    drop = np.minimum(shin + b.thigh * np.cos(np.radians(thigh)), straight)
    rig.trunk(np.stack([0.0 * drop, 0.0 * drop, b.ankle_height + drop], axis=1), 0.0 * drop)
    for i, sign in enumerate((1.0, -1.0)):
        rig.step(i, np.array([ahead, sign * width / 2.0, b.ankle_height]), 8.0)


def _leg_arms(rig: Rig, kind: str, i: int, s: Array, arms: str, spare: float) -> None:
    o = 0.0 * s
    if kind == "thruster":
        rig.arm(i, 30.0 + 145.0 * np.clip(2 * s - 1, 0, 1), 12 + o, 140 - 130 * np.clip(2 * s - 1, 0, 1))
    elif kind == "kettlebell":
        rig.arm(i, 10 + 80 * s + 25 * (1 - s), o, 8 + o)
    elif kind == "clean":
        # From the floor to the shoulders, then overhead.
        pull, push = np.clip(s / 0.5, 0, 1), np.clip((s - 0.6) / 0.4, 0, 1)
        rig.arm(i, 55 * (1 - pull) + 35 * pull + 140 * push, 10 + o, 8 + 130 * pull**3 - 125 * push)
    elif kind == "skip":
        rig.arm(i, 5 + o, 25 + o, 60 + o, 50 + o)
    elif kind == "jump_squat":
        rig.arm(i, -20 + 120 * (1 - s), 8 + o, 25 + o)
    else:
        hands(rig, arms, i, spare)


def _one_leg(rig: Rig, kind: str, share: Array, deep: float, arms: str, spare: float) -> None:
    """Standing on one leg at a time."""
    b = rig.body
    s = both(share)
    rig.trunk(np.stack([0 * s, 0 * s, 0 * s + b.stand], axis=1), 3.0 + (6.0 * s if kind == "step_up" else 0.0))
    for i in (0, 1):
        u = share[:, i]
        if kind == "high_knees":
            rig.leg(i, 4 + deep * u, 8 + 95 * u)
            rig.arm(i, -15 + 60 * share[:, 1 - i], 8, 80.0) if arms != "hips" else hands(rig, arms, i)
            continue
        if kind == "butt_kicks":
            rig.leg(i, 2 + 5 * u, 8 + 105 * u)
        elif kind == "swing":
            rig.leg(i, 2 + (deep - 20) * u, 6 + 6 * u)
        elif kind == "leg_raise":
            rig.leg(i, 2.0, 6.0, 3 + 0.5 * deep * u)
        else:
            rig.leg(i, 4 + 70 * u, 8 + 85 * u)
        hands(rig, arms, i, spare)


def _floor(rng: Rng, body: Body) -> Move:
    """Floor exercises beside the known ones."""
    kind = choose(
        rng, bridge=1, leg_raises=1, russian_twist=1, climber=1, superman=0.7, dead_bug=0.7, all_fours=0.8, burpee=1.2,
        lying=1.2, cobra=0.6, dips=0.7, hang=0.8, knees_to_bar=0.6, butterfly=0.4,
    )  # fmt: skip
    knee, deep, spare = rng.uniform(60, 110), rng.uniform(40, 90), rng.uniform(-1, 1)
    hang = pull_up(rng, body)

    def pose(t: Array, share: Array) -> Array:
        rig = Rig(body, frames_of(share))
        if kind in ("hang", "knees_to_bar"):
            xyz = hang.pose(t, 0.04 * share)
            if kind == "hang":
                return xyz
            rig.xyz[:] = xyz
            for i in (0, 1):
                rig.leg(i, deep * share[:, i], 0.9 * deep * share[:, i])
            return rig.xyz
        _floor_pose(rig, kind, share, knee, deep, spare)
        return rig.xyz

    sides = "alternate" if kind in ("climber", "russian_twist", "dead_bug", "all_fours") else "both"
    lead = "hang" if kind in ("hang", "knees_to_bar") else "floor"
    rep = (0.4, 1.2) if kind == "climber" else (1.0, 4.0)
    return Move("other", kind.replace("_", " "), pose, rep, sides, False, lead=lead)


def _floor_pose(rig: Rig, kind: str, share: Array, knee: float, deep: float, spare: float) -> None:
    b = rig.body
    s = both(share)
    o = 0.0 * s
    if kind in ("climber", "burpee", "cobra", "superman", "all_fours"):
        _face_down(rig, kind, share, deep)
        return
    if kind == "dips":
        rig.trunk(np.stack([o, o, b.stand - 0.5 * b.upper_arm - 0.6 * b.upper_arm * s], axis=1), 8 + 20 * s)
        for i, sign in enumerate((1.0, -1.0)):
            rig.leg(i, 8 + o, 20 + knee * 0.6 + o)
            rig.reach(i, np.array([0.0, sign * 0.26, b.stand - 0.06]), rig.local(-1, 0.2, 0.4, i))
        return
    rise = {"russian_twist": 45.0, "lying": 0.0, "butterfly": 85.0}.get(kind, 0.0)
    lift = 0.28 * b.leg * s if kind == "bridge" else o
    lean = -90.0 + rise - (np.degrees(np.arcsin(np.clip(lift / b.trunk, 0, 0.9))) if kind == "bridge" else 0.0)
    turn = 45 * (share[:, 0] - share[:, 1]) if kind == "russian_twist" else o
    rig.trunk(np.stack([o, o, 0.09 + lift], axis=1), lean, twist=turn).head(10.0)
    for i in (0, 1):
        u = share[:, i]
        if kind == "leg_raises":
            rig.leg(i, 3 + deep * u, 6 + o)
            rig.arm(i, -4 + o, 14 + o, 8 + o)
        elif kind == "dead_bug":
            rig.leg(i, 90 - 70 * u, 90 - 70 * u)
            rig.arm(i, 90 + 75 * share[:, 1 - i], 6 + o, 8 + o)
        elif kind in ("russian_twist", "butterfly"):
            rig.leg(i, 75 + o, knee + o, 5 if kind == "russian_twist" else 45)
            hands(rig, "chest", i, spare)
        else:
            ahead = b.thigh + b.shank * np.cos(np.radians(knee)) if kind == "bridge" or spare > 0 else 0.98 * b.leg
            rig.step(i, np.array([ahead, (0.12, -0.12)[i], b.ankle_height]), 8.0)
            if kind == "lying" and spare < -0.3:
                hands(rig, "head" if spare < -0.7 else "crossed", i)
            else:
                rig.arm(i, -4 + o, 16 + o, 8 + o)


def _face_down(rig: Rig, kind: str, share: Array, deep: float) -> None:
    b = rig.body
    s = both(share)
    o = 0.0 * s
    if kind == "cobra" or kind == "superman":
        rig.trunk([0.0, 0.0, 0.12], 88 - 0.45 * deep * s).head(-10 - 15 * s)
        for i in (0, 1):
            rig.leg(i, -(15 * s if kind == "superman" else o) + (0.4 * deep * s if kind == "cobra" else o), 4 + o)
            rig.arm(
                i,
                165 + o if kind == "superman" else 60 - 10 * s,
                10 + o,
                10 + o if kind == "superman" else 60 * (1 - s),
            )
        return
    if kind == "all_fours":
        rig.trunk([0.0, 0.0, b.thigh + 0.04], 82.0 + o).head(-20.0)
        for i in (0, 1):
            rig.leg(i, 84 - 80 * share[:, i], 88 - 70 * share[:, i])
            rig.arm(i, 84 + 70 * share[:, 1 - i], 2 + o, 8 + o)
        return
    down = np.ones_like(s) if kind == "climber" else np.clip(2 * s - 0.5, 0, 1)
    tilt = float(np.degrees(np.arcsin(np.clip(0.9 * b.arm / (b.leg + b.trunk), 0, 0.9))))
    upright = Rig(b, rig.frames)
    fold(upright, 3.0 + 100 * np.clip(2.5 * s, 0, 1), 3 + 20 * np.clip(2.5 * s, 0, 1), 2 + 45 * s, 0.2 * b.height, 8.0)
    for i in (0, 1):
        upright.arm(i, 5 + 80 * np.clip(2 * s, 0, 1) + 170 * np.clip(1 - 4 * s, 0, 1), 8 + o, 12 + o)
    prone(rig, tilt + o, 8 + o)
    for i in (0, 1):
        root = rig[f"{('left', 'right')[i]}_shoulder"]
        rig.reach(i, root - 0.96 * b.arm * UP, rig.local(0, 0.6, -1, i))
        if kind == "climber":
            rig.leg(i, 12 + deep * share[:, i], 6 + 95 * share[:, i])
    low = down[:, None, None]
    rig.xyz[:] = low * rig.xyz + (1.0 - low) * upright.xyz if kind == "burpee" else rig.xyz


def _combat(rng: Rng, body: Body) -> Move:
    """Punches, kicks, twists and bends."""
    kind = choose(rng, boxing=1, kicks=1, twist=1, side_bend=1, toe_touch=1, swing_bat=1)
    size, arms = rng.uniform(0.6, 1.2), choose(rng, hang=0.3, hips=0.4, chest=0.3)

    def draw(rig: Rig, t: Array, share: Array) -> None:
        d = share[:, 0] - share[:, 1]
        o = 0 * d
        if kind == "toe_touch":
            fold(rig, 10 + 12 * both(share), 2 + o, 2 + 95 * size * both(share), 0.2 * body.height, 8.0)
        else:
            stand(
                rig,
                6.0,
                side=35 * size * d if kind == "side_bend" else 0.0,
                twist={"twist": 55, "boxing": 25, "swing_bat": 70}.get(kind, 0) * size * d,
                width=0.22 * body.height,
                stagger=0.25 if kind == "boxing" else 0.0,
            )
        for i in (0, 1):
            u = share[:, i]
            if kind == "boxing":
                rig.arm(i, 40 + 48 * u, 10 + o, 125 - 120 * u)
            elif kind == "kicks":
                rig.leg(i, 4 + 80 * size * u, 10 + 60 * u * (1 - u))
                hands(rig, "chest", i)
            elif kind == "toe_touch":
                hands(rig, "weights", i)
            elif kind == "swing_bat":
                rig.arm(i, 70 + 15 * d, -15 + o, 30 + o)
            else:
                hands(rig, arms, i)

    sides = "both" if kind == "toe_touch" else "alternate"
    base = _move(kind.replace("_", " "), body, draw, (0.6, 3.0))
    return Move("other", base.variant, base.pose, base.rep_s, sides, False)


def _sit_stand(rng: Rng, body: Body) -> Move:
    """Sitting down and standing up."""
    height, lean = rng.uniform(0.38, 0.55), rng.uniform(20.0, 45.0)
    arms, spare = choose(rng, hang=0.4, crossed=0.25, forward=0.15, hips=0.2), rng.uniform(-1, 1)

    def draw(rig: Rig, t: Array, share: Array) -> None:
        s = both(share)
        seated = seat(Rig(body, rig.frames), 0.0, height=height)["pelvis"]
        shift = np.stack([body.thigh * 0.9 + 0.0 * s, 0 * s, body.stand + 0 * s], axis=1)
        pelvis = (1 - s)[:, None] * shift + s[:, None] * seated
        rig.trunk(pelvis, 2 + lean * np.sin(np.pi * np.clip(s, 0, 1)))
        for i, sign in enumerate((1.0, -1.0)):
            rig.step(i, np.array([body.thigh + 0.02, sign * 0.13, body.ankle_height]), 8.0)
            hands(rig, arms, i, spare)

    base = _move("sit to stand", body, draw, (1.8, 4.5))
    return Move("other", base.variant, base.pose, base.rep_s, "both", False, 2.0, 2.0)


_FAMILIES = (_bench_press, _shrug, _upper, _legs, _floor, _combat, _sit_stand)
_WEIGHTS = np.array([0.2, 0.06, 0.2, 0.23, 0.14, 0.09, 0.08])


def gym(rng: Rng, body: Body) -> Move:
    """One of some fifty training movements."""
    return _FAMILIES[int(rng.choice(len(_FAMILIES), p=_WEIGHTS))](rng, body)
