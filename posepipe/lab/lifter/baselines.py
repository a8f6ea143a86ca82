"""Lifters to compare HopFIR with, on the same input, head and loss. Torch; training only."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from posepipe.errors import UsageError
from posepipe.lab.lifter.network import JointFeatures, PoseHead, hop_matrices
from posepipe.skeleton import BODY21

__all__ = ["BaselineConfig", "build_baseline"]

_JOINTS = len(BODY21)


@dataclass(frozen=True, slots=True)
class BaselineConfig:
    """Shape of a baseline.

    Attributes:
        dim: channels per joint, or of the whole pose in the MLP.
        blocks: number of blocks.
        heads: attention heads.
        ffn: widening of the transformer's feed-forward part.
        dropout: everywhere the originals have it.
    """

    dim: int = 640
    blocks: int = 2
    heads: int = 4
    ffn: float = 2.0
    dropout: float = 0.0


class SimpleBaseline(nn.Module):
    """Martinez et al. 2017: a pose as one vector through residual blocks of two linear layers."""

    def __init__(self, config: BaselineConfig) -> None:
        super().__init__()

        def layer(inputs: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Linear(inputs, config.dim), nn.BatchNorm1d(config.dim), nn.ReLU(), nn.Dropout(config.dropout)
            )

        self.features = JointFeatures()
        self.first = layer(_JOINTS * JointFeatures.width)
        self.blocks = nn.ModuleList(nn.Sequential(layer(config.dim), layer(config.dim)) for _ in range(config.blocks))
        self.head = nn.Linear(config.dim, _JOINTS * 5)
        self.pose = PoseHead()
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, keypoints: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 21, 6) to pose (B, 21, 3) and log expected error (B, 21)."""
        x = self.first(self.features(keypoints).flatten(1))
        for block in self.blocks:
            x = x + block(x)
        return self.pose(self.head(x.float()).view(-1, _JOINTS, 5), keypoints)  # type: ignore[no-any-return]


class _Attention(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads, self.width = heads, dim // heads
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        batch, joints, dim = x.shape
        qkv = self.qkv(x).view(batch, joints, self.heads, 3 * self.width).transpose(1, 2)
        q, k, v = qkv.split(self.width, dim=-1)
        weights = torch.matmul(q, k.transpose(-1, -2)).float() * self.width**-0.5
        y = torch.matmul(weights.softmax(-1).to(v.dtype), v)
        return self.out(y.transpose(1, 2).reshape(batch, joints, dim))  # type: ignore[no-any-return]


class _GraphConv(nn.Module):
    """Chebyshev-like: one weight per hop 0..2 over a learned adjacency that starts as the skeleton."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.hops = nn.Parameter(torch.from_numpy(hop_matrices(2)))
        self.mix = nn.Linear(3 * inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        hops = self.hops.to(x.dtype)
        return self.mix(torch.cat([hop @ x for hop in hops], dim=-1))  # type: ignore[no-any-return]


class _Block(nn.Module):
    def __init__(self, config: BaselineConfig, graph: bool) -> None:
        super().__init__()
        dim, hidden = config.dim, int(config.dim * config.ffn)
        self.norm1, self.attention = nn.LayerNorm(dim), _Attention(dim, config.heads)
        self.norm2 = nn.LayerNorm(dim)
        self.second = (
            nn.Sequential(_GraphConv(dim, dim), nn.ReLU(), _GraphConv(dim, dim))
            if graph
            else nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))
        )
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop(self.attention(self.norm1(x)))
        return x + self.drop(self.second(self.norm2(x)))  # type: ignore[no-any-return]


class JointTransformer(nn.Module):
    """A plain transformer over joints, or GraFormer-style (Zhao et al. 2022) with graph convolutions instead of FFN."""

    def __init__(self, config: BaselineConfig, graph: bool) -> None:
        super().__init__()
        self.features = JointFeatures()
        self.embed = nn.Linear(JointFeatures.width, config.dim)
        self.joint = nn.Parameter(torch.randn(_JOINTS, config.dim) * 0.02)
        self.blocks = nn.ModuleList(_Block(config, graph) for _ in range(config.blocks))
        self.norm, self.head = nn.LayerNorm(config.dim), nn.Linear(config.dim, 5)
        self.pose = PoseHead()
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, keypoints: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 21, 6) to pose (B, 21, 3) and log expected error (B, 21)."""
        with torch.autocast("cpu", enabled=False):
            x = self.embed(self.features(keypoints)) + self.joint
        for block in self.blocks:
            x = block(x)
        return self.pose(self.head(self.norm(x.float())), keypoints)  # type: ignore[no-any-return]


BASELINES = ("mlp", "graformer", "transformer")


def build_baseline(name: str, config: BaselineConfig) -> nn.Module:
    """A baseline by name.

    Raises:
        UsageError: unknown name.
    """
    if name == "mlp":
        return SimpleBaseline(config)
    if name in ("graformer", "transformer"):
        return JointTransformer(config, graph=name == "graformer")
    raise UsageError(f"no lifter {name!r}", hint=f"Valid: hopfir, {', '.join(BASELINES)}")
