"""Which movement it is: a network over two-second windows, live and over clips, and from windows to bouts.

Over a clip: the likeliest course of labels, and where it is too unsure to say.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posepipe.body.lift import chunks
from posepipe.body.motion import Motion
from posepipe.errors import ModelError
from posepipe.exercise.features import (
    FEATURES,
    JOINTS,
    SAMPLES,
    STRIDE_S,
    WINDOW_S,
    mirror,
    motion_windows,
    window_centers,
    windows,
)
from posepipe.exercise.labels import EXERCISES, LABELS, OTHER, WALKING
from posepipe.inference import open_session
from posepipe.reasons import Reason
from posepipe.settings import setting
from posepipe.skeleton import BODY21, Layout
from posepipe.weights import find_model

__all__ = ["RecogniseSettings", "Recogniser", "Segment", "WindowScores", "longest", "segments"]

FloatArray = NDArray[np.float32]
Array = NDArray[np.float64]

_BATCH = 64
"""Windows that go through the network at once."""
_AT_ONCE = 8 * _BATCH
"""Windows that are cut at a time, to bound memory."""
_FLOOR = 1e-4
"""No probability is taken for less: its logarithm stays finite."""
_OTHER, _WALKING = LABELS.index(OTHER), LABELS.index(WALKING)
_EXERCISE = np.array([name in EXERCISES for name in LABELS])


@dataclass(frozen=True, slots=True)
class RecogniseSettings:
    """Thresholds of recognition."""

    min_seen: float = setting(0.5, "share of a window's samples in which the person must be seen", source="judgement")
    min_stream_s: float = setting(
        0.6, "a live window may be this short; the rest repeats its first frame", unit="s", source="judgement"
    )
    min_confidence: float = setting(
        0.5, "least mean probability of an exercise that is named", source="convention: likelier than not"
    )
    any_exercise: float = setting(
        0.6,
        "where all exercises together reach this, one is named that is likelier than all others of them",
        source="judgement",
    )
    bout_s: float = setting(
        8.0, "how long one movement goes on before another, on average", unit="s", source="judgement"
    )
    home: float = setting(
        0.5, "share of bouts that nothing in particular follows: people stop before another", source="judgement"
    )
    news_s: float = setting(
        0.5,
        "windows this far apart count as two opinions: they share most of their two seconds",
        unit="s",
        source="chosen among 1, 0.5 and 0.33 on long synthetic takes that nothing was trained on",
    )


RECOGNISE = RecogniseSettings()


@dataclass(frozen=True, slots=True, eq=False)
class WindowScores:
    """Calibrated probabilities over time.

    Attributes:
        time_s: (W,) middle of each window.
        probability: (W, L) of `LABELS`, rows summing to 1; NaN where the person was seen for less than half a window.
        start_s, end_s: the clip's own.
    """

    time_s: Array
    probability: FloatArray
    start_s: float
    end_s: float


class Recogniser:
    """Names movements.

    Args:
        name: name on a model card, or an ONNX file.
        threads: of ONNX Runtime.

    Raises:
        ModelError: the model is missing, damaged or not a recogniser.
    """

    def __init__(self, name: str | Path = "exercise", threads: int = 1) -> None:
        path = find_model(name)
        self._session = open_session(path, threads=threads)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        fits = [i.name for i in inputs] == ["windows"] and inputs[0].shape[1:] == [SAMPLES, len(FEATURES)]
        if not fits or [o.name for o in outputs] != ["probability"] or outputs[0].shape[1:] != [len(LABELS)]:
            raise ModelError(
                f"not a recogniser: windows (B, {SAMPLES}, {len(FEATURES)}) in, probability (B, {len(LABELS)}) out",
                where=str(path),
                hint="Train it again: posepipe train exercise",
            )

    def probabilities(self, motion: Motion, stride_s: float = STRIDE_S) -> WindowScores:
        """Probabilities of every window of a motion.

        Args:
            motion: one person's movement; clips under two seconds make one window.
            stride_s: time between windows.
        """
        centers = window_centers(motion.time_s, stride_s)
        scores = np.zeros((len(centers), len(LABELS)), np.float32)
        for part in chunks(len(centers), _AT_ONCE):
            cut = motion_windows(motion, stride_s, part)
            scores[part] = self.score(cut.x)
            scores[part][cut.seen < RECOGNISE.min_seen] = np.nan
        ends = (float(motion.time_s[0]), float(motion.time_s[-1])) if len(motion) else (0.0, 0.0)
        return WindowScores(centers, scores, *ends)

    def score(self, x: FloatArray) -> FloatArray:
        """Probabilities (W, L) of windows (W, 30, 82) of `posepipe.exercise.features`.

        The mean of what the network says of a window and of its mirror image: left and right make no difference.
        """
        out = np.zeros((len(x), len(LABELS)), np.float32)
        for start in range(0, len(x), _BATCH):
            part = x[start : start + _BATCH]
            (both,) = self._session.run(["probability"], {"windows": np.concatenate([part, mirror(part)])})
            out[start : start + _BATCH] = 0.5 * (both[: len(part)] + both[len(part) :])
        return out

    def start(self, layout: Layout = BODY21) -> RecogniserStream:
        """A live recogniser for poses in one layout."""
        return RecogniserStream(self, layout)


class RecogniserStream:
    """Live recognition: the last two seconds, about five times a second, never the future.

    Args:
        recogniser: whose network to use.
        layout: of the poses.
    """

    def __init__(self, recogniser: Recogniser, layout: Layout = BODY21) -> None:
        self._recogniser = recogniser
        self._index = [layout.joints.index(n) if n in layout.joints else -1 for n in JOINTS]
        self._frames: deque[tuple[float, Array, Array, Array]] = deque()
        self._latest: FloatArray | None = None
        self._due_s = -np.inf

    def step(
        self,
        time_s: float,
        xyz_m: FloatArray,
        sigma_m: FloatArray | None = None,
        root_m: FloatArray | None = None,
        up: tuple[float, float, float] = (0.0, -1.0, 0.0),
    ) -> FloatArray | None:
        """Take one pose.

        Args:
            time_s: its time; one that isn't after the last starts anew.
            xyz_m: (J, 3) relative to the pelvis, NaN where missing.
            sigma_m: (J,).
            root_m: (3,) pelvis in the camera frame.
            up: against gravity.

        Returns:
            Probabilities (L,) of the latest window, or None until 0.6 s have been seen and after a long absence.
        """
        if self._frames and time_s <= self._frames[-1][0]:
            self._frames.clear()
            self._latest, self._due_s = None, -np.inf
        blank = np.full(len(JOINTS), np.nan)
        xyz, sigma = np.full((len(JOINTS), 3), np.nan), blank
        known = np.array(self._index) >= 0
        xyz[known] = np.asarray(xyz_m)[np.array(self._index)[known]]
        if sigma_m is not None:
            sigma = blank.copy()
            sigma[known] = np.asarray(sigma_m)[np.array(self._index)[known]]
        root = np.full(3, np.nan) if root_m is None else np.asarray(root_m, np.float64)
        self._frames.append((time_s, xyz, sigma, root))
        # One frame before the window's start is needed to interpolate at it.
        while len(self._frames) > 2 and self._frames[1][0] <= time_s - WINDOW_S:
            self._frames.popleft()
        if time_s >= self._due_s and time_s - self._frames[0][0] >= RECOGNISE.min_stream_s:
            self._due_s = time_s + STRIDE_S - 1e-3
            self._latest = self._score(time_s, up)
        return self._latest

    def _score(self, time_s: float, up: tuple[float, float, float]) -> FloatArray | None:
        times, xyz, sigma, root = (np.array(part) for part in zip(*self._frames, strict=True))
        cut = windows(times, xyz, sigma, root, np.asarray(up), np.array([time_s - WINDOW_S / 2]))
        if cut.seen[0] < RECOGNISE.min_seen:
            return None
        return np.asarray(self._recogniser.score(cut.x)[0])


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one movement.

    Attributes:
        label: of `LABELS`.
        confidence: mean probability of the label, in [0, 1].
        start_s, end_s: when.
        doubt: `Reason.UNSURE_WHICH` where an exercise seems to be done but which one is too unsure; else None.
        likely: with doubt, the likeliest exercise and its mean probability.
    """

    label: str
    confidence: float
    start_s: float
    end_s: float
    doubt: Reason | None = None
    likely: tuple[str, float] = (OTHER, 0.0)

    @property
    def duration_s(self) -> float:
        """Seconds."""
        return self.end_s - self.start_s


def segments(scores: WindowScores, settings: RecogniseSettings = RECOGNISE) -> tuple[Segment, ...]:
    """Stretches that cover the clip, in order.

    A hidden Markov model: bouts last `bout_s` on average, and half of them lead to `other`. Windows overlap, so each
    counts for what is new in it (`news_s`).

    An exercise with a lower mean probability than `min_confidence` becomes `other`, unless some exercise is done
    (`any_exercise`) and this one is likelier than the others together; with doubt, if it is an exercise of some kind
    with at least this probability.

    Args:
        scores: from `Recogniser.probabilities`.
        settings: thresholds.
    """
    if not len(scores.time_s):
        return ()
    path = _viterbi(scores, settings)
    change = np.flatnonzero(np.diff(path)) + 1
    starts, ends = np.concatenate([[0], change]), np.concatenate([change, [len(path)]])
    edge = 0.5 * (scores.time_s[1:] + scores.time_s[:-1])
    found = []
    for a, b in zip(starts, ends, strict=True):
        begin = scores.start_s if a == 0 else float(edge[a - 1])
        end = scores.end_s if b == len(path) else float(edge[b - 1])
        found.append(_judged(scores.probability[a:b], begin, end, settings))
    return _joined(found)


def _viterbi(scores: WindowScores, settings: RecogniseSettings) -> NDArray[np.intp]:
    """Likeliest label of every window."""
    probability = np.asarray(scores.probability, np.float64)
    step = float(np.median(np.diff(scores.time_s))) if len(scores.time_s) > 1 else WINDOW_S
    weight = min(1.0, step / settings.news_s)
    # An unseen window says nothing, but leans to `other`.
    silent = np.zeros(probability.shape[1])
    silent[_OTHER] = 0.5
    evidence = np.where(np.isnan(probability), silent, np.log(np.maximum(probability, _FLOOR)))
    evidence = weight * evidence
    follows = np.log(_follows(1.0 - np.exp(-step / settings.bout_s), settings.home, probability.shape[1]))
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


def _follows(leave: float, home: float, labels: int) -> Array:
    """Chance (L, L) of each label (column) after each (row), from one window to the next."""
    chance = np.full((labels, labels), (1.0 - home) / (labels - 2))
    chance[:, _OTHER] = home
    chance[_OTHER] = 1.0 / (labels - 1)
    chance *= leave
    np.fill_diagonal(chance, 1.0 - leave)
    return chance


def _judged(probability: NDArray[np.float32], start_s: float, end_s: float, settings: RecogniseSettings) -> Segment:
    seen = ~np.isnan(probability[:, 0])
    if not seen.any():
        return Segment(OTHER, 0.0, start_s, end_s)
    mean = probability[seen].mean(axis=0)
    least = settings.min_confidence
    best, some = int(np.where(_EXERCISE, mean, 0.0).argmax()), float(mean[_EXERCISE].sum())
    if mean[best] >= least or (some >= settings.any_exercise and mean[best] >= 0.5 * some):
        return Segment(LABELS[best], float(mean[best]), start_s, end_s)
    if some >= least:
        likely = LABELS[best], float(mean[best])
        return Segment(OTHER, float(mean[_OTHER]), start_s, end_s, Reason.UNSURE_WHICH, likely)
    name = WALKING if mean[_WALKING] > mean[_OTHER] else OTHER
    return Segment(name, float(mean[LABELS.index(name)]), start_s, end_s)


def _joined(found: list[Segment]) -> tuple[Segment, ...]:
    """Neighbours of the same label and doubt as one."""
    out: list[Segment] = []
    for segment in found:
        last = out[-1] if out else None
        if last and (last.label, last.doubt) == (segment.label, segment.doubt):
            whole = max(segment.end_s - last.start_s, 1e-9)
            mean = (last.confidence * last.duration_s + segment.confidence * segment.duration_s) / whole
            likely = max(last, segment, key=lambda part: part.duration_s).likely
            out[-1] = Segment(last.label, mean, last.start_s, segment.end_s, last.doubt, likely)
        else:
            out.append(segment)
    return tuple(out)


def longest(found: Sequence[Segment]) -> str:
    """The label that lasts longest; `other` if there is none."""
    total: dict[str, float] = {}
    for segment in found:
        total[segment.label] = total.get(segment.label, 0.0) + segment.duration_s
    return max(total, key=lambda name: total[name]) if total else OTHER
