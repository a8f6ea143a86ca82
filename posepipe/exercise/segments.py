"""From windows to bouts: the likeliest course of labels over a clip, and where it is too unsure to say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.exercise.features import WINDOW_S
from posepipe.exercise.labels import EXERCISES, LABELS, OTHER, WALKING
from posepipe.exercise.recognise import WindowScores
from posepipe.reasons import Reason

__all__ = ["Segment", "longest", "segments"]

Array = NDArray[np.float64]

MIN_CONFIDENCE = 0.5
"""Likelier than not: the least mean probability of an exercise that is named."""
ANY_EXERCISE = 0.6
"""Where all exercises together reach this, it is enough that one is likelier than all others of them."""
BOUT_S = 8.0
"""How long one movement goes on before another, on average."""
HOME = 0.5
"""Share of bouts that nothing in particular follows: people stop before they do something else."""
NEWS_S = 0.5
"""Windows this far apart count as two opinions: they share most of their two seconds, but not what they show best.
Chosen, among 1, 0.5 and 0.33, on long synthetic takes that nothing was trained on."""
_FLOOR = 1e-4
_OTHER, _WALKING = LABELS.index(OTHER), LABELS.index(WALKING)
_EXERCISE = np.array([name in EXERCISES for name in LABELS])


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one movement.

    Attributes:
        label: of `LABELS`.
        confidence: mean probability of the label, in [0, 1].
        start_s, end_s: when.
        doubt: `Reason.UNSURE_WHICH` where an exercise seems to be done but which one is too unsure; else None.
        guess: the likeliest label; the same as `label` but for doubt.
    """

    label: str
    confidence: float
    start_s: float
    end_s: float
    doubt: Reason | None = None
    guess: str = ""

    @property
    def duration_s(self) -> float:
        """Seconds."""
        return self.end_s - self.start_s


def segments(
    scores: WindowScores, *, min_confidence: float = MIN_CONFIDENCE, bout_s: float = BOUT_S
) -> tuple[Segment, ...]:
    """Stretches that cover the clip, in order.

    A hidden Markov model: bouts last `bout_s` on average, and half of them lead to `other`. Windows overlap, so each
    counts for what is new in it (`NEWS_S`).

    Args:
        scores: from `Recogniser.probabilities`.
        min_confidence: an exercise with a lower mean probability becomes `other`, unless some exercise is done
            (`ANY_EXERCISE`) and this one is likelier than the others together; with doubt, if it is an exercise of some
            kind with at least this probability.
        bout_s: mean length of a bout.
    """
    if not len(scores.time_s):
        return ()
    path = _viterbi(scores, bout_s)
    change = np.flatnonzero(np.diff(path)) + 1
    starts, ends = np.concatenate([[0], change]), np.concatenate([change, [len(path)]])
    edge = 0.5 * (scores.time_s[1:] + scores.time_s[:-1])
    found = []
    for a, b in zip(starts, ends, strict=True):
        begin = scores.start_s if a == 0 else float(edge[a - 1])
        end = scores.end_s if b == len(path) else float(edge[b - 1])
        found.append(_judged(scores.probability[a:b], begin, end, min_confidence))
    return _joined(found)


def _viterbi(scores: WindowScores, bout_s: float) -> NDArray[np.intp]:
    """Likeliest label of every window."""
    probability = np.asarray(scores.probability, np.float64)
    step = float(np.median(np.diff(scores.time_s))) if len(scores.time_s) > 1 else WINDOW_S
    weight = min(1.0, step / NEWS_S)
    # An unseen window says nothing, but leans to `other`.
    silent = np.zeros(probability.shape[1])
    silent[_OTHER] = 0.5
    evidence = np.where(np.isnan(probability), silent, np.log(np.maximum(probability, _FLOOR)))
    evidence = weight * evidence
    follows = np.log(_follows(1.0 - np.exp(-step / bout_s), probability.shape[1]))
    score, back = evidence[0].copy(), np.zeros(probability.shape, dtype=np.intp)
    for k in range(1, len(evidence)):
        ways = score[:, None] + follows
        back[k] = ways.argmax(axis=0)
        score = ways.max(axis=0) + evidence[k]
    path = np.empty(len(evidence), dtype=np.intp)
    path[-1] = int(np.argmax(score))
    for k in range(len(evidence) - 1, 0, -1):
        path[k - 1] = back[k, path[k]]
    return path


def _follows(leave: float, labels: int) -> Array:
    """Chance (L, L) of each label (column) after each (row), from one window to the next."""
    chance = np.full((labels, labels), (1.0 - HOME) / (labels - 2))
    chance[:, _OTHER] = HOME
    chance[_OTHER] = 1.0 / (labels - 1)
    chance *= leave
    np.fill_diagonal(chance, 1.0 - leave)
    return chance


def _judged(probability: NDArray[np.float32], start_s: float, end_s: float, least: float) -> Segment:
    seen = ~np.isnan(probability[:, 0])
    if not seen.any():
        return Segment(OTHER, 0.0, start_s, end_s, None, OTHER)
    mean = probability[seen].mean(axis=0)
    best, some = int(np.where(_EXERCISE, mean, 0.0).argmax()), float(mean[_EXERCISE].sum())
    if mean[best] >= least or (some >= ANY_EXERCISE and mean[best] >= 0.5 * some):
        return Segment(LABELS[best], float(mean[best]), start_s, end_s, None, LABELS[best])
    if some >= least:
        return Segment(OTHER, float(mean[_OTHER]), start_s, end_s, Reason.UNSURE_WHICH, LABELS[best])
    name = WALKING if mean[_WALKING] > mean[_OTHER] else OTHER
    return Segment(name, float(mean[LABELS.index(name)]), start_s, end_s, None, name)


def _joined(found: list[Segment]) -> tuple[Segment, ...]:
    """Neighbours of the same label and doubt as one."""
    out: list[Segment] = []
    for segment in found:
        last = out[-1] if out else None
        if last and (last.label, last.doubt, last.guess) == (segment.label, segment.doubt, segment.guess):
            whole = max(segment.end_s - last.start_s, 1e-9)
            mean = (last.confidence * last.duration_s + segment.confidence * segment.duration_s) / whole
            out[-1] = Segment(last.label, mean, last.start_s, segment.end_s, last.doubt, last.guess)
        else:
            out.append(segment)
    return tuple(out)


def longest(found: Sequence[Segment]) -> str:
    """The label that lasts longest; `other` if there is none."""
    total: dict[str, float] = {}
    for segment in found:
        total[segment.label] = total.get(segment.label, 0.0) + segment.duration_s
    return max(total, key=lambda name: total[name]) if total else OTHER
