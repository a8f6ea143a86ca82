"""A queue of frames between the decoder thread and its consumer, bounded in frames and in bytes."""

from __future__ import annotations

import threading
from collections import deque

from posepipe.types import Frame

__all__ = ["FrameQueue"]

# Two 8K pictures; a 720p queue is bounded by its number of frames long before.
_MAX_BYTES = 256 * 1024 * 1024


class FrameQueue:
    """One producer, one consumer.

    Args:
        size: most frames held.
        latest_only: hold the newest frame only and count the others as dropped; `put` never waits then.
    """

    def __init__(self, size: int, *, latest_only: bool = False) -> None:
        self.dropped = 0
        self._size = size
        self._latest_only = latest_only
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._finished = False
        self._stopped = False
        self._error: Exception | None = None

    def put(self, frame: Frame) -> bool:
        """Hand over a frame, waiting for room; False once the consumer has stopped."""
        with self._changed:
            if self._latest_only and self._frames:
                self._frames.clear()
                self._bytes = 0
                self.dropped += 1
            self._changed.wait_for(lambda: self._stopped or self._has_room(frame))
            if self._stopped:
                return False
            self._frames.append(frame)
            self._bytes += frame.image.nbytes
            self._changed.notify_all()
            return True

    def _has_room(self, frame: Frame) -> bool:
        if not self._frames:
            return True
        return len(self._frames) < self._size and self._bytes + frame.image.nbytes <= _MAX_BYTES

    def get(self) -> Frame | None:
        """Next frame, waiting for it; None at the end. Raises what the producer died of."""
        with self._changed:
            self._changed.wait_for(lambda: self._frames or self._finished or self._stopped)
            if self._stopped:
                return None
            if self._frames:
                frame = self._frames.popleft()
                self._bytes -= frame.image.nbytes
                self._changed.notify_all()
                return frame
            error, self._error = self._error, None
            if error is not None:
                raise error
            return None

    def finish(self, error: Exception | None = None) -> None:
        """Producer: no more frames."""
        with self._changed:
            self._finished = True
            self._error = error
            self._changed.notify_all()

    def stop(self) -> None:
        """Consumer: no more wanted."""
        with self._changed:
            self._stopped = True
            self._frames.clear()
            self._bytes = 0
            self._changed.notify_all()
