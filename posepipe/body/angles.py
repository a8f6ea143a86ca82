"""Joint angles from a 3D pose, each with a sigma.

One sign table, for every program that prints an angle. Standing straight with hanging arms, looking ahead, everything
is near 0. Left and right mean the person's own. All angles are in degrees.

============================  ==============================================================  =======================
angle                         what it is                                                      positive
============================  ==============================================================  =======================
left_hip_flexion (right_)     thigh against the trunk's axis, in the pelvis' sagittal plane    thigh forward
left_hip_abduction            thigh out of the pelvis' sagittal plane                          thigh outward
left_knee_flexion             180 - angle hip-knee-ankle; never negative                       bent
left_ankle_dorsiflexion       90 - angle between shank and foot (heel to toe)                  toes up
left_shoulder_flexion         upper arm's elevation, its share forward                         arm forward
left_shoulder_abduction       upper arm's elevation, its share sideways                        arm outward
left_shoulder_elevation       angle between upper arm and the trunk's downward axis            arm raised
left_elbow_flexion            180 - angle shoulder-elbow-wrist; never negative                 bent
trunk_flexion                 trunk (pelvis to thorax) against `up`, forward                   leaning forward
trunk_lateral                 the same, sideways                                               leaning to the left
trunk_rotation                shoulder line against hip line, about the trunk's axis           turned to the left
neck_flexion                  thorax to head against the trunk's axis, sagittal                head forward
============================  ==============================================================  =======================

Frames. Pelvis: sideways axis through both hips, forward axis square to it and to the trunk. Trunk: long axis from
pelvis to thorax, forward axis square to it and to the shoulder line. Both turn with the body, so no angle depends on
where the person faces, and a mirrored person has left and right exchanged (trunk_lateral and trunk_rotation change
sign). There is no pelvis tilt of its own in the skeleton: hip flexion holds the bend of the lower back too.

Ranges. Hip flexion is in [-90, 270), so a deep squat doesn't wrap; abduction and elevation are bounded. An arm raised
forward past overhead reads more than 180. Exactly overhead, forward and sideways can't be told apart: there flexion and
abduction have a big sigma and `elevation` is the one to use.

`up` is the camera's up unless given. Gravity isn't known from one picture: a camera that looks down by 10 degrees moves
trunk_flexion by up to 10 degrees, and sigma doesn't know. `posepipe.body.world` tells it from a clip, with its sigma.
No other angle uses `up`.

Sigma starts first-order: ``variance = sum over joints of |d angle / d joint|^2 sigma_m^2``, errors of joints taken as
independent. For three points it is the closed form ``(s_a / L1)^2 + (s_c / L2)^2 + s_b^2 (1 / L1^2 + 1 / L2^2 -
2 cos / (L1 L2))`` with the interior angle's cosine. A lifter's joints don't err independently, so that is
multiplied by a factor for each kind of angle (`LIFTED`), measured on people that the lifter wasn't trained on. Where it
passes `MAX_SIGMA_DEG` the angle is withheld (NaN), as it is where a joint is missing; near overhead, where their
direction is lost, shoulder flexion and abduction go together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from posepipe.types import Angles, PoseTrack

__all__ = ["ANGLES", "LIFTED", "MAX_SIGMA_DEG", "joint_angles"]

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Intp = NDArray[np.intp]
Axis = tuple[float, float, float]

Way = tuple[str, str]
"""A direction: from the second joint to the first."""
UP: Way = ("up", "up")
"""The upward direction that is given; exact."""
Base = tuple[Way, Way]
"""Right-handed axes: the first direction, the second made square to it, and first x second."""

_TINY = 1e-9
"""A shorter direction is none."""
_SLOTS = 3
"""Directions that an angle depends on, at most."""
_CHUNK = 2048
"""Frames at a time, to bound memory."""

MAX_SIGMA_DEG = 45.0
"""A more uncertain angle is withheld. Judgement: half of a right angle."""

LIFTED: Mapping[str, float] = {
    "hip_flexion": 1.077,
    "hip_abduction": 0.771,
    "knee_flexion": 0.588,
    "ankle_dorsiflexion": 0.307,
    "shoulder_flexion": 0.488,
    "shoulder_abduction": 0.516,
    "shoulder_elevation": 0.499,
    "elbow_flexion": 0.472,
    "trunk_flexion": 1.035,
    "trunk_lateral": 0.762,
    "trunk_rotation": 0.494,
    "neck_flexion": 0.367,
}
"""What the propagated sigma of each kind of angle is multiplied by; ``posepipe train angle-sigma`` prints it."""


@dataclass(frozen=True, slots=True)
class AngleSpec:
    """One row of the sign table.

    Attributes:
        name: name in `Angles.names` and, with ``_deg``, in tables.
        label: words for a report.
        positive: what a positive value means.
        neutral: what 0 means.
        unit: always "deg".
    """

    name: str
    label: str
    positive: str
    neutral: str
    unit: str = "deg"


def _side_specs(side: str) -> tuple[AngleSpec, ...]:
    S = side.capitalize()
    return (
        AngleSpec(f"{side}_hip_flexion", f"{S} hip flexion", "thigh forward", "thigh in line with the trunk"),
        AngleSpec(f"{side}_hip_abduction", f"{S} hip abduction", "thigh outward", "thigh square to the hip line"),
        AngleSpec(f"{side}_knee_flexion", f"{S} knee flexion", "bent", "straight"),
        AngleSpec(f"{side}_ankle_dorsiflexion", f"{S} ankle dorsiflexion", "toes up", "foot square to the shank"),
        AngleSpec(f"{side}_shoulder_flexion", f"{S} shoulder flexion", "arm forward", "arm along the trunk"),
        AngleSpec(f"{side}_shoulder_abduction", f"{S} shoulder abduction", "arm outward", "arm along the trunk"),
        AngleSpec(f"{side}_shoulder_elevation", f"{S} shoulder elevation", "arm raised", "arm along the trunk"),
        AngleSpec(f"{side}_elbow_flexion", f"{S} elbow flexion", "bent", "straight"),
    )


ANGLES: tuple[AngleSpec, ...] = (
    *_side_specs("left"),
    *_side_specs("right"),
    AngleSpec("trunk_flexion", "Trunk flexion", "leaning forward", "trunk along up"),
    AngleSpec("trunk_lateral", "Trunk lateral lean", "leaning to the person's left", "trunk along up"),
    AngleSpec("trunk_rotation", "Trunk rotation", "shoulders turned to the person's left", "shoulders over hips"),
    AngleSpec("neck_flexion", "Neck flexion", "head forward", "head in line with the trunk"),
)
"""The sign table as data, in the order of `joint_angles`' columns."""

_COLUMN = {spec.name: column for column, spec in enumerate(ANGLES)}
_FACTOR = np.array([LIFTED[spec.name.removeprefix("left_").removeprefix("right_")] for spec in ANGLES], np.float32)


def joint_angles(
    pose: PoseTrack, up: Sequence[float] = (0.0, -1.0, 0.0), *, up_sigma_deg: float = 0.0, independent: bool = False
) -> Angles:
    """All angles of `ANGLES` for every frame.

    Args:
        pose: Body21 or Human3.6M 17; without heels and toes the ankles are NaN.
        up: upward direction in the camera frame, for the trunk's lean.
        up_sigma_deg: its standard deviation, which adds to that of the lean.
        independent: joints err independently, as triangulated markers do; sigma is the first-order formula alone.

    Returns:
        Angles (F, A) and sigmas in degrees; NaN where a joint is missing, the geometry is degenerate, or sigma is
        above `MAX_SIGMA_DEG`.
    """
    deg = np.full((len(pose), len(ANGLES)), np.nan, dtype=np.float32)
    sigma_deg = np.full_like(deg, np.nan)
    vertical = np.asarray(up, dtype=np.float64)
    vertical = vertical / np.linalg.norm(vertical)
    plan = _plan(pose.layout.joints)
    columns = [_COLUMN[name] for name in plan.names]
    for start in range(0, len(pose), _CHUNK):
        part = slice(start, start + _CHUNK)
        xyz = np.where(pose.valid[part, :, None], pose.xyz_m[part], np.nan).astype(np.float64)
        angle, spread = plan.measure(xyz, pose.sigma_m[part].astype(np.float64), vertical)
        good = np.isfinite(angle) & np.isfinite(spread)
        deg[part, columns] = np.where(good, np.degrees(angle), np.nan)
        sigma_deg[part, columns] = np.where(good, np.degrees(spread), np.nan)
    if not independent:
        sigma_deg *= _FACTOR
    lean = [_COLUMN["trunk_flexion"], _COLUMN["trunk_lateral"]]
    if up_sigma_deg > 0.0:
        sigma_deg[:, lean] = np.hypot(sigma_deg[:, lean], np.float32(up_sigma_deg))
    _withhold(deg, sigma_deg)
    return Angles(tuple(spec.name for spec in ANGLES), deg, sigma_deg)


def _withhold(deg: Float32, sigma_deg: Float32) -> None:
    """Blank, in place, what is too uncertain."""
    bad = sigma_deg > MAX_SIGMA_DEG
    for column, spec in enumerate(ANGLES):
        if spec.name.endswith("shoulder_flexion"):
            # One direction split in two: near overhead it vanishes, and the first-order sigma of one part can't tell.
            other = column + 1
            lost = np.hypot(sigma_deg[:, column], sigma_deg[:, other]) > 2.0 * MAX_SIGMA_DEG
            bad[:, column] |= lost
            bad[:, other] |= lost
    deg[bad] = np.nan
    sigma_deg[bad] = np.nan


@cache
def _plan(joints: tuple[str, ...]) -> Plan:
    return Plan(_angles(), joints)


def _angles() -> dict[str, Between | Turn | Tilt | Swing]:
    hips: Way = ("left_hip", "right_hip")
    shoulders: Way = ("left_shoulder", "right_shoulder")
    spine: Way = ("thorax", "pelvis")
    # Axes of every frame: left, up, forward. The first direction is kept.
    pelvis: Base = (hips, spine)
    trunk: Base = (spine, shoulders[::-1])  # up, right, forward
    level: Base = (UP, hips[::-1])  # up, right, forward
    girdle: Base = (spine, hips[::-1])  # up, right, forward
    found: dict[str, Between | Turn | Tilt | Swing] = {}
    for side, outward in (("left", 1.0), ("right", -1.0)):
        joints = ("hip", "knee", "ankle", "heel", "foot_index", "shoulder", "elbow", "wrist")
        hip, knee, ankle, heel, toe, shoulder, elbow, wrist = (f"{side}_{joint}" for joint in joints)
        thigh, shank, arm = (knee, hip), (ankle, knee), (elbow, shoulder)
        ahead, out = (0.0, 0.0, 1.0), (0.0, -outward, 0.0)
        found |= {
            f"{side}_hip_flexion": Turn(thigh, pelvis, toward=ahead, rest=(0.0, -1.0, 0.0)),
            f"{side}_hip_abduction": Tilt(thigh, pelvis, toward=(outward, 0.0, 0.0)),
            f"{side}_knee_flexion": Between(thigh, shank),
            f"{side}_ankle_dorsiflexion": Between(shank, (toe, heel), less=np.pi / 2.0),
            f"{side}_shoulder_flexion": Swing(arm, trunk, toward=ahead, across=out),
            f"{side}_shoulder_abduction": Swing(arm, trunk, toward=ahead, across=out, sideways=True),
            f"{side}_shoulder_elevation": Between(arm, spine[::-1]),
            f"{side}_elbow_flexion": Between(arm, (wrist, elbow)),
        }
    top, back = (1.0, 0.0, 0.0), (0.0, 0.0, -1.0)
    return found | {
        "trunk_flexion": Turn(spine, level, toward=(0.0, 0.0, 1.0), rest=top, low=-np.pi),
        "trunk_lateral": Tilt(spine, level, toward=(0.0, -1.0, 0.0)),
        "trunk_rotation": Turn(shoulders, girdle, toward=back, rest=(0.0, -1.0, 0.0), low=-np.pi),
        "neck_flexion": Turn(("head", "thorax"), trunk, toward=(0.0, 0.0, 1.0), rest=top, low=-np.pi),
    }


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
