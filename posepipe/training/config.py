"""Settings of a training run, and their TOML file."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from posepipe.errors import UsageError
from posepipe.lifting.baselines import BaselineConfig
from posepipe.lifting.network import NetworkConfig
from posepipe.training.augment import AugmentConfig

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["LifterConfig", "config_from_dict", "load_config"]


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


def load_config(path: Path) -> LifterConfig:
    """Read a TOML file with the fields of `LifterConfig`; sub-tables network, baseline, augment.

    Raises:
        UsageError: missing file or unknown key.
    """
    if not path.is_file():
        raise UsageError("no such file", where=str(path))
    with path.open("rb") as file:
        return config_from_dict(tomllib.load(file), where=str(path))


def config_from_dict(table: dict[str, Any], *, where: str = "config") -> LifterConfig:
    """Dictionary to config; unknown keys are errors."""
    parts: dict[str, Any] = {"network": NetworkConfig, "baseline": BaselineConfig, "augment": AugmentConfig}

    def build(cls: Any, values: dict[str, Any], name: str) -> Any:
        known = {f.name for f in fields(cls)}
        if unknown := set(values) - known:
            raise UsageError(
                f"unknown key {sorted(unknown)[0]!r}", where=name, hint=f"Valid: {', '.join(sorted(known))}"
            )
        made = {
            key: build(parts[key], value, f"{name}.{key}") if cls is LifterConfig and key in parts else value
            for key, value in values.items()
        }
        return cls(**{key: tuple(v) if isinstance(v, list) else v for key, v in made.items()})

    return build(LifterConfig, table, where)  # type: ignore[no-any-return]
