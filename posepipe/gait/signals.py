"""Where the feet are along the walking direction, relative to the pelvis: what events are read from.

Seen from the side, the picture itself is the better ruler: the lifter smooths what it lifts. Otherwise 3D is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import median_filter, uniform_filter1d

from posepipe.gait.direction import Heading, joint_m
from posepipe.gait.types import SIDES
from posepipe.geometry.missing import median_known
from posepipe.motion.clip import Motion

__all__ = ["GRID_HZ", "Forward", "forward_signals", "on_grid", "picture_scale"]

Array = NDArray[np.float64]
Source = Literal["picture", "lifted", "file"]

GRID_HZ = 120.0
_LEAST_SINE = 0.5
"""The walking direction must lie within 60 degrees of the picture plane for the picture to be used."""
_SCALED_BY = ("hip", "knee", "ankle", "shoulder")


@dataclass(frozen=True, slots=True, eq=False)
class Forward:
    """Feet ahead of the pelvis, in metres, for F frames; sides left, right.

    Attributes:
        heel, toe, ankle: (F, 2); NaN where not seen. Heel and toe are the ankle where the file has no feet.
        sigma: (F, 2) of the ankle.
        source: "picture" for 2D keypoints, "lifted" for 3D from a video, "file" for 3D from elsewhere.
        feet: whether heels and toes were there.
        slant: how much the picture foreshortens the way; 1 from the side, and for 3D.
    """

    heel: Array
    toe: Array
    ankle: Array
    sigma: Array
    source: Source
    feet: bool
    slant: float = 1.0


def forward_signals(motion: Motion, heading: Heading) -> Forward:
    """The best forward signals that a motion holds."""
    sine = np.sin(np.radians(heading.yaw_deg))
    known = np.isfinite(sine)
    beside = known.any() and float(np.median(np.abs(sine[known]))) > _LEAST_SINE
    track = motion.keypoints
    if track is not None and beside and {"left_ankle", "left_hip"} <= set(track.layout.joints):
        return _from_picture(motion, sine)
    return _from_3d(motion, heading)


def _from_picture(motion: Motion, sine: Array) -> Forward:
    scale = picture_scale(motion)
    # Ahead is to the picture's left for a positive yaw; oblique views are foreshortened.
    sign = np.where(np.abs(sine) > 0.2, -1.0 / sine, np.nan) / scale
    pelvis = 0.5 * (_x(motion, "left_hip") + _x(motion, "right_hip"))

    def ahead(part: str) -> Array:
        return np.stack([(_x(motion, f"{side}_{part}") - pelvis) * sign for side in SIDES], axis=1)

    track = motion.keypoints
    assert track is not None
    index = track.layout.indices(*(f"{side}_ankle" for side in SIDES))
    sigma = track.sigma_px[:, index].astype(np.float64) * np.abs(sign)[:, None]
    ankle = ahead("ankle")
    heel, toe, feet = _feet(ahead("heel"), ahead("foot_index"), ankle)
    slant = float(median_known(np.abs(1.0 / np.where(np.abs(sine) > 0.2, sine, np.nan))))
    return Forward(heel, toe, ankle, sigma, "picture", feet, slant)


def _from_3d(motion: Motion, heading: Heading) -> Forward:
    pelvis = 0.5 * (joint_m(motion, "left_hip") + joint_m(motion, "right_hip"))

    def ahead(part: str) -> Array:
        rows = [((joint_m(motion, f"{side}_{part}") - pelvis) * heading.forward).sum(axis=1) for side in SIDES]
        return np.stack(rows, axis=1)

    ankle = ahead("ankle")
    heel, toe, feet = _feet(ahead("heel"), ahead("foot_index"), ankle)
    index = [motion.layout.index(f"{side}_ankle") for side in SIDES]
    sigma = motion.sigma_m[:, index].astype(np.float64)
    return Forward(heel, toe, ankle, sigma, "file" if motion.keypoints is None else "lifted", feet)


def _feet(heel: Array, toe: Array, ankle: Array) -> tuple[Array, Array, bool]:
    """The ankle in place of feet that are never, or hardly, seen."""
    seen = np.isfinite(ankle)
    there = np.isfinite(heel) & np.isfinite(toe)
    if seen.any() and there[seen].mean() > 0.5:
        return heel, toe, True
    return ankle, ankle, False


def _x(motion: Motion, name: str) -> Array:
    track = motion.keypoints
    assert track is not None
    if name not in track.layout.joints:
        return np.full(len(motion), np.nan)
    column = track.layout.index(name)
    return np.where(track.valid[:, column], track.xy_px[:, column, 0].astype(np.float64), np.nan)


def picture_scale(motion: Motion) -> Array:
    """Pixels for a metre at the person, (F,), from what the 3D body measures in the picture; NaN without keypoints."""
    track = motion.keypoints
    out = np.full(len(motion), np.nan)
    if track is None:
        return out
    names = [f"{side}_{part}" for side in SIDES for part in _SCALED_BY]
    names = [name for name in names if name in track.layout.joints and name in motion.layout.joints]
    xy = np.where(track.valid[..., None], track.xy_px, np.nan)[:, track.layout.indices(*names)].astype(np.float64)
    xyz = np.stack([joint_m(motion, name)[:, :2] for name in names], axis=1)
    known = np.isfinite(xy).all(axis=2) & np.isfinite(xyz).all(axis=2)
    count = np.maximum(known.sum(axis=1), 1)[:, None]

    def centred(points: Array) -> Array:
        points = np.where(known[..., None], points, 0.0)
        return np.asarray(
            np.where(known[..., None], points - points.sum(axis=1, keepdims=True) / count[..., None], 0.0)
        )

    a, b = centred(xyz), centred(xy)
    square = (a * a).sum(axis=(1, 2))
    good = (known.sum(axis=1) >= 4) & (square > 0.05)
    if not good.any():
        return out
    ratio = (a * b).sum(axis=(1, 2))[good] / square[good]
    step = max(float(np.median(np.diff(motion.time_s))), 1e-3) if len(motion) > 1 else 1.0
    width = max(1, 2 * round(0.5 / step) + 1)
    even = uniform_filter1d(median_filter(ratio, width, mode="nearest"), width, mode="nearest")
    out[:] = np.interp(motion.time_s, motion.time_s[good], even)
    return out


def on_grid(time_s: Array, values: Array, grid_s: Array) -> tuple[Array, Array]:
    """A signal (F,) and its speed on other times, by a cubic spline through what is known."""
    known = np.isfinite(values)
    if known.sum() < 4:
        blank = np.full(len(grid_s), np.nan)
        return blank, blank
    spline = CubicSpline(time_s[known], values[known])
    return np.asarray(spline(grid_s)), np.asarray(spline(grid_s, 1))
