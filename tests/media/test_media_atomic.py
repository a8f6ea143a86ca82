from __future__ import annotations

import errno
import os

import pytest

from posepipe.errors import MediaError, OutputError
from posepipe.media.atomic import atomic_path


def test_appears_only_when_whole(tmp_path):
    final = tmp_path / "new folder" / "größe.tar.json"
    with atomic_path(final) as temporary:
        assert temporary.parent == final.parent and temporary.suffix == ".json"
        assert not temporary.exists()
        temporary.write_text("whole")
        assert not final.exists()
    assert final.read_text() == "whole"
    assert list(final.parent.iterdir()) == [final]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MediaError("gone")])
def test_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    final = tmp_path / "a.txt"
    final.write_text("old")
    with pytest.raises(type(error) if isinstance(error, Exception) else error), atomic_path(final) as temporary:
        temporary.write_text("half")
        raise error
    assert final.read_text() == "old"
    assert list(tmp_path.iterdir()) == [final]


def test_full_disk(tmp_path):
    with pytest.raises(OutputError, match="disk is full") as caught, atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.exit_code == 2 and "a.txt" in caught.value.where
    assert list(tmp_path.iterdir()) == []


def test_an_input_that_fails_is_not_blamed_on_the_output(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a.txt"):
        (tmp_path / "elsewhere" / "input.txt").read_text()


def test_nothing_written(tmp_path):
    with pytest.raises(OutputError), atomic_path(tmp_path / "a.txt"):
        pass


def test_folder_is_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file, not a folder|exists"), atomic_path(tmp_path / "file" / "a.txt"):
        raise AssertionError("not reached")


def test_name_is_a_folder(tmp_path):
    (tmp_path / "a.txt" / "inner").mkdir(parents=True)
    with pytest.raises(OutputError, match="folder has that name"), atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_forbidden_folder(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="may not write"), atomic_path(tmp_path / "a.txt"):
            raise AssertionError("not reached")
    finally:
        tmp_path.chmod(0o700)
