"""Build ONNX graphs node by node, and put them in order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

__all__ = ["Graph", "add_output", "close_graph", "empty_graph", "finished", "metadata", "open_graph", "simplified"]

_OPSET, _IR = 17, 8


class Graph:
    """Adds nodes to a network; every method returns the name of what it made."""

    def __init__(self, model: ModelProto, prefix: str = "pp") -> None:
        self.model = model
        self._prefix = prefix
        self._count = 0

    def op(self, kind: str, *args: str | NDArray[Any] | float, out: str | None = None, **attributes: Any) -> str:
        """One operator; arrays and floats become constants."""
        return self.ops(kind, *args, names=[out or self._name(kind)], **attributes)[0]

    def ops(self, kind: str, *args: str | NDArray[Any] | float, names: list[str], **attributes: Any) -> list[str]:
        """An operator with several outputs."""
        given = [arg if isinstance(arg, str) else self.constant(arg) for arg in args]
        self.model.graph.node.append(helper.make_node(kind, given, names, **attributes))
        return names

    def constant(self, value: NDArray[Any] | float) -> str:
        """An initializer; a float is a float32 scalar."""
        array = np.asarray(value, np.float32) if isinstance(value, float) else np.array(value, order="C")
        name = self._name("const")
        self.model.graph.initializer.append(numpy_helper.from_array(array, name))
        return name

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{self._prefix}_{kind.lower()}_{self._count}"

    def add(self, a: str | NDArray[Any] | float, b: str | NDArray[Any] | float) -> str:
        """A + b."""
        return self.op("Add", a, b)

    def sub(self, a: str | NDArray[Any] | float, b: str | NDArray[Any] | float) -> str:
        """A - b."""
        return self.op("Sub", a, b)

    def mul(self, a: str | NDArray[Any] | float, b: str | NDArray[Any] | float) -> str:
        """A times b."""
        return self.op("Mul", a, b)

    def div(self, a: str | NDArray[Any] | float, b: str | NDArray[Any] | float) -> str:
        """A / b."""
        return self.op("Div", a, b)

    def to_float(self, a: str) -> str:
        """As float32."""
        return self.op("Cast", a, to=TensorProto.FLOAT)

    def both(self, a: str, b: str | NDArray[Any]) -> str:
        """Logical and."""
        return self.op("And", a, b)

    def total(self, a: str, axes: list[int], *, keep: bool = False) -> str:
        """Sum over axes."""
        return self.op("ReduceSum", a, np.array(axes, np.int64), keepdims=int(keep))

    def reshape(self, a: str, *shape: int, out: str | None = None) -> str:
        """The same in another shape."""
        return self.op("Reshape", a, np.array(shape, np.int64), out=out)

    def part(self, a: str, axis: int, start: int, stop: int, *, out: str | None = None) -> str:
        """Elements start to stop along an axis."""
        ends = [np.array([value], np.int64) for value in (start, stop, axis)]
        return self.op("Slice", a, *ends, out=out)

    def column(self, a: str, axis: int, index: int) -> str:
        """One element along an axis, which goes away."""
        return self.op("Gather", a, np.array(index, np.int64), axis=axis)


def open_graph(model: ModelProto) -> Graph:
    """A copy to build on, with its first nodes' input still to be made."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    g = Graph(copy)
    g.model.graph.name = ""
    return g


def empty_graph(inputs: Mapping[str, list[Any]]) -> Graph:
    """A graph with these float inputs and nothing in it."""
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
    graph = helper.make_graph([], "", ports, [])
    return Graph(helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR))


def add_output(g: Graph, name: str, kind: int, shape: list[Any]) -> None:
    """Declare a tensor an output."""
    g.model.graph.output.append(helper.make_tensor_value_info(name, kind, shape))


def close_graph(g: Graph, outputs: Mapping[str, list[Any]], *, name: str) -> ModelProto:
    """Only these outputs stay; nodes that no output needs go."""
    del g.model.graph.output[:]
    for output, shape in outputs.items():
        add_output(g, output, TensorProto.FLOAT, shape)
    g.model.graph.name = name
    return finished(g.model)


def finished(model: ModelProto) -> ModelProto:
    """Without what no output needs, and checked."""
    graph = model.graph
    wanted = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            kept.append(node)
            wanted |= set(node.input)
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in reversed(kept)]
    tensors = [onnx.TensorProto.FromString(t.SerializeToString()) for t in graph.initializer if t.name in wanted]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(tensors)
    onnx.checker.check_model(model, full_check=True)
    return model


def simplified(model: ModelProto) -> ModelProto:
    """Constants folded and shapes fixed, by ONNX Runtime's portable optimisations."""
    import tempfile
    from pathlib import Path

    import onnxruntime as ort

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "simple.onnx"
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(path)
        options.log_severity_level = 3
        ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        simple = onnx.load(path)
    kept = [item for item in simple.opset_import if item.domain == ""]
    if all(node.domain == "" for node in simple.graph.node):
        del simple.opset_import[:]
        simple.opset_import.extend(kept)
    return simple


def metadata(model: ModelProto, **entries: object) -> ModelProto:
    """The same with these entries in its metadata; texts as they are, anything else as JSON."""
    del model.metadata_props[:]
    for key, value in entries.items():
        item = model.metadata_props.add()
        item.key, item.value = key, value if isinstance(value, str) else json.dumps(value)
    return model
