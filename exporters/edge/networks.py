"""The bundle's networks in one variant, from the installed mediapipe wheel and our own model cards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from exporters.edge import graphs
from exporters.edge.measure import calibration_frames
from exporters.edge.rounding import equalised, rounded_weights, unbiased
from posepipe.body.lift import SigmaCalibration
from posepipe.errors import ModelError, UsageError
from posepipe.keypoints.blazepose_models import blazepose_files
from posepipe.weights import find_model, list_cards

__all__ = [
    "OPTIONAL", "VARIANTS", "Network", "build", "byte_weights", "dynamic_int8", "float_networks", "half_weights",
    "static_int8",
]  # fmt: skip

VARIANTS = ("float32", "float16", "int8")
STATIC_OPS = ("Conv", "Add", "MaxPool", "Resize", "Clip")

_LEAST_WEIGHTS = 64  # Smaller tensors stay as they are.
# Convolutions of fewer keep float16 where only weights become bytes: stem, depthwise ones and heads, 2 % of the size,
# and nine tenths of the error of the detector's scores.
_LITTLE = 6000
_FLOAT16_MAX = 65504.0
_LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU")

OPTIONAL = ("refiner",)
"""Only in the bundle if asked for; not counted in its size."""
_OURS = ("exercise", "form", "gait", "reps")
# What int8 leaves at half size: classifier and counter are small, and the refiner's gradients need the precision.
_HALF = ("exercise", "reps", *OPTIONAL)
_MEDIAPIPE_LICENCE = "Apache-2.0"
_MEDIAPIPE = "mediapipe 0.10.21 (Google), translated from TFLite"
_NPM = "@mediapipe/pose 0.5.1675469404 (Google, from npm), translated from TFLite"
_PICTURES = 64
_MEASURED_ON = 4
"""Every so many of them tell the size and mean of channels; more tell nothing more."""
# Layers that stay float32 at the beginning, and the share of them at the end, where the picture has shrunk to a few
# cells. Chosen on rendered pictures.
_KEPT = {"landmarks": (4, 4)}


def half_weights(model: ModelProto) -> ModelProto:
    """Weights as float16, each with a cast back to float32 that ONNX Runtime does once, when it loads."""
    small = named(model)
    graph = small.graph
    casts = []
    weights = {name for node in graph.node if node.op_type in _LAYERS for name in node.input[1:]}
    for tensor in graph.initializer:
        # Scales of int8 layers and what we calculate with stay exact.
        if tensor.data_type != TensorProto.FLOAT or tensor.name not in weights or len(tensor.dims) < 2:
            continue
        values = numpy_helper.to_array(tensor)
        if values.size < _LEAST_WEIGHTS or np.abs(values).max() > _FLOAT16_MAX:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_f16"))
        casts.append(helper.make_node("Cast", [f"{name}_f16"], [name], f"{name}_cast", to=TensorProto.FLOAT))
    body = list(graph.node)
    del graph.node[:]
    graph.node.extend([*casts, *body])
    onnx.checker.check_model(small)
    return small


def byte_weights(model: ModelProto, *, exclude: Sequence[str] = ()) -> ModelProto:
    """Convolutions' weights as int8 with a scale for each channel, made float32 once, when the network is loaded.

    What is computed stays float32. ``Cast`` and ``Mul`` in place of ``DequantizeLinear``, which ONNX Runtime would keep
    and do again for every picture.

    Args:
        model: float32.
        exclude: outputs of convolutions that keep their weights.
    """
    small = named(model)
    graph = small.graph
    weights = {node.input[1] for node in graph.node if node.op_type == "Conv" and node.output[0] not in exclude}
    made = []
    for tensor in list(graph.initializer):
        if tensor.name not in weights or tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        if values.size < _LEAST_WEIGHTS:
            continue
        name, (steps, step) = tensor.name, rounded_weights(values)
        tensor.CopyFrom(numpy_helper.from_array(steps, f"{name}_i8"))
        graph.initializer.append(numpy_helper.from_array(step, f"{name}_step"))
        made.append(helper.make_node("Cast", [f"{name}_i8"], [f"{name}_float"], f"{name}_cast", to=TensorProto.FLOAT))
        made.append(helper.make_node("Mul", [f"{name}_float", f"{name}_step"], [name], f"{name}_scale"))
    body = list(graph.node)
    del graph.node[:]
    graph.node.extend([*made, *body])
    onnx.checker.check_model(small)
    return small


class _Reader:
    """Calibration inputs in the form that ONNX Runtime's quantiser asks for."""

    def __init__(self, feeds: Sequence[dict[str, NDArray[Any]]]) -> None:
        self._left: Iterator[dict[str, NDArray[Any]]] = iter(feeds)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._left, None)


def static_int8(
    model: ModelProto, feeds: Sequence[dict[str, NDArray[Any]]], *, exclude: Sequence[str] = ()
) -> ModelProto:
    """Convolutions and additions in int8, per channel, ranges from the feeds.

    Args:
        model: float32.
        feeds: inputs to take the ranges from.
        exclude: names of nodes that stay float32.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(named(model), source)
        quantize_static(
            source,
            target,
            _Reader(feeds),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(STATIC_OPS),
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            nodes_to_exclude=list(exclude),
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={
                "ActivationSymmetric": False,
                "QuantizeBias": True,
                # Ranges as a running mean: one odd picture doesn't widen them for all.
                "CalibMovingAverage": True,
                "CalibMovingAverageConstant": 0.05,
            },
        )
        return onnx.load(target)


def dynamic_int8(model: ModelProto, *, exclude: Sequence[str] = ()) -> ModelProto:
    """Matrix products with constant weights in int8, per channel; activations are measured as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(named(model), source)
        quantize_dynamic(
            source,
            target,
            op_types_to_quantize=["MatMul", "Gemm", "LSTM", "GRU"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[*exclude, *_stacked(model)],
        )
        return onnx.load(target)


def _stacked(model: ModelProto) -> list[str]:
    """Products with a stack of matrices, which ONNX Runtime can't do in int8 per channel."""
    stacks = {tensor.name for tensor in model.graph.initializer if len(tensor.dims) > 2}
    return [node.output[0] for node in model.graph.node if node.op_type == "MatMul" and stacks & set(node.input)]


def named(model: ModelProto) -> ModelProto:
    """A copy in which every node has a name: what it makes first. ONNX Runtime 1.20 mixes up nodes without."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for node in copy.graph.node:
        node.name = node.output[0]
    return copy


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


def float_networks(*, network: str = "full", refiner: bool = False) -> dict[str, Network]:
    """All networks in float32, with what can be folded into their graphs.

    Args:
        network: which landmark network, one of `posepipe.keypoints.blazepose_models.NETWORKS`.
        refiner: with the test-time optimisation.

    Raises:
        UsageError: no landmark network of that name.
        ModelError: one is missing or damaged.
    """
    files = blazepose_files(network)
    detector = graphs.detector(onnx.load_from_string(files.onnx_detector()))
    landmarks = graphs.landmarks(onnx.load_from_string(files.onnx_landmarks()))
    found = [
        Network(
            "detector",
            detector,
            _MEDIAPIPE_LICENCE,
            _MEDIAPIPE,
            "people in a picture, before decoding",
            "uint8 BGR 0..255; the picture centred in a black square, bilinear to 224 pixels",
        ),
        Network(
            "landmarks",
            landmarks,
            _MEDIAPIPE_LICENCE,
            _MEDIAPIPE if network == "full" else _NPM,
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
    return {one.name: one for one in found}


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
        variant: one of `VARIANTS`.

    Raises:
        UsageError: no such variant.
    """
    if variant not in VARIANTS:
        raise UsageError(f"variant {variant!r}", hint=f"Valid: {', '.join(VARIANTS)}")
    if variant == "float32" or network.name.endswith("_decode"):
        return named(network.model)
    if variant == "float16" or network.name in _HALF:
        return half_weights(network.model)
    if network.name == "lifter":
        return half_weights(dynamic_int8(network.model))
    if network.name == "detector":
        # It runs when somebody is looked for only, and decides who is there.
        little = _little(network.model)
        even = unbiased(network.model, _feeds("detector")[::_MEASURED_ON], little)
        return half_weights(byte_weights(even, exclude=little))
    if network.name not in _KEPT:
        return named(network.model)
    feeds, kept = _feeds(network.name), _kept_in_float(network)
    even = equalised(network.model, feeds[::_MEASURED_ON])
    return half_weights(static_int8(unbiased(even, feeds[::_MEASURED_ON], kept), feeds, exclude=kept))


def _little(model: ModelProto) -> list[str]:
    """Outputs of convolutions of few weights."""
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in model.graph.initializer}
    return [node.output[0] for node in model.graph.node if node.op_type == "Conv" and sizes[node.input[1]] < _LITTLE]


def _kept_in_float(network: Network) -> list[str]:
    """Nodes that stay float32: what we added, the first layers, the last ones."""
    model, (first, share) = network.model, _KEPT[network.name]
    inner = [node.output[0] for node in model.graph.node if not node.output[0].startswith("pp_")]
    core = [name for name in inner if _kind(model, name) in STATIC_OPS]
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
