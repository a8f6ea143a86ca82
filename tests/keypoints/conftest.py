"""Fixtures of the keypoint tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from posepipe.keypoints.blazepose import BlazePose
from posepipe.keypoints.blazepose_models import blazepose_files
from posepipe.media.sources import open_source
from posepipe.types import Frame


@pytest.fixture(scope="session")
def blazepose() -> BlazePose:
    """One detector for all tests: the networks are opened once."""
    return BlazePose(threads=1)


@pytest.fixture(scope="session")
def blank_frames() -> list[Frame]:
    """Grey, black, white and noise, without a person."""
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    pictures = [np.full((240, 320, 3), value, dtype=np.uint8) for value in (127, 0, 255)]
    return [Frame(i, i / 30.0, image) for i, image in enumerate([*pictures, noise])]


def read_frames(path: Path, count: int) -> list[Frame]:
    """First frames of a clip."""
    with open_source(path) as source:
        return list(islice(source, count))


@pytest.fixture(scope="session")
def squat_frames(shared_videos: Path) -> list[Frame]:
    return read_frames(shared_videos / "squat_10_air_front.mp4", 20)


@pytest.fixture(scope="session")
def walk_frames(shared_videos: Path) -> list[Frame]:
    return read_frames(shared_videos / "walk_06_front_towards.mp4", 20)


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder with the source networks and no translation."""
    home = tmp_path / "cache"
    shutil.copytree(blazepose_files().where, home / "blazepose")
    monkeypatch.setenv("POSEPIPE_HOME", str(home))
    yield home
