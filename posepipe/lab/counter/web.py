"""What a detector's poses of web videos are like: nobody's camera, cuts, holes, limbs that jump, no place in a picture.

How much of each was set by looking at holes, jumps and jitter (not at counts) of BlazePose poses of such videos: a
tenth of the frames without a person, in bursts, in some clips a fifth; two to five jumps of the whole body a clip, in
gymnastics fifteen; arms that jump in half to three percent of the frames; sizes that breathe by 15 percent.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posepipe.lab.film import CROWDED, Film, centred, detect, draw_camera
from posepipe.lab.people.exercises.move import wander
from posepipe.skeleton import BODY21
from posepipe.types import PoseTrack

__all__ = ["WEB", "web_poses"]

Array = NDArray[np.float64]
Rng = np.random.Generator

WEB = ("cut", "holes", "jumps", "frozen", "limbs", "breathing")
"""What may happen to a clip."""
_SHARES = dict(zip(WEB, (0.2, 0.6, 0.6, 0.25, 0.35, 0.8), strict=True))
_SIGMA = 0.1
"""Stated error of a joint, in mean bones."""
_MEAN_BONE_M = 0.3
_LIMBS = [
    BODY21.indices(*(f"{side}_{part}" for part in parts))
    for parts in (("elbow", "wrist"), ("knee", "ankle", "heel", "foot_index"))
    for side in ("left", "right")
]


def web_poses(stages: Film, time_s: Array, xyz_m: Array, rng: Rng) -> tuple[PoseTrack, tuple[str, ...]] | None:
    """See a motion as a web video's poses show it; None if it can't be seen at all.

    Args:
        stages: from `posepipe.lab.film.open_film`.
        time_s: (F,).
        xyz_m: (F, 21, 3) world, z up.
        rng: source of chance.

    Returns:
        The lifted pose, and which of `WEB` happened to it.
    """
    told = tuple(name for name in WEB if rng.random() < _SHARES[name])
    xy = _seen(time_s, xyz_m, rng)
    if "cut" in told:
        second, cut = _seen(time_s, xyz_m, rng), int(rng.integers(len(xy)))
        xy = np.concatenate([xy[:cut], second[cut:]])
    if "jumps" in told:
        _jump(xy, time_s, rng)
    if "limbs" in told:
        _shake(xy, time_s, rng)
    if "frozen" in told:
        _freeze(xy, time_s, rng)
    if "breathing" in told:
        xy *= np.exp(rng.uniform(0.05, 0.2) * wander(rng, time_s, 1, 0.3))[:, :, None]
    if "holes" in told:
        # From hardly any to a fifth of the frames.
        xy[wander(rng, time_s, 1, float(rng.uniform(0.1, 0.6)))[:, 0] > rng.uniform(0.85, 2.6)] = np.nan
    xy -= xy[:, :1]
    if np.isfinite(xy).all(axis=(1, 2)).mean() < 0.4:
        return None
    return centred(stages, time_s, xy, _SIGMA), told


def _seen(time_s: Array, xyz_m: Array, rng: Rng) -> Array:
    """(F, 21, 2) by one camera, in mean bones; joints that weren't found stay where they were last."""
    camera = draw_camera(xyz_m, rng, CROWDED)
    track = detect(time_s, xyz_m, camera, rng)
    depth = np.maximum(np.median(camera.to_camera(xyz_m)[..., 2], axis=1), 0.5)
    xy = track.xy_px.astype(np.float64) * (depth / camera.focal_px / _MEAN_BONE_M)[:, None, None]
    last = np.where(np.isfinite(xy).all(axis=-1), np.arange(len(xy))[:, None], 0)
    return np.asarray(xy[np.maximum.accumulate(last, axis=0), np.arange(len(BODY21))])


def _spells(time_s: Array, each_s: float, most_s: float, rng: Rng) -> list[slice]:
    """Stretches at random, one in so many seconds on average."""
    step_s = float(np.median(np.diff(time_s)))
    count = int(rng.poisson((time_s[-1] - time_s[0]) / each_s))
    starts = rng.integers(0, len(time_s), count)
    lengths = np.maximum(1, np.exp(rng.uniform(np.log(0.05), np.log(most_s), count)) / step_s).astype(int)
    return [slice(int(a), int(a + n)) for a, n in zip(starts, lengths, strict=True)]


def _jump(xy: Array, time_s: Array, rng: Rng) -> None:
    """The whole body is another one for a moment, in place: sides exchanged, turned, or someone beside."""
    for part in _spells(time_s, 15.0, 0.8, rng):
        kind = rng.random()
        if kind < 0.35:
            xy[part] = xy[part][:, list(BODY21.mirror)]
        elif kind < 0.7:
            turn = rng.uniform(-np.pi, np.pi)
            spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
            xy[part] = xy[part] @ spin
        else:
            xy[part] = xy[int(rng.integers(len(xy)))] + 0.15 * rng.standard_normal(xy[part].shape)


def _shake(xy: Array, time_s: Array, rng: Rng) -> None:
    """Limbs jump off for frames, and are guessed for seconds, in place."""
    for k in rng.choice(len(_LIMBS), int(rng.integers(1, 4)), replace=False):
        limb = _LIMBS[int(k)]
        for part in _spells(time_s, 4.0, 0.4, rng):
            xy[part, limb] += rng.normal(0.0, 0.8, (1, 2))
        if rng.random() < 0.5:
            guess = wander(rng, time_s, 2 * len(limb), 0.6).reshape(-1, len(limb), 2)
            for part in _spells(time_s, 20.0, 15.0, rng):
                xy[part, limb] += rng.uniform(0.1, 0.5) * guess[part]


def _freeze(xy: Array, time_s: Array, rng: Rng) -> None:
    """A limb or everybody stands still for a moment, in place."""
    for part in _spells(time_s, 10.0, 1.0, rng):
        joints = slice(None) if rng.random() < 0.4 else _LIMBS[int(rng.integers(len(_LIMBS)))]
        xy[part, joints] = xy[part.start, joints]
