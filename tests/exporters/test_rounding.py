"""Networks made ready for int8: unchanged in float32, nearer to themselves once rounded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from exporters.edge.rounding import equalised, unbiased
from posepipe.inference import open_session

ODD = np.array([1.0, 30.0, 0.2, 5.0], np.float32)
"""Sizes of the channels of the stream."""


def network(rng: np.random.Generator) -> ModelProto:
    """Two linear convolutions added up, then a depthwise one and a pointwise one, each behind an activation."""

    def weights(name: str, *shape: int, scale: np.ndarray | float = 1.0) -> None:
        values = rng.normal(0.0, 0.3, shape) * scale
        tensors.append(numpy_helper.from_array(values.astype(np.float32), name))

    tensors: list[TensorProto] = []
    tall = ODD[:, None, None, None]
    for name, shape, scale in (("a", (4, 3, 1, 1), tall), ("b", (4, 3, 1, 1), tall)):
        weights(f"{name}_w", *shape, scale=scale)
        weights(f"{name}_b", 4, scale=ODD)
    weights("d_w", 4, 1, 3, 3)
    weights("d_b", 4)
    weights("p_w", 6, 4, 1, 1)
    weights("p_b", 6)
    tensors += [numpy_helper.from_array(np.float32(v), n) for n, v in (("low", 0.0), ("high", 6.0))]
    nodes = [
        helper.make_node("Conv", ["image", "a_w", "a_b"], ["a"]),
        helper.make_node("Conv", ["image", "b_w", "b_b"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["sum"]),
        helper.make_node("Conv", ["sum", "d_w", "d_b"], ["d"], group=4, pads=[1, 1, 1, 1]),
        helper.make_node("Clip", ["d", "low", "high"], ["d6"]),
        helper.make_node("Conv", ["sum", "p_w", "p_b"], ["p"]),
        helper.make_node("Relu", ["p"], ["p0"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 8])
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("d6", "p0")]
    graph = helper.make_graph(nodes, "n", [image], outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def outputs(model: ModelProto, feeds: Sequence[dict[str, np.ndarray]], *more: str) -> list[list[np.ndarray]]:
    model = ModelProto.FromString(model.SerializeToString())
    model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in more)
    session = open_session(model.SerializeToString())
    return [session.run(None, feed) for feed in feeds]


def rounded(model: ModelProto) -> ModelProto:
    """Weights on the grid of int8, per channel."""
    copy = ModelProto.FromString(model.SerializeToString())
    for tensor in copy.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.ndim == 4:
            step = np.abs(values).max(axis=(1, 2, 3), keepdims=True) / 127
            tensor.CopyFrom(numpy_helper.from_array((np.round(values / step) * step).astype(np.float32), tensor.name))
    return copy


@pytest.fixture(scope="module")
def feeds() -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(1)
    return [{"image": rng.uniform(0.0, 1.0, (1, 3, 8, 8)).astype(np.float32)} for _ in range(6)]


@pytest.mark.parametrize("seed", range(3))
def test_equalised_is_the_same_network_with_even_channels(seed: int, feeds: list[dict[str, np.ndarray]]) -> None:
    model = network(np.random.default_rng(seed))
    even = equalised(model, feeds)
    for one, other in zip(outputs(model, feeds, "sum"), outputs(even, feeds, "sum"), strict=True):
        for before, after in zip(one[:2], other[:2], strict=True):
            np.testing.assert_allclose(after, before, atol=1e-4)
    size = np.max([np.abs(one[2]).max(axis=(0, 2, 3)) for one in outputs(model, feeds, "sum")], axis=0)
    even_size = np.max([np.abs(one[2]).max(axis=(0, 2, 3)) for one in outputs(even, feeds, "sum")], axis=0)
    assert even_size.max() / even_size.min() < 0.4 * size.max() / size.min()


def test_a_tensor_that_is_given_out_keeps_its_scale(feeds: list[dict[str, np.ndarray]]) -> None:
    model = network(np.random.default_rng(0))
    model.graph.output.append(helper.make_tensor_value_info("sum", TensorProto.FLOAT, None))
    assert equalised(model, feeds) == model


@pytest.mark.parametrize("seed", range(3))
def test_unbiased_takes_the_mean_error_away(seed: int, feeds: list[dict[str, np.ndarray]]) -> None:
    model = network(np.random.default_rng(seed))
    truth = np.array([one[2] for one in outputs(model, feeds, "sum")])
    plain = np.array([one[2] for one in outputs(rounded(model), feeds, "sum")])
    better = np.array([one[2] for one in outputs(rounded(unbiased(model, feeds)), feeds, "sum")])

    def bias(found: np.ndarray) -> float:
        return float((np.abs((found - truth).mean(axis=(0, 1, 3, 4))) / ODD).max())

    assert bias(better) < 0.02 * bias(plain)


def test_layers_that_stay_as_they_are_keep_their_biases(feeds: list[dict[str, np.ndarray]]) -> None:
    model = network(np.random.default_rng(0))
    assert unbiased(model, feeds, ("a", "b", "d", "p")) == model
