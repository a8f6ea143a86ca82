"""Walks as this pipeline would see them: filmed by a simulated camera and lifted, or taken by a 3D sensor.

The detector's errors are made of what detectors do: a shift that lasts for the clip, one that wanders within a stride,
and jitter; larger on the far side. Sizes are those of BlazePose on 26 rendered walkers, less what it does to everyone
(`posepipe.lab.gait.norms`): the legs' joints are shifted along the way by 4 to 8 mm from clip to clip, and vary
by 10 mm, at the person's distance. Everything after the keypoints is the real pipeline.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.body.angles import joint_angles
from posepipe.body.lift import Lifter, assumed_camera
from posepipe.body.motion import Motion
from posepipe.body.refine import RefineConfig, Refiner
from posepipe.body.smooth import smooth
from posepipe.errors import InputError
from posepipe.lab.people.camera import SynthCamera
from posepipe.skeleton import BODY21
from posepipe.types import KeypointTrack, PoseTrack

__all__ = ["VIEWS", "Film", "Studio", "filmed", "load_films", "save_films", "sensed"]

Array = NDArray[np.float64]

VIEWS = ("side", "oblique", "front")
_SIZES_PX = ((1280, 720), (720, 1280), (640, 480), (960, 540))
_COMMON_M, _SHIFT_M, _WANDER_M, _JITTER_M, _WANDER_S = 0.005, 0.004, 0.009, 0.003, 0.2
_FAR_SIDE = 1.5
_LOOSE = {"wrist": 1.5, "elbow": 1.2, "foot_index": 1.3, "heel": 1.2, "ankle": 1.1, "head": 0.8, "nose": 0.6}
_SENSOR_COMMON_M, _SENSOR_SHIFT_M, _SENSOR_WANDER_M, _SENSOR_JITTER_M = 0.02, 0.02, 0.02, 0.010
_TILT_DEG = {"3d": 1.5, "sensor": 5.0}
_FEET = {"3d": 0.8, "sensor": 0.3}
_LEVEL = {"3d": (0.0, 0.3), "sensor": (0.5, 1.2)}
# Depth cameras smooth what they find and see the far foot late: knees lose 10 to 25 degrees of their range.
_LAZY, _LAZY_HZ, _SHALLOW = 0.5, (1.5, 5.0), (0.75, 1.0)
_MIDDLE = {
    "pelvis": ("left_hip", "right_hip"),
    "thorax": ("left_shoulder", "right_shoulder"),
    "spine": ("left_hip", "right_hip", "left_shoulder", "right_shoulder"),
}
_JOINTS = len(BODY21)


@dataclass(frozen=True, slots=True)
class Studio:
    """The lifter and refiner, opened once."""

    lifter: Lifter
    refiner: Refiner

    @classmethod
    def open(cls) -> Studio:
        """With the shipped weights and the pipeline's default settings."""
        return cls(Lifter(), Refiner(config=RefineConfig(latent=False)))


def _unevenness(rng: np.random.Generator) -> Array:
    """(21,) how loosely each joint is found."""
    kind = [next((factor for part, factor in _LOOSE.items() if part in joint), 1.0) for joint in BODY21.joints]
    return np.asarray(np.array(kind) * np.exp(0.25 * rng.standard_normal(_JOINTS)))


def _errors(time_s: Array, size: tuple[float, float, float, float], dims: int, rng: np.random.Generator) -> Array:
    """(F, 21, dims) errors of unit looseness.

    Parts: lasting, the same on both sides; lasting, of each joint; wandering, an AR(1) process; jitter.
    """
    common, shift, wander, jitter = size
    frames = len(time_s)
    keep = np.exp(-float(np.median(np.diff(time_s))) / _WANDER_S)
    walk = rng.standard_normal((frames, _JOINTS, dims))
    for frame in range(1, frames):
        walk[frame] = keep * walk[frame - 1] + np.sqrt(1.0 - keep**2) * walk[frame]
    both = rng.standard_normal((1, _JOINTS, dims))
    both = 0.5 * (both + both[:, BODY21.mirror]) * np.where(BODY21.mirror == np.arange(_JOINTS), 1.0, 2**0.5)[:, None]
    lasting = common * both + shift * rng.standard_normal((1, _JOINTS, dims))
    return np.asarray(lasting + wander * walk + jitter * rng.standard_normal((frames, _JOINTS, dims)))


def _derive(points: Array) -> Array:
    for name, parents in _MIDDLE.items():
        points[:, BODY21.index(name)] = points[:, BODY21.indices(*parents)].mean(axis=1)
    return points


def _camera(xyz: Array, view: str, rng: np.random.Generator) -> SynthCamera:
    """A camera that keeps the whole walk in the picture; 3 to 8 m away, hand-held level."""
    middle = 0.5 * (xyz[:, 0].min(axis=0) + xyz[:, 0].max(axis=0))
    path = xyz[-1, 0, :2] - xyz[0, 0, :2]
    across = xyz[:, BODY21.index("left_hip"), :2] - xyz[:, BODY21.index("right_hip"), :2]
    facing = np.array([across[:, 1].mean(), -across[:, 0].mean()])
    ahead = path if np.linalg.norm(path) > 0.5 else facing
    heading = np.arctan2(ahead[1], ahead[0])
    turn = {"side": (70.0, 110.0), "oblique": (25.0, 70.0), "front": (0.0, 25.0)}[view]
    angle = np.radians(rng.uniform(*turn)) * rng.choice([-1.0, 1.0])
    if view != "side" and rng.random() < 0.5:
        angle += np.pi  # From behind.
    span = float(np.linalg.norm(path))
    distance = rng.uniform(3.0, 6.0) + 0.6 * span
    bearing = heading + angle
    width, height = _SIZES_PX[rng.integers(len(_SIZES_PX))]
    place = middle[:2] + distance * np.array([np.cos(bearing), np.sin(bearing)])
    top = rng.uniform(0.7, 1.8)
    # The assumed angle of view is right for about half of the cameras.
    focal = assumed_camera(width, height).focal_px * float(np.exp(0.15 * rng.standard_normal()))
    return SynthCamera(
        (float(place[0]), float(place[1]), float(top)),
        (float(middle[0]), float(middle[1]), float(0.9 + 0.1 * rng.standard_normal())),
        focal,
        width,
        height,
        float(1.5 * rng.standard_normal()),
    )


def filmed(
    time_s: Array, xyz_m: Array, view: str, rng: np.random.Generator, studio: Studio, *, noise: float = 1.0
) -> Motion:
    """A walk filmed by one camera and lifted.

    Args:
        time_s: (F,).
        xyz_m: (F, 21, 3) Body21 joints in a world with z up.
        view: one of `VIEWS`.
        rng: source of chance.
        studio: the opened lifter.
        noise: factor on the detector's errors.
    """
    xyz = np.asarray(xyz_m, dtype=np.float64).copy()
    if rng.random() < 0.3:  # A treadmill, or a camera that follows.
        xyz[..., :2] -= xyz[:, :1, :2]
    camera = _camera(xyz, view, rng)
    seen = camera.to_camera(xyz)
    metre_px = camera.focal_px / seen[..., 2]
    loose = np.broadcast_to(_unevenness(rng), metre_px.shape) * np.exp(0.3 * rng.standard_normal())
    deeper = seen[..., 2] - seen[:, :1, 2]
    loose = loose * np.where(deeper > 0.08, _FAR_SIDE, 1.0)
    unit = loose * metre_px * noise
    size_m = _COMMON_M, _SHIFT_M, _WANDER_M, _JITTER_M
    xy, _ = camera.project(xyz)
    xy = _derive(xy + unit[..., None] * _errors(time_s, size_m, 2, rng))
    total = float(np.linalg.norm(size_m))
    stated = unit * total * np.exp(0.3 * rng.standard_normal((1, _JOINTS)))
    flags = np.ones(metre_px.shape, dtype=bool)
    track = KeypointTrack(
        person=1,
        layout=BODY21,
        frame=np.arange(len(time_s), dtype=np.int32),
        time_s=np.asarray(time_s, dtype=np.float64),
        xy_px=xy.astype(np.float32),
        sigma_px=np.maximum(stated, 0.3).astype(np.float32),
        score=np.full(flags.shape, 0.95, np.float32),
        valid=flags,
        interpolated=~flags,
    )
    size = camera.width_px, camera.height_px
    lifted = studio.lifter.lift(track, assumed_camera(*size))
    pose = smooth(studio.refiner.refine(lifted).pose)
    return Motion.from_pose(pose, joint_angles(pose), smooth(track), size)


def _lazy(time_s: Array, xyz: Array, rng: np.random.Generator) -> Array:
    """As a depth camera's tracker has it: every joint a little behind the pelvis, and depth somewhat flattened."""
    step = float(np.median(np.diff(time_s)))
    keep = np.exp(-2.0 * np.pi * float(rng.uniform(*_LAZY_HZ)) * step)
    offset = xyz - xyz[:, :1]
    for frame in range(1, len(offset)):
        offset[frame] = keep * offset[frame - 1] + (1.0 - keep) * offset[frame]
    bearing = rng.uniform(0.0, 2.0 * np.pi)
    depth = np.array([np.cos(bearing), np.sin(bearing), 0.0])
    offset -= (1.0 - rng.uniform(*_SHALLOW)) * (offset @ depth)[..., None] * depth
    return np.asarray(xyz[:, :1] + offset)


def sensed(
    time_s: Array,
    xyz_m: Array,
    rng: np.random.Generator,
    *,
    kind: str = "3d",
    noise: float = 1.0,
    feet: bool | None = None,
) -> Motion:
    """A walk as 3D files hold it: pelvis-relative, some noise, the horizon held a little askew.

    Args:
        time_s: (F,).
        xyz_m: (F, 21, 3) Body21 joints in a world with z up.
        rng: source of chance.
        kind: "3d" for motion capture, "sensor" for depth cameras.
        noise: factor on the sensor's errors.
        feet: whether heels and toes are known; by chance if None.
    """
    xyz = np.asarray(xyz_m, dtype=np.float64).copy()
    if kind == "sensor" and rng.random() < _LAZY:
        xyz = _lazy(time_s, xyz, rng)
    size = _SENSOR_COMMON_M, _SENSOR_SHIFT_M, _SENSOR_WANDER_M, _SENSOR_JITTER_M
    level = noise * rng.uniform(*_LEVEL[kind])
    error = level * _unevenness(rng)[None, :, None] * _errors(time_s, size, 3, rng)
    xyz = _derive(xyz + error)
    turn = rng.uniform(0.0, 2.0 * np.pi)
    c, s = np.cos(turn), np.sin(turn)
    xyz = xyz @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    pitch, roll = np.radians(_TILT_DEG[kind]) * rng.standard_normal(2) * min(noise, 1.0)
    camera = np.stack([xyz[..., 0], -xyz[..., 2], xyz[..., 1]], axis=-1)
    cp, sp, cr, sr = np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    camera = (
        camera @ np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]]) @ np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    )
    valid = np.ones(camera.shape[:2], dtype=bool)
    if not (rng.random() < _FEET[kind] if feet is None else feet):
        valid[:, [BODY21.index(f"{side}_{part}") for side in ("left", "right") for part in ("heel", "foot_index")]] = (
            False
        )
    total = float(np.linalg.norm(size)) * level
    relative = np.where(valid[..., None], camera - camera[:, :1], np.nan).astype(np.float32)
    pose = PoseTrack(
        layout=BODY21,
        time_s=np.asarray(time_s, dtype=np.float64),
        xyz_m=relative,
        sigma_m=np.where(valid, max(total, 0.003), np.nan).astype(np.float32),
        root_m=np.full((len(time_s), 3), np.nan, np.float32),
        root_sigma_m=np.full((len(time_s), 3), np.nan, np.float32),
        valid=valid,
        interpolated=np.zeros(valid.shape, dtype=bool),
    )
    pose = smooth(pose)
    return Motion.from_pose(pose, joint_angles(pose))


# Walks filmed once and kept: lifting is the slow part, measuring them again is quick.

_META = ("seen", "pattern", "severity", "split", "source", "side")
_FRAMES = ("time_s", "xyz_m", "sigma_m", "root_m", "xy_px", "sigma_px")


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """A walk as it was seen, and what is true of it.

    Attributes:
        motion: what the pipeline would hand over.
        seen: "side", "oblique", "front" or "3d".
        pattern, severity, side: what was put in.
        split: "train", "calibrate" or "test".
        source: "cmu" or "synthetic".
    """

    motion: Motion
    seen: str
    pattern: str
    severity: float
    side: str
    split: str
    source: str


def save_films(path: Path, films: Sequence[Film]) -> None:
    """Write an npz."""
    arrays: dict[str, Any] = {name: np.array([getattr(film, name) for film in films]) for name in _META}
    arrays["start"] = np.cumsum([0, *(len(film.motion) for film in films)])
    arrays["size_px"] = np.array([film.motion.size_px or (0, 0) for film in films])
    for name in _FRAMES:
        arrays[name] = np.concatenate([_frames(film.motion, name) for film in films])
    np.savez_compressed(path, **arrays)


def load_films(paths: Sequence[Path]) -> Iterator[Film]:
    """Read what `save_films` wrote.

    Raises:
        InputError: a file can't be read.
    """
    for path in paths:
        try:
            with np.load(path) as data:
                table = {name: data[name] for name in (*_META, *_FRAMES, "start", "size_px")}
        except (OSError, KeyError, ValueError) as error:
            raise InputError(f"can't be read ({error})", where=str(path), hint="Film the walks again") from error
        for number, (first, last) in enumerate(zip(table["start"], table["start"][1:], strict=False)):
            part = {name: table[name][first:last] for name in _FRAMES}
            size = int(table["size_px"][number][0]), int(table["size_px"][number][1])
            meta = {name: table[name][number].item() for name in _META}
            yield Film(_motion(part, size if size[0] else None), **meta)


def _frames(motion: Motion, name: str) -> NDArray[np.generic]:
    if name in ("xy_px", "sigma_px"):
        shape = (len(motion), len(BODY21), 2) if name == "xy_px" else (len(motion), len(BODY21))
        track = motion.keypoints
        return np.full(shape, np.nan, np.float32) if track is None else np.asarray(getattr(track, name), np.float32)
    return np.asarray(getattr(motion, name), np.float64 if name == "time_s" else np.float32)


def _motion(part: dict[str, NDArray[np.generic]], size: tuple[int, int] | None) -> Motion:
    xyz = np.asarray(part["xyz_m"], np.float32)
    valid = np.all(np.isfinite(xyz), axis=-1)
    none = np.zeros(valid.shape, dtype=bool)
    time_s = np.asarray(part["time_s"], np.float64)
    root = np.asarray(part["root_m"], np.float32)
    pose = PoseTrack(
        BODY21, time_s, xyz, np.asarray(part["sigma_m"], np.float32), root, np.zeros_like(root), valid, none
    )
    track = None
    if size is not None:
        xy = np.asarray(part["xy_px"], np.float32)
        track = KeypointTrack(
            person=1,
            layout=BODY21,
            frame=np.arange(len(time_s), dtype=np.int32),
            time_s=time_s,
            xy_px=xy,
            sigma_px=np.asarray(part["sigma_px"], np.float32),
            score=np.full(none.shape, 0.95, np.float32),
            valid=np.all(np.isfinite(xy), axis=-1),
            interpolated=none,
        )
    return Motion.from_pose(pose, joint_angles(pose), track, size)
