"""Smoothing, gaps, left/right repair, joint angles."""

from posepipe.motion.angles import ANGLES, AngleSpec, joint_angles
from posepipe.motion.facing import View, clip_view, facing, view_label
from posepipe.motion.gaps import fill_gaps
from posepipe.motion.smooth import OneEuro, smooth
from posepipe.motion.swaps import SwapGuard, repair_swaps

__all__ = [
    "ANGLES",
    "AngleSpec",
    "OneEuro",
    "SwapGuard",
    "View",
    "clip_view",
    "facing",
    "fill_gaps",
    "joint_angles",
    "repair_swaps",
    "smooth",
    "view_label",
]
