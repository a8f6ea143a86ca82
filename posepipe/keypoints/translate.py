"""Translate the BlazePose networks from TFLite to ONNX (opset 17).

TFLite computes in NHWC, ONNX in NCHW: the translation stays in NCHW from the input to the last convolution and
turns axes only where a tensor is flattened. PAD of height and width becomes the padding of the next convolution, and
everything that no wanted output needs (the segmentation branch, half of the run time) is left out.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import ModelError
from posepipe.keypoints import onnx_file

__all__ = ["densify", "read_tflite", "translate"]

Array = NDArray[Any]

OPSET = 17
"""Of ONNX's operators."""
_IR_VERSION = 8
"""The one that came with opset 17; older runtimes still read it."""
_SAME = 0
"""TFLite's number for padding that keeps the size."""
_RELU, _RELU6 = 1, 3
"""TFLite's numbers for fused activations."""

_ACTIVATION = {"activation": "FusedActivationFunction"}
_WINDOW = {"stride": "StrideH", "stride_w": "StrideW", "padding": "Padding"} | _ACTIVATION
_CONVOLUTION = _WINDOW | {"dilation": "DilationHFactor", "dilation_w": "DilationWFactor"}
_OPTIONS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "CONV_2D": ("Conv2DOptions", _CONVOLUTION),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", _CONVOLUTION),
    "MAX_POOL_2D": ("Pool2DOptions", _WINDOW | {"kernel": "FilterHeight", "kernel_w": "FilterWidth"}),
    "ADD": ("AddOptions", _ACTIVATION),
    "CONCATENATION": ("ConcatenationOptions", {"axis": "Axis"} | _ACTIVATION),
    "DEPTH_TO_SPACE": ("DepthToSpaceOptions", {"block": "BlockSize"}),
    "RESIZE_BILINEAR": ("ResizeBilinearOptions", {"align_corners": "AlignCorners", "half_pixel": "HalfPixelCenters"}),
}


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator.

    Attributes:
        kind: TFLite's name, such as "CONV_2D".
        inputs: tensor numbers; -1 where an optional input is left out.
        outputs: tensor numbers.
        options: the fields of the operator's option table that matter here.
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class TFLiteGraph:
    """A network. Tensors are numbered; layouts are TFLite's (NHWC).

    Attributes:
        inputs, outputs: tensor numbers.
        shapes: static shape of every tensor.
        constants: value of every constant tensor, dense; half precision widened to float32.
        operators: in an order in which they can run; none that only unpack constants.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    shapes: Mapping[int, tuple[int, ...]]
    constants: Mapping[int, Array]
    operators: tuple[Operator, ...]


def densify(
    values: Array,
    shape: tuple[int, ...],
    order: tuple[int, ...],
    block_map: tuple[int, ...],
    levels: tuple[int | tuple[Array, Array], ...],
) -> Array:
    """Dense array from TFLite's sparse form.

    The tensor, its axes split into blocks, is stored as a tree with one level for each axis. A dense level has every
    child; a compressed (CSR) one lists the children of each node.

    Args:
        values: leaves, in the order of the tree.
        shape: shape of the dense array.
        order: axis that each level stands for; numbers from ``len(shape)`` up are the block axes.
        block_map: the axis that each block axis splits.
        levels: for each level its size, or (segments, indices) where compressed.

    Returns:
        Array of `shape` and of the type of `values`.
    """
    nodes = np.zeros(1, dtype=np.intp)
    coordinates: list[Array] = []
    sizes: list[int] = []
    for level in levels:
        if isinstance(level, int):
            parent = np.repeat(np.arange(len(nodes)), level)
            coordinate = np.tile(np.arange(level), len(nodes))
            nodes = nodes[parent] * level + coordinate
            sizes.append(level)
        else:
            segments, indices = level
            start, stop = segments[nodes], segments[nodes + 1]
            parent = np.repeat(np.arange(len(nodes)), stop - start)
            first = np.cumsum(stop - start) - (stop - start)
            nodes = np.arange(len(parent)) - first[parent] + start[parent]
            coordinate = indices[nodes]
            sizes.append(0)  # a block axis is always dense, so this size is never asked for
        coordinates = [column[parent] for column in coordinates]
        coordinates.append(coordinate)
    by_axis = {axis: coordinates[level] for level, axis in enumerate(order)}
    size_of = {axis: sizes[level] for level, axis in enumerate(order)}
    index = []
    for axis in range(len(shape)):
        at = by_axis[axis]
        if axis in block_map:
            block = len(shape) + block_map.index(axis)
            at = at * size_of[block] + by_axis[block]
        index.append(at)
    dense = np.zeros(shape, dtype=values.dtype)
    dense[tuple(index)] = values[nodes]
    return dense


def read_tflite(data: bytes, where: str = "") -> TFLiteGraph:
    """Read the first subgraph of a TFLite file.

    Args:
        data: content of the file.
        where: its name, for error messages.

    Raises:
        ModelError: this isn't a TFLite file, or one that uses something we don't know.
    """
    import tflite

    if data[4:8] != b"TFL3":
        raise ModelError("not a TFLite model", where=where)
    try:
        return _read(tflite, data, where)
    except (struct.error, AttributeError, IndexError, TypeError, ValueError) as error:
        raise ModelError(f"broken TFLite model ({error})", where=where) from error


def _read(tflite: ModuleType, data: bytes, where: str) -> TFLiteGraph:
    model = tflite.Model.GetRootAsModel(data, 0)
    graph = model.Subgraphs(0)
    kinds = {code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}
    shapes: dict[int, tuple[int, ...]] = {}
    constants: dict[int, Array] = {}
    for number in range(graph.TensorsLength()):
        tensor = graph.Tensors(number)
        shapes[number] = tuple(int(size) for size in tensor.ShapeAsNumpy()) if tensor.ShapeLength() else ()
        buffer = model.Buffers(tensor.Buffer())
        if buffer.DataLength():
            constants[number] = _constant(tflite, tensor, buffer.DataAsNumpy(), shapes[number], where)
    operators = []
    for position in range(graph.OperatorsLength()):
        raw = graph.Operators(position)
        code = model.OperatorCodes(raw.OpcodeIndex())
        kind = kinds[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        inputs = tuple(int(i) for i in raw.InputsAsNumpy())
        outputs = tuple(int(i) for i in raw.OutputsAsNumpy())
        if kind in ("DENSIFY", "DEQUANTIZE") and inputs[0] in constants:
            constants[outputs[0]] = constants[inputs[0]]
            continue
        operators.append(Operator(kind, inputs, outputs, _options(tflite, kind, raw)))
    return TFLiteGraph(
        tuple(int(i) for i in graph.InputsAsNumpy()),
        tuple(int(i) for i in graph.OutputsAsNumpy()),
        shapes,
        constants,
        tuple(operators),
    )


def _constant(tflite: ModuleType, tensor: Any, raw: Array, shape: tuple[int, ...], where: str) -> Array:
    types: dict[int, np.dtype[Any]] = {
        tflite.TensorType.FLOAT32: np.dtype("<f4"),
        tflite.TensorType.FLOAT16: np.dtype("<f2"),
        tflite.TensorType.INT32: np.dtype("<i4"),
        tflite.TensorType.INT64: np.dtype("<i8"),
    }
    if tensor.Type() not in types:
        raise ModelError(
            f"tensor {tensor.Name().decode()!r} has a type we don't translate (quantised models aren't supported)",
            where=where,
            hint="Use the float32 or float16 model",
        )
    values: Array = raw.view(types[tensor.Type()])
    sparsity = tensor.Sparsity()
    if sparsity is None:
        values = values.reshape(shape)
    else:
        order = tuple(int(axis) for axis in sparsity.TraversalOrderAsNumpy())
        blocks = tuple(int(a) for a in sparsity.BlockMapAsNumpy()) if sparsity.BlockMapLength() else ()
        levels = tuple(_level(tflite, sparsity.DimMetadata(i)) for i in range(sparsity.DimMetadataLength()))
        values = densify(values, shape, order, blocks, levels)
    return values.astype(np.float32) if values.dtype.kind == "f" else values


def _level(tflite: ModuleType, metadata: Any) -> int | tuple[Array, Array]:
    if metadata.Format() == tflite.DimensionType.DENSE:
        return int(metadata.DenseSize())
    return (
        _index_vector(tflite, metadata.ArraySegmentsType(), metadata.ArraySegments()),
        _index_vector(tflite, metadata.ArrayIndicesType(), metadata.ArrayIndices()),
    )


def _index_vector(tflite: ModuleType, kind: int, table: Any) -> Array:
    classes: dict[int, Callable[[], Any]] = {
        tflite.SparseIndexVector.Int32Vector: tflite.Int32Vector,
        tflite.SparseIndexVector.Uint16Vector: tflite.Uint16Vector,
        tflite.SparseIndexVector.Uint8Vector: tflite.Uint8Vector,
    }
    vector = classes[kind]()
    vector.Init(table.Bytes, table.Pos)
    result: Array = vector.ValuesAsNumpy().astype(np.intp)
    return result


def _options(tflite: ModuleType, kind: str, raw: Any) -> dict[str, int]:
    if kind not in _OPTIONS or raw.BuiltinOptions() is None:
        return {}
    class_name, fields = _OPTIONS[kind]
    options = getattr(tflite, class_name)()
    options.Init(raw.BuiltinOptions().Bytes, raw.BuiltinOptions().Pos)
    return {ours: int(getattr(options, theirs)()) for ours, theirs in fields.items()}


def translate(data: bytes, outputs: Mapping[str, tuple[int, ...]], *, where: str = "") -> bytes:
    """Translate a TFLite network.

    Args:
        data: content of the TFLite file; one NHWC float input.
        outputs: wanted outputs: a name for each, and its shape in TFLite (batch first), by which it is found.
        where: name of the file, for error messages.

    Returns:
        Content of an ONNX file with a free batch axis ``n``. Input ``image`` (n, 3, height, width); outputs named and
        ordered as in `outputs`, four-axis ones as (n, channels, height, width), others as in TFLite.

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
        self.nodes: list[bytes] = []
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

    def model(self, wanted: Mapping[str, int]) -> bytes:
        for operator in self._needed(set(wanted.values())):
            if operator.kind not in self.rules:
                raise ModelError(f"operator {operator.kind} isn't translated", where=self.where)
            self.rules[operator.kind](operator)
        for name, tensor in wanted.items():
            self._node("Identity", [self._value(tensor)], name)
        source = self.graph.inputs[0]
        return onnx_file.model(
            self.nodes,
            [onnx_file.tensor(name, value) for name, value in self.initializers.items()],
            {self._name(source): ["n", *self._ours(source)[1:]]},
            {name: ["n", *self._ours(tensor)[1:]] for name, tensor in wanted.items()},
            name="blazepose",
            opset=OPSET,
            ir_version=_IR_VERSION,
        )

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
        self.nodes.append(onnx_file.node(kind, inputs, output, attributes))

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
        if amounts.shape != (4, 2) or amounts[0].any():
            raise ModelError("PAD of the batch axis isn't translated", where=self.where)
        source = self._value(operator.inputs[0])
        if amounts[3].any():  # the heavy network widens a shortcut with channels of zeros before it adds
            pads = self._constant(f"t{operator.outputs[0]}_pads", amounts[[0, 3, 1, 2]].T.astype(np.int64).ravel())
            self._node("Pad", [source, pads], self._name(operator.outputs[0]))
            return
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
