"""Where the networks come from, and the cache."""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import sys
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

from posepipe.errors import ModelError, UsageError
from posepipe.keypoints import blazepose_models
from posepipe.keypoints.blazepose_models import blazepose_files, from_task, get_blazepose, have_blazepose
from posepipe.weights import sha256_of


def test_cache_keeps_checksums_of_source_and_result(fresh_cache: Path) -> None:
    files = blazepose_files()
    data = files.onnx_detector()
    (onnx,) = fresh_cache.glob("*.onnx")
    record = json.loads(onnx.with_suffix(".json").read_text())
    assert onnx.read_bytes() == data
    assert record["sha256"] == sha256_of(data)
    assert record["source_sha256"] == sha256_of(files.detector)


def test_cache_is_used(fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = blazepose_files()
    first = files.onnx_detector()
    monkeypatch.setitem(sys.modules, "posepipe.keypoints.translate", None)  # any import of it fails now
    assert files.onnx_detector() == first


@pytest.mark.parametrize("damage", ["flip", "truncate", "no record", "broken record", "list record"])
def test_damaged_cache_is_made_again(fresh_cache: Path, damage: str) -> None:
    files = blazepose_files()
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
    files = blazepose_files()
    results: list[bytes] = []
    threads = [threading.Thread(target=lambda: results.append(files.onnx_detector())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3
    assert len(set(results)) == 1
    assert sorted(path.suffix for path in fresh_cache.iterdir() if path.is_file()) == [".json", ".onnx"]


def test_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = blazepose_files()
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("POSEPIPE_HOME", str(tmp_path / "file" / "cache"))
    assert files.onnx_detector()[:4]


def test_missing_networks_name_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSEPIPE_HOME", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="posepipe models get") as caught:
        blazepose_files()
    assert caught.value.exit_code == 4


def _pack(path: Path, files: dict[str, bytes]) -> Path:
    if path.suffix == ".tgz":
        with tarfile.open(path, "w:gz") as package:
            for name, data in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                package.addfile(entry, io.BytesIO(data))
    elif path.suffix == ".tflite":
        path.write_bytes(next(iter(files.values())))
    else:
        with zipfile.ZipFile(path, "w") as package:
            for name, data in files.items():
                package.writestr(name, data)
    return path


@pytest.mark.parametrize("name", ["mediapipe-0.10.21.whl", "mediapipe-pose.tgz", "pose_landmarker_full.task"])
def test_networks_are_known_by_their_checksum(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = blazepose_files()
    files = {"a/x.tflite": known.detector, "b/y.tflite": known.landmarks, "z.tflite": b"other", "readme.txt": b"text"}
    path = _pack(tmp_path / name, files)
    monkeypatch.setenv("POSEPIPE_HOME", str(tmp_path / "home"))
    said = get_blazepose(path)
    assert name in said[0]
    assert blazepose_files().landmarks == known.landmarks
    # What is there isn't asked for again: no package manager runs now.
    monkeypatch.setattr(blazepose_models, "_commands", None)
    assert get_blazepose() == ()


def test_one_network_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = blazepose_files()
    monkeypatch.setenv("POSEPIPE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(blazepose_models, "_keep_installed", lambda: None)
    with pytest.raises(ModelError, match=r"isn't on this machine yet \(pose_landmark_full"):
        get_blazepose(_pack(tmp_path / "detector.tflite", {"": known.detector}))
    get_blazepose(_pack(tmp_path / "landmarks.tflite", {"": known.landmarks}))
    assert blazepose_files().detector == known.detector


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("no.whl", b"no zip", "can't be read"),
        ("no.tgz", b"no tar", "can't be read"),
        ("other.tflite", b"\x1c\x00\x00\x00TFL3", "none of BlazePose's known networks"),
        ("missing.whl", None, "no such file"),
    ],
)
def test_files_without_the_networks(
    name: str, data: bytes | None, words: str, fresh_cache: Path, tmp_path: Path
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(ModelError, match=words) as caught:
        get_blazepose(tmp_path / name)
    assert name in str(caught.value)


def test_every_way_that_failed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSEPIPE_HOME", str(tmp_path))
    monkeypatch.setattr(blazepose_models, "_keep_installed", lambda: None)
    fails = [sys.executable, "-c", "import sys; sys.exit('no network here')"]
    brings_nothing = [sys.executable, "-c", ""]
    monkeypatch.setattr(blazepose_models, "_commands", lambda network: iter([("pip", fails), ("npm", brings_nothing)]))
    with pytest.raises(ModelError, match=r"pip \(no network here\); npm \(brought another file\).*--from FILE"):
        get_blazepose()


def test_a_package_manager_brings_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = blazepose_files()
    wheel = _pack(tmp_path / "m.whl", {"d.tflite": known.detector, "l.tflite": known.landmarks})
    monkeypatch.setenv("POSEPIPE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(blazepose_models, "_keep_installed", lambda: None)
    copy = [sys.executable, "-c", f"import shutil, sys; shutil.copy({str(wheel)!r}, sys.argv[1])"]
    monkeypatch.setattr(blazepose_models, "_commands", lambda network: iter([("pip", copy)]))
    assert get_blazepose() == ("by pip",)
    assert blazepose_files().landmarks == known.landmarks


def test_task_bundle(tmp_path: Path) -> None:
    known = blazepose_files()
    path = tmp_path / "pose_landmarker_full.task"
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("pose_detector.tflite", known.detector)
        bundle.writestr("pose_landmarks_detector.tflite", known.landmarks)
    files = from_task(path)
    assert (files.detector, files.landmarks) == (known.detector, known.landmarks)
    assert files.name == "pose_landmarker_full"


def test_wrong_bundles(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "hand.task", "w") as bundle:
        bundle.writestr("hand_detector.tflite", b"x")
    (tmp_path / "text.task").write_text("no zip")
    for name in ("hand.task", "text.task", "missing.task"):
        with pytest.raises(ModelError, match=name):
            from_task(tmp_path / name)


def test_nothing_imports_mediapipe_or_onnx_when_cached() -> None:
    """The core runs without MediaPipe's code, and without the translator once the cache is filled."""
    blazepose_files().onnx_detector()
    blazepose_files().onnx_landmarks()
    code = (
        "import sys; from posepipe.keypoints import open_detector; open_detector('blazepose', threads=1).start();"
        "print([m for m in ('mediapipe', 'torch', 'onnx', 'tflite', 'ai_edge_litert') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_heavy_comes_by_npm_alone() -> None:
    assert {name for name, _ in blazepose_models._commands("heavy")} <= {"npm"}


def test_unknown_network_names_the_others() -> None:
    with pytest.raises(UsageError, match="lite, full, heavy"):
        get_blazepose(network="huge")


def test_missing_heavy_names_its_command(fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (fresh_cache / "blazepose" / "pose_landmark_heavy.tflite").unlink(missing_ok=True)
    monkeypatch.setattr(blazepose_models, "_keep_installed", lambda: None)
    assert not have_blazepose("heavy")
    assert have_blazepose("full")
    with pytest.raises(ModelError, match="posepipe models get heavy"):
        blazepose_files("heavy")
