"""Batches for the lifter: real motion, varied bodies, random cameras, and the ways a detector goes wrong.

Bodies: the upper half of one frame on the legs of another, limb lengths, small turns of every bone, mirroring, whole
bodies laid down or tipped. Cameras: any heading, near and far, low and high, half of them held crooked, some with a
focal length that is only assumed. Keypoints: exact in a part of the samples; otherwise noise whose scale the network is
told (roughly), shared shifts, wrong joint definitions, swapped sides, hidden limbs and cut-off feet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.geometry.rays import project
from posepipe.lifting.inputs import encode
from posepipe.lifting.stature import ADULT_STATURE_M, STATURE_SIGMA, pose_stature
from posepipe.skeleton import BODY21
from posepipe.training.mocap import Mocap

__all__ = ["AugmentConfig", "Batch", "camera_poses", "make_batch", "stature_factor"]

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """How much of each variation; probabilities unless the name has a unit.

    Attributes:
        recombine: upper body of another frame.
        borrow: each limb, by itself, from another frame.
        limb_sigma: spread of the limb length factors.
        stature_m, stature_sigma: adults' mean stature and its relative spread. Every body is brought to a stature drawn
            from them: one picture doesn't show size, and of a few dozen bodies a network learns each one's size by its
            proportions, which says little about others (sitting height over stature correlates with stature by about
            -0.3). 0 leaves bodies as large as they are.
        bone_sigma_deg: random turn of each limb bone, in half of the samples.
        lay_down, tip: whole body turned about a level axis by about 90 degrees, or by a little.
        exact: samples with exact 2D.
        crooked: samples whose camera rolls up to `roll_deg`.
        focal_unknown: samples whose focal length is off by `focal_sigma` (log) and marked as assumed.
        limb_noise: in noisy samples, each arm and leg whose keypoints go astray together.
        drop: samples with hidden joints; no_feet: samples without heels and toes; swap: samples with swapped sides.
    """

    recombine: float = 0.3
    borrow: float = 0.0
    limb_sigma: float = 0.05
    stature_m: float = ADULT_STATURE_M
    stature_sigma: float = STATURE_SIGMA
    bone_sigma_deg: float = 5.0
    lay_down: float = 0.1
    tip: float = 0.12
    exact: float = 0.3
    crooked: float = 0.5
    roll_deg: float = 32.0
    focal_unknown: float = 0.3
    focal_sigma: float = 0.2
    limb_noise: float = 0.0
    drop: float = 0.35
    no_feet: float = 0.25
    swap: float = 0.04


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """One batch.

    Attributes:
        features: (B, 21, 6), see `posepipe.lifting.inputs.Encoded`.
        xyz_m: (B, 21, 3) target in the network's frame, relative to the pelvis.
    """

    features: FloatArray
    xyz_m: FloatArray


_PARENT = {
    "right_hip": "pelvis", "left_hip": "pelvis", "thorax": "pelvis",
    "right_knee": "right_hip", "right_ankle": "right_knee",
    "right_heel": "right_ankle", "right_foot_index": "right_ankle",
    "left_knee": "left_hip", "left_ankle": "left_knee", "left_heel": "left_ankle", "left_foot_index": "left_ankle",
    "spine": "pelvis", "nose": "thorax", "head": "thorax",
    "left_shoulder": "thorax", "left_elbow": "left_shoulder", "left_wrist": "left_elbow",
    "right_shoulder": "thorax", "right_elbow": "right_shoulder", "right_wrist": "right_elbow",
}  # fmt: skip
_GROUP = {
    "hip": 0, "knee": 1, "ankle": 2, "heel": 3, "foot_index": 4, "thorax": 5, "spine": 5, "nose": 6, "head": 6,
    "shoulder": 7, "elbow": 8, "wrist": 9,
}  # fmt: skip
_JOINTS = len(BODY21)
_I = BODY21.index
_LOWER = np.array([any(p in j for p in ("hip", "knee", "ankle", "heel", "foot", "pelvis")) for j in BODY21.joints])
_LIMBS = [
    BODY21.indices(*names)
    for side in ("left", "right")
    for names in (
        (f"{side}_elbow", f"{side}_wrist"),
        (f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist"),
        (f"{side}_knee", f"{side}_ankle", f"{side}_heel", f"{side}_foot_index"),
        (f"{side}_ankle", f"{side}_heel", f"{side}_foot_index"),
        (f"{side}_hip", f"{side}_knee", f"{side}_ankle", f"{side}_heel", f"{side}_foot_index"),
    )
] + [
    BODY21.indices("nose", "head"),
    BODY21.indices(*[j for j in BODY21.joints if any(p in j for p in ("ankle", "heel", "foot"))]),
    BODY21.indices(*[j for j in BODY21.joints if any(p in j for p in ("knee", "ankle", "heel", "foot"))]),
]
# How far each joint follows when a detector loses a limb, from trunk to tip.
_ASTRAY = tuple(
    (BODY21.indices(*[f"{side}_{joint}" for joint in joints]), np.array(share))
    for side in ("left", "right")
    for joints, share in (
        (("shoulder", "elbow", "wrist"), (0.2, 0.7, 1.0)),
        (("hip", "knee", "ankle", "heel", "foot_index"), (0.2, 0.7, 1.0, 1.0, 1.0)),
    )
)
_FEET = np.array(["heel" in j or "foot" in j for j in BODY21.joints])


def _tree() -> tuple[FloatArray, FloatArray, NDArray[np.intp]]:
    """Bone matrix (21, 21), its inverse (bones to joints), and the length group of each bone."""
    bones = np.eye(_JOINTS, dtype=np.float32)
    group = np.full(_JOINTS, 10, dtype=np.intp)
    for child, parent in _PARENT.items():
        bones[_I(child), _I(parent)] = -1.0
        group[_I(child)] = next(g for part, g in _GROUP.items() if part in child)
    return bones, np.linalg.inv(bones).astype(np.float32), group


_BONES, _JOIN, _LENGTH_GROUP = _tree()
# A turn of a bone carries the bones below it; the trunk's own bones and the pelvis width stay.
_TURNABLE = np.array([any(p in j for p in ("knee", "ankle", "elbow", "wrist")) for j in BODY21.joints])
_CARRY = (_JOIN * _TURNABLE[None, :]).astype(np.float32)


def _vary_bodies(mocap: Mocap, count: int, config: AugmentConfig, rng: np.random.Generator) -> FloatArray:
    """World poses (B, 21, 3), pelvis at the origin."""
    cumulative = np.cumsum(mocap.weight)
    pick = np.searchsorted(cumulative, rng.random(count) * cumulative[-1]).clip(0, len(mocap) - 1)
    xyz = mocap.xyz_m[pick]
    xyz = xyz - xyz[:, :1]
    some = np.flatnonzero(rng.random(count) < config.recombine)
    other = xyz[rng.permutation(count)[: len(some)]]
    xyz[some] = _recombine(xyz[some], other)
    bones = _borrow_limbs(_BONES @ xyz, config.borrow, rng)
    factor = 1.0 + config.limb_sigma * np.clip(rng.standard_normal((count, 11)), -2.5, 2.5)
    factor[:, 4] *= rng.uniform(0.95, 1.5, count)  # Detectors mark the tip of the toe, motion capture its root.
    bones *= factor[:, _LENGTH_GROUP, None].astype(np.float32)
    turn = np.radians(config.bone_sigma_deg) * rng.standard_normal((count, _JOINTS, 3), dtype=np.float32)
    turn *= (rng.random((count, 1, 1)) < 0.5) * rng.random((count, 1, 1), dtype=np.float32) * 2
    turn = _CARRY @ turn
    length = np.linalg.norm(bones, axis=-1, keepdims=True)
    bones = bones + np.cross(turn, bones)
    bones *= length / np.maximum(np.linalg.norm(bones, axis=-1, keepdims=True), 1e-6)
    xyz = _JOIN @ bones
    if config.stature_m > 0:
        xyz *= stature_factor(xyz, config, rng)[:, None, None]
    flip = rng.random(count) < 0.5
    xyz[flip] = xyz[flip][:, BODY21.mirror] * np.array([-1.0, 1.0, 1.0], dtype=np.float32)
    return _derive(_tip(xyz, config, rng))


def stature_factor(xyz_m: FloatArray, config: AugmentConfig, rng: np.random.Generator) -> FloatArray:
    """Factors (B,) that bring poses (B, 21, 3) to drawn statures, at most 2.5 sigma from the mean."""
    spread = config.stature_sigma * np.clip(rng.standard_normal(len(xyz_m)), -2.5, 2.5)
    wanted = config.stature_m * (1.0 + spread)
    return np.asarray(wanted / np.maximum(pose_stature(xyz_m), 0.3), dtype=np.float32)


def _derive(xyz: FloatArray) -> FloatArray:
    xyz[:, _I("thorax")] = (xyz[:, _I("left_shoulder")] + xyz[:, _I("right_shoulder")]) / 2
    xyz[:, _I("pelvis")] = (xyz[:, _I("left_hip")] + xyz[:, _I("right_hip")]) / 2
    xyz[:, _I("spine")] = (xyz[:, _I("pelvis")] + xyz[:, _I("thorax")]) / 2
    return xyz


def _recombine(legs: FloatArray, upper: FloatArray) -> FloatArray:
    """Put the upper bodies on the legs, turned about the vertical so that both pelvises face the same way."""

    def heading(xyz: FloatArray) -> FloatArray:
        side = xyz[:, _I("left_hip"), :2] - xyz[:, _I("right_hip"), :2]
        return np.asarray(np.arctan2(side[:, 1], side[:, 0]), dtype=np.float32)

    turned = _about_z(heading(legs) - heading(upper), upper)
    return np.where(_LOWER[None, :, None], legs, turned)


def _borrow_limbs(bones: FloatArray, share: float, rng: np.random.Generator) -> FloatArray:
    """Give some samples single arms and legs of other samples, turned with the line of the shoulders or hips."""
    for joint, parts in (("shoulder", ("elbow", "wrist")), ("hip", ("knee", "ankle", "heel", "foot_index"))):
        line = bones[:, _I(f"left_{joint}"), :2] - bones[:, _I(f"right_{joint}"), :2]
        heading = np.arctan2(line[:, 1], line[:, 0]).astype(np.float32)
        for side in ("left", "right"):
            taker = np.flatnonzero(rng.random(len(bones)) < share)
            giver = rng.integers(0, len(bones), len(taker))
            limb = BODY21.indices(*[f"{side}_{part}" for part in parts])
            turned = _about_z(heading[taker] - heading[giver], bones[giver][:, limb])
            bones[np.ix_(taker, np.array(limb))] = turned
    return bones


def _about_z(angle: FloatArray, xyz: FloatArray) -> FloatArray:
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, y = xyz[..., 0], xyz[..., 1]
    return np.asarray(np.stack([c * x - s * y, s * x + c * y, xyz[..., 2]], axis=-1), dtype=np.float32)


def _tip(xyz: FloatArray, config: AugmentConfig, rng: np.random.Generator) -> FloatArray:
    """Lay some bodies down and tip some others, about a random level axis."""
    count = len(xyz)
    kind = rng.random(count)
    angle = np.where(kind < config.tip, 0.3 * rng.standard_normal(count), 0.0)
    down = np.where(rng.random(count) < 0.5, 1.0, -1.0) * (np.pi / 2) + 0.3 * rng.standard_normal(count)
    angle = np.where(kind > 1.0 - config.lay_down, down, angle)
    # Mostly forward or backward: push-up, sit-up, lying.
    side = xyz[:, _I("left_hip"), :2] - xyz[:, _I("right_hip"), :2]
    spread = np.where(rng.random(count) < 0.7, 0.25 * rng.standard_normal(count), rng.uniform(-np.pi, np.pi, count))
    heading = (np.arctan2(side[:, 1], side[:, 0]) + spread).astype(np.float32)
    local = _about_z(-heading, xyz)
    c, s = np.cos(angle).astype(np.float32)[:, None], np.sin(angle).astype(np.float32)[:, None]
    tipped = np.stack([local[..., 0], c * local[..., 1] - s * local[..., 2], s * local[..., 1] + c * local[..., 2]], -1)
    return _about_z(heading, tipped)


def _place_cameras(xyz: FloatArray, config: AugmentConfig, rng: np.random.Generator) -> FloatArray:
    """World poses to absolute poses (B, 21, 3) in the frames of random cameras that look at the pelvis."""
    count = len(xyz)
    crooked = rng.random(count) < config.crooked
    distance = np.where(rng.random(count) < 0.85, rng.uniform(1.7, 6.5, count), rng.uniform(6.0, 14.0, count))
    top = np.where(crooked, 3.2, 2.1)
    height = rng.uniform(0.3, top) - np.clip(-xyz[..., 2].min(axis=1), 0.1, 1.1)
    elevation = np.arcsin(np.clip(height / distance, -0.95, 0.95))
    roll = np.where(crooked, np.radians(config.roll_deg) * rng.uniform(-1, 1, count), 0.03 * rng.standard_normal(count))
    world = _about_z(rng.uniform(-np.pi, np.pi, count).astype(np.float32), xyz)
    ce, se = np.cos(elevation)[:, None], np.sin(elevation)[:, None]
    x, forward, up = world[..., 0], world[..., 1], world[..., 2]
    # A camera above looks down: what is up in the world leans away from it.
    y, z = -(ce * up + se * forward), ce * forward - se * up
    cr, sr = np.cos(roll)[:, None], np.sin(roll)[:, None]
    out = np.stack([cr * x - sr * y, sr * x + cr * y, z], axis=-1)
    nearest = -out[..., 2].min(axis=1)
    out[..., 2] += np.maximum(distance, nearest + 0.6)[:, None]
    return np.asarray(out, dtype=np.float32)


def _definition_shift(xyz: FloatArray, noisy: NDArray[np.bool_], rng: np.random.Generator) -> FloatArray:
    """Joints as a detector understands them: hips and shoulders wider or narrower, small constant shifts."""
    count = len(xyz)
    seen = xyz.copy()
    for joint, low, high in (("hip", 0.8, 1.5), ("shoulder", 0.85, 1.1)):
        left, right = _I(f"left_{joint}"), _I(f"right_{joint}")
        half = (seen[:, left] - seen[:, right]) / 2 * (rng.uniform(low, high, (count, 1)) - 1.0)
        seen[:, left] += half
        seen[:, right] -= half
    drop = 0.02 * rng.standard_normal((count, 1, 3), dtype=np.float32)
    shift = 0.012 * rng.standard_normal(seen.shape, dtype=np.float32)
    shift[:, [_I("left_hip"), _I("right_hip")]] += drop
    seen += shift
    return np.where(noisy[:, None, None], _derive(seen), xyz)


def _detector_noise(
    rays: FloatArray, size: FloatArray, noisy: NDArray[np.bool_], limb_noise: float, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Noisy rays and the sigma that the detector would state; `size` (B,) is one metre in ray units."""
    count = len(rays)
    level = np.exp(rng.uniform(np.log(0.004), np.log(0.08), (count, 1)))
    sigma = level * np.exp(0.45 * rng.standard_normal((count, _JOINTS)))
    hard = rng.random((count, _JOINTS)) < 0.03
    sigma = np.where(hard, rng.uniform(0.05, 0.25, sigma.shape), sigma)
    heavy = np.sqrt(4.0 / np.maximum(rng.chisquare(4.0, (count, _JOINTS, 1)), 0.3) * 0.6)
    jitter = rng.standard_normal(rays.shape) * heavy
    shared = rng.standard_normal((count, 1, 2))
    unit = np.where(noisy[:, None], sigma * size[:, None], 0.0)
    offset = unit[..., None] * (0.92 * jitter + 0.4 * shared)
    for joints, share in _ASTRAY:
        astray = (rng.random(count) < limb_noise) * np.exp(0.5 * rng.standard_normal(count)) * 2.0
        way = (astray * unit[:, joints].mean(axis=1))[:, None] * rng.standard_normal((count, 2))
        offset[:, joints] += share[:, None] * way[:, None]
    stated = unit * np.exp(0.3 * rng.standard_normal((count, 1)) + 0.3 * rng.standard_normal(unit.shape))
    out = rays + offset
    # Derived points are means of the noisy ones, as in the detector's conversion.
    pairs = {"pelvis": ("hip",), "thorax": ("shoulder",), "spine": ("hip", "shoulder")}
    for name, parts in pairs.items():
        parents = [_I(f"{side}_{part}") for part in parts for side in ("left", "right")]
        out[:, _I(name)] = np.where(noisy[:, None], out[:, parents].mean(axis=1), out[:, _I(name)])
        stated[:, _I(name)] = np.sqrt((stated[:, parents] ** 2).sum(axis=1)) / len(parents)
    return out.astype(np.float32), stated.astype(np.float32)


def _hide(count: int, config: AugmentConfig, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which joints are seen (B, 21)."""
    seen = np.ones((count, _JOINTS), dtype=bool)
    dropping = rng.random(count) < config.drop
    for _ in range(2):
        limb = rng.integers(0, len(_LIMBS), count)
        use = dropping & (rng.random(count) < 0.55)
        for number, joints in enumerate(_LIMBS):
            seen[np.ix_(np.flatnonzero(use & (limb == number)), np.array(joints))] = False
    seen &= ~(dropping[:, None] & (rng.random(seen.shape) < 0.05))
    seen[np.ix_(np.flatnonzero(rng.random(count) < config.no_feet), np.flatnonzero(_FEET))] = False
    pairs = {"pelvis": ("hip",), "thorax": ("shoulder",), "spine": ("hip", "shoulder")}
    for name, parts in pairs.items():
        parents = [_I(f"{side}_{part}") for part in parts for side in ("left", "right")]
        seen[:, _I(name)] = seen[:, parents].all(axis=1)
    return seen


def _swap(rays: FloatArray, noisy: NDArray[np.bool_], config: AugmentConfig, rng: np.random.Generator) -> None:
    """Exchange left and right legs or arms in some noisy samples, in place."""
    lower = np.flatnonzero(_LOWER)
    for joints in (lower, np.flatnonzero(~_LOWER)):
        rows = np.flatnonzero(noisy & (rng.random(len(rays)) < config.swap / 2))
        rays[np.ix_(rows, joints)] = rays[np.ix_(rows, BODY21.mirror[joints])]


def camera_poses(mocap: Mocap, count: int, config: AugmentConfig, rng: np.random.Generator) -> FloatArray:
    """Varied bodies in front of random cameras: absolute poses (B, 21, 3) in the camera frames."""
    return _place_cameras(_vary_bodies(mocap, count, config, rng), config, rng)


def make_batch(mocap: Mocap, count: int, config: AugmentConfig, rng: np.random.Generator) -> Batch:
    """Draw one batch.

    Args:
        mocap: where poses come from.
        count: batch size B.
        config: amounts.
        rng: source of every random number.
    """
    absolute = camera_poses(mocap, count, config, rng)
    noisy = rng.random(count) >= config.exact
    rays = project(_definition_shift(absolute, noisy, rng))
    _swap(rays, noisy, config, rng)
    rays, sigma = _detector_noise(rays, (1.0 / absolute[:, 0, 2]).astype(np.float32), noisy, config.limb_noise, rng)
    valid = _hide(count, config, rng) & ~np.isnan(rays[..., 0])
    guess = rng.random(count) < config.focal_unknown
    ratio = np.where(guess, np.exp(config.focal_sigma * rng.standard_normal(count)), 1.0).astype(np.float32)
    encoded = encode(rays * ratio[:, None, None], sigma * ratio[:, None], valid, guess)
    relative = absolute - absolute[:, :1]
    return Batch(encoded.features, np.asarray(relative @ np.swapaxes(encoded.rotation, 1, 2), dtype=np.float32))
