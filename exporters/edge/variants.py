"""float32, float16 and int8 of one network.

float16 keeps the weights in half the space and computes in float32: the file is half as large, runs everywhere, and
BlazePose, whose weights are float16 from the beginning, gives exactly the same.
int8 is quantised statically, per channel, with zero points and ranges from rendered pictures; the lifter, without
a static range, dynamically.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

__all__ = ["STATIC_OPS", "VARIANTS", "dynamic_int8", "half_weights", "named", "static_int8"]

VARIANTS = ("float32", "float16", "int8")
STATIC_OPS = ("Conv", "Add", "MaxPool", "Resize", "Clip")

_LEAST_WEIGHTS = 64  # Smaller tensors stay as they are.
_FLOAT16_MAX = 65504.0
_LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU")


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
