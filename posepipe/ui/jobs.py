"""Analyses in the background: a page starts one, looks at it from time to time, and may stop it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from posepipe.errors import PosePipeError
from posepipe.pipeline import Config, Detection, OnProgress, Pipeline
from posepipe.record.folder import save
from posepipe.record.recording import Recording

__all__ = ["Item", "Job", "State"]

_log = logging.getLogger(__name__)

# Shares of the time that the stages take, from the sample clip on two cores.
_WATCH_SHARE, _MEASURE_SHARE = 0.7, 0.05


class State(str, Enum):
    """How far a video is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


class _StopError(Exception):
    """The user doesn't want to wait any longer."""


@dataclass(slots=True)
class Item:
    """One video of a job.

    Attributes:
        name: what the user calls it.
        video: file to analyse.
        folder: where its results go.
        state: how far it is.
        error: what went wrong, for the user.
        detection: everyone seen, to choose another person by.
        recording: the result.
    """

    name: str
    video: Path
    folder: Path
    state: State = State.WAITING
    error: PosePipeError | None = None
    detection: Detection | None = None
    recording: Recording | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """A look at a running job.

    Attributes:
        name: the video it works on.
        stage: "watching", "measuring" or "drawing".
        share: of all videos, from 0 to 1.
        left_s: time left; None until it can be told.
    """

    name: str = ""
    stage: str = "watching"
    share: float = 0.0
    left_s: float | None = None


@dataclass(slots=True)
class Job:
    """Videos to analyse one after the other.

    ``Job(items, config).start()`` returns at once; look at `progress` and `running`.

    Attributes:
        items: the videos; their fields are filled as they get done.
        config: what the user chose.
        language: of the reports; see `posepipe.texts.LANGUAGES`.
    """

    items: Sequence[Item]
    config: Config
    language: str = "en"
    _progress: Progress = field(default_factory=Progress)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _started_s: float = 0.0

    def start(self) -> Job:
        """Begin; returns itself."""
        self._started_s = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="posepipe-job", daemon=True)
        self._thread.start()
        return self

    @property
    def running(self) -> bool:
        """Whether it is still at work."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def progress(self) -> Progress:
        """How far it is now."""
        return self._progress

    def stop(self) -> None:
        """Stop soon; what is done stays."""
        self._stop.set()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until it is done."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _work(self) -> None:
        for number, item in enumerate(self.items):
            if self._stop.is_set():
                item.state = State.STOPPED
                continue
            item.state = State.RUNNING
            try:
                self._one(number, item)
                item.state = State.DONE
            except _StopError:
                item.state = State.STOPPED
            except PosePipeError as error:
                item.error = type(error)(error.what, where=item.name, hint=error.hint)
                item.state = State.FAILED
            except Exception as error:
                _log.exception("analysis of %s failed", item.name)
                item.error = PosePipeError(
                    f"an unexpected {type(error).__name__}", where=item.name, hint="Please report it as a defect"
                )
                item.state = State.FAILED

    def _one(self, number: int, item: Item) -> None:
        pipeline = Pipeline(self.config)
        report = self._reporter(number, item)
        if item.detection is None:
            detection = pipeline.detect(item.video, on_progress=report)
            # Results carry the user's name of the file, not that of our copy.
            item.detection = replace(detection, video=replace(detection.video, path=item.name))
        report("measuring", 0, 1)
        recording = pipeline.describe(item.detection)

        def draw(path: Path) -> None:
            assert item.detection is not None
            pipeline.annotate(
                *(recording, item.video, path),
                language=self.language,
                seen=item.detection.tracks,
                on_progress=report,
            )

        save(recording, item.folder, language=self.language, more={"annotated.mp4": draw})
        item.recording = recording

    def _reporter(self, number: int, item: Item) -> OnProgress:
        known = item.detection is not None

        def report(stage: str, done: int, total: int | None) -> None:
            if self._stop.is_set():
                raise _StopError
            part = min(done / total, 1.0) if total else 0.0
            if known:
                part = part if stage == "drawing" else 0.0
            elif stage == "watching":
                part *= _WATCH_SHARE
            elif stage == "drawing":
                begun = _WATCH_SHARE + _MEASURE_SHARE
                part = begun + (1.0 - begun) * part
            else:
                part = _WATCH_SHARE
            share = (number + part) / len(self.items)
            spent_s = time.monotonic() - self._started_s
            left_s = spent_s * (1.0 - share) / share if share > 0.02 and spent_s > 1.0 else None
            self._progress = Progress(item.name, stage, share, left_s)

        return report
