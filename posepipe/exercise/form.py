"""What each repetition was like: range of motion with its sigma, tempo, left against right, and faults."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.exercise.catalogue import Exercise
from posepipe.exercise.count import Counted, Cycle
from posepipe.exercise.rules import Judge, at_turn
from posepipe.exercise.signal import difference_sigma
from posepipe.exercise.types import Repetition
from posepipe.motion.clip import Motion
from posepipe.motion.facing import facing
from posepipe.types import PoseTrack

__all__ = ["Consistency", "consistency", "describe"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Consistency:
    """How alike the repetitions of a bout are.

    Attributes:
        rom_mean_deg, rom_sd_deg: range of motion; the spread is free of the measuring error's mean part.
        tempo_sd_s: spread of the time a repetition takes.
    """

    rom_mean_deg: float
    rom_sd_deg: float
    tempo_sd_s: float


def describe(motion: Motion, exercise: Exercise, counted: Counted) -> tuple[Repetition, ...]:
    """Each counted repetition with its range, tempo and faults.

    Args:
        motion: one person's movement.
        exercise: from the catalogue.
        counted: by `posepipe.exercise.count.count_exercise`.
    """
    yaw_deg, _ = facing(_pose(motion))
    judge = Judge(motion, exercise, yaw_deg)
    return tuple(_one(motion, judge, exercise, cycle) for cycle in counted.reps)


def _one(motion: Motion, judge: Judge, exercise: Exercise, cycle: Cycle) -> Repetition:
    seen = judge.measure(exercise.signal)
    turn, turn_sigma = at_turn(motion, seen, cycle, cycle.turn_s)
    start, start_sigma = at_turn(motion, seen, cycle, cycle.start_s)
    end, end_sigma = at_turn(motion, seen, cycle, cycle.end_s)
    rest, rest_sigma = _better(start, start_sigma, end, end_sigma)
    rom, sigma = np.abs(turn - rest), difference_sigma(turn - rest, turn_sigma, rest_sigma)
    faults, withheld = judge.faults(cycle)
    best = _weighted(rom, sigma, cycle.side)
    return Repetition(
        start_s=cycle.start_s,
        turn_s=cycle.turn_s,
        end_s=cycle.end_s,
        rom_deg=best[0],
        rom_sigma_deg=best[1],
        tempo_s=(cycle.turn_s - cycle.start_s, cycle.end_s - cycle.turn_s),
        side=cycle.side,
        left_right_deg=float(rom[0] - rom[1]) if cycle.side == "both" and len(rom) == 2 else float("nan"),
        faults=faults,
        withheld=withheld,
    )


def _better(start: Array, start_sigma: Array, end: Array, end_sigma: Array) -> tuple[Array, Array]:
    """Mean of both ends, or the one that was seen."""
    one, two = np.isfinite(start), np.isfinite(end)
    mean = np.where(one & two, (start + end) / 2.0, np.where(one, start, end))
    # The same joint errs in the same way at both ends, so the mean is no surer than one.
    sigma = np.where(one & two, np.maximum(start_sigma, end_sigma), np.where(one, start_sigma, end_sigma))
    return mean, sigma


def _weighted(rom: Array, sigma: Array, side: str) -> tuple[float, float]:
    """Range over both sides, weighed by certainty; of the side that moved, if only one did."""
    if len(rom) == 2 and side != "both":
        k = 0 if side == "left" else 1
        return float(rom[k]), float(sigma[k])
    known = np.isfinite(rom) & np.isfinite(sigma)
    if not known.any():
        return float("nan"), float("nan")
    weight = 1.0 / np.maximum(sigma[known], 0.1) ** 2
    weight = weight / weight.sum()
    # Both sides come from the same picture: their errors are taken to go together.
    return float((weight * rom[known]).sum()), float((weight * sigma[known]).sum())


def consistency(reps: tuple[Repetition, ...]) -> Consistency | None:
    """Spread over a bout; None with fewer than two repetitions."""
    if len(reps) < 2:
        return None
    rom = np.array([rep.rom_deg for rep in reps])
    rom = rom[np.isfinite(rom)]
    lengths = np.array([rep.end_s - rep.start_s for rep in reps])
    if rom.size < 2:
        return Consistency(float("nan"), float("nan"), float(lengths.std(ddof=1)))
    return Consistency(float(rom.mean()), float(rom.std(ddof=1)), float(lengths.std(ddof=1)))


def _pose(motion: Motion) -> PoseTrack:
    return PoseTrack(
        layout=motion.layout,
        time_s=motion.time_s,
        xyz_m=motion.xyz_m,
        sigma_m=motion.sigma_m,
        root_m=motion.root_m,
        root_sigma_m=np.full_like(motion.root_m, np.nan),
        valid=motion.valid,
        interpolated=np.zeros_like(motion.valid),
    )
