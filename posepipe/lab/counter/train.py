"""Train the network that tells how fast something repeats, and write what ships.

    posepipe train reps-pool --out runs/pace/pool --takes 3000 --seed 1
    posepipe train reps-pool --out runs/pace/pool --takes 250 --seed 901 --held
    posepipe train reps --data runs/pace/pool --out runs/pace/run --models models

How the shipped weights were made, each leg going on from the one before (--start), batches of 16:
1. 2000 steps, lr 2e-3, seed 1; pools 1 to 6 (300 takes each), nothing put before and after them
2. (dropped: the same with pools 7 to 11)
3. 2500 steps from leg 1, lr 1.5e-3, seed 3; pools 1 to 12 and nothing_31 (600 takes), surrounded from here on
4. 500 steps, lr 1.2e-3, seed 4; pools 13 to 16 and nothing_32 (300 takes) more
5. 1500 of 1900 steps, lr 1.3e-3, seed 5; without the takes of what is held or only lifts the whole body (lying, wall
   sit, hang, calf raise, hop, skip, butterfly), which had been counted as repetitions until then
   and the mean of the weights after legs 3 and 5 (posepipe train average): the file before the next legs
6. 400 steps, lr 4e-4, seed 6, from that file (--start models/reps.onnx, its norms folded away); pools web_41 (650
   takes, --web) and 44 (150)
7. 550 steps, lr 8e-4, seed 7; the same pools
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from posepipe.errors import InputError
from posepipe.exercise.repeats import CHANNELS, LAGS_S, RATE_HZ, PaceModel
from posepipe.lab.counter.data import Example, PacePool, example, load_pace_pool
from posepipe.lab.runs import traced_onnx
from posepipe.weights import sha256_of, write_card

__all__ = ["export_pace", "train_pace"]

_WIDE = 96


class PaceNet(nn.Module):
    """Pictures of lags to a logit of repeating and the logarithm of repetitions a second, per moment."""

    def __init__(self) -> None:
        super().__init__()
        self.lags = nn.Sequential(
            nn.Conv2d(CHANNELS, 24, (3, 5), (1, 2), (1, 2)), nn.BatchNorm2d(24), nn.ReLU(),
            nn.Conv2d(24, 32, (3, 5), (1, 2), (1, 2)), nn.BatchNorm2d(32), nn.ReLU(),
            nn.Conv2d(32, 32, (5, 3), 1, (2, 1)), nn.BatchNorm2d(32), nn.ReLU(),
        )  # fmt: skip
        self.join = nn.Sequential(nn.Conv1d(32 * ((len(LAGS_S) + 3) // 4), _WIDE, 1), nn.BatchNorm1d(_WIDE), nn.ReLU())
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(_WIDE, _WIDE, 3, padding=d, dilation=d), nn.BatchNorm1d(_WIDE), nn.ReLU(), nn.Dropout(0.1),
                nn.Conv1d(_WIDE, _WIDE, 1), nn.BatchNorm1d(_WIDE),
            )
            for d in (1, 2, 4, 8, 16, 32)
        )  # fmt: skip
        self.head = nn.Conv1d(_WIDE, 2, 1)

    def forward(self, image: Tensor) -> Tensor:
        """(B, CHANNELS, T, lags) to (B, 2, T)."""
        x = self.lags(image).permute(0, 1, 3, 2).flatten(1, 2)
        x = self.join(x)
        for block in self.blocks:
            x = functional.relu(x + block(x))
        return self.head(x)  # type: ignore[no-any-return]


class _Shipped(nn.Module):
    """The network with what ships as outputs: probability, and repetitions a second."""

    def __init__(self, net: PaceNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        out = self.net(image)
        return torch.sigmoid(out[:, 0]), rate_of(out)


def rate_of(out: Tensor) -> Tensor:
    """(B, T) repetitions a second, from one in a minute to four and a half."""
    return torch.exp(out[:, 1].clamp(-4, 1.5))


def _batch(examples: list[Example]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    frames = max(e.image.shape[1] for e in examples)
    image = np.zeros((len(examples), CHANNELS, frames, len(LAGS_S)), np.float32)
    rows = np.zeros((3, len(examples), frames), np.float32)
    for k, e in enumerate(examples):
        count = e.image.shape[1]
        image[k, :, :count] = e.image
        rows[:, k, :count] = e.rate_hz, e.inside, e.weight
    rate, inside, weight = (torch.from_numpy(row) for row in rows)
    return torch.from_numpy(image), rate, inside, weight


def counts(out: Tensor, weight: Tensor) -> Tensor:
    """Repetitions of each clip: the integral of rate times probability."""
    return (torch.sigmoid(out[:, 0]) * rate_of(out) * weight).sum(dim=1) / RATE_HZ


def loss_of(out: Tensor, rate: Tensor, inside: Tensor, weight: Tensor) -> Tensor:
    """Doubt about repeating, the error of the logarithmic rate, and of the count."""
    seen = weight.sum() + 1e-6
    some = (functional.binary_cross_entropy_with_logits(out[:, 0], inside, reduction="none") * weight).sum() / seen
    gap = (out[:, 1] - torch.log(rate.clamp(min=1e-3))).abs()
    pace = (gap * inside * weight).sum() / ((inside * weight).sum() + 1e-6)
    true = (rate * weight).sum(dim=1) / RATE_HZ
    off = (torch.log1p(counts(out, weight)) - torch.log1p(true)).abs().mean()
    return some + pace + off


def train_pace(
    data: Path, out: Path, *, steps: int = 2500, batch: int = 16, lr: float = 2e-3, threads: int = 1, seed: int = 0,
    start: Path | None = None, log: Callable[[str], None] = lambda line: None,
) -> None:  # fmt: skip
    """Train on a folder of pools, and write weights and a report every 500 steps.

    Args:
        data: folder of pools; those whose names begin with ``val`` are only looked at.
        out: folder for weights.safetensors and report.json.
        steps: of AdamW.
        batch: stretches of takes in each.
        lr: highest rate; it rises over 5 % of the steps and falls as a cosine.
        threads: torch threads.
        seed: of weights and batches.
        start: weights.safetensors of an earlier run to go on from.
        log: takes progress lines.

    Raises:
        InputError: the folder lacks pools of either kind.
    """
    torch.set_num_threads(threads)
    files = sorted(data.glob("*.npz"))
    trained, seen = ([f for f in files if f.name.startswith("val") is looked] for looked in (False, True))
    if not trained or not seen:
        raise InputError(
            "needs pools to train on and pools whose names begin with val", where=str(data),
            hint="Make them: posepipe train reps-pool",
        )  # fmt: skip
    pool, held = load_pace_pool(trained), load_pace_pool(seen)
    torch.manual_seed(seed)
    net = PaceNet()
    if start is not None and start.suffix == ".onnx":
        _unfolded(net, start)
    elif start is not None:
        net.load_state_dict(load_file(start))
    blend = torch.optim.swa_utils.get_ema_multi_avg_fn(0.995)  # type: ignore[no-untyped-call]
    average = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=blend, use_buffers=True)
    optimiser = torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=0.02)
    out.mkdir(parents=True, exist_ok=True)
    began, losses = time.monotonic(), []
    for step in range(steps):
        rng = np.random.default_rng([seed, step])
        picked = [example(pool, int(rng.integers(len(pool.name))), rng) for _ in range(batch)]
        warm = min(1.0, (step + 1) / (0.05 * steps)) * (0.02 + 0.98 * (0.5 + 0.5 * np.cos(np.pi * step / steps)))
        for group in optimiser.param_groups:
            group["lr"] = lr * warm
        image, *true = _batch(picked)
        net.train()
        if start is not None:
            _settle(net)
        loss = loss_of(net(image), *true)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimiser.step()
        average.update_parameters(net)
        losses.append(loss.item())
        if (step + 1) % 50 == 0:
            log(f"step {step + 1} loss {np.mean(losses[-50:]):.3f} {time.monotonic() - began:.0f} s")
        if (step + 1) % 500 == 0 or step + 1 == steps:
            scores = held_scores(average.module, held)
            log(f"held out {scores}")
            report = {"steps": step + 1, "seed": seed, "pools": [f.stem for f in trained], "takes": len(pool.name)}
            _save(average.module, report | {"start": str(start or ""), "metrics": scores}, out)


def _unfolded(net: PaceNet, path: Path) -> None:
    """Take over a shipped file's weights; its scales and shifts are within the convolutions."""
    import onnx
    from onnx import numpy_helper

    held = [torch.from_numpy(numpy_helper.to_array(x).copy()) for x in onnx.load(path).graph.initializer]
    heads = [x for x in held if x.shape[:1] == (2,)]
    rest = iter([x for x in held if x.shape[:1] != (2,)])
    state = net.state_dict()
    convs = [m for name, m in net.named_modules() if isinstance(m, nn.Conv1d | nn.Conv2d) and name != "head"]
    if len(heads) != 2 or len(held) != 2 * len(convs) + 2:
        raise InputError("other weights than the network's", where=str(path), hint="Give a reps.onnx made here")
    with torch.no_grad():
        for conv in (*convs, net.head):
            weight, bias = heads if conv is net.head else (next(rest), next(rest))
            conv.weight.copy_(weight)
            assert conv.bias is not None
            conv.bias.copy_(bias)
        for module in net.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                nn.init.constant_(module.running_var, 1.0 - module.eps)  # type: ignore[arg-type]
    assert set(net.state_dict()) == set(state)


def _settle(net: nn.Module) -> None:
    """Norms that came folded from a shipped file keep doing nothing: no batch's statistics are theirs."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and not module.running_mean.any():  # type: ignore[union-attr]
            module.eval()


def _save(net: nn.Module, report: dict[str, Any], out: Path) -> None:
    save_file(net.state_dict(), out / "weights.safetensors")
    (out / "report.json").write_text(json.dumps(report, indent=2), encoding="utf-8")


def export_pace(run: Path, out: Path) -> Path:
    """Write reps.onnx and its card of a finished run.

    Raises:
        ModelError: torch and ONNX Runtime differ by more than 1e-4.
    """
    report: dict[str, Any] = json.loads((run / "report.json").read_text(encoding="utf-8"))
    net = PaceNet()
    net.load_state_dict(load_file(run / "weights.safetensors"))
    whole = _Shipped(net).eval()
    image = torch.rand(2, CHANNELS, 200, len(LAGS_S), generator=torch.Generator().manual_seed(0))
    out.mkdir(parents=True, exist_ok=True)
    path = out / "reps.onnx"
    axes = {"lags": {0: "batch", 2: "time"}, "repeating": {0: "batch", 1: "time"}, "rate_hz": {0: "batch", 1: "time"}}
    difference = traced_onnx(whole, path, axes, example=image, looked_at=image)
    PaceModel(path)
    return _card(path, report, difference, sum(p.numel() for p in net.parameters()))


def _card(path: Path, report: dict[str, Any], difference: float, parameters: int) -> Path:
    went_on = f", going on from {report['start']}" if report["start"] else ""
    table = {
        "name": "reps",
        "file": path.name,
        "sha256": sha256_of(path.read_bytes()),
        "size_bytes": path.stat().st_size,
        "licence": "Apache-2.0",
        "source": (
            f"Trained here: posepipe train reps, seed {report['seed']}, {report['steps']} steps{went_on}, "
            f"on {report['takes']} synthetic sets of known, other and made-up exercises (posepipe train reps-pool), "
            "filmed by simulated cameras with a detector's errors and lifted by models/lifter.onnx; pools "
            f"{', '.join(report['pools'])}."
        ),
        "input": f"lags (B, {CHANNELS}, T, {len(LAGS_S)}) float32, made by posepipe.exercise.repeats.pace_image",
        "output": "repeating (B, T) probability that a repetition is under way, rate_hz (B, T) repetitions a second",
        "description": "How fast a movement repeats, whatever it is",
    }
    metrics = {
        **{f"held_out_{key}": value for key, value in report["metrics"].items()},
        "parameters": parameters,
        "onnx_parity": float(f"{difference:.1e}"),
    }
    card = path.with_suffix(".toml")
    write_card(card, table, metrics)
    return card


def held_scores(net: nn.Module, held: PacePool) -> dict[str, float]:
    """Count errors on whole takes that nothing was trained on."""
    net.eval()
    rng, said, true = np.random.default_rng(0), [], []
    with torch.no_grad():
        for k in range(len(held.name)):
            image, _, _, weight = _batch([example(held, k, rng, vary=False)])
            said.append(round(float(counts(net(image), weight))))
            true.append(int((held.take == k).sum()))
    off, some = np.abs(np.subtract(said, true)), np.array(true) > 0
    scores = {"obo": float(np.mean(off <= 1)), "exact": float(np.mean(off == 0))}
    if some.any():
        scores["mae"] = float(np.mean(off[some] / np.array(true)[some]))
    if not some.all():
        scores["false"] = float(np.mean(np.array(said)[~some] > 0))
    return {name: round(value, 4) for name, value in scores.items()}
