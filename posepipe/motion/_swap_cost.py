"""What a left/right swap costs and what it explains; shared by the offline and the live repair.

A swap changes only the sign of the half difference d = (left - right) / 2 of each pair of joints. With s = +1 (as
detected) or -1 (swapped), ``s d`` must move smoothly. The innovation of frame 2 after frames 0 and 1 is
``e = s2 d2 - (1 + r) s1 d1 + r s0 d0`` with r the ratio of the time steps: zero at constant speed. Speed matters,
because the legs of a walker seen from the side really do cross.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from posepipe.skeleton import LAYOUTS

__all__ = [
    "GROUPS",
    "SWITCH",
    "drift",
    "eased",
    "halves",
    "innovation",
    "members",
    "mirror",
    "pair_cost",
    "pairs",
    "reliable",
    "switch_cost",
    "twist",
    "variance",
]

Float64 = NDArray[np.float64]
Intp = NDArray[np.intp]

GROUPS = ("arms", "legs")
"""Limb groups that swap apart; the head goes with the arms."""

SWITCH = 8.0  # Log-likelihood that the start or end of a swap must explain; alone,
SWITCH_BOTH = 11.0  # or of both groups at once, which is the usual error: front taken for back.
_DOUBT = 2.5  # A pair is in doubt where its sigma is so many times the usual.
EASE = 4.0  # So much less for legs where the detector is unsure: it changes labels there.
_UNSURE = 1.5  # Sigma over the usual, of most pairs of the legs.
CAP = 9.0  # One pair of joints can't say more than three sigmas.
PAIR_WEIGHT = 0.5  # Pairs of a limb err together.

_PAIRS = {
    "arms": ("shoulder", "elbow", "wrist"),
    "legs": ("hip", "knee", "ankle", "heel", "foot_index"),
}
_JITTER = 0.5  # Frame-to-frame part of sigma.
_FLOOR = 0.01  # Smallest innovation that means anything, in body sizes.
_SIGNS = np.array([1.0, -1.0])


@cache
def pairs(layout: str) -> tuple[Intp, Intp]:
    """Pairs of joints that are watched, (P, 2) left and right, and the group (P,) of each."""
    joints = LAYOUTS[layout]
    rows = [
        (joints.indices(f"left_{name}", f"right_{name}"), group)
        for group, key in enumerate(GROUPS)
        for name in _PAIRS[key]
        if f"left_{name}" in joints.joints
    ]
    return np.array([row for row, _ in rows], dtype=np.intp), np.array([group for _, group in rows], dtype=np.intp)


@cache
def members(layout: str) -> Intp:
    """Group of every joint (J,): 0 arms and head, 1 legs."""
    legs = ("hip", "knee", "ankle", "heel", "foot", "toe")
    return np.array([int(any(part in name for part in legs)) for name in LAYOUTS[layout].joints], dtype=np.intp)


@cache
def mirror(layout: str) -> Intp:
    """Permutation (J,) that swaps left and right."""
    return LAYOUTS[layout].mirror


def halves(layout: str, xy_px: Float64, sigma_px: Float64) -> tuple[Float64, Float64, Float64]:
    """Half differences (F, P, 2), their variances (F, P), and body size (F,), from (F, J, 2) and (F, J)."""
    index, _ = pairs(layout)
    d = 0.5 * (xy_px[:, index[:, 0]] - xy_px[:, index[:, 1]])
    var = 0.25 * (sigma_px[:, index[:, 0]] ** 2 + sigma_px[:, index[:, 1]] ** 2)
    low = np.min(xy_px, axis=1, initial=np.inf, where=np.isfinite(xy_px))
    high = np.max(xy_px, axis=1, initial=-np.inf, where=np.isfinite(xy_px))
    span = np.hypot(high[:, 0] - low[:, 0], high[:, 1] - low[:, 1])
    return d, var, np.where(np.isfinite(span), span, np.nan)


def reliable(d: Float64, var: Float64, usual_var: Float64, group: Intp) -> NDArray[np.bool_]:
    """(F, 2): frames where a group's pairs are seen about as well as usual, for (F, P, 2) and (F, P).

    Detectors in doubt put both sides in the middle, with a big sigma; such a frame says nothing about left and right.
    """
    good = np.isfinite(d).all(axis=-1) & (var <= _DOUBT**2 * usual_var)
    return np.stack([good[:, group == g].mean(axis=1) > 0.5 for g in (0, 1)], axis=1)


def eased(var: Float64, usual_var: Float64) -> Float64:
    """(F,) what a change of the legs' labels before each frame costs less, from variances (F, P) and usual ones (P,).

    Labels change where the legs cover each other, and a detector's sigmas are large there.
    """
    ratio = np.where(np.isfinite(var), var, np.inf) / np.maximum(usual_var, 1e-9)
    unsure = np.median(ratio, axis=1) > _UNSURE**2
    return np.where(np.append(False, unsure[1:] | unsure[:-1]), EASE, 0.0)


def innovation(d0: Float64, d1: Float64, d2: Float64, ratio: Float64) -> Float64:
    """Innovation e for every s0, s1, s2: (..., 2) vectors give (2, 2, 2, ...) squared lengths."""
    r = ratio[..., None]
    shape = (1,) * d2.ndim
    s0 = _SIGNS.reshape(2, 1, 1, *shape)
    s1, s2 = _SIGNS.reshape(1, 2, 1, *shape), _SIGNS.reshape(1, 1, 2, *shape)
    e = s2 * d2 - s1 * (1.0 + r) * d1 + s0 * r * d0
    return np.asarray(np.sum(e**2, axis=-1))


def drift(d0: Float64, d1: Float64, step_s: Float64 | float, gap_s: Float64 | float) -> Float64:
    """Squared way (..., ) a pair may go in a gap without being seen, from its speed between two frames.

    Whichever labels make the speed smaller: legs that cross behind each other must not look like a swap.
    """
    way = np.minimum(np.sum((d1 - d0) ** 2, axis=-1), np.sum((d1 + d0) ** 2, axis=-1))
    return np.asarray(way * (gap_s / step_s) ** 2)


def variance(var: Float64, size: Float64 | float, step_s: Float64 | float, usual: Float64) -> Float64:
    """Variance of an innovation: jitter, acceleration, and how much this pair usually innovates."""
    swing = np.minimum(15.0 * step_s**2, 0.05) * size
    total = 6.0 * _JITTER**2 * var + (_FLOOR * size) ** 2 + swing**2 + 4.0 * usual
    return np.asarray(total)


def pair_cost(square: Float64, var: Float64) -> Float64:
    """Capped cost of each pair; 0 where it can't be told."""
    z = square / (2.0 * np.maximum(var, 1e-12))
    return np.where(np.isfinite(z), PAIR_WEIGHT * np.minimum(z, CAP), 0.0)


def twist(d: Float64, size: Float64, layout: str) -> Float64:
    """(F,) in [-1, 1]: whether hip line and shoulder line agree; near 0 where either is short."""
    _, group = pairs(layout)
    shoulders, hips = d[:, 0], d[:, int(np.argmax(group == 1))]
    long = np.minimum(np.linalg.norm(shoulders, axis=1), np.linalg.norm(hips, axis=1))
    product = np.linalg.norm(shoulders, axis=1) * np.linalg.norm(hips, axis=1)
    cosine = np.sum(shoulders * hips, axis=1) / np.maximum(product, 1e-9)
    return np.asarray(np.nan_to_num(cosine * np.clip(long / (0.035 * size), 0.0, 1.0) ** 2))


@cache
def switch_cost() -> Float64:
    """Cost (a1, a2, l1, l2) of a change of state of arms and legs."""
    cost = np.zeros((2, 2, 2, 2))
    change = np.array([[0.0, 1.0], [1.0, 0.0]])
    arms, legs = change[:, :, None, None], change[None, None]
    cost += SWITCH * (arms + legs) + (SWITCH_BOTH - 2.0 * SWITCH) * arms * legs
    cost.flags.writeable = False
    return cost
