"""When a held posture begins and ends: a window that recognises it is two seconds long, getting there takes one or two.

About each end the poses are taken for two postures with one smooth way between them, a reach of least jerk (Flash and
Hogan 1985, J Neurosci 5:1688), and the way that fits best is looked for: the hold lasts from where one such way is done
until the next begins.

A hold that is chosen by name and whose posture the catalogue tells by angles lasts while they lie where it says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.body.motion import Motion
from posepipe.exercise.catalogue import Exercise
from posepipe.exercise.signal import grid, measure, pose_matrix
from posepipe.settings import setting

__all__ = ["HOLD", "HoldSettings", "held", "holds", "in_posture"]

Array = NDArray[np.float64]

_MADE = "chosen on 60 synthetic planks (seed 8101 of `posepipe.lab.counter.holds`)"
_LEAST_FRAMES = 20
"""Of the grid, that a way is looked for in."""


@dataclass(frozen=True, slots=True)
class HoldSettings:
    """How the ends of a hold are found."""

    reach_s: float = setting(
        2.5, "the posture is reached and left so far from where it was recognised, at most", unit="s", source=_MADE
    )
    way_s: tuple[float, float] = setting(
        (0.3, 2.5), "getting into the posture takes so long, at least and at most", unit="s", source=_MADE
    )
    step_s: float = setting(0.1, "ways that differ by so much are tried", unit="s", source="judgement")
    least_change: float = setting(
        4.0, "the postures differ by so much over all joints; else the hold goes on", unit="quarter trunks",
        source="judgement: one trunk's length",
    )  # fmt: skip
    explained: float = setting(
        0.5, "share of the poses' variance that the way explains; else the end stays as recognised", source=_MADE
    )
    least_kept: float = setting(
        0.5, "share of the recognised time that lies between the ends; else both stay as recognised", source="judgement"
    )
    kept: int = setting(4, "directions of most movement that are looked at", source="judgement")
    gap_s: float = setting(
        0.3, "a posture lost from sight or left for no longer goes on", unit="s",
        source="judgement: a stumble; who squats stands for longer between two",
    )  # fmt: skip
    least_s: float = setting(2.0, "a posture held for less isn't a hold", unit="s", source="judgement")


HOLD = HoldSettings()


def held(motion: Motion, span: tuple[float, float], settings: HoldSettings = HOLD) -> tuple[float, float]:
    """When the posture was reached and left, in seconds.

    Args:
        motion: one person's movement.
        span: when it was recognised.
        settings: thresholds.

    Returns:
        The ends; where no change of posture is seen about one, as it was recognised.
    """
    at = grid(motion.time_s)
    pose = pose_matrix(motion, at)
    if not pose.shape[1]:
        return span
    inside_s = min(settings.reach_s, 0.5 * (span[1] - span[0]))
    before = (at >= span[0] - settings.reach_s) & (at <= span[0] + inside_s)
    after = (at >= span[1] - inside_s) & (at <= span[1] + settings.reach_s)
    start_s = _reached(at[before], pose[before], settings)
    # Seen backwards, leaving is getting there.
    end_s = _reached(-at[after][::-1], pose[after][::-1], settings)
    start_s = span[0] if start_s is None else start_s
    end_s = span[1] if end_s is None else -end_s
    # Whose posture changes within most of it doesn't hold one.
    return (start_s, end_s) if end_s - start_s >= settings.least_kept * (span[1] - span[0]) else span


def in_posture(motion: Motion, exercise: Exercise) -> NDArray[np.bool_]:
    """Frames (F,) in which the posture of an exercise is held; none where it tells none or a measure isn't seen.

    Args:
        motion: one person's movement, or one frame of it.
        exercise: from the catalogue.
    """
    if not exercise.posture:
        return np.zeros(len(motion), bool)
    inside = np.ones(len(motion), bool)
    for within in exercise.posture:
        sides = measure(motion, within.measure).deg
        seen = np.isfinite(sides)
        deg = np.where(seen, sides, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
        inside &= seen.any(axis=1) & (deg >= within.low_deg) & (deg <= within.high_deg)
    return inside


def holds(motion: Motion, exercise: Exercise, settings: HoldSettings = HOLD) -> tuple[tuple[float, float], ...]:
    """When the posture of an exercise was held: starts and ends in seconds, in order.

    Args:
        motion: one person's movement.
        exercise: from the catalogue.
        settings: thresholds.
    """
    at = motion.time_s[in_posture(motion, exercise)]
    if not len(at):
        return ()
    parts = np.split(at, np.flatnonzero(np.diff(at) > settings.gap_s) + 1)
    spans = [(float(part[0]), float(part[-1])) for part in parts]
    return tuple(span for span in spans if span[1] - span[0] >= settings.least_s)


def _reached(at: Array, pose: Array, settings: HoldSettings) -> float | None:
    """When the second of two postures is reached; None if there is no way from one to another."""
    if len(at) < _LEAST_FRAMES:
        return None
    level = pose - pose.mean(axis=0)
    _, way = np.linalg.eigh(level.T @ level)
    x = level @ way[:, ::-1][:, : settings.kept]
    starts = np.arange(at[0], at[-1], settings.step_s)
    lengths = np.arange(*settings.way_s, settings.step_s)
    begin, length = (part.ravel() for part in np.meshgrid(starts, lengths, indexing="ij"))
    # Some of the posture before and after is seen.
    fits = (begin > at[0]) & (begin + length < at[-1] - settings.step_s)
    begin, length = begin[fits], length[fits]
    if not len(begin):
        return None
    share = np.clip((at - begin[:, None]) / length[:, None], 0.0, 1.0)
    to = share**3 * (10.0 - 15.0 * share + 6.0 * share**2)
    first, second, fitted = _two_postures(1.0 - to, to, x)
    best = int(fitted.argmax())
    change = float(np.linalg.norm(first[best] - second[best]))
    if change < settings.least_change or fitted[best] < settings.explained * float((x**2).sum()):
        return None
    return float(begin[best] + length[best])


def _two_postures(before: Array, after: Array, x: Array) -> tuple[Array, Array, Array]:
    """Poses (T, D) as two postures weighed (G, T), by least squares: these (G, D), and the squares explained (G,)."""
    aa, ab, bb = (before**2).sum(axis=1), (before * after).sum(axis=1), (after**2).sum(axis=1)
    ax, bx = before @ x, after @ x
    whole = (aa * bb - ab**2)[:, None]
    first = (bb[:, None] * ax - ab[:, None] * bx) / whole
    second = (aa[:, None] * bx - ab[:, None] * ax) / whole
    return first, second, (first * ax + second * bx).sum(axis=1)
