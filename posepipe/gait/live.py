"""Walking while it is done: the last seconds are looked at again and again, and steps are counted.

Only a strike that is over for a while counts, so a count never falls. Everything else about a walk needs the whole of
it, and is left to `posepipe.gait.analyse`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from posepipe.body.motion import Motion
from posepipe.gait.parameters import parameters
from posepipe.gait.signals import signals_of
from posepipe.gait.types import HEEL_STRIKE, Value
from posepipe.gait.walk import find_walk
from posepipe.settings import setting
from posepipe.types import Angles, PoseTrack

__all__ = ["LIVE_WALK", "LiveWalk", "LiveWalkSettings", "Walking"]


@dataclass(frozen=True, slots=True)
class LiveWalkSettings:
    """How a walk is followed live."""

    window_s: float = setting(12.0, "so much of the past is looked at", unit="s", source="judgement")
    every_s: float = setting(1.0, "and so often", unit="s", source="judgement")
    least_s: float = setting(2.0, "less of it isn't looked at", unit="s", source="judgement")
    settle_s: float = setting(0.7, "a strike so long ago is counted", unit="s", source="judgement")
    apart_s: float = setting(
        0.2, "strikes nearer than this are one that a later look places anew", unit="s", source="judgement"
    )
    away_s: float = setting(2.0, "who was away for longer begins anew", unit="s", source="judgement")
    stays_s: float = setting(6.0, "a walk stands on the page for so long after its last step", unit="s",
                             source="judgement")  # fmt: skip


LIVE_WALK = LiveWalkSettings()


@dataclass(frozen=True, slots=True)
class Walking:
    """What is known of a walk by now.

    Attributes:
        steps: heel strikes of both feet so far.
        cadence_spm: steps a minute over the last seconds, as in `posepipe.gait.parameters`; None as long as too little
            is known.
    """

    steps: int
    cadence_spm: Value | None = None


class LiveWalk:
    """Follows one person's walking.

    Args:
        settings: how.
    """

    def __init__(self, settings: LiveWalkSettings = LIVE_WALK) -> None:
        self._settings = settings
        self.reset()

    def reset(self) -> None:
        """Forget what was seen: somebody else, or an exercise."""
        self._past: deque[tuple[PoseTrack, Angles]] = deque()
        self._look_s = self._counted_s = self._walked_s = -np.inf
        self._known: Walking | None = None

    def step(self, time_s: float, pose: PoseTrack, angles: Angles, walking: bool) -> Walking | None:
        """Take one frame; None while nobody walks.

        Args:
            time_s: its time.
            pose: of one frame, as in `posepipe.live.LivePerson`.
            angles: of that pose.
            walking: whether the movement is taken for walking, as by `posepipe.exercise.coach.Coach`.
        """
        settings = self._settings
        if self._past and time_s - self._past[-1][0].time_s[0] > settings.away_s:
            self._past.clear()
        self._past.append((pose, angles))
        while self._past[0][0].time_s[0] < time_s - settings.window_s:
            self._past.popleft()
        if walking:
            self._walked_s = time_s
        if time_s - self._walked_s > settings.stays_s:
            self._known, self._counted_s = None, -np.inf
        elif walking and time_s - self._look_s >= settings.every_s:
            self._look_s = time_s
            self._look(time_s)
        return self._known

    def _look(self, time_s: float) -> None:
        settings, known = self._settings, self._known or Walking(0)
        motion = Motion.from_frames(self._past)
        if motion.time_s[-1] - motion.time_s[0] < settings.least_s:
            self._known = known
            return
        signals = signals_of(motion)
        walk = find_walk(motion, signals)
        steps = known.steps
        for event in walk.events:
            over = event.time_s <= time_s - settings.settle_s
            if event.type == HEEL_STRIKE and over and event.time_s > self._counted_s + settings.apart_s:
                steps, self._counted_s = steps + 1, event.time_s
        cadence = parameters(motion, walk, False, signals).value("cadence_spm")
        self._known = Walking(steps, cadence or known.cadence_spm)
