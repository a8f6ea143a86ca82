"""How fast this machine is at what the live page does."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from posepipe.media.sources import open_source
from posepipe.pipeline import Config
from posepipe.samples import SAMPLE_VIDEO
from posepipe.types import Frame
from posepipe.ui.scene import live_picture
from posepipe.ui.stage import open_session, to_height

__all__ = ["Speed", "measure"]


@dataclass(frozen=True, slots=True)
class Speed:
    """What `measure` found.

    Attributes:
        frames: that were timed.
        frame_ms: median time to analyse and draw one.
        slow_ms: 95 % were faster.
        fps_hz: frames per second that the machine could keep up with.
    """

    frames: int
    frame_ms: float
    slow_ms: float
    fps_hz: float


def measure(frames: int = 90) -> Speed:
    """Run the live stages over the sample clip.

    Args:
        frames: how many are timed, after ten to warm up.

    Raises:
        ModelError: a model is missing or damaged.
    """
    spent_ms: list[float] = []
    with open_source(SAMPLE_VIDEO) as source:
        first = to_height(next(iter(source)).image)
        with open_session(Config(max_people=1), first.shape[1], first.shape[0]) as session:
            for frame in source:
                image = to_height(frame.image)
                start_s = time.perf_counter()
                people = session.step(Frame(frame.index, frame.time_s, image))
                live_picture(image, people[0] if people else None, 0.0)
                spent_ms.append(1000.0 * (time.perf_counter() - start_s))
                if len(spent_ms) >= frames + 10:
                    break
    timed = np.array(spent_ms[10:])
    return Speed(len(timed), float(np.median(timed)), float(np.quantile(timed, 0.95)), 1000.0 / float(timed.mean()))
