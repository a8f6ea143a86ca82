"""Train the networks that name movements, calibrate them, and write what ships.

    posepipe train exercise-pool --data ../shared/data --out runs/exercise/pool --takes 1600 --seed 1
    posepipe train exercise-pool --data ../shared/data --out runs/exercise/pool --takes 0 --real train
    posepipe train exercise --data runs/exercise/pool --config posepipe/lab/configs/exercise.toml

The pool is made once and shared by every configuration; files whose names hold ``val`` calibrate and are never trained
on. Every step draws its batch from (seed, step).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from posepipe.errors import InputError
from posepipe.exercise.features import FEATURES, SAMPLES
from posepipe.exercise.labels import LABELS, OTHER, WALKING
from posepipe.lab.metrics import calibration_error, macro_f1
from posepipe.lab.recogniser.nets import BiLSTM, Examples, NetConfig, WithProbability, augment, build_net, cut_pool
from posepipe.lab.recogniser.pool import load_pool
from posepipe.lab.runs import ACKNOWLEDGEMENT, config_from_dict, traced_onnx
from posepipe.weights import sha256_of, write_card

__all__ = ["ExerciseConfig", "export_exercise", "fit", "scores", "train_exercise", "write_onnx"]

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ExerciseConfig:
    """All that decides a training run.

    Attributes:
        name: of the model card.
        net: shape of the network.
        steps, batch, lr, weight_decay: of AdamW; the rate rises over 5 % of the steps and falls as a cosine.
        ema: decay of the averaged weights, which are the ones used.
        other_share, walking_share: of the examples drawn; the exercises share the rest evenly.
        beside: weight of what comes before and after the sets of synthetic exercises, against other `other`.
        real_share: of the examples drawn that come from motion capture, where a label has any.
        passes: how often the pool is cut, at different speeds.
        slowest, fastest: of these speeds.
        threads: torch threads.
        seed: of weights and batches.
    """

    name: str = "exercise"
    net: NetConfig = field(default_factory=NetConfig)
    steps: int = 1500
    batch: int = 192
    lr: float = 2e-3
    weight_decay: float = 0.02
    ema: float = 0.99
    other_share: float = 0.27
    walking_share: float = 0.12
    beside: float = 1.0
    real_share: float = 0.3
    passes: int = 1
    slowest: float = 0.7
    fastest: float = 1.4
    threads: int = 1
    seed: int = 0


def draw_weights(examples: Examples, config: ExerciseConfig) -> NDArray[np.float64]:
    """How often each example is drawn (N,), summing to one."""
    main = examples.target.argmax(axis=1)
    real = examples.kind != "synth"
    wanted = np.full(len(LABELS), (1 - config.other_share - config.walking_share) / (len(LABELS) - 2))
    wanted[LABELS.index(OTHER)], wanted[LABELS.index(WALKING)] = config.other_share, config.walking_share
    weight = np.zeros(len(examples))
    for label in range(len(LABELS)):
        groups = [(main == label) & real, (main == label) & ~real]
        share = [config.real_share, 1.0 - config.real_share]
        if not all(g.any() for g in groups):
            share = [float(g.any()) for g in groups]
        for group, part in zip(groups, share, strict=True):
            if group.any():
                each = np.where(examples.beside[group], config.beside, 1.0)
                weight[group] = wanted[label] * part * each / each.sum()
    return np.asarray(weight / weight.sum())


def fit(
    net: nn.Module,
    x: NDArray[np.float16],
    target: FloatArray,
    weight: NDArray[np.float64],
    config: ExerciseConfig,
    log: Callable[[str], None] = lambda line: None,
    vary: Callable[[FloatArray, np.random.Generator], FloatArray] = augment,
) -> nn.Module:
    """Train a network in place; it comes back with its averaged weights, in evaluation mode.

    Args:
        net: from `build_net`.
        x: (N, 30, 82) windows.
        target: (N, L) shares of labels.
        weight: (N,) chance of each example.
        config: steps and rates.
        log: takes a line of text now and then.
        vary: augmentation of a batch.
    """
    if isinstance(net, BiLSTM) and bool((net.std == 1.0).all()):
        sample = x[np.random.default_rng(0).choice(len(x), min(len(x), 4000), p=weight)].astype(np.float32)
        net.mean.data = torch.from_numpy(sample.mean(axis=(0, 1)))
        net.std.data = torch.from_numpy(np.maximum(sample.std(axis=(0, 1)), 0.05))
    trained = [p for p in net.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=config.lr, weight_decay=config.weight_decay)
    blend = torch.optim.swa_utils.get_ema_multi_avg_fn(config.ema)  # type: ignore[no-untyped-call]
    average = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=blend, use_buffers=True)
    cumulative = np.cumsum(weight)
    began, losses = time.monotonic(), []
    net.train()
    for step in range(config.steps):
        rng = np.random.default_rng([config.seed, step])
        torch.manual_seed(config.seed * 1_000_003 + step)
        pick = np.searchsorted(cumulative, rng.random(config.batch) * cumulative[-1]).clip(0, len(x) - 1)
        batch = torch.from_numpy(vary(x[pick].astype(np.float32), rng))
        warm = min(1.0, (step + 1) / max(1.0, 0.05 * config.steps))
        for group in optimiser.param_groups:
            group["lr"] = config.lr * warm * (0.02 + 0.98 * (0.5 + 0.5 * np.cos(np.pi * step / config.steps)))
        loss = functional.cross_entropy(net(batch), torch.from_numpy(target[pick]))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, 2.0)
        optimiser.step()
        average.update_parameters(net)
        losses.append(loss.item())
        if (step + 1) % 50 == 0:
            log(f"step {step + 1} loss {np.mean(losses[-50:]):.3f} {time.monotonic() - began:.0f} s")
    net.load_state_dict(average.module.state_dict())
    return net.eval()


def logits_of(net: nn.Module, x: NDArray[Any]) -> FloatArray:
    """Logits (N, L) in batches."""
    with torch.no_grad():
        parts = [net(torch.from_numpy(x[s : s + 512].astype(np.float32))).numpy() for s in range(0, len(x), 512)]
    return np.concatenate(parts)


def temperature_of(logits: FloatArray, target: FloatArray) -> float:
    """The temperature that makes soft targets likeliest, by golden section on its logarithm (Guo et al. 2017)."""
    from scipy.optimize import minimize_scalar

    z, y = torch.from_numpy(logits), torch.from_numpy(target)

    def loss(log_t: float) -> float:
        return float(functional.cross_entropy(z / float(np.exp(log_t)), y))

    return float(np.exp(minimize_scalar(loss, bounds=(-1.5, 1.5), method="bounded").x))


def scores(probability: FloatArray, target: FloatArray) -> dict[str, float]:
    """Accuracy, macro F1 and expected calibration error (15 bins) over windows that are mostly one movement."""
    clear = target.max(axis=1) > 0.8
    said, true = probability[clear].argmax(axis=1), target[clear].argmax(axis=1)
    right = said == true
    return {
        "accuracy": float(right.mean()),
        "macro_f1": macro_f1(true.tolist(), said.tolist()),
        "ece": calibration_error(right, probability[clear].max(axis=1), bins=15),
    }


def pool_files(data: Path) -> tuple[list[Path], list[Path]]:
    """Pools to train on and to calibrate on.

    Raises:
        InputError: the folder lacks one of them.
    """
    files = sorted(data.glob("*.npz"))
    held = [f for f in files if "val" in f.stem]
    train = [f for f in files if f not in held]
    if not train or not held:
        raise InputError(
            "needs pools to train on and pools with 'val' in their names",
            where=str(data),
            hint="Make them: posepipe train exercise-pool",
        )
    return train, held


def train_exercise(
    config: ExerciseConfig, data: Path, out: Path, log: Callable[[str], None], start: Path | None = None
) -> dict[str, Any]:
    """Train, calibrate, write weights and a report into `out`.

    Args:
        config: what to train.
        data: folder of pools.
        out: folder for weights.safetensors and report.json.
        log: takes progress lines.
        start: weights.safetensors of an earlier run to go on from.

    Returns:
        The report: metrics, temperature, and what it was trained on.
    """
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    began = time.monotonic()
    train_files, held_files = pool_files(data)
    speeds = config.slowest, config.fastest
    examples = cut_pool(load_pool(train_files), config.seed, passes=config.passes, speeds=speeds)
    held = cut_pool(load_pool(held_files), 12345)
    log(f"{len(examples)} windows to train on, {len(held)} held out")
    net = build_net(config.net)
    if start is not None:
        net.load_state_dict(load_file(str(start)))
    net = fit(net, examples.x, examples.target, draw_weights(examples, config), config, log)
    logits = logits_of(net, held.x)
    temperature = temperature_of(logits, held.target)
    probability = torch.softmax(torch.from_numpy(logits) / temperature, dim=-1).numpy()
    metrics: dict[str, Any] = {f"held_out_{k}": round(v, 4) for k, v in scores(probability, held.target).items()}
    metrics |= {
        "temperature": round(temperature, 3),
        "parameters": sum(p.numel() for p in net.parameters()),
        "windows": len(examples),
        "steps": config.steps,
        "training_minutes": round((time.monotonic() - began) / 60, 1),
    }
    out.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, str(out / "weights.safetensors"))
    report = {"config": asdict(config), "metrics": metrics, "pools": [f.stem for f in train_files]}
    if start is not None:
        report["start"] = str(start)
    (out / "report.json").write_text(json.dumps(report, indent=2), encoding="utf-8")
    log(json.dumps(metrics))
    return report


def write_onnx(net: nn.Module, temperature: float, path: Path) -> float:
    """Export a network with its calibrated softmax, batch free, and check it against torch.

    Returns:
        Largest difference of a probability over 64 random windows.

    Raises:
        ModelError: it is above 1e-4.
    """
    example, looked_at = (
        torch.randn(count, SAMPLES, len(FEATURES), generator=torch.Generator().manual_seed(seed))
        for seed, count in enumerate((2, 64))
    )
    axes = {"windows": {0: "batch"}, "probability": {0: "batch"}}
    return traced_onnx(WithProbability(net, temperature).eval(), path, axes, example=example, looked_at=looked_at)


def export_exercise(run: Path, out: Path, name: str | None = None, more: dict[str, Any] | None = None) -> Path:
    """Write NAME.onnx, NAME.safetensors and the card of a finished run.

    Args:
        run: folder of `train_exercise`.
        out: folder of models.
        name: of the card; the configuration's if None.
        more: further metrics for the card.
    """
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    config = config_from_dict(ExerciseConfig, report["config"])
    name = name or config.name
    net = build_net(config.net)
    net.load_state_dict(load_file(str(run / "weights.safetensors")))
    out.mkdir(parents=True, exist_ok=True)
    model = out / f"{name}.onnx"
    difference = write_onnx(net.eval(), report["metrics"]["temperature"], model)
    save_file(load_file(str(run / "weights.safetensors")), str(out / f"{name}.safetensors"))
    (out / f"{name}.safetensors").chmod(0o644)
    metrics = {**report["metrics"], **(more or {}), "onnx_parity": float(f"{difference:.1e}")}
    content = model.read_bytes()
    went_on = ", going on from an earlier leg of the run (told in the configuration)" if "start" in report else ""
    kind = {"bilstm": "two-layer BiLSTM", "parts": "graph network in part streams", "paper22": "BiLSTM"}[
        config.net.kind
    ]
    table: dict[str, Any] = {
        "name": name,
        "file": model.name,
        "sha256": sha256_of(content),
        "size_bytes": len(content),
        "licence": "Apache-2.0",
        "source": (
            f"Trained here: posepipe train exercise --config posepipe/lab/configs/{config.name}.toml, seed "
            f"{config.seed}{went_on}, on synthetic exercises (posepipe.lab.people.exercises), CMU and UI-PRMD motion "
            f"capture, both filmed by simulated cameras with a detector's errors and lifted by models/lifter.onnx; "
            f"pools {', '.join(report['pools'])}. {ACKNOWLEDGEMENT}"
        ),
        "input": f"windows (B, {SAMPLES}, {len(FEATURES)}) float32, made by posepipe.exercise.features",
        "output": f"probability (B, {len(LABELS)}) of posepipe.exercise.labels.LABELS, calibrated by temperature",
        "description": f"Names a movement from two seconds of 3D pose: {kind}",
    }
    card = out / f"{name}.toml"
    write_card(card, table, metrics)
    return card
