"""Angles of directions in body frames, with their exact standard deviation; all angles of all frames at once.

A `Plan` lists the angles by joint names. One pass over it costs a live picture a few array operations for all angles
together, not for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["UP", "Base", "Between", "Plan", "Swing", "Tilt", "Turn", "Way"]

Float64 = NDArray[np.float64]
Intp = NDArray[np.intp]
Axis = tuple[float, float, float]

Way = tuple[str, str]
"""A direction: from the second joint to the first."""
UP: Way = ("up", "up")
"""The upward direction that is given; exact."""
Base = tuple[Way, Way]
"""Right-handed axes: the first direction, the second made square to it, and first x second."""

_TINY = 1e-9
_SLOTS = 3  # Directions that an angle depends on, at most.


@dataclass(frozen=True, slots=True)
class Between:
    """Angle between two directions, in [0, pi], less a constant in radians."""

    a: Way
    b: Way
    less: float = 0.0


@dataclass(frozen=True, slots=True)
class Turn:
    """Angle of a direction in the plane of two axes, 0 along `rest`, growing to `toward`, in [low, low + 2 pi)."""

    way: Way
    base: Base
    toward: Axis
    rest: Axis
    low: float = -np.pi / 2.0


@dataclass(frozen=True, slots=True)
class Tilt:
    """Angle of a direction out of the plane square to an axis."""

    way: Way
    base: Base
    toward: Axis


@dataclass(frozen=True, slots=True)
class Swing:
    """Elevation from the downward axis, its share along `toward` (or `across`, if `sideways`).

    Elevation e in direction w from `toward`: ``e cos w`` and ``e sin w``. Behind overhead, e is counted on past 180.
    """

    way: Way
    base: Base
    toward: Axis
    across: Axis
    sideways: bool = False


class Plan:
    """Angles to measure on poses with these joints.

    Attributes:
        names: of the angles, in the order of the results; those whose joints are missing are left out.

    Args:
        angles: by name.
        joints: of the layout.
    """

    def __init__(self, angles: Mapping[str, Between | Turn | Tilt | Swing], joints: Sequence[str]) -> None:
        found = {name: item for name, item in angles.items() if _joints(item) <= set(joints)}
        self._between = {name: item for name, item in found.items() if isinstance(item, Between)}
        turns = {name: item for name, item in found.items() if isinstance(item, Turn)}
        tilts = {name: item for name, item in found.items() if isinstance(item, Tilt)}
        swings = {name: item for name, item in found.items() if isinstance(item, Swing)}
        local: list[Turn | Tilt | Swing] = [*turns.values(), *tilts.values(), *swings.values()]
        self.names = (*turns, *tilts, *swings, *self._between)
        ways = list(dict.fromkeys(way for item in found.values() for way in _ways(item)))
        ways = [way for way in ways if way != UP] + [UP]
        number = {way: i for i, way in enumerate(ways)}
        self._ends = _whole([[joints.index(joint) for joint in way] for way in ways[:-1]]).reshape(-1, 2)
        bases = list(dict.fromkeys(item.base for item in local))
        self._first = _whole([number[first] for first, _ in bases])
        self._second = _whole([number[second] for _, second in bases])
        self._base = _whole([bases.index(item.base) for item in local])
        self._way = _whole([number[item.way] for item in local])
        self._a = _whole([number[item.a] for item in self._between.values()])
        self._b = _whole([number[item.b] for item in self._between.values()])
        self._less = np.array([item.less for item in self._between.values()])
        self._toward = np.array([item.toward for item in local]).reshape(-1, 3)
        self._rest = np.array([item.rest for item in turns.values()]).reshape(-1, 3)
        self._low = np.array([item.low for item in turns.values()])
        self._across = np.array([item.across for item in swings.values()]).reshape(-1, 3)
        self._sideways = np.array([item.sideways for item in swings.values()], dtype=bool)
        cuts = np.cumsum([0, len(turns), len(tilts), len(swings)])
        self._turns, self._tilts, self._swings = (slice(int(a), int(b)) for a, b in pairwise(cuts))
        self._touched, self._weights = _incidence([_ways(found[name]) for name in self.names], joints)

    def measure(self, xyz: Float64, sigma: Float64, up: Float64) -> tuple[Float64, Float64]:
        """Angles and their standard deviations (F, A) in radians; NaN where a frame of axes can't be told.

        First order, errors of joints taken as independent.

        Args:
            xyz: (F, J, 3), NaN where missing.
            sigma: (F, J) of each coordinate.
            up: (3,) unit vector.
        """
        ways = np.empty((len(xyz), len(self._ends) + 1, 3))
        np.subtract(xyz[:, self._ends[:, 0]], xyz[:, self._ends[:, 1]], out=ways[:, :-1])
        ways[:, -1] = up
        local, local_gradient = self._in_bases(ways)
        apart, apart_gradient = _between(ways[:, self._a], ways[:, self._b])
        angle = np.concatenate([local, apart - self._less], axis=1)
        gradient = np.concatenate([local_gradient, apart_gradient], axis=1)
        by_joint = self._weights @ gradient
        variance = np.einsum("fajc,fajc,faj->fa", by_joint, by_joint, sigma[:, self._touched] ** 2)
        return angle, np.sqrt(variance)

    def _in_bases(self, ways: Float64) -> tuple[Float64, Float64]:
        """Angles (F, A) in frames of axes, and gradients (F, A, 3, 3) for direction, first and second vector."""
        first, second = ways[:, self._first], ways[:, self._second]
        length = _positive(_norm(first))
        a = first / length[..., None]
        c = _cross(a, second)
        c /= _positive(_norm(c))[..., None]
        axes = np.stack([a, _cross(c, a), c], axis=2)
        along, across = _dot(second, axes[:, :, 0]), _dot(second, axes[:, :, 1])
        mine = axes[:, self._base]
        d = np.einsum("fakc,fac->fak", mine, ways[:, self._way])
        turned = _turn(d[:, self._turns], self._toward[self._turns], self._rest, self._low)
        tilted = _tilt(d[:, self._tilts], self._toward[self._tilts])
        swung = _swing(d[:, self._swings], self._toward[self._swings], self._across, self._sideways)
        gradient = np.concatenate([turned[1], tilted[1], swung[1]], axis=1)
        # A frame that turns by w acts like a vector turned by -w: d angle / d w = -(d x gradient). First vector p and
        # second q turn it by w2 = -dp.c / |p|, w3 = dp.b / |p|, w1 = (dq.c + w2 q1) / q2.
        w1, w2, w3 = np.moveaxis(_cross(gradient, d), 2, 0)
        across = across[:, self._base]
        shared = w1 / across
        slots = np.zeros((*d.shape[:2], _SLOTS, 3))
        slots[:, :, 0] = gradient
        slots[:, :, 1, 1] = w3 / length[:, self._base]
        slots[:, :, 1, 2] = -(w2 + shared * along[:, self._base]) / length[:, self._base]
        slots[:, :, 2, 2] = shared
        return np.concatenate([turned[0], tilted[0], swung[0]], axis=1), slots @ mine


def _turn(d: Float64, toward: Float64, rest: Float64, low: Float64) -> tuple[Float64, Float64]:
    p, q = _dot(d, toward), _dot(d, rest)
    square = _positive(p**2 + q**2)[..., None]
    angle = (np.arctan2(p, q) - low) % (2.0 * np.pi) + low
    return angle, (q[..., None] * toward - p[..., None] * rest) / square


def _tilt(d: Float64, toward: Float64) -> tuple[Float64, Float64]:
    p = _dot(d, toward)
    flat = d - p[..., None] * toward
    q = _positive(_norm(flat))
    gradient = (q[..., None] * toward - (p / q)[..., None] * flat) / (p**2 + q**2)[..., None]
    return np.arctan2(p, q), gradient


def _swing(d: Float64, toward: Float64, across: Float64, sideways: NDArray[np.bool_]) -> tuple[Float64, Float64]:
    x, y, z = _dot(d, toward), _dot(d, across), -d[..., 0]
    # Straight down or up has no direction; call it forward.
    x = np.where(np.hypot(x, y) < 1e-6 * np.abs(z), 1e-6 * np.abs(z), x)
    over = (x < 0.0) & (z < 0.0) & (np.abs(y) < -x)
    flip = np.where(over, -1.0, 1.0)
    r = np.maximum(np.hypot(x, y), _TINY)
    square = _positive(r**2 + z**2)
    e = np.arctan2(r, z)
    e = np.where(over, 2.0 * np.pi - e, e)
    main, other = np.where(sideways, y, x), np.where(sideways, x, y)
    angle = flip * e * main / r
    # d e / d (r, z) = flip * (z, -r) / square; flip^2 = 1.
    by_r = z / square * main / r
    by_main = flip * e * other**2 / r**3 + by_r * main / r
    by_other = -flip * e * main * other / r**3 + by_r * other / r
    by_z = -r / square * main / r
    by_x, by_y = np.where(sideways, by_other, by_main), np.where(sideways, by_main, by_other)
    gradient = by_x[..., None] * toward + by_y[..., None] * across
    gradient[..., 0] -= by_z
    return angle, gradient


def _between(a: Float64, b: Float64) -> tuple[Float64, Float64]:
    """Angles (F, A) of directions (F, A, 3), and gradients (F, A, 3, 3) for both; the third place stays empty."""
    la, lb = _positive(_norm(a))[..., None], _positive(_norm(b))[..., None]
    ua, ub = a / la, b / lb
    normal = _cross(ua, ub)
    sine = _norm(normal)
    # Straight limbs have no plane; any square to them gives the right size.
    flat = sine < 1e-6
    if flat.any():
        normal[flat] = _cross(ua[flat], np.eye(3)[np.argmin(np.abs(ua[flat]), axis=1)])
    normal /= _positive(_norm(normal))[..., None]
    gradient = np.zeros((*sine.shape, _SLOTS, 3))
    gradient[:, :, 0] = _cross(ua, normal) / la
    gradient[:, :, 1] = _cross(normal, ub) / lb
    return np.arctan2(sine, _dot(ua, ub)), gradient


def _ways(item: Between | Turn | Tilt | Swing) -> tuple[Way, ...]:
    return (item.a, item.b) if isinstance(item, Between) else (item.way, *item.base)


def _joints(item: Between | Turn | Tilt | Swing) -> set[str]:
    return {joint for way in _ways(item) if way != UP for joint in way}


def _incidence(angles: Sequence[Sequence[Way]], joints: Sequence[str]) -> tuple[Intp, Float64]:
    """Joints (A, 6) that each angle depends on, and how they make up its directions (A, 6, 3)."""
    touched = np.zeros((len(angles), 2 * _SLOTS), dtype=np.intp)
    weights = np.zeros((len(angles), 2 * _SLOTS, _SLOTS))
    for row, ways in enumerate(angles):
        mine = list(dict.fromkeys(joints.index(joint) for way in ways if way != UP for joint in way))
        # Empty places point to a joint of the angle: another one may be missing, and 0 times NaN isn't 0.
        touched[row] = [*mine, *[mine[0]] * (2 * _SLOTS - len(mine))]
        for slot, way in enumerate(ways):
            if way != UP:
                weights[row, mine.index(joints.index(way[0])), slot] += 1.0
                weights[row, mine.index(joints.index(way[1])), slot] -= 1.0
    return touched, weights


def _whole(values: Sequence[int] | Sequence[Sequence[int]]) -> Intp:
    return np.array(values, dtype=np.intp)


def _cross(a: Float64, b: Float64) -> Float64:
    """Cross product (..., 3). NumPy's own is four times slower for the one frame of a live picture."""
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    product = np.empty(a.shape)
    product[..., 0] = ay * bz - az * by
    product[..., 1] = az * bx - ax * bz
    product[..., 2] = ax * by - ay * bx
    return product


def _dot(a: Float64, b: Float64) -> Float64:
    return np.asarray(np.einsum("...c,...c->...", a, b))


def _norm(a: Float64) -> Float64:
    return np.sqrt(_dot(a, a))


def _positive(x: Float64) -> Float64:
    """NaN in place of a length too small to divide by."""
    return np.where(x > _TINY, x, np.nan)
