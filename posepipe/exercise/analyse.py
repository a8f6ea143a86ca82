"""One person's exercise from beginning to end: what, how many, how well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from posepipe.exercise.catalogue import Catalogue, load_catalogue
from posepipe.exercise.count import Counted, count_any, count_exercise, steps
from posepipe.exercise.features import WINDOW_S
from posepipe.exercise.form import consistency, describe
from posepipe.exercise.labels import OTHER, WALKING
from posepipe.exercise.paced import Read, read_repeats
from posepipe.exercise.quality import MOVEMENTS, QualityModel
from posepipe.exercise.recognise import WindowScores
from posepipe.exercise.segments import Segment, longest, segments
from posepipe.exercise.types import Bout, Rejected, Repetition
from posepipe.motion.clip import Motion
from posepipe.reasons import Reason, withheld

__all__ = ["Recognises", "analyse_exercise", "bouts", "clip_label", "scored", "section"]

LEAST_S = 1.0
"""A shorter clip isn't analysed."""


class Recognises(Protocol):
    """What `analyse_exercise` needs to know of a recogniser."""

    def probabilities(self, motion: Motion) -> WindowScores:
        """Probabilities of the labels over time."""
        ...


def analyse_exercise(
    motion: Motion, recogniser: Recognises | None, catalogue: Catalogue | None = None
) -> dict[str, Any]:
    """The ``exercise`` section of ``summary.json`` for one person.

    Args:
        motion: one person's movement.
        recogniser: names the movement; without one everything that repeats is counted as "other".
        catalogue: exercises known; posepipe's own if None.
    """
    if len(motion) < 4 or float(motion.time_s[-1] - motion.time_s[0]) < LEAST_S:
        return dict(withheld(Reason.TOO_SHORT))
    catalogue = catalogue or load_catalogue()
    found = segments(recogniser.probabilities(motion)) if recogniser is not None else _whole(motion)
    done = scored(motion, bouts(motion, found, catalogue))
    if done:
        return section(done)
    if found and all(item.label == WALKING for item in found):
        return dict(withheld(Reason.NO_EXERCISE))
    if any(item.doubt is not None for item in found):
        return dict(withheld(Reason.UNSURE_WHICH))
    return dict(withheld(Reason.NO_EXERCISE))


def bouts(motion: Motion, found: Sequence[Segment], catalogue: Catalogue) -> tuple[Bout, ...]:
    """Segments with their repetitions; without walking, and without other things that don't repeat."""
    out = []
    read: Read | None = None
    for item in found:
        span = (item.start_s, item.end_s)
        if item.label in catalogue:
            exercise = catalogue[item.label]
            counted = count_exercise(motion, exercise, span)
            reps = describe(motion, exercise, counted)
            out.append(Bout(item.label, item.confidence, *span, reps, counted.rejected))
        elif item.label == OTHER:
            # Unsure which exercise, but sure enough that it is one: how often it was done can still be told.
            guess = catalogue.get(item.guess) if item.doubt is not None and not steps(motion, span) else None
            counted = count_exercise(motion, guess, span) if guess is not None else Counted()
            if not len(counted):
                read = read or read_repeats(motion)
                counted = count_any(motion, span, steady=True, read=read)
            if len(counted):
                out.append(Bout(OTHER, item.confidence, *span, _plain(counted)))
    return tuple(out)


def clip_label(motion: Motion, found: Sequence[Segment], catalogue: Catalogue) -> str:
    """What a whole clip is of: the exercise done in it, or else what lasts longest.

    People walk up, stand, rest and leave, so an exercise needn't last longest. It is done if a repetition of it was
    counted, or if it is one that is held, and its seconds times confidence make a window at least; of several, the one
    with most of these.

    Args:
        motion: one person's movement.
        found: its segments.
        catalogue: exercises known.
    """
    sure_s: dict[str, float] = {}
    for bout in bouts(motion, found, catalogue):
        if bout.label in catalogue and (bout.reps or not catalogue[bout.label].counted):
            lasts_s = bout.confidence * (bout.end_s - bout.start_s)
            sure_s[bout.label] = sure_s.get(bout.label, 0.0) + lasts_s
    best = max(sure_s, key=lambda name: sure_s[name], default=None)
    return best if best is not None and sure_s[best] >= WINDOW_S else longest(found)


def scored(motion: Motion, done: Sequence[Bout], model: QualityModel | None = None) -> tuple[Bout, ...]:
    """The same bouts; repetitions of movements that the form model knows get a score.

    Args:
        motion: one person's movement.
        done: from `bouts`.
        model: the shipped one if None.
    """
    out = []
    for bout in done:
        if bout.label in MOVEMENTS and bout.reps:
            model = model or QualityModel()
            scores = model.score(bout.label, motion, [(rep.start_s, rep.end_s) for rep in bout.reps])
            reps = tuple(replace(rep, score=float(score)) for rep, score in zip(bout.reps, scores, strict=True))
            bout = replace(bout, reps=reps)
        out.append(bout)
    return tuple(out)


def section(done: Sequence[Bout]) -> dict[str, Any]:
    """Bouts in the form of ``summary.json``."""
    return {"segments": [_segment(bout) for bout in done], "reps_total": sum(len(bout.reps) for bout in done)}


def _segment(bout: Bout) -> dict[str, Any]:
    row: dict[str, Any] = {
        "label": bout.label,
        "confidence": round(bout.confidence, 3),
        "start_s": round(bout.start_s, 2),
        "end_s": round(bout.end_s, 2),
        "reps": len(bout.reps),
        "rep_list": [_rep(rep) for rep in bout.reps],
        "rejected": [_rejected(item) for item in bout.rejected],
    }
    alike = consistency(bout.reps)
    if alike is not None and np.isfinite(alike.rom_sd_deg):
        row["consistency"] = {
            "rom_mean_deg": round(alike.rom_mean_deg, 1),
            "rom_sd_deg": round(alike.rom_sd_deg, 1),
            "tempo_sd_s": round(alike.tempo_sd_s, 2),
        }
    return row


def _rep(rep: Repetition) -> dict[str, Any]:
    row: dict[str, Any] = {
        "start_s": round(rep.start_s, 2),
        "end_s": round(rep.end_s, 2),
        "turn_s": round(rep.turn_s, 2),
        "rom_deg": _number(rep.rom_deg, 1),
        "rom_sigma_deg": _number(rep.rom_sigma_deg, 1),
        "tempo_s": [_number(part, 2) for part in rep.tempo_s],
        "side": rep.side,
        "left_right_deg": _number(rep.left_right_deg, 1),
        "faults": list(rep.faults),
    }
    if np.isfinite(rep.score):
        row["score"] = round(rep.score, 3)
    if rep.withheld:
        row["not_judged"] = dict(rep.withheld)
    return row


def _rejected(item: Rejected) -> Mapping[str, Any]:
    return {"start_s": round(item.start_s, 2), "end_s": round(item.end_s, 2), "reason": item.reason}


def _number(value: float, digits: int) -> float | None:
    return round(float(value), digits) if np.isfinite(value) else None


def _plain(counted: Counted) -> tuple[Repetition, ...]:
    """Repetitions of a movement without a name: only their times are known."""
    return tuple(
        Repetition(c.start_s, c.turn_s, c.end_s, tempo_s=(c.turn_s - c.start_s, c.end_s - c.turn_s))
        for c in counted.reps
    )


def _whole(motion: Motion) -> tuple[Segment, ...]:
    return (Segment(OTHER, 1.0, float(motion.time_s[0]), float(motion.time_s[-1])),)
