"""Fixtures for every test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Whether examples are made fast enough tells of the machine, not of the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# Tests see the same whether or not the heavy network has been fetched; programs that they start inherit it.
os.environ.setdefault("POSEPIPE_QUALITY", "standard")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Folder with real recordings; the test skips where it is absent."""
    folder = Path(os.environ.get("POSEPIPE_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"real recordings are not at {folder}")
    return folder


@pytest.fixture(scope="session")
def shared_videos(shared_dir: Path) -> Path:
    """Folder with filmed people."""
    return shared_dir / "videos"


@pytest.fixture(scope="session")
def shared_data(shared_dir: Path) -> Path:
    """Folder with motion capture and labelled poses."""
    return shared_dir / "data"


@pytest.fixture(scope="session")
def person_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first two seconds of the sample video at half its size."""
    import cv2

    from posepipe.media.sources import open_source
    from posepipe.media.writer import VideoWriter
    from posepipe.samples import SAMPLE_VIDEO

    path = tmp_path_factory.mktemp("clips") / "person.mp4"
    with open_source(SAMPLE_VIDEO) as source:
        size = source.info.width_px // 2, source.info.height_px // 2
        with VideoWriter(path, *size, 30.0) as writer:
            for frame in source:
                if frame.time_s >= 2.0:
                    break
                writer.write(cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA), frame.time_s)
    return path
