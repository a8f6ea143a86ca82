"""The translation against TFLite's own interpreter, and the reader against hand-made files."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from posepipe.errors import ModelError
from posepipe.inference import open_session
from posepipe.keypoints.blazepose_models import blazepose_files, have_blazepose
from posepipe.keypoints.translate import Operator, TFLiteGraph, _Translator, densify, read_tflite, translate

interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="needs ai-edge-litert")

LANDMARKS = {"landmarks": (1, 195), "presence": (1, 1), "heatmaps": (1, 64, 64, 39), "world": (1, 117)}
DETECTOR = {"boxes": (1, 2254, 12), "scores": (1, 2254, 1)}


def litert(data: bytes, image: np.ndarray) -> dict[tuple[int, ...], np.ndarray]:
    """Outputs of TFLite's interpreter by shape."""
    net = interpreter.Interpreter(model_content=data, num_threads=1)
    net.allocate_tensors()
    net.set_tensor(net.get_input_details()[0]["index"], image)
    net.invoke()
    return {tuple(o["shape"].tolist()): net.get_tensor(o["index"]).copy() for o in net.get_output_details()}


def smooth_picture(size: int, rng: np.random.Generator) -> np.ndarray:
    coarse = rng.uniform(0.0, 1.0, (8, 8, 3))
    return np.kron(coarse, np.ones((size // 8, size // 8, 1)))[None].astype(np.float32)


CASES = {
    "noise": lambda size, rng: rng.uniform(0.0, 1.0, (1, size, size, 3)).astype(np.float32),
    "blocks": smooth_picture,
    "black": lambda size, rng: np.zeros((1, size, size, 3), np.float32),
}


@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
@pytest.mark.parametrize(("part", "outputs", "size"), [("landmarks", LANDMARKS, 256), ("detector", DETECTOR, 224)])
def test_equals_litert(
    part: str, outputs: dict, size: int, make: Callable[[int, np.random.Generator], np.ndarray]
) -> None:
    data = getattr(blazepose_files(), part)
    image = make(size, np.random.default_rng(1))
    if part == "detector":
        image = image * 2.0 - 1.0
    expected = litert(data, image)
    session = open_session(translate(data, outputs), threads=1)
    results = session.run(list(outputs), {"image": np.ascontiguousarray(image.transpose(0, 3, 1, 2))})
    for (name, shape), result in zip(outputs.items(), results, strict=True):
        got = result.transpose(0, 2, 3, 1) if result.ndim == 4 else result
        assert np.abs(expected[shape]).max() > 0.0, name
        # With nothing to hold on to, depths of a black picture reach 140 and agree to a few parts in ten thousand.
        assert np.abs(got - expected[shape]).max() <= (5e-2 if make is CASES["black"] else 5e-3), name


@pytest.mark.parametrize("network", ["lite", "heavy"])
def test_other_networks_equal_litert(network: str) -> None:
    if not have_blazepose(network):
        pytest.skip(f"needs {network}: posepipe models get {network}")
    data = blazepose_files(network).landmarks
    image = smooth_picture(256, np.random.default_rng(1))
    expected = litert(data, image)
    session = open_session(translate(data, LANDMARKS), threads=1)
    results = session.run(list(LANDMARKS), {"image": np.ascontiguousarray(image.transpose(0, 3, 1, 2))})
    for (name, shape), result in zip(LANDMARKS.items(), results, strict=True):
        got = result.transpose(0, 2, 3, 1) if result.ndim == 4 else result
        assert np.abs(expected[shape]).max() > 0.0, name
        assert np.abs(got - expected[shape]).max() <= 1e-2, name


def test_pad_of_channels_equals_numpy() -> None:
    """The heavy network widens shortcuts by channels of zeros; no file of it is needed for this."""
    shapes = {0: (1, 2, 3, 4), 1: (4, 2), 2: (1, 3, 3, 7)}
    pads = np.array([[0, 0], [0, 1], [0, 0], [1, 2]], dtype=np.int32)
    graph = TFLiteGraph((0,), (2,), shapes, {1: pads}, (Operator("PAD", (0, 1), (2,), {}),))
    session = open_session(_Translator(graph, "").model({"wide": 2}), threads=1)
    image = np.random.default_rng(0).uniform(0.0, 1.0, (2, 4, 2, 3)).astype(np.float32)
    wide = session.run(["wide"], {"image": image})[0]
    np.testing.assert_array_equal(wide, np.pad(image, ((0, 0), (1, 2), (0, 1), (0, 0))))


@pytest.mark.shared
def test_equals_litert_on_real_crop(squat_frames: list) -> None:
    data = blazepose_files().landmarks
    crop = np.ascontiguousarray(squat_frames[0].image[:256, 700:956, ::-1])[None].astype(np.float32) / 255.0
    expected = litert(data, crop)
    session = open_session(translate(data, LANDMARKS), threads=1)
    got = session.run(["landmarks", "presence"], {"image": np.ascontiguousarray(crop.transpose(0, 3, 1, 2))})
    # Depth, which nothing here uses, reaches 440 in this crop.
    tables = [values.reshape(39, 5)[:, [0, 1, 3, 4]] for values in (got[0], expected[1, 195])]
    assert np.abs(tables[0] - tables[1]).max() <= 5e-3
    assert np.abs(got[1] - expected[1, 1]).max() <= 5e-3


def test_batch_equals_one_by_one() -> None:
    session = open_session(translate(blazepose_files().landmarks, LANDMARKS), threads=1)
    images = np.random.default_rng(2).uniform(0.0, 1.0, (3, 3, 256, 256)).astype(np.float32)
    together = session.run(["landmarks"], {"image": images})[0]
    single = np.concatenate([session.run(["landmarks"], {"image": images[i : i + 1]})[0] for i in range(3)])
    np.testing.assert_allclose(together, single, atol=5e-3)


def test_segmentation_branch_is_cut() -> None:
    whole = {**LANDMARKS, "mask": (1, 256, 256, 1)}
    data = blazepose_files().landmarks
    assert len(translate(data, LANDMARKS)) < len(translate(data, whole)) - 10_000


@pytest.mark.parametrize(("part", "outputs"), [("landmarks", LANDMARKS), ("detector", DETECTOR)])
def test_file_is_the_one_that_onnx_writes(part: str, outputs: dict) -> None:
    onnx = pytest.importorskip("onnx")
    data = translate(getattr(blazepose_files(), part), outputs)
    model = onnx.load_from_string(data)
    onnx.checker.check_model(model, full_check=True)
    assert model.SerializeToString(deterministic=True) == data


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\x00\x00\x00\x00TFL3", b"\x10\x00\x00\x00TFL3" + b"\xff" * 64])
def test_broken_file_is_a_model_error(data: bytes) -> None:
    with pytest.raises(ModelError) as caught:
        read_tflite(data, "my.tflite")
    assert caught.value.exit_code == 4
    assert "my.tflite" in str(caught.value)


def test_truncated_network_is_a_model_error() -> None:
    with pytest.raises(ModelError):
        translate(blazepose_files().landmarks[:5000], LANDMARKS)


def test_missing_output_names_the_shapes() -> None:
    with pytest.raises(ModelError, match=r"\(1, 17\).*\(1, 195\)"):
        translate(blazepose_files().landmarks, {"landmarks": (1, 17)}, where="x")


def test_densify_dense_levels() -> None:
    values = np.arange(6, dtype=np.float32)
    np.testing.assert_array_equal(densify(values, (2, 3), (0, 1), (), (2, 3)), values.reshape(2, 3))


def test_densify_other_traversal_order() -> None:
    values = np.arange(6, dtype=np.float32)
    np.testing.assert_array_equal(densify(values, (2, 3), (1, 0), (), (3, 2)), values.reshape(3, 2).T)


@pytest.mark.parametrize("seed", range(5))
def test_densify_compressed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    dense = np.where(rng.uniform(size=(4, 6)) < 0.4, rng.normal(size=(4, 6)), 0.0).astype(np.float32)
    rows, columns = np.nonzero(dense)
    segments = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=4))])
    got = densify(dense[rows, columns], (4, 6), (0, 1), (), (4, (segments, columns)))
    np.testing.assert_array_equal(got, dense)


def test_densify_blocks() -> None:
    """The example of TFLite's schema: a 4 by 4 matrix in 2 by 2 blocks, two of them stored."""
    dense = np.zeros((4, 4), np.float32)
    dense[:2, :2] = [[1, 2], [3, 4]]
    dense[2:, 2:] = [[5, 6], [7, 8]]
    compressed = (np.array([0, 1, 2]), np.array([0, 1]))
    got = densify(np.arange(1, 9, dtype=np.float32), (4, 4), (0, 1, 2, 3), (0, 1), (2, compressed, 2, 2))
    np.testing.assert_array_equal(got, dense)
