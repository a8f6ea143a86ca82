"""One solver for every parametric motion: from a few controls to Body21 joints, with constant bone lengths.

World frame: metres, z up; a body with heading 0 faces x. Sides are ordered left, right.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import UsageError
from posepipe.skeleton import BODY21
from posepipe.synth.body import BodyShape

__all__ = ["HEEL_Z_M", "TOE_Z_M", "Controls", "blend", "foot_points", "hips", "join_controls", "leg_limit_m", "solve"]

Array = NDArray[np.float64]

HEEL_Z_M = 0.032
TOE_Z_M = 0.026
"""Height of heel and ball joints over the ground while they touch it."""

_ANKLE_FORWARD = 0.031
_STRAIGHT = 0.9985
_NOSE_RAD = np.radians(112.2)
_SIGN = np.array([1.0, -1.0])
_J = {name: i for i, name in enumerate(BODY21.joints)}


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


def join_controls(parts: list[Controls]) -> Controls:
    """Controls one after another."""
    return Controls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Controls)))


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
