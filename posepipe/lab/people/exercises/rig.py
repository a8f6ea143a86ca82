"""A body posed from angles and reached points, for any attitude: standing, lying, hanging, sitting.

World frame: metres, z up; a body with heading 0 faces x. Angles in degrees, sides ordered left, right. F frames.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posepipe.lab.people.body import BodyShape
from posepipe.skeleton import BODY21

__all__ = ["PARENTS", "SIDES", "UP", "Body", "Rig", "assemble", "bridge", "directions"]

Array = NDArray[np.float64]

SIDES = ("left", "right")
UP = np.array([0.0, 0.0, 1.0])
_SIGN = (1.0, -1.0)
_J = {name: i for i, name in enumerate(BODY21.joints)}
_NOSE_RAD = np.radians(112.2)

_CHAIN = (
    ("spine", "pelvis"),
    ("thorax", "pelvis"),
    ("head", "thorax"),
    ("nose", "head"),
    *(
        pair
        for side in SIDES
        for pair in (
            (f"{side}_hip", "pelvis"),
            (f"{side}_knee", f"{side}_hip"),
            (f"{side}_ankle", f"{side}_knee"),
            (f"{side}_heel", f"{side}_ankle"),
            (f"{side}_foot_index", f"{side}_heel"),
            (f"{side}_shoulder", "thorax"),
            (f"{side}_elbow", f"{side}_shoulder"),
            (f"{side}_wrist", f"{side}_elbow"),
        )
    ),
)
PARENTS = tuple((_J[child], _J[parent]) for child, parent in _CHAIN)
"""Bones as (child, parent), every parent before its children."""


@dataclass(frozen=True, slots=True)
class Body:
    """Lengths in metres of one person."""

    thigh: float
    shank: float
    upper_arm: float
    forearm: float
    trunk: float
    neck: float
    hip_half: float
    shoulder_half: float
    ankle_height: float
    foot: float
    height: float

    @classmethod
    def random(cls, rng: np.random.Generator) -> Body:
        """A person drawn at random: an adult's stature, and every proportion 5 % off Winter's."""
        shape = BodyShape.random(rng)
        names = [field.name for field in fields(cls)][:-1]
        spread = {name: getattr(shape, name) * float(np.clip(rng.normal(1.0, 0.05), 0.88, 1.12)) for name in names}
        shape = replace(shape, **spread)
        h = shape.height_m
        return cls(**{name: getattr(shape, name) * h for name in names}, height=h)

    @property
    def arm(self) -> float:
        """Length of the straight arm."""
        return self.upper_arm + self.forearm

    @property
    def leg(self) -> float:
        """Length of the straight leg, hip to ankle."""
        return self.thigh + self.shank

    @property
    def stand(self) -> float:
        """Height of the pelvis of a person standing at ease."""
        return self.ankle_height + 0.992 * self.leg


def rad(deg: ArrayLike) -> Array:
    """Degrees to radians, as an array."""
    return np.radians(np.asarray(deg, dtype=np.float64))


def _unit(v: Array) -> Array:
    return np.asarray(v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9))


class Rig:
    """Joints of one body over F frames, set limb by limb: trunk first, then head, arms and legs.

    Args:
        body: lengths.
        frames: F.
    """

    def __init__(self, body: Body, frames: int) -> None:
        self.body = body
        self.frames = frames
        self.xyz = np.full((frames, len(BODY21), 3), np.nan)
        eye = np.broadcast_to(np.eye(3), (frames, 3, 3))
        self.front, self.left, self.up = eye[:, 0], eye[:, 1], eye[:, 2]
        self.chest_front, self.chest_left = self.front, self.left

    def _full(self, value: ArrayLike) -> Array:
        return np.broadcast_to(np.asarray(value, dtype=np.float64), (self.frames,))

    def _points(self, value: ArrayLike) -> Array:
        return np.broadcast_to(np.asarray(value, dtype=np.float64), (self.frames, 3))

    def __getitem__(self, joint: str) -> Array:
        return self.xyz[:, _J[joint]]

    def _set(self, joint: str, value: Array) -> None:
        self.xyz[:, _J[joint]] = value

    def trunk(
        self,
        pelvis: ArrayLike,
        lean: ArrayLike = 0.0,
        *,
        heading: ArrayLike = 0.0,
        side: ArrayLike = 0.0,
        twist: ArrayLike = 0.0,
        curl: ArrayLike = 0.0,
    ) -> Rig:
        """Place pelvis, trunk and the roots of the limbs.

        Args:
            pelvis: (F, 3) or (3,) middle of the hips.
            lean: forward from vertical; 90 is prone, -90 supine.
            heading: counter-clockwise from x.
            side: lean to the left.
            twist: shoulders against hips, to the left.
            curl: the hips' own lean less than the trunk's, so that the thighs' frame stays behind; shortens the trunk.
        """
        b = self.body
        h, p = rad(self._full(heading))[:, None], rad(self._full(lean))[:, None]
        s, t, c = (rad(self._full(v))[:, None] for v in (side, twist, curl))
        flat = np.concatenate([np.cos(h), np.sin(h), 0 * h], axis=1)
        left = np.concatenate([-np.sin(h), np.cos(h), 0 * h], axis=1)
        up = np.cos(p) * UP + np.sin(p) * flat
        self.front = np.cos(p) * flat - np.sin(p) * UP
        self.up = np.cos(s) * up + np.sin(s) * left
        chest_left = np.cos(s) * left - np.sin(s) * up
        self.left = left
        self.chest_left = np.cos(t) * chest_left - np.sin(t) * self.front
        self.chest_front = np.cos(t) * self.front + np.sin(t) * chest_left
        root = self._points(pelvis)
        # A rounded back is shorter than a straight one: chord over arc.
        bend = np.maximum(np.abs(c) / 2.0, 1e-6)
        thorax = root + b.trunk * (np.sin(bend) / bend) * self.up
        self._set("pelvis", root)
        self._set("thorax", thorax)
        self._set("spine", 0.5 * (root + thorax))
        for sign, name in zip(_SIGN, SIDES, strict=True):
            self._set(f"{name}_hip", root + sign * b.hip_half * left)
            self._set(f"{name}_shoulder", thorax + sign * b.shoulder_half * self.chest_left)
        return self.head()

    def head(self, pitch: ArrayLike = 5.0, yaw: ArrayLike = 0.0) -> Rig:
        """Place skull and nose: pitch forward and yaw to the left, against the chest."""
        p, y = rad(self._full(pitch))[:, None], rad(self._full(yaw))[:, None]
        face = np.cos(y) * self.chest_front + np.sin(y) * self.chest_left
        up = np.cos(p) * self.up + np.sin(p) * face
        ahead = np.cos(p) * face - np.sin(p) * self.up
        neck = _unit(0.5 * (self.up + up) + 0.12 * ahead)
        head = self["thorax"] + self.body.neck * neck
        self._set("head", head)
        reach = 0.0655 * self.body.height
        self._set("nose", head + reach * (np.sin(_NOSE_RAD) * ahead + np.cos(_NOSE_RAD) * up))
        return self

    def shrug(self, lift_m: ArrayLike) -> Rig:
        """Lift both shoulder joints along the trunk; do it before the arms."""
        rise = self._full(lift_m)[:, None] * self.up
        for name in SIDES:
            self._set(f"{name}_shoulder", self[f"{name}_shoulder"] + rise)
        return self

    def arm(
        self, i: int, flex: ArrayLike, abduct: ArrayLike = 8.0, elbow: ArrayLike = 15.0, rotate: ArrayLike = 0.0
    ) -> Rig:
        """Arm `i` from angles.

        Args:
            i: 0 left, 1 right.
            flex: 0 hanging along the trunk, 90 forward, 180 overhead.
            abduct: out of the sagittal plane; 90 to the side.
            elbow: 0 straight.
            rotate: of the forearm about the upper arm, outwards; 90 with the arm to the side points it up.
        """
        b, sign = self.body, _SIGN[i]
        f, a, e, r = (rad(self._full(v))[:, None] for v in (flex, abduct, elbow, rotate))
        out = sign * self.chest_left
        upper = np.cos(a) * (np.sin(f) * self.chest_front - np.cos(f) * self.up) + np.sin(a) * out
        ahead = np.cos(f) * self.chest_front + np.sin(f) * self.up
        bend = np.cos(r) * ahead - sign * np.sin(r) * np.cross(upper, ahead)
        joint = self[f"{SIDES[i]}_shoulder"] + b.upper_arm * upper
        self._set(f"{SIDES[i]}_elbow", joint)
        self._set(f"{SIDES[i]}_wrist", joint + b.forearm * (np.cos(e) * upper + np.sin(e) * bend))
        return self

    def reach(self, i: int, wrist: ArrayLike, pole: ArrayLike) -> Rig:
        """Arm `i` to a wrist (F, 3), the elbow towards `pole` (F, 3), a direction; as near as it can."""
        b, name = self.body, SIDES[i]
        elbow, end = _two_bones(
            self[f"{name}_shoulder"], self._points(wrist), b.upper_arm, b.forearm, self._points(pole)
        )
        self._set(f"{name}_elbow", elbow)
        self._set(f"{name}_wrist", end)
        return self

    def local(self, ahead: ArrayLike, out: ArrayLike, up: ArrayLike, i: int) -> Array:
        """Direction or offset (F, 3) in the chest's frame: ahead, out to side `i`, up along the trunk."""
        a, o, u = (self._full(v)[:, None] for v in (ahead, out, up))
        return np.asarray(a * self.chest_front + o * _SIGN[i] * self.chest_left + u * self.up)

    def leg(self, i: int, flex: ArrayLike, knee: ArrayLike, abduct: ArrayLike = 3.0, *, rotate: ArrayLike = 0.0) -> Rig:
        """Leg `i` from angles against the trunk: hip flexion (180 less is in line), knee flexion, abduction."""
        b, sign = self.body, _SIGN[i]
        f, k, a, r = (rad(self._full(v))[:, None] for v in (flex, knee, abduct, rotate))
        out = sign * self.left
        thigh = np.cos(a) * (np.sin(f) * self.front - np.cos(f) * self.up) + np.sin(a) * out
        back = -(np.cos(f) * self.front + np.sin(f) * self.up)
        back = np.cos(r) * back + sign * np.sin(r) * np.cross(thigh, back)
        joint = self[f"{SIDES[i]}_hip"] + b.thigh * thigh
        shank = np.cos(k) * thigh + np.sin(k) * back
        ankle = joint + b.shank * shank
        self._set(f"{SIDES[i]}_knee", joint)
        self._set(f"{SIDES[i]}_ankle", ankle)
        return self.foot(i, np.cos(k) * -back + np.sin(k) * thigh)

    def step(self, i: int, ankle: ArrayLike, toe_out: ArrayLike = 8.0, heading: ArrayLike = 0.0) -> Rig:
        """Leg `i` to an ankle (F, 3), knee where the level foot points; as near as it can."""
        b, name = self.body, SIDES[i]
        turn = rad(self._full(heading) + _SIGN[i] * self._full(toe_out))
        way = np.stack([np.cos(turn), np.sin(turn), np.zeros(self.frames)], axis=1)
        knee, end = _two_bones(self[f"{name}_hip"], self._points(ankle), b.thigh, b.shank, way + 0.4 * UP)
        self._set(f"{name}_knee", knee)
        self._set(f"{name}_ankle", end)
        return self.foot(i, way)

    def place(self, i: int, ankle: ArrayLike, pole: ArrayLike, toes: ArrayLike) -> Rig:
        """Leg `i` to an ankle (F, 3), knee towards `pole`, toes towards `toes`, both directions (F, 3)."""
        b, name = self.body, SIDES[i]
        knee, end = _two_bones(self[f"{name}_hip"], self._points(ankle), b.thigh, b.shank, self._points(pole))
        self._set(f"{name}_knee", knee)
        self._set(f"{name}_ankle", end)
        return self.foot(i, self._points(toes))

    def foot(self, i: int, toes: Array) -> Rig:
        """Heel and toe of leg `i`: the sole along `toes` (F, 3), as nearly square to the shank as that is."""
        b, name = self.body, SIDES[i]
        ankle = self[f"{name}_ankle"]
        way = _unit(toes)
        down = _unit(ankle - self[f"{name}_knee"])
        sole = down - (down * way).sum(axis=1, keepdims=True) * way
        flat = np.linalg.norm(sole, axis=1, keepdims=True) < 0.05
        sole = _unit(np.where(flat, -UP, sole))
        heel = ankle + 0.75 * b.ankle_height * sole - 0.28 * b.foot * way
        self._set(f"{name}_heel", heel)
        self._set(f"{name}_foot_index", heel + b.foot * way)
        return self


def _two_bones(root: Array, end: Array, first: float, second: float, pole: Array) -> tuple[Array, Array]:
    """Middle joint and reached end (F, 3) of a chain of two bones, by the law of cosines."""
    line = end - root
    far = np.linalg.norm(line, axis=1, keepdims=True)
    way = line / np.maximum(far, 1e-6)
    reach = np.clip(far, abs(first - second) + 0.06 * (first + second), 0.9985 * (first + second))
    along = (first**2 - second**2 + reach**2) / (2.0 * reach)
    side = pole - (pole * way).sum(axis=1, keepdims=True) * way
    middle = root + along * way + np.sqrt(np.maximum(first**2 - along**2, 0.0)) * _unit(side)
    return middle, root + reach * way


def directions(xyz: Array) -> tuple[Array, Array]:
    """Unit bone directions (F, B, 3) and lengths (F, B) of `PARENTS`."""
    child, parent = np.array(PARENTS).T
    bone = xyz[:, child] - xyz[:, parent]
    length = np.linalg.norm(bone, axis=-1)
    return bone / np.maximum(length, 1e-9)[..., None], length


def assemble(root: Array, way: Array, length: Array) -> Array:
    """Joints (F, 21, 3) from the pelvis (F, 3), bone directions (F, B, 3), made unit, and lengths (F, B) or (B,)."""
    xyz = np.empty((len(root), len(BODY21), 3))
    xyz[:, _J["pelvis"]] = root
    bone = _unit(way) * np.broadcast_to(length, way.shape[:2])[..., None]
    for k, (child, parent) in enumerate(PARENTS):
        xyz[:, child] = xyz[:, parent] + bone[:, k]
    return xyz


def bridge(start: Array, end: Array, share: Array) -> Array:
    """From pose (21, 3) to pose (21, 3), bones turning: share (F,) 0 to 1; joints (F, 21, 3)."""
    (a, b), (c, d) = directions(start[None]), directions(end[None])
    axis = np.cross(a, c)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(sine, (a * c).sum(axis=-1, keepdims=True))
    # Opposite directions have no axis of their own: turn about the body's left or its front.
    spare = np.where(np.abs(a[..., 1:2]) < 0.8, np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0]))
    axis = _unit(np.where(sine > 1e-3, axis, np.cross(np.cross(a, spare), a)))
    turn = share[:, None, None] * angle
    way = np.cos(turn) * a + np.sin(turn) * np.cross(axis, a)
    length = (1.0 - share[:, None]) * b + share[:, None] * d
    root = (1.0 - share[:, None]) * start[0] + share[:, None] * end[0]
    return assemble(root, way, length)
