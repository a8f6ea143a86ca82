"""A camera of the machine that the app runs on, read through OpenCV, for where WebRTC can't."""

from __future__ import annotations

import threading
import time

from posepipe.errors import PosePipeError
from posepipe.media.sources import Source, open_source
from posepipe.ui.stage import Stage

__all__ = ["LocalCamera"]

_FORGOTTEN_S = 10.0


class LocalCamera:
    """Feeds a stage from a local camera, a stream or a file until it is stopped, or nobody looks any more.

    Args:
        spec: camera number, address of a stream, or a file.
        stage: who gets the pictures.
    """

    def __init__(self, spec: str, stage: Stage) -> None:
        self._spec = spec
        self._stage = stage
        self._stop = threading.Event()
        self._looked_s = time.monotonic()
        self.error: PosePipeError | None = None
        self.seen_ended = False
        self._thread = threading.Thread(target=self._work, name="posepipe-camera", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether pictures still come."""
        return self._thread.is_alive()

    def look(self) -> None:
        """Somebody is still there. A camera whose page was closed must not go on filming."""
        self._looked_s = time.monotonic()

    def stop(self) -> None:
        """Let the camera go."""
        self._stop.set()

    def _work(self) -> None:
        try:
            with open_source(self._spec, latest_only=True) as source:
                self._feed(source)
        except PosePipeError as error:
            self.error = error

    def _feed(self, source: Source) -> None:
        start_s = time.monotonic()
        for frame in source:
            if self._stop.is_set() or time.monotonic() - self._looked_s > _FORGOTTEN_S:
                return
            if not source.info.live:
                # A file plays at its own speed.
                self._stop.wait(max(0.0, frame.time_s - (time.monotonic() - start_s)))
            image = frame.image
            self._stage.offer(lambda image=image: image)  # type: ignore[misc]
