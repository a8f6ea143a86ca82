"""Fixtures for every test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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
