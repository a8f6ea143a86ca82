"""The table of speed: its clips, its rows, and what is said where something is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from posepipe.errors import InputError, PosePipeError
from posepipe.lab import speed, speed_suite
from posepipe.lab.speed import Spent, timed
from posepipe.lab.speed_suite import make_clip, measure_suite
from posepipe.media.sources import open_source
from posepipe.media.writer import VideoWriter
from posepipe.system import busy_share, processor_name

PYTHON = Path("/no/such/python")


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Ten frames of 64x48, each brighter than the one before."""
    path = tmp_path / "video.mp4"
    with VideoWriter(path, 64, 48, 10.0) as writer:
        for i in range(10):
            writer.write(np.full((48, 64, 3), 20 * i + 20, np.uint8), i / 10.0)
    return path


def brightness(path: Path) -> list[float]:
    with open_source(path) as source:
        return [float(frame.image.mean()) for frame in source]


def test_a_clip_is_repeated_to_a_length(video: Path, tmp_path: Path) -> None:
    assert make_clip(video, tmp_path / "long.mp4", 2.5) == 25
    found, once = brightness(tmp_path / "long.mp4"), brightness(video)
    np.testing.assert_allclose(found, (once * 3)[:25], atol=6.0)
    assert make_clip(video, tmp_path / "short.mp4", 0.3) == 3


def test_a_clip_of_another_rate_and_size_shows_the_same(video: Path, tmp_path: Path) -> None:
    assert make_clip(video, tmp_path / "fast.mp4", 0.5, rate_hz=60.0) == 30
    found = brightness(tmp_path / "fast.mp4")
    np.testing.assert_allclose(found, np.repeat(brightness(video), 6)[:30], atol=6.0)
    assert make_clip(video, tmp_path / "large.mp4", 0.3, longer_px=128) == 3
    with open_source(tmp_path / "large.mp4") as source:
        assert (source.info.width_px, source.info.height_px, source.info.fps_hz) == (128, 96, 10.0)


def test_four_people_are_the_picture_four_times(video: Path, tmp_path: Path) -> None:
    assert make_clip(video, tmp_path / "four.mp4", None, four=True) == 10
    image = np.zeros((5, 7, 3), np.uint8)
    image[:, :4] = 200
    assert speed_suite._fourfold(image).shape == image.shape
    assert (speed_suite._fourfold(np.full((48, 64, 3), 9, np.uint8)) == 9).all()


@pytest.mark.parametrize("before", ["", '{"x": 2}\n', '{\n "x": [1,\n 2]}\n'])
def test_the_last_json_counts(before: str) -> None:
    found = timed([sys.executable, "-c", f'print({before!r} + \'{{"a": {{"b": 1}}}}\')'])
    assert found.said == {"a": {"b": 1}}
    assert found.cpu_s > 0.0 and found.wall_s > 0.0 and found.peak_mb > 1.0


def test_a_failure_is_told_by_its_last_line() -> None:
    with pytest.raises(PosePipeError, match="no luck"):
        timed([sys.executable, "-c", "raise SystemExit('no luck')"])


def test_rows_are_medians_and_what_is_missing_is_said(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walls = iter([9.0, 9.0] + [number for turn in (4.0, 2.0, 3.0) for number in [turn] * 11])

    def run(command: list[str], environment: dict[str, str]) -> Spent:
        wall = next(walls)
        return Spent({"networks_s": 1.0} if speed_suite._OURS in command else {}, wall, 1.25, 100.0)

    def loop(clip: Path, complexity: int, python: Path | None) -> Spent:
        if complexity != 1:
            raise PosePipeError("no such network")
        return Spent({"frames": 10, "loop_s": 1.0, "version": "0.10.21"}, 2.0, 1.0, 1.0)

    monkeypatch.setattr(speed_suite, "timed", run)
    monkeypatch.setattr(speed_suite, "mediapipe_loop", loop)
    monkeypatch.setattr(speed_suite, "have_blazepose", lambda network: False)
    monkeypatch.setattr(speed_suite, "busy_share", lambda seconds: 0.5)
    found = measure_suite(video, turns=3, long_s=2.0)
    rows = {row["case"]: row for row in found["rows"]}
    assert rows["standard"]["wall_s"] == 3.0 and rows["standard"]["fps"] == pytest.approx(10 / 3.0)
    assert rows["standard"]["ratio"] == pytest.approx(1 / 3.0) and rows["standard"]["overhead_pct"] == 25.0
    assert rows["standard"]["mediapipe_2"] == "not here" and rows["standard, long"]["mediapipe_2"] is None
    assert rows["standard, long"]["frames"] == 20 and rows["batch, 2 workers"]["frames"] == 40
    assert "posepipe models get heavy" in rows["best"]["wall_s"] and "ratio" not in rows["best"]
    assert found["metrics"]["quiet"] == "not quiet" and found["versions"]["mediapipe"] == "0.10.21"


def test_nothing_but_a_bundle_is_measured_as_one(video: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"run_edge\.py"):
        measure_suite(video, bundles=[tmp_path])


def test_another_python_without_mediapipe_is_no_reference(video: Path) -> None:
    with pytest.raises((PosePipeError, OSError)):
        speed.mediapipe_loop(video, 1, PYTHON)


def test_the_machine_has_a_name_and_a_load() -> None:
    share = busy_share(0.05)
    assert processor_name() and (share is None or 0.0 <= share <= 1.0)
