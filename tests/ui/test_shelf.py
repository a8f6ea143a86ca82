"""The library opens, keeps and deletes results, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from posepipe.errors import InputError, OutputError
from posepipe.record.folder import load, save
from posepipe.ui.storage import delete, describe, files_of, keep, kept
from tests.record.factory import make_recording


@pytest.fixture
def result(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    save(make_recording(), folder)
    return folder


def test_keep_then_find_then_delete(result: Path, tmp_path: Path) -> None:
    root = tmp_path / "shelf"
    first = keep(result, root, "../my walk.mp4")
    second = keep(result, root, "../my walk.mp4")
    assert first.parent == second.parent == root
    assert first != second
    assert {entry.folder for entry in kept(root)} == {first, second}
    assert len(load(first).people) == len(load(result).people)
    delete(first, root)
    assert [entry.folder for entry in kept(root)] == [second]


def test_folders_that_are_no_results_are_left_out(result: Path, tmp_path: Path) -> None:
    root = tmp_path / "shelf"
    keep(result, root, "a")
    (root / "holiday").mkdir()
    (root / "broken").mkdir()
    (root / "broken" / "summary.json").write_text("{")
    (root / "other").mkdir()
    (root / "other" / "summary.json").write_text(json.dumps({"people": 3}))
    assert [entry.folder.name for entry in kept(root)] == ["a"]


def test_delete_refuses_anything_else(result: Path, tmp_path: Path) -> None:
    root = tmp_path / "shelf"
    entry = keep(result, root, "a")
    (root / "holiday").mkdir()
    link = root / "link"
    link.symlink_to(result)
    for folder in (root / "holiday", result, root, root / ".." / "work", link):
        with pytest.raises(InputError):
            delete(folder, root)
    assert describe(entry) is not None
    assert describe(result) is not None


def test_no_link_is_followed(result: Path, tmp_path: Path) -> None:
    root, secret = tmp_path / "shelf", tmp_path / "secret.txt"
    secret.write_text("secret")
    entry = keep(result, root, "a")
    (root / "link").symlink_to(result)
    assert [found.folder for found in kept(root)] == [entry]
    (entry / "sub").mkdir()
    for link, target in (("notes.txt", secret), ("sub/more.txt", secret), ("folder", tmp_path)):
        before = files_of(entry)
        (entry / link).symlink_to(target)
        assert files_of(entry) == before
        assert kept(root) == []
        (entry / link).unlink()
    assert [found.folder for found in kept(root)] == [entry]
    (entry / "folder").symlink_to(tmp_path)
    with pytest.raises(OutputError, match="files of your own"):
        delete(entry, root)
    assert describe(entry) is None
    assert (entry / "folder").is_symlink()
    assert secret.read_text() == "secret"


def test_missing_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be opened"):
        kept(tmp_path / "nowhere")


def test_shelf_that_cant_be_written(result: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        keep(result, tmp_path / "file", "a")
