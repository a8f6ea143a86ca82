"""Webcams, through OpenCV."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.errors import MediaError
from posepipe.media._reader import SourceInfo
from posepipe.types import Frame

__all__ = ["CameraReader"]

# Tried before OpenCV's own choice, which on Windows is Media Foundation: slow to open many a camera.
_BACKENDS = {"win32": (cv2.CAP_DSHOW,), "darwin": (cv2.CAP_AVFOUNDATION,)}


class CameraReader:
    """Reader of a webcam; see `Reader`. The time is that of arrival."""

    def __init__(self, index: int) -> None:
        self.skipped_frames = 0
        self.truncated: str | None = None
        self.notes: dict[str, str] = {}
        self._name = f"camera {index}"
        self._capture, image = _open(index, self._name)
        self._first_s = time.monotonic()
        self._first = image
        rate = float(self._capture.get(cv2.CAP_PROP_FPS))
        height, width = image.shape[:2]
        self.info = SourceInfo(
            name=self._name,
            kind="camera",
            width_px=width,
            height_px=height,
            fps_hz=rate if np.isfinite(rate) and rate > 0 else None,
            frames=None,
            duration_s=None,
            rotation_deg=0,
            codec="raw",
            live=True,
            focal_px=None,
        )

    def frames(self) -> Iterator[Frame]:
        """The frames as they come. Raises `MediaError` when the camera goes away."""
        yield Frame(0, 0.0, np.ascontiguousarray(self._first, dtype=np.uint8))
        index, last_s = 1, 0.0
        while True:
            ok, image = self._capture.read()
            if not ok or image is None:
                raise MediaError("gives no more pictures", where=self._name, hint="Connect it again and start anew")
            # Two reads in one tick of the clock still need two times.
            last_s = max(time.monotonic() - self._first_s, float(np.nextafter(last_s, np.inf)))
            yield Frame(index, last_s, np.ascontiguousarray(image, dtype=np.uint8))
            index += 1

    def close(self) -> None:
        """Release the camera; may be called again."""
        self._capture.release()


def _open(index: int, name: str) -> tuple[cv2.VideoCapture, NDArray[np.uint8]]:
    """The camera and its first picture, through the first backend that gives one."""
    for backend in (*_BACKENDS.get(sys.platform, ()), cv2.CAP_ANY):
        capture = cv2.VideoCapture(index, backend)
        ok, image = capture.read() if capture.isOpened() else (False, None)
        if ok and image is not None:
            return capture, np.asarray(image, np.uint8)
        capture.release()
    raise MediaError(
        "no picture comes from it",
        where=name,
        hint="Check that it is connected, not used by another program, and that you may use it",
    )
