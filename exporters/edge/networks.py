"""The bundle's networks in one variant, from the installed mediapipe wheel and our own model cards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto

from exporters.edge import graphs, variants
from exporters.edge.frames import calibration_frames
from posepipe.errors import ModelError, UsageError
from posepipe.keypoints.blazepose_models import from_wheel
from posepipe.lifting.calibration import SigmaCalibration
from posepipe.weights import find_model, list_cards

__all__ = ["OPTIONAL", "Network", "build", "float_networks"]

OPTIONAL = ("refiner",)
"""Only in the bundle if asked for; not counted in its size."""

_OURS = ("exercise", "form", "gait", "reps")
# What int8 leaves at half size: classifier and counter are small, and the refiner's gradients need the precision.
_HALF = ("exercise", "reps", *OPTIONAL)
_MEDIAPIPE_LICENCE = "Apache-2.0"
_PICTURES = 64
# Layers that stay float32 at the beginning, and the share of them at the end, where the picture has shrunk to a few
# cells. Chosen on rendered pictures: the detector runs in few frames and can afford more.
_KEPT = {"detector": (10, 3), "landmarks": (4, 6)}


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """One network of the bundle.

    Attributes:
        name: file name without ending, and name in the manifest.
        model: the graph.
        licence: SPDX name.
        source: where the weights come from.
        does: what it does, in words.
        normalisation: what its input is, in words.
    """

    name: str
    model: ModelProto
    licence: str
    source: str
    does: str
    normalisation: str


def float_networks(*, refiner: bool = False) -> dict[str, Network]:
    """All networks in float32, with what can be folded into their graphs.

    Raises:
        ModelError: one is missing or damaged.
    """
    files = from_wheel()
    source = "mediapipe 0.10.21 (Google), translated from TFLite"
    detector = graphs.detector(onnx.load_from_string(files.onnx_detector()))
    landmarks = graphs.landmarks(onnx.load_from_string(files.onnx_landmarks()))
    found = [
        Network(
            "detector",
            detector,
            _MEDIAPIPE_LICENCE,
            source,
            "people in a picture, before decoding",
            "uint8 BGR 0..255; the picture centred in a black square, bilinear to 224 pixels",
        ),
        Network(
            "landmarks",
            landmarks,
            _MEDIAPIPE_LICENCE,
            source,
            "39 landmarks of one person with heat maps, before decoding; mask and world cut off",
            "uint8 BGR 0..255; the person's turned square, edge pixels repeated, bilinear to 256 pixels",
        ),
        _lifter(),
        _decoder("detector_decode", graphs.detector_decode(), "people from the detector's output: suppression is done"),
        _decoder(
            "landmarks_decode", graphs.landmarks_decode(), "35 points and sigma's features from the landmark output"
        ),
    ]
    cards = {card.name: card for card in list_cards()}
    for name in (*_OURS, *(OPTIONAL if refiner else ())):
        if name in cards:
            card = cards[name]
            found.append(
                Network(name, onnx.load(find_model(name)), card.licence, card.source, card.description, card.input)
            )
    return {network.name: network for network in found}


def _decoder(name: str, model: ModelProto, does: str) -> Network:
    note = "outputs of the network before it; run_edge.py decodes for itself, phones and browsers use this"
    return Network(name, model, "Apache-2.0", "posepipe; no weights", does, note)


def _lifter() -> Network:
    card = {card.name: card for card in list_cards()}["lifter"]
    model = onnx.load(find_model("lifter"))
    table = {entry.key: entry.value for entry in model.metadata_props}
    if "calibration" not in table:
        raise ModelError("the lifter carries no calibration", where=str(card.model_path), hint="Export it again")
    folded = graphs.lifter(model, SigmaCalibration.from_json(table["calibration"]))
    return Network(
        "lifter",
        folded,
        card.licence,
        card.source,
        "rays of 21 joints to metres relative to the pelvis in the camera frame, with calibrated sigma",
        "rays are (pixel - principal point) / focal length, sigma likewise; valid marks joints that were seen",
    )


def build(network: Network, variant: str) -> ModelProto:
    """One network in one variant.

    Args:
        network: float32.
        variant: one of `variants.VARIANTS`.

    Raises:
        UsageError: no such variant.
    """
    if variant not in variants.VARIANTS:
        raise UsageError(f"variant {variant!r}", hint=f"Valid: {', '.join(variants.VARIANTS)}")
    if variant == "float32" or network.name.endswith("_decode"):
        return variants.named(network.model)
    if variant == "float16" or network.name in _HALF:
        return variants.half_weights(network.model)
    if network.name == "lifter":
        return variants.half_weights(variants.dynamic_int8(network.model))
    if network.name not in _KEPT:
        return variants.named(network.model)
    model = variants.static_int8(network.model, _feeds(network.name), exclude=_kept_in_float(network))
    return variants.half_weights(model)


def _kept_in_float(network: Network) -> list[str]:
    """Nodes that stay float32: what we added, the first layers, the last ones."""
    model, (first, share) = network.model, _KEPT[network.name]
    inner = [node.output[0] for node in model.graph.node if not node.output[0].startswith("pp_")]
    core = [name for name in inner if _kind(model, name) in variants.STATIC_OPS]
    ours = [node.output[0] for node in model.graph.node if node.output[0] not in core]
    return [*ours, *core[:first], *core[len(core) - len(core) // share :]]


def _kind(model: ModelProto, output: str) -> str:
    return next(str(node.op_type) for node in model.graph.node if output in node.output)


@cache
def _pictures() -> Mapping[str, NDArray[np.uint8]]:
    made = calibration_frames(_PICTURES)
    return {"detector": made.squares, "landmarks": made.crops}


def _feeds(name: str) -> list[dict[str, NDArray[Any]]]:
    return [{"image": picture[None]} for picture in _pictures()[name]]


def to_ort(path: Path) -> Path:
    """The same network in ONNX Runtime's mobile format, beside it.

    Weights stay in the form they have: folding would turn half-size weights into whole ones.
    """
    import onnxruntime as ort

    target = path.with_suffix(".ort")
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    options.add_session_config_entry("session.save_model_format", "ORT")
    options.log_severity_level = 3
    ort.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"], disabled_optimizers=["ConstantFolding"]
    )
    return target
