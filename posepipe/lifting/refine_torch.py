"""Uncertainty-aware test-time optimisation of a clip's 3D poses. Torch; for export and for the parity test.

After UAO (Wang et al., arXiv 2402.02339): the network stays as it is, its 2D input is the latent, and a few Adam steps
move the latent so that the pose it gives fits what is known about it. `posepipe.lifting.refine` prepares the inputs and
judges the outputs; the steps themselves are this module, unrolled, with the gradient as part of the graph.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from posepipe.lifting.limits import BONES, FEET, KNEE_BONES, MAX_FLEXION_COS, MIRRORED_BONES, STRETCHED_KNEE

__all__ = ["Clip", "Objective", "UnrolledRefiner", "closed_form_root"]

# Squares get this added before a root; smaller constants are dropped by the ONNX exporter's optimiser.
_EPS = 1e-6
_BETA1, _BETA2 = 0.9, 0.999
_NEAR_M = 0.3
# Adam makes full steps however flat the slope. In units of the latent's standard deviation a slope far below one means
# that the keypoint hardly matters, and then it should hardly move.
_ENOUGH = 1.0


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
        rate: (1,) length of one step in standard deviations of the latent.
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
    rate: Tensor


def closed_form_root(xyz: Tensor, clip: Clip) -> Tensor:
    """Pelvis (B, 3) by weighted least squares on ``Tx - x Tz = x Z - X`` and the same for y."""
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


def _acceleration(xyz: Tensor, clip: Clip) -> Tensor:
    """Squared accelerations in standard deviations, (B, 21), of root-relative joints in the camera frame."""
    still = torch.matmul(xyz, clip.rotation)
    # The first and last frame get a wrong neighbour, and a factor of zero for it.
    before, after = torch.roll(still, 1, 0), torch.roll(still, -1, 0)
    factor = clip.accel.unsqueeze(-1).unsqueeze(-1)
    value = factor[:, 0] * before + factor[:, 1] * still + factor[:, 2] * after
    return (value * value).sum(-1)


class Objective(nn.Module):
    """What the steps lower: the sum over frames of the weighted terms of `Clip.gain`."""

    start: Tensor
    end: Tensor
    left: Tensor
    right: Tensor
    upper: Tensor
    lower: Tensor
    foot: Tensor

    def __init__(self) -> None:
        super().__init__()
        constants = {
            "start": BONES[:, 0],
            "end": BONES[:, 1],
            "left": MIRRORED_BONES[:, 0],
            "right": MIRRORED_BONES[:, 1],
            "upper": [0, 2, 4, 6],
            "lower": [1, 3, 5, 7],
            "foot": FEET.ravel(),
        }
        # Buffers, because the tracer turns constants made on the way into placeholders.
        for name, value in constants.items():
            self.register_buffer(name, torch.as_tensor(np.array(value)), persistent=False)

    def forward(self, xyz: Tensor, clip: Clip) -> Tensor:
        """Poses (B, 21, 3) in the network's frame to one number."""
        reprojection = _charbonnier((_reprojection(xyz, clip) ** 2).sum(-1)).sum()
        moved = (((xyz - clip.anchor_m) * clip.joint_weight.unsqueeze(-1)) ** 2).sum(-1)
        bone = xyz[:, self.end] - xyz[:, self.start]
        length = torch.sqrt((bone * bone).sum(-1) + _EPS)
        bones = _charbonnier(((length - clip.bone_m) * clip.bone_weight) ** 2).sum()
        difference = (length[:, self.left] - length[:, self.right]) * clip.bone_weight[:, self.left]
        acceleration = _charbonnier(_acceleration(xyz, clip)).sum()
        terms = (
            reprojection,
            _charbonnier(moved).sum(),
            bones,
            _charbonnier(difference**2).sum(),
            acceleration,
            self._limits(xyz, bone / length.unsqueeze(-1)),
        )
        return (clip.gain * torch.stack(terms)).sum()

    def _limits(self, xyz: Tensor, way: Tensor) -> Tensor:
        """How far knees and elbows are beyond what they can do; 1 is a joint 6 degrees too far."""
        upper, lower = way[:, self.upper], way[:, self.lower]
        cosine = (upper * lower).sum(-1, keepdim=True)
        foot = xyz[:, self.foot]
        forward = foot[:, 1::2] - foot[:, ::2]
        forward = forward / torch.sqrt((forward * forward).sum(-1, keepdim=True) + _EPS)
        across = lower[:, KNEE_BONES] - cosine[:, KNEE_BONES] * upper[:, KNEE_BONES]
        stretched = torch.clamp((across * forward).sum(-1) - STRETCHED_KNEE, min=0.0)
        bent = torch.clamp(MAX_FLEXION_COS - cosine, min=0.0)
        return 100.0 * ((stretched**2).sum() + (bent**2).sum())


class UnrolledRefiner(nn.Module):
    """A fixed number of Adam steps on the latent.

    Args:
        network: the lifter, frozen.
        steps: number of steps.
    """

    def __init__(self, network: nn.Module, steps: int) -> None:
        super().__init__()
        self.network = network
        self.objective = Objective()
        self.steps = steps

    def forward(self, keypoints: Tensor, spread: Tensor, clip: Clip) -> tuple[Tensor, Tensor]:
        """Run the steps.

        Args:
            keypoints: (B, 21, 6) the network's input; B consecutive frames.
            spread: (B, 21, 1) standard deviation of the latent; 0 holds a joint.
            clip: what is known.

        Returns:
            Poses (steps + 1, B, 21, 3) and log scales (steps + 1, B, 21) from the untouched input to the last step.
        """
        latent, rest = keypoints[..., :2], keypoints[..., 2:]
        first, second = torch.zeros_like(latent), torch.zeros_like(latent)

        def loss(z: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
            xyz, log_scale = self.network(torch.cat([z, rest], dim=-1))
            return self.objective(xyz, clip), (xyz, log_scale)

        poses, scales = [], []
        for step in range(1, self.steps + 1):
            slope, (xyz, log_scale) = torch.func.grad(loss, has_aux=True)(latent)
            poses.append(xyz)
            scales.append(log_scale)
            slope = slope * spread
            first = _BETA1 * first + (1.0 - _BETA1) * slope
            second = _BETA2 * second + (1.0 - _BETA2) * slope * slope
            speed = torch.sqrt(second / (1.0 - _BETA2**step) + _EPS) + _ENOUGH
            latent = latent - clip.rate * spread * (first / (1.0 - _BETA1**step)) / speed
        xyz, log_scale = self.network(torch.cat([latent, rest], dim=-1))
        return torch.stack([*poses, xyz]), torch.stack([*scales, log_scale])
