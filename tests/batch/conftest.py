"""Small videos: somebody, nobody, nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from posepipe.media.sources import open_source
from posepipe.media.writer import VideoWriter


@pytest.fixture(scope="session")
def short_clip(person_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A third of a second of somebody walking."""
    path = tmp_path_factory.mktemp("short") / "short.mp4"
    with open_source(person_clip) as source, VideoWriter(path, *_size(source), 30.0) as writer:
        for frame in source:
            if frame.index >= 10:
                break
            writer.write(frame.image, frame.time_s)
    return path


def _size(source) -> tuple[int, int]:
    return source.info.width_px, source.info.height_px


@pytest.fixture
def folder(tmp_path: Path, short_clip: Path) -> Path:
    """Two people, an empty room, and a file that is no video, in folders below each other."""
    folder = tmp_path / "videos"
    (folder / "day 2").mkdir(parents=True)
    shutil.copy(short_clip, folder / "anna.mp4")
    shutil.copy(short_clip, folder / "day 2" / "bélà.mp4")
    with VideoWriter(folder / "empty.mp4", 320, 240, 25.0) as writer:
        for i in range(8):
            writer.write(np.zeros((240, 320, 3), np.uint8), i / 25)
    (folder / "broken.mp4").write_text("hello")
    (folder / "notes.txt").write_text("no video")
    return folder
