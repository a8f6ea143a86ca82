"""Where frames come from: a file, a folder or pattern of images, a webcam, a stream.

with open_source("walk.mp4") as source:
    for frame in source:
        ...
"""

from __future__ import annotations

import os
import re
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from posepipe.errors import MediaError, UsageError
from posepipe.media._reader import Reader, SourceInfo
from posepipe.media.atomic import expanded
from posepipe.types import Frame

__all__ = ["FrameQueue", "Source", "SourceInfo", "is_live", "open_source"]

_STREAM = re.compile(r"(rtsps?|https?|rtmps?|udp|rtp|srt)://", re.IGNORECASE)
# A network read gives up by itself later; nobody should wait for that.
_JOIN_S = 2.0

# Two 8K pictures; a 720p queue is bounded by its number of frames long before.
_MAX_BYTES = 256 * 1024 * 1024


def open_source(
    spec: str | Path | int,
    *,
    ahead: int = 8,
    latest_only: bool = False,
    image_fps_hz: float = 30.0,
    span_s: tuple[float, float] | None = None,
    needed: Callable[[float], bool] | None = None,
    capture_fps_hz: float | None = None,
    self_contained: bool = False,
    most_px: int | None = None,
) -> Source:
    """Open an input.

    Args:
        spec: a video or image file, a folder of images, a pattern (``frames/*.png``), a webcam's number, or a stream's
            address (``rtsp:// http:// https:// rtmp:// udp://``), the only case in which the network is used.
        ahead: most frames decoded ahead of the consumer, by a thread. Memory is bounded, too. 0 decodes each when it is
            asked for: the picture is still in the processor's cache then.
        latest_only: for live inputs, skip the frames that the consumer is too slow for; `Source.dropped_frames` counts
            them. Other inputs give every frame.
        image_fps_hz: frame rate of images.
        span_s: of a video file whose `SourceInfo.seekable` is true, only the frames from a time up to another; their
            indices begin at 0. Reading them may raise `SeekError`.
        needed: of a span, tells by its time in seconds whether a frame's picture is; the others come without
            (`posepipe.types.Frame.seen`). None needs all.
        capture_fps_hz: of a slow-motion film, the rate at which its pictures were taken: times are then those of what
            was filmed. None takes it from the file's tags, where they tell. Images have no other rate.
        self_contained: take no file that leads to others, as a playlist does.
        most_px: a video file's pictures whose longer side is twice as long, or more, come smaller by a whole factor,
            made so while their colours are converted; `SourceInfo.reduced` tells it.

    Returns:
        The opened source; `Source.info` is known, the first picture decoded.

    Raises:
        MediaError: missing, empty, broken, no video, no image, no connection, no camera.
        UsageError: `ahead` below 0, a rate that isn't positive, or a rate of capture for a live input.
    """
    if ahead < 0:
        raise UsageError(f"ahead is {ahead}", hint="Give 0 or more")
    rates = {"image_fps_hz": image_fps_hz, "capture_fps_hz": 1.0 if capture_fps_hz is None else capture_fps_hz}
    for name, rate in rates.items():
        if not 0 < rate < float("inf"):
            raise UsageError(f"{name} is {rate}", hint="Give a positive number")
    if span_s is not None:
        from posepipe.media._container import open_file

        path = expanded(spec)  # type: ignore[arg-type]
        part = open_file(path, span_s, capture_fps_hz, needed=needed, most_px=most_px)
        return Source(part, ahead=ahead, latest_only=False)
    reader = _open_reader(spec, image_fps_hz, capture_fps_hz, self_contained, most_px)
    source = Source(reader, ahead=ahead, latest_only=latest_only)
    if source.info.live and capture_fps_hz is not None:
        source.close()
        raise UsageError("a live input has no rate of capture of its own", hint="Leave the capture rate out")
    return source


def is_live(spec: str | Path | int) -> bool:
    """Whether an input is a webcam or a stream, which can't be read a second time."""
    return isinstance(spec, int) or (isinstance(spec, str) and (spec.isdecimal() or bool(_STREAM.match(spec))))


def _open_reader(
    spec: str | Path | int,
    image_fps_hz: float,
    capture_fps_hz: float | None,
    self_contained: bool,
    most_px: int | None,
) -> Reader:
    # OpenCV and PyAV load when the first source is opened, each only where needed.
    if isinstance(spec, int) or (isinstance(spec, str) and spec.isdecimal()):
        from posepipe.media._camera import CameraReader

        return CameraReader(int(spec))
    if isinstance(spec, str) and _STREAM.match(spec):
        from posepipe.media._container import open_stream

        return open_stream(spec, capture_fps_hz)
    from posepipe.media._images import IMAGE_SUFFIXES, ImageReader, find_images, is_animated

    image_fps_hz = capture_fps_hz or image_fps_hz

    if not str(spec):
        raise MediaError("no input given", hint="Give a video file, a folder of images, a camera number or an address")
    path = expanded(spec)
    try:
        path.stat()
        allowed = os.access(path, os.R_OK)
    except FileNotFoundError:
        allowed = True
    except PermissionError:
        allowed = False
    except (OSError, ValueError) as error:
        raise MediaError(f"can't be read ({error})", where=str(spec), hint="Check the path") from error
    if not allowed:
        raise MediaError("may not be read", where=str(spec), hint="Check its permissions")
    if path.is_dir():
        return ImageReader(find_images(path), path.name or str(path), image_fps_hz)
    if not path.exists():
        if any(mark in str(spec) for mark in "*?["):
            return ImageReader(find_images(path), str(spec), image_fps_hz)
        raise MediaError("no such file or folder", where=str(spec), hint="Check the path")
    if path.suffix.lower() in IMAGE_SUFFIXES and not is_animated(path):
        return ImageReader([path], path.name, image_fps_hz)
    from posepipe.media._container import open_file

    return open_file(path, capture_fps_hz=capture_fps_hz, self_contained=self_contained, most_px=most_px)


class Source:
    """An opened input: a context manager, and an iterator of `Frame` that can be run through once.

    A thread decodes ahead of the consumer, if it was asked for. It starts with the first frame asked for and ends with
    the last, or at `close`.
    """

    def __init__(self, reader: Reader, *, ahead: int, latest_only: bool) -> None:
        self._reader = reader
        latest_only = latest_only and reader.info.live
        self._frames = None if ahead else reader.frames()
        self._queue = FrameQueue(ahead, latest_only=latest_only)
        self._thread: threading.Thread | None = None
        self._closed = False
        # A source that is forgotten, not closed, must not keep its thread.
        weakref.finalize(self, self._queue.stop)

    @property
    def info(self) -> SourceInfo:
        """What is known about the input."""
        return self._reader.info

    @property
    def skipped_frames(self) -> int:
        """Pictures that couldn't be decoded so far."""
        return self._reader.skipped_frames

    @property
    def dropped_frames(self) -> int:
        """Pictures that the consumer was too slow for so far (`latest_only`)."""
        return self._queue.dropped

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user about what was done to the pictures or times so far."""
        return tuple(self._reader.notes.values())

    @property
    def truncated(self) -> str | None:
        """After the end: why the file seems cut off; None if it is whole."""
        return self._reader.truncated

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        """Next frame.

        Raises:
            MediaError: the input broke off in a way that leaves no more frames.
        """
        if self._closed:
            raise StopIteration
        if self._frames is not None:
            return next(self._frames)
        if self._thread is None:
            self._thread = threading.Thread(
                target=_decode, args=(self._reader, self._queue), name="posepipe-decoder", daemon=True
            )
            self._thread.start()
        frame = self._queue.get()
        if frame is None:
            raise StopIteration
        return frame

    def close(self) -> None:
        """Stop decoding and release the input; may be called again."""
        if self._closed:
            return
        self._closed = True
        self._queue.stop()
        if self._thread is None:
            self._reader.close()
        else:
            self._thread.join(_JOIN_S)

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _decode(reader: Reader, queue: FrameQueue) -> None:
    """Body of the thread, which owns the reader: libav's and OpenCV's handles aren't shared."""
    try:
        for frame in reader.frames():
            if not queue.put(frame):
                break
        queue.finish()
    except Exception as error:
        queue.finish(error)
    finally:
        reader.close()


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
