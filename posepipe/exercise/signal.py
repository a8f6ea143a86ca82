"""What a movement looks like as curves: named measures with their sigma, and poses made comparable for counting.

A measure is a number per frame, one for each side or one for the body. Those in degrees are unsigned angles of three
joints, so they depend neither on where the person faces nor on left and right; the rest come from
`posepipe.body.angles`. See `MEASURES` for what a catalogue may use.

============== ================================================================================ ====
measure        what it is                                                                       side
============== ================================================================================ ====
knee_flexion   180 - angle hip-knee-ankle                                                       yes
elbow_flexion  180 - angle shoulder-elbow-wrist                                                 yes
hip_bend       180 - angle shoulder-hip-knee                                                    yes
arm_raise      angle hip-shoulder-elbow: 0 hanging, 180 overhead                                yes
body_line      180 - angle shoulder-hip-ankle: 0 when the body is one line                      yes
knee_inward    how far the knee lies inward of the line hip-ankle, seen from the front          yes
trunk_lean     angle between trunk and `up`                                                     no
legs_apart     angle between the two thighs                                                     no
hand_rise      how high the hand is against the shoulder, as a straight arm's angle to level    yes
thigh_rise     the thigh's angle to level: 90 standing, 0 level, below 0 deeper                 yes
hip_rise       bend at the hip of who lies propped up, by its height over the line
               shoulder-knee: 0 in line, above 0 bent upwards, below 0 sagging                 yes
============== ================================================================================ ====

Every angle of `posepipe.body.angles` goes by its own name too, without ``left_`` or ``right_``.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posepipe.body.angles import ANGLES
from posepipe.body.motion import Motion

__all__ = [
    "DEPTH_WEIGHT", "MEASURES", "POSE_JOINTS", "Measure", "difference_sigma", "grid", "low_pass", "measure",
    "pose_matrix", "resampled",
]  # fmt: skip

Array = NDArray[np.float64]

RATE_HZ = 20.0
"""Movements without a name are cut on a grid of this many poses a second."""
CUTOFF_HZ = 4.0
"""Faster movement isn't a repetition (two a second are the fastest that people do)."""

_TRIPLES: Mapping[str, tuple[str, str, str]] = {
    "knee_flexion": ("hip", "knee", "ankle"),
    "elbow_flexion": ("shoulder", "elbow", "wrist"),
    "hip_bend": ("shoulder", "hip", "knee"),
    "arm_raise": ("hip", "shoulder", "elbow"),
    "body_line": ("shoulder", "hip", "ankle"),
}
_RISES: Mapping[str, tuple[tuple[str, ...], int]] = {
    "hand_rise": (("shoulder", "elbow", "wrist"), 1),
    "thigh_rise": (("hip", "knee"), -1),
}
"""A limb from its root to its end, and whether its end is up (1) or down at 90 degrees."""
_SHARED, _FADES_DEG = 0.85, 30.0
"""Correlation of the errors in two frames of a repetition: at the same angle, and the change that halves it. Measured
by `posepipe evaluate angle-errors`."""
_TRUER: Mapping[str, float] = {"arm_raise": 0.75, "trunk_lean": 1.6, "knee_inward": 0.7}
"""Error over the sigma of independent joints, measured by the same; of a knee at the turn of a squat, where it is
largest, by `posepipe.lab.power`: both ends of a leg are wrong in depth together."""
_TILT_DEG, _LEAN_DEPTH_DEG = 5.0, 25.0
"""A trunk's lean is told against a camera that is taken to stand level, and what of it lies in depth is hardly seen:
its error besides the joints', from the one, and from the other at a trunk that points at the camera. On 150 synthetic
sets 93 % of all errors then lie within 1.645 sigmas, and as many of leans beyond 35 degrees to or from the camera (by
one factor for all 74 %)."""
_HEIGHTS_TRUER: Mapping[str, float] = {"hand_rise": 0.6, "thigh_rise": 0.7, "hip_rise": 0.6}
"""Error of a height over the sigma of its joints, which holds their depth: on 1,100 synthetic sets (seed 933 of
`posepipe.lab.power`) nine in ten errors of every rule that uses one lie within 1.6 sigmas."""
_LEVEL_LEAST = 0.1
"""Share of a body's length that is level, at least: keeps a quotient finite."""
_LEANS = ("trunk_flexion", "trunk_lateral")
"""Angles of the body that are leans, too."""
_TORSO_PARTS = 0.25
"""Positions are counted in quarters of the trunk's length: about as much as 30 degrees at a limb's end."""
DEPTH_WEIGHT = 0.3
"""Depth from one camera is that much less certain than the picture."""
_CAMERA_UP = 0.7
"""Where up lies so much along the second axis the axes are a camera's."""
_LEAST_FRAMES = 4
"""A curve seen in fewer isn't resampled."""
_SELDOM = 0.1
"""A joint seen in a smaller share of the frames is put where it would be on a stretched body."""
_BEYOND: Mapping[str, tuple[str, str, float]] = {
    "head": ("thorax", "pelvis", 0.5),
    "elbow": ("shoulder", "hip", -0.55),
    "wrist": ("elbow", "shoulder", 0.9),
    "knee": ("hip", "shoulder", 0.8),
    "ankle": ("knee", "hip", 1.0),
}
"""Where a joint is put: beyond the first one, seen from the second, by a share of their distance (after Winter)."""
POSE_JOINTS = (
    "thorax",
    "head",
    *(f"{side}_{joint}" for side in ("left", "right") for joint in ("shoulder", "elbow", "wrist")),
    *(f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle")),
)
_SIDED = tuple(name.removeprefix("left_") for name in (spec.name for spec in ANGLES) if name.startswith("left_"))
_MIDDLE = tuple(spec.name for spec in ANGLES if not spec.name.startswith(("left_", "right_")))

MEASURES: Mapping[str, bool] = {
    **dict.fromkeys(_SIDED, True),
    **dict.fromkeys(_MIDDLE, False),
    **dict.fromkeys(_TRIPLES, True),
    "knee_inward": True,
    "trunk_lean": False,
    "legs_apart": False,
    "hand_rise": True,
    "thigh_rise": True,
    "hip_rise": True,
}
"""Names a catalogue may use; True for those with a left and a right."""


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """A measure over F frames.

    Attributes:
        name: of `MEASURES`.
        deg: (F, 2) left and right, or (F, 1) for the whole body; NaN where unseen.
        sigma_deg: the same shape.
        alone_deg: sigma of the angle itself, where that of `sigma_deg` is for differences; the same shape.
    """

    name: str
    deg: Array
    sigma_deg: Array
    alone_deg: Array | None = None

    @property
    def sided(self) -> bool:
        """Whether there is a left and a right."""
        return bool(self.deg.shape[1] == 2)


def measure(motion: Motion, name: str) -> Measure:
    """One measure of a motion.

    Raises:
        KeyError: no such measure.
    """
    if name in _TRIPLES:
        deg, sigma = _bends(motion, _TRIPLES[name])
        sigma = _calibrated(motion, name, sigma * _TRUER.get(name, 1.0))
        return Measure(name, 180.0 - deg if name == "arm_raise" else deg, sigma)
    if name == "knee_inward":
        both = [_inward(motion, side) for side in ("left", "right")]
        deg, sigma = (np.stack(part, axis=1) for part in zip(*both, strict=True))
        return Measure(name, deg, sigma * _TRUER[name])
    if name == "trunk_lean":
        deg, sigma, depth = _lean(motion)
        return replace(_one(name, deg, sigma * _TRUER[name]), alone_deg=_tilted(sigma, depth)[:, None])
    if name == "legs_apart":
        return _one(name, *_apart(motion))
    if name == "hip_rise":
        return Measure(name, *_hip_rise(motion))
    if name in _RISES:
        deg, sigma = _rise(motion, *_RISES[name], truer=_HEIGHTS_TRUER[name])
        return Measure(name, deg, sigma)
    if name not in MEASURES:
        raise KeyError(name)
    if not motion.angles.names:
        blank = np.full((len(motion), 2 if MEASURES[name] else 1), np.nan)
        return Measure(name, blank, blank)
    names = [f"left_{name}", f"right_{name}"] if MEASURES[name] else [name]
    columns = [motion.angles.names.index(n) for n in names]
    deg, sigma = (part[:, columns].astype(np.float64) for part in (motion.angles.deg, motion.angles.sigma_deg))
    alone = _tilted(sigma, _lean(motion)[2][:, None]) if name in _LEANS else None
    return Measure(name, deg, sigma, alone)


def difference_sigma(change_deg: Array, one_deg: Array, other_deg: Array) -> Array:
    """Sigma of the difference between an angle in two frames of a repetition.

    The same person, lens and view err alike in both frames as long as the posture is alike; with the change of the
    angle the errors part company. Correlation ``0.85 / (1 + change / 30 degrees)``, the same for all angles.

    Args:
        change_deg: how much the angle changed, any sign.
        one_deg: sigma in one frame.
        other_deg: sigma in the other.
    """
    shared = _SHARED / (1.0 + np.abs(change_deg) / _FADES_DEG)
    return np.asarray(np.sqrt(one_deg**2 + other_deg**2 - 2.0 * shared * one_deg * other_deg))


def _calibrated(motion: Motion, name: str, sigma: Array) -> Array:
    """The sigma of `posepipe.body.angles` for the angles that are the same there."""
    columns = [f"{side}_{name}" for side in ("left", "right")]
    if not set(columns) <= set(motion.angles.names):
        return sigma
    known = motion.angles.sigma_deg[:, [motion.angles.names.index(column) for column in columns]].astype(np.float64)
    return np.where(np.isfinite(known), known, sigma)


def _one(name: str, deg: Array, sigma: Array) -> Measure:
    return Measure(name, deg[:, None], sigma[:, None])


def _points(motion: Motion, *joints: str) -> tuple[list[Array], list[Array]]:
    index = motion.layout.indices(*joints)
    xyz = np.where(motion.valid[:, index, None], motion.xyz_m[:, index], np.nan).astype(np.float64)
    sigma = motion.sigma_m[:, index].astype(np.float64)
    return [xyz[:, i] for i in range(len(joints))], [sigma[:, i] for i in range(len(joints))]


def _bends(motion: Motion, joints: Sequence[str]) -> tuple[Array, Array]:
    """180 - the angle at the middle joint (F, 2), left and right, and its first-order sigma.

    The closed form of `posepipe.body.angles`.
    """
    points, spread = _points(motion, *(f"{side}_{joint}" for joint in joints for side in ("left", "right")))
    p, q, r = (np.stack(points[i : i + 2], axis=1) for i in (0, 2, 4))
    sp, sq, sr = (np.stack(spread[i : i + 2], axis=1) for i in (0, 2, 4))
    u, v = p - q, r - q
    one, two = _norm(u), _norm(v)
    cos = np.clip((u * v).sum(axis=-1) / (one * two), -1.0, 1.0)
    var = (sp / one) ** 2 + (sr / two) ** 2 + sq**2 * (1 / one**2 + 1 / two**2 - 2 * cos / (one * two))
    return 180.0 - np.degrees(np.arccos(cos)), np.degrees(np.sqrt(np.maximum(var, 0.0)))


def _tilted(sigma_deg: Array, depth: Array) -> Array:
    """Sigma of a lean by itself, of the joints' share and of the trunk's share in depth."""
    return np.asarray(np.sqrt(sigma_deg**2 + _TILT_DEG**2 + (_LEAN_DEPTH_DEG * depth) ** 2))


def _lean(motion: Motion) -> tuple[Array, Array, Array]:
    """Lean, its first-order sigma, and the share of the trunk that lies in a camera's depth."""
    (low, high), (sl, sh) = _points(motion, "pelvis", "thorax")
    trunk = high - low
    length = _norm(trunk)
    cos = np.clip(trunk @ motion.up.astype(np.float64) / length, -1.0, 1.0)
    from_camera = abs(float(motion.up[1])) > _CAMERA_UP
    depth = np.abs(trunk[:, 2]) / length if from_camera else np.zeros(len(trunk))
    return np.degrees(np.arccos(cos)), np.degrees(np.hypot(sl, sh) / length), depth


def _rise(motion: Motion, limb: Sequence[str], way: int, *, truer: float) -> tuple[Array, Array]:
    """How far the end of a limb is above its root (F, 2), as the angle to level of a straight limb, and its sigma.

    Heights are seen in a picture from any side; depth, which is told worst, doesn't enter but by the limb's length.
    """
    rises, sigmas = [], []
    for side in ("left", "right"):
        points, spread = _points(motion, *(f"{side}_{joint}" for joint in limb))
        whole = sum(_usual(_norm(b - a)) for a, b in itertools.pairwise(points))
        share = way * (points[-1] - points[0]) @ motion.up.astype(np.float64) / whole
        doubt = truer * np.hypot(spread[0], spread[-1]) / whole
        above, below = (np.degrees(np.arcsin(np.clip(share + turn * doubt, -1.0, 1.0))) for turn in (1.0, -1.0))
        rises.append(np.degrees(np.arcsin(np.clip(share, -1.0, 1.0))))
        sigmas.append(np.hypot(0.5 * (above - below), _TILT_DEG))
    return np.stack(rises, axis=1), np.stack(sigmas, axis=1)


def _hip_rise(motion: Motion) -> tuple[Array, Array]:
    """The bend at the hip (F, 2) of a body near level, from heights alone, and its sigma.

    The steeper the body, the less of a bend is height: at a wall the sigma says that nothing is known.
    """
    rises, sigmas = [], []
    for side in ("left", "right"):
        points, spread = _points(motion, *(f"{side}_{joint}" for joint in ("shoulder", "hip", "knee")))
        upper, lower = (_usual(_norm(b - a)) for a, b in itertools.pairwise(points))
        high = [point @ motion.up.astype(np.float64) for point in points]
        share = upper / (upper + lower)
        level = np.sqrt(np.clip(1.0 - ((high[0] - high[2]) / (upper + lower)) ** 2, _LEVEL_LEAST**2, 1.0))
        off = (high[1] - (1.0 - share) * high[0] - share * high[2]) / level
        doubt = _HEIGHTS_TRUER["hip_rise"] * np.sqrt(
            spread[1] ** 2 + ((1.0 - share) * spread[0]) ** 2 + (share * spread[2]) ** 2
        )
        rises.append(sum(np.degrees(np.arcsin(np.clip(off / part, -1.0, 1.0))) for part in (upper, lower)))
        sigmas.append(np.degrees(doubt / level * (1.0 / upper + 1.0 / lower)))
    return np.stack(rises, axis=1), np.stack(sigmas, axis=1)


def _usual(length: Array) -> float:
    """Median of what is known; NaN where nothing is."""
    seen = length[np.isfinite(length)]
    return float(np.median(seen)) if seen.size else float("nan")


def _apart(motion: Motion) -> tuple[Array, Array]:
    (lh, lk, rh, rk), s = _points(motion, "left_hip", "left_knee", "right_hip", "right_knee")
    u, v = lk - lh, rk - rh
    one, two = _norm(u), _norm(v)
    cos = np.clip((u * v).sum(axis=1) / (one * two), -1.0, 1.0)
    sigma = np.sqrt((s[0] ** 2 + s[1] ** 2) / one**2 + (s[2] ** 2 + s[3] ** 2) / two**2)
    return np.degrees(np.arccos(cos)), np.degrees(sigma)


def _inward(motion: Motion, side: str) -> tuple[Array, Array]:
    """The knee's distance inward of the hip-ankle line along the hip line, as an angle at half a leg's length."""
    other = "right" if side == "left" else "left"
    (hip, knee, ankle, far), s = _points(motion, f"{side}_hip", f"{side}_knee", f"{side}_ankle", f"{other}_hip")
    across = far - hip
    across = across / _norm(across)[:, None]
    leg = ankle - hip
    share = ((knee - hip) * leg).sum(axis=1) / (leg * leg).sum(axis=1)
    off = ((knee - hip - share[:, None] * leg) * across).sum(axis=1)
    thigh = _norm(knee - hip)
    sigma = np.sqrt(s[1] ** 2 + 0.25 * s[0] ** 2 + 0.25 * s[2] ** 2) / thigh
    return np.degrees(np.arcsin(np.clip(off / thigh, -1.0, 1.0))), np.degrees(sigma)


def _norm(v: Array) -> Array:
    length = np.linalg.norm(v, axis=-1)
    return np.where(length > 1e-6, length, np.nan)


def grid(time_s: Array, rate_hz: float = RATE_HZ) -> Array:
    """Even times over a clip."""
    if len(time_s) < 2:
        return np.asarray(time_s, np.float64)
    return np.arange(time_s[0], time_s[-1], 1.0 / rate_hz)


def resampled(time_s: Array, values: Array, at: Array, cutoff_hz: float = CUTOFF_HZ) -> Array:
    """Columns smoothed without delay and read at other times; gaps are bridged by straight lines.

    Args:
        time_s: (F,) rising.
        values: (F, D), NaN where missing.
        at: (T,) even times.
        cutoff_hz: of the low-pass.

    Returns:
        (T, D); a column seen in fewer than four frames is all NaN.
    """
    out = np.full((len(at), values.shape[1]), np.nan)
    for column in range(values.shape[1]):
        seen = np.isfinite(values[:, column])
        if seen.sum() < _LEAST_FRAMES or len(at) < 2:
            continue
        t, x = time_s[seen], values[seen, column]
        # Smooth at the source's own pace first, so that noise isn't folded into the slower grid.
        pace = np.arange(t[0], t[-1] + 1e-9, float(np.median(np.diff(time_s))))
        smooth = low_pass(np.interp(pace, t, x), float(pace[1] - pace[0]), cutoff_hz)
        out[:, column] = np.interp(at, pace, smooth)
    return out


def low_pass(x: Array, step_s: float, cutoff_hz: float) -> Array:
    """Zero-phase low-pass of evenly spaced samples: a Gaussian, -3 dB at the cutoff; ends mirrored."""
    width = np.sqrt(np.log(2.0)) / (2.0 * np.pi * cutoff_hz * step_s)
    half = int(np.ceil(4.0 * width))
    if half < 1 or len(x) < 3:
        return x.copy()
    half = min(half, len(x) - 1)
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) / width) ** 2)
    kernel /= kernel.sum()
    padded = np.concatenate([2 * x[0] - x[half:0:-1], x, 2 * x[-1] - x[-2 : -half - 2 : -1]])
    return np.convolve(padded, kernel, mode="valid")


def _joint(motion: Motion, name: str) -> Array:
    """(F, 3) of a joint; NaN where it isn't seen, or isn't in the layout."""
    if name not in motion.layout.joints:
        return np.full((len(motion), 3), np.nan)
    return motion.joint(name).astype(np.float64)


def _stretch(motion: Motion, xyz: Array) -> None:
    """Put joints of (F, J, 3) `POSE_JOINTS` that are hardly ever seen where they would be on a stretched body."""
    seldom = np.isfinite(xyz).all(axis=2).mean(axis=0) < _SELDOM
    known = {name: xyz[:, i] for i, name in enumerate(POSE_JOINTS)} | {"pelvis": _joint(motion, "pelvis")}
    for i, name in enumerate(POSE_JOINTS):
        side, _, joint = name.rpartition("_")
        if seldom[i] and joint in _BEYOND:
            near, far, share = _BEYOND[joint]
            a, b = (known[f"{side}_{other}" if side else other] for other in (near, far))
            xyz[:, i] = known[name] = a + share * (a - b)


def pose_matrix(motion: Motion, at: Array) -> Array:
    """Poses as rows of numbers that can be compared: joints relative to the pelvis, in quarters of a trunk.

    The axes are the camera's, so turning around counts as movement; depth weighs less (not in motion capture, whose up
    isn't a picture's). Holes are bridged. A joint that is hardly ever seen, such as the head of a marker set that has
    none, is put where it would be on a stretched body, so that it costs nothing but itself.

    Returns:
        (T, D); (T, 0) if the person is seen in too few frames.
    """
    xyz = np.stack([_joint(motion, name) for name in POSE_JOINTS], axis=1)
    _stretch(motion, xyz)
    trunk = np.linalg.norm(_joint(motion, "thorax") - _joint(motion, "pelvis"), axis=1)
    seen = np.isfinite(xyz).all(axis=(1, 2)) & np.isfinite(trunk)
    if seen.sum() < _LEAST_FRAMES:
        return np.zeros((len(at), 0))
    from_camera = abs(float(motion.up[1])) > _CAMERA_UP
    xyz = xyz / (np.median(trunk[seen]) * _TORSO_PARTS)
    xyz[..., 2] *= DEPTH_WEIGHT if from_camera else 1.0
    xyz[~seen] = np.nan
    return resampled(motion.time_s, xyz.reshape(len(xyz), -1), at)
