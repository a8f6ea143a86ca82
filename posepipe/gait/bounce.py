"""Walking or running, by when the body is highest.

Walkers vault over a straight leg: the hips are highest when one foot passes the other, at 30 and 80 % of the stride,
and lowest with both feet on the ground. Runners bounce: they are lowest over the standing leg and highest in the air
between (Cavagna, Heglund, Taylor 1977). That shows from every side, without seeing when feet leave the ground.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from posepipe.gait.direction import joint_m
from posepipe.gait.signals import picture_scale
from posepipe.gait.types import SIDES, Stride
from posepipe.geometry.missing import median_known
from posepipe.motion.clip import Motion

__all__ = ["is_running"]

Array = NDArray[np.float64]

_LEAST_LL = 0.02
"""Rise and fall below this, in leg lengths (some 17 mm up and down), tells nothing: shufflers hardly have any."""

_WALKER = 0.29
_MOST_OFF = 0.1
"""Shares of the stride: when a walker is highest after a heel strike, and how far from that still is a walk.

Of 35 rendered and filmed walks those that rise and fall enough lie between 0.26 and 0.31.
"""


def is_running(motion: Motion, strides: Sequence[Stride]) -> bool:
    """Whether the body bounces over these strides as in running; False where that can't be told."""
    height = _height_ll(motion)
    if height is None or not strides:
        return False
    phase = np.arange(60) / 60.0
    waves = []
    for stride in strides:
        wave = np.interp(stride.start_s + phase * stride.duration_s, motion.time_s, height)
        # A camera that tilts and a person who comes nearer move the hips slowly.
        wave = wave - np.polyval(np.polyfit(phase, wave, 2), phase)
        waves.append(2.0 * np.mean(wave * np.exp(-4j * np.pi * phase)))
    mean = complex(np.mean(waves))
    highest = -np.angle(mean) / (4.0 * np.pi)
    off = (highest - _WALKER + 0.25) % 0.5 - 0.25
    return bool(abs(mean) > _LEAST_LL and abs(off) > _MOST_OFF)


def _height_ll(motion: Motion) -> Array | None:
    """Height of the hips' middle in the picture (or the world) over time, in leg lengths; None where not known."""
    legs = [
        np.linalg.norm(joint_m(motion, f"{side}_{a}") - joint_m(motion, f"{side}_{b}"), axis=1)
        for side in SIDES
        for a, b in (("hip", "knee"), ("knee", "ankle"))
    ]
    if not all(np.isfinite(leg).any() for leg in legs):
        return None
    leg_m = 0.5 * sum(float(median_known(leg)) for leg in legs)
    track = motion.keypoints
    if track is None:
        height = motion.root_m.astype(np.float64) @ motion.up.astype(np.float64)
    elif {"left_hip", "right_hip"} <= set(track.layout.joints):
        hips = track.layout.indices("left_hip", "right_hip")
        height = -track.xy_px[:, hips, 1].astype(np.float64).mean(axis=1) / picture_scale(motion)
    else:
        return None
    known = np.isfinite(height)
    return np.interp(motion.time_s, motion.time_s[known], height[known]) / leg_m if known.sum() > 8 else None
