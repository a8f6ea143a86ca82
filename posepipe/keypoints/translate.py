"""Translate the BlazePose networks from TFLite to ONNX (opset 17).

TFLite computes in NHWC, ONNX in NCHW: the translation stays in NCHW from the input to the last convolution and
turns axes only where a tensor is flattened. Explicit PAD operators become the padding of the next convolution, and
everything that no wanted output needs (the segmentation branch, half of the run time) is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import ModelError
from posepipe.keypoints.tflite_graph import Operator, TFLiteGraph, read_tflite

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

__all__ = ["OPSET", "translate"]

OPSET = 17
_SAME = 0
_RELU, _RELU6 = 1, 3
_IR_VERSION = 8  # the one that came with opset 17; older runtimes still read it


def translate(data: bytes, outputs: Mapping[str, tuple[int, ...]], *, where: str = "") -> ModelProto:
    """Translate a TFLite network.

    Args:
        data: content of the TFLite file; one NHWC float input.
        outputs: wanted outputs: a name for each, and its shape in TFLite (batch first), by which it is found.
        where: name of the file, for error messages.

    Returns:
        ONNX model with a free batch axis ``n``. Input ``image`` (n, 3, height, width); outputs named and ordered as
        in `outputs`, four-axis ones as (n, channels, height, width), others as in TFLite.

    Raises:
        ModelError: not a TFLite file, an operator or option we don't know, or no output of a wanted shape.
    """
    graph = read_tflite(data, where)
    wanted: dict[str, int] = {}
    for name, shape in outputs.items():
        found = [tensor for tensor in graph.outputs if graph.shapes[tensor] == shape]
        if len(found) != 1:
            shapes = ", ".join(str(graph.shapes[tensor]) for tensor in graph.outputs)
            raise ModelError(f"no single output of shape {shape} (it has {shapes})", where=where)
        wanted[name] = found[0]
    return _Translator(graph, where).model(wanted)


class _Translator:
    """Collects nodes and constants while walking the graph once."""

    def __init__(self, graph: TFLiteGraph, where: str) -> None:
        self.graph = graph
        self.where = where
        self.nodes: list[NodeProto] = []
        self.initializers: dict[str, NDArray[Any]] = {}
        self.paddings: dict[int, tuple[int, tuple[int, int, int, int]]] = {}
        self.rules: Mapping[str, Callable[[Operator], None]] = {
            "CONV_2D": self._convolution,
            "DEPTHWISE_CONV_2D": self._convolution,
            "MAX_POOL_2D": self._max_pool,
            "ADD": self._add,
            "PAD": self._pad,
            "RESIZE_BILINEAR": self._resize,
            "CONCATENATION": self._concatenation,
            "DEPTH_TO_SPACE": self._depth_to_space,
            "RESHAPE": self._reshape,
            "LOGISTIC": self._logistic,
        }

    def model(self, wanted: Mapping[str, int]) -> ModelProto:
        from onnx import TensorProto, checker, helper, numpy_helper

        for operator in self._needed(set(wanted.values())):
            if operator.kind not in self.rules:
                raise ModelError(f"operator {operator.kind} isn't translated", where=self.where)
            self.rules[operator.kind](operator)
        for name, tensor in wanted.items():
            self._node("Identity", [self._value(tensor)], name)
        source = self.graph.inputs[0]
        _, height, width, channels = self.graph.shapes[source]
        image = helper.make_tensor_value_info(self._name(source), TensorProto.FLOAT, ["n", channels, height, width])
        results = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *self._ours(tensor)[1:]])
            for name, tensor in wanted.items()
        ]
        weights = [numpy_helper.from_array(value, name) for name, value in self.initializers.items()]
        model = helper.make_model(
            helper.make_graph(self.nodes, "blazepose", [image], results, weights),
            opset_imports=[helper.make_opsetid("", OPSET)],
            producer_name="posepipe",
            ir_version=_IR_VERSION,
        )
        checker.check_model(model, full_check=True)
        return model

    def _needed(self, wanted: set[int]) -> list[Operator]:
        needed = []
        for operator in reversed(self.graph.operators):
            if wanted.intersection(operator.outputs):
                needed.append(operator)
                wanted.update(operator.inputs)
        return needed[::-1]

    # Names, shapes and small helpers.

    def _name(self, tensor: int) -> str:
        return "image" if tensor == self.graph.inputs[0] else f"t{tensor}"

    def _ours(self, tensor: int) -> tuple[int, ...]:
        """Shape of a tensor in our layout."""
        shape = self.graph.shapes[tensor]
        return (shape[0], shape[3], shape[1], shape[2]) if len(shape) == 4 else shape

    def _value(self, tensor: int) -> str:
        """Name of a tensor's value; a constant or a padding that was put off is written out now."""
        if tensor in self.graph.constants:
            value = self.graph.constants[tensor]
            return self._constant(f"t{tensor}", value.transpose(0, 3, 1, 2) if value.ndim == 4 else value)
        if tensor in self.paddings:
            source, (top, left, bottom, right) = self.paddings.pop(tensor)
            pads = self._constant(f"t{tensor}_pads", np.array([0, 0, top, left, 0, 0, bottom, right], dtype=np.int64))
            self._node("Pad", [self._name(source), pads], self._name(tensor))
        return self._name(tensor)

    def _constant(self, name: str, value: NDArray[Any]) -> str:
        self.initializers[name] = np.ascontiguousarray(value)
        return name

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))

    def _activated(self, operator: Operator, kind: str, inputs: list[str], **attributes: Any) -> None:
        """Add a node and, if the operator has one, its fused activation."""
        output = self._name(operator.outputs[0])
        activation = operator.options.get("activation", 0)
        if activation == 0:
            self._node(kind, inputs, output, **attributes)
            return
        self._node(kind, inputs, output + "_linear", **attributes)
        if activation == _RELU:
            self._node("Relu", [output + "_linear"], output)
        elif activation == _RELU6:
            low = self._constant("zero", np.array(0.0, dtype=np.float32))
            high = self._constant("six", np.array(6.0, dtype=np.float32))
            self._node("Clip", [output + "_linear", low, high], output)
        else:
            raise ModelError(f"activation {activation} isn't translated", where=self.where)

    def _window(self, operator: Operator, kernel: tuple[int, int]) -> tuple[str, dict[str, Any]]:
        """Input name and ONNX attributes of a sliding window."""
        options = operator.options
        stride = options["stride"], options["stride_w"]
        dilation = options.get("dilation", 1), options.get("dilation_w", 1)
        source = operator.inputs[0]
        pads = [0, 0, 0, 0]
        if options["padding"] == _SAME:
            for axis in range(2):
                size, reach = self.graph.shapes[source][1 + axis], (kernel[axis] - 1) * dilation[axis] + 1
                total = max((-(-size // stride[axis]) - 1) * stride[axis] + reach - size, 0)
                pads[axis], pads[2 + axis] = total // 2, total - total // 2
            name = self._value(source)
        elif source in self.paddings and operator.kind != "MAX_POOL_2D":
            source, padding = self.paddings[source]
            pads = list(padding)
            name = self._name(source)
        else:
            name = self._value(source)
        attributes: dict[str, Any] = {"kernel_shape": list(kernel), "strides": list(stride), "pads": pads}
        if operator.kind != "MAX_POOL_2D":
            attributes["dilations"] = list(dilation)
        return name, attributes

    # One rule for each operator.

    def _convolution(self, operator: Operator) -> None:
        weights = self.graph.constants.get(operator.inputs[1])
        if weights is None:
            raise ModelError(f"{operator.kind} without constant weights", where=self.where)
        name, attributes = self._window(operator, (weights.shape[1], weights.shape[2]))
        if operator.kind == "DEPTHWISE_CONV_2D":
            weights = weights.transpose(3, 0, 1, 2)
            attributes["group"] = self.graph.shapes[operator.inputs[0]][3]
        else:
            weights = weights.transpose(0, 3, 1, 2)
        inputs = [name, self._constant(f"w{operator.outputs[0]}", weights)]
        if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
            inputs.append(self._constant(f"b{operator.outputs[0]}", self.graph.constants[operator.inputs[2]]))
        self._activated(operator, "Conv", inputs, **attributes)

    def _max_pool(self, operator: Operator) -> None:
        name, attributes = self._window(operator, (operator.options["kernel"], operator.options["kernel_w"]))
        self._activated(operator, "MaxPool", [name], **attributes)

    def _add(self, operator: Operator) -> None:
        left, right = operator.inputs
        if self.graph.shapes[left] != self.graph.shapes[right]:
            raise ModelError("ADD of two shapes isn't translated", where=self.where)
        self._activated(operator, "Add", [self._value(left), self._value(right)])

    def _pad(self, operator: Operator) -> None:
        amounts = self.graph.constants[operator.inputs[1]]
        if amounts.shape != (4, 2) or amounts[[0, 3]].any():
            raise ModelError("PAD of other axes than height and width isn't translated", where=self.where)
        self._value(operator.inputs[0])
        (top, bottom), (left, right) = amounts[1].tolist(), amounts[2].tolist()
        self.paddings[operator.outputs[0]] = operator.inputs[0], (top, left, bottom, right)

    def _resize(self, operator: Operator) -> None:
        source, target = self.graph.shapes[operator.inputs[0]], self.graph.shapes[operator.outputs[0]]
        scales = np.array([1.0, 1.0, target[1] / source[1], target[2] / source[2]], dtype=np.float32)
        mode = "half_pixel" if operator.options["half_pixel"] else "asymmetric"
        if operator.options["align_corners"]:
            mode = "align_corners"
        name = self._constant(f"t{operator.outputs[0]}_scales", scales)
        self._node(
            "Resize",
            [self._value(operator.inputs[0]), "", name],
            self._name(operator.outputs[0]),
            mode="linear",
            coordinate_transformation_mode=mode,
        )

    def _concatenation(self, operator: Operator) -> None:
        rank = len(self.graph.shapes[operator.outputs[0]])
        axis = operator.options["axis"] % rank
        if rank == 4:
            axis = (0, 2, 3, 1)[axis]
        self._activated(operator, "Concat", [self._value(tensor) for tensor in operator.inputs], axis=axis)

    def _depth_to_space(self, operator: Operator) -> None:
        # TFLite's order of channels (block row, block column, channel) is ONNX's DCR.
        self._node(
            "DepthToSpace",
            [self._value(operator.inputs[0])],
            self._name(operator.outputs[0]),
            blocksize=operator.options["block"],
            mode="DCR",
        )

    def _reshape(self, operator: Operator) -> None:
        source, target = operator.inputs[0], operator.outputs[0]
        if len(self.graph.shapes[target]) == 4:
            raise ModelError("RESHAPE to four axes isn't translated", where=self.where)
        name = self._value(source)
        shape = self.graph.shapes[source]
        if len(shape) == 4 and shape[1:3] != (1, 1):
            self._node("Transpose", [name], name + "_nhwc", perm=[0, 2, 3, 1])
            name += "_nhwc"
        sizes = np.array([0, *self.graph.shapes[target][1:]], dtype=np.int64)  # 0: as it is
        self._node("Reshape", [name, self._constant(f"t{target}_shape", sizes)], self._name(target))

    def _logistic(self, operator: Operator) -> None:
        self._node("Sigmoid", [self._value(operator.inputs[0])], self._name(operator.outputs[0]))
