"""Uncertainty-aware test-time optimisation of a clip's 3D poses. Torch; for export and for the parity test.

After UAO (Wang et al., arXiv 2402.02339): the network stays as it is, its 2D input is the latent, and a few Adam steps
move the latent so that the pose it gives fits what is known about it. `posepipe.lifting.refine` prepares the inputs and
judges the outputs; the steps themselves are this module, unrolled, with the gradient as part of the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from posepipe.lifting.limits import BONES, HINGES
from posepipe.skeleton import BODY21

__all__ = ["INPUTS", "OUTPUTS", "Clip", "UnrolledRefiner", "example_inputs", "objective"]

INPUTS = (
    "keypoints",
    "move",
    "rotation",
    "scale",
    "ray_weight",
    "anchor_m",
    "joint_weight",
    "bone_m",
    "bone_weight",
    "accel",
    "root",
    "gain",
)
OUTPUTS = ("xyz_m", "log_scale")

# Squares get this added before a root; smaller constants are dropped by the ONNX exporter's optimiser.
_EPS = 1e-6
_BETA1, _BETA2 = 0.9, 0.999
_NEAR_M = 0.3

Network = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """What is known about B consecutive frames, in the network's frame unless noted.

    Attributes:
        rotation: (B, 3, 3) camera frame to the network's frame.
        scale: (B, 1) ray units to one unit of the latent.
        rays: (B, 21, 2) detected rays.
        ray_weight: (B, 21) one over their standard deviation; 0 where there is no keypoint.
        anchor_m: (B, 21, 3) first estimate.
        joint_weight: (B, 21) one over its standard deviation in metres.
        bone_m: (B, E) lengths of `BONES`; bone_weight: (B, E) one over what they may differ by.
        accel: (B, 3) factors of the poses before, at and after a frame that give its acceleration over its standard
            deviation; 0 where a neighbour is missing.
        root: (B, 4) true pelvis and 1, or zeros to estimate it.
        gain: (6,) weights of reprojection, anchor, bones, symmetry, acceleration, joint limits.
    """

    rotation: Tensor
    scale: Tensor
    rays: Tensor
    ray_weight: Tensor
    anchor_m: Tensor
    joint_weight: Tensor
    bone_m: Tensor
    bone_weight: Tensor
    accel: Tensor
    root: Tensor
    gain: Tensor


def closed_form_root(xyz: Tensor, clip: Clip) -> Tensor:
    """Pelvis (B, 3) by weighted least squares on ``Tx - x Tz = x Z - X`` and the same for y; see `root.estimate_root`."""
    right = clip.rays * xyz[..., 2:] - xyz[..., :2]
    weight = (clip.ray_weight > 0).to(xyz.dtype) * clip.joint_weight**2
    weight = weight.unsqueeze(-1)
    total = weight.sum((1, 2), keepdim=True)[..., 0] + _EPS
    cross = -(weight * clip.rays).sum(1)
    square = (weight * clip.rays**2).sum((1, 2), keepdim=True)[..., 0]
    flat = (weight * right).sum(1)
    deep = -(weight * clip.rays * right).sum((1, 2), keepdim=True)[..., 0]
    depth = (deep - (cross * flat).sum(1, keepdim=True) / total) / (
        square - (cross * cross).sum(1, keepdim=True) / total + _EPS
    )
    return torch.cat([(flat - cross * depth) / total, depth], dim=1)


def _charbonnier(square: Tensor) -> Tensor:
    """Robust loss of squared residuals: quadratic near zero, linear far out."""
    return 2.0 * (torch.sqrt(1.0 + square) - 1.0)


def _reprojection(xyz: Tensor, clip: Clip) -> Tensor:
    """Residuals in standard deviations, (B, 21, 2); the pelvis depth is held while the pose moves."""
    estimated = closed_form_root(xyz.detach(), clip)
    known = clip.root[:, 3:]
    root = known * clip.root[:, :3] + (1.0 - known) * estimated
    point = xyz + root.unsqueeze(1)
    projected = point[..., :2] / torch.clamp(point[..., 2:], min=_NEAR_M)
    return (projected - clip.rays) * clip.ray_weight.unsqueeze(-1)
