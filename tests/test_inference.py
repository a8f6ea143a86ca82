"""Opening ONNX Runtime sessions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from posepipe.errors import ModelError, UsageError
from posepipe.inference import default_threads, open_session, providers


@pytest.fixture
def doubler(tmp_path: Path) -> Path:
    """A network that adds its input to itself."""
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "doubler", value[:1], value[1:])
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_from_path_and_bytes(doubler: Path) -> None:
    for model in (doubler, str(doubler), doubler.read_bytes()):
        session = open_session(model, threads=1)
        (y,) = session.run(None, {"x": np.array([1.0, 2.0], np.float32)})
        np.testing.assert_array_equal(y, [2.0, 4.0])


def test_threads_are_set(doubler: Path) -> None:
    options = open_session(doubler, threads=3).get_session_options()
    assert options.intra_op_num_threads == 3
    assert options.inter_op_num_threads == 1
    assert open_session(doubler).get_session_options().intra_op_num_threads == default_threads()
    assert 1 <= default_threads() <= 4


def test_cpu_unless_asked(doubler: Path) -> None:
    assert open_session(doubler).get_providers() == ["CPUExecutionProvider"]
    assert "CPUExecutionProvider" in providers()


def test_no_threads(doubler: Path) -> None:
    with pytest.raises(UsageError):
        open_session(doubler, threads=0)


def test_missing_and_broken_files(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    for name in ("broken.onnx", "missing.onnx"):
        with pytest.raises(ModelError, match=name) as caught:
            open_session(tmp_path / name)
        assert caught.value.exit_code == 4
    with pytest.raises(ModelError):
        open_session(b"nothing")
