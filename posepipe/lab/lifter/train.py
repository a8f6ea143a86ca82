"""Train the lifting network on motion capture with random cameras.

    posepipe train lifter --data ../shared/data/mocap --out runs/lifter

The learning rate rises, stays, and falls to zero over the last part of `steps`; a run can be stopped at any time and
resumed, with more steps if wanted. Every step draws its batch from (seed, step), so a resumed run repeats the
uninterrupted one. Checkpoints are safetensors and JSON, never pickle.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from posepipe.body.lift import encode
from posepipe.errors import InputError, UsageError
from posepipe.lab.lifter.baselines import BaselineConfig, build_baseline
from posepipe.lab.lifter.data import (
    AugmentConfig,
    Batch,
    Mocap,
    Simulation,
    load_mocap,
    make_batch,
    simulate,
    training_mocap,
)
from posepipe.lab.lifter.network import HopFIR, NetworkConfig
from posepipe.lab.lifter.pairs import Pairs, exchanged, load_pairs, pair_batch, transfer_batch
from posepipe.media.atomic import move_into_place
from posepipe.skeleton import BODY21, H36M17

__all__ = ["LifterConfig", "load_weights", "train_lifter", "train_on_pairs", "validate", "validation_sets"]


@dataclass(frozen=True, slots=True)
class LifterConfig:
    """All that decides a training run.

    Attributes:
        model: "hopfir", or a baseline: "mlp", "graformer", "transformer".
        network: shape of HopFIR.
        baseline: shape of the baseline.
        augment: amounts of augmentation.
        steps: total number of steps.
        batch: samples per step.
        lr: peak learning rate.
        warmup: steps until it is reached.
        decay: last part of `steps`, in which it falls to zero.
        optimiser: "adamw", or "muon" for the matrices inside the blocks (AdamW for the rest).
        weight_decay: the optimiser's.
        ema: decay of the averaged weights, which are the ones used.
        feet_weight: weight of heels and toes in the loss.
        holdout: subjects kept out of training, for calibration.
        cmu_share: part of the samples drawn from CMU.
        pairs_share: part of each batch drawn from detector-in-the-loop pairs, if there are any.
        transfer_share: part drawn from motion capture with errors taken over from those pairs.
        exchanged: share kept of the pairs whose arms or legs have left and right exchanged; none are transferred.
        validate_every, save_every: steps.
        bf16, compile: speed; both change results in the last digits.
        threads: torch threads.
        seed: of weights, batches and validation.
    """

    model: str = "hopfir"
    network: NetworkConfig = field(default_factory=NetworkConfig)
    baseline: BaselineConfig = field(default_factory=BaselineConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    steps: int = 20000
    batch: int = 256
    lr: float = 1e-3
    warmup: int = 300
    decay: float = 0.2
    optimiser: str = "adamw"
    weight_decay: float = 0.01
    ema: float = 0.999
    feet_weight: float = 0.4
    holdout: tuple[str, ...] = ()
    cmu_share: float = 0.63
    pairs_share: float = 0.0
    transfer_share: float = 0.0
    exchanged: float = 0.0
    validate_every: int = 500
    save_every: int = 500
    bf16: bool = True
    compile: bool = False
    threads: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.optimiser not in ("adamw", "muon"):
            raise UsageError(f"optimiser {self.optimiser!r}", hint="Valid: adamw, muon")


@dataclass(frozen=True, slots=True, eq=False)
class TrainResult:
    """What a run left behind.

    Attributes:
        step: last step done.
        loss: (n,) training loss of the steps of this call.
        weights: the averaged weights' file.
    """

    step: int
    loss: list[float]
    weights: Path


def build_network(config: LifterConfig) -> nn.Module:
    """The untrained network, seeded."""
    torch.manual_seed(config.seed)
    return HopFIR(config.network) if config.model == "hopfir" else build_baseline(config.model, config.baseline)


def load_weights(config: LifterConfig, weights: Path) -> nn.Module:
    """The network with weights from a safetensors file, in evaluation mode."""
    network = build_network(config)
    network.load_state_dict(load_file(weights))
    return network.eval()


def pose_loss(xyz: Tensor, log_scale: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Joint error weighted by the network's own confidence, plus the fit of that confidence.

    With r the joint error and exp(s) its expected size, UAO's `r exp(-s) + s` fits s; the pose sees only half of the
    weighting in the exponent, so that doubtful samples still teach.

    Args:
        xyz: (B, 21, 3) metres.
        target: (B, 21, 3) metres.
        log_scale: (B, 21).
        weight: (B, 21); zero leaves a joint out.
    """
    error = torch.sqrt(((xyz - target) ** 2).sum(-1) + 1e-8)
    pose = error * torch.exp(-0.5 * log_scale.detach())
    scale = error.detach() * torch.exp(-log_scale) + log_scale
    return ((pose + 0.25 * scale) * weight).sum() / weight.sum()


def learning_rate(config: LifterConfig, step: int) -> float:
    """Rate at a step: linear rise, level, linear fall."""
    rise = min(1.0, (step + 1) / max(config.warmup, 1))
    fall = min(1.0, max(config.steps - step, 0) / max(config.decay * config.steps, 1))
    return config.lr * rise * fall


class _Run:
    """Weights, their average, optimiser and step of one training run, and their checkpoint."""

    def __init__(self, config: LifterConfig, out: Path) -> None:
        self.config, self.out = config, out
        self.network = build_network(config)
        self.average = {key: value.clone() for key, value in self.network.state_dict().items()}
        self.optimisers = _optimisers(config, self.network)
        self.step = 0
        self.seconds = 0.0

    def begin(self, weights: Path) -> None:
        """Take given weights, and their average from them."""
        state = load_file(weights)
        self.network.load_state_dict(state)
        self.average = {key: value.clone() for key, value in state.items()}

    def update_average(self) -> None:
        decay = min(self.config.ema, (1.0 + self.step) / (10.0 + self.step))
        with torch.no_grad():
            for key, value in self.network.state_dict().items():
                if value.dtype.is_floating_point:
                    self.average[key].lerp_(value, 1.0 - decay)

    def save(self) -> None:
        tensors = {f"weights.{key}": value for key, value in self.network.state_dict().items()}
        tensors |= {f"average.{key}": value for key, value in self.average.items()}
        for number, parameter in enumerate(self.network.parameters()):
            for optimiser in self.optimisers:
                for key, value in optimiser.state.get(parameter, {}).items():
                    if value.dim() > 0 or key != "step":
                        tensors[f"moment.{number}.{key}"] = value
        _write(
            self.out / "checkpoint.safetensors",
            lambda path: save_file({k: v.contiguous() for k, v in tensors.items()}, path),
        )
        _write(
            self.out / "weights.safetensors",
            lambda path: save_file({k: v.contiguous() for k, v in self.average.items()}, path),
        )
        state_json = {"step": self.step, "seconds": self.seconds, "config": asdict(self.config)}
        _write(
            self.out / "state.json", lambda path: path.write_text(json.dumps(state_json, indent=1), encoding="utf-8")
        )

    def load(self) -> None:
        if not (self.out / "state.json").is_file():
            raise InputError("no checkpoint to resume", where=str(self.out), hint="Leave out --resume")
        tensors = load_file(self.out / "checkpoint.safetensors")
        state = json.loads((self.out / "state.json").read_text(encoding="utf-8"))
        self.step, self.seconds = int(state["step"]), float(state["seconds"])
        self.network.load_state_dict({k[8:]: v for k, v in tensors.items() if k.startswith("weights.")})
        self.average = {k[8:]: v for k, v in tensors.items() if k.startswith("average.")}
        for number, parameter in enumerate(self.network.parameters()):
            owner = next(o for o in self.optimisers if any(parameter is p for g in o.param_groups for p in g["params"]))
            prefix = f"moment.{number}."
            state = {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}
            if isinstance(owner, torch.optim.AdamW) and state:
                state["step"] = torch.tensor(float(self.step))
            if state:
                owner.state[parameter] = state


def _optimisers(config: LifterConfig, network: nn.Module) -> list[torch.optim.Optimizer]:
    """AdamW for everything, or Muon for matrices inside the blocks, its step scaled to AdamW's."""
    matrices: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        muon = config.optimiser == "muon" and parameter.ndim == 2 and name.startswith("blocks.")
        (matrices if muon else rest).append(parameter)
    found: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(rest, lr=config.lr, weight_decay=config.weight_decay, betas=(0.9, 0.98))
    ]
    if matrices:
        found.append(
            torch.optim.Muon(matrices, lr=config.lr, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw")
        )
    return found


def _write(path: Path, write: Callable[[Path], object]) -> None:
    partial = path.with_name(path.name + ".partial")
    write(partial)
    move_into_place(partial, path)


@dataclass(frozen=True, slots=True, eq=False)
class _Loop:
    """Detector-in-the-loop pairs: those to learn from as they are, and those whose errors others take over."""

    pairs: Pairs
    errors: Pairs


def _loop(config: LifterConfig, folder: Path) -> _Loop:
    pairs = load_pairs(sorted(folder.glob("loop*train*.npz")))
    pairs = pairs.select(~np.isin(pairs.subject, config.holdout))
    crossed = exchanged(pairs)
    keep = ~crossed | (np.random.default_rng(config.seed).random(len(pairs)) < config.exchanged)
    return _Loop(pairs.select(keep), pairs.select(~crossed))


def _batch(config: LifterConfig, mocap: Mocap | None, loop: _Loop | None, step: int) -> tuple[Tensor, Tensor, Tensor]:
    rng = np.random.default_rng((config.seed, step))
    shares = (config.pairs_share, config.transfer_share) if loop is not None else (0.0, 0.0)
    drawn, taken = (round(config.batch * share) for share in shares)
    rest = config.batch - drawn - taken
    parts: list[Batch] = [] if mocap is None or not rest else [make_batch(mocap, rest, config.augment, rng)]
    if loop is not None and drawn:
        parts.append(pair_batch(loop.pairs, drawn, config.augment, rng))
    if loop is not None and mocap is not None and taken:
        parts.append(transfer_batch(mocap, loop.errors, taken, config.augment, rng))
    features = np.concatenate([part.features for part in parts])
    target = np.concatenate([part.xyz_m for part in parts])
    feet = torch.tensor([config.feet_weight if j >= len(H36M17) else float(j > 0) for j in range(len(BODY21))])
    known = ~np.isnan(target).any(axis=-1)
    weight = torch.from_numpy(known.astype(np.float32)) * feet
    return torch.from_numpy(features), torch.from_numpy(np.nan_to_num(target)), weight


def _train_steps(run: _Run, mocap: Mocap | None, loop: _Loop | None) -> Iterator[float]:
    """Endless training steps; yields the loss of each."""
    config = run.config
    forward: Callable[..., tuple[Tensor, Tensor]] = run.network
    if config.compile:
        forward = torch.compile(run.network)
    run.network.train()
    while True:
        features, target, weight = _batch(config, mocap, loop, run.step)
        torch.manual_seed(config.seed * 1_000_003 + run.step)
        for group in (group for optimiser in run.optimisers for group in optimiser.param_groups):
            group["lr"] = learning_rate(config, run.step)
        with torch.autocast("cpu", torch.bfloat16, enabled=config.bf16):
            xyz, log_scale = forward(features)
        loss = pose_loss(xyz, log_scale, target, weight)
        run.network.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(run.network.parameters(), 1.0)
        for optimiser in run.optimisers:
            optimiser.step()
        run.step += 1
        run.update_average()
        yield float(loss.detach())


def validate(network: nn.Module, simulations: dict[str, Simulation]) -> dict[str, float]:
    """MPJPE over Human3.6M 17 in mm for each simulated set."""
    out = {}
    network.eval()
    for name, data in simulations.items():
        encoded = encode(data.rays, data.sigma, data.valid, np.zeros(len(data.rays), dtype=bool))
        with torch.no_grad():
            xyz = torch.cat([network(part)[0] for part in torch.split(torch.from_numpy(encoded.features), 1000)])
        target = data.xyz_m @ np.swapaxes(encoded.rotation, 1, 2)
        error = np.linalg.norm(xyz.numpy() - target, axis=-1)[:, : len(H36M17)]
        out[name] = float(1000.0 * error.mean())
        for kind in np.unique(data.source):
            out[f"{name}_{kind}"] = float(1000.0 * error[data.source == kind].mean())
    return out


def validation_sets(data: Path, count: int, seed: int) -> dict[str, Simulation]:
    """Frames of val.npz under simulated cameras: level, rolled, and level with 25 mm of noise; empty without the file.

    Args:
        data: folder with val.npz.
        count: at most so many frames.
        seed: of frames and cameras.
    """
    if not (data / "val.npz").is_file():
        return {}
    mocap = load_mocap(data / "val.npz", cmu_share=0.5)
    rng = np.random.default_rng(seed)
    pick = mocap.select(np.isin(np.arange(len(mocap)), rng.choice(len(mocap), min(count, len(mocap)), replace=False)))
    return {
        "level": simulate(pick, rng, crooked=False),
        "rolled": simulate(pick, rng, crooked=True),
        "noisy": simulate(pick, rng, crooked=False, noise_m=0.025),
    }


def train_lifter(
    config: LifterConfig,
    data: Path,
    out: Path,
    *,
    resume: bool = False,
    minutes: float | None = None,
    pairs: Path | None = None,
    start: Path | None = None,
) -> TrainResult:
    """Train until `config.steps` are done or the minutes are over.

    Args:
        config: the run.
        data: folder with train.npz, more.npz if wanted and, for the learning curve, val.npz.
        out: folder for checkpoint, weights and log.jsonl.
        resume: go on from the checkpoint in `out`, under this config.
        minutes: stop after so many minutes of this call.
        pairs: folder of detector-in-the-loop pairs (loop*train*.npz).
        start: safetensors file of weights to begin with; not with `resume`.
    """
    torch.set_num_threads(config.threads)
    out.mkdir(parents=True, exist_ok=True)
    mocap = training_mocap(data, cmu_share=config.cmu_share)
    mocap = mocap.select(~np.isin(mocap.subject, config.holdout))
    simulations = validation_sets(data, 1500, config.seed)
    loop = _loop(config, pairs) if pairs is not None and config.pairs_share > 0 else None
    run = _Run(config, out)
    if resume:
        run.load()
    elif start is not None:
        run.begin(start)
    losses: list[float] = []
    began, before = time.monotonic(), run.seconds
    steps = _train_steps(run, mocap, loop)
    while run.step < config.steps:
        losses.append(next(steps))
        run.seconds = before + time.monotonic() - began
        late = minutes is not None and run.seconds - before > minutes * 60
        if run.step % config.validate_every == 0 or late or run.step == config.steps:
            _log(run, losses, simulations)
        if run.step % config.save_every == 0 or late:
            run.save()
        if late:
            break
    run.save()
    return TrainResult(run.step, losses, out / "weights.safetensors")


def train_on_pairs(
    config: LifterConfig, pairs: Pairs, out: Path, *, start: Path | None = None, mocap: Mocap | None = None
) -> TrainResult:
    """Train on pairs of keypoints and poses, from the beginning or from given weights.

    Args:
        config: the run; `pairs_share` of each batch are pairs, all of it without `mocap`.
        pairs: what to learn from.
        out: folder for checkpoint and weights.
        start: safetensors file of weights to go on from.
        mocap: motion capture for the rest of each batch, so that it isn't forgotten.

    Raises:
        UsageError: not enough to fill a batch with.
    """
    if not len(pairs) or (mocap is None and config.pairs_share < 1.0):
        raise UsageError("no pairs, or no motion capture beside them", where="train_on_pairs", hint="pairs_share = 1")
    torch.set_num_threads(config.threads)
    out.mkdir(parents=True, exist_ok=True)
    run = _Run(config, out)
    if start is not None:
        run.begin(start)
    steps = _train_steps(run, mocap, _Loop(pairs, pairs))
    losses = [next(steps) for _ in range(config.steps)]
    run.save()
    return TrainResult(run.step, losses, out / "weights.safetensors")


def _log(run: _Run, losses: list[float], simulations: dict[str, Simulation]) -> None:
    network = build_network(run.config)
    network.load_state_dict(run.average)
    row: dict[str, float] = {"step": run.step, "minutes": round(run.seconds / 60, 2)}
    row |= {
        "loss": round(float(np.mean(losses[-run.config.validate_every :])), 5),
        "lr": learning_rate(run.config, run.step),
    }
    row |= {name: round(value, 2) for name, value in validate(network, simulations).items()}
    with (run.out / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    run.network.train()
