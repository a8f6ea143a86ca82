"""Keypoints of frames that nobody looked at, from the looks before and after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posepipe.settings import setting
from posepipe.types import Keypoints

__all__ = ["BETWEEN", "BetweenSettings", "between"]


@dataclass(frozen=True, slots=True)
class BetweenSettings:
    """When two looks tell what was between them; lengths in the longer side of the box around the keypoints."""

    jump: float = setting(
        0.2,
        "how far the body may go, and a joint beside it: farther, and it is another body, or sides may be exchanged",
        source="judgement: a runner's body goes 0.15 from look to look, a foot beside it as far again",
    )
    bow: float = setting(
        0.125,
        "error in the middle, of the way that a joint goes",
        source="a quarter of a turn leaves the straight line by 0.2, a wave of eight looks by 0.1",
    )


BETWEEN = BetweenSettings()


def between(
    before: tuple[Keypoints, ...],
    after: tuple[Keypoints, ...],
    share: float,
    settings: BetweenSettings = BETWEEN,
) -> tuple[Keypoints, ...]:
    """Everyone whom both looks hold, on the straight way from one to the other.

    Whoever jumps is left out: left and right, where a detector exchanges them, are told before gaps are filled.

    Args:
        before: the earlier look.
        after: the later one.
        share: of the time between them that has gone, from 0 to 1.
        settings: thresholds.

    Returns:
        People in the order of `before`; sigma also holds what a straight way may miss.
    """
    people, free = [], list(after)
    for one in before:
        gaps = [_jump(one, other) for other in free]
        size_px = float(np.ptp(one.xy_px, axis=0).max())
        nearest = int(np.argmin(gaps)) if gaps else -1
        if gaps and gaps[nearest] <= settings.jump * size_px:
            people.append(_on_the_way(one, free.pop(nearest), np.float32(share), settings.bow))
    return tuple(people)


def _jump(one: Keypoints, other: Keypoints) -> float:
    """How far the body goes, or a joint beside it if that is farther."""
    way = other.xy_px - one.xy_px
    body = np.median(way, axis=0)
    return float(max(np.linalg.norm(body), np.linalg.norm(way - body, axis=1).max()))


def _on_the_way(one: Keypoints, other: Keypoints, share: np.float32, bow: float) -> Keypoints:
    way = other.xy_px - one.xy_px
    missed = 4.0 * share * (1.0 - share) * bow * np.linalg.norm(way, axis=1) / np.sqrt(2.0)
    sigma = np.sqrt((1.0 - share) * one.sigma_px**2 + share * other.sigma_px**2 + missed**2)
    return Keypoints(
        one.layout,
        one.xy_px + share * way,
        sigma.astype(np.float32),
        (1.0 - share) * one.score + share * other.score,
        float((1.0 - share) * one.presence + share * other.presence),
    )
