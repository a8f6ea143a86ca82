"""Model cards, checksums, the cache folder."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from posepipe.errors import ModelError
from posepipe.weights import cache_dir, find_model, list_cards, load_card, models_dir, sha256_of, verify

FIELDS = {
    "name": '"lifter"',
    "file": '"lifter.onnx"',
    "sha256": f'"{sha256_of(b"weights").upper()}"',
    "size_bytes": "7",
    "licence": '"Apache-2.0"',
    "source": '"posepipe train"',
    "input": '"keypoints"',
    "output": '"pose"',
    "description": '"2D to 3D"',
}


def write_card(folder: Path, without: str = "", **changes: str) -> Path:
    fields = {**FIELDS, **changes}
    lines = [f"{key} = {value}" for key, value in fields.items() if key != without]
    path = folder / "lifter.toml"
    path.write_text("\n".join([*lines, "[metrics]", "mpjpe_mm = 51.5"]))
    (folder / "lifter.onnx").write_bytes(b"weights")
    return path


def test_card(tmp_path: Path) -> None:
    card = load_card(write_card(tmp_path))
    assert card.name == "lifter"
    assert card.metrics["mpjpe_mm"] == 51.5
    assert card.model_path == tmp_path / "lifter.onnx"
    assert card.sha256 == sha256_of(b"weights")


@pytest.mark.parametrize("field", FIELDS)
def test_missing_field_is_named_with_its_file(tmp_path: Path, field: str) -> None:
    path = write_card(tmp_path, without=field)
    with pytest.raises(ModelError, match=f"lifter.toml.*'{field}'") as caught:
        load_card(path)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size_bytes", '"7"'),
        ("size_bytes", "true"),
        ("name", "3"),
        ("file", '"../secret"'),
        ("file", '"/etc/passwd"'),
        ("file", '"a\\u0000b"'),
    ],
)
def test_wrong_field(tmp_path: Path, field: str, value: str) -> None:
    with pytest.raises(ModelError, match=field):
        load_card(write_card(tmp_path, **{field: value}))


def test_unreadable_cards(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("name = ")
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "d.toml").write_text("name = " + "[" * 5000)
    for name in ("a.toml", "b.toml", "c.toml", "d.toml"):
        with pytest.raises(ModelError, match=name):
            load_card(tmp_path / name)


def test_find_and_verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_card(tmp_path)
    monkeypatch.setenv("POSEPIPE_MODELS", str(tmp_path))
    assert models_dir() == tmp_path
    assert find_model("lifter") == tmp_path / "lifter.onnx"


def test_changed_file_names_both_checksums(tmp_path: Path) -> None:
    write_card(tmp_path)
    (tmp_path / "lifter.onnx").write_bytes(b"Weights")
    with pytest.raises(ModelError) as caught:
        find_model("lifter", tmp_path)
    message = str(caught.value)
    assert "lifter.onnx" in message
    assert sha256_of(b"weights") in message
    assert sha256_of(b"Weights") in message
    assert caught.value.exit_code == 4


def test_missing_file_and_unknown_name(tmp_path: Path) -> None:
    write_card(tmp_path)
    with pytest.raises(ModelError, match="There are: lifter"):
        find_model("gait", tmp_path)
    (tmp_path / "lifter.onnx").unlink()
    with pytest.raises(ModelError, match=r"lifter\.onnx"):
        find_model("lifter", tmp_path)


def test_two_cards_of_one_name(tmp_path: Path) -> None:
    path = write_card(tmp_path)
    (tmp_path / "other.toml").write_text(path.read_text())
    with pytest.raises(ModelError, match=r"lifter\.toml.*other\.toml"):
        list_cards(tmp_path)


def test_folder_without_cards(tmp_path: Path) -> None:
    assert list_cards(tmp_path) == ()
    with pytest.raises(ModelError, match="none"):
        find_model("lifter", tmp_path)


def test_own_models_are_whole() -> None:
    for card in list_cards():
        verify(card.model_path, card.sha256)
        assert card.model_path.stat().st_size == card.size_bytes
        assert card.licence


def test_cache_dir_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSEPIPE_HOME", str(tmp_path / "naïve folder" / "cache"))
    folder = cache_dir()
    assert folder == tmp_path / "naïve folder" / "cache"
    assert list(folder.iterdir()) == []


def test_cache_dir_falls_back_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("POSEPIPE_HOME", str(tmp_path / "file" / "cache"))
    with caplog.at_level(logging.WARNING):
        folder = cache_dir()
    assert folder.is_dir()
    assert "POSEPIPE_HOME" in caplog.text
    assert cache_dir() == folder


def test_cache_dir_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POSEPIPE_HOME", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "posepipe"
