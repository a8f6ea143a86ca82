"""Jumps on the spot with exact truth: down, up over the toes, through the air, and softly down again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.lab.people.exercises.rig import SIDES, Body, Rig
from posepipe.skeleton import BODY21

__all__ = ["GRAVITY_MPS2", "Jump", "make_jump"]

Array = NDArray[np.float64]

GRAVITY_MPS2 = 9.81
_FEET = BODY21.indices(*(f"{side}_{part}" for side in SIDES for part in ("heel", "foot_index")))
_PELVIS = BODY21.index("pelvis")
_STEP_S = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Jump:
    """Somebody who jumps, over F frames.

    Attributes:
        time_s: (F,).
        xyz_m: (F, 21, 3) Body21 joints, z up, the floor at 0.
        flights_s: (N, 2) when the toes leave the floor and when they touch it again.
        heights_m: (N,) rise of the pelvis from the one to the top.
        body_height_m: stature.
    """

    time_s: Array
    xyz_m: Array
    flights_s: Array
    heights_m: Array
    body_height_m: float


def make_jump(rng: np.random.Generator, *, jumps: int = 2, height_m: float | None = None, fps_hz: float = 30.0) -> Jump:
    """Countermovement jumps.

    Args:
        rng: source of chance.
        jumps: how many.
        height_m: of each; drawn between 0.12 and 0.45 if None.
        fps_hz: frame rate.
    """
    body = Body.random(rng)
    dip, toes_deg = rng.uniform(0.16, 0.32), rng.uniform(25.0, 45.0)
    lean, arms = rng.uniform(20.0, 45.0), rng.uniform(0.0, 60.0)
    parts, flights, heights, start_s = [], [], [], 0.0
    for _ in range(jumps):
        rise = float(rng.uniform(0.12, 0.45)) if height_m is None else height_m
        low, point, lift, span = _course(body, dip, toes_deg, rise, rng.uniform(0.4, 0.8))
        parts.append((low, point, lift))
        flights.append((start_s + span[0], start_s + span[1]))
        heights.append(rise)
        start_s += len(low) * _STEP_S
    low, point, lift = (np.concatenate(course) for course in zip(*parts, strict=True))
    every = np.arange(0.0, start_s - _STEP_S, 1.0 / fps_hz)
    rows = np.round(every / _STEP_S).astype(int)
    xyz = _posed(body, low[rows], point[rows], lean * low[rows] / dip, arms * low[rows] / dip)
    xyz[..., 2] += (lift[rows] - xyz[:, _FEET, 2].min(axis=1) + _rest_m(body))[:, None]
    return Jump(every, xyz, np.array(flights), np.array(heights), body.height)


def _course(
    body: Body, dip: float, toes_deg: float, rise_m: float, rest_s: float
) -> tuple[Array, Array, Array, tuple[float, float]]:
    """Dip, pointing of the toes and height of the toes over the floor, each millisecond; take-off and landing."""
    speed = np.sqrt(2.0 * GRAVITY_MPS2 * rise_m)
    share = np.linspace(0.0, 1.0, 200)
    push_low, push_point = dip * (1.0 - share**2), toes_deg * _ease((share - 0.55) / 0.45)
    level = _pelvis_over_feet(body, push_low, push_point)
    # As long as the pelvis takes to be as fast as the jump needs.
    push_s = (level[-1] - level[-6]) / (5.0 / 199.0) / speed
    down_s = 0.45
    times = [rest_s, down_s, push_s]
    cuts = np.cumsum(times)
    air_s = 2.0 * speed / GRAVITY_MPS2
    land = toes_deg * 0.6
    lands_m = float(_pelvis_over_feet(body, np.zeros(1), np.array([land]))[0])
    # Feet that point down less at landing touch a little later or earlier than at take-off.
    late = level[-1] - lands_m
    air_s = (speed + np.sqrt(max(speed**2 + 2.0 * GRAVITY_MPS2 * late, 0.0))) / GRAVITY_MPS2
    time_s = np.arange(0.0, cuts[-1] + air_s + 0.35 + 0.5, _STEP_S)
    air = time_s - cuts[-1]
    low, point = np.zeros_like(time_s), np.zeros_like(time_s)
    low += dip * _ease((time_s - cuts[0]) / down_s)
    up = np.clip((time_s - cuts[1]) / push_s, 0.0, 1.0)
    low -= dip * up**2
    point += toes_deg * _ease((up - 0.55) / 0.45)
    point -= (toes_deg - land) * _ease(air / air_s)
    after = air - air_s
    soft = np.clip(after / 0.35, 0.0, 1.0)
    point -= land * _ease(soft * 2.0)
    low = low + 0.6 * dip * np.sin(np.pi * soft) * (after > 0)
    pelvis = level[-1] + speed * air - 0.5 * GRAVITY_MPS2 * air**2
    flies = (air > 0.0) & (after < 0.0)
    lift = np.zeros_like(time_s)
    rows = np.flatnonzero(flies)
    lift[rows] = np.maximum(pelvis[rows] - _pelvis_over_feet(body, low[rows], point[rows]), 0.0)
    return low, point, lift, (float(cuts[-1]), float(cuts[-1] + air_s))


def _ease(share: Array) -> Array:
    part = np.clip(share, 0.0, 1.0)
    return np.asarray(part * part * (3.0 - 2.0 * part))


def _rest_m(body: Body) -> float:
    """Height of the lowest joint of a foot flat on the floor."""
    return float(_posed(body, np.zeros(1), np.zeros(1), np.zeros(1), np.zeros(1))[0, _FEET, 2].min())


def _pelvis_over_feet(body: Body, low: Array, point: Array) -> Array:
    xyz = _posed(body, low, point, 0.0 * low, 0.0 * low)
    return np.asarray(xyz[:, _PELVIS, 2] - xyz[:, _FEET, 2].min(axis=1))


def _posed(body: Body, low: Array, point_deg: Array, lean: Array, arms: Array) -> Array:
    """Joints (F, 21, 3), the ankles as high as those of somebody who stands: dip of the legs, toes pointed down."""
    rig = Rig(body, len(low))
    pelvis = np.stack([-0.2 * body.leg * low, 0.0 * low, body.ankle_height + body.leg * (0.992 - low)], axis=1)
    rig.trunk(pelvis, lean)
    turn = np.radians(point_deg)
    toes = np.stack([np.cos(turn), 0.0 * turn, -np.sin(turn)], axis=1)
    ahead = np.broadcast_to(np.array([1.0, 0.0, 0.3]), (len(low), 3))
    for i, sign in enumerate((1.0, -1.0)):
        ankle = np.stack([0.0 * low, 0.0 * low + sign * 1.15 * body.hip_half, 0.0 * low + body.ankle_height], axis=1)
        rig.place(i, ankle, ahead, toes)
        rig.arm(i, arms - 10.0, 8.0, 20.0)
    return rig.xyz
