"""The cap on the detector's sigma is fitted to one network's own pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posepipe.cli.main import run as posepipe
from posepipe.errors import InputError
from posepipe.keypoints.sigma import CAP_JOINTS
from posepipe.lab.detector import load_cap_data
from posepipe.skeleton import BLAZEPOSE33, BODY21

pytest.importorskip("scipy")


def made_pairs(path: Path, network: str, seed: int, frames: int = 400) -> None:
    """Errors of 3 cells in the wrists and of 1 in all others, whatever the features say."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0.0, 640.0, (frames, len(BODY21), 2))
    xy = np.zeros((frames, len(BLAZEPOSE33), 2))
    for joint in BODY21.joints:
        if joint in BLAZEPOSE33.joints:
            cells = 3.0 if "wrist" in joint else 1.0
            error = cells * 10.0 * rng.standard_normal((frames, 2))
            xy[:, BLAZEPOSE33.index(joint)] = truth[:, BODY21.index(joint)] + error
    features = rng.uniform(0.6, 1.0, (frames, len(BLAZEPOSE33), 4))
    features[..., 1] += 0.6
    roi = np.tile([0.0, 0.0, 640.0, 0.0], (frames, 1))
    named = {} if network == "old" else {"network": np.array(network)}
    np.savez(
        path,
        xy_px=xy.astype(np.float32),
        xy_true_px=truth.astype(np.float32),
        features=features.astype(np.float32),
        roi=roi.astype(np.float32),
        presence=np.ones(frames, np.float32),
        subject=np.full(frames, "1"),
        **named,
    )


def test_command_prints_the_rows_and_how_true_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_pairs(tmp_path / "loop_train.npz", "heavy", 0)
    made_pairs(tmp_path / "loop_val.npz", "heavy", 1)
    assert posepipe(["train", "sigma-cap", "--network", "heavy", "--pairs", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split('"')[1] for line in lines[: len(CAP_JOINTS)]] == list(CAP_JOINTS)
    told = [line for line in lines if "within_1.645" in line]
    within = {line.split(":")[0]: float(line.split("within_1.645 ")[1].split(",")[0]) for line in told}
    assert set(within) == {"before", "as shipped", "after"}
    assert within["after"] == pytest.approx(0.9, abs=0.02)


def test_pairs_of_another_network_are_refused(tmp_path: Path) -> None:
    made_pairs(tmp_path / "loop_val.npz", "heavy", 1)
    with pytest.raises(InputError, match="seen by heavy, not by full"):
        load_cap_data([tmp_path / "loop_val.npz"])
    made_pairs(tmp_path / "old.npz", "old", 1)
    assert len(load_cap_data([tmp_path / "old.npz"]).error) == 400
