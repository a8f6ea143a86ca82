"""What all training runs share: their configuration, the mean of their weights, and the ONNX file that ships."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn

from posepipe.errors import InputError, ModelError, UsageError
from posepipe.inference import open_session
from posepipe.media.atomic import atomic_path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["ACKNOWLEDGEMENT", "average_weights", "config_from_dict", "read_config", "traced_onnx"]

Config = TypeVar("Config")

ACKNOWLEDGEMENT = (
    "The data used in this project was obtained from mocap.cs.cmu.edu. The database was created with funding from "
    "NSF EIA-0196217. UI-PRMD: Open Data Commons Public Domain Dedication."
)
OPSET = 17
_PARITY = 1e-4


def read_config(kind: type[Config], path: Path) -> Config:
    """Read a TOML file with the fields of a dataclass; its own dataclasses are sub-tables.

    Raises:
        UsageError: missing file or unknown key.
    """
    if not path.is_file():
        raise UsageError("no such file", where=str(path))
    return config_from_dict(kind, tomllib.loads(path.read_text(encoding="utf-8")), where=str(path))


def config_from_dict(kind: type[Config], table: Mapping[str, Any], *, where: str = "config") -> Config:
    """Dictionary to dataclass; unknown keys are errors."""
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if unknown := set(table) - known:
        raise UsageError(f"unknown key {min(unknown)!r}", where=where, hint=f"Valid: {', '.join(sorted(known))}")
    kinds = get_type_hints(kind)

    def value_of(key: str, value: Any) -> Any:
        if is_dataclass(kinds[key]):
            return config_from_dict(kinds[key], value, where=f"{where}.{key}")
        return tuple(value) if isinstance(value, list) else value

    return kind(**{key: value_of(key, value) for key, value in table.items()})


def average_weights(paths: Sequence[Path], out: Path) -> None:
    """Write the mean of every tensor of several points of one run; counters (whole numbers) are the last file's.

    Often better than each of them, and surer than none is of itself (Izmailov et al. 2018, "Averaging Weights Leads to
    Wider Optima and Better Generalization", arXiv 1803.05407).

    Args:
        paths: safetensors of the same network.
        out: file to write.

    Raises:
        InputError: a file is missing, or holds other tensors than the first.
    """
    if missing := [path for path in paths if not path.is_file()]:
        raise InputError("no such file", where=str(missing[0]))
    parts = [load_file(path) for path in paths]
    for path, part in zip(paths, parts, strict=True):
        if {k: v.shape for k, v in part.items()} != {k: v.shape for k, v in parts[0].items()}:
            raise InputError("isn't of the same network as the first", where=str(path))
    mean = {
        name: np.mean([part[name] for part in parts], axis=0, dtype=np.float64).astype(last.dtype)
        if np.issubdtype(last.dtype, np.floating)
        else last
        for name, last in parts[-1].items()
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(out) as temporary:
        save_file(mean, temporary)


def traced_onnx(
    network: nn.Module,
    path: Path,
    axes: Mapping[str, Mapping[int, str]],
    *,
    example: Tensor,
    looked_at: Tensor,
    metadata: Mapping[str, str] | None = None,
) -> float:
    """Export a network of one input and check it against torch.

    Args:
        network: in evaluation mode.
        path: ONNX file to write.
        axes: name of the input and of each output, and their free axes.
        example: input to trace with.
        looked_at: input to compare on.
        metadata: goes into the file.

    Returns:
        Largest difference of any output.

    Raises:
        ModelError: it is above 1e-4.
    """
    import onnx

    name, *outputs = axes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of the older exporter, whose graph is plain.
        torch.onnx.export(
            network, (example,), str(path), input_names=[name], output_names=outputs,
            dynamic_axes={key: dict(free) for key, free in axes.items()}, opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    model = onnx.load(str(path))
    for key, value in (metadata or {}).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    model.doc_string = ""
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    path.chmod(0o644)
    with torch.no_grad():
        found = network(looked_at)
    expected = found if isinstance(found, tuple) else (found,)
    got = open_session(path, threads=1).run(outputs, {name: looked_at.numpy()})
    difference = max(float(np.abs(a.numpy() - b).max()) for a, b in zip(expected, got, strict=True))
    if difference > _PARITY:
        raise ModelError(f"torch and ONNX Runtime differ by {difference:.1e}", where=str(path))
    return difference
