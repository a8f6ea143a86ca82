"""Which part of the lifter earns its place: ablations and baselines, trained alike, side by side.

    posepipe evaluate ablation --data ../shared/data/mocap --runs runs/ablation

Every network sees the same batches in the same order, with the same loss, head and optimiser. They are narrow and
trained briefly, so that a laptop can do all of them; baselines have at least as many parameters as HopFIR. A finished
network isn't trained again. Writes ablation.json, and curve.json from the log of the shipped lifter's run, in the form
that `posepipe.lab.publish` puts into the documents.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from posepipe.body.lift import encode
from posepipe.errors import InputError
from posepipe.lab.lifter.baselines import BaselineConfig
from posepipe.lab.lifter.data import Simulation, simulate
from posepipe.lab.lifter.measure import read_motion
from posepipe.lab.lifter.network import NetworkConfig
from posepipe.lab.lifter.train import LifterConfig, load_weights, train_lifter
from posepipe.lab.metrics import bootstrap_ci, joint_errors_m
from posepipe.skeleton import H36M17

__all__ = ["write_ablation"]

FloatArray = NDArray[np.float64]

_NET = NetworkConfig(dim=64, blocks=3, hops=3, ijr_hidden=56)
_BASE = LifterConfig(
    network=_NET,
    steps=1500,
    batch=128,
    lr=2e-3,
    warmup=100,
    decay=0.6,
    optimiser="muon",
    weight_decay=0.02,
    ema=0.99,
    holdout=("ui_s07", "94", "49", "120"),
    validate_every=100_000,
    save_every=100_000,
    bf16=False,
    seed=1,
)

NETWORKS: Mapping[str, LifterConfig] = {
    "HopFIR (K = 3, variant A, full IJR)": _BASE,
    "simple baseline (MLP)": replace(_BASE, model="mlp", baseline=BaselineConfig(dim=344, blocks=2)),
    "GraFormer-style": replace(_BASE, model="graformer", baseline=BaselineConfig(dim=96, blocks=6, heads=4)),
    "plain transformer": replace(_BASE, model="transformer", baseline=BaselineConfig(dim=112, blocks=6, heads=4)),
    "K = 0": replace(_BASE, network=replace(_NET, hops=0)),
    "K = 1": replace(_BASE, network=replace(_NET, hops=1)),
    "K = 2": replace(_BASE, network=replace(_NET, hops=2)),
    "K = 4": replace(_BASE, network=replace(_NET, hops=4)),
    "no hop groups (plain attention)": replace(_BASE, network=replace(_NET, grouping=False)),
    "no IJR": replace(_BASE, network=replace(_NET, ijr="none")),
    "no IJR, widened": replace(_BASE, network=replace(_NET, ijr="none", dim=148)),
    "IJR at limb ends only": replace(_BASE, network=replace(_NET, ijr="peripheral")),
    "variant B": replace(_BASE, network=replace(_NET, variant="B")),
}
"""Name and configuration of every network in the table."""

_ENDS = H36M17.indices("left_ankle", "right_ankle", "left_wrist", "right_wrist", "head")
_MIDDLE = [i for i in range(1, len(H36M17)) if i not in _ENDS]


def small_budget(steps: int) -> dict[str, LifterConfig]:
    """The networks of the table with another number of steps."""
    return {name: replace(config, steps=steps) for name, config in NETWORKS.items()}


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name.lower()).strip("_")


def _predict(network: nn.Module, seen: Simulation) -> NDArray[np.float32]:
    encoded = encode(seen.rays, seen.sigma, seen.valid, np.zeros(len(seen.rays), dtype=bool))
    with torch.no_grad():
        xyz = torch.cat([network(part)[0] for part in torch.split(torch.from_numpy(encoded.features), 1000)])
    return np.asarray(xyz.numpy() @ encoded.rotation)


def _row(name: str, network: nn.Module, level: Simulation, rolled: Simulation) -> tuple[dict[str, Any], FloatArray]:
    """Figures of one network, and its error on every frame of the level set in mm."""
    body = slice(0, len(H36M17))
    xyz, truth = _predict(network, level)[:, body], level.xyz_m[:, body]
    error = 1000.0 * joint_errors_m(xyz, truth)
    frame = error.mean(axis=1)
    other = 1000.0 * joint_errors_m(_predict(network, rolled)[:, body], rolled.xyz_m[:, body])
    row = {
        "network": name,
        "parameters": sum(p.numel() for p in network.parameters()),
        "mpjpe_mm": float(frame.mean()),
        "mpjpe_ci95_mm": list(bootstrap_ci(frame, level.subject)),
        "n_mpjpe_mm": float(1000.0 * joint_errors_m(xyz, truth, "scale").mean()),
        "pa_mpjpe_mm": float(1000.0 * joint_errors_m(xyz, truth, "procrustes").mean()),
        "limb_ends_mm": float(error[:, _ENDS].mean()),
        "other_joints_mm": float(error[:, _MIDDLE].mean()),
        "rolled_mpjpe_mm": float(other.mean()),
    }
    return row, frame


def measure_networks(
    networks: Mapping[str, LifterConfig], data: Path, runs: Path, *, max_frames: int = 5000, seed: int = 0
) -> dict[str, Any]:
    """Train what isn't trained yet, and measure all on held-out subjects, level and rolled cameras, exact 2D.

    Args:
        networks: names and configurations; the first is the one that the others are compared with.
        data: folder with train.npz and val.npz.
        runs: folder for one run of each.
        max_frames: of val.npz.
        seed: of the cameras.

    Returns:
        ``{"metrics", "rows", "versions"}``. `change_ci95_pct` is the interval, over subjects, of a network's error
        against the first one's on the same frames.
    """
    motion = read_motion(data / "val.npz")
    pick = np.linspace(0, len(motion) - 1, min(max_frames, len(motion))).astype(int)
    motion = motion.select(np.isin(np.arange(len(motion)), pick))
    level = simulate(motion, np.random.default_rng((seed, 0)), crooked=False)
    rolled = simulate(motion, np.random.default_rng((seed, 1)), crooked=True)
    rows: list[dict[str, Any]] = []
    first: FloatArray | None = None
    for name, config in networks.items():
        out = runs / _slug(name)
        if not _finished(out, config):
            train_lifter(config, data, out, resume=(out / "state.json").is_file())
        network = load_weights(config, out / "weights.safetensors")
        row, frame = _row(name, network, level, rolled)
        first = frame if first is None else first
        row["change_pct"] = float(100.0 * (frame.mean() / first.mean() - 1.0))
        low, high = bootstrap_ci(
            np.stack([frame, first], axis=1), level.subject, statistic=lambda x: float(x[:, 0].mean() / x[:, 1].mean())
        )
        row["change_ci95_pct"] = [100.0 * (low - 1.0), 100.0 * (high - 1.0)]
        rows.append(row)
    config = next(iter(networks.values()))
    metrics = {"steps": config.steps, "batch": config.batch, "frames": len(motion)} | _margin(rows)
    return {"metrics": metrics, "rows": rows, "versions": {"torch": version("torch"), "data": "val.npz"}}


def _finished(out: Path, config: LifterConfig) -> bool:
    state = out / "state.json"
    return state.is_file() and int(json.loads(state.read_text(encoding="utf-8"))["step"]) >= config.steps


def _margin(rows: list[dict[str, Any]]) -> dict[str, float]:
    """How far the first network lies below the best baseline, in percent of the latter."""
    baselines = [
        row for row in rows[1:] if any(word in row["network"] for word in ("baseline", "GraFormer", "plain t"))
    ]
    if not baselines:
        return {}
    best = min(row["mpjpe_mm"] for row in baselines)
    return {"below_best_baseline_pct": 100.0 * (1.0 - rows[0]["mpjpe_mm"] / best)}


def learning_curve(log: Path) -> dict[str, Any]:
    """A training run's log.jsonl as rows: at each look, the error on held-out subjects in mm.

    Raises:
        InputError: there is no log.
    """
    if not log.is_file():
        raise InputError("no log of a training run", where=str(log))
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    keys = ("step", "minutes", "level", "level_cmu", "level_ui", "rolled", "noisy")
    rows = [{key: line[key] for key in keys if key in line} for line in lines]
    thin = [row for i, row in enumerate(rows) if i % 2 == 0 or i == len(rows) - 1]
    return {"metrics": {"steps": rows[-1]["step"], "minutes": rows[-1]["minutes"]}, "rows": thin, "versions": {}}


def write_figures(result: Mapping[str, Any], command: str, path: Path) -> None:
    """Keep a result where the documents take it from."""
    text = json.dumps({"command": command} | dict(result), indent=1, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8")


def write_ablation(data: Path, runs: Path, figures: Path, *, steps: int, log: Path | None = None) -> None:
    """Write ablation.json, and curve.json from the log of the shipped lifter's run, where the documents take them from.

    Args:
        data: folder with train.npz and val.npz.
        runs: folder for the small runs.
        figures: folder of the figures.
        steps: of each run.
        log: log.jsonl of the shipped lifter's run.
    """
    torch.set_num_threads(1)
    if log is not None:
        write_figures(learning_curve(log), "posepipe train lifter", figures / "curve.json")
    result = measure_networks(small_budget(steps), data, runs)
    write_figures(
        result, f"posepipe evaluate ablation --data ../shared/data/mocap --steps {steps}", figures / "ablation.json"
    )
