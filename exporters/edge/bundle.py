"""Write the bundle: networks, manifest, runner, texts."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto

from exporters.edge import graph_kit
from exporters.edge.amalgamate import amalgamate
from exporters.edge.networks import OPTIONAL, Network, build, float_networks, to_ort
from exporters.edge.notes import notice, readme
from exporters.edge.web import page_facts, write_web
from posepipe import __version__
from posepipe.doctor import package_versions
from posepipe.errors import OutputError, UsageError
from posepipe.exercise.labels import LABELS
from posepipe.media.atomic import require_writable
from posepipe.motion.angles import ANGLES
from posepipe.skeleton import BLAZEPOSE33, BODY21

__all__ = ["SCHEMA", "Plan", "bundle_bytes", "runner_text", "write_bundle"]

SCHEMA = 1
_FORMATS = ("onnx", "ort")
_SCIPY = "exporters.edge.scipy_parts"
_MODELS = "exporters.edge.runner_models"
_REPLACED = {
    "scipy.optimize.linear_sum_assignment": f"{_SCIPY}.linear_sum_assignment",
    "scipy.signal.find_peaks": f"{_SCIPY}.find_peaks",
    "scipy.interpolate.CubicSpline": f"{_SCIPY}.CubicSpline",
    "scipy.linalg.solveh_banded": f"{_SCIPY}.solveh_banded",
    "scipy.ndimage.median_filter": f"{_SCIPY}.median_filter",
    "scipy.ndimage.uniform_filter1d": f"{_SCIPY}.uniform_filter1d",
    "importlib.resources.files": f"{_MODELS}.files",
    "posepipe.exercise.catalogue._read": f"{_MODELS}.read_catalogue",
    "posepipe.weights.find_model": f"{_MODELS}.find_model",
    "posepipe.inference.open_session": f"{_MODELS}.open_session",
}
_WITHOUT = ("posepipe.lifting.lifter.Lifter.__init__", "posepipe.lifting.lifter.Lifter.lift_rays")
_HEADER = '''#!/usr/bin/env python3
"""posepipe on the edge: pixels in, JSON lines out. Needs NumPy, OpenCV and ONNX Runtime only.

    python run_edge.py clip.mp4

Made from posepipe {version} by `posepipe export edge`: the same code as the pipeline's, in one file. Apache-2.0.
"""
'''


@dataclass(frozen=True, slots=True)
class Plan:
    """What to put into a bundle.

    Attributes:
        variant: "float32", "float16" or "int8".
        form: "onnx", or "ort", ONNX Runtime's mobile format.
        refiner: add the exported test-time optimisation.
        ort_web: folder with onnxruntime-web's ``dist`` files; makes the browser page.
    """

    variant: str = "int8"
    form: str = "onnx"
    refiner: bool = False
    ort_web: Path | None = None

    def __post_init__(self) -> None:
        if self.form not in _FORMATS:
            raise UsageError(f"format {self.form!r}", hint=f"Valid: {', '.join(_FORMATS)}")


@cache
def runner_text() -> str:
    """The single-file runner."""
    header = _HEADER.format(version=__version__)
    return amalgamate("exporters.edge.runner", replaced=_REPLACED, without=_WITHOUT, header=header)


def write_bundle(plan: Plan, out: Path, networks: Mapping[str, Network] | None = None) -> dict[str, Any]:
    """Write a bundle without its report.

    Args:
        plan: what goes in.
        out: folder; made if it isn't there. Files of an older bundle in it are replaced.
        networks: in float32, if they are at hand.

    Returns:
        The manifest.

    Raises:
        ModelError: a network is missing.
        OutputError: the folder can't be written.
        UsageError: the folder holds something else.
    """
    _check_folder(out)
    networks = networks if networks is not None else float_networks(refiner=plan.refiner)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".bundle-") as temporary:
        made = Path(temporary) / "bundle"
        (made / "models").mkdir(parents=True)
        entries = {name: _write_network(network, plan, made) for name, network in networks.items()}
        text = runner_text()
        (made / "run_edge.py").write_text(text, encoding="utf-8")
        (made / "run_edge.py").chmod(0o755)
        manifest = _manifest(plan, entries, text)
        (made / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        _write_tables(made / "tables")
        (made / "NOTICE").write_text(notice(manifest), encoding="utf-8")
        (made / "README.md").write_text(readme(manifest, "See `report.json`."), encoding="utf-8")
        if plan.ort_web is not None:
            write_web(plan.ort_web, made / "web")
        try:
            if out.is_dir():
                shutil.rmtree(out)
            made.rename(out)
        except OSError as error:
            raise OutputError(f"can't be written ({error.strerror})", where=str(out)) from error
    return manifest


def _write_tables(folder: Path) -> None:
    """What the code reads besides networks: the exercise catalogue, as JSON, and what normal walks look like."""
    import yaml

    folder.mkdir()
    catalogue = yaml.safe_load((files("posepipe.exercise") / "catalogue.yaml").read_text(encoding="utf-8"))
    (folder / "catalogue.yaml").write_text(json.dumps(catalogue, indent=1) + "\n", encoding="utf-8")
    for table in files("posepipe.gait.norms").iterdir():
        if table.name.endswith(".csv"):
            (folder / table.name).write_text(table.read_text(encoding="utf-8"), encoding="utf-8")


def _check_folder(out: Path) -> None:
    require_writable(out)
    if out.is_dir() and any(out.iterdir()) and not (out / "manifest.json").is_file():
        raise UsageError("the folder isn't empty and holds no bundle", where=str(out), hint="Name another folder")


def _write_network(network: Network, plan: Plan, folder: Path) -> dict[str, Any]:
    model = graph_kit.metadata(
        build(network, plan.variant),
        **{entry.key: entry.value for entry in network.model.metadata_props if entry.key != "calibration"},
        posepipe_name=network.name,
        posepipe_version=__version__,
        variant=plan.variant,
        licence=network.licence,
        source=network.source,
    )
    path = folder / "models" / f"{network.name}.onnx"
    onnx.save(model, path)
    if plan.form == "ort":
        converted = to_ort(path)
        path.unlink()
        path = converted
    data = path.read_bytes()
    return {
        "file": path.relative_to(folder).as_posix(),
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_bytes": len(data),
        "licence": network.licence,
        "source": network.source,
        "does": network.does,
        "normalisation": network.normalisation,
        "optional": network.name in OPTIONAL,
        "opset": {item.domain or "ai.onnx": item.version for item in model.opset_import},
        "inputs": [_port(value) for value in model.graph.input],
        "outputs": [_port(value) for value in model.graph.output],
        "operators": sorted({node.op_type for node in model.graph.node}),
    }


def _port(value: onnx.ValueInfoProto) -> dict[str, Any]:
    kind = value.type.tensor_type
    return {
        "name": value.name,
        "type": TensorProto.DataType.Name(kind.elem_type).lower(),
        "shape": [size.dim_value or size.dim_param for size in kind.shape.dim],
    }


def _manifest(plan: Plan, entries: Mapping[str, dict[str, Any]], runner: str) -> dict[str, Any]:
    return {
        "bundle": SCHEMA,
        "variant": plan.variant,
        "format": plan.form,
        "web": plan.ort_web is not None,
        "models": dict(entries),
        "runner": {"file": "run_edge.py", "sha256": hashlib.sha256(runner.encode()).hexdigest()},
        "keypoints": list(BLAZEPOSE33.joints),
        "joints": list(BODY21.joints),
        "angles": [spec.name for spec in ANGLES],
        "labels": list(LABELS),
        **page_facts(),
        "versions": {"posepipe": __version__} | _versions(("onnx", "onnxruntime", "numpy", "opencv-python")),
    }


def _versions(names: tuple[str, ...]) -> dict[str, str]:
    return {name: found for name, found in package_versions(names).items() if found}


def bundle_bytes(manifest: Mapping[str, Any], folder: Path) -> int:
    """Size of what has to be on the device: everything but optional networks, the browser page and the report."""
    optional = sum(entry["size_bytes"] for entry in manifest["models"].values() if entry["optional"])
    files = [path for path in folder.rglob("*") if path.is_file()]
    counted = [path for path in files if path.relative_to(folder).parts[0] not in ("web", "report.json", "report.md")]
    return sum(path.stat().st_size for path in counted) - int(optional)
