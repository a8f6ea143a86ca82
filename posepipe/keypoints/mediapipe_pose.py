"""MediaPipe's own pose graph behind our protocol: the reference that BlazePose is measured against.

One person; needs the whole of mediapipe to be imported, which takes seconds.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.errors import ModelError
from posepipe.keypoints.sigma import sigma_from_score
from posepipe.skeleton import BLAZEPOSE33, Layout
from posepipe.types import Frame, Keypoints

__all__ = ["MediaPipePose", "MediaPipeStream"]

_CELLS = 64.0
_CROP_OVER_EXTENT = 1.25


class MediaPipePose:
    """``mediapipe.solutions.pose`` with the network "full" and its smoothing off.

    Args:
        min_score: person detector's threshold.
        min_presence: landmark network's threshold.
    """

    name = "mediapipe"
    layout: Layout = BLAZEPOSE33

    def __init__(self, *, min_score: float = 0.5, min_presence: float = 0.5) -> None:
        self.min_score = min_score
        self.min_presence = min_presence

    def start(self) -> MediaPipeStream:
        """A fresh stream with a graph of its own, so that no timestamp or region leaks between clips.

        Raises:
            ModelError: mediapipe isn't installed, or is a version without this graph.
        """
        try:
            from mediapipe.python.solutions import pose
        except ImportError as error:
            raise ModelError(
                "mediapipe's pose graph can't be imported",
                where="mediapipe",
                hint="pip install mediapipe==0.10.21, or use the detector blazepose",
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
