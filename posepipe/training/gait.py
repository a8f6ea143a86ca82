"""Train the gait classifier and write the norms it stands on.

    posepipe train gait --data ../shared/data/mocap --out runs/gait

Two heads over the same distances from normal. The first adds up, feature by feature, what a distance beyond half a
standard deviation says, in four ramps, so that a feature may say little until it is far out; weights can't be negative:
being further from normal never lowers the probability; and each addend saturates, so that one feature that a strange
camera upsets can't decide alone. The second names the
pattern and is linear too. Features are hidden at random in training: skeletons without feet or arms must work too.

Both are convex problems of some thousand rows: solved, not trained. Torch only writes the ONNX file.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import nn
from torch.nn import functional

from posepipe.gait.features import FEATURES
from posepipe.gait.norms import SEEN
from posepipe.training.gait_walks import NORMAL, WalkTable

__all__ = ["GaitNetwork", "TrainConfig", "evaluate_table", "export", "train"]

Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]

OPSET = 17
_TENSORS = ("z", "known", "seen", "probability", "contribution", "pattern")
_FROM_SD, _FULL_SD = 0.5, 4.0  # Of the pattern head.
_RAMPS_SD, _RAMP_SD = (0.5, 1.5, 2.5, 4.0), 1.5
"""Where the additive head's ramps begin and how long they are, in standard deviations."""
_PRIOR = 0.4
_MARKED = 0.6
_MAY_ABOVE = np.array([bool(spec.high) for spec in FEATURES], dtype=np.float32)
_MAY_BELOW = np.array([bool(spec.low) for spec in FEATURES], dtype=np.float32)
_ACKNOWLEDGEMENT = (
    "The data used in this project was obtained from mocap.cs.cmu.edu. The database was created with funding from "
    "NSF EIA-0196217."
)


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How it is trained.

    Attributes:
        copies: varied copies of every walk, beside the walk itself.
        hide: probability that a feature is hidden in a copy; twice that in a fifth of them.
        shift_sd: standard deviation of a constant error of each feature, in its own: no two detectors agree.
        sensor_shift_sd: the same for 3D sensors, of which only one kind is simulated.
        ridge: pull of a way of seeing's weights towards those of all, and of the latter towards 0.
        pattern_ridge: the same for the pattern head, towards 0.
        seed: of everything.
    """

    copies: int = 2
    hide: float = 0.1
    shift_sd: float = 0.3
    sensor_shift_sd: float = 1.0
    ridge: float = 1.0
    pattern_ridge: float = 0.5
    seed: int = 1


class GaitNetwork(nn.Module):
    """Distances from normal to probability, what each adds, and pattern probabilities.

    Args:
        patterns: how many patterns.
    """

    above: torch.Tensor
    below: torch.Tensor
    bias: torch.Tensor
    heat: torch.Tensor
    pattern_heat: torch.Tensor

    def __init__(self, patterns: int) -> None:
        super().__init__()
        count, ways = len(FEATURES), len(SEEN)
        ramps = len(_RAMPS_SD)
        self.register_buffer("above", torch.zeros(ways, ramps, count))
        self.register_buffer("below", torch.zeros(ways, ramps, count))
        self.register_buffer("bias", torch.zeros(ways))
        self.register_buffer("heat", torch.ones(ways))
        self.register_buffer("pattern_heat", torch.tensor(1.0))
        self.names = nn.Linear(4 * count + ways, patterns)

    def contributions(self, z: torch.Tensor, known: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """What each feature adds to the logit (B, F); never negative."""
        total = torch.zeros_like(z)
        for ramp, start in enumerate(_RAMPS_SD):
            total = total + _ramp(z, start) * (seen @ self.above[:, ramp])
            total = total + _ramp(-z, start) * (seen @ self.below[:, ramp])
        return total * known

    def logits(self, z: torch.Tensor, known: torch.Tensor, seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logit of abnormal (B,) and of the patterns (B, P), before calibration."""
        high, low = _tails(z)
        signs = torch.cat([torch.tanh(z / 3.0) * known, high * known, low * known, known, seen], dim=1)
        return seen @ self.bias + self.contributions(z, known, seen).sum(dim=1), self.names(signs)

    def forward(
        self, z: torch.Tensor, known: torch.Tensor, seen: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Probability (B,), contributions (B, F), pattern probabilities (B, P)."""
        logit, names = self.logits(z, known, seen)
        heat = seen @ self.heat
        return (
            torch.sigmoid(logit * heat),
            self.contributions(z, known, seen) * heat[:, None],
            torch.softmax(names * self.pattern_heat, dim=1),
        )


def _ramp(z: torch.Tensor, start_sd: float) -> torch.Tensor:
    """0 before the start, 1 after the ramp."""
    return ((z - start_sd) / _RAMP_SD).clamp(0.0, 1.0)


def _tails(z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """How far above and below normal, in [0, 1)."""
    return (
        torch.tanh(functional.relu(z - _FROM_SD) / _FULL_SD),
        torch.tanh(functional.relu(-z - _FROM_SD) / _FULL_SD),
    )


def train(table: WalkTable, config: TrainConfig | None = None) -> GaitNetwork:
    """Fit both heads on a table's training walks and calibrate on its calibration walks.

    Args:
        table: features as distances from normal; see `posepipe.training.gait_walks`.
        config: settings.
    """
    config = config or TrainConfig()
    torch.manual_seed(config.seed)
    network = GaitNetwork(len(table.patterns))
    part = _varied(table.part("train"), config)
    _fit_additive(network, part, config)
    _fit_patterns(network, part, config)
    _calibrate(network, table)
    return network.eval()


def _varied(part: WalkTable, config: TrainConfig) -> WalkTable:
    """The walks and varied copies of them."""
    rng = np.random.default_rng(config.seed)
    shift = np.where(part.seen == "sensor", config.sensor_shift_sd, config.shift_sd)[:, None]
    copies = [part]
    for _ in range(config.copies):
        hide = config.hide * np.where(rng.random((len(part.z), 1)) < 0.2, 2.0, 1.0)
        known = (part.known * (rng.random(part.z.shape) >= hide)).astype(np.float32)
        z = ((part.z + shift * rng.standard_normal(part.z.shape)) * known).astype(np.float32)
        copies.append(WalkTable(z, known, part.pattern, part.split, part.seen, part.severity, part.patterns))
    return WalkTable(
        np.concatenate([copy.z for copy in copies]),
        np.concatenate([copy.known for copy in copies]),
        np.concatenate([copy.pattern for copy in copies]),
        np.concatenate([copy.split for copy in copies]),
        np.concatenate([copy.seen for copy in copies]),
        np.concatenate([copy.severity for copy in copies]),
        part.patterns,
    )


def _fit_additive(network: GaitNetwork, part: WalkTable, config: TrainConfig) -> None:
    """Logistic regression with weights of at least 0: first of all walks, then of each way of seeing near those."""
    z = torch.from_numpy(part.z)
    design = np.concatenate(
        [_ramp(z, start).numpy() * _MAY_ABOVE * part.known for start in _RAMPS_SD]
        + [_ramp(-z, start).numpy() * _MAY_BELOW * part.known for start in _RAMPS_SD],
        axis=1,
    )
    truth = (part.pattern != NORMAL).astype(np.float64)
    ridge = config.ridge * (1 + config.copies)
    shared = _logistic(design.astype(np.float64), truth, ridge, np.zeros(design.shape[1]))
    shape = (len(_RAMPS_SD), len(FEATURES))
    half = len(_RAMPS_SD) * len(FEATURES)
    for number, seen in enumerate(SEEN):
        rows = part.seen == seen
        found = shared
        if rows.any() and 0.0 < truth[rows].mean() < 1.0:
            found = _logistic(design[rows].astype(np.float64), truth[rows], ridge, shared[:-1])
        network.above[number] = torch.from_numpy(found[:half].reshape(shape).astype(np.float32))
        network.below[number] = torch.from_numpy(found[half : 2 * half].reshape(shape).astype(np.float32))
        network.bias[number] = float(found[-1])


def _logistic(design: Array, truth: Array, ridge: float, near: Array) -> Array:
    """Weights (K + 1,), the bias last, of a logistic regression in which both kinds count the same."""
    weight = np.where(truth > 0, 0.5 / truth.mean(), 0.5 / (1.0 - truth.mean()))
    count = design.shape[1]

    def loss(x: Array) -> tuple[float, Array]:
        logit = design @ x[:count] + x[count]
        pull = weight * (1.0 / (1.0 + np.exp(-np.clip(logit, -40.0, 40.0))) - truth)
        away = x[:count] - near
        value = float((weight * (np.logaddexp(0.0, logit) - truth * logit)).sum() + ridge * (away**2).sum())
        return value, np.append(design.T @ pull + 2.0 * ridge * away, pull.sum())

    bounds = [(0.0, None)] * count + [(None, None)]
    found = minimize(loss, np.append(near, -2.0), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500})
    return np.asarray(found.x, dtype=np.float64)


def _fit_patterns(network: GaitNetwork, part: WalkTable, config: TrainConfig) -> None:
    """Multinomial logistic regression on the abnormal walks."""
    rows = np.isin(part.pattern, part.patterns)
    z, known, seen = (torch.from_numpy(array[rows]) for array in (part.z, part.known, part.seen_flags))
    index = torch.tensor([part.patterns.index(name) for name in part.pattern[rows]])
    weights = [network.names.weight, network.names.bias]
    nn.init.zeros_(network.names.weight)
    fit = torch.optim.LBFGS(weights, max_iter=120, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        fit.zero_grad()
        loss = functional.cross_entropy(network.logits(z, known, seen)[1], index, reduction="sum")
        loss = loss + config.pattern_ridge * (1 + config.copies) * (network.names.weight**2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    fit.step(closure)  # type: ignore[no-untyped-call]


def _calibrate(network: GaitNetwork, table: WalkTable) -> None:
    """Bias and heat of the probability, heat of the patterns, on the calibration walks.

    For someone of whom nothing is known but that four in ten of those who are screened walk abnormally.
    """
    part = table.part("calibrate")
    seen = torch.from_numpy(part.seen_flags)
    with torch.no_grad():
        logit, names = network.logits(torch.from_numpy(part.z), torch.from_numpy(part.known), seen)
    truth = torch.from_numpy((part.pattern != NORMAL).astype(np.float32))
    share = (truth[:, None] * seen).sum(dim=0) / seen.sum(dim=0).clamp(min=1.0)
    share = (seen @ share).clamp(0.02, 0.98)
    weight = torch.where(truth > 0, _PRIOR / share, (1.0 - _PRIOR) / (1.0 - share))
    scale = torch.zeros(len(SEEN), requires_grad=True)
    shift, heat = torch.zeros(len(SEEN), requires_grad=True), torch.zeros(1, requires_grad=True)
    index = torch.tensor([table.patterns.index(p) if p in table.patterns else 0 for p in part.pattern])
    some = truth > 0
    fit = torch.optim.LBFGS([scale, shift, heat], max_iter=100)

    def closure() -> torch.Tensor:
        fit.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(
            (logit + seen @ shift) * (seen @ scale).exp(), truth, weight=weight
        )
        loss = loss + functional.cross_entropy(names[some] * heat.exp(), index[some])
        loss = loss + 0.01 * (scale**2).sum()  # A way of seeing with few walks keeps its heat.
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    fit.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        network.bias.add_(shift)
        network.heat.copy_(scale.exp())
        network.pattern_heat.copy_(heat.exp()[0])


def evaluate_table(network: GaitNetwork, table: WalkTable, split: str = "test") -> dict[str, float]:
    """Balanced accuracy, AUROC, share of patterns named right, and calibration error on one split.

    `balanced_accuracy_marked` leaves out patterns of a severity under 0.6: slight ones lie within what is normal.
    """
    from posepipe.evaluation.binary import auroc, balanced_accuracy, calibration_error

    part = table.part(split)
    with torch.no_grad():
        probability, _, names = (
            found.numpy()
            for found in network(
                torch.from_numpy(part.z), torch.from_numpy(part.known), torch.from_numpy(part.seen_flags)
            )
        )
    truth = part.pattern != NORMAL
    named = np.array(table.patterns)[names.argmax(axis=1)]
    flagged = truth & (probability >= 0.5)
    marked = ~truth | (part.severity >= _MARKED)
    return {
        "balanced_accuracy": balanced_accuracy(truth, probability >= 0.5),
        "balanced_accuracy_marked": balanced_accuracy(truth[marked], probability[marked] >= 0.5),
        "auroc": auroc(truth, probability),
        "sensitivity": float((probability >= 0.5)[truth].mean()),
        "specificity": float((probability < 0.5)[~truth].mean()),
        "pattern_accuracy": float((named == part.pattern)[truth].mean()),
        "pattern_accuracy_flagged": float((named == part.pattern)[flagged].mean()),
        "ece": calibration_error(truth, probability),
        "walks": float(len(truth)),
    }


def export(network: GaitNetwork, table: WalkTable, out: Path, metrics: dict[str, Any], command: str) -> Path:
    """Write gait.onnx and its card.

    Raises:
        RuntimeError: ONNX Runtime gives other numbers than torch.
    """
    import onnx

    out.mkdir(parents=True, exist_ok=True)
    path = out / "gait.onnx"
    example = torch.zeros(2, len(FEATURES)), torch.ones(2, len(FEATURES)), torch.eye(len(SEEN))[:2]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # The older exporter, whose graph is plain.
        torch.onnx.export(
            network,
            example,
            str(path),
            opset_version=OPSET,
            input_names=list(_TENSORS[:3]),
            output_names=list(_TENSORS[3:]),
            dynamic_axes={name: {0: "batch"} for name in _TENSORS},
            dynamo=False,
        )
    model = onnx.load(str(path))
    for key, value in _metadata(table).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, json.dumps(value)
    onnx.save(model, str(path))
    _check_parity(network, path)
    _write_card(out / "gait.toml", path, metrics, command)
    return path


def _metadata(table: WalkTable) -> dict[str, list[str]]:
    return {"features": [spec.name for spec in FEATURES], "seen": list(SEEN), "patterns": list(table.patterns)}


def _check_parity(network: GaitNetwork, path: Path) -> None:
    from posepipe.inference import open_session

    rng = np.random.default_rng(0)
    z = rng.normal(0.0, 3.0, (64, len(FEATURES))).astype(np.float32)
    known = (rng.random(z.shape) < 0.8).astype(np.float32)
    seen = np.eye(len(SEEN), dtype=np.float32)[rng.integers(0, len(SEEN), len(z))]
    found = open_session(path, threads=1).run(None, {"z": z, "known": known, "seen": seen})
    with torch.no_grad():
        wanted = network(torch.from_numpy(z), torch.from_numpy(known), torch.from_numpy(seen))
    worst = max(float(np.abs(a - b.numpy()).max()) for a, b in zip(found, wanted, strict=True))
    if worst > 1e-4:
        raise RuntimeError(f"ONNX Runtime and torch differ by {worst}")


def _write_card(path: Path, model: Path, metrics: dict[str, Any], command: str) -> None:
    data = model.read_bytes()
    card = {
        "name": "gait",
        "file": model.name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_bytes": len(data),
        "licence": "Apache-2.0",
        "source": f"{command}: CMU motion capture walks and synthetic ones, filmed by simulated cameras and lifted, or "
        f"taken by a simulated 3D sensor. {_ACKNOWLEDGEMENT}",
        "input": "z (B, F) distances of the features from normal in standard deviations, made by posepipe.gait.abnormal"
        ".z_scores; known (B, F) 1 or 0; seen (B, S) which of posepipe.gait.norms.SEEN",
        "output": "probability (B,) of an abnormal walk, contribution (B, F) of each feature to its logit, pattern "
        "(B, P) probabilities; names of features and patterns in the file's metadata",
        "description": "Abnormal-gait screening: additive over interpretable features, and the likeliest pattern",
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in card.items()]
    lines += ["", "[metrics]", *(f"{key} = {round(value, 4)}" for key, value in metrics.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
