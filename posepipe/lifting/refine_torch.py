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

from posepipe.lifting.limits import BONES, KNEES, MAX_FLEXION_COS, MIRRORED_BONES, STRETCHED_KNEE
from posepipe.skeleton import BODY21

__all__ = ["INPUTS", "OUTPUTS", "Clip", "UnrolledRefiner", "closed_form_root", "objective"]

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


def _unit(x: Tensor) -> Tensor:
    return x / torch.sqrt((x * x).sum(-1, keepdim=True) + _EPS)


def _relu_square(x: Tensor) -> Tensor:
    return torch.clamp(x, min=0.0) ** 2


def _limits(xyz: Tensor) -> Tensor:
    """Squares of how far knees and elbows are beyond what they can do, (B, ...), about 1 at 6 degrees."""
    first, second = torch.from_numpy(BONES[[0, 2, 4, 6]]), torch.from_numpy(BONES[[1, 3, 5, 7]])
    upper = _unit(xyz[:, first[:, 1]] - xyz[:, first[:, 0]])
    lower = _unit(xyz[:, second[:, 1]] - xyz[:, second[:, 0]])
    bent = _relu_square(MAX_FLEXION_COS - (upper * lower).sum(-1)).sum(1)
    hip, knee, ankle, heel, toe = (xyz[:, torch.from_numpy(column)] for column in KNEES.T)
    thigh, shank, forward = _unit(knee - hip), _unit(ankle - knee), _unit(toe - heel)
    across = shank - (thigh * shank).sum(-1, keepdim=True) * thigh
    stretched = _relu_square((across * forward).sum(-1) - STRETCHED_KNEE).sum(1)
    return 100.0 * (bent + stretched)


def _acceleration(xyz: Tensor, clip: Clip) -> Tensor:
    """Squared accelerations in standard deviations, (B, 21), of root-relative joints in the camera frame."""
    still = torch.matmul(xyz, clip.rotation)
    before = torch.cat([still[:1], still[:-1]])
    after = torch.cat([still[1:], still[-1:]])
    factor = clip.accel.unsqueeze(-1).unsqueeze(-1)
    value = factor[:, 0] * before + factor[:, 1] * still + factor[:, 2] * after
    return (value * value).sum(-1)


def objective(xyz: Tensor, clip: Clip) -> Tensor:
    """What the steps lower: the sum over frames of the weighted terms of `Clip.gain`."""
    reprojection = _charbonnier((_reprojection(xyz, clip) ** 2).sum(-1)).sum()
    moved = (((xyz - clip.anchor_m) * clip.joint_weight.unsqueeze(-1)) ** 2).sum(-1)
    anchor = _charbonnier(moved).sum()
    bone = xyz[:, torch.from_numpy(BONES[:, 0])] - xyz[:, torch.from_numpy(BONES[:, 1])]
    length = torch.sqrt((bone * bone).sum(-1) + _EPS)
    bones = _charbonnier(((length - clip.bone_m) * clip.bone_weight) ** 2).sum()
    left, right = torch.from_numpy(MIRRORED_BONES[:, 0]), torch.from_numpy(MIRRORED_BONES[:, 1])
    both = 0.5 * (clip.bone_weight[:, left] + clip.bone_weight[:, right])
    symmetry = _charbonnier(((length[:, left] - length[:, right]) * both) ** 2).sum()
    acceleration = _charbonnier(_acceleration(xyz, clip)).sum()
    terms = torch.stack([reprojection, anchor, bones, symmetry, acceleration, _limits(xyz).sum()])
    return (clip.gain * terms).sum()


class UnrolledRefiner(nn.Module):
    """A fixed number of Adam steps on the latent.

    Args:
        network: the lifter, frozen.
        steps: number of steps.
    """

    def __init__(self, network: nn.Module, steps: int) -> None:
        super().__init__()
        self.network = network
        self.steps = steps

    def forward(self, keypoints: Tensor, move: Tensor, clip: Clip) -> tuple[Tensor, Tensor]:
        """Run the steps.

        Args:
            keypoints: (B, 21, 6) the network's input; B consecutive frames.
            move: (B, 21, 1) length of one step in units of the latent; 0 holds a joint.
            clip: what is known.

        Returns:
            Poses (steps + 1, B, 21, 3) and log scales (steps + 1, B, 21) from the untouched input to the last step.
        """
        latent, rest = keypoints[..., :2], keypoints[..., 2:]
        first, second = torch.zeros_like(latent), torch.zeros_like(latent)

        def loss(z: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
            xyz, log_scale = self.network(torch.cat([z, rest], dim=-1))
            return objective(xyz, clip), (xyz, log_scale)

        poses, scales = [], []
        for step in range(1, self.steps + 1):
            slope, (xyz, log_scale) = torch.func.grad(loss, has_aux=True)(latent)
            poses.append(xyz)
            scales.append(log_scale)
            first = _BETA1 * first + (1.0 - _BETA1) * slope
            second = _BETA2 * second + (1.0 - _BETA2) * slope * slope
            speed = torch.sqrt(second / (1.0 - _BETA2**step) + _EPS)
            latent = latent - move * (first / (1.0 - _BETA1**step)) / speed
        xyz, log_scale = self.network(torch.cat([latent, rest], dim=-1))
        return torch.stack([*poses, xyz]), torch.stack([*scales, log_scale])
