"""The live stage: pictures come in from any thread, the newest is analysed and drawn, whoever wants looks at it.

No Streamlit here: frames arrive on other threads than the page's.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.errors import PosePipeError
from posepipe.exercise.coach import Coach
from posepipe.exercise.recognise import Recogniser
from posepipe.exercise.types import CoachState, SessionSummary
from posepipe.live import LivePerson, LiveSession
from posepipe.pipeline import Config, Pipeline
from posepipe.types import Frame
from posepipe.ui.scene import live_picture

__all__ = ["Look", "Meter", "Stage", "open_coach", "open_session", "to_height"]

_log = logging.getLogger(__name__)

Image = NDArray[np.uint8]

HEIGHT_PX = 480
"""Pictures are brought to this height: browsers change the size they send as they please."""

_SMALL_PX = 360
_BUSY_MS = 60.0
_BUSY_FRAMES = 60
_IDLE_S = 5.0
_TURN_DEG_S = 24.0
_WINDOW_S = 2.0
_LONG_WINDOW_S = 30.0


class Meter:
    """Frames a second and delay, over the last seconds."""

    def __init__(self) -> None:
        self._done: deque[tuple[float, float]] = deque()
        self.frames = 0

    def add(self, now_s: float, delay_s: float) -> None:
        """A frame was finished now, so long after it had come."""
        self.frames += 1
        self._done.append((now_s, delay_s))
        while self._done and now_s - self._done[0][0] > _LONG_WINDOW_S:
            self._done.popleft()

    def fps_hz(self, now_s: float) -> float:
        """Frames finished in the last two seconds, per second."""
        recent = [at for at, _ in list(self._done) if now_s - at <= _WINDOW_S]
        span_s = now_s - recent[0] if len(recent) > 1 else 0.0
        return (len(recent) - 1) / span_s if span_s > 0.0 else 0.0

    def delay_ms(self, share: float) -> float:
        """The delay that this share of the last 30 seconds' frames stayed below; NaN before the first."""
        delays = [delay for _, delay in list(self._done)]
        return 1000.0 * float(np.quantile(delays, share)) if delays else float("nan")


@dataclass(frozen=True, slots=True)
class Look:
    """What the page needs to know now.

    Attributes:
        running: frames are coming in.
        ready: the models are loaded.
        paused: frames are shown, not analysed.
        seen: somebody is followed.
        coach: what the coach says; None before the first frame.
        fps_hz: frames analysed per second.
        delay_ms: median time from a frame's arrival to its drawn picture.
        delay_p95_ms: 95 % of the frames are faster than this.
        frames: analysed since the start.
        error: why nothing more will come.
    """

    running: bool
    ready: bool
    paused: bool
    seen: bool
    coach: CoachState | None
    fps_hz: float
    delay_ms: float
    delay_p95_ms: float
    frames: int
    error: PosePipeError | None


class Stage:
    """Analyses the newest picture, never an old one.

    A thread does the work; it begins with the first picture and ends when none came for five seconds.

    Args:
        config: what the user chose; one person is followed.
        exercise: label the user says they do; None lets the coach find out.
    """

    def __init__(self, config: Config, exercise: str | None = None) -> None:
        self.config = config
        self.exercise = exercise
        self.on_picture: Callable[[], None] | None = None
        self._changed = threading.Condition()
        self._waiting: tuple[Callable[[], Image], float] | None = None
        self._thread: threading.Thread | None = None
        self._picture: tuple[int, Image, float] | None = None
        self._meter = Meter()
        self._coach: Coach | None = None
        self._state: CoachState | None = None
        self._seen = False
        self._ready = False
        self._paused = False
        self._small = False
        self._error: PosePipeError | None = None
        self._started_s = time.monotonic()

    def offer(self, picture: Callable[[], Image]) -> None:
        """A new frame is here. Returns at once; an older frame that nobody has begun with is forgotten.

        Args:
            picture: gives the (height, width, 3) BGR picture; called on the worker's thread.
        """
        with self._changed:
            self._waiting = (picture, time.monotonic())
            if self._thread is None and self._error is None:
                self._thread = threading.Thread(target=self._work, name="posepipe-stage", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def pause(self, on: bool) -> None:
        """Stop analysing, or go on."""
        self._paused = on

    def reset(self) -> None:
        """Forget everything counted so far."""
        with self._changed:
            self._error = None
            self._state = None
            self._coach = None

    def look(self) -> Look:
        """How it stands now."""
        now_s = time.monotonic()
        return Look(
            running=self._thread is not None,
            ready=self._ready,
            paused=self._paused,
            seen=self._seen,
            coach=self._state,
            fps_hz=self._meter.fps_hz(now_s),
            delay_ms=self._meter.delay_ms(0.5),
            delay_p95_ms=self._meter.delay_ms(0.95),
            frames=self._meter.frames,
            error=self._error,
        )

    def picture(self) -> tuple[int, Image, float] | None:
        """The newest drawn picture: its number, itself, and when its frame came (monotonic seconds)."""
        return self._picture

    def summary(self) -> SessionSummary | None:
        """The session so far; None if nothing was analysed."""
        coach = self._coach
        return coach.summary() if coach is not None else None

    def _work(self) -> None:
        session: LiveSession | None = None
        size: tuple[int, int] | None = None
        index = 0
        try:
            while (taken := self._take()) is not None:
                make, came_s = taken
                image = to_height(make())
                height, width = image.shape[:2]
                if session is None or size != (width, height):
                    # Loading takes a second: meanwhile show the picture, then go on with a newer one.
                    self._ready = False
                    self._publish(image, None, came_s)
                    if session is not None:
                        session.close()
                    session, size = open_session(self.config, width, height), (width, height)
                    self._begin()
                    continue
                if self._coach is None:
                    self._begin()
                person = None
                if not self._paused:
                    person = self._analyse(session, Frame(index, came_s - self._started_s, image))
                    index += 1
                self._publish(image, person, came_s)
        except PosePipeError as error:
            self._error = error
        except Exception as error:
            _log.exception("live analysis failed")
            self._error = PosePipeError(f"an unexpected {type(error).__name__}", hint="Reset and start again")
        finally:
            if session is not None:
                session.close()
            with self._changed:
                self._thread = None
                self._ready = self._seen = False

    def _take(self) -> tuple[Callable[[], Image], float] | None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting is not None, _IDLE_S):
                return None
            taken, self._waiting = self._waiting, None
            return taken

    def _begin(self) -> None:
        """A coach, unless there is one whose counts go on."""
        coach = self._coach if self._coach is not None else open_coach(self.exercise)
        with self._changed:
            self._coach = coach
            self._ready = True

    def _analyse(self, session: LiveSession, frame: Frame) -> LivePerson | None:
        people = session.step(frame)
        person = max(people, key=lambda person: float(np.nansum(person.keypoints.score)), default=None)
        self._seen = person is not None
        coach = self._coach
        if coach is None:
            return person
        if person is None:
            self._state = coach.nobody(frame.time_s)
        else:
            self._state = coach.step(frame.time_s, person.pose, person.angles, person.keypoints, frame.size_px)
        return person

    def _publish(self, image: Image, person: LivePerson | None, came_s: float) -> None:
        turn_deg = (_TURN_DEG_S * (came_s - self._started_s)) % 360.0
        drawn = live_picture(image, person, turn_deg)
        if self._small:
            drawn = to_height(drawn, _SMALL_PX)
        now_s = time.monotonic()
        if self._ready and not self._paused:
            self._meter.add(now_s, now_s - came_s)
            if self._meter.frames % _BUSY_FRAMES == 0 and self._meter.delay_ms(0.5) > _BUSY_MS:
                # Coding and decoding fewer pixels leaves time to analyse. For good: each change costs a whole picture.
                self._small = True
        number = self._picture[0] + 1 if self._picture else 1
        self._picture = (number, drawn, came_s)
        tell = self.on_picture
        if tell is not None:
            tell()


def open_session(config: Config, width_px: int, height_px: int) -> LiveSession:
    """A live session on one core: the browser, the video coder and other sessions need the rest.

    More threads took twice the time when the cores were busy.

    Raises:
        ModelError: a model is missing or damaged.
    """
    return Pipeline(config).start(width_px, height_px, threads=1)


def open_coach(exercise: str | None) -> Coach:
    """A coach for an exercise, or one that finds out which it is if None.

    Raises:
        ModelError: the model that names exercises is missing or damaged.
    """
    return Coach(exercise) if exercise is not None else Coach(recogniser=Recogniser())


def to_height(image: Image, height_px: int = HEIGHT_PX) -> Image:
    """The picture at another height, its width even."""
    height, width = image.shape[:2]
    if height == height_px:
        return image
    wide = max(2, round(width * height_px / height / 2) * 2)
    how = cv2.INTER_AREA if height > height_px else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (wide, height_px), interpolation=how), dtype=np.uint8)
