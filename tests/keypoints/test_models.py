"""Where the networks come from, and the cache."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from posepipe.errors import ModelError
from posepipe.keypoints import blazepose_models
from posepipe.keypoints.blazepose_models import from_task, from_wheel
from posepipe.weights import sha256_of


def test_cache_keeps_checksums_of_source_and_result(fresh_cache: Path) -> None:
    files = from_wheel()
    data = files.onnx_detector()
    (onnx,) = fresh_cache.glob("*.onnx")
    record = json.loads(onnx.with_suffix(".json").read_text())
    assert onnx.read_bytes() == data
    assert record["sha256"] == sha256_of(data)
    assert record["source_sha256"] == sha256_of(files.detector)


def test_cache_is_used(fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = from_wheel()
    first = files.onnx_detector()
    monkeypatch.setitem(sys.modules, "posepipe.keypoints.translate", None)  # any import of it fails now
    assert files.onnx_detector() == first


@pytest.mark.parametrize("damage", ["flip", "truncate", "no record", "broken record", "list record"])
def test_damaged_cache_is_made_again(fresh_cache: Path, damage: str) -> None:
    files = from_wheel()
    good = files.onnx_detector()
    (path,) = fresh_cache.glob("*.onnx")
    record = path.with_suffix(".json")
    if damage == "flip":
        path.write_bytes(good[:1000] + bytes([good[1000] ^ 1]) + good[1001:])
    elif damage == "truncate":
        path.write_bytes(good[:1000])
    elif damage == "no record":
        record.unlink()
    else:
        record.write_text("{" if damage == "broken record" else "[]")
    assert files.onnx_detector() == good
    assert path.read_bytes() == good
    assert json.loads(record.read_text())["sha256"] == sha256_of(good)


def test_several_at_once(fresh_cache: Path) -> None:
    files = from_wheel()
    results: list[bytes] = []
    threads = [threading.Thread(target=lambda: results.append(files.onnx_detector())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3
    assert len(set(results)) == 1
    assert sorted(path.suffix for path in fresh_cache.iterdir()) == [".json", ".onnx"]


def test_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("POSEPIPE_HOME", str(tmp_path / "file" / "cache"))
    assert from_wheel().onnx_detector()[:4]


def test_missing_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"mediapipe==0\.10\.21") as caught:
        from_wheel()
    assert caught.value.exit_code == 4


def test_wheel_without_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location(
        "mediapipe", tmp_path / "__init__.py", submodule_search_locations=[str(tmp_path)]
    )
    monkeypatch.setattr(blazepose_models.importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(ModelError, match=r"mediapipe==0\.10\.21"):
        from_wheel()


def test_task_bundle(tmp_path: Path) -> None:
    wheel = from_wheel()
    path = tmp_path / "pose_landmarker_full.task"
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("pose_detector.tflite", wheel.detector)
        bundle.writestr("pose_landmarks_detector.tflite", wheel.landmarks)
    files = from_task(path)
    assert (files.detector, files.landmarks) == (wheel.detector, wheel.landmarks)
    assert files.name == "pose_landmarker_full"


def test_wrong_bundles(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "hand.task", "w") as bundle:
        bundle.writestr("hand_detector.tflite", b"x")
    (tmp_path / "text.task").write_text("no zip")
    for name in ("hand.task", "text.task", "missing.task"):
        with pytest.raises(ModelError, match=name):
            from_task(tmp_path / name)


def test_nothing_imports_mediapipe_or_onnx_when_cached() -> None:
    """The core runs without MediaPipe's code, and without onnx once the cache is filled."""
    from_wheel().onnx_detector()
    from_wheel().onnx_landmarks()
    code = (
        "import sys; from posepipe.keypoints import open_detector; open_detector('blazepose', threads=1).start();"
        "print([m for m in ('mediapipe', 'torch', 'onnx', 'tflite', 'ai_edge_litert') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
