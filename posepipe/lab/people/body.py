"""What a synthetic person is like, and how a few controls move it.

Stature, proportions, girths, clothes; one solver from controls to Body21 joints with constant bone lengths, for every
parametric motion; motion-capture files, and the feet missing in them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posepipe.errors import InputError, UsageError
from posepipe.skeleton import BODY21

__all__ = [
    "HEEL_Z_M", "TOE_Z_M", "BodyShape", "Controls", "MocapSet", "blend", "foot_points", "from_mocap", "hips",
    "leg_limit_m", "load_mocap", "solve",
]  # fmt: skip

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

HEEL_Z_M = 0.032
TOE_Z_M = 0.026
"""Height of heel and ball joints over the ground while they touch it."""

_ANKLE_FORWARD = 0.031
_STRAIGHT = 0.9985
_NOSE_RAD = np.radians(_NOSE_DEG)
_SIGN = np.array([1.0, -1.0])
_J = {name: i for i, name in enumerate(BODY21.joints)}


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


@dataclass(frozen=True, slots=True, eq=False)
class Controls:
    """What drives the solver, for F frames.

    Attributes:
        pelvis_m: (F, 3) middle of the hips.
        heading_deg: (F,) of the pelvis, counter-clockwise from x.
        roll_deg: (F,) of the pelvis; positive lifts the left hip.
        lean_deg: (F,) of the trunk, forward from vertical.
        chest_turn_deg: (F,) of the shoulders against the pelvis, counter-clockwise.
        head_pitch_deg: (F,) forward from vertical.
        shoulder_flex_deg: (F, 2) 0 hanging, 90 forward, 180 overhead.
        shoulder_abduct_deg: (F, 2) 0 in the sagittal plane, 90 to the side.
        elbow_flex_deg: (F, 2) 0 straight.
        heel_m: (F, 2, 3) heel joints.
        foot_heading_deg: (F, 2).
        foot_pitch_deg: (F, 2) positive toes up.
    """

    pelvis_m: Array
    heading_deg: Array
    roll_deg: Array
    lean_deg: Array
    chest_turn_deg: Array
    head_pitch_deg: Array
    shoulder_flex_deg: Array
    shoulder_abduct_deg: Array
    elbow_flex_deg: Array
    heel_m: Array
    foot_heading_deg: Array
    foot_pitch_deg: Array

    def __len__(self) -> int:
        return len(self.pelvis_m)

    def __getitem__(self, part: slice) -> Controls:
        return Controls(*(getattr(self, field.name)[part] for field in fields(self)))


def blend(a: Controls, b: Controls, share: Array) -> Controls:
    """Between two controls: `share` (F,) 0 gives `a`, 1 gives `b`. Headings must not differ by a whole turn."""
    mixed = []
    for field in fields(Controls):
        x, y = getattr(a, field.name), getattr(b, field.name)
        mixed.append(x + share.reshape(-1, *[1] * (x.ndim - 1)) * (y - x))
    return Controls(*mixed)


def smooth(s: Array) -> Array:
    """Quintic from 0 to 1 with speed and acceleration 0 at both ends; constant outside."""
    s = np.clip(s, 0.0, 1.0)
    return np.asarray(s**3 * (10.0 - 15.0 * s + 6.0 * s * s))


def _heading(deg: Array) -> tuple[Array, Array]:
    """Forward and left unit vectors (..., 3)."""
    c, s = np.cos(np.radians(deg)), np.sin(np.radians(deg))
    zero = np.zeros_like(c)
    return np.stack([c, s, zero], axis=-1), np.stack([-s, c, zero], axis=-1)


def foot_points(shape: BodyShape, heading_deg: Array, pitch_deg: Array) -> tuple[Array, Array]:
    """Ankle and toe relative to the heel (..., 3) of a foot turned and pitched about the heel."""
    forward, _ = _heading(heading_deg)
    up = np.broadcast_to(np.array([0.0, 0.0, 1.0]), forward.shape)
    c, s = np.cos(np.radians(pitch_deg))[..., None], np.sin(np.radians(pitch_deg))[..., None]
    along, out = c * forward + s * up, c * up - s * forward
    h = shape.height_m
    ankle = _ANKLE_FORWARD * h * along + (shape.ankle_height * h - HEEL_Z_M) * out
    drop = HEEL_Z_M - TOE_Z_M
    reach = np.sqrt((shape.foot * h) ** 2 - drop**2)
    return ankle, reach * along - drop * out


def hips(shape: BodyShape, heading_deg: Array, roll_deg: Array) -> Array:
    """Hip joints (F, 2, 3) relative to their middle."""
    _, left = _heading(heading_deg)
    c, s = np.cos(np.radians(roll_deg))[:, None], np.sin(np.radians(roll_deg))[:, None]
    axis = c * left + s * np.array([0.0, 0.0, 1.0])
    return np.asarray(_SIGN[None, :, None] * axis[:, None] * shape.hip_half * shape.height_m)


def leg_limit_m(shape: BodyShape) -> float:
    """Longest distance hip to ankle that the solver takes, a knee of about 6 degrees."""
    return _STRAIGHT * (shape.thigh + shape.shank) * shape.height_m


def solve(shape: BodyShape, controls: Controls) -> Array:
    """Joints (F, 21, 3), world frame.

    Raises:
        UsageError: a foot is out of the leg's reach.
    """
    h = shape.height_m
    xyz = np.empty((len(controls), len(BODY21), 3))
    pelvis = controls.pelvis_m
    forward, left = _heading(controls.heading_deg)
    lean = np.radians(controls.lean_deg)[:, None]
    up = np.array([0.0, 0.0, 1.0])
    trunk = np.cos(lean) * up + np.sin(lean) * forward
    thorax = pelvis + shape.trunk * h * trunk
    turned = np.radians(controls.chest_turn_deg)[:, None]
    front = np.cos(lean) * forward - np.sin(lean) * up
    chest_left = np.cos(turned) * left - np.sin(turned) * front
    chest_front = np.cos(turned) * front + np.sin(turned) * left
    xyz[:, _J["pelvis"]], xyz[:, _J["thorax"]] = pelvis, thorax
    xyz[:, _J["spine"]] = 0.5 * (pelvis + thorax)
    _head(xyz, shape, controls, thorax, chest_front, trunk)
    for i, side in enumerate(("left", "right")):
        shoulder = thorax + _SIGN[i] * shape.shoulder_half * h * chest_left
        flex = np.radians(controls.shoulder_flex_deg[:, i])[:, None]
        abduct = np.radians(controls.shoulder_abduct_deg[:, i])[:, None]
        bend = np.radians(controls.elbow_flex_deg[:, i])[:, None]
        upper = np.cos(abduct) * (np.sin(flex) * chest_front - np.cos(flex) * trunk)
        upper = upper + np.sin(abduct) * _SIGN[i] * chest_left
        ahead = np.cos(flex) * chest_front + np.sin(flex) * trunk
        elbow = shoulder + shape.upper_arm * h * upper
        xyz[:, _J[f"{side}_shoulder"]], xyz[:, _J[f"{side}_elbow"]] = shoulder, elbow
        xyz[:, _J[f"{side}_wrist"]] = elbow + shape.forearm * h * (np.cos(bend) * upper + np.sin(bend) * ahead)
    hip = pelvis[:, None] + hips(shape, controls.heading_deg, controls.roll_deg)
    ankle, toe = foot_points(shape, controls.foot_heading_deg, controls.foot_pitch_deg)
    ankle, toe = controls.heel_m + ankle, controls.heel_m + toe
    knee = _knees(shape, hip, ankle, controls)
    for i, side in enumerate(("left", "right")):
        for name, value in (("hip", hip), ("knee", knee), ("ankle", ankle), ("foot_index", toe)):
            xyz[:, _J[f"{side}_{name}"]] = value[:, i]
        xyz[:, _J[f"{side}_heel"]] = controls.heel_m[:, i]
    return xyz


def _head(xyz: Array, shape: BodyShape, controls: Controls, thorax: Array, front: Array, trunk: Array) -> None:
    pitch = np.radians(controls.head_pitch_deg)[:, None]
    flat = front * np.array([1.0, 1.0, 0.0])
    flat = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    up = np.cos(pitch) * np.array([0.0, 0.0, 1.0]) + np.sin(pitch) * flat
    ahead = np.cos(pitch) * flat - np.sin(pitch) * np.array([0.0, 0.0, 1.0])
    neck = 0.5 * (trunk + up) + 0.12 * ahead
    head = thorax + shape.neck * shape.height_m * neck / np.linalg.norm(neck, axis=1, keepdims=True)
    xyz[:, _J["head"]] = head
    reach = 0.0655 * shape.height_m
    xyz[:, _J["nose"]] = head + reach * (np.sin(_NOSE_RAD) * ahead + np.cos(_NOSE_RAD) * up)


def _knees(shape: BodyShape, hip: Array, ankle: Array, controls: Controls) -> Array:
    """Knees (F, 2, 3) by the law of cosines, bent towards where pelvis and foot point."""
    thigh, shank = shape.thigh * shape.height_m, shape.shank * shape.height_m
    line = ankle - hip
    distance = np.linalg.norm(line, axis=-1, keepdims=True)
    worst = float(distance.max())
    if worst > (thigh + shank) * (1.0 + 1e-9) or float(distance.min()) < abs(thigh - shank):
        raise UsageError(f"a foot is {worst:.3f} m from its hip", where="solve", hint="Shorten the step")
    way = line / distance
    foot, _ = _heading(controls.foot_heading_deg)
    pelvis, _ = _heading(controls.heading_deg)
    ahead = 0.7 * foot + 0.3 * pelvis[:, None]
    ahead = ahead - (ahead * way).sum(axis=-1, keepdims=True) * way
    ahead = ahead / np.linalg.norm(ahead, axis=-1, keepdims=True)
    along = (thigh**2 - shank**2 + distance**2) / (2.0 * distance)
    return np.asarray(hip + along * way + np.sqrt(np.maximum(thigh**2 - along**2, 0.0)) * ahead)


@dataclass(frozen=True, slots=True, eq=False)
class MocapSet:
    """Motion capture, by sequence.

    Attributes:
        positions: (F, 17, 3) Human3.6M joints, metres, z up.
        extra: (F, 6, 3) nose, top of the head, toes, heels.
        seq_start: (S + 1,) first frame of each sequence, and the end.
        fps_hz: (S,).
        name: (S,) sequence names.
        subject: (S,) people.
    """

    positions: NDArray[np.float32]
    extra: NDArray[np.float32]
    seq_start: NDArray[np.int64]
    fps_hz: NDArray[np.float32]
    name: NDArray[np.str_]
    subject: NDArray[np.str_]

    @property
    def is_cmu(self) -> NDArray[np.bool_]:
        """(S,) not of UI-PRMD."""
        return np.array([not str(name).startswith("ui_") for name in self.name])


@lru_cache(maxsize=2)
def load_mocap(path: Path) -> MocapSet:
    """Read a motion-capture file.

    Raises:
        InputError: the file can't be read, or lacks an array.
    """
    keys = ("positions", "extra", "seq_start", "fps", "seq_name", "subject")
    try:
        with np.load(path) as data:
            missing = [key for key in keys if key not in data]
            if missing:
                raise InputError(f"no array {', '.join(missing)}", where=str(path))
            return MocapSet(*(data[key] for key in keys))
    except (OSError, ValueError) as error:
        raise InputError(f"can't be read ({error})", where=str(path), hint="Give a motion-capture npz") from error
