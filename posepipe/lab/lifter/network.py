"""HopFIR-style lifter: hop-wise attention over the skeleton, then refinement inside each limb. Torch; training only.

Rebuilt from the abstract of HopFIR (Zhai et al., ICCV 2023), whose code and body text aren't public, so "HopFIR-style":

- HGF, hop-wise GraphFormer: the channels are split into K+1 hop groups. Queries, keys and values of group k are
  averaged over each joint's neighbours at exactly k bones, then joints attend to each other within the group. The
  averaged values also pass beside the attention (graph convolution and attention in parallel).
- IJR, intra-group joint refinement: the joints of one limb, flattened, go through a small bottleneck network.

`UnrolledRefiner` is the test-time optimisation of a trained lifter's input as one graph.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from posepipe.body.steady import BONES, FEET, KNEE_BONES, MAX_FLEXION_COS, MIRRORED_BONES, STRETCHED_KNEE
from posepipe.errors import UsageError
from posepipe.skeleton import BODY21

__all__ = [
    "FEATURES", "GROUPS", "Clip", "HopFIR", "JointFeatures", "NetworkConfig", "PoseHead", "UnrolledRefiner",
    "hop_matrices",
]  # fmt: skip

FEATURES = 6
"""Channels per joint of the input; `posepipe.body.lift.encode` makes them."""

GROUPS: tuple[tuple[str, ...], ...] = (
    ("right_hip", "right_knee", "right_ankle", "right_heel", "right_foot_index"),
    ("left_hip", "left_knee", "left_ankle", "left_heel", "left_foot_index"),
    ("pelvis", "spine", "thorax", "nose", "head"),
    ("left_shoulder", "left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow", "right_wrist"),
)
"""Limbs of IJR. Inside the network the joints lie in this order, so that a limb is a slice."""

_PERIPHERAL = frozenset(
    f"{side}_{joint}" for side in ("left", "right") for joint in ("ankle", "heel", "foot_index", "wrist")
) | {"head"}
_START_ERROR_M = 0.08
# Squares get this added before a root; smaller constants are dropped by the ONNX exporter's optimiser.
_EPS = 1e-6
_BETA1, _BETA2 = 0.9, 0.999
_NEAR_M = 0.3
# Adam makes full steps however flat the slope. In units of the latent's standard deviation a slope far below one means
# that the keypoint hardly matters, and then it should hardly move.
_ENOUGH = 1.0


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Shape of the network.

    Attributes:
        dim: channels per joint.
        blocks: number of (HGF, IJR) pairs.
        hops: K; hop groups 0..K.
        heads: attention heads per hop group.
        grouping: average over hop neighbours; False makes every group plain self-attention.
        variant: "A", joints attend to joints within a hop; "B", the hops of one joint attend to each other.
        ijr: "full", "peripheral" (only limb ends are updated) or "none".
        ijr_hidden: width of IJR's bottleneck.
        ffn: widening of the feed-forward part.
        dropout: in attention output, FFN and IJR.
    """

    dim: int = 128
    blocks: int = 3
    hops: int = 3
    heads: int = 1
    grouping: bool = True
    variant: str = "A"
    ijr: str = "full"
    ijr_hidden: int = 112
    ffn: float = 2.0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.variant not in ("A", "B"):
            raise UsageError(f"variant {self.variant!r}", hint="Valid: A, B")
        if self.ijr not in ("full", "peripheral", "none"):
            raise UsageError(f"ijr {self.ijr!r}", hint="Valid: full, peripheral, none")


def _order() -> list[int]:
    return [BODY21.index(joint) for group in GROUPS for joint in group]


def hop_matrices(hops: int) -> NDArray[np.float32]:
    """Exact-hop adjacency of BODY21, rows summing to one.

    Args:
        hops: K.

    Returns:
        (K+1, 21, 21); entry k, i, j is nonzero if i and j are k bones apart. A joint without a neighbour at k keeps
        itself, so that its group isn't empty.
    """
    count = len(BODY21)
    adjacency = np.zeros((count, count), dtype=bool)
    for a, b in BODY21.edge_indices:
        adjacency[a, b] = adjacency[b, a] = True
    distance = np.where(np.eye(count, dtype=bool), 0, count)
    reach = np.eye(count, dtype=bool)
    for hop in range(1, count):
        reach = (reach.astype(int) @ adjacency.astype(int)) > 0
        distance = np.where(reach & (distance == count), hop, distance)
    out = np.zeros((hops + 1, count, count), dtype=np.float32)
    for hop in range(hops + 1):
        out[hop] = distance == hop
        out[hop][~out[hop].any(axis=1)] = np.eye(count)[~out[hop].any(axis=1)]
        out[hop] /= out[hop].sum(axis=1, keepdims=True)
    return out


class JointFeatures(nn.Module):
    """The input and, beside it, the 2D bone that ends at each joint: vector and length. Shared by all lifters here.

    Foreshortening is read off small differences of positions; given as such they keep their digits in low precision.
    """

    width = FEATURES + 3
    parent: Tensor

    def __init__(self) -> None:
        super().__init__()
        parent = np.arange(len(BODY21))
        for a, b in BODY21.edge_indices[::-1]:
            parent[b] = a
        self.register_buffer("parent", torch.from_numpy(parent), persistent=False)

    def forward(self, keypoints: Tensor) -> Tensor:
        """(B, 21, 6) to (B, 21, 9)."""
        above = keypoints[:, self.parent]
        both = keypoints[..., 3:4] * above[..., 3:4]
        bone = 2.0 * both * (keypoints[..., :2] - above[..., :2])
        length = torch.sqrt((bone**2).sum(-1, keepdim=True) + 1e-6)
        return torch.cat([keypoints, bone, length], dim=-1)


class HopAttention(nn.Module):
    """HGF's attention: hop-averaged queries, keys and values, attention between joints (A) or between hops (B)."""

    mask: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        groups = config.hops + 1
        self.groups, self.heads, self.variant = groups, config.heads, config.variant
        self.width = config.dim // (groups * config.heads)
        inner = self.width * groups * config.heads
        self.qkv = nn.Linear(config.dim, 3 * inner)
        self.out = nn.Linear(inner, config.dim)
        self.beside = nn.Parameter(torch.zeros(groups, 1, 1))
        order = _order()
        hop = torch.from_numpy(hop_matrices(config.hops)[:, order][:, :, order].copy()).contiguous()
        self.hop: nn.Parameter | None = nn.Parameter(hop) if config.grouping else None
        self.register_buffer("mask", (hop > 0).float())

    def forward(self, x: Tensor) -> Tensor:
        """(B, J, D) to the same."""
        batch, joints, _ = x.shape
        groups, heads, width = self.groups, self.heads, self.width
        qkv = self.qkv(x).view(batch, joints, groups, heads * 3 * width).transpose(1, 2)
        if self.hop is not None:
            qkv = (self.hop * self.mask).to(qkv.dtype) @ qkv
        if heads > 1:
            qkv = qkv.view(batch, groups, joints, heads, 3 * width).transpose(2, 3)
        q, k, v = torch.split(qkv, width, dim=-1)
        if self.variant == "B":
            q, k, v = (part.reshape(batch, groups, -1, width).transpose(1, 2) for part in (q, k, v))
        weights = torch.matmul(q, k.transpose(-1, -2)).float() * width**-0.5
        y = torch.matmul(weights.softmax(-1).to(v.dtype), v)
        if self.variant == "B":
            y = y.transpose(1, 2).reshape(batch, groups, joints, heads * width)
            v = v.transpose(1, 2).reshape(batch, groups, joints, heads * width)
        elif heads > 1:
            y = y.transpose(2, 3).reshape(batch, groups, joints, heads * width)
            v = v.transpose(2, 3).reshape(batch, groups, joints, heads * width)
        y = y + self.beside.to(v.dtype) * v
        return self.out(y.transpose(1, 2).reshape(batch, joints, groups * heads * width))  # type: ignore[no-any-return]


class Refine(nn.Module):
    """IJR: every limb, flattened, through its own bottleneck."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.sizes = [len(group) for group in GROUPS]
        self.down = nn.ModuleList(nn.Linear(size * config.dim, config.ijr_hidden) for size in self.sizes)
        ends = [[joint in _PERIPHERAL for joint in group] for group in GROUPS]
        self.peripheral = config.ijr == "peripheral"
        outputs = [sum(end) if self.peripheral else len(end) for end in ends]
        self.up = nn.ModuleList(nn.Linear(config.ijr_hidden, n * config.dim) for n in outputs)
        # Peripheral joints are the last of each limb, by the order in GROUPS.
        self.outputs = outputs
        self.act = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, J, D) to the same."""
        batch, _, dim = x.shape
        parts = []
        for limb, down, up, count in zip(
            torch.split(x, self.sizes, dim=1), self.down, self.up, self.outputs, strict=True
        ):
            part = up(self.act(down(limb.reshape(batch, -1)))).view(batch, count, dim)
            if self.peripheral:
                part = nn.functional.pad(part, (0, 0, limb.shape[1] - count, 0))
            parts.append(part)
        return torch.cat(parts, dim=1)


class Block(nn.Module):
    """HGF, then IJR; both pre-norm with residuals."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        dim, hidden = config.dim, int(config.dim * config.ffn)
        self.norm1, self.attention = nn.LayerNorm(dim), HopAttention(config)
        self.norm2 = nn.LayerNorm(dim)
        self.ffn = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))
        self.refine: Refine | None = None
        if config.ijr != "none":
            self.norm3, self.refine = nn.LayerNorm(dim), Refine(config)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, J, D) to the same."""
        x = x + self.drop(self.attention(self.norm1(x)))
        x = x + self.drop(self.ffn(self.norm2(x)))
        if self.refine is not None:
            x = x + self.drop(self.refine(self.norm3(x)))
        return x


class PoseHead(nn.Module):
    """Five raw numbers per joint to a pose and a log scale; shared by all lifters compared here.

    The first three are an offset in metres, the fourth says how many metres one unit of the normalised ray is worth at
    this joint (so exact 2D passes around the network), the fifth is the log of the expected error in metres.
    Thorax and spine follow from hips and shoulders, and the middle of the hips is the origin.
    """

    derive: Tensor

    def __init__(self) -> None:
        super().__init__()
        joints = len(BODY21)
        derive = np.eye(joints, dtype=np.float32)
        index = BODY21.index
        for name, parents in (
            ("pelvis", ("left_hip", "right_hip")),
            ("thorax", ("left_shoulder", "right_shoulder")),
            ("spine", ("left_hip", "right_hip", "left_shoulder", "right_shoulder")),
        ):
            derive[index(name)] = 0.0
            derive[index(name), [index(parent) for parent in parents]] = 1.0 / len(parents)
        derive = derive - derive[index("pelvis")]
        self.register_buffer("derive", torch.from_numpy(derive), persistent=False)

    def forward(self, raw: Tensor, keypoints: Tensor) -> tuple[Tensor, Tensor]:
        """Raw (B, 21, 5) and the network's input (B, 21, 6) to pose (B, 21, 3) and log scale (B, 21)."""
        raw = raw.float()
        flat = keypoints[..., :2] * (0.5 + raw[..., 3:4])
        xyz = raw[..., :3] + nn.functional.pad(flat, (0, 1))
        return torch.matmul(self.derive, xyz), raw[..., 4] + math.log(_START_ERROR_M)


class HopFIR(nn.Module):
    """The lifter."""

    order: Tensor
    inverse: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        order = _order()
        self.config = config
        self.register_buffer("order", torch.tensor(order), persistent=False)
        self.register_buffer("inverse", torch.tensor(np.argsort(order)), persistent=False)
        self.features = JointFeatures()
        self.embed = nn.Linear(JointFeatures.width, config.dim)
        self.joint = nn.Parameter(torch.randn(len(order), config.dim) * 0.02)
        blocks = [Block(config) for _ in range(config.blocks)]
        _small_outputs(blocks)
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(config.dim)
        self.head = nn.Linear(config.dim, 5)
        self.pose = PoseHead()
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, keypoints: Tensor) -> tuple[Tensor, Tensor]:
        """Encoded keypoints (B, 21, 6) to pose (B, 21, 3) in metres and log expected error (B, 21)."""
        with torch.autocast("cpu", enabled=False):
            x = self.embed(self.features(keypoints)[:, self.order]) + self.joint
        for block in self.blocks:
            x = block(x)
        raw = self.head(self.norm(x.float()))
        return self.pose(raw[:, self.inverse], keypoints)  # type: ignore[no-any-return]


def _small_outputs(blocks: Sequence[Block]) -> None:
    """Shrink each residual branch's last layer, so that depth doesn't blow up the start."""
    lasts = ("attention.out.weight", "ffn.2.weight", "refine.up.")
    with torch.no_grad():
        for block in blocks:
            for name, parameter in block.named_parameters():
                if name.startswith(lasts) and name.endswith("weight"):
                    parameter.mul_(1.0 / math.sqrt(2.0 * len(blocks)))


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
