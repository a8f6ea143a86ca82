"""What every detector looks like from outside."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from posepipe.skeleton import Layout
from posepipe.types import Frame, Keypoints

__all__ = ["Detector", "DetectorStream"]


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
        """As in `posepipe.keypoints.open_detector`."""
        ...

    @property
    def layout(self) -> Layout:
        """Joint layout of the keypoints it gives."""
        ...

    def start(self) -> DetectorStream:
        """A fresh stream; call it once for each clip."""
        ...
