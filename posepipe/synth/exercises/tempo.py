"""When things happen: repetitions with their pauses, and slow random movement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.synth.kinematics import smooth

__all__ = ["Course", "Tempo", "repetitions", "wander"]

Array = NDArray[np.float64]

_WAVES = 7


@dataclass(frozen=True, slots=True)
class Tempo:
    """How repetitions follow each other.

    Attributes:
        rep_s: time of one repetition without its rests.
        out_share: part of it for the way out; the rest is the way back.
        hold_s: rest at the far end.
        pause_s: rest at the near end.
        uneven: spread of all times from one repetition to the next (log).
        ease: 0 keeps a level speed in the middle, 1 eases in and out like a reach.
    """

    rep_s: float
    out_share: float = 0.5
    hold_s: float = 0.1
    pause_s: float = 0.2
    uneven: float = 0.08
    ease: float = 0.7


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """Repetitions over F frames.

    Attributes:
        share: (F, 2) left and right, 0 at the near end, 1 at the far end.
        bounds: (R, 2) start and end of each, seconds.
        complete: (R,) bool.
        side: (R,) "both", "left" or "right".
        end_s: end of the last.
    """

    share: Array
    bounds: Array
    complete: NDArray[np.bool_]
    side: NDArray[np.str_]
    end_s: float


def _ease(s: Array, ease: float) -> Array:
    s = np.clip(s, 0.0, 1.0)
    return np.asarray((1.0 - ease) * (0.5 - 0.5 * np.cos(np.pi * s)) + ease * smooth(s))


def repetitions(
    time_s: Array,
    start_s: float,
    tempo: Tempo,
    sizes: Array,
    sides: list[str],
    rng: np.random.Generator,
) -> Course:
    """The course of repetitions of given sizes.

    Args:
        time_s: (F,).
        start_s: start of the first.
        tempo: their times.
        sizes: (R,) how far each goes; from 0.7 on it counts as complete.
        sides: R of "both", "left", "right".
        rng: source of chance.
    """
    share = np.zeros((len(time_s), 2))
    bounds = np.empty((len(sizes), 2))
    lag_s = rng.normal(0.0, 0.015, 2)
    begin = start_s
    for k, (size, side) in enumerate(zip(sizes, sides, strict=True)):
        total = tempo.rep_s * float(np.exp(rng.normal(0.0, tempo.uneven))) * (0.55 + 0.45 * min(float(size), 1.0))
        out = total * tempo.out_share
        hold = tempo.hold_s * rng.uniform(0.5, 1.5)
        rise = begin + out + hold
        end = rise + total - out
        for i in (0, 1):
            if side in ("both", ("left", "right")[i]):
                t = time_s - lag_s[i]
                share[:, i] += size * np.where(
                    t < rise, _ease((t - begin) / out, tempo.ease), 1.0 - _ease((t - rise) / (end - rise), tempo.ease)
                )
        bounds[k] = begin, end
        begin = end + tempo.pause_s * rng.uniform(0.4, 1.6)
    last = float(bounds[-1, 1]) if len(bounds) else start_s
    return Course(share, bounds, np.asarray(sizes) >= 0.7, np.array(sides, dtype="<U5"), last)


def wander(rng: np.random.Generator, time_s: Array, count: int, slow_s: float, sigma: float = 1.0) -> Array:
    """Smooth random curves (F, count) of given standard deviation that change over about `slow_s`.

    Sums of waves that don't know the clip: the same generator gives the same curve at any frame rate and length.
    """
    frequency = np.abs(rng.standard_normal((_WAVES, count))) * (0.35 / slow_s)
    phase = rng.uniform(0.0, 2.0 * np.pi, (_WAVES, count))
    angle = 2.0 * np.pi * time_s[:, None, None] * frequency + phase
    return np.asarray(sigma * np.sqrt(2.0 / _WAVES) * np.sin(angle).sum(axis=1))
