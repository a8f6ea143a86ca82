"""Hip, knee and ankle angles of a walker seen from the side, read off the picture instead of the lifted body.

A lifter gives each leg the bend that is likely for what it sees, so it rounds off what is unusual: a knee's peak in
swing is too low. From the side the sagittal plane is the picture, and the angle is there. What the detector does to
everyone's legs is taken off: its joints aren't quite the joint centres, and a leg behind the other is drawn towards
it (`posepipe.lab.gait.norms` learnt both on rendered walkers). ``posepipe evaluate gait --walks 12`` measures
what is left, beside the lifted angles.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from posepipe.body.motion import Motion
from posepipe.gait.curves import SAGITTAL
from posepipe.gait.norms import picture_habits, picture_spread
from posepipe.gait.signals import SIGNAL, Heading, find_heading
from posepipe.gait.types import SIDES
from posepipe.types import Angles, KeypointTrack

__all__ = ["PLACES", "TERMS", "from_picture", "habit_terms"]

Array = NDArray[np.float64]

PLACES = ("near", "far")
TERMS = ("one", "behind", "behind_other", "behind_own")
"""What a correction is made of: a constant; how much the legs cover each other; that, times how much more the other
knee is bent, and times this knee's flexion."""

_BESIDE_LL = 0.2
"""Ankles nearer to each other than this, in leg lengths, cover each other: about twice a shank's width; as in
training."""

_MAX_SIGMA_DEG = 45.0
"""Angles less sure stay those of the lifted body."""

_NEEDED = tuple(f"{side}_{part}" for side in SIDES for part in ("shoulder", "hip", "knee", "ankle"))
_FEET = tuple(f"{side}_{part}" for side in SIDES for part in ("heel", "foot_index"))


def from_picture(motion: Motion, heading: Heading | None = None, *, habits: bool = True) -> Motion:
    """The same motion with sagittal hip, knee and ankle angles from its keypoints, in frames seen from the side.

    Signs and zeros are those of `posepipe.body.angles`, but a knee bent backwards is negative here. Other frames,
    other angles, and motion without keypoints stay as they are.

    Args:
        motion: one person's.
        heading: of that motion, if it was found already.
        habits: take off what detectors get wrong about everyone's legs; not for keypoints that no detector found.
    """
    track = motion.keypoints
    if track is None or not set(_NEEDED) <= set(track.layout.joints):
        return motion
    sine = np.sin(np.radians((heading or find_heading(motion)).yaw_deg))
    beside = np.abs(sine) > np.sin(np.radians(SIGNAL.side_deg))
    if not beside.any():
        return motion
    deg, sigma_deg = motion.angles.deg.copy(), motion.angles.sigma_deg.copy()
    ahead = np.where(beside, -1.0 / np.where(beside, sine, 1.0), np.nan)
    for name, (value, sigma) in _angles(track, ahead).items():
        if name not in motion.angles.names:
            continue
        column = motion.angles.names.index(name)
        good = beside & np.isfinite(value) & (sigma < _MAX_SIGMA_DEG)
        deg[good, column], sigma_deg[good, column] = value[good], sigma[good]
    found = replace(motion, angles=Angles(motion.angles.names, deg, sigma_deg))
    return _without_habits(found, beside, sine) if habits else found


def habit_terms(motion: Motion, side: str) -> Array:
    """What a correction of one leg's angles is made of, (F, 4) in the order of `TERMS`; NaN where not measured.

    Args:
        motion: as `from_picture` gives it without habits taken off.
        side: "left" or "right".
    """
    track = motion.keypoints
    if track is None:
        return np.full((len(motion), len(TERMS)), np.nan)

    def apart(a: str, b: str) -> Array:
        both = track.xy_px[:, track.layout.indices(a, b)].astype(np.float64)
        return np.asarray(np.linalg.norm(both[:, 0] - both[:, 1], axis=1))

    legs = [apart(f"{s}_hip", f"{s}_knee") + apart(f"{s}_knee", f"{s}_ankle") for s in SIDES]
    leg_px = np.maximum(0.5 * (legs[0] + legs[1]), 1e-6)
    behind = np.exp(-((apart("left_ankle", "right_ankle") / leg_px / _BESIDE_LL) ** 2))
    own, other = (
        motion.angles.deg[:, motion.angles.names.index(f"{s}_knee_flexion")].astype(np.float64)
        for s in (side, "right" if side == "left" else "left")
    )
    return np.stack([np.ones_like(behind), behind, behind * (other - own), behind * own], axis=1)


def _without_habits(motion: Motion, beside: NDArray[np.bool_], sine: Array) -> Motion:
    weights, spread = picture_habits(), picture_spread()
    deg, sigma_deg = motion.angles.deg.copy(), motion.angles.sigma_deg.copy()
    for side in SIDES:
        terms = habit_terms(motion, side)
        near = sine > 0.0 if side == "left" else sine < 0.0
        for angle in SAGITTAL:
            name = f"{side}_{angle}"
            if name not in motion.angles.names:
                continue
            column = motion.angles.names.index(name)
            more = np.where(near, terms @ weights["near", angle], terms @ weights["far", angle])
            good = beside & np.isfinite(more)
            deg[good, column] += more[good]
            # Joints' errors go together more than their sigmas can say: how much is measured.
            wider = np.where(near, spread.get(("near", angle), 1.0), spread.get(("far", angle), 1.0))
            sigma_deg[good, column] *= wider[good]
    return replace(motion, angles=Angles(motion.angles.names, deg, sigma_deg))


def _angles(track: KeypointTrack, ahead: Array) -> dict[str, tuple[Array, Array]]:
    def point(name: str) -> Array:
        """Ahead, up (both in pixels) and variance of a joint, (F, 3)."""
        index = track.layout.index(name)
        xy = np.where(track.valid[:, index, None], track.xy_px[:, index], np.nan).astype(np.float64)
        return np.stack([xy[:, 0] * ahead, -xy[:, 1], track.sigma_px[:, index].astype(np.float64) ** 2], axis=1)

    def middle(a: str, b: str) -> Array:
        both = 0.5 * (point(a) + point(b))
        both[:, 2] *= 0.5  # Variance of a mean of two.
        return both

    trunk = _line(middle("left_hip", "right_hip"), middle("left_shoulder", "right_shoulder"))
    out = {}
    for side in SIDES:
        hip, knee, ankle = point(f"{side}_hip"), point(f"{side}_knee"), point(f"{side}_ankle")
        thigh, shank = _line(hip, knee), _line(knee, ankle)
        # Of a body facing to the right, angles grow counter-clockwise: a thigh forward has turned that way.
        out[f"{side}_hip_flexion"] = _between(trunk, thigh, 180.0)
        out[f"{side}_knee_flexion"] = _between(shank, thigh, 0.0)
        if set(_FEET) <= set(track.layout.joints):
            foot = _line(point(f"{side}_heel"), point(f"{side}_foot_index"))
            out[f"{side}_ankle_dorsiflexion"] = _between(shank, foot, 90.0)
    return out


def _line(start: Array, end: Array) -> tuple[Array, Array]:
    """Direction in degrees, counter-clockwise from ahead, and its variance."""
    d = end[:, :2] - start[:, :2]
    length = np.maximum(np.linalg.norm(d, axis=1), 1e-6)
    return np.degrees(np.arctan2(d[:, 1], d[:, 0])), np.degrees(np.sqrt(start[:, 2] + end[:, 2]) / length) ** 2


def _between(base: tuple[Array, Array], other: tuple[Array, Array], rest_deg: float) -> tuple[Array, Array]:
    """Turn from one direction to another less what it is at rest, in [-180, 180), and its sigma."""
    turn = (other[0] - base[0] - rest_deg + 180.0) % 360.0 - 180.0
    return turn, np.sqrt(base[1] + other[1])
