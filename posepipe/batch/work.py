"""One video in one worker process."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import replace
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2

from posepipe.batch.jobs import Job
from posepipe.batch.places import Places
from posepipe.batch.state import (
    DONE,
    NOBODY,
    RUNNING,
    Identity,
    SourceFile,
    State,
    read_state,
    write_state,
)
from posepipe.errors import NobodyFoundError, PosePipeError
from posepipe.keypoints import open_detector
from posepipe.keypoints.base import Detector
from posepipe.lifting.lifter import Lifter
from posepipe.pipeline import Pipeline
from posepipe.results.folder import save
from posepipe.results.formats import write_formats
from posepipe.results.recording import Recording

__all__ = ["work"]


class _Clock:
    """Wall-clock and processor time since it was made."""

    def __init__(self) -> None:
        self._start_s, self._start_cpu_s = time.perf_counter(), time.process_time()

    def read_into(self, state: State) -> State:
        """The state with the times so far."""
        return replace(
            state, seconds=time.perf_counter() - self._start_s, cpu_s=time.process_time() - self._start_cpu_s
        )


# One core each: other cores have other videos. Networks stay open from video to video.
@lru_cache(maxsize=2)
def _detector(name: str, max_people: int) -> Detector:
    return open_detector(name, max_people=max_people, threads=1)


@lru_cache(maxsize=1)
def _lifter() -> Lifter:
    return Lifter(threads=1)


def work(job: Job, out: str, identity: Identity, run: str) -> State:
    """Analyse a video into its results folder and note how it went.

    What is wrong with a video, or goes wrong with it, is in the state returned; nothing is raised but for an output
    folder that can't be written. Done twice by mistake, as when a cluster loses an answer, it does nothing the second
    time.

    Args:
        job: what is asked.
        out: the output folder, as this process sees it.
        identity: the program that the plan was made with.
        run: name of this run of the batch.
    """
    places = Places(Path(out))
    fingerprint = identity.fingerprint(job)
    before = read_state(places.state(job.name))
    if before is not None and before.run == run and before.status in (DONE, NOBODY):
        return before
    same = before is not None and before.fingerprint == fingerprint and before.status not in (DONE, NOBODY)
    state = State(
        name=job.name,
        video=str(job.video),
        status=RUNNING,
        fingerprint=fingerprint,
        settings=job.settings(),
        versions=identity.versions,
        models=identity.models,
        source=SourceFile.of(job.video),
        attempts=before.attempts + 1 if same and before is not None else 1,
        started=datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        run=run,
        worker=f"{platform.node()}:{os.getpid()}",
    )
    write_state(state, places.state(job.name))
    start = _Clock()
    try:
        state = _analyse(job, places, state, start)
    except NobodyFoundError as error:
        state = replace(state.failed(error.as_dict()), status=NOBODY)
    except PosePipeError as error:
        state = state.failed(error.as_dict())
    except Exception as error:
        state = state.failed(_defect(error))
    state = start.read_into(state)
    write_state(state, places.state(job.name))
    return state


def _analyse(job: Job, places: Places, state: State, start: _Clock) -> State:
    cv2.setNumThreads(1)
    pipeline = Pipeline(job.config)
    detector = _detector(job.config.detector, job.config.max_people)
    recording = pipeline.describe(pipeline.detect(job.video, detector=detector), lifter=_lifter())
    with places.fresh() as folder:
        if job.video_out:
            pipeline.annotate(recording, job.video, folder / "annotated.mp4")
        if job.formats:
            write_formats(recording, folder, job.formats)
        save(recording, folder)
        state = start.read_into(_done(state, recording))
        write_state(state, folder / "batch.json")
        places.publish(folder, job.name)
    return state


def _done(state: State, recording: Recording) -> State:
    source = state.source
    if source is not None:
        source = replace(source, sha256=recording.video.sha256)
    return replace(
        state,
        status=DONE,
        source=source,
        frames=recording.video.frames,
        duration_s=recording.video.duration_s,
        people=len(recording.people),
    )


def _defect(error: Exception) -> dict[str, Any]:
    what = f"unexpected {type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"
    return PosePipeError(what, hint="This is a defect; analyse this video alone with POSEPIPE_DEBUG=1").as_dict()
