"""What an exercise of somebody's own would count and say on a clip, number by number."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from posepipe.body.motion import Motion
from posepipe.exercise.catalogue import Exercise
from posepipe.exercise.count import Cycle, count_exercise
from posepipe.exercise.form import RuleSeen, advice, describe, rules_seen
from posepipe.exercise.hold import holds
from posepipe.exercise.types import Rejected, Repetition
from posepipe.reasons import explain

__all__ = ["Trial", "trial_lines", "try_exercise"]


@dataclass(frozen=True, slots=True)
class Trial:
    """An exercise tried on a clip.

    Attributes:
        exercise: its name.
        signal: measure that was used.
        reps: counted.
        seen: for each of them, or for each hold, what each rule saw.
        rejected: movements turned down.
        held: when the posture of a hold was held, starts and ends in seconds.
    """

    exercise: str
    signal: str
    reps: tuple[Repetition, ...]
    seen: tuple[tuple[RuleSeen, ...], ...]
    rejected: tuple[Rejected, ...]
    held: tuple[tuple[float, float], ...] = ()


def try_exercise(motion: Motion, exercise: Exercise) -> Trial:
    """Count and judge one exercise on a clip, as if it had been recognised all along.

    Args:
        motion: one person's movement.
        exercise: from a catalogue.
    """
    if not exercise.counted:
        held = holds(motion, exercise)
        whole = [Cycle(start_s, 0.5 * (start_s + end_s), end_s) for start_s, end_s in held]
        seen = tuple(rules_seen(motion, exercise, cycle) for cycle in whole)
        return Trial(exercise.name, exercise.signal, (), seen, (), held)
    counted = count_exercise(motion, exercise)
    reps = describe(motion, exercise, counted)
    seen = tuple(rules_seen(motion, exercise, cycle) for cycle in counted.reps)
    return Trial(exercise.name, counted.signal, reps, seen, counted.rejected)


def trial_lines(trial: Trial, exercise: Exercise) -> Iterator[str]:
    """A trial as plain lines."""
    if not exercise.counted:
        yield from _held_lines(trial, exercise)
        return
    yield f"{exercise.words}: {len(trial.reps)} counted by {trial.signal or 'nothing'}, {len(trial.rejected)} not"
    for number, (rep, rules) in enumerate(zip(trial.reps, trial.seen, strict=True), 1):
        yield (
            f"{number}. {rep.start_s:.1f} to {rep.end_s:.1f} s, "
            f"range {rep.rom_deg:.0f}° (sigma {rep.rom_sigma_deg:.0f}): {str(rep.form).replace('_', ' ')}"
        )
        for seen in rules:
            yield f"   {seen.code}: {_rule_line(seen, exercise)}"
    for item in trial.rejected:
        yield f"-  {item.start_s:.1f} to {item.end_s:.1f} s not counted: {explain(item.reason)}"


def _held_lines(trial: Trial, exercise: Exercise) -> Iterator[str]:
    total_s = sum(end_s - start_s for start_s, end_s in trial.held)
    known = f"held for {total_s:.1f} s" if exercise.posture else "held; the file tells no posture to time it by"
    yield f"{exercise.words}: {known}"
    for number, ((start_s, end_s), rules) in enumerate(zip(trial.held, trial.seen, strict=True), 1):
        yield f"{number}. {start_s:.1f} to {end_s:.1f} s"
        for seen in rules:
            yield f"   {seen.code}: {_rule_line(seen, exercise)}"


def _rule_line(seen: RuleSeen, exercise: Exercise) -> str:
    known = math.isfinite(seen.value_deg)
    value = f"{seen.value_deg:.0f}° (sigma {seen.sigma_deg:.0f}), threshold {seen.threshold_deg:g}°" if known else ""
    if seen.reason is not None:
        why = f"{explain(seen.reason)} {advice(exercise, seen.code, seen.reason)}".strip()
        return f"not judged: {value}. {why}" if value else f"not judged. {why}"
    return f"{'fault' if seen.broken else 'kept'}: {value}"
