"""2D keypoints of people in a picture, each with a pixel sigma."""

from __future__ import annotations

import os
from pathlib import Path

from posepipe.errors import ModelError, UsageError
from posepipe.keypoints.base import Detector, DetectorStream

__all__ = ["DETECTORS", "Detector", "DetectorStream", "open_detector"]

DETECTORS = ("blazepose", "mediapipe")
"""Detectors that need no file of the user's."""


def open_detector(
    name: str | os.PathLike[str] = "blazepose", *, max_people: int = 1, threads: int | None = None
) -> Detector:
    """Detector by name or by the path of a model.

    BlazePose and MediaPipe open their networks in `Detector.start`, not here.

    Args:
        name: "blazepose", "mediapipe" (its own graph, one person; the reference), the path of a
            ``pose_landmarker_*.task``, or the path of an RTMPose ``.onnx``.
        max_people: follow at most so many.
        threads: threads for each network; see `posepipe.inference.open_session`.

    Raises:
        UsageError: no detector of that name.
        ModelError: no such model file, or not an RTMPose network.
    """
    text = os.fspath(name)
    path = Path(text).expanduser()
    kind = path.suffix.lower()
    if kind in (".task", ".onnx") and not path.is_file():
        raise ModelError("no such model file", where=text)
    if text == "blazepose" or kind == ".task":
        from posepipe.keypoints.blazepose import BlazePose

        return BlazePose(max_people=max_people, threads=threads, task=path if kind == ".task" else None)
    if text == "mediapipe":
        from posepipe.keypoints.mediapipe_pose import MediaPipePose

        return MediaPipePose()
    if kind == ".onnx":
        from posepipe.keypoints.rtmpose import RTMPose

        return RTMPose(path, max_people=max_people, threads=threads)
    if text == "rtmpose":
        raise UsageError(
            "rtmpose needs its network", where="detector", hint="Name the file: the path of an RTMPose .onnx"
        )
    raise UsageError(
        f"no detector {text!r}",
        where="detector",
        hint=f"Valid: {', '.join(DETECTORS)}, the path of a pose_landmarker .task or of an RTMPose .onnx",
    )
