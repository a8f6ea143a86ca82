"""Uploads can't escape, junk is refused by content, and nothing stays."""

from __future__ import annotations

import gc
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posepipe.errors import MediaError
from posepipe.samples import SAMPLE_VIDEO
from posepipe.ui.storage import Workspace, check_video, safe_name, sweep


@given(st.text(max_size=300))
def test_safe_name_stays_in_its_folder(name: str) -> None:
    safe = safe_name(name)
    assert safe
    assert Path(safe).name == safe
    assert not safe.startswith(".")
    assert not set(safe) & set('/\\<>:"|?*\0\n\r\t')
    assert len(safe.encode()) <= 100
    folder = Path("/some/folder")
    assert (folder / safe).resolve().parent == folder.resolve()


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("Übung 1.MP4", "Übung 1.MP4"),
        ("スクワット.mov", "スクワット.mov"),
        ("...", "video"),
        ("", "video"),
        ("/", "video"),
        (".hidden.mp4", "hidden.mp4"),
        ("a\x00b.mp4", "ab.mp4"),
        ("name\u202egnp.mp4", "namegnp.mp4"),
    ],
)
def test_safe_name_by_example(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_upload_of_same_name_twice(tmp_path: Path) -> None:
    space = Workspace(tmp_path)
    one = space.keep_upload("../a.mp4", io.BytesIO(b"1"))
    two = space.keep_upload("../a.mp4", io.BytesIO(b"2"))
    assert one != two
    assert (one.read_bytes(), two.read_bytes()) == (b"1", b"2")
    assert space.folder in one.parents


def refused(path: Path) -> MediaError | None:
    """Why a file isn't taken; None if it is."""
    try:
        check_video(path)
    except MediaError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.mp4", b""),
        ("text.mp4", b"this is no video at all\n" * 100),
        ("page.mp4", b"<html><script>alert(1)</script></html>"),
        ("program.mp4", b"\x7fELF\x02\x01\x01" + bytes(500)),
        # These lead to other files: the server's own, or another machine's.
        ("list.m3u8", f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{SAMPLE_VIDEO}\n#EXT-X-ENDLIST\n".encode()),
        ("list.mp4", b"ffconcat version 1.0\nfile beside.mp4\n"),
        ("call.sdp", b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 10.1.2.3\nt=0 0\nm=video 5004 RTP/AVP 96\n"),
    ],
)
def test_junk_is_refused_whatever_its_name(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    shutil.copy(SAMPLE_VIDEO, tmp_path / "beside.mp4")
    error = refused(path)
    assert error is not None
    assert error.where == name
    assert str(tmp_path) not in str(error)


def test_video_is_taken_whatever_its_name(person_clip: Path, tmp_path: Path) -> None:
    odd = tmp_path / "holiday.txt"
    odd.write_bytes(person_clip.read_bytes())
    assert refused(odd) is None


def test_everything_goes_with_the_session(tmp_path: Path) -> None:
    space = Workspace(tmp_path)
    folder = space.folder
    space.keep_upload("a.mp4", io.BytesIO(b"1"))
    assert folder.is_dir()
    del space
    gc.collect()
    assert not folder.exists()


def test_close_deletes_at_once(tmp_path: Path) -> None:
    space = Workspace(tmp_path)
    space.close()
    space.close()
    assert not space.folder.exists()


def test_sweep_takes_what_a_dead_process_left(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead, mine, other = (
        tmp_path / f"posepipe-app-{ended.pid}-x",
        tmp_path / f"posepipe-app-{os.getpid()}-x",
        tmp_path / "posepipe-app-notes",
    )
    for folder in (dead, mine, other):
        folder.mkdir()
    assert sweep(tmp_path) == 1
    assert not dead.exists()
    assert mine.exists()
    assert other.exists()


def test_folder_goes_when_the_page_stays_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from posepipe.ui import session

    monkeypatch.setattr(session, "_GONE_S", 0.1)
    monkeypatch.setattr(session, "_LOOK_S", 0.02)
    space = Workspace(tmp_path)
    session._tidy_up(space, "no such session")
    assert not space.folder.exists()
