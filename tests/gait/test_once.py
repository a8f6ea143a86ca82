"""One analysis of each walk: files, pages and comparisons show what it found and never make another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import posepipe.gait.analyse as analyse_module
import posepipe.gait.signals as signals
from posepipe.batch.jobs import Job
from posepipe.batch.plan import DONE, Identity
from posepipe.batch.work import work
from posepipe.gait.types import GaitResult
from posepipe.pipeline import Config, Detection, Pipeline
from posepipe.record.folder import load, save
from posepipe.record.recording import VideoFacts
from posepipe.reports.comparison import comparison_page
from posepipe.reports.gait import gait_page, write_gait_reports
from posepipe.types import Camera
from posepipe.ui.jobs import Item, State
from posepipe.ui.jobs import Job as UiJob
from tests.gait.filmed import seen, walker

CONFIG = Config(task="gait", subject="all", height_m=1.75)


@pytest.fixture(scope="module")
def detection() -> Detection:
    """Two people who walk."""
    motion = seen(walker(51, seconds=4.0))
    track = motion.keypoints
    assert track is not None
    people = tuple(replace(track, person=i, xy_px=track.xy_px + np.float32(20.0 * i)) for i in (1, 2))
    frames = len(track)
    facts = VideoFacts("walk.mp4", 480, 480, 30.0, frames, frames / 30.0)
    return Detection(facts, Camera.from_fov(480, 480, 60.0, "assumed"), people, ())


@pytest.fixture
def calls(detection: Detection, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """How often the analysis and its parts run; nothing is detected or drawn."""
    count: Counter[str] = Counter()
    for module, name in (
        (analyse_module, "analyse"),
        (analyse_module, "find_walk"),
        (signals, "find_heading"),
        (signals, "_forward"),
        (signals, "_picture_scale"),
        (signals, "leg_length"),
    ):
        monkeypatch.setattr(module, name, _counted(count, name, getattr(module, name)))
    monkeypatch.setattr(Pipeline, "detect", lambda self, video, **_: detection)
    monkeypatch.setattr(Pipeline, "annotate", lambda *_, **__: None)
    yield count


def _counted(count: Counter[str], name: str, function):
    def call(*arguments, **named):
        count[name] += 1
        return function(*arguments, **named)

    return call


ONCE = dict.fromkeys(("analyse", "find_walk", "find_heading", "_forward", "_picture_scale", "leg_length"), 2)
"""For each of two people."""


def test_analysed_saved_loaded_and_compared(calls: Counter[str], detection: Detection, tmp_path: Path) -> None:
    recording = Pipeline(CONFIG).describe(detection)
    assert all(isinstance(person.gait, GaitResult) and person.gait.cycles for person in recording.people)
    save(recording, tmp_path)
    again = load(tmp_path)
    write_gait_reports(again, tmp_path, sex="female", age_years=30)
    first, second = again.people
    assert comparison_page((again, first), (recording, second)).sheets
    assert calls == ONCE
    # A folder of before: looked at once more, when it is loaded.
    (tmp_path / "gait.json").unlink()
    calls.clear()
    old = load(tmp_path)
    assert gait_page(old, old.people[0]).sheets
    assert calls == ONCE


def test_in_the_app(calls: Counter[str], detection: Detection, tmp_path: Path) -> None:
    item = Item("walk.mp4", tmp_path / "walk.mp4", tmp_path)
    job = UiJob([item], CONFIG).start()
    job.wait(60)
    assert item.state is State.DONE and item.recording is not None, item.error
    assert gait_page(item.recording, item.recording.people[0]).sheets
    assert calls == ONCE


def test_in_a_batch(calls: Counter[str], tmp_path: Path) -> None:
    video = tmp_path / "walk.mp4"
    video.write_bytes(b"not looked at")
    state = work(Job("walk", video, CONFIG), str(tmp_path / "out"), Identity({}, {}), "run")
    assert state.status == DONE, state.error
    assert calls == ONCE
