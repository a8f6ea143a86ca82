"""HopFIR-style lifter: hop-wise attention over the skeleton, then refinement inside each limb. Torch; training only.

Rebuilt from the abstract of HopFIR (Zhai et al., ICCV 2023), whose code and body text aren't public, so "HopFIR-style":

- HGF, hop-wise GraphFormer: the channels are split into K+1 hop groups. Queries, keys and values of group k are
  averaged over each joint's neighbours at exactly k bones, then joints attend to each other within the group. The
  averaged values also pass beside the attention (graph convolution and attention in parallel).
- IJR, intra-group joint refinement: the joints of one limb, flattened, go through a small bottleneck network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from posepipe.errors import UsageError
from posepipe.skeleton import BODY21

__all__ = ["FEATURES", "GROUPS", "HopFIR", "JointFeatures", "NetworkConfig", "PoseHead", "hop_matrices"]

FEATURES = 6
"""Channels per joint of the input; `posepipe.lifting.inputs.encode` makes them."""

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
