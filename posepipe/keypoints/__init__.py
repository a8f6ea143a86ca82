"""2D keypoints of people in a picture, each with a pixel sigma."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol, runtime_checkable

from posepipe.errors import ModelError, UsageError
from posepipe.skeleton import Layout
from posepipe.types import Frame, Keypoints

__all__ = ["DETECTORS", "Detector", "DetectorStream", "open_detector"]

DETECTORS = ("blazepose", "mediapipe")
"""Detectors that need no file of the user's."""


@runtime_checkable
class DetectorStream(Protocol):
    """A detector at work on one clip. Whatever it remembers from frame to frame lives and dies here."""

    def step(self, frame: Frame) -> tuple[Keypoints, ...]:
        """People in the next frame, the surest first. Nobody is an empty tuple."""
        ...

    def close(self) -> None:
        """Let go of what the stream holds. May be called twice."""
        ...


@runtime_checkable
class Detector(Protocol):
    """Settings and networks; no memory of any picture."""

    @property
    def name(self) -> str:
        """As in `open_detector`."""
        ...

    @property
    def layout(self) -> Layout:
        """Joint layout of the keypoints it gives."""
        ...

    def start(self) -> DetectorStream:
        """A fresh stream; call it once for each clip."""
        ...


def open_detector(
    name: str | os.PathLike[str] = "blazepose", *, max_people: int = 1, threads: int | None = None
) -> Detector:
    """Detector by name or by the path of a model.

    BlazePose and MediaPipe open their networks in `Detector.start`, not here.

    Args:
        name: "blazepose" (its network full), "blazepose:heavy" or "blazepose:lite" (fetched by ``posepipe models get
            heavy``), "mediapipe" (0.10.21's own graph, one person; the reference), "mediapipe:FILE.task" (the same
            by MediaPipe 1.x, which reports its use to its maker), the path
            of a ``pose_landmarker_*.task``, or the path of a pose network of your own (`posepipe.keypoints.rtmpose`).
        max_people: follow at most so many.
        threads: threads for each network; see `posepipe.inference.open_session`.

    Raises:
        UsageError: no detector of that name.
        ModelError: no such model file, or not a pose network.
    """
    text = os.fspath(name)
    reference, _, which = text.partition(":")
    if reference == "mediapipe":
        from posepipe.keypoints.mediapipe_pose import MediaPipePose

        return MediaPipePose(task=Path(which).expanduser() if which else None)
    path = Path(text).expanduser()
    kind = path.suffix.lower()
    if kind in (".task", ".onnx") and not path.is_file():
        raise ModelError("no such model file", where=text)
    if reference == "blazepose" or kind == ".task":
        from posepipe.keypoints.blazepose import BlazePose

        if reference == "blazepose":
            return BlazePose(max_people=max_people, threads=threads, network=which or "full")
        return BlazePose(max_people=max_people, threads=threads, task=path)
    if kind == ".onnx":
        from posepipe.keypoints.rtmpose import RTMPose

        return RTMPose(path, max_people=max_people, threads=threads)
    if text == "rtmpose":
        raise UsageError("rtmpose needs its network", where="detector", hint="Name the file: the path of its .onnx")
    raise UsageError(
        f"no detector {text!r}",
        where="detector",
        hint=f"Valid: {', '.join(DETECTORS)}, blazepose:heavy, blazepose:lite, "
        "the path of a pose_landmarker .task or of a pose network's .onnx",
    )
