"""Write the bundle: networks, manifest, runner, texts."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from exporters.edge import graphs as graph_kit
from exporters.edge.amalgamate import amalgamate
from exporters.edge.networks import OPTIONAL, Network, build, float_networks, to_ort
from posepipe._version import __version__
from posepipe.body import side_costs
from posepipe.body.angles import ANGLES
from posepipe.doctor import installed
from posepipe.errors import InputError, UsageError
from posepipe.exercise import features
from posepipe.exercise.catalogue import Exercise, load_catalogue
from posepipe.exercise.coach import COACH
from posepipe.exercise.count import COUNT
from posepipe.exercise.labels import LABELS
from posepipe.exercise.recognise import RECOGNISE
from posepipe.exercise.signal import _TRIPLES
from posepipe.keypoints.blazepose import _TORSO, BLAZEPOSE, closer_for
from posepipe.keypoints.sigma import _CAP33, SigmaConstants
from posepipe.record.seal import RECORD, read_record, require_room, writing
from posepipe.samples import SAMPLE_VIDEO
from posepipe.skeleton import BLAZEPOSE33, BODY21, conversion
from posepipe.tracking.tracker import TRACKER

__all__ = ["Plan", "bundle_bytes", "check_folder", "runner_text", "write_bundle"]

SCHEMA = 1
_FORMATS = ("onnx", "ort")
_NAMES = ("manifest.json", "run_edge.py", "pose.cpp", "notice", "readme.md", "report.json", "report.md")
_SCIPY = "exporters.edge.scipy_parts"
_MODELS = "exporters.edge.runner"
_REPLACED = {
    "scipy.optimize.linear_sum_assignment": f"{_SCIPY}.linear_sum_assignment",
    "scipy.linalg.solve_banded": f"{_SCIPY}.solve_banded",
    "scipy.linalg.solveh_banded": f"{_SCIPY}.solveh_banded",
    "importlib.resources.files": f"{_MODELS}.files",
    "posepipe.exercise.catalogue._read": f"{_MODELS}.read_catalogue",
    "posepipe.weights.find_model": f"{_MODELS}.find_model",
    "posepipe.inference.open_session": f"{_MODELS}.open_session",
}
_WITHOUT = ("posepipe.body.lift.Lifter.__init__", "posepipe.body.lift.Lifter.lift_rays")
_HEADER = '''#!/usr/bin/env python3
"""posepipe on the edge: pixels in, JSON lines out. Needs NumPy, OpenCV and ONNX Runtime only.

    python run_edge.py clip.mp4

Made from posepipe {version} by `posepipe export edge`: the same code as the pipeline's, in one file. Apache-2.0.
"""
'''


_NOTICE = """\
posepipe edge bundle
Copyright the posepipe authors. Apache License, Version 2.0.

detector, landmarks: BlazePose, from the mediapipe 0.10.21 wheel or npm's @mediapipe/pose 0.5.1675469404 (manifest.json
says which), Copyright The MediaPipe Authors, Apache License, Version 2.0 (https://www.apache.org/licenses/LICENSE-2.0).
Changed: translated from TFLite to ONNX; segmentation and world outputs cut off; pre- and post-processing added to the
graphs; in the variants float16 and int8, weights stored in float16 or quantised to 8 bits.
Bazarevsky, Grishchenko, Raveendran, Zhu, Zhang, Grundmann: BlazePose: On-device Real-time Body Pose Tracking (2020).

"""

ORT_WEB_FILES = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
"""What the page takes from onnxruntime-web's ``dist`` folder."""
_PAGE = Path(__file__).resolve().parent / "web_page"
_EXAMPLE = Path(__file__).resolve().parent / "pose.cpp"


def notice(manifest: Mapping[str, Any]) -> str:
    """NOTICE: whose work each network is."""
    own = [
        f"{name}: {entry['licence']}. {entry['source']}\n"
        for name, entry in manifest["models"].items()
        if name not in ("detector", "landmarks") and not name.endswith("_decode")
    ]
    return _NOTICE + "\n".join(own)


def readme(manifest: Mapping[str, Any], report: str) -> str:
    """README of the bundle."""
    rows = [
        f"| `{entry['file']}` | {entry['size_bytes'] / 1e6:.2f} MB | {entry['does']} |"
        for entry in manifest["models"].values()
    ]
    web = (
        "\n## Browser\n\nServe this folder and open `web/`:\n\n    python -m http.server 8000\n"
        if manifest["web"]
        else ""
    )
    return f"""# posepipe edge bundle, {manifest["variant"]}

Pixels in, 3D motion, exercise and gait out. Needs Python 3.10 or newer and nothing of posepipe:

    pip install numpy opencv-python-headless onnxruntime
    python run_edge.py clip.mp4          # a file
    python run_edge.py 0                 # a camera
    python run_edge.py clip.mp4 --no-frames --height-m 1.78

One JSON object a line: each frame's people, then the results. Joints, angles and labels are listed in
`manifest.json`, in the order of the arrays; missing numbers are null. Lengths are in metres; the camera frame is x
right, y down, z away.
Not a medical device.

| file | size | what it does |
|---|---|---|
{chr(10).join(rows)}

`run_edge.py` checks every file's sha256 against `manifest.json` before it opens it, and stops with exit code 4 naming
the file that is damaged, cut short or swapped. `pose.cpp` shows how a program in C++ gets from pictures to joints.
{web}
## Measured

{report}
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to put into a bundle.

    Attributes:
        variant: "float32", "float16" or "int8".
        form: "onnx", or "ort", ONNX Runtime's mobile format.
        refiner: add the exported test-time optimisation.
        ort_web: folder with onnxruntime-web's ``dist`` files; makes the browser page.
        network: BlazePose's landmark network, "lite", "full" or "heavy", of those fetched.
    """

    variant: str = "int8"
    form: str = "onnx"
    refiner: bool = False
    ort_web: Path | None = None
    network: str = "full"

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
        out: folder; made if it isn't there. Files of an older bundle in it are replaced, others stay.
        networks: in float32, if they are at hand; those of the plan's landmark network.

    Returns:
        The manifest.

    Raises:
        ModelError: a network is missing.
        OutputError: the folder can't be written.
        UsageError: the folder holds something else.
    """
    check_folder(out)
    networks = networks if networks is not None else float_networks(network=plan.network, refiner=plan.refiner)
    # Whatever an older bundle left goes.
    with writing(out, secrets.token_hex(8)) as made:
        (made / "models").mkdir()
        entries = {name: _write_network(network, plan, made) for name, network in networks.items()}
        text = runner_text()
        (made / "run_edge.py").write_text(text, encoding="utf-8")
        (made / "run_edge.py").chmod(0o755)
        shutil.copyfile(_EXAMPLE, made / "pose.cpp")
        manifest = _manifest(plan, entries, text)
        (made / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        _write_tables(made / "tables")
        (made / "NOTICE").write_text(notice(manifest), encoding="utf-8")
        (made / "README.md").write_text(readme(manifest, "See `report.json`."), encoding="utf-8")
        if plan.ort_web is not None:
            write_web(plan.ort_web, made / "web")
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


def check_folder(out: Path) -> None:
    """Raise `UsageError` if a bundle can't go there without writing over something else."""
    require_room(out, _NAMES)
    if out.is_dir() and any(out.iterdir()) and "manifest.json" not in read_record(out).names:
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
        "network": plan.network,
        "format": plan.form,
        "web": plan.ort_web is not None,
        "models": dict(entries),
        "runner": {"file": "run_edge.py", "sha256": hashlib.sha256(runner.encode()).hexdigest()},
        "keypoints": list(BLAZEPOSE33.joints),
        "joints": list(BODY21.joints),
        "angles": [spec.name for spec in ANGLES],
        "labels": list(LABELS),
        **page_facts(plan.network),
        "versions": {"posepipe": __version__} | installed(("onnx", "onnxruntime", "numpy", "opencv-python")),
    }


def bundle_bytes(manifest: Mapping[str, Any], folder: Path) -> int:
    """Size of what has to be on the device: everything but optional networks, the browser page and the report."""
    optional = sum(entry["size_bytes"] for entry in manifest["models"].values() if entry["optional"])
    files = [path for path in folder.rglob("*") if path.is_file()]
    left_out = ("web", "report.json", "report.md", RECORD)
    counted = [path for path in files if path.relative_to(folder).parts[0] not in left_out]
    return sum(path.stat().st_size for path in counted) - int(optional)


def write_web(ort_web: Path, folder: Path) -> None:
    """Write the page, the sample clip and onnxruntime-web's files.

    Args:
        ort_web: the ``dist`` folder of the npm package onnxruntime-web.
        folder: where to.

    Raises:
        InputError: a file of onnxruntime-web isn't there.
    """
    (folder / "ort").mkdir(parents=True)
    for name in ORT_WEB_FILES:
        if not (ort_web / name).is_file():
            raise InputError(
                "no such file of onnxruntime-web",
                where=str(ort_web / name),
                hint="npm pack onnxruntime-web, unpack it, and name its package/dist folder",
            )
        shutil.copyfile(ort_web / name, folder / "ort" / name)
    for path in _PAGE.iterdir():
        shutil.copyfile(path, folder / path.name)
    shutil.copyfile(SAMPLE_VIDEO, folder / "sample.mp4")


def page_facts(network: str = "full") -> dict[str, Any]:
    """Parts of the manifest for programs that aren't Python: conversions and constants, by position.

    Args:
        network: the landmark network that is looked through.
    """
    matrix = conversion(BLAZEPOSE33, BODY21)
    body = [[[int(k), float(row[k])] for k in np.flatnonzero(row)] for row in matrix]
    return {
        "body": body,
        "edges": BLAZEPOSE33.edge_indices.tolist(),
        "sigma": {"first": asdict(SigmaConstants()), "cap": np.round(_CAP33, 9).tolist()},
        "finder": asdict(BLAZEPOSE) | {"closer": closer_for(network)},
        "torso": _TORSO.tolist(),
        "guard": _guard(),
        "tracker": {"settings": asdict(TRACKER), "mirror": BLAZEPOSE33.mirror.tolist()},
        "recogniser": _recogniser(),
        "coach": asdict(COACH),
        "count": asdict(COUNT),
    }


def _guard() -> dict[str, Any]:
    """What tells left from right: pairs (left, right, group), how joints are exchanged, and the group of each."""
    joints, groups = side_costs.pairs(BLAZEPOSE33.name)
    return {
        "settings": asdict(side_costs.SIDES),
        "pairs": np.column_stack([joints, groups]).tolist(),
        "mirror": BLAZEPOSE33.mirror.tolist(),
        "group": side_costs.members(BLAZEPOSE33.name).tolist(),
    }


def _recogniser() -> dict[str, Any]:
    of = {name: i for i, name in enumerate(features.JOINTS)}

    def places(*names: str) -> list[int]:
        return [of[name] for name in names]

    catalogue = load_catalogue()
    return {
        "window_s": features.WINDOW_S,
        "stride_s": features.STRIDE_S,
        "min_stream_s": RECOGNISE.min_stream_s,
        "samples": features.SAMPLES,
        "joints": BODY21.indices(*features.JOINTS),
        "at": of,
        "angles": [places(*names) for names in features.ANGLES],
        "distances": [places(*names) for names in features.DISTANCES],
        "heights": [places(*names) for names in features._HEIGHTS],
        "bones": [[*places(a, b), length] for a, b, length in features._BONES],
        "trunk_m": features._TRUNK_M,
        "mirror": _mirror(),
        "exercises": {name: _exercise(item) for name, item in catalogue.exercises.items() if item.counted},
        "held": [name for name, item in catalogue.exercises.items() if not item.counted],
    }


def _mirror() -> dict[str, list[int]]:
    """The mirror image of a window's columns: which column each takes, and with which sign."""
    count = len(features.FEATURES)
    numbered = np.tile(np.arange(1, count + 1, dtype=np.float32), (1, 1, 1))
    image = features.mirror(numbered)[0, 0]
    return {"column": [int(abs(v)) - 1 for v in image], "sign": [int(np.sign(v)) for v in image]}


def _exercise(item: Exercise) -> Mapping[str, Any]:
    """A catalogue entry by positions in Body21; no triples where its measure isn't an angle of three joints."""
    names = _TRIPLES.get(item.signal)
    triples = [BODY21.indices(*(f"{side}_{n}" for n in names)) for side in ("left", "right")] if names else []
    return {
        "signal": item.signal,
        "triples": triples,
        "flip": item.signal == "arm_raise",
        "sides": item.sides,
        "start": item.start,
        "min_range_deg": item.min_range_deg,
        "tempo_s": list(item.tempo_s),
    }
