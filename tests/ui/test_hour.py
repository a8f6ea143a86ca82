"""An hour live on keypoints that cost nothing: what is kept grows with what was done, not with pictures."""

from __future__ import annotations

import gc
import sys
import threading
import time
from dataclasses import replace
from types import FunctionType, ModuleType

import numpy as np
import pytest

from posepipe.body.lift import LiftResult, Scale, assumed_camera, body_rays
from posepipe.body.world_live import LiveWorld
from posepipe.exercise.coach import Coach
from posepipe.exercise.labels import LABELS
from posepipe.lab.people.exercises.takes import make_exercise
from posepipe.live import LiveSession
from posepipe.pipeline import Config
from posepipe.skeleton import BODY21, Layout
from posepipe.types import Camera, FloatArray, Frame, Keypoints, KeypointTrack, PoseTrack
from posepipe.ui import stage as stage_module
from posepipe.ui.stage import Stage

RATE_HZ = 20.0
FRAMES = 72_000
LOOP_S = 90.0
SIZE = (640, 480)
CAMERA = assumed_camera(*SIZE)
PICTURE = np.zeros((480, 640, 3), np.uint8)


def film() -> list[tuple[str, Keypoints, PoseTrack]]:
    """A minute and a half: ten squats, sitting down for a while, standing; each frame with what a recogniser says."""
    rng = np.random.default_rng(3)
    take = make_exercise("squat", rng, context=0.0, cut=0.0, partial=0.0, reps=10)
    at_s = np.arange(0.0, take.time_s[-1], 1.0 / RATE_HZ)
    rows = np.searchsorted(take.time_s, at_s)
    world = take.positions[rows]
    deepest, rest = world[world[:, 0, 2].argmin()], round(RATE_HZ * LOOP_S) - len(world)
    sitting, standing = np.repeat(deepest[None], rest // 2, axis=0), np.repeat(world[:1], rest - rest // 2, axis=0)
    said = ["squat"] * (len(world) + rest // 4) + ["other"] * (rest - rest // 4)
    points = np.concatenate([world, sitting, standing])
    # Axes of a camera 4 m away and 1 m high; noise of a centimetre.
    xyz = np.stack([points[..., 0], 1.0 - points[..., 2], 4.0 + points[..., 1]], axis=-1)
    xyz = xyz + rng.normal(scale=0.01, size=xyz.shape)
    return [(label, *_seen(frame)) for label, frame in zip(said, xyz, strict=True)]


def _seen(xyz: FloatArray) -> tuple[Keypoints, PoseTrack]:
    count = len(xyz)
    xy = CAMERA.focal_px * xyz[:, :2] / xyz[:, 2:] + np.array(CAMERA.principal_px)
    sure = np.full(count, 2.0, np.float32)
    keypoints = Keypoints(BODY21, xy.astype(np.float32), sure, np.ones(count, np.float32))
    valid = np.ones((1, count), bool)
    pose = PoseTrack(
        layout=BODY21,
        time_s=np.zeros(1),
        xyz_m=(xyz - xyz[:1]).astype(np.float32)[None],
        sigma_m=np.full((1, count), 0.01, np.float32),
        root_m=xyz[:1].astype(np.float32),
        root_sigma_m=np.full((1, 3), 0.1, np.float32),
        valid=valid,
        interpolated=np.zeros_like(valid),
    )
    return keypoints, pose


class Stream:
    """A detector that has seen it all before."""

    def __init__(self, shots: list[tuple[str, Keypoints, PoseTrack]]) -> None:
        self.shots = shots

    def step(self, frame: Frame) -> tuple[Keypoints]:
        return (self.shots[frame.index % len(self.shots)][1],)

    def close(self) -> None:
        """Nothing was opened."""


class Known:
    """A lifter, a recogniser and a coach's network that know what the film shows."""

    def __init__(self, shots: list[tuple[str, Keypoints, PoseTrack]]) -> None:
        self.shots = shots
        self.at = 0

    def lift(self, track: KeypointTrack, camera: Camera) -> LiftResult:
        self.at = int(track.frame[0]) % len(self.shots)
        pose = replace(self.shots[self.at][2], time_s=track.time_s)
        return LiftResult(pose, Scale("assumed", 1.0, 1.75), camera, body_rays(track, camera))

    def start(self, layout: Layout) -> Known:
        return self

    def step(self, *_: object) -> FloatArray:
        found = np.full(len(LABELS), 0.1 / (len(LABELS) - 1), np.float32)
        found[LABELS.index(self.shots[self.at][0])] = 0.9
        return found


class Silent:
    """Counts nothing that has no name: that would take its network."""

    def reset(self) -> None:
        """Nothing is remembered."""

    def step(self, *_: object) -> tuple[()]:
        return ()


def kept_bytes(*roots: object) -> int:
    """Memory of all that can be reached from some objects, but for code."""
    todo, seen, total = list(roots), set(), 0
    while todo:
        one = todo.pop()
        if id(one) in seen or isinstance(one, (type, ModuleType, FunctionType, threading.Thread, Stream, Known)):
            continue
        seen.add(id(one))
        total += sys.getsizeof(one)
        if isinstance(one, np.ndarray):
            todo.append(one.base)
        todo += gc.get_referents(one)
    return total


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_an_hour_leaves_repetitions_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    shots = film()
    known = Known(shots)
    monkeypatch.setattr(stage_module, "open_coach", lambda exercise: Coach(exercise, recogniser=known))
    stage = Stage(Config(max_people=1))
    monkeypatch.setattr(stage, "_nameless", Silent())
    session = LiveSession(Stream(shots), known, CAMERA, None, lambda: LiveWorld(CAMERA, scale_sigma=0.05))
    stage._begin()
    kept: list[tuple[int, int]] = []
    spent_s: list[float] = []
    for index in range(FRAMES):
        if index % len(shots) == 0:
            kept.append((stage.look().training.count + _done(stage), kept_bytes(stage, session)))
            spent_s.append(time.process_time())
        stage._analyse(session, Frame(index, index / RATE_HZ, PICTURE))
    # Ten squats in each round, of which the sets and the coach keep what was measured.
    assert _done(stage) >= 9 * FRAMES // len(shots)
    (reps, before), (more, after) = kept[3], kept[-1]
    assert after - before < 2500 * (more - reps), kept
    # Nor is a picture looked at for longer (processor time, and others use the caches, too).
    rounds_s = np.diff(spent_s)
    assert np.median(rounds_s[-5:]) < 1.5 * np.median(rounds_s[2:7]), rounds_s


def _done(stage: Stage) -> int:
    return sum(one.count for one in stage.look().training.done)
