"""Counting movements without a name while they are done: the network of `repeats` looks at the last seconds, often.

Only what has come to its end for a while is counted, so a count never falls.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from posepipe.body.motion import Motion
from posepipe.exercise.count import Cycle
from posepipe.exercise.repeats import REPEAT, PaceModel, count_any, find_repeats
from posepipe.settings import setting
from posepipe.types import Angles, PoseTrack

__all__ = ["NAMELESS", "Nameless", "NamelessSettings"]


@dataclass(frozen=True, slots=True)
class NamelessSettings:
    """When a movement without a name is counted live."""

    window_s: float = setting(16.0, "the network looks at so much of the past", unit="s", source="judgement")
    every_s: float = setting(1.0, "and so often", unit="s", source="judgement")
    settle_s: float = setting(1.0, "a repetition that ended so long ago is counted", unit="s", source="judgement")
    begin: int = setting(3, "so many in a row make a movement that is counted", source="judgement")
    gap_s: float = setting(6.0, "after so long without any it has to begin anew", unit="s", source="judgement")
    still_deg: float = setting(
        8.0, "spread of elbows, shoulders, knees and hips under which somebody only stands about", unit="deg",
        source="48 made clips of standing about: 5 false sets at 4 degrees, none at 8; of 8 made sets, 12 loses one",
    )  # fmt: skip
    overlap: float = setting(0.3, "share of a repetition that may lie in the one before", source="judgement")
    pace: float = setting(
        0.65, "share of the usual time between two turns that must lie between them: a later look may cut the same "
        "movement at its other end", source="chosen on 12 made sets of `posepipe.lab.people.exercises`",
    )  # fmt: skip


NAMELESS = NamelessSettings()
_TURNS = 8
"""Turns that say what is usual."""


class Nameless:
    """Counts whatever repeats.

    Args:
        model: the network; the shipped one if None, loaded at the first look.
        settings: thresholds.
    """

    def __init__(self, model: PaceModel | None = None, settings: NamelessSettings = NAMELESS) -> None:
        self._model = model
        self._settings = settings
        self.reset()

    def reset(self) -> None:
        """Forget what was seen: somebody else, or a movement that has a name."""
        self._past: deque[tuple[PoseTrack, Angles]] = deque()
        self._last_s = -np.inf
        self._turns: list[float] = []
        self._look_s = -np.inf

    def step(self, time_s: float, pose: PoseTrack, angles: Angles) -> tuple[Cycle, ...]:
        """Take one frame; returns the repetitions that are counted from now on, mostly none.

        Args:
            time_s: its time.
            pose: of one frame, as in `posepipe.live.LivePerson`.
            angles: of that pose.

        Raises:
            ModelError: the network is missing or damaged.
        """
        settings = self._settings
        self._past.append((pose, angles))
        while self._past[0][0].time_s[0] < time_s - settings.window_s:
            self._past.popleft()
        if time_s - self._look_s < settings.every_s:
            return ()
        self._look_s = time_s
        motion = Motion.from_frames(self._past)
        if motion.time_s[-1] - motion.time_s[0] < settings.window_s / 2.0:
            return ()
        self._model = self._model or PaceModel()  # Loaded when first needed.
        found = find_repeats(motion, self._model)
        restless = replace(REPEAT, still_deg=settings.still_deg)
        cycles = count_any(motion, steady=True, found=found, settings=restless).reps
        settled = [cycle for cycle in cycles if cycle.end_s <= time_s - settings.settle_s]
        return self._new(settled)

    def _new(self, settled: Sequence[Cycle]) -> tuple[Cycle, ...]:
        """Those of a look that weren't counted before."""
        settings = self._settings
        fresh = [cycle for cycle in settled if cycle.start_s - self._last_s > settings.gap_s]
        if fresh and fresh == [cycle for cycle in settled if cycle.end_s > self._last_s]:
            # After a pause a movement begins anew.
            if len(fresh) < settings.begin:
                return ()
            self._turns, self._last_s = [], fresh[0].start_s
        out: list[Cycle] = []
        for cycle in settled:
            spare_s = settings.overlap * (cycle.end_s - cycle.start_s)
            usual_s = float(np.median(np.diff(self._turns))) if len(self._turns) > 1 else 0.0
            since_s = cycle.turn_s - self._turns[-1] if self._turns else np.inf
            if cycle.start_s < self._last_s - spare_s or since_s < settings.pace * usual_s:
                continue
            out.append(cycle)
            self._last_s = cycle.end_s
            self._turns = [*self._turns[-_TURNS:], cycle.turn_s]
        return tuple(out)
