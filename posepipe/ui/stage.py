"""The live stage: pictures come in from any thread, the newest is analysed and drawn, whoever wants looks at it.

No Streamlit here: frames arrive on other threads than the page's.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.body.filming import Light, Shot, light_of
from posepipe.body.motion import Motion
from posepipe.errors import PosePipeError
from posepipe.exercise.analyse import result_of
from posepipe.exercise.catalogue import load_catalogue
from posepipe.exercise.coach import Coach
from posepipe.exercise.hold import in_posture
from posepipe.exercise.nameless import Nameless
from posepipe.exercise.recognise import Recogniser
from posepipe.exercise.types import Bout, CoachState, Repetition, SessionSummary
from posepipe.gait.live import LiveWalk, Walking
from posepipe.live import LivePerson, LiveSession
from posepipe.media.draw import OKABE_ITO, draw_pose, mirror_view
from posepipe.pipeline import Config, Pipeline
from posepipe.record.session import PlanStep, TrainingSet
from posepipe.skeleton import BLAZEPOSE33
from posepipe.types import Frame, Keypoints, PoseTrack
from posepipe.ui.training import Showing, Training, propped

__all__ = ["Look", "Meter", "Stage", "live_picture", "open_session", "to_height"]

_log = logging.getLogger(__name__)

Image = NDArray[np.uint8]

HEIGHT_PX = 480
"""Pictures are brought to this height: browsers change the size they send as they please."""

_SMALL_PX = 360
_BUSY_MS = 60.0
_BUSY_FRAMES = 60
_IDLE_S = 5.0
_END_S = 3.0
_TURN_DEG_S = 24.0
_WINDOW_S = 2.0
_LONG_WINDOW_S = 30.0
_SHOT_S, _LIGHT_S = 3.0, 0.5

Points = NDArray[np.float64]
_BACKGROUND = (38, 34, 31)
_FLOOR = (92, 84, 78)
_DOT = (235, 235, 235)
_SHIFT = 4
_PANEL_SHARE = 0.6  # Width of the 3D view, of the picture's height.
_BODY_SHARE = 0.40  # Height of one metre in it, of its height.
_PITCH = np.radians(12.0)
_FLOOR_M = 0.6


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
        training: the set, the rest, and the sets that were done.
        fps_hz: frames analysed per second.
        delay_ms: median time from a frame's arrival to its drawn picture.
        delay_p95_ms: 95 % of the frames are faster than this.
        frames: analysed since the start.
        error: why nothing more will come.
        walk: what is known of a walk, while somebody walks who shall do nothing in particular.
    """

    running: bool
    ready: bool
    paused: bool
    seen: bool
    coach: CoachState | None
    training: Showing
    fps_hz: float
    delay_ms: float
    delay_p95_ms: float
    frames: int
    error: PosePipeError | None
    walk: Walking | None = None


class Stage:
    """Analyses the newest picture, never an old one.

    A thread does the work; it begins with the first picture and ends when none came for five seconds.

    Args:
        config: what the user chose; one person is followed.
        exercise: label the user says they do; None lets the coach find out.

    Attributes:
        space: the 3D view stands beside the picture.
    """

    def __init__(self, config: Config, exercise: str | None = None) -> None:
        self.config = config
        self.space = True
        self.on_picture: Callable[[], None] | None = None
        self._changed = threading.Condition()
        self._waiting: tuple[Callable[[], Image], float] | None = None
        self._thread: threading.Thread | None = None
        self._picture: tuple[int, Image, float] | None = None
        self._meter = Meter()
        # Held while a frame is analysed: what the page asks for comes between two.
        self._frame = threading.Lock()
        self._coach: Coach | None = None
        self._coached: str | None = None
        self._nameless = Nameless()
        self._live_walk = LiveWalk()
        self._walk: Walking | None = None
        self._bouts: list[Bout] = []
        self._training = Training(exercise)
        self._showing = self._training.showing()
        self._state: CoachState | None = None
        self._seen = False
        self._ready = False
        self._paused = False
        self._small = False
        self._filming = _Filming()
        self._error: PosePipeError | None = None
        self._ended = False
        self._started_s = time.monotonic()

    def offer(self, picture: Callable[[], Image]) -> None:
        """A new frame is here. Returns at once; an older frame that nobody has begun with is forgotten.

        Args:
            picture: gives the (height, width, 3) BGR picture; called on the worker's thread.
        """
        with self._changed:
            self._waiting = (picture, time.monotonic())
            if self._thread is None and self._error is None and not self._ended:
                # A thread that the interpreter's end meets inside a network's code brings the whole process down.
                atexit.register(self.end)
                self._thread = threading.Thread(target=self._work, name="posepipe-stage", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def end(self) -> None:
        """Stop for good, and wait until the picture at hand is done."""
        with self._changed:
            self._ended, thread = True, self._thread
            self._changed.notify_all()
        if thread is not None:
            thread.join(_END_S)

    def pause(self, on: bool) -> None:
        """Stop analysing, or go on."""
        self._paused = on

    def reset(self) -> None:
        """Forget everything counted so far; the plan begins anew."""
        with self._frame, self._changed:
            self._error = None
            self._state = None
            self._live_walk.reset()
            self._walk = None
            self._coach = None
            self._bouts = []
            self._training = Training(self._training.chosen, self._training.plan)
            self._showing = self._training.showing()

    def recover(self) -> None:
        """Try again after an error; what was done stays."""
        with self._changed:
            self._error = None

    def choose(self, exercise: str | None) -> None:
        """Another exercise, or None to find out; what was done stays."""
        with self._frame:
            self._training.choose(exercise, self._reps_of)
            self._showing = self._training.showing()

    def begin_plan(self, plan: Sequence[PlanStep]) -> None:
        """Count against a plan, or against none if it is empty; what was done stays."""
        with self._frame:
            self._training.begin_plan(plan, self._reps_of)
            self._showing = self._training.showing()

    def skip(self) -> None:
        """End the set or the rest."""
        with self._frame:
            self._training.skip(self._reps_of)
            self._showing = self._training.showing()

    def finish(self) -> None:
        """The camera was switched off: the set is over."""
        with self._frame:
            self._training.finish(self._reps_of)
            self._showing = self._training.showing()

    def sets(self) -> tuple[TrainingSet, ...]:
        """All sets so far, with the one under way."""
        with self._frame:
            return self._training.sets(self._reps_of)

    @property
    def chosen(self) -> str | None:
        """The exercise that was chosen, or that the plan asks for now; None finds out."""
        return self._training.exercise

    @property
    def plan(self) -> tuple[PlanStep, ...]:
        """What is counted against; empty without a plan."""
        return self._training.plan

    def look(self) -> Look:
        """How it stands now."""
        now_s = time.monotonic()
        return Look(
            running=self._thread is not None,
            ready=self._ready,
            paused=self._paused,
            seen=self._seen,
            coach=self._state,
            training=self._showing,
            fps_hz=self._meter.fps_hz(now_s),
            delay_ms=self._meter.delay_ms(0.5),
            delay_p95_ms=self._meter.delay_ms(0.95),
            frames=self._meter.frames,
            error=self._error,
            walk=self._walk,
        )

    def shot(self) -> Shot | None:
        """What the camera saw in the last seconds; None before it saw anything."""
        with self._frame:
            return self._filming.shot()

    def picture(self) -> tuple[int, Image, float] | None:
        """The newest drawn picture: its number, itself, and when its frame came (monotonic seconds)."""
        return self._picture

    def summary(self) -> SessionSummary | None:
        """The session so far; None if nothing was analysed."""
        with self._frame:
            summary = self._coach.summary() if self._coach is not None else None
            if summary is None or not self._bouts:
                return summary
            bouts = [*self._bouts, *summary.exercise.bouts]
            return SessionSummary(min(summary.start_s, bouts[0].start_s), summary.end_s, result_of(bouts))

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
            if not self._ended:
                atexit.unregister(self.end)
            with self._changed:
                self._thread = None
                self._ready = self._seen = False

    def _take(self) -> tuple[Callable[[], Image], float] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._waiting is not None, _IDLE_S)
            if self._ended or self._waiting is None:
                return None
            taken, self._waiting = self._waiting, None
            return taken

    def _begin(self) -> None:
        """A coach, unless there is one whose counts go on."""
        wanted = self._training.exercise
        coach = self._coach if self._coach is not None else open_coach(wanted)
        with self._changed:
            if self._coach is None:
                self._coach, self._coached = coach, wanted
            self._ready = True

    def _analyse(self, session: LiveSession, frame: Frame) -> LivePerson | None:
        people = session.step(frame)
        person = max(people, key=lambda person: float(np.nansum(person.keypoints.score)), default=None)
        self._seen = person is not None
        with self._frame:
            self._filming.add(frame, person)
        with self._frame:
            coach = self._right_coach()
            if coach is None:
                return person
            if person is None:
                self._state = coach.nobody(frame.time_s)
            else:
                self._state = coach.step(frame.time_s, person.pose, person.angles, person.keypoints, frame.size_px)
            self._training.step(self._state, person is not None and self._holds(person), self._reps_of)
            self._count_nameless(frame.time_s, person)
            self._follow_walk(frame.time_s, person)
            self._showing = self._training.showing()
        return person

    def _holds(self, person: LivePerson) -> bool:
        """Whether the posture of the hold that is done is held now: the catalogue's, or propped up off the floor."""
        label = self._state.label if self._state is not None else None
        exercise = load_catalogue().get(label) if label is not None else None
        if exercise is None or not exercise.posture:
            return propped(person.pose)
        return bool(in_posture(Motion.from_frames([(person.pose, person.angles)]), exercise)[-1])

    def _count_nameless(self, time_s: float, person: LivePerson | None) -> None:
        """What repeats is counted while nobody knows its name and none was chosen."""
        if self._training.exercise is not None or self._state is None or self._state.label is not None:
            self._nameless.reset()
        elif person is not None:
            self._training.nameless(self._nameless.step(time_s, person.pose, person.angles), self._reps_of)

    def _follow_walk(self, time_s: float, person: LivePerson | None) -> None:
        """Steps are counted while nobody knows an exercise and none was chosen."""
        if self._training.exercise is not None or self._state is None or self._state.label is not None:
            self._live_walk.reset()
            self._walk = None
        elif person is not None:
            self._walk = self._live_walk.step(time_s, person.pose, person.angles, self._state.walking)

    def _right_coach(self) -> Coach | None:
        """The coach, or a new one where another exercise is to be done now."""
        wanted = self._training.exercise
        if self._coach is not None and wanted != self._coached:
            self._training.new_coach(self._reps_of)
            self._bouts += self._coach.summary().exercise.bouts
            self._coach, self._coached = open_coach(wanted), wanted
        return self._coach

    def _reps_of(self, exercise: str) -> list[Repetition]:
        """What this coach has described of an exercise."""
        if self._coach is None:
            return []
        bouts = self._coach.summary().exercise.bouts
        return [rep for bout in bouts if bout.label == exercise for rep in bout.reps]

    def _publish(self, image: Image, person: LivePerson | None, came_s: float) -> None:
        turn_deg = (_TURN_DEG_S * (came_s - self._started_s)) % 360.0
        drawn = live_picture(image, person, turn_deg, space=self.space)
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


class _Filming:
    """The last seconds of a camera, to judge its place by."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Keypoints | None, float]] = deque()
        self._light: deque[tuple[float, Light]] = deque()
        self._size_px = (0, 0)

    def add(self, frame: Frame, person: LivePerson | None) -> None:
        """Take one frame."""
        if self._size_px != frame.size_px:
            self._seen.clear()
            self._size_px = frame.size_px
        keypoints = person.keypoints if person is not None else None
        self._seen.append((frame.time_s, keypoints, person.yaw_deg if person is not None else float("nan")))
        if keypoints is not None and (not self._light or frame.time_s - self._light[-1][0] >= _LIGHT_S):
            self._light.append((frame.time_s, light_of(frame.image, keypoints.xy_px)))
        while frame.time_s - self._seen[0][0] > _SHOT_S:
            self._seen.popleft()
        while self._light and frame.time_s - self._light[0][0] > _SHOT_S:
            self._light.popleft()

    def shot(self) -> Shot | None:
        """All of it as one; None without a frame."""
        layout = next((keypoints.layout for _, keypoints, _ in self._seen if keypoints is not None), BLAZEPOSE33)
        if not self._seen:
            return None
        blank = np.full((len(layout), 2), np.nan, np.float32)
        return Shot(
            layout,
            np.array([time_s for time_s, _, _ in self._seen]),
            np.stack([blank if keypoints is None else keypoints.xy_px for _, keypoints, _ in self._seen]),
            np.array([yaw_deg for _, _, yaw_deg in self._seen]),
            self._size_px,
            light=tuple(light for _, light in self._light),
        )


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


def live_picture(image: Image, person: LivePerson | None, turn_deg: float, *, space: bool = True) -> Image:
    """What the live page shows.

    Args:
        image: (height, width, 3) BGR uint8, as filmed.
        person: whom to draw; None if nobody is followed.
        turn_deg: how far the 3D view is turned about the vertical.
        space: whether there is one.

    Returns:
        (height, width, 3) BGR uint8, both sizes even: mirrored picture on the left, 3D view on the right.
    """
    height = image.shape[0] - image.shape[0] % 2
    width = image.shape[1] - image.shape[1] % 2
    panel = round(_PANEL_SHARE * height / 2) * 2 if space else 0
    canvas = np.empty((height, width + panel, 3), np.uint8)
    mirrored, people = mirror_view(image[:height, :width], [person.keypoints] if person else [])
    for keypoints in people:
        mirrored = draw_pose(mirrored, keypoints)
    canvas[:, :width] = mirrored
    if not space:
        return canvas
    canvas[:, width:] = _BACKGROUND
    _draw_3d(canvas[:, width:], person.pose if person else None, turn_deg)
    return canvas


def _draw_3d(panel: Image, pose: PoseTrack | None, turn_deg: float) -> None:
    """The newest pose of a track, in place; a still floor where there is none."""
    height, width = panel.shape[:2]
    scale = _BODY_SHARE * height
    center = np.array([width / 2.0, 0.80 * height])
    turn = np.radians(turn_deg)

    def place(xyz_m: Points) -> Points:
        # Mirrored like the picture: what is on the left there is on the left here.
        x, y, z = -xyz_m[:, 0], xyz_m[:, 1], xyz_m[:, 2]
        across, away = x * np.cos(turn) + z * np.sin(turn), z * np.cos(turn) - x * np.sin(turn)
        down = y * np.cos(_PITCH) - away * np.sin(_PITCH)
        pixels: Points = center + scale * np.stack([across, down], axis=1)
        return pixels

    _draw_floor(panel, place)
    if pose is None or not pose.valid[-1].any():
        return
    xyz, valid = pose.xyz_m[-1].astype(np.float64), pose.valid[-1]
    # The lowest joint stands on the floor.
    points = np.round(place(xyz - [0.0, xyz[valid, 1].max(), 0.0]) * (1 << _SHIFT))
    names = pose.layout.joints
    thick = max(2, round(height / 120))
    for a, b in pose.layout.edge_indices:
        if valid[a] and valid[b]:
            color = _color(names[a], names[b])
            cv2.line(panel, _pixel(points[a]), _pixel(points[b]), color, thick, cv2.LINE_AA, _SHIFT)
    for joint in np.flatnonzero(valid):
        cv2.circle(panel, _pixel(points[joint]), thick << (_SHIFT - 1), _DOT, -1, cv2.LINE_AA, _SHIFT)


def _draw_floor(panel: Image, place: Callable[[Points], Points]) -> None:
    steps = np.linspace(-_FLOOR_M, _FLOOR_M, 5)
    ends = [(step, -_FLOOR_M, step, _FLOOR_M) for step in steps] + [(-_FLOOR_M, step, _FLOOR_M, step) for step in steps]
    corners = np.array([[[xa, 0.0, za], [xb, 0.0, zb]] for xa, za, xb, zb in ends])
    for start, end in np.round(place(corners.reshape(-1, 3)) * (1 << _SHIFT)).reshape(-1, 2, 2):
        cv2.line(panel, _pixel(start), _pixel(end), _FLOOR, 1, cv2.LINE_AA, _SHIFT)


def _pixel(point: Points) -> tuple[int, int]:
    return int(point[0]), int(point[1])


def _color(a: str, b: str) -> tuple[int, int, int]:
    sides = {side for name in (a, b) for side in ("left", "right") if side in name}
    if len(sides) != 1:
        return OKABE_ITO.middle
    return OKABE_ITO.left if sides == {"left"} else OKABE_ITO.right
