"""RTMPose's decoding, tested exactly with networks that always give the same answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from posepipe.errors import ModelError
from posepipe.keypoints import Detector, DetectorStream, open_detector
from posepipe.keypoints.rtmpose import Box, RTMPose, SimCC, read_simcc
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
    network = SimCC(tmp_path / "net.onnx", threads=1)
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
        person = SimCC(tmp_path / "net.onnx", threads=1).keypoints(
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
