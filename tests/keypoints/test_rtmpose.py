"""A pose network of the user's: decoding tested exactly, with networks made here."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import posepipe
from posepipe.errors import ModelError
from posepipe.keypoints import Detector, DetectorStream, open_detector
from posepipe.keypoints.rtmpose import Box, PoseNetwork, RTMPose, read_heatmaps, read_simcc
from posepipe.skeleton import COCO17, HALPE26
from posepipe.types import Frame

WIDTH, HEIGHT = 192, 256


def gaussian(centres: np.ndarray, bins: int, sigma: float, top: float) -> np.ndarray:
    return (top * np.exp(-((np.arange(bins) - centres[:, None]) ** 2) / (2 * sigma**2))).astype(np.float32)


def constant_network(path: Path, keypoints: int, *, top: float = 0.9, sigma: float = 5.0) -> np.ndarray:
    """Write a network that finds the same keypoints (K, 2), in input pixels, in every picture."""
    rng = np.random.default_rng(keypoints)
    xy = np.stack([rng.integers(10, WIDTH - 10, keypoints), rng.integers(10, HEIGHT - 10, keypoints)], axis=1)
    constants = {
        "x": gaussian(xy[:, 0] * 2.0, WIDTH * 2, sigma, top)[None],
        "y": gaussian(xy[:, 1] * 2.0, HEIGHT * 2, sigma, top)[None],
    }
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["x", "nothing"], ["simcc_x"]),
        helper.make_node("Add", ["y", "nothing"], ["simcc_y"]),
    ]
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    weights.append(numpy_helper.from_array(np.zeros((), np.float32), "zero"))
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "constant",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, HEIGHT, WIDTH])],
            [
                helper.make_tensor_value_info("simcc_x", TensorProto.FLOAT, ["batch", keypoints, WIDTH * 2]),
                helper.make_tensor_value_info("simcc_y", TensorProto.FLOAT, ["batch", keypoints, HEIGHT * 2]),
            ],
            weights,
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.save(model, path)
    return xy


@pytest.mark.parametrize(("keypoints", "layout"), [(17, COCO17), (26, HALPE26)])
def test_keypoints_in_the_picture(tmp_path: Path, keypoints: int, layout: object) -> None:
    xy = constant_network(tmp_path / "net.onnx", keypoints)
    network = PoseNetwork(tmp_path / "net.onnx", threads=1)
    assert network.layout is layout
    box = Box(300.0, 200.0, 96.0, 128.0)
    person = network.keypoints(np.full((480, 640, 3), 90, np.uint8), box)
    # Half the scale, and the box's upper left corner.
    np.testing.assert_allclose(person.xy_px, xy / 2.0 + [252.0, 136.0], atol=1e-3)
    np.testing.assert_allclose(person.score, 0.9, atol=1e-5)
    assert person.presence == pytest.approx(0.9, abs=1e-5)
    assert (person.sigma_px > 0).all()


def test_a_wide_answer_has_a_larger_sigma(tmp_path: Path) -> None:
    sigmas = []
    for width in (4.0, 60.0):
        constant_network(tmp_path / "net.onnx", 17, sigma=width)
        person = PoseNetwork(tmp_path / "net.onnx", threads=1).keypoints(
            np.zeros((256, 192, 3), np.uint8), Box(96.0, 128.0, 192.0, 256.0)
        )
        sigmas.append(person.sigma_px.mean())
    assert sigmas[1] > 2.0 * sigmas[0]


def test_read_simcc() -> None:
    simcc = gaussian(np.array([40.0, 301.0]), 384, 5.0, 0.8)
    xy, score, spread = read_simcc(simcc, 192)
    np.testing.assert_allclose(xy, [20.0, 150.5])
    np.testing.assert_allclose(score, 0.8, rtol=1e-6)
    assert (spread > 0.0).all()


def test_box_keeps_the_aspect_and_holds_the_corners() -> None:
    low, high = np.array([10.0, 20.0], np.float32), np.array([60.0, 40.0], np.float32)
    box = Box.around(low, high, 0.75)
    assert box.width_px / box.height_px == pytest.approx(0.75)
    assert box.width_px >= 50.0
    assert box.height_px >= 20.0
    assert (box.x_px, box.y_px) == (35.0, 30.0)


def test_blank_picture_holds_nobody(tmp_path: Path) -> None:
    """The network would swear to a person anywhere; it isn't asked unless one was found."""
    constant_network(tmp_path / "net.onnx", 17)
    detector = open_detector(tmp_path / "net.onnx", threads=1)
    assert isinstance(detector, Detector)
    stream = detector.start()
    assert isinstance(stream, DetectorStream)
    for size in ((240, 320), (1, 1)):
        assert stream.step(Frame(0, 0.0, np.full((*size, 3), 127, np.uint8))) == ()
    stream.close()
    stream.close()


def test_unsure_network_finds_nobody(tmp_path: Path) -> None:
    constant_network(tmp_path / "net.onnx", 17, top=0.1)
    detector = RTMPose(tmp_path / "net.onnx", threads=1)
    assert detector.network.keypoints(np.zeros((99, 99, 3), np.uint8), Box(50, 50, 75, 100)).presence < 0.3


@pytest.mark.shared
def test_person_is_found_and_followed(tmp_path: Path, squat_frames: list[Frame]) -> None:
    constant_network(tmp_path / "net.onnx", 26)
    stream = RTMPose(tmp_path / "net.onnx", threads=1).start()
    people = [stream.step(frame) for frame in squat_frames[:4]]
    assert [len(found) for found in people] == [1] * 4


@pytest.mark.parametrize("keypoints", [5, 133])
def test_other_keypoint_counts(tmp_path: Path, keypoints: int) -> None:
    constant_network(tmp_path / "net.onnx", keypoints)
    with pytest.raises(ModelError, match=f"{keypoints} keypoints"):
        open_detector(tmp_path / "net.onnx")


def test_not_an_onnx_file(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"net\.onnx") as caught:
        open_detector(tmp_path / "net.onnx")
    assert caught.value.exit_code == 4


def dot_colours(keypoints: int) -> np.ndarray:
    """RGB (K, 3) in [0, 255], far from each other and from black."""
    steps = np.array([60.0, 150.0, 240.0])
    return np.array([(r, g, b) for r in steps for g in steps for b in steps])[:keypoints]


def dot_network(path: Path, keypoints: int, *, free: bool = False) -> None:
    """Write a network that answers with heat maps: each joint is where the picture has the joint's colour.

    It is a top-down network in all but its size: ImageNet's colours in, (n, K, 64, 48) out. `free` leaves the sizes of
    its output unsaid, as many exports do.
    """
    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    weights = {
        "std": std.reshape(1, 1, 3, 1, 1),
        "mean": (mean - dot_colours(keypoints)).reshape(1, keypoints, 3, 1, 1),
        "narrow": np.array(-1.0 / (2 * 25.0**2)),
    }
    nodes = [
        helper.make_node("Unsqueeze", ["input", "one"], ["pixels"]),
        helper.make_node("Mul", ["pixels", "std"], ["scaled"]),
        helper.make_node("Add", ["scaled", "mean"], ["gap"]),  # RGB less the joint's colour
        helper.make_node("Mul", ["gap", "gap"], ["square"]),
        helper.make_node("ReduceSum", ["square", "two"], ["distance"], keepdims=0),
        helper.make_node("Mul", ["distance", "narrow"], ["exponent"]),
        helper.make_node("Exp", ["exponent"], ["alike"]),
        # As in training, cell i stands on pixel 4 i.
        helper.make_node("AveragePool", ["alike"], ["heatmap"], kernel_shape=[9, 9], strides=[4, 4], pads=[4, 4, 1, 1]),
    ]
    constants = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
    constants += [numpy_helper.from_array(np.array([axis], np.int64), name) for name, axis in (("one", 1), ("two", 2))]
    out = ["batch", "k", "h", "w"] if free else ["batch", keypoints, HEIGHT // 4, WIDTH // 4]
    graph = helper.make_graph(
        nodes,
        "dots",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, HEIGHT, WIDTH])],
        [helper.make_tensor_value_info("heatmap", TensorProto.FLOAT, out)],
        constants,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize(("keypoints", "layout"), [(17, COCO17), (26, HALPE26)])
def test_heat_maps_find_the_dots_of_a_picture(tmp_path: Path, keypoints: int, layout: object, free: bool) -> None:
    dot_network(tmp_path / "net.onnx", keypoints, free=free)
    network = PoseNetwork(tmp_path / "net.onnx", threads=1)
    assert network.layout is layout
    # Discs in a picture that the box shrinks to a half.
    picture = np.zeros((480, 640, 3), np.uint8)
    box = Box(330.0, 230.0, 2.0 * WIDTH, 2.0 * HEIGHT)
    where = np.array([(190 + 70 * (i % 5), 60 + 70 * (i // 5)) for i in range(keypoints)], np.float64)
    for (x, y), colour in zip(where, dot_colours(keypoints), strict=True):
        cv2.circle(picture, (int(x), int(y)), 10, [int(c) for c in colour[::-1]], -1)
    person = network.keypoints(picture, box)
    # A cell is 8 pixels of the picture here.
    assert np.linalg.norm(person.xy_px - where, axis=1).max() < 2.0
    assert person.score.min() > 0.5
    assert (person.sigma_px > 0.0).all() and np.isfinite(person.sigma_px).all()


def test_read_heatmaps_finds_the_middle_and_the_width_of_gaussians() -> None:
    rows, columns = np.mgrid[:64, :48]
    centres = np.array([[20.3, 31.0], [5.0, 60.45], [30.8, 10.2]])
    maps = np.stack([0.8 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8.0) for x, y in centres])
    xy, score, spread = read_heatmaps(maps.astype(np.float32))
    np.testing.assert_allclose(xy, centres, atol=1e-3)
    np.testing.assert_allclose(score, [0.8, 0.8, 0.8], rtol=0.05)
    np.testing.assert_allclose(spread[[0, 2]], 2.0, rtol=0.05)
    edge, _, _ = read_heatmaps(np.eye(1, 12, dtype=np.float32).reshape(1, 3, 4))
    np.testing.assert_allclose(edge, [[0.0, 0.0]], atol=0.5)


def test_other_outputs_are_refused(tmp_path: Path) -> None:
    node = helper.make_node("GlobalAveragePool", ["input"], ["pooled"])
    two = helper.make_node("Squeeze", ["pooled"], ["out"])
    graph = helper.make_graph(
        [node, two],
        "no pose",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [3])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "a.onnx")
    with pytest.raises(ModelError, match="neither SimCC nor heat maps"):
        open_detector(tmp_path / "a.onnx")


@pytest.mark.parametrize("keypoints", [17, 26])
def test_a_whole_analysis_with_a_network_of_ones_own(tmp_path: Path, person_clip: Path, keypoints: int) -> None:
    """From the file to poses and angles; the network's answer is the same in every box, so it stands still."""
    constant_network(tmp_path / "net.onnx", keypoints)
    recording = posepipe.analyze(person_clip, task="pose", detector=str(tmp_path / "net.onnx"))
    person = recording.people[0]
    assert person.keypoints.layout.name == {17: "coco17", 26: "halpe26"}[keypoints]
    assert person.pose.valid.any() and np.isfinite(person.angles.deg).any()
    assert recording.config["quality"] == "auto"
