"""The mean of several points of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from posepipe.cli.main import run
from posepipe.errors import InputError
from posepipe.lab.runs import average_weights


def _weights(path: Path, value: float, steps: int, shape: tuple[int, ...] = (2, 3)) -> Path:
    save_file({"w": np.full(shape, value, np.float32), "steps": np.array(steps, np.int64)}, path)
    return path


def test_the_mean_of_what_is_learnt_and_the_last_of_what_is_counted(tmp_path: Path) -> None:
    one, two = _weights(tmp_path / "a", 1.0, 10), _weights(tmp_path / "b", 4.0, 20)
    assert run(["train", "average", str(one), str(two), "--out", str(tmp_path / "new" / "c")]) == 0
    mean = load_file(tmp_path / "new" / "c")
    np.testing.assert_array_equal(mean["w"], np.full((2, 3), 2.5, np.float32))
    assert mean["w"].dtype == np.float32 and mean["steps"] == 20
    # One alone stays as it is.
    average_weights([two], tmp_path / "d")
    np.testing.assert_array_equal(load_file(tmp_path / "d")["w"], load_file(two)["w"])


def test_other_networks_are_refused(tmp_path: Path) -> None:
    one, two = _weights(tmp_path / "a", 1.0, 1), _weights(tmp_path / "b", 1.0, 1, (3, 2))
    with pytest.raises(InputError, match="same network"):
        average_weights([one, two], tmp_path / "c")
    with pytest.raises(InputError, match="no such file"):
        average_weights([one, tmp_path / "none"], tmp_path / "c")
    assert not (tmp_path / "c").exists()
