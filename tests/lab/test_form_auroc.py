"""Measuring form: the area under the curve, and a set of correct and faulty repetitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posepipe.errors import InputError
from posepipe.lab.form import evaluate_form
from posepipe.lab.metrics import auroc


def test_auroc_by_hand() -> None:
    faulty = np.array([True, True, False, False])
    assert auroc(faulty, np.array([4.0, 3.0, 2.0, 1.0])) == 1.0
    assert auroc(faulty, np.array([1.0, 2.0, 3.0, 4.0])) == 0.0
    assert auroc(faulty, np.array([2.0, 1.0, 2.0, 1.0])) == 0.5


def test_says_what_a_file_lacks(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        evaluate_form(tmp_path / "none.npz")
    np.savez(tmp_path / "bad.npz", kp=np.zeros(3))
    with pytest.raises(InputError, match="no motion capture"):
        evaluate_form(tmp_path / "bad.npz")


@pytest.mark.shared
def test_a_person_it_has_never_seen(shared_data: Path) -> None:
    result = evaluate_form(shared_data / "mocap" / "val.npz")
    assert result["metrics"]["auroc"] >= 0.85
    assert len(result["rows"]) == 10
