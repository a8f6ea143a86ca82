"""``posepipe convert``, ``posepipe lift`` and ``--format``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from posepipe.cli.main import run
from posepipe.formats.registry import write_formats
from posepipe.record.folder import save
from tests.record.factory import make_recording


def test_convert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = tmp_path / "results", tmp_path / "other"
    save(make_recording(20), folder)
    assert run(["convert", str(folder), "--format", "trc,mot", "--format", "bvh", "--out", str(out), "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert [Path(file).name for file in files] == ["person-1.trc", "person-1.mot", "person-1.bvh"]
    assert all(Path(file).parent == out and Path(file).is_file() for file in files)
    assert run(["convert", str(folder), "--format", "coco"]) == 0
    assert capsys.readouterr().out.strip() == str(folder / "coco.json")


def test_lift(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coco, out = write_formats(make_recording(40), tmp_path, "coco")[0], tmp_path / "out"
    assert run(["lift", str(coco), "--out", str(out), "--height-m", "1.8", "--format", "npz", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["people"][0]["scale"] == {"source": "given", "height_m": 1.8}
    assert {path.name for path in out.iterdir()} == {
        *("h36m.npz", "summary.json", "report.html", "poses.parquet", "angles.parquet", ".posepipe.json")
    }
    with np.load(out / "h36m.npz") as data:
        assert np.isfinite(data["positions"]).all(axis=(1, 2)).mean() > 0.9


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["convert", "nowhere", "--format", "trc"], 3, "nowhere"),
        (["convert", "nowhere"], 2, "--format"),
        (["convert", "nowhere", "--format", "fbx"], 2, "fbx"),
        (["analyze", "nowhere.mp4", "--format", "fbx"], 2, "fbx"),
        (["batch", "nowhere", "--out", "o", "--format", "fbx"], 2, "fbx"),
        (["batch", "nowhere", "--out", "o"], 3, "nowhere"),
        (["lift", "nowhere.json", "--size", "big"], 2, "big"),
        (["lift", "nowhere.json", "--from", "posenet"], 2, "posenet"),
        (["lift", "nowhere.json"], 3, "nowhere.json"),
    ],
)
def test_what_cannot_be(
    arguments: list[str],
    code: int,
    word: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.strip().splitlines()) == 1 and word in captured.err
    assert list(tmp_path.iterdir()) == []
