"""Networks made ready for int8: the same in float32, nearer to themselves once rounded.

`equalised` brings the channels of a tensor to one size where that changes nothing: between linear convolutions, whose
tensors have one scale in int8 for channels of very different size. `unbiased` takes out of each convolution the mean
error of its rounded weights. Both are of Nagel et al., Data-Free Quantization Through Weight Equalization and Bias
Correction (2019), here with pictures in place of what batch normalisation tells.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, numpy_helper

__all__ = ["equalised", "rounded_weights", "unbiased"]

FloatArray = NDArray[np.float32]

_MOST = 16.0
"""No channel is made larger by more."""
_STEPS = 127
"""Steps of an int8 weight on each side of zero."""

Feeds = Sequence[Mapping[str, NDArray[Any]]]


def equalised(model: ModelProto, feeds: Feeds) -> ModelProto:
    """The same network with every channel of its linear streams as large as the largest.

    A stream is what additions tie together: outputs of convolutions without an activation, and their sums, that only
    convolutions and such additions take in. Its channels may be scaled if their takers scale them back.

    Args:
        model: float32.
        feeds: inputs that channels are measured on.
    """
    makers = {name: node for node in model.graph.node for name in node.output}
    streams = _streams(model, makers)
    sizes = _channel_sizes(model, feeds, [name for stream in streams for name in stream])
    weights = _weights(model)
    for stream in streams:
        size = np.max([sizes[name] for name in stream], axis=0)
        scale = np.clip(size.max() / np.maximum(size, 1e-6), 1.0, _MOST).astype(np.float32)
        for name in stream:
            if makers[name].op_type == "Conv":
                kernel, *bias = makers[name].input[1:]
                weights[kernel] = weights[kernel] * scale[:, None, None, None]
                for one in bias:
                    weights[one] = weights[one] * scale
        for node in model.graph.node:
            if node.op_type == "Conv" and node.input[0] in stream:
                back = scale[:, None, None, None] if _depthwise(node) else scale[None, :, None, None]
                weights[node.input[1]] = weights[node.input[1]] / back
    return _with_weights(model, weights)


def unbiased(model: ModelProto, feeds: Feeds, kept: Collection[str] = ()) -> ModelProto:
    """The same network with biases that make up for what rounding the weights to int8, per channel, adds on average.

    Args:
        model: float32; each convolution has a bias.
        feeds: inputs over which the mean is taken.
        kept: names of outputs of convolutions that stay float32.
    """
    rounded = [node for node in model.graph.node if node.op_type == "Conv" and not set(node.output) & set(kept)]
    means = _means(model, feeds, sorted({node.input[0] for node in rounded}))
    weights = _weights(model)
    for node in rounded:
        kernel = weights[node.input[1]]
        steps, step = rounded_weights(kernel)
        error = steps * step - kernel
        mean = means[node.input[0]]
        shift = error.sum(axis=(2, 3)) * (mean[:, None] if _depthwise(node) else mean[None])
        weights[node.input[2]] = weights[node.input[2]] - shift.sum(axis=1)
    return _with_weights(model, weights)


def rounded_weights(kernel: FloatArray) -> tuple[NDArray[np.int8], FloatArray]:
    """Weights (O, I, H, W) in whole steps, and each output channel's step (O, 1, 1, 1)."""
    step = (np.abs(kernel).max(axis=(1, 2, 3), keepdims=True) / _STEPS).astype(np.float32)
    return np.round(kernel / np.where(step > 0.0, step, 1.0)).astype(np.int8), step


def _streams(model: ModelProto, makers: Mapping[str, NodeProto]) -> list[set[str]]:
    """Tensors that may be scaled together, set by set."""
    outputs = {value.name for value in model.graph.output}

    def linear(name: str) -> bool:
        takers = [node for node in model.graph.node if name in node.input]
        from_here = name in makers and makers[name].op_type in ("Conv", "Add") and name not in outputs
        return from_here and all(node.op_type in ("Conv", "Add") for node in takers)

    streams = [{name} for name, node in makers.items() if node.op_type in ("Conv", "Add")]
    for node in model.graph.node:
        if node.op_type == "Add":
            tied = {*node.input, *node.output}
            met = [stream for stream in streams if stream & tied]
            streams = [stream for stream in streams if not stream & tied] + [tied.union(*met)]
    return [stream for stream in streams if all(linear(name) for name in stream)]


def _depthwise(node: NodeProto) -> bool:
    return any(item.name == "group" and item.i > 1 for item in node.attribute)


def _tensors(model: ModelProto, feeds: Feeds, names: Sequence[str]) -> list[dict[str, FloatArray]]:
    """These tensors for each feed."""
    import onnxruntime as ort

    probe = ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(probe.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [dict(zip(names, session.run(list(names), dict(feed)), strict=True)) for feed in feeds] if names else []


def _channel_sizes(model: ModelProto, feeds: Feeds, names: Sequence[str]) -> dict[str, FloatArray]:
    """Largest magnitude of each channel, the mean over feeds."""
    found = _tensors(model, feeds, names)
    return {name: np.mean([np.abs(one[name]).max(axis=(0, 2, 3)) for one in found], axis=0) for name in names}


def _means(model: ModelProto, feeds: Feeds, names: Sequence[str]) -> dict[str, FloatArray]:
    """Mean of each channel."""
    found = _tensors(model, feeds, names)
    return {name: np.mean([one[name].mean(axis=(0, 2, 3)) for one in found], axis=0) for name in names}


def _weights(model: ModelProto) -> dict[str, FloatArray]:
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    return {name: array for name, array in arrays.items() if array.dtype == np.float32}


def _with_weights(model: ModelProto, weights: Mapping[str, FloatArray]) -> ModelProto:
    copy = ModelProto()
    copy.CopyFrom(model)
    for tensor in copy.graph.initializer:
        if tensor.name in weights:
            array = np.asarray(weights[tensor.name], np.float32)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return copy
