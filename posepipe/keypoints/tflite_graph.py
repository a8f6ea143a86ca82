"""Read a TFLite file into plain Python: operators with their options, constants as dense float arrays.

Only the flatbuffer schema (package ``tflite``) is used, no interpreter. Half-precision and sparse constants, which
TFLite unpacks at run time with DEQUANTIZE and DENSIFY, are unpacked here.
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

__all__ = ["Operator", "TFLiteGraph", "densify", "read_tflite"]

Array = NDArray[Any]

_CONVOLUTION = {
    "stride": "StrideH",
    "stride_w": "StrideW",
    "dilation": "DilationHFactor",
    "dilation_w": "DilationWFactor",
    "padding": "Padding",
    "activation": "FusedActivationFunction",
}
_OPTIONS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "CONV_2D": ("Conv2DOptions", _CONVOLUTION),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", _CONVOLUTION),
    "MAX_POOL_2D": (
        "Pool2DOptions",
        {
            "stride": "StrideH",
            "stride_w": "StrideW",
            "kernel": "FilterHeight",
            "kernel_w": "FilterWidth",
            "padding": "Padding",
            "activation": "FusedActivationFunction",
        },
    ),
    "ADD": ("AddOptions", {"activation": "FusedActivationFunction"}),
    "CONCATENATION": ("ConcatenationOptions", {"axis": "Axis", "activation": "FusedActivationFunction"}),
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
