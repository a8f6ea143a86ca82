"""Networks that name a movement from a window of features, and the windows of a pool that they learn from.

The BiLSTM follows Riccio 2024 (arXiv 2411.11548): two bidirectional layers over 30 samples. The part network follows
the idea of PSUMNet (Trivedi and Sarvadevabhatla 2022, arXiv 2208.05775): body, arms and legs each in a stream of its
own, with joints, bones and their velocities unified in one input; blocks, sizes and code are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from posepipe.errors import UsageError
from posepipe.exercise.features import ANGLES, COLUMNS, DISTANCES, FEATURES, JOINTS, SAMPLES, WINDOW_S, mirror, windows
from posepipe.exercise.labels import LABELS, OTHER
from posepipe.lab.recogniser.pool import Pool
from posepipe.skeleton import BODY21

__all__ = ["BiLSTM", "Examples", "NetConfig", "WithProbability", "augment", "build_net", "cut_pool"]

FloatArray = NDArray[np.float32]

_RATE_HZ = (SAMPLES - 1) / WINDOW_S
_CAMERA_UP = np.array([0.0, -1.0, 0.0])
_INDEX = BODY21.indices(*JOINTS)


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

    kind: str = "parts"
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


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Windows with their answers.

    Attributes:
        x: (N, 30, 82) float16 features.
        target: (N, L) share of the window's time each label has.
        take: (N,) which take each is from.
        kind: (N,) of the take.
        beside: (N,) bool; `other` before or after the set of a synthetic exercise.
    """

    x: NDArray[np.float16]
    target: FloatArray
    take: NDArray[np.intp]
    kind: NDArray[np.str_]
    beside: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.x)


def cut_pool(
    pool: Pool, seed: int, *, stride_s: float = 0.4, passes: int = 1, vary: bool = True,
    speeds: tuple[float, float] = (0.7, 1.4),
) -> Examples:  # fmt: skip
    """Cut every take into windows, `passes` times, each at another speed.

    Args:
        pool: lifted takes.
        seed: of speeds and offsets.
        stride_s: time between windows.
        passes: how often each take is cut.
        vary: whether speed varies, and some takes are cut short.
        speeds: slowest and fastest.
    """
    x, target, take = [], [], []
    for turn in range(passes):
        for k in range(len(pool.start) - 1):
            rng = np.random.default_rng([seed, turn, k])
            part = slice(int(pool.start[k]), int(pool.start[k + 1]))
            speed = float(np.exp(rng.uniform(*np.log(speeds)))) if vary else 1.0
            if vary and rng.random() < 0.15:
                part = _short(part, rng)
            time_s = pool.time_s[part] / speed
            time_s = time_s - time_s[0]
            centers = _centers(float(time_s[-1]), stride_s, rng)
            xyz, sigma = (v[part][:, _INDEX].astype(np.float64) for v in (pool.xyz_m, pool.sigma_m))
            cut = windows(time_s, xyz, sigma, pool.root_m[part].astype(np.float64), _CAMERA_UP, centers)
            x.append(cut.x.astype(np.float16))
            target.append(_shares(time_s, pool.label[part], centers))
            take.append(np.full(len(centers), k))
    takes = np.concatenate(take)
    targets = np.concatenate(target)
    own = np.array([str(name).split(":")[0] for name in pool.name])[takes]
    beside = (targets.argmax(axis=1) == LABELS.index(OTHER)) & (own != OTHER) & (pool.kind[takes] == "synth")
    return Examples(np.concatenate(x), targets, takes, pool.kind[takes], beside)


def _short(part: slice, rng: np.random.Generator) -> slice:
    """A stretch of 0.7 to 2 seconds."""
    length = int(rng.integers(11, 31))
    start = part.start + int(rng.integers(0, max(1, part.stop - part.start - length)))
    return slice(start, min(start + length, part.stop))


def _centers(span_s: float, stride_s: float, rng: np.random.Generator) -> NDArray[np.float64]:
    if span_s <= WINDOW_S:
        return np.array([span_s / 2])
    first = WINDOW_S / 2 + rng.uniform(0, min(stride_s, span_s - WINDOW_S))
    return np.arange(first, span_s - WINDOW_S / 2 + 1e-6, stride_s)


def _shares(time_s: NDArray[np.float64], label: NDArray[np.int16], centers: NDArray[np.float64]) -> FloatArray:
    at = centers[:, None] + (np.arange(SAMPLES) / (SAMPLES - 1) - 0.5) * WINDOW_S
    nearest = np.clip(np.searchsorted(time_s, at), 0, len(time_s) - 1)
    return np.asarray((label[nearest][..., None] == np.arange(len(LABELS))).mean(axis=1), np.float32)


_DROPPED = (
    *(f"{side} {parts}" for side in ("left", "right") for parts in ("wrist", "elbow wrist", "ankle", "knee ankle")),
)
_LIMBS = (
    *(tuple(JOINTS.index(f"{d.split()[0]}_{part}") for part in d.split()[1:]) for d in _DROPPED),
    tuple(JOINTS.index(n) for n in ("left_ankle", "right_ankle")),
    tuple(JOINTS.index(n) for n in ("left_knee", "right_knee", "left_ankle", "right_ankle")),
    (JOINTS.index("head"),),
)


def augment(x: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Vary a batch (B, 30, 82): mirrored, turned, tilted, jittered, limbs dropped, the way through the world lost."""
    count = len(x)
    flip = rng.random(count) < 0.5
    x = np.where(flip[:, None, None], mirror(x), x)
    turn = _turns(count, rng)
    joints = x[..., COLUMNS["joints"]].reshape(count, SAMPLES, len(JOINTS), 3)
    there = (x[..., COLUMNS["trust"]] > 0)[..., None]
    level = np.exp(rng.uniform(np.log(0.003), np.log(0.04), (count, 1, 1, 1)))
    noise = rng.standard_normal(joints.shape, dtype=np.float32) * level
    slow = rng.standard_normal((count, 1, len(JOINTS), 3), dtype=np.float32) * level
    joints = np.einsum("bac,bsjc->bsja", turn, joints) + (noise + slow) * there
    x[..., COLUMNS["joints"]] = joints.reshape(count, SAMPLES, -1)
    pelvis = x[..., 64:67]
    x[..., 64:67] = np.einsum("bac,bsc->bsa", turn, pelvis)
    x[rng.random(count) < 0.3, :, COLUMNS["pelvis"]] = 0.0
    plain = rng.random(count) < 0.15
    trust = x[..., COLUMNS["trust"]]
    x[..., COLUMNS["trust"]] = np.where(plain[:, None, None] & (trust > 0), np.float32(0.8), trust)
    _drop_limbs(x, rng)
    return x.astype(np.float32)


def _turns(count: int, rng: np.random.Generator) -> FloatArray:
    """Small rotations (B, 3, 3): mostly about the vertical."""
    yaw, pitch, roll = (np.radians(s) * rng.standard_normal(count) for s in (12.0, 5.0, 4.0))
    zero, one = np.zeros(count), np.ones(count)
    z = np.array([[np.cos(yaw), -np.sin(yaw), zero], [np.sin(yaw), np.cos(yaw), zero], [zero, zero, one]])
    y = np.array([[np.cos(pitch), zero, np.sin(pitch)], [zero, one, zero], [-np.sin(pitch), zero, np.cos(pitch)]])
    x = np.array([[one, zero, zero], [zero, np.cos(roll), -np.sin(roll)], [zero, np.sin(roll), np.cos(roll)]])
    return np.asarray(np.einsum("abn,bcn,cdn->nad", z, y, x), np.float32)


def _drop_limbs(x: FloatArray, rng: np.random.Generator) -> None:
    """Some windows lose a limb, in place: its columns are 0, as where it was never seen."""
    for limb in _LIMBS:
        rows = np.flatnonzero(rng.random(len(x)) < 0.025)
        if not len(rows):
            continue
        names = {JOINTS[j] for j in limb}
        columns = [3 * j + axis for j in limb for axis in range(3)] + [COLUMNS["trust"].start + j for j in limb]
        columns += [COLUMNS["angles"].start + i for i, g in enumerate(ANGLES) if names & set(g)]
        columns += [COLUMNS["distances"].start + i for i, g in enumerate(DISTANCES) if names & set(g)]
        heights = COLUMNS["distances"].stop - 2
        columns += [heights + i for i, s in enumerate(("left", "right")) if f"{s}_elbow" in names]
        x[np.ix_(rows, np.arange(SAMPLES), np.array(columns))] = 0.0
