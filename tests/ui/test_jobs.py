"""Analyses in the background: progress, stopping, junk, another person."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from posepipe.pipeline import Config
from posepipe.record.folder import load
from posepipe.ui.jobs import Item, Job, State


def _item(video: Path, folder: Path, name: str = "") -> Item:
    folder.mkdir(parents=True, exist_ok=True)
    return Item(name or video.name, video, folder)


def test_video_becomes_a_results_folder(person_clip: Path, tmp_path: Path) -> None:
    junk = tmp_path / "junk.mp4"
    junk.write_bytes(b"no video")
    items = [_item(junk, tmp_path / "r0"), _item(person_clip, tmp_path / "r1", "my walk.mp4")]
    job = Job(items, Config()).start()
    seen = []
    while job.running:
        seen.append(job.progress)
        time.sleep(0.02)
    assert [item.state for item in items] == [State.FAILED, State.DONE]
    assert items[0].error is not None
    assert items[0].error.where == "junk.mp4"
    assert str(tmp_path) not in str(items[0].error)
    shares = [progress.share for progress in seen]
    assert shares == sorted(shares)
    assert {"watching", "drawing"} <= {progress.stage for progress in seen}
    names = {path.name for path in (tmp_path / "r1").iterdir()}
    assert {"annotated.mp4", "report.html", "summary.json", "poses.parquet", "angles.parquet"} <= names
    assert load(tmp_path / "r1").video.path == "my walk.mp4"

    # Another look at the same people takes no second detection.
    again = replace(items[1], state=State.WAITING, recording=None, video=person_clip)
    detection = again.detection
    second = Job([again], Config(subject="all")).start()
    second.wait(60)
    assert again.state is State.DONE
    assert again.detection is detection


def test_stopping_keeps_nothing(person_clip: Path, tmp_path: Path) -> None:
    items = [_item(person_clip, tmp_path / f"r{k}") for k in range(2)]
    job = Job(items, Config()).start()
    job.stop()
    job.wait(60)
    assert not job.running
    assert [item.state for item in items] == [State.STOPPED, State.STOPPED]
    assert not any((item.folder / "summary.json").exists() for item in items)


def test_defect_is_a_plain_sentence(
    person_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("posepipe.ui.jobs.Pipeline.detect", break_down)
    item = _item(person_clip, tmp_path / "r")
    Job([item], Config()).start().wait(30)
    assert item.state is State.FAILED
    assert item.error is not None
    assert "secret detail" not in str(item.error)
    assert "secret detail" in caplog.text
