"""From a true motion to what the pipeline would make of it on film: camera, detector's errors, lifter, steady bones.

The detector's errors are drawn in pixels: jitter, slow drift, joints understood a little differently, a far limb put on
the near one, sides exchanged, joints behind equipment, a body cut off by any edge of the picture, a person lost for a
while. The lifter is the real one, so its errors are too.

Other networks learn from other cameras and other errors, each from its own stream of random numbers: the lifter from
single frames (`posepipe.lab.lifter.data`), gait from clips of walkers (`posepipe.lab.gait.seen`). They have no draw in
common, so that only what is no draw is shared (`posepipe.lab.layouts.MIDDLES`, the pipeline's own stages); one recipe
for all would be other training data than what the shipped weights learnt from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posepipe.body.lift import Lifter, assumed_camera
from posepipe.body.refine import RefineConfig, Refiner
from posepipe.body.smooth import fill_gaps, smooth
from posepipe.lab.layouts import MIDDLES
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.exercises.move import wander
from posepipe.skeleton import BODY21
from posepipe.types import Camera, KeypointTrack, PoseTrack

__all__ = [
    "CROWDED", "PICTURE_UNIT_PX", "USUAL", "Film", "centred", "detect", "draw_camera", "film", "filmed", "lifted",
    "open_film",
]  # fmt: skip

Array = NDArray[np.float64]
Rng = np.random.Generator

_J = {name: i for i, name in enumerate(BODY21.joints)}
PICTURE_UNIT_PX = 46.0
"""Hip-centred poses have no place in a picture; a mean bone is this long where a person stands 4 m away."""
_ARM = ("elbow", "wrist")
_LEG = ("knee", "ankle", "heel", "foot_index")
USUAL, CROWDED = (0.16, 0.3), (0.4, 0.6)
"""Shares of takes whose camera looks past the person, so that an edge of the picture cuts them off; and of lying people
seen from the feet or the head."""
_CUT_MOST = {"bottom": 0.55, "top": 0.25, "left": 0.35, "right": 0.35}
"""Largest part of the person that is cut off, by edge: up to the hips, the shoulders, a third of them."""
_HIDDEN_SHARE = 0.12
"""Takes in which something hides single joints: a plate, a rack, letters on the picture."""
_LEGS_OUT_M = 0.15
_LOST_SHARE = 0.06
"""Takes in which the whole person is lost for long, again and again."""
_OUTER = np.array([1.6 if name.rsplit("_", 1)[-1] in ("wrist", "ankle", "heel", "index") else 1.0 for name in _J])


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """The pipeline's own stages, opened once."""

    lifter: Lifter
    refiner: Refiner


def open_film() -> Film:
    """Open the lifter and the clip refinement that the pipeline uses."""
    return Film(Lifter(threads=1), Refiner(threads=1, config=RefineConfig(latent=False)))


def film(stages: Film, time_s: Array, xyz_m: Array, rng: Rng, shares: tuple[float, float] = USUAL) -> PoseTrack | None:
    """See a motion with a random camera and detector, and lift it; None if it can't be seen at all.

    Args:
        stages: from `open_film`.
        time_s: (F,).
        xyz_m: (F, 21, 3) world, z up.
        rng: source of chance.
        shares: see `draw_camera`.
    """
    seen = filmed(time_s, xyz_m, rng, shares)
    return lifted(stages, *seen) if seen is not None else None


def filmed(
    time_s: Array, xyz_m: Array, rng: Rng, shares: tuple[float, float] = USUAL
) -> tuple[KeypointTrack, Camera] | None:
    """Keypoints of a motion by a random camera and detector, and the lens that is assumed; None as for `film`."""
    camera = draw_camera(xyz_m, rng, shares)
    keypoints = detect(time_s, xyz_m, camera, rng)
    if keypoints.valid.any(axis=1).mean() < 0.5:
        return None
    lens = assumed_camera(camera.width_px, camera.height_px) if rng.random() < 0.85 else camera.intrinsics
    return keypoints, Camera(lens.width_px, lens.height_px, lens.focal_px, lens.focal_source)


def lifted(stages: Film, keypoints: KeypointTrack, lens: Camera) -> PoseTrack:
    """What the pipeline makes of keypoints: lifted, refined and smoothed."""
    return smooth(stages.refiner.refine(stages.lifter.lift(keypoints, lens)).pose, 6.0)


def centred(stages: Film, time_s: Array, xy: NDArray[np.floating], sigma: float) -> PoseTrack:
    """Lift joints whose place in the picture is lost: put in the middle of one, `PICTURE_UNIT_PX` for each unit.

    Args:
        stages: from `open_film`.
        time_s: (F,).
        xy: (F, 21, 2) right and down from the pelvis, a mean bone being 1; NaN where missing.
        sigma: of each coordinate, in the same unit.
    """
    valid = np.isfinite(xy).all(axis=-1)
    shown = np.where(valid[..., None], 320.0 + PICTURE_UNIT_PX * xy, np.nan).astype(np.float32)
    doubt = np.where(valid, PICTURE_UNIT_PX * sigma, np.nan).astype(np.float32)
    track = KeypointTrack(
        0, BODY21, np.arange(len(xy), dtype=np.int32), np.asarray(time_s, np.float64), shown, doubt,
        valid.astype(np.float32), valid, np.zeros_like(valid),
    )  # fmt: skip
    return lifted(stages, fill_gaps(track), assumed_camera(640, 640))


def draw_camera(xyz: Array, rng: Rng, shares: tuple[float, float] = USUAL) -> SynthCamera:
    """Where people put a camera: on a tripod anywhere around, on the floor, close by, or at the end of a lying body.

    Args:
        xyz: (F, 21, 3) world, z up.
        rng: source of chance.
        shares: of cut off and of lying people seen from an end; see `USUAL`.
    """
    middle = np.median(xyz[:, 0], axis=0)
    extent = float(np.abs(xyz[:, 0, :2] - middle[:2]).max())
    wide = rng.random() < 0.6
    size = (640, 360) if wide else (360, 640)
    place = rng.choice(("around", "floor", "close"), p=(0.68, 0.2, 0.12))
    near, far, height = {
        "around": (1.8, 6.0, (0.3, 2.4)),
        "floor": (1.5, 4.0, (0.03, 0.45)),
        "close": (1.0, 1.9, (0.5, 1.7)),
    }[str(place)]
    camera = SynthCamera.random(
        rng,
        middle,
        width_px=size[0],
        height_px=size[1],
        distance_m=(near + extent, far + extent),
        camera_height_m=height,
        fov_deg=(38.0, 80.0),
        max_roll_deg=14.0,
    )
    trunk = np.median(xyz[:, _J["thorax"]] - xyz[:, _J["pelvis"]], axis=0)
    lies = abs(trunk[2]) < 0.4 * np.linalg.norm(trunk)
    camera = _at_the_end(camera, trunk, rng) if lies and rng.random() < shares[1] else camera
    return _looking_past(camera, xyz, rng) if rng.random() < shares[0] else camera


def _looking_past(camera: SynthCamera, xyz: Array, rng: Rng) -> SynthCamera:
    """The same camera turned so that one edge of the picture cuts the person off."""
    at = camera.to_camera(xyz)
    if at[..., 2].min() < 0.3:
        return camera
    side = str(rng.choice(list(_CUT_MOST), p=(0.5, 0.16, 0.17, 0.17)))
    axis = 0 if side in ("left", "right") else 1
    sign = 1.0 if side in ("right", "bottom") else -1.0
    # How far each joint is towards that edge, in tangents of the angle of view.
    tangent = sign * at[..., axis] / at[..., 2]
    near, far = np.quantile(tangent, (0.03, 0.97))
    edge = (camera.width_px, camera.height_px)[axis] / (2.0 * camera.focal_px)
    turn = sign * (far - rng.uniform(0.1, 1.0) * _CUT_MOST[side] * (far - near) - edge)
    distance = float(np.linalg.norm(np.subtract(camera.target_m, camera.position_m)))
    x, y, z = np.asarray(camera.target_m) + turn * distance * camera.rotation[axis]
    return replace(camera, target_m=(float(x), float(y), float(z)))


def _at_the_end(camera: SynthCamera, trunk: Array, rng: Rng) -> SynthCamera:
    """The same camera moved around to the feet, more often, or to the head of a lying person."""
    toward = -1.0 if rng.random() < 0.7 else 1.0
    heading = np.arctan2(toward * trunk[1], toward * trunk[0]) + rng.normal(0.0, 0.3)
    offset = np.subtract(camera.position_m, camera.target_m)
    reach = float(np.hypot(offset[0], offset[1]))
    x, y = camera.target_m[:2] + reach * np.array([np.cos(heading), np.sin(heading)])
    return replace(camera, position_m=(float(x), float(y), camera.position_m[2]))


def detect(time_s: Array, xyz_m: Array, camera: SynthCamera, rng: Rng) -> KeypointTrack:
    """Keypoints (Body21) as a detector would give them."""
    seen = _as_understood(xyz_m, rng)
    xy, depth = camera.project(seen)
    # One metre in pixels, where the person is.
    unit = camera.focal_px / np.maximum(np.median(depth, axis=1), 0.5)
    xy, doubt = _mistakes(xy, depth, unit, time_s, rng)
    _out_of_picture(xy, doubt, unit, time_s, camera, rng)
    level = float(np.exp(rng.normal(np.log(0.016), 0.45)))
    level *= rng.uniform(1.5, 4.0) if rng.random() < 0.1 else 1.0  # Cut off, blurred, far away or dark.
    sigma = level * _OUTER * np.exp(0.25 * rng.standard_normal((1, len(BODY21)))) + doubt
    noise = 0.4 * _jitter(rng, time_s, xy.shape) + 0.85 * _drift(rng, time_s, xy.shape)
    xy = xy + noise * (sigma * unit[:, None])[..., None]
    stated = sigma * unit[:, None] * np.exp(0.25 * rng.standard_normal((len(xy), 1)) + 0.2 * rng.standard_normal())
    stated = stated * rng.uniform(0.8, 2.2)
    for name, parents in MIDDLES.items():
        index = BODY21.indices(*parents)
        xy[:, _J[name]] = xy[:, index].mean(axis=1)
        stated[:, _J[name]] = np.sqrt((stated[:, index] ** 2).sum(axis=1)) / len(index)
    valid = np.isfinite(xy).all(axis=-1) & (depth > 0.3)
    if rng.random() < 0.3:
        _lose(valid, time_s, rng)
    if rng.random() < _LOST_SHARE:
        valid[wander(rng, time_s, 1, 0.8)[:, 0] > rng.uniform(0.2, 1.0)] = False
    shape = valid.shape
    return KeypointTrack(
        0, BODY21, np.arange(len(time_s), dtype=np.int32), np.asarray(time_s, np.float64),
        np.where(valid[..., None], xy, np.nan).astype(np.float32), np.where(valid, stated, np.nan).astype(np.float32),
        np.full(shape, 0.9, np.float32), valid, np.zeros(shape, bool),
    )  # fmt: skip


def _as_understood(xyz: Array, rng: Rng) -> Array:
    """Joints where this detector thinks they are: hips and shoulders wider or narrower, all a little off."""
    out = xyz + 0.012 * rng.standard_normal((1, len(BODY21), 3))
    for joint, low, high in (("hip", 0.85, 1.45), ("shoulder", 0.88, 1.1)):
        left, right = _J[f"left_{joint}"], _J[f"right_{joint}"]
        half = (out[:, left] - out[:, right]) / 2 * (rng.uniform(low, high) - 1.0)
        out[:, left] += half
        out[:, right] -= half
    return out


def _jitter(rng: Rng, time_s: Array, shape: tuple[int, ...]) -> Array:
    """Fresh noise with now and then a bigger jump (Student's t)."""
    heavy = np.sqrt(3.0 / np.maximum(rng.chisquare(4.0, shape[:2]), 0.4))
    return np.asarray(rng.standard_normal(shape) * np.minimum(heavy, 2.5)[..., None] * 0.7)


def _drift(rng: Rng, time_s: Array, shape: tuple[int, ...]) -> Array:
    return wander(rng, time_s, shape[1] * 2, 0.6).reshape(shape)


def _spell(rng: Rng, time_s: Array, whole: float) -> Array:
    """When something lasts, as weights (F,) 0 to 1: the whole clip with chance `whole`, else a stretch."""
    if rng.random() < whole:
        return np.ones(len(time_s))
    span = time_s[-1] - time_s[0]
    start = time_s[0] + rng.uniform(-0.1, 0.9) * span
    return np.asarray((time_s >= start) & (time_s < start + rng.uniform(0.2, 1.5)), np.float64)


def _mistakes(xy: Array, depth: Array, unit: Array, time_s: Array, rng: Rng) -> tuple[Array, Array]:
    """Pixels (F, 21, 2) with gross errors, and the doubt (F, 21) in metres that the detector would state."""
    xy = xy.copy()
    doubt = np.zeros(xy.shape[:2])
    metre = unit[:, None, None]
    for parts, corner in ((_ARM, "shoulder"), (_LEG, "hip")):
        sides = BODY21.indices(f"left_{corner}", f"right_{corner}")
        gap = np.median(depth[:, sides[0]] - depth[:, sides[1]])
        across = np.median(np.linalg.norm(xy[:, sides[0]] - xy[:, sides[1]], axis=-1) / unit)
        far, near = ("left", "right") if gap > 0 else ("right", "left")
        hidden = BODY21.indices(*(f"{far}_{p}" for p in parts))
        shown = BODY21.indices(*(f"{near}_{p}" for p in parts))
        if across < 0.2 and rng.random() < 0.75:
            # Seen from the side: the far limb is guessed, often drawn to the near one.
            pull = rng.uniform(0.0, 1.0) * _spell(rng, time_s, 0.7)[:, None, None]
            xy[:, hidden] += pull * (xy[:, shown] - xy[:, hidden])
            xy[:, hidden] += 0.05 * metre * wander(rng, time_s, len(parts) * 2, 0.8).reshape(-1, len(parts), 2)
            doubt[:, hidden] += rng.uniform(0.02, 0.12)
        for side in ("left", "right"):
            if rng.random() < 0.09:
                index = BODY21.indices(*(f"{side}_{p}" for p in parts))
                when = _spell(rng, time_s, 0.3)[:, None, None]
                size = rng.uniform(0.05, 0.22)
                xy[:, index] += (
                    when * size * metre * wander(rng, time_s, len(parts) * 2, 0.7).reshape(-1, len(parts), 2)
                )
                doubt[:, index] += 0.7 * size * when[..., 0]
    _swap(xy, time_s, rng)
    if rng.random() < _HIDDEN_SHARE:
        _hide(xy, doubt, unit, time_s, rng)
    if rng.random() < 0.12:
        _crop_legs(xy, doubt, unit, time_s, rng)
    if rng.random() < 0.1:
        # Out of the picture above.
        index = BODY21.indices("head", "nose")
        xy[:, index] += 0.06 * metre * wander(rng, time_s, 4, 0.8).reshape(-1, 2, 2)
        doubt[:, index] += 0.1
    return xy, doubt


def _out_of_picture(xy: Array, doubt: Array, unit: Array, time_s: Array, camera: SynthCamera, rng: Rng) -> None:
    """What lies beyond the picture's edge is made up from what is seen, in place: the further out, the worse."""
    edge = np.array([camera.width_px, camera.height_px], np.float64)
    with np.errstate(invalid="ignore"):
        beyond = np.maximum(np.maximum(-xy, xy - edge), 0.0)
    out_m = np.linalg.norm(np.nan_to_num(beyond), axis=-1) / unit[:, None]
    if not out_m.any():
        return
    size = 0.35 * np.minimum(out_m, 0.8)
    guess = wander(rng, time_s, xy.shape[1] * 2, 0.9).reshape(xy.shape) + rng.normal(0.0, 0.7, (1, xy.shape[1], 2))
    # Unseen limbs are drawn shorter than they are: towards the edge.
    pull = rng.uniform(0.0, 0.6) * np.where(xy < 0, beyond, -beyond)
    xy += pull + guess * (size * unit[:, None])[..., None]
    doubt += size * rng.uniform(0.5, 1.2)
    legs_out = np.median(out_m[:, BODY21.indices("left_ankle", "right_ankle")]) > _LEGS_OUT_M
    if legs_out and rng.random() < 0.5:
        _crop_legs(xy, doubt, unit, time_s, rng)


def _swap(xy: Array, time_s: Array, rng: Rng) -> None:
    """Sides exchanged for a while, or arms or legs alone, in place."""
    lower = np.array([any(p in name for p in ("hip", *_LEG)) for name in BODY21.joints])
    for group, chance in ((np.ones(len(lower), bool), 0.07), (lower, 0.05), (~lower, 0.03)):
        if rng.random() < chance:
            rows = np.flatnonzero(_spell(rng, time_s, 0.25))
            columns = np.flatnonzero(group)
            xy[np.ix_(rows, columns)] = xy[np.ix_(rows, BODY21.mirror[columns])]


def _crop_legs(xy: Array, doubt: Array, unit: Array, time_s: Array, rng: Rng) -> None:
    """Legs out of the picture: the detector makes up hanging or folded ones, in place."""
    keep = rng.choice([0.0, 0.5])  # Knees may still be seen.
    for side in ("left", "right"):
        hip = xy[:, _J[f"{side}_hip"]]
        way = rng.normal(0.0, 0.25, 2) + np.array([0.0, rng.uniform(0.2, 1.0)])
        for k, part in enumerate(_LEG):
            if k == 0 and keep:
                continue
            index = _J[f"{side}_{part}"]
            length = (0.4, 0.78, 0.82, 0.85)[k]
            guess = hip + length * way * unit[:, None] + (0.1 if k > 2 else 0.0) * unit[:, None]
            xy[:, index] = guess + 0.05 * unit[:, None] * wander(rng, time_s, 2, 0.9)
            doubt[:, index] += rng.uniform(0.1, 0.3)


def _hide(xy: Array, doubt: Array, unit: Array, time_s: Array, rng: Rng) -> None:
    """Some joints guessed behind a thing that hides them, for a while, in place."""
    free = [i for name, i in _J.items() if name not in MIDDLES]
    index = rng.choice(free, int(rng.integers(1, 6)), replace=False)
    when = _spell(rng, time_s, 0.6)
    size = rng.uniform(0.04, 0.2)
    guess = wander(rng, time_s, 2 * len(index), 0.9).reshape(-1, len(index), 2) + rng.normal(
        0.0, 0.7, (1, len(index), 2)
    )
    xy[:, index] += (size * when * unit)[:, None, None] * guess
    doubt[:, index] += (rng.uniform(0.5, 1.2) * size * when)[:, None]


def _lose(valid: NDArray[np.bool_], time_s: Array, rng: Rng) -> None:
    """Some joints, or the whole person, not found for a while, in place."""
    when = _spell(rng, time_s, 0.1) > 0
    if rng.random() < 0.3:
        valid[when & (np.cumsum(when) < 8)] = False
        return
    parts = _ARM if rng.random() < 0.5 else _LEG
    index = BODY21.indices(*(f"{('left', 'right')[int(rng.integers(2))]}_{p}" for p in parts))
    valid[np.ix_(np.flatnonzero(when), np.array(index))] = False
