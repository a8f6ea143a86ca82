"""Walking while it is done: steps as they come, their pace with its doubt, nothing for who doesn't walk."""

from __future__ import annotations

import numpy as np
import pytest
from walks import motion_of, noisy

from posepipe.body.motion import Motion
from posepipe.gait.live import LIVE_WALK, LiveWalk, Walking
from posepipe.lab.people.gait import SynthWalk, make_walk
from posepipe.types import Angles, PoseTrack


def _frame(motion: Motion, i: int) -> tuple[PoseTrack, Angles]:
    one = slice(i, i + 1)
    pose = PoseTrack(
        motion.layout, motion.time_s[one], motion.xyz_m[one], motion.sigma_m[one], motion.root_m[one],
        np.full((1, 3), np.nan, np.float32), motion.valid[one], np.zeros_like(motion.valid[one]),
    )  # fmt: skip
    return pose, Angles(motion.angles.names, motion.angles.deg[one], motion.angles.sigma_deg[one])


def _followed(live: LiveWalk, motion: Motion, *, walking: bool = True) -> list[Walking | None]:
    return [live.step(float(t), *_frame(motion, i), walking) for i, t in enumerate(motion.time_s)]


def _walk(seed: int, seconds: float = 14.0) -> tuple[SynthWalk, Motion]:
    walk = make_walk(np.random.default_rng(seed), duration_s=seconds, fps_hz=30.0)
    return walk, noisy(motion_of(walk.time_s, walk.xyz_m, 0.02), 0.01, seed)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_steps_are_counted_as_they_come(seed: int) -> None:
    walk, motion = _walk(seed)
    seen = [state for state in _followed(LiveWalk(), motion) if state is not None]
    steps = [state.steps for state in seen]
    assert (np.diff(steps) >= 0).all()
    strikes = np.array([event.time_s for event in walk.events if event.kind == "heel_strike"])
    # Those of the last look and before, and of the first stride some may be missing.
    over = strikes[strikes < motion.time_s[-1] - LIVE_WALK.every_s - LIVE_WALK.settle_s]
    assert len(over) - 2 <= steps[-1] <= len(strikes)
    cadence = seen[-1].cadence_spm
    assert cadence is not None and cadence.sigma > 0.0
    assert cadence.value == pytest.approx(60.0 / np.diff(strikes).mean(), abs=max(3.0 * cadence.sigma, 1.0))


def test_nobody_walks() -> None:
    _, motion = _walk(1, 5.0)
    assert set(_followed(LiveWalk(), motion, walking=False)) == {None}


def test_a_walk_stays_for_a_while_and_goes() -> None:
    _, motion = _walk(2, 7.0)
    live = LiveWalk()
    last = _followed(live, motion)[-1]
    frame, end_s = _frame(motion, len(motion) - 1), float(motion.time_s[-1])
    assert last is not None and last.steps > 4
    assert live.step(end_s + 0.5 * LIVE_WALK.stays_s, *frame, False) == last
    assert live.step(end_s + LIVE_WALK.stays_s + 0.1, *frame, False) is None
