"""Who stands where, before which camera, in front of what: the chance behind rendered detector pairs.

Two ways to draw: plainly, as the pairs that measure are drawn, and widely, with far more bodies, light, backgrounds,
cameras and picture faults, for pairs to learn from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.errors import UsageError
from posepipe.lab.people.body import BodyShape, MocapSet, from_mocap
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.figure import scale_of
from posepipe.lab.people.render import Occluder
from posepipe.lab.people.scene import Light, Room, clutter, degrade, foliage, shapes
from posepipe.skeleton import BODY21

__all__ = ["Motion", "Stage", "choose", "draw_motion", "draw_stage"]

Array = NDArray[np.float64]
Image = NDArray[np.uint8]
Generator = np.random.Generator
Range = tuple[float, float]

_SIZES = ((1280, 720), (1920, 1080), (640, 480), (720, 1280), (960, 540))
_BACKDROP_PX = 480.0
_FEET = BODY21.indices("left_heel", "right_heel", "left_foot_index", "right_foot_index")
_HIPS = BODY21.indices("left_hip", "right_hip")
_UPPER = np.array(
    [j in ("spine", "thorax", "nose", "head") or any(p in j for p in ("should", "elb", "wri")) for j in BODY21.joints]
)
# Child, parent and the group whose bones grow together, from the pelvis outwards.
_TREE = tuple(
    (BODY21.index(child), BODY21.index(parent), group)
    for group, pairs in enumerate(
        (
            (("left_hip", "pelvis"), ("right_hip", "pelvis")),
            (("left_knee", "left_hip"), ("right_knee", "right_hip")),
            (("left_ankle", "left_knee"), ("right_ankle", "right_knee")),
            (("spine", "pelvis"), ("thorax", "spine")),
            (("left_shoulder", "thorax"), ("right_shoulder", "thorax")),
            (("left_elbow", "left_shoulder"), ("right_elbow", "right_shoulder")),
            (("left_wrist", "left_elbow"), ("right_wrist", "right_elbow")),
            (("left_heel", "left_ankle"), ("right_heel", "right_ankle")),
            (("left_foot_index", "left_ankle"), ("right_foot_index", "right_ankle")),
        )
    )
    for child, parent in pairs
)
_HEAD_TREE = tuple((BODY21.index(j), BODY21.index("thorax")) for j in ("nose", "head"))


@dataclass(frozen=True, slots=True)
class Faults:
    """What a camera and its file do to a picture.

    Attributes:
        blur_px: standard deviation of the blur.
        noise: standard deviation of the noise, grey levels.
        jpeg_quality: 1 to 100; no compression if None.
        smear_px, smear_rad: length and direction of the motion blur.
        gain, gamma: brightness factor, then exponent.
        grey: share of colour lost.
        side_px: the network's crop is drawn at most so large.
    """

    blur_px: float = 0.0
    noise: float = 0.0
    jpeg_quality: int | None = None
    smear_px: float = 0.0
    smear_rad: float = 0.0
    gain: float = 1.0
    gamma: float = 1.0
    grey: float = 0.0
    side_px: int = 256

    def apply(self, image: Image, rng: Generator) -> Image:
        """The picture (height, width, 3) with these faults; noise comes from `rng`."""
        if self.gain != 1.0 or self.gamma != 1.0:
            levels = 255.0 * np.clip(self.gain * np.linspace(0, 1, 256), 0, 1) ** self.gamma
            image = np.asarray(cv2.LUT(image, levels.astype(np.uint8)), dtype=np.uint8)
        if self.grey > 0:
            tone = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
            image = np.asarray(cv2.addWeighted(image, 1.0 - self.grey, tone, self.grey, 0), dtype=np.uint8)
        if self.smear_px > 1.0:
            image = np.asarray(cv2.filter2D(image, -1, _smear(self.smear_px, self.smear_rad)), dtype=np.uint8)
        return degrade(image, rng, blur_px=self.blur_px, noise=self.noise, jpeg_quality=self.jpeg_quality)


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """All that stays the same during a run."""

    camera: SynthCamera
    shape: BodyShape
    light: Light
    backdrop: Image
    ground: bool
    occluders: tuple[Occluder, ...]
    faults: Faults


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """A piece of motion capture on the ground around the origin.

    Attributes:
        sequence, first: where its legs come from.
        xyz_m: (n, 21, 3) world frame, z up.
        scale: factor of its size.
        mirrored: left and right exchanged.
    """

    sequence: int
    first: int
    xyz_m: Array
    scale: float
    mirrored: bool


def _smear(length_px: float, angle_rad: float) -> Array:
    half = int(np.ceil(length_px / 2))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), dtype=np.float32)
    way = 0.5 * length_px * np.array([np.cos(angle_rad), np.sin(angle_rad)])
    ends = np.round((half + np.array([-way, way])) * 16).astype(int)
    cv2.line(kernel, tuple(ends[0].tolist()), tuple(ends[1].tolist()), (1.0,), 1, cv2.LINE_AA, 4)
    return np.asarray(kernel / kernel.sum(), dtype=np.float64)


def choose(
    rng: Generator,
    data: MocapSet,
    cmu_share: float,
    length: int,
    *,
    leave_out: Sequence[str] = (),
    even: bool = False,
) -> tuple[int, int]:
    """A sequence and a first frame; long sequences are likelier, by the root of their length.

    Args:
        rng: source of chance.
        data: motion capture.
        cmu_share: share of CMU's sequences.
        length: frames wanted.
        leave_out: subjects not to take.
        even: make the subjects more even, by the root of their own weight.

    Raises:
        UsageError: no sequence is long enough.
    """
    cmu, count = data.is_cmu, np.diff(data.seq_start)
    fits = (count >= length) & ~np.isin(data.subject, list(leave_out))
    if not fits.any():
        raise UsageError(f"no sequence has {length} frames", where="make_pairs")
    pool = fits & (cmu if rng.random() < cmu_share else ~cmu)
    pool = pool if pool.any() else fits
    weight = np.where(pool, np.sqrt(count), 0.0)
    if even:
        _, member = np.unique(data.subject, return_inverse=True)
        weight = weight / np.sqrt(np.maximum(np.bincount(member, weight), 1e-9))[member]
    sequence = int(rng.choice(len(count), p=weight / weight.sum()))
    first = int(data.seq_start[sequence] + rng.integers(0, count[sequence] - length + 1))
    return sequence, first


def draw_motion(
    rng: Generator,
    data: MocapSet,
    cmu_share: float,
    length: int,
    *,
    leave_out: Sequence[str] = (),
    wide: bool = False,
) -> Motion:
    """A piece of motion, mirrored and scaled by chance; drawn widely also with other proportions and upper bodies."""

    def pick() -> tuple[int, int, Array]:
        sequence, first = choose(rng, data, cmu_share, length, leave_out=leave_out, even=wide)
        part = slice(first, first + length)
        return sequence, first, from_mocap(data.positions[part], data.extra[part])

    sequence, first, xyz = pick()
    if wide:
        if rng.random() < 0.4:
            xyz = _recombined(xyz, pick()[2])
        xyz = _proportioned(xyz, rng)
    mirrored = bool(rng.random() < 0.5)
    if mirrored:
        xyz = xyz[:, BODY21.mirror] * np.array([-1.0, 1.0, 1.0])
    scale = float(rng.uniform(0.9, 1.12))
    xyz = xyz * scale
    xyz[..., :2] -= xyz[:, 0, :2].mean(axis=0)
    feet = xyz[:, _FEET, 2]
    if feet.min() < 0.35 * xyz[:, 0, 2].mean():
        xyz[..., 2] -= float(np.percentile(feet, 5)) - 0.02
    return Motion(sequence, first, xyz, scale, mirrored)


def _recombined(legs: Array, upper: Array) -> Array:
    """Other upper bodies (n, 21, 3) on the legs, turned about the vertical so that the first pelvises face one way."""

    def heading(xyz: Array) -> float:
        side = xyz[0, _HIPS[0]] - xyz[0, _HIPS[1]]
        return float(np.arctan2(side[1], side[0]))

    angle = heading(legs) - heading(upper)
    c, s = np.cos(angle), np.sin(angle)
    turned = (upper - upper[:, :1]) @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]]) + legs[:, :1]
    return np.where(_UPPER[:, None], turned, legs)


def _proportioned(xyz: Array, rng: Generator) -> Array:
    """The same pose (n, 21, 3) on a body of other proportions: bones vary by 5 %."""
    factor = 1.0 + 0.05 * np.clip(rng.standard_normal(len(_TREE)), -2.0, 2.0)
    out = xyz.copy()
    for child, parent, group in _TREE:
        out[:, child] = out[:, parent] + factor[group] * (xyz[:, child] - xyz[:, parent])
    for child, parent in _HEAD_TREE:
        out[:, child] = out[:, parent] + xyz[:, child] - xyz[:, parent]
    return out


def draw_stage(rng: Generator, xyz_m: Array, *, wide: bool = False) -> Stage:
    """Camera, clothes, light and surroundings for a motion (n, 21, 3)."""
    return _wide_stage(rng, xyz_m) if wide else _plain_stage(rng, xyz_m)


def _camera(rng: Generator, xyz: Array, make: Callable[[], SynthCamera], cut_off: Range, tall: Range) -> SynthCamera:
    """A camera that sees the person; `cut_off` is the chance of a partly seen one and the least share seen then."""
    for _ in range(20):
        camera = make()
        xy_px, depth = camera.project(xyz)
        if depth.min() < 0.8:
            continue
        inside = ((xy_px >= 0) & (xy_px <= (camera.width_px, camera.height_px))).all(axis=-1).mean()
        share = np.ptp(xy_px[..., 1], axis=1).mean() / camera.height_px
        if inside >= (cut_off[1] if rng.random() < cut_off[0] else 0.99) and tall[0] < share < tall[1]:
            break
    return camera


def _small(camera: SynthCamera) -> SynthCamera:
    """The same view in a picture small enough for a background."""
    width, height = camera.width_px, camera.height_px
    small = max(1.0, max(width, height) / _BACKDROP_PX)
    return replace(
        camera, focal_px=camera.focal_px / small, width_px=round(width / small), height_px=round(height / small)
    )


def _stature(xyz: Array) -> float:
    return float(np.clip(1.75 * scale_of(xyz[0]), 0.6, 2.4))


def _plain_stage(rng: Generator, xyz: Array) -> Stage:
    width, height = _SIZES[rng.integers(len(_SIZES))]
    middle = np.median(xyz[:, 0], axis=0)
    shape = BodyShape.random(rng, _stature(xyz))
    # The person fills between a quarter and all of the picture; one in eight may be cut off.
    camera = _camera(
        rng,
        xyz,
        lambda: SynthCamera.random(rng, middle, width_px=width, height_px=height),
        (0.125, 0.7),
        (0.22, 1.2),
    )
    room = bool(rng.random() < 0.6)
    view = _small(camera)
    backdrop = Room.random(rng, _ground(xyz)).picture(view) if room else clutter(rng, view.width_px, view.height_px)
    occluders = (_occluder(rng, camera, xyz),) if rng.random() < 0.15 else ()
    quality = int(rng.integers(35, 92)) if rng.random() < 0.5 else None
    blur = float(rng.choice([0.0, rng.uniform(0.3, 1.6)]))
    light = Light.random(rng)
    return Stage(camera, shape, light, backdrop, room, occluders, Faults(blur, float(rng.uniform(0, 9)), quality))


def _ground(xyz: Array) -> tuple[float, float]:
    middle = np.median(xyz[:, 0], axis=0)
    return float(middle[0]), float(middle[1])


def _wide_stage(rng: Generator, xyz: Array) -> Stage:
    width, height = _SIZES[rng.integers(len(_SIZES))]
    middle = np.median(xyz[:, 0], axis=0)

    def make() -> SynthCamera:
        return SynthCamera.random(
            rng,
            middle,
            width_px=width,
            height_px=height,
            distance_m=(1.3, 8.0),
            camera_height_m=(0.2, 3.2),
            fov_deg=(25.0, 95.0),
        )

    camera = _camera(rng, xyz, make, (0.2, 0.6), (0.25, 1.1))
    backdrop, ground = _backdrop(rng, _small(camera), xyz)
    shape = _dressed(rng, BodyShape.random(rng, _stature(xyz)), backdrop)
    occluders = tuple(_occluder(rng, camera, xyz) for _ in range(int(rng.choice([0, 1, 2], p=[0.83, 0.14, 0.03]))))
    return Stage(camera, shape, _light(rng), backdrop, ground, occluders, _faults(rng))


def _backdrop(rng: Generator, view: SynthCamera, xyz: Array) -> tuple[Image, bool]:
    """A room, one full of things, clouds, foliage or a bare wall; and whether it has a ground for shadows."""
    width, height = view.width_px, view.height_px
    kind = rng.choice(5, p=[0.25, 0.2, 0.2, 0.25, 0.1])
    if kind < 2:
        # Few floors: making one takes longer than all the rest of the room.
        room = replace(Room.random(rng, _ground(xyz)), seed=int(rng.integers(4)))
        picture = room.picture(view)
        return (shapes(picture, rng, int(rng.integers(3, 14))) if kind == 1 else picture), True
    if kind == 2:
        return clutter(rng, width, height), False
    if kind == 3:
        return foliage(rng, width, height), False
    slope = np.linspace(-1, 1, height)[:, None, None] * rng.normal(0, 25, 3)
    wall = np.broadcast_to(rng.uniform(5, 250, 3) + slope, (height, width, 3))
    return np.asarray(np.clip(wall, 0, 255), dtype=np.uint8), False


def _dressed(rng: Generator, shape: BodyShape, backdrop: Image) -> BodyShape:
    """Thinner and thicker limbs, any sleeves; now and then one colour all over, or the background's own."""
    here = backdrop[rng.integers(backdrop.shape[0]), rng.integers(backdrop.shape[1])].astype(int)
    tone = (int(here[2]), int(here[1]), int(here[0]))
    shirt, trousers = shape.shirt, shape.trousers
    kind = rng.random()
    if kind < 0.12:
        shirt = trousers
    elif kind < 0.18:
        shirt = tone
    elif kind < 0.24:
        trousers = tone
    elif kind < 0.28:
        shirt = trousers = tone
    elif kind < 0.34:
        trousers = shape.skin
    return replace(
        shape,
        girth=float(np.clip(shape.girth * rng.lognormal(0.0, 0.08), 0.78, 1.5)),
        limbs=float(np.clip(shape.limbs * rng.lognormal(0.0, 0.1), 0.7, 1.6)),
        shirt=shirt,
        trousers=trousers,
        sleeve=shape.sleeve if rng.random() < 0.6 else float(rng.uniform(0.0, 0.97)),
        trouser_leg=shape.trouser_leg if rng.random() < 0.6 else float(rng.uniform(0.15, 1.0)),
        looseness_m=shape.looseness_m if rng.random() < 0.75 else float(rng.uniform(0.015, 0.035)),
        hand_turn_deg=float(rng.normal(0.0, 40.0)),
    )


def _light(rng: Generator) -> Light:
    """From flat to harsh, from dusk to glare."""
    heading, rise = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(5, 85))
    level = float(np.exp(rng.uniform(np.log(0.45), np.log(1.4))))
    hard = float(rng.uniform(0.0, 1.0))
    return Light(
        (float(np.cos(heading) * np.cos(rise)), float(np.sin(heading) * np.cos(rise)), float(np.sin(rise))),
        hard * level,
        (0.75 - 0.55 * hard) * level,
        float(rng.uniform(0.0, 0.3)) * level,
        float(rng.uniform(-1.0, 1.0)),
        float(rng.uniform(0.1, 0.7)),
    )


def _faults(rng: Generator) -> Faults:
    clean = bool(rng.random() < 0.4)
    dark = float(np.exp(rng.normal(0.0, 0.25)))
    return Faults(
        blur_px=float(rng.choice([0.0, rng.uniform(0.3, 2.0)])),
        noise=float(rng.uniform(0, 3) if clean else rng.uniform(0, 12)),
        jpeg_quality=None if clean else int(rng.integers(15, 92)),
        smear_px=float(rng.uniform(2, 12)) if rng.random() < 0.15 else 0.0,
        smear_rad=float(rng.uniform(0, np.pi)),
        gain=1.0 if clean else float(np.clip(dark, 0.4, 1.8)),
        gamma=1.0 if clean else float(np.exp(rng.normal(0.0, 0.2))),
        grey=float(rng.choice([0.0, rng.uniform(0.2, 0.8), 1.0], p=[0.75, 0.17, 0.08])),
        side_px=int(rng.choice([256, int(rng.integers(80, 256))], p=[0.35, 0.65])),
    )


def _occluder(rng: Generator, camera: SynthCamera, xyz: Array) -> Occluder:
    """A post or beam between camera and person."""
    joint = xyz[0, rng.integers(len(BODY21))]
    eye = np.asarray(camera.position_m)
    point = joint + rng.uniform(0.12, 0.4) * (eye - joint)
    way = rng.normal(0, 1, 3) * np.array([1.0, 1.0, rng.choice([0.1, 3.0])])
    way *= rng.uniform(0.15, 0.7) / np.linalg.norm(way)
    r, g, b = rng.integers(20, 230, 3).tolist()
    start, end = (point - way).tolist(), (point + way).tolist()
    return Occluder((start[0], start[1], start[2]), (end[0], end[1], end[2]), float(rng.uniform(0.05, 0.16)), (r, g, b))
