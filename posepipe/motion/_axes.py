"""Angles of directions in body frames, with their exact gradients.

A `Point` is a linear combination of joints, so it can tell how it moves when a joint does. Each angle returns its
value in radians (F,) and, per joint index, the gradient (F, 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Frame", "Gradients", "Point", "between", "frame", "spread", "swing", "tilt", "turn"]

Float64 = NDArray[np.float64]
Gradients = dict[int, Float64]
Axis = tuple[float, float, float]

_TINY = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """A point or vector made from joints: coordinates (F, 3), and the weight of each joint in it."""

    xyz: Float64
    weights: dict[int, float]

    def __sub__(self, other: Point) -> Point:
        weights = dict(self.weights)
        for joint, weight in other.weights.items():
            weights[joint] = weights.get(joint, 0.0) - weight
        return Point(self.xyz - other.xyz, weights)

    def __neg__(self) -> Point:
        return Point(-self.xyz, {joint: -weight for joint, weight in self.weights.items()})


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Right-handed axes (F, 3, 3): rows are the first vector, the second made square to it, and first x second."""

    first: Point
    second: Point
    axes: Float64
    first_length: Float64
    second_along: Float64  # components of the second vector on axes 0 and 1
    second_across: Float64

    def world(self, local: Float64) -> Float64:
        """Vectors (F, 3) given in the frame, in world axes."""
        return np.asarray(np.einsum("fk,fkc->fc", local, self.axes))


def frame(first: Point, second: Point) -> Frame:
    """Frame of two vectors; NaN where they are parallel or vanish."""
    length = _positive(_norm(first.xyz))
    a = first.xyz / length[:, None]
    c = np.cross(a, second.xyz)
    c /= _positive(_norm(c))[:, None]
    b = np.cross(c, a)
    axes = np.stack([a, b, c], axis=1)
    return Frame(first, second, axes, length, _dot(second.xyz, a), _dot(second.xyz, b))


def turn(vector: Point, base: Frame, toward: Axis, rest: Axis, low: float = -np.pi / 2.0) -> tuple[Float64, Gradients]:
    """Angle of a vector in the plane of two frame axes, 0 along `rest`, growing to `toward`, in [low, low + 2 pi)."""
    d, t, r = _local(vector, base), np.array(toward), np.array(rest)
    p, q = d @ t, d @ r
    square = _positive(p**2 + q**2)[:, None]
    angle = (np.arctan2(p, q) - low) % (2.0 * np.pi) + low
    return angle, _chain((q[:, None] * t - p[:, None] * r) / square, d, vector, base)


def tilt(vector: Point, base: Frame, toward: Axis) -> tuple[Float64, Gradients]:
    """Angle of a vector out of the plane square to a frame axis."""
    d, t = _local(vector, base), np.array(toward)
    p = d @ t
    flat = d - p[:, None] * t
    q = _positive(_norm(flat))
    gradient = (q[:, None] * t - (p / q)[:, None] * flat) / (p**2 + q**2)[:, None]
    return np.arctan2(p, q), _chain(gradient, d, vector, base)


def swing(vector: Point, base: Frame, toward: Axis, across: Axis, sideways: bool = False) -> tuple[Float64, Gradients]:
    """Elevation from the frame's downward axis, its share along `toward` (or `across`).

    Elevation e in direction w from `toward`: ``e cos w`` and ``e sin w``. Behind overhead, e is counted on past 180.
    """
    d = _local(vector, base)
    x, y, z = d @ np.array(toward), d @ np.array(across), -d[:, 0]
    # Straight down or up has no direction; call it forward.
    x = np.where(np.hypot(x, y) < 1e-6 * np.abs(z), 1e-6 * np.abs(z), x)
    over = (x < 0.0) & (z < 0.0) & (np.abs(y) < -x)
    flip = np.where(over, -1.0, 1.0)
    r = np.maximum(np.hypot(x, y), _TINY)
    square = _positive(r**2 + z**2)
    e = np.arctan2(r, z)
    e = np.where(over, 2.0 * np.pi - e, e)
    main, other = (y, x) if sideways else (x, y)
    angle = flip * e * main / r
    # d e / d (r, z) = flip * (z, -r) / square; flip^2 = 1.
    by_r = z / square * main / r
    by_main = flip * e * other**2 / r**3 + by_r * main / r
    by_other = -flip * e * main * other / r**3 + by_r * other / r
    by_z = -r / square * main / r
    by_x, by_y = (by_other, by_main) if sideways else (by_main, by_other)
    gradient = by_x[:, None] * np.array(toward) + by_y[:, None] * np.array(across)
    gradient[:, 0] -= by_z
    return angle, _chain(gradient, d, vector, base)


def between(a: Point, b: Point) -> tuple[Float64, Gradients]:
    """Angle between two vectors, in [0, pi]."""
    la, lb = _positive(_norm(a.xyz)), _positive(_norm(b.xyz))
    ua, ub = a.xyz / la[:, None], b.xyz / lb[:, None]
    normal = np.cross(ua, ub)
    sine = _norm(normal)
    angle = np.arctan2(sine, _dot(ua, ub))
    # Straight limbs have no plane; any square to them gives the right size.
    flat = sine < 1e-6
    if flat.any():
        normal[flat] = np.cross(ua[flat], np.eye(3)[np.argmin(np.abs(ua[flat]), axis=1)])
    normal /= _positive(_norm(normal))[:, None]
    gradients: Gradients = {}
    _add(gradients, a, -np.cross(normal, ua) / la[:, None])
    _add(gradients, b, np.cross(normal, ub) / lb[:, None])
    return angle, gradients


def spread(gradients: Gradients, sigma: Float64) -> Float64:
    """Standard deviation (F,) from independent joint errors, sigma (F, J) per coordinate."""
    variance = np.zeros(len(sigma))
    for joint, gradient in gradients.items():
        variance += _dot(gradient, gradient) * sigma[:, joint] ** 2
    return np.sqrt(variance)


def _local(vector: Point, base: Frame) -> Float64:
    return np.asarray(np.einsum("fc,fkc->fk", vector.xyz, base.axes))


def _chain(gradient: Float64, d: Float64, vector: Point, base: Frame) -> Gradients:
    """From the gradient for the vector in frame axes to gradients for all joints, those of the frame included.

    A frame that turns by w acts like a vector turned by -w: ``d angle / d w = -(d x gradient)``. First vector p and
    second q turn it by ``w2 = -dp.c / |p|``, ``w3 = dp.b / |p|``, ``w1 = (dq.c + w2 q1) / q2``.
    """
    w1, w2, w3 = -np.cross(d, gradient).T
    q1, q2 = base.second_along, base.second_across
    zero = np.zeros_like(w1)
    by_first = np.stack([zero, w3, -w2 - w1 * q1 / q2], axis=1) / base.first_length[:, None]
    by_second = np.stack([zero, zero, w1 / q2], axis=1)
    gradients: Gradients = {}
    _add(gradients, vector, base.world(gradient))
    _add(gradients, base.first, base.world(by_first))
    _add(gradients, base.second, base.world(by_second))
    return gradients


def _add(gradients: Gradients, point: Point, gradient: Float64) -> None:
    for joint, weight in point.weights.items():
        term = weight * gradient
        gradients[joint] = gradients[joint] + term if joint in gradients else term


def _dot(a: Float64, b: Float64) -> Float64:
    return np.asarray(np.einsum("fc,fc->f", a, b))


def _norm(a: Float64) -> Float64:
    return np.sqrt(_dot(a, a))


def _positive(x: Float64) -> Float64:
    """NaN in place of a length too small to divide by."""
    return np.where(x > _TINY, x, np.nan)
