"""A span of a video has those pictures and no others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posepipe.errors import InputError
from posepipe.media.cut import cut
from posepipe.media.sources import open_source
from posepipe.media.writer import VideoWriter


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Thirty pictures at uneven times, each brighter than the one before."""
    path = tmp_path / "film.mp4"
    with VideoWriter(path, 64, 48, 20.0) as writer:
        for number in range(30):
            writer.write(np.full((48, 64, 3), 8 * number, np.uint8), 0.05 * number + (0.02 if number % 2 else 0.0))
    return path


def test_pictures_and_times_of_the_span(film: Path, tmp_path: Path) -> None:
    assert cut(film, tmp_path / "cut.mp4", 0.28, 0.72) == 9
    with open_source(tmp_path / "cut.mp4") as source:
        frames = list(source)
    whole = [0.05 * number + (0.02 if number % 2 else 0.0) for number in range(6, 15)]
    assert [frame.time_s for frame in frames] == pytest.approx([time_s - whole[0] for time_s in whole], abs=1e-4)
    assert [float(frame.image.mean()) for frame in frames] == pytest.approx([8.0 * n for n in range(6, 15)], abs=6.0)
    # To the end and beyond.
    assert cut(film, tmp_path / "rest.mp4", 1.0, 99.0) == 10


def test_no_picture_there(film: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no picture"):
        cut(film, tmp_path / "none.mp4", 3.0, 4.0)
    with pytest.raises(InputError, match="no picture"):
        cut(film, tmp_path / "none.mp4", 0.11, 0.115)
    assert not (tmp_path / "none.mp4").exists()


def test_a_playlist_that_leads_elsewhere_is_refused(film: Path, tmp_path: Path) -> None:
    sent = tmp_path / "annotated.mp4"
    sent.write_text(f"ffconcat version 1.0\nfile {film.name}\n")
    with pytest.raises(InputError):
        cut(sent, tmp_path / "taken.mp4", 0.0, 1.0)
