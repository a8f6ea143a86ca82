"""From joints to surfaces: the body's primitives and their materials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import UsageError
from posepipe.lab.people.body import BodyShape, cross, foot_axes, frame_of, head_frame, unit
from posepipe.lab.people.primitives import (
    ACCENT,
    BROW,
    EYE,
    HAIR,
    IRIS,
    LIP,
    SHIRT,
    SHOES,
    SKIN,
    SOLE,
    TROUSERS,
    Builder,
    Materials,
    Primitives,
    make_materials,
)
from posepipe.skeleton import BODY21

__all__ = ["Figure", "make_figure", "scale_of"]

Array = NDArray[np.float64]
_Place = Callable[[float, float, float], Array]

_J = {name: i for i, name in enumerate(BODY21.joints)}
_STATURE_M = 1.75


def draw_head(build: Builder, xyz: Array, shape: BodyShape, chest: Array) -> None:
    """Add the head of a body (21, 3) whose chest frame is `chest` (3, 3); sizes from an average adult's head."""
    head, nose, thorax = xyz[BODY21.indices("head", "nose", "thorax")]
    frame = head_frame(xyz)
    k = float(np.clip(np.linalg.norm(nose - head) / 0.115, 0.75, 1.2))
    build.texture(head, frame[:, 2], frame[:, 0])

    def at(left: float, forward: float, up: float) -> Array:
        return np.asarray(head + frame @ (k * np.array([left, forward, up])))

    def blob(place: tuple[float, float, float], semi: tuple[float, float, float], material: int) -> None:
        build.ellipsoid(at(*place), tuple(k * np.array(semi)), frame, material)

    blob((0, -0.004, 0.002), (0.075, 0.095, 0.1), SKIN)
    build.chain(
        [at(0, 0.01, 0.0), at(0, 0.027, -0.055), at(0, 0.05, -0.098)],
        [0.079 * k, 0.062 * k, 0.032 * k],
        SKIN,
        (frame[:, 0], 0.95),
    )
    base = thorax + chest[:, 2] * 0.015 * k - chest[:, 1] * 0.02 * k
    build.chain([base, at(0, -0.02, -0.07)], [0.06 * k, 0.054 * k], SKIN)
    collar = thorax + chest[:, 2] * 0.035 * k - chest[:, 1] * 0.014 * k
    build.ellipsoid(collar, (0.078 * k, 0.072 * k, 0.028 * k), chest, SHIRT)
    build.chain([at(0, 0.088, -0.012), at(0, 0.104, -0.045)], [0.009 * k, 0.0125 * k], SKIN)
    for side in (1.0, -1.0):
        blob((side * 0.011, 0.095, -0.049), (0.009, 0.01, 0.008), SKIN)
        blob((side * 0.031, 0.0825, -0.014), (0.0155, 0.009, 0.0075), EYE)
        blob((side * 0.031, 0.0895, -0.014), (0.0062, 0.0035, 0.0065), IRIS)
        build.chain(
            [at(side * 0.014, 0.0905, 0.009), at(side * 0.034, 0.0885, 0.0125), at(side * 0.05, 0.077, 0.006)],
            [0.0042 * k, 0.0042 * k, 0.003 * k],
            BROW,
        )
        blob((side * 0.076, -0.008, -0.026), (0.01, 0.021, 0.032), SKIN)
    build.chain(
        [at(0.024, 0.076, -0.075), at(0.008, 0.0855, -0.0805), at(-0.008, 0.0855, -0.0805), at(-0.024, 0.076, -0.075)],
        [0.0038 * k, 0.0062 * k, 0.0062 * k, 0.0038 * k],
        LIP,
    )
    _hair(build, shape, k, at, frame)


def _hair(build: Builder, shape: BodyShape, k: float, at: _Place, frame: Array) -> None:
    def blob(place: tuple[float, float, float], semi: tuple[float, float, float], material: int = HAIR) -> None:
        build.ellipsoid(at(*place), tuple(k * np.array(semi)), frame, material)

    style = shape.hair_style
    if style == "bald":
        return
    blob((0, -0.019, 0.02), (0.0835, 0.0985, 0.0975))
    blob((0, -0.045, -0.02), (0.073, 0.07, 0.085))
    if style == "cap":
        blob((0, -0.006, 0.035), (0.086, 0.106, 0.086), ACCENT)
        build.chain([at(0, 0.08, 0.035), at(0, 0.15, 0.022)], [0.06 * k, 0.05 * k], ACCENT, (frame[:, 2], 0.1))
    elif style == "long":
        build.chain(
            [at(0, -0.05, -0.02), at(0, -0.065, -0.13), at(0, -0.07, -0.22)],
            [0.075 * k, 0.07 * k, 0.045 * k],
            HAIR,
            (frame[:, 1], 0.6),
        )
        for side in (1.0, -1.0):
            build.chain([at(side * 0.066, -0.012, 0.0), at(side * 0.068, -0.03, -0.12)], [0.026 * k, 0.02 * k], HAIR)
    elif style == "bun":
        blob((0, -0.115, 0.045), (0.042, 0.04, 0.042))


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A person as primitives."""

    primitives: Primitives
    materials: Materials


def scale_of(xyz: Array) -> float:
    """Stature of a skeleton over the reference stature, from its leg and trunk lengths."""

    def length(*names: str) -> float:
        points = xyz[BODY21.indices(*names)]
        return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())

    legs = 0.5 * (length("left_hip", "left_knee", "left_ankle") + length("right_hip", "right_knee", "right_ankle"))
    trunk = length("pelvis", "spine", "thorax")
    return float((legs + trunk) / (0.478 + 0.292) / _STATURE_M)


def make_figure(xyz_m: Array, shape: BodyShape, *, fingers: bool = True) -> Figure:
    """Primitives of a person.

    Args:
        xyz_m: (21, 3) Body21 joints, world frame, all finite.
        shape: build and clothes; thickness follows the skeleton's own size.
        fingers: draw each finger; a mitten otherwise, enough for hands of a few pixels.

    Raises:
        UsageError: a joint is missing, or the shape is wrong.
    """
    xyz = np.asarray(xyz_m, dtype=np.float64)
    if xyz.shape != (len(BODY21), 3):
        raise UsageError(f"expected joints of shape (21, 3), got {xyz.shape}", where="make_figure")
    if not np.isfinite(xyz).all():
        missing = [BODY21.joints[i] for i in np.nonzero(~np.isfinite(xyz).all(axis=1))[0]]
        raise UsageError(f"joints without position: {', '.join(missing)}", where="make_figure")
    build, scale = Builder(), scale_of(xyz)
    chest = frame_of(xyz[_J["left_shoulder"]] - xyz[_J["right_shoulder"]], xyz[_J["thorax"]] - xyz[_J["spine"]])
    pelvis = frame_of(xyz[_J["left_hip"]] - xyz[_J["right_hip"]], xyz[_J["spine"]] - xyz[_J["pelvis"]])
    _torso(build, xyz, shape, scale, chest, pelvis)
    for side in ("left", "right"):
        _leg(build, xyz, shape, scale, side, pelvis)
        _foot(build, xyz, shape, scale, side)
        _arm(build, xyz, shape, scale, side, chest, fingers)
    draw_head(build, xyz, shape, chest)
    return Figure(build.build(), make_materials(shape))


def _torso(build: Builder, xyz: Array, shape: BodyShape, scale: float, chest: Array, pelvis: Array) -> None:
    hip, top = xyz[_J["pelvis"]], xyz[_J["thorax"]]
    spine = xyz[_J["spine"]]
    g, room = shape.girth * scale, shape.looseness_m
    half_hip = 0.5 * float(np.linalg.norm(xyz[_J["left_hip"]] - xyz[_J["right_hip"]]))
    half_shoulder = 0.5 * float(np.linalg.norm(xyz[_J["left_shoulder"]] - xyz[_J["right_shoulder"]]))
    wide = max(half_hip, 0.07 * scale) + 0.073 * g * shape.hips
    build.texture(hip, pelvis[:, 2], pelvis[:, 0])

    def at(origin: Array, frame: Array, left: float, forward: float, up: float) -> Array:
        return np.asarray(origin + frame @ (scale * np.array([left, forward, up])))

    build.ellipsoid(at(hip, pelvis, 0, -0.012, 0.0), (wide, 0.112 * g * shape.hips, 0.125 * scale), pelvis, TROUSERS)
    for sign in (1.0, -1.0):
        build.ellipsoid(
            at(hip, pelvis, sign * 0.068, -0.05, -0.045),
            tuple(np.array([0.078, 0.076, 0.09]) * g * shape.hips),
            pelvis,
            TROUSERS,
        )
    build.texture(spine, unit(top - hip), unit(chest[:, 0] + pelvis[:, 0]))
    middle = unit(chest[:, 1] + pelvis[:, 1])
    waist = 0.135 * g * shape.belly + room
    hem = -0.03 if room > 0.004 else 0.035
    depth = float(np.clip((0.112 * g * shape.hips + 0.016 + room) / (wide + room), 0.6, 0.85))
    build.chain(
        [
            at(hip, pelvis, 0, -0.006, hem),
            at(hip, pelvis, 0, 0.0, 0.11),
            spine + middle * 0.012 * scale,
            at(top, chest, 0, 0.0, -0.16),
        ],
        [wide + 0.008 + room, 0.5 * (wide + waist) + 0.5 * room, waist, 0.15 * g * shape.chest + room],
        SHIRT,
        (middle, depth),
        (False, True),
    )
    if shape.belly > 1.08:
        bulge = 0.13 * scale * shape.belly
        build.ellipsoid(
            spine + middle * 0.055 * scale * shape.belly - unit(top - hip) * 0.05 * scale,
            (bulge, 0.105 * scale * shape.belly, bulge),
            np.stack([cross(middle, unit(top - hip)), middle, unit(top - hip)], axis=1),
            SHIRT,
        )
    build.ellipsoid(
        at(top, chest, 0, -0.004, -0.13),
        (min(0.158 * g * shape.chest, half_shoulder + 0.02) + room, 0.112 * g * shape.chest + room, 0.175 * scale),
        chest,
        SHIRT,
    )
    _chest_and_shoulders(build, xyz, shape, scale, chest)


def _chest_and_shoulders(build: Builder, xyz: Array, shape: BodyShape, scale: float, chest: Array) -> None:
    top, g, room = xyz[_J["thorax"]], shape.girth * scale, shape.looseness_m

    def at(left: float, forward: float, up: float) -> Array:
        return np.asarray(top + chest @ (scale * np.array([left, forward, up])))

    for sign in (1.0, -1.0):
        if shape.bust > 0.05:
            size = (0.052 + 0.02 * shape.bust) * g
            build.ellipsoid(at(sign * 0.07, 0.075, -0.155), (size, size, size * 1.05), chest, SHIRT)
        else:
            build.ellipsoid(at(sign * 0.068, 0.068, -0.105), (0.078 * g, 0.043 * g, 0.065 * g), chest, SHIRT)
        build.ellipsoid(at(sign * 0.075, -0.075, -0.09), (0.075 * g, 0.04 * g, 0.1 * g), chest, SHIRT)
        shoulder = xyz[_J["left_shoulder" if sign > 0 else "right_shoulder"]]
        build.chain(
            [at(sign * 0.035, -0.022, 0.045), shoulder - sign * chest[:, 0] * 0.025 * scale],
            [0.05 * scale, 0.056 * scale * shape.shoulders + room],
            SHIRT,
        )
        build.chain(
            [at(sign * 0.05, 0.0, -0.1), shoulder - sign * chest[:, 0] * 0.02 * scale],
            [0.095 * scale, 0.058 * scale * shape.shoulders + room],
            SHIRT,
            (chest[:, 1], 0.85),
        )


def _part(a: Array, b: Array, share: float, offset: Array | None = None) -> Array:
    point = a + share * (b - a)
    return np.asarray(point if offset is None else point + offset)


def _dressed(
    build: Builder,
    nodes: list[tuple[float, Array, float]],
    cover: float,
    cloth: int,
    room: float,
) -> None:
    """A limb, bare beyond `cover`; nodes are (share of the limb, point, radius)."""
    bare_points, bare_radii = [n[1] for n in nodes], [n[2] for n in nodes]
    covered: list[tuple[Array, float]] = []
    for i, (share, point, radius) in enumerate(nodes):
        if share <= cover:
            covered.append((point, radius + room))
            continue
        before = nodes[i - 1]
        t = (cover - before[0]) / (share - before[0])
        if covered and t > 0.02:
            covered.append((_part(before[1], point, t), before[2] + t * (radius - before[2]) + room * 1.3))
        break
    if len(covered) > 1:
        build.chain([c[0] for c in covered], [c[1] for c in covered], cloth, caps=(True, False))
    first = max(0, len(covered) - 2)
    if cover < nodes[-1][0]:
        build.chain(bare_points[first:], bare_radii[first:], SKIN)


def _leg(build: Builder, xyz: Array, shape: BodyShape, scale: float, side: str, pelvis: Array) -> None:
    hip, knee, ankle = xyz[BODY21.indices(f"{side}_hip", f"{side}_knee", f"{side}_ankle")]
    toe = xyz[_J[f"{side}_foot_index"]]
    sign = 1.0 if side == "left" else -1.0
    g = scale * shape.limbs
    thigh, shank = unit(knee - hip), unit(ankle - knee)
    front = toe - ankle
    front = unit(front - (front @ shank) * shank)
    out = sign * pelvis[:, 0]
    build.texture(hip, thigh, cross(thigh, front))
    nodes = [
        (0.0, _part(hip, knee, 0.03, -out * 0.004 * scale), 0.074 * g * shape.hips),
        (0.16, _part(hip, knee, 0.32, out * 0.004 * scale), 0.079 * g),
        (0.36, _part(hip, knee, 0.72), 0.064 * g),
        (0.5, _part(hip, knee, 1.0, front * 0.004 * scale), 0.054 * g),
        (0.56, _part(knee, ankle, 0.12, -front * 0.006 * scale), 0.05 * g),
        (0.67, _part(knee, ankle, 0.3, -front * 0.016 * scale), 0.055 * g),
        (0.82, _part(knee, ankle, 0.62, -front * 0.007 * scale), 0.042 * g),
        (0.95, _part(knee, ankle, 0.9), 0.034 * g),
        (1.0, ankle, 0.034 * g),
    ]
    _dressed(build, nodes, min(shape.trouser_leg, 0.97), TROUSERS, 0.004 + shape.looseness_m * 0.8)


def _foot(build: Builder, xyz: Array, shape: BodyShape, scale: float, side: str) -> None:
    knee, ankle, heel, toe = xyz[BODY21.indices(f"{side}_knee", f"{side}_ankle", f"{side}_heel", f"{side}_foot_index")]
    forward, down, _ = foot_axes(knee, ankle, toe)
    sign = 1.0 if side == "left" else -1.0
    across = sign * cross(forward, down)
    s = scale
    tip_way = forward
    if forward[2] < -0.1 and toe[2] < 0.09:  # toes bend when the heel is off the ground
        tip_way = unit(forward - 0.9 * np.array([0.0, 0.0, forward[2]]))
    tip = toe + tip_way * 0.045 * s + across * 0.006 * s
    squash = (np.asarray(down), 0.72)
    middle = 0.5 * (heel + toe)
    build.texture(ankle, forward, across)
    build.chain(
        [heel + forward * 0.022 * s, middle, toe - forward * 0.005 * s + across * 0.004 * s, tip - tip_way * 0.012 * s],
        [0.037 * s, 0.038 * s, 0.046 * s, 0.035 * s],
        SHOES,
        squash,
    )
    build.chain(
        [heel + forward * 0.025 * s - down * 0.012 * s, ankle + forward * 0.008 * s + down * 0.012 * s],
        [0.036 * s, 0.041 * s],
        SHOES,
    )
    build.chain(
        [ankle + forward * 0.02 * s + down * 0.018 * s, toe - forward * 0.025 * s - down * 0.004 * s],
        [0.037 * s, 0.033 * s],
        SHOES,
    )
    drop = down * 0.017 * s
    build.chain(
        [heel + forward * 0.02 * s + drop, toe + drop, tip - tip_way * 0.012 * s + drop * 0.8],
        [0.038 * s, 0.047 * s, 0.037 * s],
        SOLE,
        (np.asarray(down), 0.28),
    )


def _arm(build: Builder, xyz: Array, shape: BodyShape, scale: float, side: str, chest: Array, fingers: bool) -> None:
    shoulder, elbow, wrist = xyz[BODY21.indices(f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist")]
    g = scale * shape.limbs
    upper, fore = unit(elbow - shoulder), unit(wrist - elbow)
    build.texture(shoulder, upper, cross(upper, chest[:, 1]))
    nodes = [
        (0.0, shoulder, 0.054 * scale * shape.shoulders),
        (0.16, _part(shoulder, elbow, 0.3), 0.05 * g),
        (0.34, _part(shoulder, elbow, 0.62), 0.045 * g),
        (0.53, elbow, 0.037 * g),
        (0.64, _part(elbow, wrist, 0.22), 0.041 * g),
        (0.8, _part(elbow, wrist, 0.58), 0.034 * g),
        (1.0, wrist, 0.025 * g),
    ]
    _dressed(build, nodes, shape.sleeve, SHIRT, 0.003 + shape.looseness_m)
    if shape.sleeve <= 0.0:
        build.ball(shoulder - (1.0 if side == "left" else -1.0) * chest[:, 0] * 0.02 * scale, 0.057 * scale, SHIRT)
    _hand(build, shape, scale, side, chest, (shoulder, elbow, wrist), fore, fingers)


def _hand(
    build: Builder,
    shape: BodyShape,
    scale: float,
    side: str,
    chest: Array,
    arm: tuple[Array, Array, Array],
    fore: Array,
    fingers: bool,
) -> None:
    shoulder, elbow, wrist = arm
    sign = 1.0 if side == "left" else -1.0
    # The thumb points forward on a hanging or spread arm, up on an arm held forward, to the shoulder when bent.
    bend = unit(shoulder - elbow)
    wish = chest[:, 1] + 0.5 * chest[:, 2] + 1.2 * (bend - (bend @ fore) * fore)
    thumb = unit(wish - (wish @ fore) * fore)
    turn = np.radians(shape.hand_turn_deg) * sign
    thumb = np.cos(turn) * thumb + np.sin(turn) * cross(fore, thumb)
    palm = -sign * cross(thumb, fore)
    frame = np.stack([thumb, palm, fore], axis=1)
    build.texture(wrist, fore, thumb)

    def at(across: float, out: float, along: float) -> Array:
        return np.asarray(wrist + frame @ (scale * np.array([across, out, along])))

    s = scale
    build.ellipsoid(at(0.0, 0.0, 0.048), (0.042 * s, 0.017 * s, 0.055 * s), frame, SKIN)
    build.chain([at(0.0, 0.0, -0.01), at(0.0, 0.0, 0.03)], [0.024 * s, 0.024 * s], SKIN, (palm, 0.75))
    for i in range(4 if fingers else 0):
        across = 0.03 - 0.02 * i
        reach = (0.158, 0.17, 0.162, 0.14)[i]
        build.chain(
            [at(across, 0.002, 0.08), at(across * 1.05, 0.012, 0.125), at(across * 1.0, 0.03, reach)],
            [0.0105 * s, 0.0095 * s, 0.0078 * s],
            SKIN,
        )
    if not fingers:
        build.chain(
            [at(0.0, 0.002, 0.075), at(0.0, 0.012, 0.12), at(0.0, 0.026, 0.15)],
            [0.038 * s, 0.035 * s, 0.026 * s],
            SKIN,
            (palm, 0.35),
        )
    build.chain(
        [at(0.024, 0.006, 0.02), at(0.05, 0.018, 0.06), at(0.056, 0.026, 0.098)],
        [0.017 * s, 0.0125 * s, 0.0095 * s],
        SKIN,
    )
