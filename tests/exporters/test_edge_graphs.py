"""The graphs decode and encode as the pipeline's code does."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from exporters.edge import graphs
from exporters.edge import networks as variants
from exporters.edge.rounding import rounded_weights
from posepipe.body.lift import Lifter
from posepipe.inference import open_session
from posepipe.keypoints import finder as ssd
from posepipe.keypoints.blazepose import refine
from posepipe.keypoints.blazepose_models import blazepose_files
from posepipe.keypoints.finder import sigmoid
from posepipe.weights import find_model

RNG = np.random.default_rng


def run(model: onnx.ModelProto, feeds: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    session = open_session(model.SerializeToString(), threads=1)
    names = [item.name for item in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def people(rng: np.random.Generator, count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Raw detector output with some clusters of overlapping candidates."""
    boxes = rng.normal(0, 8, (1, 2254, 12)).astype(np.float32)
    boxes[..., 2:4] = rng.uniform(20, 60, (1, 2254, 2))
    logits = rng.normal(-6, 1, (1, 2254, 1)).astype(np.float32)
    for _ in range(count):
        near = int(rng.integers(1800, 2250))
        logits[0, near : near + 4] = rng.normal(1.5, 1.0, (4, 1))
    return boxes, logits


@pytest.mark.parametrize("count", [0, 1, 3, 6])
def test_detector_decoding_is_the_pipelines(count: int) -> None:
    boxes, logits = people(RNG(count), count)
    wanted = ssd.suppress(ssd.decode(boxes[0], logits[0, :, 0], 0.5), 0.3)
    got = run(graphs.detector_decode(), {"boxes": boxes, "scores": logits})
    assert len(got["score"]) == len(wanted)
    assert got["score"] == pytest.approx(wanted.score, abs=1e-6)
    assert got["points"] == pytest.approx(wanted.points, abs=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_landmark_decoding_is_the_pipelines(seed: int) -> None:
    rng = RNG(seed)
    table = rng.normal(0, 2, (39, 5)).astype(np.float32)
    # Some landmarks lie outside the crop.
    table[:, :2] = rng.uniform(-40, 300, (39, 2))
    maps = rng.normal(-6, 3, (1, 39, 64, 64)).astype(np.float32)
    points, peak, spread = refine(table[:, :2] / np.float32(256), maps[0])
    got = run(graphs.landmarks_decode(), {"landmarks": table.reshape(1, 195), "heatmaps": maps})
    assert got["points"] == pytest.approx(points[:35], abs=1e-5)
    known = np.isfinite(spread[:33])
    assert not known.all()
    assert (got["features"][~known, 1] == 1e6).all()
    assert got["features"][known, 1] == pytest.approx(spread[:33][known], rel=1e-4)
    assert got["features"][:, 0] == pytest.approx(peak[:33], abs=1e-5)
    assert got["features"][:, 2:] == pytest.approx(sigmoid(table[:33, 3:5]), abs=1e-6)


def test_networks_see_bytes_exactly_as_in_the_pipeline() -> None:
    import cv2

    files = blazepose_files()
    picture = RNG(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    small = picture[:224, :224].copy()
    for model, source, image, mean, scale in (
        (graphs.detector, files.onnx_detector(), small, 127.5, 1.0 / 127.5),
        (graphs.landmarks, files.onnx_landmarks(), picture, 0.0, 1.0 / 255.0),
    ):
        tensor = cv2.dnn.blobFromImage(image, scale, mean=(mean,) * 3, swapRB=True)
        folded = model(onnx.load_from_string(source))
        got = run(folded, {"image": image[None]})
        wanted = run(onnx.load_from_string(source), {"image": tensor})
        assert "world" not in got
        for name, value in got.items():
            # To the last bit: the next region of interest stands on it.
            np.testing.assert_array_equal(value, wanted[name])


def lifter_feeds(seed: int) -> dict[str, NDArray[Any]]:
    rng = RNG(seed)
    return {
        "rays": (rng.normal(0.1, 0.15, (1, 21, 2))).astype(np.float32),
        "ray_sigma": rng.uniform(0.002, 0.05, (1, 21)).astype(np.float32),
        "valid": rng.random((1, 21)) > 0.2,
        "focal_assumed": np.array([seed % 2 == 0]),
    }


@pytest.mark.parametrize("seed", range(5))
def test_lifter_with_encoding_inside_is_the_pipelines(seed: int) -> None:
    lifter = Lifter()
    model = graphs.lifter(onnx.load(find_model("lifter")), lifter.calibration)
    feeds = lifter_feeds(seed)
    if seed == 4:
        feeds["valid"][:] = False
    xyz, sigma, usable = lifter.lift_rays(*(feeds[name] for name in ("rays", "ray_sigma", "valid", "focal_assumed")))
    got = run(model, feeds)
    assert got["xyz_m"] == pytest.approx(xyz, abs=1e-4)
    assert got["sigma_m"] == pytest.approx(sigma, rel=1e-3)
    assert (got["usable"] == usable).all()


def test_small_variants_of_the_lifter_stay_near() -> None:
    lifter = Lifter()
    model = graphs.lifter(onnx.load(find_model("lifter")), lifter.calibration)
    whole = len(model.SerializeToString())
    session = open_session(model.SerializeToString(), threads=1)
    feeds = [lifter_feeds(seed) | {"valid": np.ones((1, 21), bool)} for seed in range(8)]
    wanted = [session.run(["xyz_m"], feed)[0] for feed in feeds]
    for small, share, most_m in (
        (variants.half_weights(model), 0.55, 2e-3),
        (variants.dynamic_int8(model), 0.35, 0.05),
    ):
        assert len(small.SerializeToString()) < share * whole
        session = open_session(small.SerializeToString(), threads=1)
        errors = [
            np.abs(session.run(["xyz_m"], feed)[0] - want).mean() for feed, want in zip(feeds, wanted, strict=True)
        ]
        assert 0.0 < np.mean(errors) < most_m


def toy(rng: np.random.Generator) -> onnx.ModelProto:
    """Two convolutions with ReLU6 between them."""
    from onnx import TensorProto, helper, numpy_helper

    weights = {
        "w0": rng.normal(0, 0.3, (16, 3, 3, 3)),
        "b0": rng.normal(0, 0.1, 16),
        "w1": rng.normal(0, 0.2, (8, 16, 3, 3)),
        "b1": rng.normal(0, 0.1, 8),
        "low": np.array(0.0),
        "high": np.array(6.0),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w0", "b0"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Clip", ["a", "low", "high"], ["c"]),
        helper.make_node("Conv", ["c", "w1", "b1"], ["y"], pads=[1, 1, 1, 1]),
    ]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, c, 16, 16]) for n, c in (("x", 3), ("y", 8))]
    tensors = [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in weights.items()]
    graph = helper.make_graph(nodes, "toy", ports[:1], ports[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_static_int8_is_near_and_keeps_what_it_is_told_to() -> None:
    rng = RNG(1)
    model = toy(rng)
    feeds = [{"x": rng.uniform(0, 1, (1, 3, 16, 16)).astype(np.float32)} for _ in range(8)]
    small = variants.static_int8(model, feeds)
    wanted, got = run(model, feeds[0])["y"], run(small, feeds[0])["y"]
    assert 0.0 < np.abs(got - wanted).max() < 0.1 * np.ptp(wanted)
    half = variants.static_int8(model, feeds, exclude=["a", "c"])
    kinds = {tensor.name: tensor.data_type for tensor in half.graph.initializer}
    assert kinds["w0"] == onnx.TensorProto.FLOAT
    assert any(kind == onnx.TensorProto.INT8 for kind in kinds.values())


def test_byte_weights_are_rounded_weights_in_a_float_network() -> None:
    rng = RNG(3)
    model = toy(rng)
    feed = {"x": rng.uniform(0, 1, (1, 3, 16, 16)).astype(np.float32)}
    small = variants.byte_weights(model)
    kinds = {tensor.name: tensor.data_type for tensor in small.graph.initializer}
    assert kinds["w0_i8"] == kinds["w1_i8"] == onnx.TensorProto.INT8 and "w0" not in kinds
    wanted, got = run(model, feed)["y"], run(small, feed)["y"]
    assert 0.0 < np.abs(got - wanted).max() < 0.05 * np.ptp(wanted)
    # The same weights in whole steps, by hand.
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    for tensor in whole.graph.initializer:
        if tensor.name in ("w0", "w1"):
            steps, step = rounded_weights(onnx.numpy_helper.to_array(tensor))
            tensor.CopyFrom(onnx.numpy_helper.from_array(steps * step, tensor.name))
    np.testing.assert_allclose(run(whole, feed)["y"], got, atol=1e-5)
    kept = variants.byte_weights(model, exclude=["a"])
    assert {"w0", "w1_i8"} <= {tensor.name for tensor in kept.graph.initializer}


def test_half_weights_leave_scales_alone() -> None:
    rng = RNG(2)
    feeds = [{"x": rng.uniform(0, 1, (1, 3, 16, 16)).astype(np.float32)} for _ in range(4)]
    small = variants.static_int8(toy(rng), feeds)
    again = variants.half_weights(small)
    scales = [t for t in again.graph.initializer if t.name.endswith("_scale")]
    assert scales and all(t.data_type == onnx.TensorProto.FLOAT for t in scales)
    np.testing.assert_array_equal(run(again, feeds[0])["y"], run(small, feeds[0])["y"])
