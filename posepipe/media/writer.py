"""H.264 video that plays in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import av.error
import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.errors import OutputError, UsageError
from posepipe.media.atomic import atomic_path, output_error

__all__ = ["VideoWriter"]

# Divides the periods of 24, 25, 30, 50, 60 and of 29.97 (3003 ticks) fps.
_TIME_BASE = Fraction(1, 90_000)
_BT709, _LIMITED_RANGE = 1, 1


class VideoWriter:
    """Writes BGR pictures as H.264 in MP4: yuv420p, even size, index in front ("faststart").

    The times given are kept, so a variable frame rate stays variable. The file appears under its name when the
    ``with`` block ends well; otherwise nothing is left.

        with VideoWriter(path, 1280, 720, 30.0) as writer:
            writer.write(image_bgr, time_s)

    Args:
        path: the video, ending in ``.mp4``, ``.m4v`` or ``.mov``.
        width_px, height_px: size of the pictures; an odd one is made even by repeating the last column or row.
        fps_hz: mean frame rate, for players and for the last frame's duration.
        crf: x264's quality, 0 lossless to 51; 23 is its default.
        preset: x264's preset; "veryfast" makes files a third as large in twice the time.
        threads: threads of the encoder.
    """

    def __init__(
        self,
        path: Path | str,
        width_px: int,
        height_px: int,
        fps_hz: float,
        *,
        crf: int = 23,
        preset: str = "ultrafast",
        threads: int = 1,
    ) -> None:
        self._path = Path(path)
        self._width_px, self._height_px = width_px, height_px
        self._fps_hz = fps_hz
        self._options = {"crf": str(crf), "preset": preset}
        self._threads = threads
        self._file: AbstractContextManager[Path] | None = None
        self._container: Any = None
        self._stream: Any = None
        self._last_tick = -1
        self._last_s = -1.0

    def __enter__(self) -> VideoWriter:
        """Open the file.

        Raises:
            UsageError: size, rate or suffix can't be used.
            OutputError: the folder can't be written.
        """
        if self._width_px < 1 or self._height_px < 1 or not 0.0 < self._fps_hz < 10_000.0:
            raise UsageError(f"can't write video of {self._width_px}x{self._height_px} at {self._fps_hz} fps")
        if self._path.suffix.lower() not in {".mp4", ".m4v", ".mov"}:
            raise UsageError("not a name for an H.264 video", where=str(self._path), hint="Let it end in .mp4")
        self._file = atomic_path(self._path)
        temporary = self._file.__enter__()
        try:
            with self._reporting():
                self._open(temporary)
        except BaseException:
            self._discard()
            raise
        return self

    def _open(self, temporary: Path) -> None:
        self._container = av.open(f"file:{temporary}", "w", format="mp4", options={"movflags": "+faststart"})
        rate = max(Fraction(self._fps_hz).limit_denominator(1001), Fraction(1, 1001))
        stream = self._container.add_stream("libx264", rate=rate, options=self._options)
        stream.width = self._width_px + self._width_px % 2
        stream.height = self._height_px + self._height_px % 2
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = _TIME_BASE
        context.thread_count = self._threads
        context.color_range, context.colorspace = _LIMITED_RANGE, _BT709
        context.color_primaries, context.color_trc = _BT709, _BT709
        # One key frame in two seconds: a browser can seek.
        context.gop_size = max(1, round(2 * self._fps_hz))
        self._stream = stream

    def write(self, image_bgr: NDArray[np.uint8], time_s: float) -> None:
        """Add a picture.

        Args:
            image_bgr: (height, width, 3) uint8.
            time_s: presentation time, later than the one before.

        Raises:
            UsageError: another size or type, or a time that doesn't increase.
            OutputError: the disk is full or refuses.
        """
        if self._container is None:
            raise UsageError("VideoWriter is not open", hint="Write inside its with block")
        if image_bgr.shape != (self._height_px, self._width_px, 3) or image_bgr.dtype != np.uint8:
            raise UsageError(
                f"VideoWriter: expected ({self._height_px}, {self._width_px}, 3) uint8, "
                f"got {image_bgr.shape} {image_bgr.dtype}"
            )
        if not np.isfinite(time_s) or time_s < 0.0:
            raise UsageError(f"VideoWriter: time {time_s} s", hint="Times start at 0")
        if time_s <= self._last_s:
            raise UsageError(f"VideoWriter: time {time_s} s isn't later than the one before")
        # Two times may fall into one tick.
        tick = max(round(time_s / _TIME_BASE), self._last_tick + 1)
        self._last_s, self._last_tick = time_s, tick
        with self._reporting():
            self._container.mux(self._packets(self._picture(image_bgr, tick)))

    def _picture(self, image_bgr: NDArray[np.uint8], tick: int) -> Any:
        right, bottom = self._width_px % 2, self._height_px % 2
        image: Any = image_bgr
        if right or bottom:
            image = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24")
        picture = picture.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", threads=1)
        picture.pts, picture.time_base = tick, _TIME_BASE
        return picture

    def _packets(self, picture: Any) -> list[Any]:
        packets: list[Any] = self._stream.encode(picture)
        for packet in packets:
            packet.duration = round(1.0 / (self._fps_hz * packet.time_base))
        return packets

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file and give it its name, or leave nothing if the block failed.

        Raises:
            OutputError: the disk is full or refuses, or no picture was written.
        """
        if error is not None:
            self._discard()
            return
        assert self._file is not None
        try:
            if self._last_tick < 0:
                raise OutputError("no picture was written to it", where=str(self._path))
            with self._reporting():
                self._container.mux(self._packets(None))
                self._container.close()
        except BaseException:
            self._discard()
            raise
        self._container = None
        self._file.__exit__(None, None, None)

    def _discard(self) -> None:
        container, self._container = self._container, None
        if container is not None:
            # Closing writes the index, which fails again on a full disk.
            with suppress(av.error.FFmpegError, OSError):
                container.close()
        if self._file is not None:
            reason = _DiscardedError()
            with suppress(_DiscardedError):
                self._file.__exit__(type(reason), reason, None)

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise output_error(error, self._path) from error
        except av.error.FFmpegError as error:
            raise OutputError(f"the encoder failed ({error.strerror})", where=str(self._path)) from error


class _DiscardedError(Exception):
    """Tells `atomic_path` to remove the temporary file."""
