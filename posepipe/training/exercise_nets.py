"""Networks that name a movement from a window of features: the paper's BiLSTM, and a graph network in part streams.

The BiLSTM follows Riccio 2024 (arXiv 2411.11548): two bidirectional layers over 30 samples. The part network follows
the idea of PSUMNet (Trivedi and Sarvadevabhatla 2022, arXiv 2208.05775): body, arms and legs each in a stream of its
own, with joints, bones and their velocities unified in one input; blocks, sizes and code are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from posepipe.errors import UsageError
from posepipe.exercise.features import COLUMNS, FEATURES, JOINTS, SAMPLES, WINDOW_S
from posepipe.exercise.labels import LABELS

__all__ = ["BiLSTM", "NetConfig", "PartNet", "WithProbability", "build_net"]

_RATE_HZ = (SAMPLES - 1) / WINDOW_S


@dataclass(frozen=True, slots=True)
class NetConfig:
    """Shape of a network.

    Attributes:
        kind: "bilstm", "parts", or "paper22": the BiLSTM on the paper's 22 features alone.
        hidden: units per direction of the BiLSTM.
        width: channels of the part network.
        blocks: blocks of each of its streams.
        waves: cosine waves it keeps of a window.
        dropout: before the last layer, and between the BiLSTM's two.
    """

    kind: str = "bilstm"
    hidden: int = 48
    width: int = 48
    blocks: int = 2
    waves: int = 10
    dropout: float = 0.3


def _velocity(x: Tensor) -> Tensor:
    """Change per second along time (B, T, ...), the last repeated, in units of order one."""
    step = (x[:, 1:] - x[:, :-1]) * _RATE_HZ * 0.2
    return torch.cat([step, step[:, -1:]], dim=1)


class BiLSTM(nn.Module):
    """Two bidirectional LSTM layers over standardised features and the joints' velocities.

    Args:
        hidden: units per direction.
        dropout: between the layers and before the last.
        columns: of the input to use; all if None, then with velocities.
        labels: number of outputs.
    """

    def __init__(
        self, hidden: int = 48, dropout: float = 0.3, columns: slice | None = None, labels: int = len(LABELS)
    ) -> None:
        super().__init__()
        self.columns = columns
        size = len(range(*columns.indices(len(FEATURES)))) if columns else len(FEATURES) + 42
        self.mean = nn.Parameter(torch.zeros(len(FEATURES)), requires_grad=False)
        self.std = nn.Parameter(torch.ones(len(FEATURES)), requires_grad=False)
        self.first = nn.LSTM(size, hidden, batch_first=True, bidirectional=True)
        self.second = nn.LSTM(2 * hidden, hidden, batch_first=True, bidirectional=True)
        self.drop = nn.Dropout(dropout)
        self.last = nn.Linear(4 * hidden, labels)

    def forward(self, x: Tensor) -> Tensor:
        """Windows (B, 30, 82) to logits (B, L)."""
        z = (x - self.mean) / self.std
        z = z[..., self.columns] if self.columns else torch.cat([z, _velocity(x[..., COLUMNS["joints"]])], dim=-1)
        h, _ = self.first(z)
        h, _ = self.second(self.drop(h))
        pooled = torch.cat([h.mean(dim=1), h.amax(dim=1)], dim=-1)
        return self.last(self.drop(pooled))  # type: ignore[no-any-return]


_PARENT = {
    "thorax": "pelvis", "head": "thorax",
    "left_shoulder": "thorax", "left_elbow": "left_shoulder", "left_wrist": "left_elbow",
    "right_shoulder": "thorax", "right_elbow": "right_shoulder", "right_wrist": "right_elbow",
    "left_hip": "pelvis", "left_knee": "left_hip", "left_ankle": "left_knee",
    "right_hip": "pelvis", "right_knee": "right_hip", "right_ankle": "right_knee",
}  # fmt: skip
NODES = (*JOINTS, "pelvis")
"""Joints, then the pelvis, whose coordinates are its way through the world."""
STREAMS = {
    "body": NODES,
    "arms": tuple(n for n in NODES if any(p in n for p in ("thorax", "head", "shoulder", "elbow", "wrist"))),
    "legs": tuple(n for n in NODES if any(p in n for p in ("pelvis", "hip", "knee", "ankle", "thorax"))),
}
CHANNELS = 13
"""Joint, bone and both velocities, three axes each, and trust."""


def adjacency(nodes: Sequence[str]) -> Tensor:
    """Self, towards the pelvis, away from it: (3, V, V), rows normalised; a missing parent is skipped over."""
    where = {name: i for i, name in enumerate(nodes)}
    out = torch.zeros(3, len(nodes), len(nodes))
    out[0] = torch.eye(len(nodes))
    for name, i in where.items():
        parent = _PARENT.get(name)
        while parent is not None and parent not in where:
            parent = _PARENT.get(parent)
        if parent is not None:
            out[1, i, where[parent]] = 1.0
            out[2, where[parent], i] = 1.0
    return out / out.sum(dim=-1, keepdim=True).clamp(min=1.0)


def cosines(samples: int, count: int) -> Tensor:
    """The first cosine waves over a window (count, samples): mean, slope, once there and back, and so on (DCT-II)."""
    time = (torch.arange(samples) + 0.5) / samples
    waves = torch.cos(torch.pi * torch.arange(count)[:, None] * time)
    return waves / samples * torch.where(torch.arange(count) == 0, 1.0, 2.0)[:, None]


class _Block(nn.Module):
    """Mix over joints with a learnt graph, then over channels; residual."""

    def __init__(self, nodes: Sequence[str], width: int) -> None:
        super().__init__()
        self.graph = nn.Parameter(adjacency(nodes).reshape(3 * len(nodes), len(nodes)))
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Linear(3 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, V, C) to the same."""
        b, v, c = x.shape
        mixed = torch.matmul(self.graph, self.norm(x)).reshape(b, 3, v, c)
        return x + torch.relu(self.mix(torch.cat([mixed[:, 0], mixed[:, 1], mixed[:, 2]], dim=-1)))


class _Stream(nn.Module):
    def __init__(self, nodes: Sequence[str], width: int, blocks: int, waves: int, labels: int, dropout: float) -> None:
        super().__init__()
        self.take = [NODES.index(n) for n in nodes]
        self.embed = nn.Linear(2 * waves * CHANNELS, width)
        self.place = nn.Parameter(0.02 * torch.randn(1, len(nodes), width))
        self.blocks = nn.ModuleList(_Block(nodes, width) for _ in range(blocks))
        self.drop = nn.Dropout(dropout)
        self.hidden = nn.Linear(width * len(nodes), 2 * width)
        self.last = nn.Linear(2 * width, labels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, V, 2 waves 13) of all nodes to logits (B, L)."""
        h = torch.relu(self.embed(x[:, self.take]) + self.place)
        for block in self.blocks:
            h = block(h)
        h = torch.relu(self.hidden(self.drop(h.flatten(1))))
        return self.last(self.drop(h))  # type: ignore[no-any-return]


class PartNet(nn.Module):
    """Body, arms and legs, each a small graph network; their logits are added.

    The window's time is taken apart into cosine waves first: each joint then carries the waves of its channels and
    their sizes, which don't depend on where in a repetition the window starts. That costs a tenth of convolutions
    over time.

    Args:
        width: channels.
        blocks: blocks of each stream.
        waves: cosine waves kept of the 30 samples.
        dropout: before each stream's last layers.
        labels: number of outputs.
    """

    def __init__(
        self, width: int = 48, blocks: int = 2, waves: int = 10, dropout: float = 0.3, labels: int = len(LABELS)
    ) -> None:
        super().__init__()
        self.waves = nn.Parameter(cosines(SAMPLES, waves), requires_grad=False)
        self.streams = nn.ModuleList(
            _Stream(nodes, width, blocks, waves, labels, dropout) for nodes in STREAMS.values()
        )
        self.parent = [NODES.index(_PARENT.get(name, "pelvis")) for name in NODES]

    def forward(self, x: Tensor) -> Tensor:
        """Windows (B, 30, 82) to logits (B, L)."""
        unified = self._unified(x)
        b, v, _, _ = unified.shape
        waves = torch.matmul(self.waves, unified)
        h = torch.cat([waves.reshape(b, v, -1), waves.abs().reshape(b, v, -1)], dim=-1)
        total: Tensor = self.streams[0](h) + self.streams[1](h) + self.streams[2](h)
        return total

    def _unified(self, x: Tensor) -> Tensor:
        """(B, V, T, 13) of all nodes; the pelvis carries its way through the world."""
        b, t, _ = x.shape
        joints = x[..., COLUMNS["joints"]].reshape(b, t, len(JOINTS), 3)
        pelvis, trust = x[..., COLUMNS["pelvis"]], x[..., COLUMNS["trust"]]
        origin = torch.zeros_like(joints[:, :, :1])
        at_root = torch.cat([joints, origin], dim=2)
        bone = at_root - at_root[:, :, self.parent]
        points = torch.cat([joints, pelvis[:, :, None, :3]], dim=2)
        known = torch.cat([trust, pelvis[..., 3:]], dim=-1)[..., None]
        parts = [points, bone, _velocity(points), _velocity(bone), known]
        return torch.cat(parts, dim=-1).transpose(1, 2)


class WithProbability(nn.Module):
    """A network with its calibrated softmax, as it ships."""

    def __init__(self, net: nn.Module, temperature: float) -> None:
        super().__init__()
        self.net = net
        self.temperature = temperature

    def forward(self, x: Tensor) -> Tensor:
        """Windows (B, 30, 82) to probabilities (B, L)."""
        return torch.softmax(self.net(x) / self.temperature, dim=-1)


def build_net(config: NetConfig, labels: int = len(LABELS)) -> nn.Module:
    """An untrained network.

    Raises:
        UsageError: no such kind.
    """
    if config.kind == "bilstm":
        return BiLSTM(config.hidden, config.dropout, None, labels)
    if config.kind == "paper22":
        return BiLSTM(config.hidden, config.dropout, slice(42, 64), labels)
    if config.kind == "parts":
        return PartNet(config.width, config.blocks, config.waves, config.dropout, labels)
    raise UsageError(f"no network {config.kind!r}", hint="Valid: bilstm, parts, paper22")
