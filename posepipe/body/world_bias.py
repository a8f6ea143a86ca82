"""What the lifter has wrong about who stays on the spot all over the clip, as far as their mean pose tells it.

A lifter sees a frame at a time and answers with what is likeliest. Somebody who stays on the spot shows it much the
same pose from one side, so that its error hardly averages out. How it errs depends on the pose: linearly, by ridge
regression on made clips (`posepipe.lab.world_bias`).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posepipe.body.lift import OWN_JOINTS
from posepipe.body.world_joints import MEANS
from posepipe.skeleton import BODY21

__all__ = ["WEIGHTS", "Bias", "MeanPose", "mean_pose", "without_bias"]

Array = NDArray[np.float64]
Real = NDArray[np.floating]

WEIGHTS = Path(__file__).with_name("world_bias.npz")
"""Made by ``posepipe train world-bias``."""

_OWN = np.flatnonzero(OWN_JOINTS)
_LEG = np.array([BODY21.indices(f"{side}_hip", f"{side}_knee", f"{side}_ankle") for side in ("left", "right")])
_LEAST_FRAMES = 6
"""Fewer whole poses tell no mean."""


class Bias(NamedTuple):
    """Of bodies whose thigh and shank are one metre long: ``off + (pose - mean) @ turn``, joints and axes in a row.

    Attributes:
        mean: (54,) the mean pose learnt from.
        off: (54,) what the lifter has wrong about it.
        turn: (54, 54) and how that changes with the pose.
    """

    mean: Array
    off: Array
    turn: Array


class MeanPose(NamedTuple):
    """A clip's mean pose.

    Attributes:
        axes: (3, 3) rows across the line of sight, down, and along it, in the camera frame.
        place: (18, 3) the joints that aren't made of others in these axes, pelvis at 0, legs one metre long.
        leg_m: the length of thigh and shank.
    """

    axes: Array
    place: Array
    leg_m: float


def mean_pose(xyz_m: Real, root_m: Real) -> MeanPose | None:
    """The mean pose of (F, 21, 3) joints relative to the pelvis and its path (F, 3); None where too few are whole."""
    whole = np.isfinite(xyz_m).all(axis=(1, 2)) & np.isfinite(root_m).all(axis=1)
    if whole.sum() < _LEAST_FRAMES:
        return None
    sight = root_m[whole].mean(axis=0)
    sight = sight / max(float(np.linalg.norm(sight)), 1e-9)
    across = np.cross([0.0, 1.0, 0.0], sight)
    across /= max(float(np.linalg.norm(across)), 1e-9)
    axes = np.stack([across, np.cross(sight, across), sight])
    bone = np.linalg.norm(np.diff(xyz_m[whole][:, _LEG], axis=2), axis=-1)
    leg_m = max(float(np.median(bone.mean(axis=1), axis=0).sum()), 1e-3)
    return MeanPose(axes, xyz_m[whole][:, _OWN].mean(axis=0) @ axes.T / leg_m, leg_m)


def without_bias(xyz_m: Real, root_m: Real, share: float, bias: Bias | None = None) -> Real:
    """Poses without a share of what the lifter has wrong about them, all moved alike.

    Args:
        xyz_m: (F, 21, 3) metres, relative to the pelvis, camera frame; NaN where missing.
        root_m: (F, 3) the pelvis.
        share: how much of it, in [0, 1].
        bias: what is wrong; the shipped one if None.
    """
    pose = mean_pose(xyz_m, root_m)
    if pose is None or share <= 0.0:
        return xyz_m
    bias = _shipped() if bias is None else bias
    wrong = (bias.off + (pose.place.ravel() - bias.mean) @ bias.turn).reshape(-1, 3)
    out = xyz_m.copy()
    out[:, _OWN] -= share * pose.leg_m * wrong @ pose.axes
    for name, parents in MEANS.items():
        out[:, BODY21.index(name)] = out[:, BODY21.indices(*parents)].mean(axis=1)
    return np.asarray(out - out[:, [BODY21.index("pelvis")]])


@cache
def _shipped() -> Bias:
    with np.load(WEIGHTS) as kept:
        return Bias(*(kept[name].astype(np.float64) for name in Bias._fields))
