"""Feet that stand stay where they stand: the legs follow, as far as the lifter's doubt allows.

A standing point is drawn to the place where it stood on the mean, on the floor; between two stances the shift goes over
from one to the next. Hips stay, thigh and shank keep their length, and the knee keeps to its side of the leg.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.settings import setting
from posepipe.skeleton import BODY21
from posepipe.types import BoolArray

__all__ = ["PLANT", "PlantSettings", "plant"]

Array = NDArray[np.float64]

_SIDES = ("left", "right")
_TINY = 1e-9
"""No length is taken for shorter."""
_MADE = "chosen on made clips, docs/world.md"


@dataclass(frozen=True, slots=True)
class PlantSettings:
    """How feet are held."""

    apart_s: float = setting(0.1, "a shorter break doesn't end a stance", unit="s", source="judgement")
    least_s: float = setting(0.1, "a shorter stance isn't held", unit="s", source="judgement")
    blend_s: float = setting(0.06, "over which a shift goes over from heel to toe", unit="s", source="judgement")
    most_sigma: float = setting(1.0, "a foot isn't moved by more sigmas of its ankle", source=_MADE)
    askew_m: float = setting(0.03, "a standing point may stay so far off the floor", unit="m", source=_MADE)
    reach: float = setting(0.999, "share of a leg's length that it may be stretched to", source="judgement")


PLANT = PlantSettings()


def plant(
    xyz_m: Array,
    sigma_m: Array,
    contact: BoolArray,
    time_s: Array,
    sole_m: float,
    settings: PlantSettings = PLANT,
) -> Array:
    """Joints with feet that neither slide nor leave the floor while they stand.

    Args:
        xyz_m: (F, 21, 3) Body21 in world axes, z up from the floor; NaN where missing.
        sigma_m: (F, 21) of each coordinate.
        contact: (F, 4) left heel, left toe, right heel, right toe stand.
        time_s: (F,).
        sole_m: height of a standing joint.
        settings: how feet are held.

    Returns:
        (F, 21, 3); only knees, ankles, heels and toes differ.
    """
    out = xyz_m.copy()
    for number, side in enumerate(_SIDES):
        names = ("hip", "knee", "ankle", "heel", "foot_index")
        hip, knee, ankle, heel, toe = BODY21.indices(*(f"{side}_{name}" for name in names))
        stands = contact[:, 2 * number : 2 * number + 2]
        shift = _shifts(xyz_m[:, [heel, toe]], stands, time_s, sole_m, settings)
        if shift is None:
            continue
        size = np.linalg.norm(shift, axis=1, keepdims=True)
        most = settings.most_sigma * sigma_m[:, ankle, None]
        shift = shift * np.minimum(1.0, np.nan_to_num(most, nan=0.0) / np.maximum(size, _TINY))
        start = xyz_m[:, hip]
        thigh, shank = xyz_m[:, knee] - start, xyz_m[:, ankle] - xyz_m[:, knee]
        moved, bent = _leg(start, thigh, shank, xyz_m[:, ankle] + shift, settings)
        # A nearly straight knee moves as the root of its ankle's shift: it mustn't leave its own doubt.
        aside = np.linalg.norm(bent - xyz_m[:, knee], axis=1, keepdims=True)
        share = np.minimum(1.0, settings.most_sigma * sigma_m[:, knee, None] / np.maximum(aside, _TINY)) ** 2
        moved, bent = _leg(start, thigh, shank, xyz_m[:, ankle] + share * shift, settings)
        known: BoolArray = np.all(np.isfinite(moved + bent), axis=1)
        shift = np.where(known[:, None], moved - xyz_m[:, ankle], 0.0)
        out[known, knee] = bent[known]
        out[:, [ankle, heel, toe]] += shift[:, None]
    return out


def _shifts(points: Array, stands: BoolArray, time_s: Array, sole_m: float, settings: PlantSettings) -> Array | None:
    """Shift (F, 3) of a foot from its heel and toe (F, 2, 3); None if it never stands for long."""
    step_s = float(np.median(np.diff(time_s))) if len(time_s) > 1 else 1.0
    seen: BoolArray = np.logical_and(stands, np.all(np.isfinite(points), axis=-1))
    down: BoolArray = np.any(seen, axis=1)
    shift, known = np.zeros((len(points), 3)), np.zeros(len(points), bool)
    for part in _runs(down, round(settings.apart_s / step_s)):
        if part.stop - part.start < settings.least_s / step_s:
            continue
        here = seen[part]
        count = here.sum(axis=0)
        there = np.where(here[..., None], points[part], 0.0).sum(axis=0) / np.maximum(count, 1)[:, None]
        # A floor that is a little askew doesn't bend the legs.
        there[:, 2] = sole_m + np.clip(there[:, 2] - sole_m, -settings.askew_m, settings.askew_m)
        gap = np.where(here[..., None], there - points[part], 0.0).sum(axis=1)
        any_here = here.any(axis=1)
        rows = np.flatnonzero(any_here)
        mean = gap[rows] / here.sum(axis=1)[rows, None]
        inside = np.arange(part.stop - part.start)
        shift[part] = np.stack([np.interp(inside, rows, mean[:, axis]) for axis in range(3)], axis=1)
        known[part] = True
    if not known.any():
        return None
    frames = np.arange(len(points))
    every = np.stack([np.interp(frames, frames[known], shift[known, axis]) for axis in range(3)], axis=1)
    return _blended(every, max(1, round(settings.blend_s / step_s)))


def _runs(flags: BoolArray, apart: int) -> list[slice]:
    """Stretches of true frames, across breaks of at most so many frames."""
    rows = np.flatnonzero(flags)
    if not len(rows):
        return []
    cuts = np.flatnonzero(np.diff(rows) > apart + 1)
    starts, ends = np.append(rows[0], rows[cuts + 1]), np.append(rows[cuts], rows[-1])
    return [slice(int(start), int(end) + 1) for start, end in zip(starts, ends, strict=True)]


def _blended(values: Array, width: int) -> Array:
    """Running mean (F, 3), ends repeated."""
    reach = width // 2
    if reach == 0:
        return values
    padded = np.concatenate([np.repeat(values[:1], reach, axis=0), values, np.repeat(values[-1:], reach, axis=0)])
    total = np.cumsum(np.concatenate([np.zeros((1, 3)), padded]), axis=0)
    span = 2 * reach + 1
    return np.asarray((total[span:] - total[:-span]) / span)


def _leg(hip: Array, thigh: Array, shank: Array, ankle: Array, settings: PlantSettings) -> tuple[Array, Array]:
    """Ankle within reach and knee, both (F, 3), bones as long as they were."""
    upper, lower = np.linalg.norm(thigh, axis=1), np.linalg.norm(shank, axis=1)
    way = ankle - hip
    far = np.linalg.norm(way, axis=1)
    way = way / np.maximum(far, _TINY)[:, None]
    # A leg that was stretched further by the lifter may stay so.
    most = np.maximum(
        settings.reach * (upper + lower), np.minimum(np.linalg.norm(thigh + shank, axis=1), upper + lower)
    )
    reach = np.clip(far, np.abs(upper - lower) + _TINY, most)
    along = (upper**2 - lower**2 + reach**2) / np.maximum(2.0 * reach, _TINY)
    aside = np.sqrt(np.maximum(upper**2 - along**2, 0.0))
    pole = thigh - (thigh * way).sum(axis=1, keepdims=True) * way
    pole = pole / np.maximum(np.linalg.norm(pole, axis=1, keepdims=True), _TINY)
    return hip + reach[:, None] * way, hip + along[:, None] * way + aside[:, None] * pole
