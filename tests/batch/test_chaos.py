"""Hundreds of clips, a worker killed every 20 s and the disk filled once: at the end every clip is done exactly once.

POSEPIPE_CHAOS_CLIPS says how many (300); POSEPIPE_FIGURES names a folder that gets chaos.json.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import pytest

from posepipe import load
from posepipe.batch.plan import DONE, RUNNING, State
from posepipe.media.sources import open_source
from posepipe.media.writer import VideoWriter
from tests.batch.test_run import BATCH, WHOLE, _alive, _rows, _states

CLIPS = int(os.environ.get("POSEPIPE_CHAOS_CLIPS", "300"))
COMMAND = f"POSEPIPE_CHAOS_CLIPS={CLIPS} python -m pytest -m slow tests/batch/test_chaos.py"
KILL_S = 20.0
SIZE_PX = (320, 180)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, in memory, that can be filled without harm to others."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2g", "posepipe", str(path)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


@dataclass
class _Books:
    """What happened: each clip's state when it was first seen done, and deaths and exit codes."""

    done: dict[str, State] = field(default_factory=dict)
    killed: list[int] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)


def _clips(folder: Path, clip: Path) -> Path:
    """A second of the sample, small, under many names."""
    folder.mkdir()
    first = folder / "clip_000.mp4"
    with open_source(clip) as source, VideoWriter(first, *SIZE_PX, 30.0) as writer:
        for frame in source:
            if frame.time_s >= 1.0:
                break
            writer.write(cv2.resize(frame.image, SIZE_PX, interpolation=cv2.INTER_AREA), frame.time_s)
    for i in range(1, CLIPS):
        shutil.copy(first, folder / f"clip_{i:03d}.mp4")
    return folder


def _fill(disk: Path) -> None:
    """Take all room that is left."""
    with (disk / "filler").open("wb") as file:
        try:
            while True:
                file.write(bytes(1 << 20))
                file.flush()
        except OSError:
            pass


def _run(command: list[str], out: Path, log: Path, books: _Books, full_at: int | None = None) -> None:
    """The command once; a worker at work is killed every 20 s, and the disk filled when so many clips are done.

    On a machine so slow that no clip was done since, the next is killed later.
    """
    with log.open("a") as said:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
    killed_s, done = time.monotonic(), len(books.done)
    while process.poll() is None:
        time.sleep(0.5)
        states = _states(out)
        for name, state in states.items():
            if state.status == DONE:
                books.done.setdefault(name, state)
        if full_at is not None and len(books.done) >= full_at:
            _fill(out.parent)
            full_at = None
        at_work = [int(state.worker.split(":")[1]) for state in states.values() if state.status == RUNNING]
        at_work = [pid for pid in at_work if _alive(pid)]
        if time.monotonic() - killed_s >= KILL_S and at_work and len(books.done) > done:
            os.kill(at_work[0], signal.SIGKILL)
            books.killed.append(at_work[0])
            killed_s, done = time.monotonic(), len(books.done)
    books.codes.append(process.returncode)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_chaos(person_clip: Path, disk: Path, tmp_path: Path) -> None:
    folder, out, log = _clips(tmp_path / "videos", person_clip), disk / "out", tmp_path / "said"
    command = [*BATCH, str(folder), "--out", str(out), "--task", "pose"]
    books, start_s = _Books(), time.monotonic()
    _run(command, out, log, books, full_at=CLIPS // 3)
    assert books.codes == [2] and "disk is full" in log.read_text().splitlines()[-1]
    (disk / "filler").unlink()
    # A clip whose worker is killed twice has failed, and is done by the next run.
    while books.codes[-1] != 0 and len(books.codes) < 5:
        _run(command, out, log, books)
    assert books.codes[-1] == 0 and set(books.codes[1:]) <= {0, 1}
    states = _states(out)
    assert len(states) == CLIPS and {state.status for state in states.values()} == {DONE}
    again = sorted(name for name, state in books.done.items() if states[name] != state)
    assert again == []
    for name in states:
        assert {path.name for path in (out / name).iterdir()} == WHOLE
    load(out / "clip_000")
    assert len({row["name"] for row in _rows(out)}) == len(_rows(out)) == CLIPS
    assert not list((out / ".posepipe" / "work").iterdir())
    assert "Traceback" not in log.read_text()
    figures = os.environ.get("POSEPIPE_FIGURES")
    if figures:
        metrics = {
            "clips": CLIPS,
            "done": len(states),
            "done_twice": len(again),
            "workers_killed": len(books.killed),
            "disk_filled": 1,
            "runs": len(books.codes),
            "exit_codes": books.codes,
            "minutes": (time.monotonic() - start_s) / 60.0,
        }
        text = json.dumps({"command": COMMAND, "metrics": metrics}, indent=1) + "\n"
        (Path(figures) / "chaos.json").write_text(text)
