"""Video files and network streams, decoded with PyAV."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import av
import av.error
import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.errors import MediaError, SeekError
from posepipe.media._clock import Clock
from posepipe.media._info import SourceInfo, focal_from_35mm
from posepipe.types import Frame

__all__ = ["ContainerReader", "Span", "open_file", "open_stream"]

Span = tuple[float, float]
"""From a time up to, not including, another; seconds."""

_FALLBACK_RATE_HZ = 30.0
_OPEN_TIMEOUT_S, _READ_TIMEOUT_S = 15.0, 10.0
# Demuxers that make pictures out of any text.
_TEXT_FORMATS = {"tty"}
_FOCAL_KEYS = ("com.apple.quicktime.camera.focal_length.35mm_equivalent", "focal_length_35mm", "FocalLengthIn35mmFilm")
# Above this, one thread can't keep up with the film; below, a second one only takes time from the networks.
_ONE_THREAD_PIXELS = 1920 * 1088
_BROKEN_HINT = (
    "Check that it plays in a video player, or convert it: ffmpeg -i INPUT -c:v libx264 -pix_fmt yuv420p OUT.mp4"
)


def open_file(path: Path, span_s: Span | None = None) -> ContainerReader:
    """Open a video file, or the part of it from a time up to another.

    Raises:
        MediaError: empty, not a video, broken, or without a picture.
    """
    try:
        empty = path.is_file() and path.stat().st_size == 0
    except OSError as error:
        raise MediaError(f"can't be read ({error.strerror})", where=str(path), hint="Check its permissions") from error
    if empty:
        raise MediaError("the file is empty", where=str(path), hint="Copy or download it again")
    # The prefix keeps a colon in the name from being taken for a protocol; the whitelist keeps a playlist in
    # disguise from opening the network.
    options = {"protocol_whitelist": "file"}
    return ContainerReader(f"file:{path}", str(path), path.name, live=False, options=options, span_s=span_s)


def open_stream(url: str) -> ContainerReader:
    """Open a network stream that the user named.

    Raises:
        MediaError: no connection, or no video in it.
    """
    options = {"rtsp_transport": "tcp"} if url.lower().startswith("rtsp") else {}
    shown = _without_password(url)
    return ContainerReader(url, shown, shown, live=True, options=options)


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


class ContainerReader:
    """Reader of one container; see `Reader`. The first picture is decoded at once, to be sure that there is one."""

    def __init__(
        self, url: str, where: str, name: str, *, live: bool, options: dict[str, str], span_s: Span | None = None
    ) -> None:
        self._where = where
        self._live = live
        self._span_s = span_s
        self.skipped_frames = 0
        self.truncated: str | None = None
        self._unreadable = False
        self._container = _open(url, where, live=live, options=options)
        self._stream: Any = None
        self._first: Any = None
        self._pictures: Iterator[Any] = iter(())
        try:
            self._stream = _video_stream(self._container, where)
            self._pictures = self._decode()
            self._first = next(self._pictures, None)
            if self._first is None:
                raise MediaError("no picture in it can be decoded", where=where, hint=_BROKEN_HINT)
            self._turn = _Turn.of(self._first)
            self.info = self._describe(name)
        except BaseException:
            self.close()
            raise

    def _describe(self, name: str) -> SourceInfo:
        stream, container = self._stream, self._container
        assert self._first is not None
        width, height = self._turn.size(*_square_size(stream, self._first))
        rate = _rate_hz(stream)
        duration = _duration_s(stream, container)
        frames = stream.frames or None
        if duration and rate and (frames is None or duration * rate < frames - 1.5):
            # No count, or an edit list that shows less than is stored.
            frames = max(1, round(duration * rate))
        info = SourceInfo(
            name=name,
            kind="stream" if self._live else "video",
            width_px=width,
            height_px=height,
            fps_hz=rate,
            frames=frames,
            duration_s=duration,
            rotation_deg=self._turn.rotation_deg,
            codec=stream.codec_context.name,
            live=self._live and duration is None,
            focal_px=_focal_px(stream, container, width, height),
            seekable=not self._live and bool(duration) and len(stream.index_entries) > 0 and not self._beyond_end(),
        )
        return replace(info, frames=None) if info.live else info

    def frames(self) -> Iterator[Frame]:
        """The frames, once. Raises `MediaError` when a stream breaks off, `SeekError` when a span can't be given."""
        if self._span_s is not None:
            yield from self._frames_of_span(*self._span_s)
            return
        clock = Clock(self.info.fps_hz or _FALLBACK_RATE_HZ)
        size = self._turn.size(self.info.width_px, self.info.height_px)
        time_s, index = 0.0, 0
        picture, self._first = self._first, None
        while picture is not None:
            try:
                image = self._turn.apply(_bgr(picture, size))
            except av.error.FFmpegError:
                self.skipped_frames += 1
            else:
                time_s, estimated = clock.stamp(picture.pts, picture.time_base)
                yield Frame(index, time_s, image, estimated)
                index += 1
            picture = next(self._pictures, None)
        self.truncated = self._missing(index, time_s)

    def _frames_of_span(self, start_s: float, end_s: float) -> Iterator[Frame]:
        """Frames with start <= time < end; their times are those of a reading from the beginning, the indices aren't.

        Anything unusual, for which a reading from the beginning would have to mend times, raises `SeekError`.
        """
        assert self._first is not None
        origin, size = self._first.pts, self._turn.size(self.info.width_px, self.info.height_px)
        last_s, index = -math.inf, 0
        for picture in self._pictures_from(start_s, origin):
            if picture.pts is None or self.skipped_frames:
                raise self._no_span()
            time_s = float(Fraction(picture.pts - origin) * picture.time_base)
            if time_s <= last_s:
                raise self._no_span()
            last_s = time_s
            if time_s >= end_s:
                return
            if time_s >= start_s:
                yield Frame(index, time_s, self._turn.apply(_bgr(picture, size)))
                index += 1
        if self.skipped_frames or self._unreadable:
            raise self._no_span()

    def _pictures_from(self, start_s: float, origin: int | None) -> Iterator[Any]:
        """Pictures from one at or before a time; those after a seek are decoded, not converted."""
        if origin is None or not self._stream.time_base:
            raise self._no_span()
        if start_s <= 0.0:
            return chain([self._first], self._pictures)
        # The index counts decoding times, which run ahead of presentation.
        for early_s in (0.5, 2.5):
            target = origin + int(max(0.0, start_s - early_s) / self._stream.time_base)
            try:
                self._container.seek(target, stream=self._stream, backward=True)
            except av.error.FFmpegError as error:
                raise self._no_span() from error
            pictures = self._decode()
            first = next(pictures, None)
            if first is None or first.pts is None:
                break
            if float(Fraction(first.pts - origin) * first.time_base) <= start_s:
                return chain([first], pictures)
        raise self._no_span()

    def _no_span(self) -> SeekError:
        return SeekError("can't be read from the middle", where=self._where, hint="Read it from the beginning")

    def _decode(self) -> Iterator[Any]:
        """Pictures in order of presentation; broken packets are skipped and counted."""
        for packet in self._packets_of_stream():
            try:
                for picture in packet.decode():
                    if picture.is_corrupt:
                        self.skipped_frames += 1
                    else:
                        yield picture
            except av.error.FFmpegError:
                self.skipped_frames += 1

    def _packets_of_stream(self) -> Iterator[Any]:
        failures = 0
        while failures < 3:
            try:
                for packet in self._container.demux(self._stream):
                    failures = 0
                    yield packet
                return
            except av.error.EOFError:
                return
            except av.error.FFmpegError as error:
                # A damaged stretch; the demuxer goes on after it, unless the rest is gone.
                failures += 1
                if self._live:
                    raise MediaError(
                        f"the stream broke off ({error.strerror})",
                        where=self._where,
                        hint="Check the camera and the network, then start again",
                    ) from error
        self._unreadable = True

    def _missing(self, decoded: int, last_s: float) -> str | None:
        """Why the file seems cut off."""
        if self.info.live:
            return None
        if beyond := self._beyond_end():
            return f"{beyond} of the {len(self._stream.index_entries)} pictures in its index lie behind its end"
        duration, rate = self.info.duration_s, self.info.fps_hz or _FALLBACK_RATE_HZ
        reached_s = last_s + 1.0 / rate
        if not self._stream.frames and decoded > 1 and (duration or 0.0) - reached_s > max(0.5, 3.0 / rate):
            return f"it promises {duration:.2f} s and holds {reached_s:.2f} s"
        return "the rest can't be read" if self._unreadable else None

    def _beyond_end(self) -> int:
        """Number of pictures in the index that lie behind the end of the file."""
        size = self._container.size
        return sum(entry.pos + entry.size > size for entry in self._stream.index_entries) if size > 0 else 0

    def close(self) -> None:
        """Release the file; may be called again."""
        self._container.close()
        # The decoder, with its dozens of pictures, hangs on these and on each other: the garbage collector would find
        # it late.
        self._first = None
        self._pictures = iter(())
        self._stream = None


def _open(url: str, where: str, *, live: bool, options: dict[str, str]) -> Any:
    timeout = (_OPEN_TIMEOUT_S, _READ_TIMEOUT_S) if live else None
    try:
        container = av.open(url, options=options, timeout=timeout, metadata_errors="replace")
    except av.error.FFmpegError as error:
        what, hint = "isn't a video that can be read", _BROKEN_HINT
        if live:
            what, hint = f"can't be opened ({error.strerror})", "Check the address, the user name and the network"
        raise MediaError(what, where=where, hint=hint) from error
    if container.format.name in _TEXT_FORMATS:
        container.close()
        raise MediaError(
            "is a text, not a video", where=where, hint="Give a video file, a folder of images or a camera"
        )
    return container


def _video_stream(container: Any, where: str) -> Any:
    attached = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & attached]
    if not streams:
        what = "has sound but no picture" if container.streams.audio else "has no video in it"
        raise MediaError(what, where=where, hint="Give a file with a video track")
    best = container.streams.best("video")
    stream = best if best in streams else streams[0]
    if stream.codec_context is None:
        raise MediaError("has a video track of an unknown codec", where=where, hint=_BROKEN_HINT)
    context = stream.codec_context
    threads = 1 if context.width * context.height <= _ONE_THREAD_PIXELS else 2
    context.thread_count = threads
    if threads > 1:
        stream.thread_type = "AUTO"
    return stream


def _square_size(stream: Any, picture: Any) -> tuple[int, int]:
    """Size of the stored picture with square pixels; a pinhole camera has no others."""
    width, height = picture.width, picture.height
    aspect = stream.sample_aspect_ratio or 1
    # Within one per cent it is rounding of the encoder's, and not worth a scaling.
    if abs(aspect - 1) <= 0.01 or not 0.2 <= aspect <= 5:
        return width, height
    return (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))


def _rate_hz(stream: Any) -> float | None:
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0.01 <= rate <= 100_000:
            return float(rate)
    return None


def _duration_s(stream: Any, container: Any) -> float | None:
    if stream.duration and stream.time_base:
        return float(Fraction(stream.duration) * stream.time_base)
    if container.duration and container.duration > 0:
        return float(container.duration / av.time_base)
    return None


def _focal_px(stream: Any, container: Any, width_px: int, height_px: int) -> float | None:
    for metadata in (container.metadata, stream.metadata):
        for key in _FOCAL_KEYS:
            try:
                value = float(metadata.get(key, "nan"))
            except ValueError:
                continue
            if math.isfinite(value):
                return focal_from_35mm(value, width_px, height_px)
    return None


def _bgr(picture: Any, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Picture as BGR; matrix and range of the colours are those that the frame names.

    One thread: libswscale's own threads cost more than they bring at these sizes.
    """
    width, height = size
    bgr = picture.reformat(width, height, format="bgr24", threads=1)
    plane = bgr.planes[0]
    if plane.line_size != 3 * width:
        padded: NDArray[np.uint8] = bgr.to_ndarray()
        return padded
    # A view, not a copy: pages fresh from the system cost more than the conversion.
    return np.frombuffer(plane, np.uint8).reshape(height, width, 3)


class _Turn:
    """What a display matrix asks for: swap the axes, then reverse columns or rows."""

    def __init__(self, transpose: bool, reverse_x: bool, reverse_y: bool) -> None:
        self._transpose, self._reverse_x, self._reverse_y = transpose, reverse_x, reverse_y

    @classmethod
    def of(cls, picture: Any) -> _Turn:
        """Turn of the frame's display matrix, to the nearest quarter."""
        for data in picture.side_data:
            if data.type.name == "DISPLAYMATRIX":
                a, b, _, c, d = (int(v) for v in np.frombuffer(bytes(data), dtype=np.int32)[:5])
                # Stored (x, y) is shown at (a x + c y, b x + d y).
                if abs(a) >= abs(b):
                    return cls(False, a < 0, d < 0)
                return cls(True, c < 0, b < 0)
        return cls(False, False, False)

    @property
    def rotation_deg(self) -> int:
        """Counter-clockwise turn, leaving a mirroring aside."""
        if self._transpose:
            return 90 if self._reverse_y else 270
        return 180 if self._reverse_y else 0

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height after the turn (or before it, given those after)."""
        return (height, width) if self._transpose else (width, height)

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The upright picture, contiguous."""
        if self._transpose:
            image = cv2.transpose(image)  # type: ignore[assignment]
        if self._reverse_x or self._reverse_y:
            code = {(True, True): -1, (True, False): 1, (False, True): 0}[self._reverse_x, self._reverse_y]
            image = cv2.flip(image, code)  # type: ignore[assignment]
        return np.ascontiguousarray(image)
