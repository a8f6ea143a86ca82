"""GAVD's files as they are published: read, grouped by video, and never split through a video."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from posepipe.errors import InputError, UsageError
from posepipe.lab.gait.abnormal import (
    GAVD_COLUMNS,
    find_video,
    folds_by_video,
    majority_baseline,
    missing_features,
    read_gavd,
)


def write_gavd(path: Path, sequences: Sequence[tuple[str, str, str, str]], frames: int = 4) -> None:
    """A file of GAVD's form: (seq, video id, dataset, pattern) for each sequence."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(GAVD_COLUMNS)
        for seq, video, dataset, pattern in sequences:
            for frame in range(100, 100 + frames):
                writer.writerow(
                    [
                        seq,
                        frame,
                        "left side",
                        "right heel strike" if frame == 101 else "",
                        dataset,
                        pattern,
                        "{'top': 51.0, 'left': 240.0, 'height': 300.0, 'width': 120.0}",
                        "{'height': 720, 'width': 1280, 'mime_type': 'video/mp4'}",
                        video,
                        f"https://www.youtube.com/watch?v={video}",
                    ]
                )


@pytest.fixture
def listing(tmp_path: Path) -> Path:
    path = tmp_path / "GAVD_Clinical_Annotations_1.csv"
    rows = [(f"n{i}", f"vid{i // 4}", "Normal Gait", "normal") for i in range(8)]
    rows += [(f"a{i}", f"vid{2 + i // 3}", "Abnormal Gait", "parkinsons" if i % 2 else "stroke") for i in range(12)]
    write_gavd(path, rows)
    return path


def test_reading(listing: Path) -> None:
    found = read_gavd([listing])
    assert len(found) == 20
    first = found[0]
    assert (first.seq, first.video, first.view, first.abnormal, first.pattern) == (
        "n0",
        "vid0",
        "left side",
        False,
        "normal",
    )
    assert first.size_px == (1280, 720)
    np.testing.assert_array_equal(first.frame, [100, 101, 102, 103])
    np.testing.assert_array_equal(first.box_px[0], [240.0, 51.0, 120.0, 300.0])
    assert first.events == {101: "right heel strike"}
    assert sum(sequence.abnormal for sequence in found) == 12


def test_a_sequence_goes_on_in_the_next_file(tmp_path: Path) -> None:
    for name in ("1.csv", "2.csv"):
        write_gavd(tmp_path / name, [("s", "v", "Abnormal Gait", "stroke")])
    (found,) = read_gavd([tmp_path / "1.csv", tmp_path / "2.csv"])
    assert len(found.frame) == 8


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace("gait_pat", "pattern", 1), "gait_pat"),
        (lambda text: text.replace("{'top'", "{top", 1), "n0"),
        (lambda text: text.replace("{'height': 720", "__import__('os') or {'height': 720", 1), "n0"),
    ],
)
def test_damaged_files_are_named(listing: Path, change: object, words: str) -> None:
    assert callable(change)
    listing.write_text(change(listing.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(InputError, match=words):
        read_gavd([listing])


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read_gavd([tmp_path / "none.csv"])


def test_no_video_is_in_two_folds(listing: Path) -> None:
    found = read_gavd([listing])
    fold = folds_by_video(found, 3)
    for video in {sequence.video for sequence in found}:
        assert len({int(f) for f, s in zip(fold, found, strict=True) if s.video == video}) == 1
    assert set(fold.tolist()) == {0, 1, 2}
    with pytest.raises(UsageError):
        folds_by_video(found, 7)


def test_baselines_know_nothing_of_their_own_fold(listing: Path) -> None:
    found = read_gavd([listing])
    truth = np.array([sequence.abnormal for sequence in found])
    fold = folds_by_video(found, 3)
    guess = majority_baseline(truth, fold)
    for number in range(3):
        assert guess[fold == number][0] == pytest.approx(truth[fold != number].mean())
    known = np.ones((len(found), 3), np.float32)
    known[truth, 0] = 0.0  # A feature that is missing in abnormal walks gives them away.
    told = missing_features(known, truth, fold)
    assert told[truth].min() > told[~truth].max()


def test_videos_are_found_by_id(tmp_path: Path) -> None:
    (tmp_path / "B5hrxKe2nP8.mp4").touch()
    (tmp_path / "walk [xyz123].webm").touch()
    (tmp_path / "notes.txt").touch()
    assert find_video(tmp_path, "B5hrxKe2nP8") == tmp_path / "B5hrxKe2nP8.mp4"
    assert find_video(tmp_path, "xyz123") == tmp_path / "walk [xyz123].webm"
    assert find_video(tmp_path, "other") is None
