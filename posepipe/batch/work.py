"""One video in one worker process."""

from __future__ import annotations

import multiprocessing
import os
import platform
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import cv2

from posepipe.batch.jobs import Job
from posepipe.batch.plan import DONE, NOBODY, RUNNING, Identity, Places, SourceFile, State, read_state, write_state
from posepipe.body.lift import Lifter
from posepipe.errors import NobodyFoundError, PosePipeError
from posepipe.keypoints import Detector, open_detector
from posepipe.media.atomic import disk_refuses
from posepipe.pipeline import Pipeline
from posepipe.record.folder import save
from posepipe.record.recording import Recording
from posepipe.system import try_lock

__all__ = ["prepare", "task", "work"]


class _Clock:
    """Wall-clock and processor time since it was made."""

    def __init__(self) -> None:
        self._start_s, self._start_cpu_s = time.perf_counter(), time.process_time()

    def read_into(self, state: State) -> State:
        """The state with the times so far."""
        return replace(
            state, seconds=time.perf_counter() - self._start_s, cpu_s=time.process_time() - self._start_cpu_s
        )


_kept: list[IO[str] | None] = []
"""What is held as long as the process lives."""


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
        if disk_refuses(error):
            # The next video would fare no better; this one counts as interrupted.
            raise
        state = state.failed(error.as_dict())
    except Exception as error:
        state = state.failed(_defect(error))
    state = start.read_into(state)
    write_state(state, places.state(job.name))
    return state


def _analyse(job: Job, places: Places, state: State, start: _Clock) -> State:
    cv2.setNumThreads(1)
    pipeline = Pipeline(job.config)
    detector = _detector(job.config.detector_name(), job.config.max_people)
    recording = pipeline.describe(pipeline.detect(job.video, detector=detector, in_parts=True), lifter=_lifter())
    state = _done(state, recording)
    more: dict[str, Callable[[Path], object]] = {}
    if job.video_out:
        more["annotated.mp4"] = lambda path: pipeline.annotate(recording, job.video, path)
    more["batch.json"] = lambda path: write_state(start.read_into(state), path)
    save(recording, places.results(job.name), formats=job.formats, more=more, work=places.work)
    return start.read_into(state)


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


def prepare(log: str) -> None:
    """Make a worker process of ours ready.

    It gets a core of its own, what libraries print goes to the file `log`, Ctrl-C is left to the batch, and it doesn't
    outlive the batch.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.close(file)
    _kept.append(take_core())
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def take_core() -> IO[str] | None:
    """Bind this process to a core that no other worker has.

    Every stage then sees one core and takes one thread. The core is marked by a locked file, which the system lets go
    with the process. Where all are taken, or the system knows no such thing, the process stays free.

    Returns:
        The locked file, to be kept.
    """
    if not hasattr(os, "sched_setaffinity"):
        return None
    for core in sorted(os.sched_getaffinity(0)):
        try:
            file = (Path(tempfile.gettempdir()) / f"posepipe-core-{core}.lock").open("a", encoding="utf-8")
        except OSError:
            continue
        try:
            free = try_lock(file.fileno())
        except OSError:
            free = False
        if not free:
            file.close()
            continue
        # The system binds threads, not processes; threads to come take after the one that starts them.
        for thread in Path("/proc/self/task").iterdir():
            with suppress(OSError):
                os.sched_setaffinity(int(thread.name), {core})
        return file
    return None


def task(job: Job, out: str, identity: Identity, run: str) -> tuple[str, State]:
    """`work`, and the address of the Dask worker that did it."""
    from distributed import get_worker

    return get_worker().address, work(job, out, identity, run)
