"""MediaPipe's own pose graph behind our protocol: the reference that BlazePose is measured against.

One person; needs the whole of mediapipe to be imported, which takes seconds.
"""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.errors import ModelError
from posepipe.keypoints.sigma import sigma_from_score
from posepipe.skeleton import BLAZEPOSE33, Layout
from posepipe.types import Frame, Keypoints

__all__ = ["MediaPipePose", "MediaPipeStream"]

_log = logging.getLogger(__name__)

_CELLS = 64.0
"""Side of a heat map."""
_CROP_OVER_EXTENT = 1.25
"""Side of MediaPipe's crop over the extent of the landmarks in it, about."""


class MediaPipePose:
    """``mediapipe.solutions.pose`` with the network "full" and its smoothing off.

    MediaPipe 1.x has no such graph: with a task its PoseLandmarker runs instead. It reports its use to its maker.

    Args:
        task: a ``pose_landmarker_*.task`` that carries its metadata, for MediaPipe 1.x; None for 0.10.21's own graph.
        min_score: person detector's threshold.
        min_presence: landmark network's threshold.
    """

    name = "mediapipe"
    layout: Layout = BLAZEPOSE33

    def __init__(self, *, min_score: float = 0.5, min_presence: float = 0.5, task: Path | None = None) -> None:
        self.task = task
        self.min_score = min_score
        self.min_presence = min_presence

    def start(self) -> MediaPipeStream:
        """A fresh stream with a graph of its own, so that no timestamp or region leaks between clips.

        Raises:
            ModelError: mediapipe isn't installed, is a version without this graph, or can't use the task.
        """
        if self.task is not None:
            return MediaPipeStream(_Landmarker(self.task, self.min_score, self.min_presence))
        try:
            from mediapipe.python.solutions import pose
        except ImportError as error:
            raise ModelError(
                "mediapipe's pose graph can't be imported",
                where="mediapipe",
                hint='pip install "posepipe[mediapipe]" on Python 3.10 to 3.12, or use the detector blazepose',
            ) from error
        graph = pose.Pose(
            static_image_mode=False,
            model_complexity=1,
            smooth_landmarks=False,
            enable_segmentation=False,
            min_detection_confidence=self.min_score,
            min_tracking_confidence=self.min_presence,
        )
        return MediaPipeStream(graph)


class _Landmarker:
    """MediaPipe 1.x's PoseLandmarker, called like the old graph."""

    def __init__(self, task: Path, min_score: float, min_presence: float) -> None:
        try:
            from mediapipe import Image, ImageFormat
            from mediapipe.tasks.python import BaseOptions, vision
        except ImportError as error:
            hint = 'pip install "mediapipe>=1.2", or use the detector blazepose'
            raise ModelError("MediaPipe 1.x isn't installed", where="mediapipe", hint=hint) from error
        _log.warning("MediaPipe 1.x reports its use to its maker")
        options = vision.PoseLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(task)),
            running_mode=vision.RunningMode.VIDEO,
            min_pose_detection_confidence=min_score,
            min_tracking_confidence=min_presence,
        )
        try:
            self._landmarker = vision.PoseLandmarker.create_from_options(options)
        except (OSError, RuntimeError, ValueError) as error:
            hint = "Name a pose_landmarker .task as Google publishes it: with metadata"
            raise ModelError("not a task that MediaPipe can use", where=str(task), hint=hint) from error
        self._picture = partial(Image, image_format=ImageFormat.SRGB)
        self._time_ms = 0

    def process(self, image: NDArray[np.uint8]) -> SimpleNamespace:
        """The person in the next picture (H, W, 3) RGB; like the old graph it takes every clip for 30 Hz."""
        self._time_ms += 33
        found = self._landmarker.detect_for_video(self._picture(data=image), self._time_ms)
        points = [
            SimpleNamespace(landmark=people[0]) if people else None
            for people in (found.pose_landmarks, found.pose_world_landmarks)
        ]
        return SimpleNamespace(pose_landmarks=points[0], pose_world_landmarks=points[1])

    def close(self) -> None:
        self._landmarker.close()


class MediaPipeStream:
    """MediaPipe's graph at work on one clip.

    Attributes:
        last_world_m: (33, 3) world landmarks of the last frame; None if it held nobody.
    """

    def __init__(self, graph: Any) -> None:
        self._graph: Any | None = graph
        self.last_world_m: NDArray[np.float32] | None = None

    def step(self, frame: Frame) -> tuple[Keypoints, ...]:
        """The person in the next frame. MediaPipe doesn't tell its presence: it is 1."""
        self.last_world_m = None
        if self._graph is None:
            raise ValueError("the stream is closed")
        found = self._graph.process(cv2.cvtColor(frame.image, cv2.COLOR_BGR2RGB))
        if found.pose_landmarks is None:
            return ()
        width, height = frame.size_px
        table = np.array([(p.x * width, p.y * height, p.visibility) for p in found.pose_landmarks.landmark], np.float32)
        if found.pose_world_landmarks is not None:
            self.last_world_m = np.array([(p.x, p.y, p.z) for p in found.pose_world_landmarks.landmark], np.float32)
        xy_px, score = table[:, :2], table[:, 2]
        cell_px = _CROP_OVER_EXTENT * float(np.ptp(xy_px, axis=0).max()) / _CELLS
        return (Keypoints(BLAZEPOSE33, xy_px, sigma_from_score(score, cell_px), score),)

    def close(self) -> None:
        """Free MediaPipe's graph."""
        if self._graph is not None:
            self._graph.close()
            self._graph = None
