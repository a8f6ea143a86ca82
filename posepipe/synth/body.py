"""What a synthetic person is like: stature, proportions, girths, clothes; and the feet missing in motion capture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posepipe.errors import UsageError
from posepipe.skeleton import BODY21

__all__ = ["BodyShape", "complete_feet", "from_mocap"]

Array = NDArray[np.float64]
Color = tuple[int, int, int]

_SKIN: tuple[Color, ...] = (
    (247, 217, 196),
    (238, 197, 168),
    (224, 172, 138),
    (198, 142, 107),
    (160, 105, 72),
    (113, 73, 50),
    (84, 54, 40),
)
_HAIR: tuple[Color, ...] = (
    (32, 26, 24),
    (58, 40, 30),
    (92, 62, 40),
    (150, 108, 62),
    (205, 170, 110),
    (130, 128, 128),
    (120, 58, 34),
)
_PATTERNS = ("plain", "stripes", "noise", "checks")

_NOSE_DEG = 112.2
"""Angle between the skull's axis and the line from the skull's middle to the nose tip, as in the motion capture."""


@dataclass(frozen=True, slots=True)
class BodyShape:
    """A person's build and clothes.

    Lengths are fractions of the stature, between joint centres (Winter, Biomechanics and Motor Control of Human
    Movement, after Drillis and Contini 1966, with hips and shoulders moved in to the joint centres). Girths multiply
    an average adult's. Colours are RGB.

    Attributes:
        height_m: stature.
        thigh, shank, upper_arm, forearm, trunk, neck: hip to knee, knee to ankle, shoulder to elbow, elbow to wrist,
            middle of the hips to middle of the shoulders, and from there to the middle of the skull.
        hip_half, shoulder_half: half the distance between the joint centres.
        ankle_height, foot: ankle centre over the sole; heel to ball of the foot, along the sole.
        girth, belly, chest, hips, shoulders, limbs: factors of thickness.
        bust: 0 none to 1 full.
        skin, hair, shirt, trousers, shoes, accent: colours.
        sleeve, trouser_leg: length as a share of the whole arm and leg, 0 to 1.
        hair_style: "short", "long", "bun", "bald" or "cap".
        pattern: "plain", "stripes", "noise" or "checks", of the shirt.
        looseness_m: room between body and clothes.
        hand_turn_deg: turn of the palms about the forearms, from plausible.
    """

    height_m: float = 1.75
    thigh: float = 0.236
    shank: float = 0.242
    upper_arm: float = 0.166
    forearm: float = 0.143
    trunk: float = 0.292
    neck: float = 0.126
    hip_half: float = 0.052
    shoulder_half: float = 0.104
    ankle_height: float = 0.045
    foot: float = 0.108
    girth: float = 1.0
    belly: float = 1.0
    chest: float = 1.0
    hips: float = 1.0
    shoulders: float = 1.0
    limbs: float = 1.0
    bust: float = 0.0
    skin: Color = (226, 176, 144)
    hair: Color = (70, 46, 32)
    shirt: Color = (52, 108, 168)
    trousers: Color = (62, 64, 78)
    shoes: Color = (236, 234, 228)
    accent: Color = (236, 238, 240)
    sleeve: float = 0.34
    trouser_leg: float = 1.0
    hair_style: str = "short"
    pattern: str = "plain"
    looseness_m: float = 0.006
    hand_turn_deg: float = 0.0

    def __post_init__(self) -> None:
        if not 0.5 <= self.height_m <= 2.5:
            raise UsageError(f"stature of {self.height_m} m", where="BodyShape", hint="Give one between 0.5 and 2.5")
        if self.pattern not in _PATTERNS:
            raise UsageError(f"no pattern {self.pattern!r}", hint=f"Valid: {', '.join(_PATTERNS)}")

    @classmethod
    def random(cls, rng: np.random.Generator, height_m: float | None = None) -> BodyShape:
        """A person drawn at random.

        Args:
            rng: source of chance.
            height_m: stature; drawn from the adults' range if None.
        """
        female = rng.random() < 0.5
        stature = float(np.clip(rng.normal(1.65 if female else 1.77, 0.07), 1.45, 2.0))
        girth = float(np.clip(rng.lognormal(0.0, 0.1), 0.82, 1.4))
        style = rng.choice(["short", "long", "bun", "bald", "cap"], p=_HAIR_SHARE[female])
        sleeve = rng.choice([0.0, rng.uniform(0.2, 0.36), rng.uniform(0.42, 0.6), 0.97], p=[0.15, 0.45, 0.1, 0.3])
        leg = rng.choice([rng.uniform(0.2, 0.35), rng.uniform(0.4, 0.52), 1.0], p=[0.12, 0.23, 0.65])
        return cls(
            height_m=stature if height_m is None else height_m,
            shoulder_half=0.101 if female else 0.105,
            girth=girth,
            belly=girth ** float(rng.uniform(0.3, 1.6)),
            chest=float(rng.normal(0.95 if female else 1.02, 0.04)),
            hips=float(rng.normal(1.04 if female else 0.97, 0.04)),
            shoulders=float(rng.normal(0.93 if female else 1.03, 0.04)),
            limbs=float(girth**0.7 * rng.normal(0.95 if female else 1.02, 0.05)),
            bust=float(rng.uniform(0.3, 1.0)) if female else 0.0,
            skin=_vary(rng, _SKIN[rng.integers(len(_SKIN))], 8),
            hair=_vary(rng, _HAIR[rng.integers(len(_HAIR))], 10),
            shirt=_cloth(rng),
            trousers=_cloth(rng, dark=0.6),
            shoes=_cloth(rng, dark=0.4),
            accent=_cloth(rng),
            sleeve=float(sleeve),
            trouser_leg=float(leg),
            hair_style=str(style),
            pattern=str(rng.choice(_PATTERNS, p=[0.45, 0.2, 0.2, 0.15])),
            looseness_m=float(rng.choice([rng.uniform(0.0, 0.006), rng.uniform(0.006, 0.022)])),
            hand_turn_deg=float(rng.normal(0.0, 25.0)),
        )


_HAIR_SHARE = {True: [0.25, 0.4, 0.25, 0.01, 0.09], False: [0.64, 0.06, 0.03, 0.12, 0.15]}


def _vary(rng: np.random.Generator, color: Color, spread: float) -> Color:
    r, g, b = np.clip(np.asarray(color) + rng.normal(0.0, spread) + rng.normal(0.0, spread / 3, 3), 5, 250).astype(int)
    return int(r), int(g), int(b)


def _cloth(rng: np.random.Generator, dark: float = 0.25) -> Color:
    """A colour of clothes: greys and muted hues are commoner than bright ones."""
    value = rng.uniform(15, 80) if rng.random() < dark else rng.uniform(70, 245)
    saturation = rng.uniform(0.0, 0.15) if rng.random() < 0.4 else rng.uniform(0.2, 0.85)
    hue = rng.uniform(0.0, 2.0 * np.pi)
    wave = np.cos(hue - np.array([0.0, 2.0943951, 4.1887902])) * 0.5 + 0.5
    r, g, b = np.clip(value * (1.0 - saturation + saturation * wave * 1.3), 5, 250).astype(int)
    return int(r), int(g), int(b)


_HEEL_BACK, _HEEL_DOWN, _SOLE_DEG = 0.43, 0.2, 15.0


def complete_feet(xyz_m: ArrayLike) -> Array:
    """Heels where they are NaN, from knee, ankle and toe.

    The sole leans 15 degrees from the line ankle to ball of the foot, in the plane of knee, ankle and toe; the heel
    lies 0.43 of its length behind the ankle (UI-PRMD, whose heels are known: median 0.46) and 0.2 below it.

    Args:
        xyz_m: (..., 21, 3) in Body21, world frame.

    Returns:
        A copy with every heel filled whose knee, ankle and toe are known.
    """
    xyz = np.array(xyz_m, dtype=np.float64)
    for side in ("left", "right"):
        knee, ankle, heel, toe = BODY21.indices(f"{side}_knee", f"{side}_ankle", f"{side}_heel", f"{side}_foot_index")
        forward, down, length = foot_axes(xyz[..., knee, :], xyz[..., ankle, :], xyz[..., toe, :])
        guess = xyz[..., ankle, :] + length * (_HEEL_DOWN * down - _HEEL_BACK * forward)
        missing = np.isnan(xyz[..., heel, :]).any(axis=-1, keepdims=True)
        xyz[..., heel, :] = np.where(missing, guess, xyz[..., heel, :])
    return xyz


def foot_axes(knee: Array, ankle: Array, toe: Array) -> tuple[Array, Array, Array]:
    """Unit vectors along the sole, to the toe, and out of the sole (..., 3), and ankle-to-toe length (..., 1)."""
    line = toe - ankle
    length = np.linalg.norm(line, axis=-1, keepdims=True)
    line = line / np.maximum(length, 1e-9)
    shank = ankle - knee
    down = shank - (shank * line).sum(axis=-1, keepdims=True) * line
    down = down / np.maximum(np.linalg.norm(down, axis=-1, keepdims=True), 1e-9)
    c, s = np.cos(np.radians(_SOLE_DEG)), np.sin(np.radians(_SOLE_DEG))
    return c * line - s * down, s * line + c * down, length


def from_mocap(positions: ArrayLike, extra: ArrayLike) -> Array:
    """Body21 from Human3.6M joints and the six extra points of a motion-capture file.

    Thorax and spine are made anew from hips and shoulders, as `posepipe.skeleton.conversion` makes them.

    Args:
        positions: (F, 17, 3) metres, z up, Human3.6M order.
        extra: (F, 6, 3) nose, top of the head, left toe, right toe, left heel, right heel; heels may be NaN.

    Returns:
        (F, 21, 3); heels completed by `complete_feet`.
    """
    body, more = np.asarray(positions, dtype=np.float64), np.asarray(extra, dtype=np.float64)
    xyz = np.concatenate([body, more[:, [4, 2, 5, 3]]], axis=1)
    xyz[:, BODY21.index("nose")] = more[:, 0]
    hips = xyz[:, BODY21.indices("left_hip", "right_hip")].mean(axis=1)
    shoulders = xyz[:, BODY21.indices("left_shoulder", "right_shoulder")].mean(axis=1)
    xyz[:, BODY21.index("pelvis")] = hips
    xyz[:, BODY21.index("thorax")] = shoulders
    xyz[:, BODY21.index("spine")] = 0.5 * (hips + shoulders)
    return complete_feet(xyz)


def unit(vector: Array) -> Array:
    """A vector (3,) at length one."""
    return np.asarray(vector / max(math.sqrt(vector @ vector), 1e-9))


def cross(a: Array, b: Array) -> Array:
    """Cross product of two vectors (3,); many times faster than NumPy's for one pair."""
    ax, ay, az = a.tolist()
    bx, by, bz = b.tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


def frame_of(left: Array, up: Array) -> Array:
    """Frame (3, 3) with columns left, forward, up; `up` is kept, `left` is made square to it."""
    z = unit(up)
    x = unit(left - (left @ z) * z)
    y = cross(x, z)
    return np.stack([x, y, z], axis=1)


def head_frame(xyz: Array) -> Array:
    """Frame of the skull (3, 3), columns left, forward, up, from one body (21, 3).

    Nose and skull give the sagittal plane together with the neck; the shoulders steady it where neck and nose align.
    """
    thorax, nose, head, left, right = xyz[BODY21.indices("thorax", "nose", "head", "left_shoulder", "right_shoulder")]
    ray = unit(nose - head)
    side = cross(unit(head - thorax), ray)
    shoulders = unit(left - right)
    side = -side if side @ shoulders < -0.3 else side
    side = side + 0.15 * shoulders
    side = unit(side - (side @ ray) * ray)
    square = cross(ray, side)
    c, s = np.cos(np.radians(_NOSE_DEG)), np.sin(np.radians(_NOSE_DEG))
    up = c * ray + s * square
    return np.stack([side, cross(side, up), up], axis=1)
