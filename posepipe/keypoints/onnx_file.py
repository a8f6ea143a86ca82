"""Writes ONNX files without the package onnx, which weighs 40 MB and is needed for nothing else at run time.

An ONNX file is a protobuf message. Field numbers and types are those of ``onnx.proto`` (ONNX 1.17, IR version 8); a
test compares the bytes with those that the package writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Dimension", "model", "node", "tensor"]

Dimension = int | str
"""Size of an axis, or the name of one that is free."""

_FLOAT = 1
"""TensorProto.DataType."""
_TYPES = {"f": _FLOAT, "i": 7}  # float32 and int64


def model(
    nodes: Iterable[bytes],
    weights: Iterable[bytes],
    inputs: Mapping[str, Sequence[Dimension]],
    outputs: Mapping[str, Sequence[Dimension]],
    *,
    name: str,
    opset: int,
    ir_version: int,
) -> bytes:
    """A whole file.

    Args:
        nodes: from `node`, in an order in which they can run.
        weights: from `tensor`.
        inputs: shapes of the float32 inputs.
        outputs: shapes of the float32 outputs.
        name: of the graph.
        opset: version of the operators.
        ir_version: version of the file's form.
    """
    graph = b"".join(
        [
            *(_bytes(1, item) for item in nodes),
            _text(2, name),
            *(_bytes(5, item) for item in weights),
            *(_bytes(11, _value_info(*item)) for item in inputs.items()),
            *(_bytes(12, _value_info(*item)) for item in outputs.items()),
        ]
    )
    operators = _text(1, "") + _number(2, opset)
    return _number(1, ir_version) + _text(2, "posepipe") + _bytes(7, graph) + _bytes(8, operators)


def node(kind: str, inputs: Sequence[str], output: str, attributes: Mapping[str, Any]) -> bytes:
    """One operator, named like its output. Attributes are an int, a str or a list of int each."""
    names = b"".join(_text(1, item) for item in inputs)
    options = b"".join(_bytes(5, _attribute(key, attributes[key])) for key in sorted(attributes))
    return names + _text(2, output) + _text(3, output) + _text(4, kind) + options


def tensor(name: str, value: NDArray[Any]) -> bytes:
    """One constant, float32 or int64."""
    data = np.ascontiguousarray(value).astype("<f4" if value.dtype.kind == "f" else "<i8", copy=False)
    dims = b"".join(_number(1, size) for size in value.shape)
    return dims + _number(2, _TYPES[data.dtype.kind]) + _text(8, name) + _bytes(9, data.tobytes())


def _attribute(name: str, value: Any) -> bytes:
    if isinstance(value, list):
        return _text(1, name) + b"".join(_number(8, item) for item in value) + _number(20, 7)
    if isinstance(value, str):
        return _text(1, name) + _text(4, value) + _number(20, 3)
    return _text(1, name) + _number(3, int(value)) + _number(20, 2)


def _value_info(name: str, shape: Sequence[Dimension]) -> bytes:
    axes = (_text(2, size) if isinstance(size, str) else _number(1, size) for size in shape)
    dims = b"".join(_bytes(1, axis) for axis in axes)
    return _text(1, name) + _bytes(2, _bytes(1, _number(1, _FLOAT) + _bytes(2, dims)))


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())
