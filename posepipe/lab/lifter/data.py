"""What the lifter learns from and is measured on: motion capture, varied and seen, frame by frame.

Batches to train on: real motion, varied bodies, random cameras, and the ways a detector goes wrong.

Bodies: the upper half of one frame on the legs of another, limb lengths, small turns of every bone, mirroring, whole
bodies laid down or tipped. Cameras: any heading, near and far, low and high, half of them held crooked, some with a
focal length that is only assumed. Keypoints: exact in a part of the samples; otherwise noise whose scale the network is
told (roughly), shared shifts, wrong joint definitions, swapped sides, hidden limbs and cut-off feet.

Simulations to measure on (`simulate`): bodies as they were captured; keypoints exact or with noise of known size.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posepipe.body.lift import ADULT_STATURE_M, STATURE_SIGMA, encode, pose_stature
from posepipe.errors import InputError
from posepipe.geometry import project
from posepipe.lab.layouts import MIDDLES
from posepipe.skeleton import BODY21, H36M17

__all__ = [
    "AugmentConfig", "Batch", "Mocap", "Simulation", "body21_from_h36m", "camera_poses", "load_mocap", "make_batch",
    "simulate", "stature_factor", "training_mocap",
]  # fmt: skip

FloatArray = NDArray[np.float32]

_MIDDLES = [(name, list(BODY21.indices(*parents))) for name, parents in MIDDLES.items()]
_HEEL = (-0.394, -0.155)
"""Heel from the ankle, in foot lengths: along the ankle-toe line and up the shank. Least squares on UI-PRMD (17 mm)."""


@dataclass(frozen=True, slots=True, eq=False)
class Mocap:
    """Frames of motion capture.

    Attributes:
        xyz_m: (N, 21, 3) world, z up, pelvis over the origin; z keeps the height over the floor.
        subject: (N,) subject names.
        source: (N,) "ui" or "cmu".
        weight: (N,) sampling probability.
    """

    xyz_m: FloatArray
    subject: NDArray[np.str_]
    source: NDArray[np.str_]
    weight: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.xyz_m)

    def select(self, mask: NDArray[np.bool_]) -> Mocap:
        """The frames where the mask (N,) is true, their weights summing to one again."""
        weight = self.weight[mask]
        return Mocap(self.xyz_m[mask], self.subject[mask], self.source[mask], weight / max(weight.sum(), 1e-12))


def body21_from_h36m(positions: FloatArray, extra: FloatArray) -> FloatArray:
    """Human3.6M joints and extra points to BODY21, as the keypoint conversions define its joints.

    Args:
        positions: (N, 17, 3) in Human3.6M order.
        extra: (N, 6, 3) nose, head top, left toe, right toe, left heel, right heel; NaN where unknown.

    Returns:
        (N, 21, 3). Pelvis, spine and thorax are made from hips and shoulders. Unknown heels are placed from the shank
        and the toe.
    """
    out = np.full((len(positions), len(BODY21), 3), np.nan, dtype=np.float32)
    out[:, : len(H36M17)] = positions
    i = BODY21.index
    out[:, i("nose")] = extra[:, 0]
    out[:, i("pelvis")] = (out[:, i("left_hip")] + out[:, i("right_hip")]) / 2
    out[:, i("thorax")] = (out[:, i("left_shoulder")] + out[:, i("right_shoulder")]) / 2
    out[:, i("spine")] = (out[:, i("pelvis")] + out[:, i("thorax")]) / 2
    for side, toe, heel in (("left", 2, 4), ("right", 3, 5)):
        out[:, i(f"{side}_foot_index")] = extra[:, toe]
        derived = heel_point(out[:, i(f"{side}_knee")], out[:, i(f"{side}_ankle")], extra[:, toe])
        out[:, i(f"{side}_heel")] = np.where(np.isnan(extra[:, heel]), derived, extra[:, heel])
    return out


def heel_point(knee: FloatArray, ankle: FloatArray, toe: FloatArray) -> FloatArray:
    """Heel (N, 3) from knee, ankle and toe, each (N, 3)."""
    foot = toe - ankle
    length = np.linalg.norm(foot, axis=1, keepdims=True)
    shank = knee - ankle
    shank = shank / np.maximum(np.linalg.norm(shank, axis=1, keepdims=True), 1e-6)
    return np.asarray(ankle + _HEEL[0] * foot + _HEEL[1] * length * shank, dtype=np.float32)


def load_mocap(*paths: Path, cmu_share: float = 0.63) -> Mocap:
    """Read npz files of motion capture as one.

    Args:
        paths: files with ``positions extra seq_start seq_name subject``. Of one that also has ``split`` and
            ``also_in_train``, only sequences to train on that no other file holds.
        cmu_share: part of the samples drawn from the varied CMU sequences; UI-PRMD's repetitions make up the rest.

    Raises:
        InputError: a file is missing or lacks a key.
    """
    parts = [_sequences(path) for path in paths]
    xyz, length, name, subject = (np.concatenate(column) for column in zip(*parts, strict=True))
    source = np.where(np.char.startswith(name, "ui_"), "ui", "cmu")
    # Long takes repeat themselves: a sequence counts as the 0.7th power of its length.
    per_frame = length**0.7 / length
    share = {"cmu": cmu_share, "ui": 1.0 - cmu_share}
    for kind, part in share.items():
        mask = source == kind
        total = (per_frame * length)[mask].sum()
        per_frame = np.where(mask, per_frame * part / max(total, 1e-12), per_frame)
    weight = np.repeat(per_frame, length)
    weight /= weight.sum()
    xyz[..., :2] -= xyz[:, :1, :2].copy()
    return Mocap(xyz, np.repeat(subject, length), np.repeat(source, length), weight)


def training_mocap(folder: Path, *, cmu_share: float = 0.63) -> Mocap:
    """``train.npz`` of a folder, and ``more.npz`` where it is there.

    Raises:
        InputError: no train.npz, or a file lacks a key.
    """
    more = folder / "more.npz"
    return load_mocap(folder / "train.npz", *([more] if more.is_file() else []), cmu_share=cmu_share)


def _sequences(path: Path) -> tuple[FloatArray, NDArray[np.int64], NDArray[np.str_], NDArray[np.str_]]:
    """Poses (N, 21, 3) of a file, and length, name and subject of each sequence."""
    if not path.is_file():
        raise InputError("no such file", where=str(path), hint="Give the folder that holds train.npz and val.npz")
    with np.load(path) as data:
        missing = {"positions", "extra", "seq_start", "seq_name", "subject"} - set(data.files)
        if missing:
            raise InputError(f"lacks {', '.join(sorted(missing))}", where=str(path))
        xyz = body21_from_h36m(data["positions"], data["extra"])
        length = np.diff(data["seq_start"])
        name, subject = data["seq_name"], data["subject"]
        if {"split", "also_in_train"} <= set(data.files):
            new = (data["split"] == "train") & (data["also_in_train"] == "")
            xyz, length, name, subject = xyz[np.repeat(new, length)], length[new], name[new], subject[new]
    return xyz, length, name, subject


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
        features: (B, 21, 6), see `posepipe.body.lift.Encoded`.
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
    for name, parents in _MIDDLES:
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
    for name, parents in _MIDDLES:
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


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """Frames with their simulated keypoints.

    Attributes:
        rays: (N, 21, 2) x/z and y/z in the camera frame.
        sigma: (N, 21) standard deviation of the rays' noise.
        valid: (N, 21) bool.
        xyz_m: (N, 21, 3) truth relative to the pelvis, camera frame.
        root_m: (N, 3) pelvis in the camera frame.
        source: (N,) where the frame comes from.
        subject: (N,) whose it is.
    """

    rays: FloatArray
    sigma: FloatArray
    valid: NDArray[np.bool_]
    xyz_m: FloatArray
    root_m: FloatArray
    source: NDArray[np.str_]
    subject: NDArray[np.str_]


def simulate(mocap: Mocap, rng: np.random.Generator, *, crooked: bool = False, noise_m: float = 0.0) -> Simulation:
    """One random camera for every frame: 2 to 6 m away, any heading, the person anywhere in the picture.

    Args:
        mocap: the frames.
        rng: source of the cameras.
        crooked: False: 0.4 to 2 m over the floor, level horizon. True: up to 3 m, rolled by up to 30 degrees.
        noise_m: standard deviation of the keypoints' noise, as metres at the person's distance.
    """
    count = len(mocap)
    world = mocap.xyz_m
    heading, side = rng.uniform(-np.pi, np.pi, count), rng.uniform(-0.35, 0.35, count)
    distance = rng.uniform(2.0, 6.0, count)
    height = rng.uniform(0.4, 3.0 if crooked else 2.0, count)
    roll = np.radians(rng.uniform(-30.0, 30.0, count)) if crooked else np.zeros(count)
    place = np.stack([distance * np.cos(heading), distance * np.sin(heading), height], axis=1)
    toward = np.stack([np.zeros(count), np.zeros(count), world[:, 0, 2]], axis=1) - place
    yaw = np.arctan2(toward[:, 1], toward[:, 0]) + side
    tilt = np.arctan2(toward[:, 2], np.linalg.norm(toward[:, :2], axis=1)) + rng.uniform(-0.1, 0.1, count)
    forward = np.stack([np.cos(tilt) * np.cos(yaw), np.cos(tilt) * np.sin(yaw), np.sin(tilt)], axis=1)
    right = np.stack([np.sin(yaw), -np.cos(yaw), np.zeros(count)], axis=1)
    down = np.cross(forward, right)
    c, s = np.cos(roll)[:, None], np.sin(roll)[:, None]
    rotation = np.stack([c * right - s * down, s * right + c * down, forward], axis=1)
    camera = (world - place[:, None]) @ np.swapaxes(rotation, 1, 2)
    rays = camera[..., :2] / camera[..., 2:]
    sigma = np.repeat((noise_m / camera[:, 0, 2])[:, None], world.shape[1], axis=1)
    rays = rays + sigma[..., None] * rng.standard_normal(rays.shape)
    valid = (camera[..., 2] > 0.1) & ~np.isnan(rays).any(axis=-1)
    return Simulation(
        rays.astype(np.float32),
        sigma.astype(np.float32),
        valid,
        (camera - camera[:, :1]).astype(np.float32),
        camera[:, 0].astype(np.float32),
        mocap.source,
        mocap.subject,
    )
