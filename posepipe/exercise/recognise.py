"""Which movement it is: a network over two-second windows, for whole clips and live."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import ModelError
from posepipe.exercise.features import (
    FEATURES,
    JOINTS,
    SAMPLES,
    STRIDE_S,
    WINDOW_S,
    mirror,
    motion_windows,
    windows,
)
from posepipe.exercise.labels import LABELS
from posepipe.inference import open_session
from posepipe.motion.clip import Motion
from posepipe.skeleton import BODY21, Layout
from posepipe.weights import find_model

__all__ = ["Recogniser", "RecogniserStream", "WindowScores"]

FloatArray = NDArray[np.float32]
Array = NDArray[np.float64]

_BATCH = 64
_MIN_SEEN = 0.5
_MIN_STREAM_S = 0.6
"""A live window may be this short; the rest repeats its first frame."""


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
        name: name on a model card ("exercise": part streams; "exercise_bilstm"), or an ONNX file.
        threads: of ONNX Runtime.

    Raises:
        ModelError: the model is missing, damaged or not a recogniser.
    """

    def __init__(self, name: str | Path = "exercise", threads: int = 1) -> None:
        path = Path(name) if str(name).endswith(".onnx") else find_model(str(name))
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
        cut = motion_windows(motion, stride_s)
        scores = self.score(cut.x)
        scores[cut.seen < _MIN_SEEN] = np.nan
        ends = (float(motion.time_s[0]), float(motion.time_s[-1])) if len(motion) else (0.0, 0.0)
        return WindowScores(cut.time_s, scores, *ends)

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
        if time_s >= self._due_s and time_s - self._frames[0][0] >= _MIN_STREAM_S:
            self._due_s = time_s + STRIDE_S - 1e-3
            self._latest = self._score(time_s, up)
        return self._latest

    def _score(self, time_s: float, up: tuple[float, float, float]) -> FloatArray | None:
        times, xyz, sigma, root = (np.array(part) for part in zip(*self._frames, strict=True))
        cut = windows(times, xyz, sigma, root, np.asarray(up), np.array([time_s - WINDOW_S / 2]))
        if cut.seen[0] < _MIN_SEEN:
            return None
        return np.asarray(self._recogniser.score(cut.x)[0])
