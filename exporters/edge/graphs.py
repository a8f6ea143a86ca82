"""The bundle's networks with their pre- and post-processing as graphs.

What a phone or a browser would have to write again is in the files: byte pictures in, decoded people and landmarks out.

====================  ==============================================  ===============================================
file                  in                                              out
====================  ==============================================  ===============================================
``detector``          image (1, 224, 224, 3) uint8 BGR                boxes (1, 2254, 12), scores (1, 2254, 1)
``detector_decode``   boxes, scores                                   score (K,), points (K, 4, 2), suppression done
``landmarks``         image (1, 256, 256, 3) uint8 BGR                landmarks (1, 195), presence (1, 1), heatmaps
``landmarks_decode``  landmarks, heatmaps (1, 39, 64, 64)             points (35, 2), features (33, 4)
``lifter``            rays, ray_sigma, valid, focal_assumed           xyz_m, sigma_m, usable
====================  ==============================================  ===============================================

Decoding has files of its own because the Python runner decodes with the pipeline's code: the next region of interest
stands on the last answer, so a difference in the last bit grows to a tenth of a pixel within a few frames.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from posepipe.body import lift as inputs
from posepipe.body.lift import SigmaCalibration
from posepipe.keypoints import blazepose
from posepipe.keypoints import finder as ssd
from posepipe.skeleton import BODY21

__all__ = ["detector", "detector_decode", "landmarks", "landmarks_decode", "lifter", "metadata"]

_OPSET, _IR = 17, 8

MIN_SCORE, MIN_IOU = 0.5, 0.3
_MOST_PEOPLE = 16
_CROP_PX = 256
_JOINTS, _POINTS, _CELLS = 33, 35, 64
_JOINTS21 = len(BODY21)
_LANDMARK_PORTS: dict[str, list[Any]] = {"landmarks": [1, 195], "heatmaps": [1, 39, _CELLS, _CELLS]}


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


def detector(model: ModelProto) -> ModelProto:
    """The person detector from bytes.

    Args:
        model: ``image`` (n, 3, 224, 224) to ``boxes`` (n, 2254, 12) and ``scores`` (n, 2254, 1).
    """
    g = open_graph(model)
    _picture_input(g, ssd.INPUT_PX, mean=127.5, scale=1.0 / 127.5)
    anchors = len(ssd.anchors())
    return close_graph(g, {"boxes": [1, anchors, 12], "scores": [1, anchors, 1]}, name="detector")


def detector_decode() -> ModelProto:
    """Decoding and suppression: ``score`` (K,) from the surest down, ``points`` (K, 4, 2) as shares of the side."""
    anchors = len(ssd.anchors())
    g = empty_graph({"boxes": [1, anchors, 12], "scores": [1, anchors, 1]})
    score = g.op("Sigmoid", g.op("Clip", g.reshape("scores", -1), -100.0, 100.0))
    raw = g.div(g.reshape("boxes", -1, 6, 2), float(ssd.INPUT_PX))
    centre = ssd.anchors()
    middle = g.add(g.column(raw, 1, 0), centre)
    half = g.div(g.column(raw, 1, 1), 2.0)
    low, high = g.sub(middle, half), g.add(middle, half)
    box = g.op("Concat", low, high, axis=1)
    places = g.reshape(g.add(g.part(raw, 1, 2, 6), centre[:, None]), -1, 8)
    kept = g.op(
        "NonMaxSuppression",
        g.reshape(box, 1, -1, 4),
        g.reshape(score, 1, 1, -1),
        np.array([_MOST_PEOPLE], np.int64),
        np.array([MIN_IOU], np.float32),
        np.array([MIN_SCORE], np.float32),
    )
    index = g.column(kept, 1, 2)
    weight = _shares(g, box, score, index)
    g.op("Gather", score, index, axis=0, out="score")
    g.reshape(g.op("MatMul", weight, places), -1, 4, 2, out="points")
    return close_graph(g, {"score": ["people"], "points": ["people", 4, 2]}, name="detector_decode")


def _shares(g: Graph, box: str, score: str, index: str) -> str:
    """Share (K, N) of each candidate in each kept person: those that overlap it and no surer one, weighed by score."""
    best = g.op("Unsqueeze", g.op("Gather", box, index, axis=0), np.array([1], np.int64))
    others = g.op("Unsqueeze", box, np.array([0], np.int64))
    low = g.op("Max", g.part(best, 2, 0, 2), g.part(others, 2, 0, 2))
    high = g.op("Min", g.part(best, 2, 2, 4), g.part(others, 2, 2, 4))
    overlap = _area(g, g.sub(high, low))
    union = g.sub(
        g.add(
            _area(g, g.sub(g.part(best, 2, 2, 4), g.part(best, 2, 0, 2))),
            _area(g, g.sub(g.part(others, 2, 2, 4), g.part(others, 2, 0, 2))),
        ),
        overlap,
    )
    close = g.op("Greater", g.div(overlap, g.op("Max", union, 1e-12)), MIN_IOU)
    itself = g.op(
        "Equal", g.op("Unsqueeze", index, np.array([1], np.int64)), np.arange(len(ssd.anchors()), dtype=np.int64)[None]
    )
    close = g.both(g.op("Or", close, itself), g.op("GreaterOrEqual", score, MIN_SCORE))
    claimed = g.op("CumSum", g.to_float(close), np.array(0, np.int64))
    mine = g.to_float(g.both(close, g.op("Less", claimed, 1.5)))
    weight = g.mul(mine, score)
    return g.div(weight, g.total(weight, [1], keep=True))


def _area(g: Graph, size: str) -> str:
    return g.op("ReduceProd", g.op("Max", size, 0.0), axes=[2], keepdims=0)


def landmarks(model: ModelProto) -> ModelProto:
    """The landmark network from bytes; MediaPipe's own ``world`` landmarks are cut off.

    Args:
        model: ``image`` (n, 3, 256, 256) to ``landmarks``, ``presence``, ``heatmaps`` and ``world``.
    """
    g = open_graph(model)
    _picture_input(g, _CROP_PX, mean=0.0, scale=1.0 / 255.0)
    return close_graph(g, _LANDMARK_PORTS | {"presence": [1, 1]}, name="landmarks")


def landmarks_decode() -> ModelProto:
    """Landmarks refined on their heat maps.

    ``points`` (35, 2) as shares of the crop: 33 joints, the hips' middle, the end of the body's circle. ``features``
    (33, 4), of which `posepipe.keypoints.sigma` makes a sigma: the heat map's peak, its spread in cells (1e6 where it
    isn't known), visibility, and presence in the picture.
    """
    g = empty_graph(_LANDMARK_PORTS)
    table = g.part(g.reshape("landmarks", -1, 5), 0, 0, _POINTS)
    points = g.div(g.part(table, 1, 0, 2), float(_CROP_PX))
    refined, peak, spread = _refine(g, points)
    sure = g.op("Sigmoid", g.part(g.part(table, 0, 0, _JOINTS), 1, 3, 5))
    shape = [g.op("Unsqueeze", g.part(c, 0, 0, _JOINTS), np.array([1], np.int64)) for c in (peak, spread)]
    g.op("Concat", *shape, sure, axis=1, out="features")
    g.op("Identity", refined, out="points")
    return close_graph(g, {"points": [_POINTS, 2], "features": [_JOINTS, 4]}, name="landmarks_decode")


def _refine(g: Graph, points: str) -> tuple[str, str, str]:
    """`posepipe.keypoints.blazepose.refine`; the spread of a landmark outside the map is very large, not NaN."""
    reach, narrow = blazepose._SPREAD_REACH, blazepose._REFINE_REACH
    cell = g.op("Cast", g.mul(points, float(_CELLS)), to=TensorProto.INT64)
    column, row = g.column(cell, 1, 0), g.column(cell, 1, 1)
    offset = np.arange(-reach, reach + 1, dtype=np.int64)[None]
    one = np.array([1], np.int64)
    columns, rows = (g.add(g.op("Unsqueeze", c, one), offset) for c in (column, row))
    least, most = np.array(0, np.int64), np.array(_CELLS - 1, np.int64)
    across, down = (g.op("Clip", c, least, most) for c in (columns, rows))
    there = [g.to_float(g.op("Equal", a, b)) for a, b in ((columns, across), (rows, down))]
    first = np.arange(_POINTS, dtype=np.int64)[:, None, None] * _CELLS * _CELLS
    down = g.mul(g.op("Unsqueeze", down, np.array([2], np.int64)), np.array(_CELLS, np.int64))
    flat = g.add(g.add(first, down), g.op("Unsqueeze", across, one))
    heat = g.op("Sigmoid", g.op("Clip", g.op("Gather", g.reshape("heatmaps", -1), flat, axis=0), -80.0, 80.0))
    heat = g.mul(heat, g.op("Unsqueeze", there[1], np.array([2], np.int64)))
    heat = g.mul(heat, g.op("Unsqueeze", there[0], one))
    inside = g.op(
        "Equal",
        g.total(g.op("Cast", g.op("Equal", cell, g.op("Clip", cell, least, most)), to=7), [1]),
        np.array(2, np.int64),
    )
    low, high = reach - narrow, reach + narrow + 1
    core = g.part(g.part(heat, 1, low, high), 2, low, high)
    mass = g.total(core, [1, 2])
    peak = g.mul(g.op("ReduceMax", core, axes=[1, 2], keepdims=0), g.to_float(inside))
    safe = g.op("Where", g.op("Greater", mass, 0.0), mass, 1.0)
    float_columns, float_rows = g.to_float(columns), g.to_float(rows)
    x = g.div(g.total(g.mul(g.total(core, [1]), g.part(float_columns, 1, low, high)), [1]), safe)
    y = g.div(g.total(g.mul(g.total(core, [2]), g.part(float_rows, 1, low, high)), [1]), safe)
    centre = g.op("Concat", *(g.op("Unsqueeze", g.div(c, float(_CELLS)), one) for c in (x, y)), axis=1)
    better = g.both(inside, g.op("GreaterOrEqual", peak, blazepose._MIN_PEAK))
    refined = g.op("Where", g.op("Unsqueeze", better, one), centre, points)
    around = g.mul(refined, float(_CELLS))
    square = []
    for coordinate, along, axis in ((float_columns, 0, 1), (float_rows, 1, 2)):
        step = g.sub(coordinate, g.part(around, 1, along, along + 1))
        square.append(g.total(g.mul(g.total(heat, [axis]), g.mul(step, step)), [1]))
    whole = g.total(heat, [1, 2])
    known = g.both(inside, g.op("Greater", whole, 0.0))
    width = g.op("Sqrt", g.div(g.add(*square), g.mul(g.op("Max", whole, 1e-30), 2.0)))
    return refined, peak, g.op("Where", known, width, 1e6)


def lifter(model: ModelProto, calibration: SigmaCalibration) -> ModelProto:
    """The lifter from rays of one frame to calibrated metres in the camera frame.

    Args:
        model: ``keypoints`` (batch, 21, 6) to ``xyz_m`` and ``log_scale``.
        calibration: from the file's metadata.

    Returns:
        ``rays`` (1, 21, 2), ``ray_sigma`` (1, 21), ``valid`` (1, 21) bool and ``focal_assumed`` (1,) bool to ``xyz_m``
        (1, 21, 3), ``sigma_m`` (1, 21) and ``usable`` (1,) bool. Rays and sigmas are finite.
    """
    core = simplified(_fixed_batch(model))
    g = Graph(onnx.ModelProto())
    g.model.CopyFrom(core)
    body = list(g.model.graph.node)
    del g.model.graph.node[:], g.model.graph.input[:], g.model.graph.output[:]
    for name, kind, shape in (
        ("rays", TensorProto.FLOAT, [1, _JOINTS21, 2]),
        ("ray_sigma", TensorProto.FLOAT, [1, _JOINTS21]),
        ("valid", TensorProto.BOOL, [1, _JOINTS21]),
        ("focal_assumed", TensorProto.BOOL, [1]),
    ):
        g.model.graph.input.append(helper.make_tensor_value_info(name, kind, shape))
    rotation = _encode(g)
    for node in body:
        node.input[:] = ["turned_m" if name == "xyz_m" else name for name in node.input]
        node.output[:] = ["turned_m" if name == "xyz_m" else name for name in node.output]
    g.model.graph.node.extend(body)
    g.op("MatMul", "turned_m", rotation, out="xyz_m")
    gain, power = (np.array(values, np.float32) for values in (calibration.gain, calibration.power))
    g.op("Max", g.mul(g.op("Exp", g.mul("log_scale", power)), gain), 1e-3, out="sigma_m")
    add_output(g, "xyz_m", TensorProto.FLOAT, [1, _JOINTS21, 3])
    add_output(g, "sigma_m", TensorProto.FLOAT, [1, _JOINTS21])
    add_output(g, "usable", TensorProto.BOOL, [1])
    g.model.graph.name = "lifter"
    return finished(g.model)


def _encode(g: Graph) -> str:
    """`posepipe.body.lift.encode`; makes ``keypoints`` and ``usable``, returns the rotation (1, 3, 3)."""
    one, last = np.array([1], np.int64), np.array([2], np.int64)
    measured = inputs._MEASURED[None]
    rays = g.op("Where", g.op("Unsqueeze", "valid", last), "rays", 0.0)
    seen = g.to_float(g.both("valid", measured))
    count = g.op("Max", g.total(seen, [1], keep=True), 1.0)
    mean = g.div(g.total(g.mul(rays, g.op("Unsqueeze", seen, last)), [1]), count)
    pelvis = inputs._PELVIS
    axis = g.op("Where", g.part("valid", 1, pelvis, pelvis + 1), g.column(rays, 1, pelvis), mean)
    z = g.op("Concat", axis, np.ones((1, 1), np.float32), axis=1)
    z = g.div(z, g.op("ReduceL2", z, axes=[1], keepdims=1))
    zx, zy, zz = (g.part(z, 1, i, i + 1) for i in range(3))
    x = g.op("Concat", zz, np.zeros((1, 1), np.float32), g.op("Neg", zx), axis=1)
    x = g.div(x, g.op("ReduceL2", x, axes=[1], keepdims=1))
    xx, xz = g.part(x, 1, 0, 1), g.part(x, 1, 2, 3)
    # y = z x x with x's middle component zero.
    y = g.op("Concat", g.mul(zy, xz), g.sub(g.mul(zz, xx), g.mul(zx, xz)), g.op("Neg", g.mul(zy, xx)), axis=1)
    rotation = g.op("Concat", *(g.op("Unsqueeze", v, one) for v in (x, y, z)), axis=1)
    points = g.op("Concat", rays, np.ones((1, _JOINTS21, 1), np.float32), axis=2)
    turned = g.op("MatMul", points, g.op("Transpose", rotation, perm=[0, 2, 1]))
    depth = g.column(turned, 2, 2)
    front = g.op("Greater", depth, g.mul(g.op("ReduceL2", points, axes=[2], keepdims=0), 0.05))
    flat = g.div(g.part(turned, 2, 0, 2), g.op("Unsqueeze", g.op("Where", front, depth, 1.0), last))
    valid = g.both("valid", front)
    seen = g.to_float(g.both(valid, measured))
    count = g.total(seen, [1], keep=True)
    square = g.mul(g.total(g.mul(flat, flat), [2]), seen)
    scale = g.op("Sqrt", g.div(g.total(square, [1], keep=True), g.op("Max", count, 1.0)))
    scale = g.op("Max", scale, 1e-4)
    relative = g.op("Clip", g.div("ray_sigma", scale), inputs._MIN_SIGMA, inputs._MAX_SIGMA)
    unit = g.op("Where", g.op("Unsqueeze", valid, last), g.div(flat, g.op("Unsqueeze", scale, last)), 0.0)
    doubt = g.div(g.sub(g.op("Log", relative), float(np.log(0.03))), 2.0)
    size = g.mul(g.sub(g.op("Log", scale), float(np.log(0.15))), 2.0)
    whole = np.array([1, _JOINTS21], np.int64)
    columns = [
        g.op("Where", valid, doubt, 0.0),
        g.to_float(valid),
        g.op("Expand", size, whole),
        g.op("Expand", g.op("Unsqueeze", g.to_float("focal_assumed"), one), whole),
    ]
    g.op("Concat", unit, *(g.op("Unsqueeze", c, last) for c in columns), axis=2, out="keypoints")
    g.op("GreaterOrEqual", g.reshape(count, 1), 4.0, out="usable")
    return rotation


def _picture_input(g: Graph, side_px: int, *, mean: float, scale: float) -> None:
    """Bytes in OpenCV's order to what the network was trained on, ahead of its nodes; the steps of `blobFromImage`."""
    graph = g.model.graph
    body = list(graph.node)
    del graph.node[:], graph.input[:]
    graph.input.append(helper.make_tensor_value_info("image", TensorProto.UINT8, [1, side_px, side_px, 3]))
    planes = g.op("Transpose", g.to_float("image"), perm=[0, 3, 1, 2])
    # Whole planes change places: among the bytes it would take fifteen times as long.
    picture = g.op("Gather", planes, np.array([2, 1, 0], np.int64), axis=1)
    if mean:
        picture = g.sub(picture, mean)
    picture = g.mul(picture, scale)
    for node in body:
        node.input[:] = [picture if name == "image" else name for name in node.input]
    graph.node.extend(body)


def _fixed_batch(model: ModelProto) -> ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for value in (*copy.graph.input, *copy.graph.output):
        size = value.type.tensor_type.shape.dim[0]
        size.ClearField("dim_param")
        size.dim_value = 1
    return copy
