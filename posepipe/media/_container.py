"""Video files and network streams, decoded with PyAV."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from heapq import heappop, heappush
from itertools import chain
from pathlib import Path
from typing import Any

import av
import av.error
import cv2
import numpy as np
from av.sidedata.sidedata import SideDataContainer
from numpy.typing import NDArray

from posepipe.errors import MediaError, SeekError
from posepipe.media._reader import LONGEST_PAUSE_S, Clock, SourceInfo, focal_from_35mm
from posepipe.types import NO_PICTURE, Frame

__all__ = ["open_file", "open_stream"]

Span = tuple[float, float]
"""From a time up to, not including, another; seconds."""
Needed = Callable[[float], bool]
"""Whether the picture at a time in seconds is needed."""

_FALLBACK_RATE_HZ = 30.0
_PLANES: Mapping[str, type[np.generic]] = {"yuv420p": np.uint8, "yuvj420p": np.uint8, "yuv420p10le": np.uint16}
"""Kinds of pictures whose planes are made smaller by themselves, and what their samples are."""
_OPEN_TIMEOUT_S, _READ_TIMEOUT_S = 15.0, 10.0
_ROUNDED_RATE = 0.02
"""29.97 stands for 30, and phones' rates waver: a slowing this near to a whole number is that number."""
_SLOW, _NO_LAPSE = 1.5, 0.67
_ORDINARY_HZ, _HIGH_SPEED_HZ = 31.0, 100.0
"""Slow motion isn't taken at 30. A film of 60 may be, or be one whose rate fell in the dark; one above 100 is."""
# PyAV 19 always reads tags that aren't UTF-8; before, it had to be told.
_ANY_TAGS: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}
# Demuxers that make pictures out of any text.
_TEXT_FORMATS = {"tty"}
# Demuxers that open further files or addresses, which the file names.
_LEADING_FORMATS = {"applehttp", "concat", "dash", "hls", "image2", "imf", "rtp", "rtsp", "sdp", "vobsub"}
_FOCAL_KEYS = ("com.apple.quicktime.camera.focal_length.35mm_equivalent", "focal_length_35mm", "FocalLengthIn35mmFilm")
# Most pictures that a decoder holds back to put them in order: H.264's and HEVC's 16, and one for each thread.
_MOST_HELD = 18
# Transfer characteristics of ITU-T H.273.
_PQ, _HLG = 16, 18
# Above this, one thread can't keep up with the film; below, a second one only takes time from the networks.
_ONE_THREAD_PIXELS = 1920 * 1088
_BROKEN_HINT = (
    "Check that it plays in a video player, or convert it: ffmpeg -i INPUT -c:v libx264 -pix_fmt yuv420p OUT.mp4"
)


def open_file(
    path: Path,
    span_s: Span | None = None,
    capture_fps_hz: float | None = None,
    *,
    needed: Needed | None = None,
    self_contained: bool = False,
    most_px: int | None = None,
) -> ContainerReader:
    """Open a video file, or the part of it from a time up to another; if `self_contained`, none that leads to others.

    See `posepipe.media.sources.open_source`.

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
    if self_contained:
        options["format_whitelist"] = ",".join(sorted(av.formats_available - _LEADING_FORMATS))
    return ContainerReader(
        f"file:{path}",
        str(path),
        path.name,
        False,
        options=options,
        span_s=span_s,
        needed=needed,
        capture_fps_hz=capture_fps_hz,
        most_px=most_px,
    )


def open_stream(url: str, capture_fps_hz: float | None = None) -> ContainerReader:
    """Open a network stream that the user named.

    Raises:
        MediaError: no connection, or no video in it.
    """
    options = {"rtsp_transport": "tcp"} if url.lower().startswith("rtsp") else {}
    shown = _without_password(url)
    return ContainerReader(url, shown, shown, True, options=options, capture_fps_hz=capture_fps_hz)


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


@dataclass(frozen=True, slots=True)
class _Left:
    """Stands for a picture that nobody needs and on which no other rests, so that it was never decoded."""

    pts: int


class ContainerReader:
    """Reader of one container; see `Reader`. The first picture is decoded at once, to be sure that there is one."""

    def __init__(
        self,
        url: str,
        where: str,
        name: str,
        live: bool,
        *,
        options: dict[str, str],
        span_s: Span | None = None,
        needed: Needed | None = None,
        capture_fps_hz: float | None = None,
        most_px: int | None = None,
    ) -> None:
        self._where = where
        self._live = live
        self._span_s = span_s
        self._needed = needed
        self._spare: Callable[[int], bool] | None = None
        self.skipped_frames = 0
        self.truncated: str | None = None
        self.notes: dict[str, str] = {}
        self._unreadable = False
        self._by_order = False
        self._container = _open(url, where, live=live, options=options)
        self._stream: Any = None
        self._first: Any = None
        self._pictures: Iterator[Any] = iter(())
        try:
            self._stream = _video_stream(self._container, where)
            self._by_order = _timed_by_decoding(self._stream, self._container)
            self._pictures = self._decode()
            self._first = next(self._pictures, None)
            if self._first is None:
                raise MediaError("no picture in it can be decoded", where=where, hint=_BROKEN_HINT)
            self._turn = _Turn.of(self._first)
            self._stored_px = self._first.width, self._first.height
            self._size_px = _square_size(self._stream, self._first)
            self._rate_hz = _rate_hz(self._stream, by_index=self._by_order)
            # A film of a picture a minute has longer pauses. Its mean rate says nothing where the clock jumps.
            self._pause_s = max(LONGEST_PAUSE_S, 10.0 / float(self._stream.guessed_rate or _FALLBACK_RATE_HZ))
            times = _reduction(self._size_px, most_px)
            self.info = replace(self._filmed(self._describe(name), capture_fps_hz), reduced=times)
            self._size_px = self._size_px[0] // times, self._size_px[1] // times
            self._look_at(self._first, 0.0)
        except BaseException:
            self.close()
            raise

    def _describe(self, name: str) -> SourceInfo:
        stream, container = self._stream, self._container
        assert self._first is not None
        width, height = self._turn.size(*self._size_px)
        rate = self._rate_hz
        duration = _duration_s(stream, container, self._first)
        frames = stream.frames or None
        if frames and frames < len(stream.index_entries):
            # A fragmented file's header counts the first fragment only.
            frames = len(stream.index_entries)
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
            seekable=not self._live
            and not self._by_order
            and bool(duration)
            and len(stream.index_entries) > 0
            and not self._beyond_end(),
        )
        return replace(info, frames=None) if info.live else info

    def _filmed(self, info: SourceInfo, given_hz: float | None) -> SourceInfo:
        """The facts with times and rates of what is shown, not of the showing: slow motion, or time lapse."""
        capture = given_hz or _capture_fps_hz(self._container, self._stream)
        if info.live or capture is None:
            return info
        rate = self._rate_hz or _FALLBACK_RATE_HZ
        slowed = capture / _steady_rate_hz(self._stream, rate)
        if round(slowed) and abs(slowed / round(slowed) - 1.0) <= _ROUNDED_RATE:
            slowed = float(round(slowed))
        if given_hz is None:
            if _NO_LAPSE < slowed < _SLOW or (slowed >= _SLOW and capture <= _ORDINARY_HZ):
                return info
            said = f"The camera's tag says {capture:.4g} pictures a second, the film plays {rate:.4g}"
            if slowed >= _SLOW and capture < _HIGH_SPEED_HZ:
                self.notes["pace"] = f"{said}; if this is slow motion, give its capture rate."
                return info
            self.notes["pace"] = f"{said}; all times are those of what was filmed."
        duration = info.duration_s and info.duration_s / slowed
        return replace(info, fps_hz=rate * slowed, duration_s=duration, capture_fps_hz=capture, slowed=slowed)

    def frames(self) -> Iterator[Frame]:
        """The frames, once. Raises `MediaError` when a stream breaks off, `SeekError` when a span can't be given."""
        if self._span_s is not None:
            yield from self._frames_of_span(*self._span_s)
            return
        clock, slowed = Clock(self._rate_hz or _FALLBACK_RATE_HZ, self._pause_s), self.info.slowed
        time_s, index = 0.0, 0
        picture, self._first = self._first, None
        while picture is not None:
            try:
                image = self._upright(picture)
            except av.error.FFmpegError:
                self.skipped_frames += 1
            else:
                time_s, estimated = clock.stamp(picture.pts, picture.time_base)
                time_s /= slowed
                self._look_at(picture, time_s)
                yield Frame(index, time_s, image, estimated)
                index += 1
            picture = next(self._pictures, None)
        if clock.jumped_s:
            self.notes["clock"] = (
                f"The file's clock jumps ahead by {clock.jumped_s:.0f} s; "
                "its pictures are taken as following each other."
            )
        self.truncated = self._missing(index, time_s + clock.jumped_s / slowed)

    def _frames_of_span(self, start_s: float, end_s: float) -> Iterator[Frame]:
        """Frames with start <= time < end; their times are those of a reading from the beginning, the indices aren't.

        Anything unusual, for which a reading from the beginning would have to mend times, raises `SeekError`.
        """
        assert self._first is not None
        origin, known, slowed, needed = self._first.pts, len(self.notes), self.info.slowed, self._needed
        last_s, index = math.nan, 0
        if needed is not None and origin is not None and not self._first.interlaced_frame:
            tick_s = float(self._stream.time_base) / slowed
            self._spare = lambda pts: not needed((pts - origin) * tick_s)
        for picture in self._pictures_from(start_s * slowed, origin):
            if picture.pts is None or self.skipped_frames:
                raise self._no_span()
            left = isinstance(picture, _Left)
            base = self._stream.time_base if left else picture.time_base
            time_s = float(Fraction(picture.pts - origin) * base) / slowed
            if not left:
                self._look_at(picture, time_s)
            if not (math.isnan(last_s) or 0.0 < time_s - last_s <= self._pause_s / slowed) or len(self.notes) > known:
                raise self._no_span()
            last_s = time_s
            if time_s >= end_s:
                return
            if time_s >= start_s:
                left = left or (needed is not None and not needed(time_s))
                yield Frame(index, time_s, NO_PICTURE if left else self._upright(picture))
                index += 1
        if self.skipped_frames or self._unreadable:
            raise self._no_span()

    def _look_at(self, picture: Any, time_s: float) -> None:
        """Note what the user should know about a picture; the first of each kind."""
        if (picture.width, picture.height) != self._stored_px:
            before, after = (f"{w}x{h}" for w, h in (self._stored_px, (picture.width, picture.height)))
            text = (
                f"The picture's size changes from {before} to {after} at {time_s:.1f} s; it is fitted into the first."
            )
            self.notes.setdefault("size", text)
        if picture.interlaced_frame:
            self.notes.setdefault("fields", "The video is interlaced; every other line of its pictures is used.")
        if picture.color_trc in (_PQ, _HLG):
            self.notes.setdefault("hdr", "The video is HDR; its brightness is brought to that of an ordinary screen.")

    def _upright(self, picture: Any) -> NDArray[np.uint8]:
        """The picture as it should be seen: BGR, whole, of the clip's one size, turned."""
        stored = picture.width, picture.height
        alike = abs(stored[0] * self._stored_px[1] / (stored[1] * self._stored_px[0]) - 1.0) <= 0.01
        if alike and not picture.interlaced_frame:
            image = _bgr(picture if self.info.reduced == 1 else _smaller(picture, self._size_px), self._size_px)
        else:
            image = _bgr(picture, stored)
            if picture.interlaced_frame:
                image = _one_field(image)
            image = _fit(image, self._size_px, whole=not alike)
        if picture.color_trc in (_PQ, _HLG):
            image = cv2.LUT(image, _tone_table(picture.color_trc))  # type: ignore[assignment]
        return self._turn.apply(image)

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
            pictures = self._decode(origin + int(start_s / self._stream.time_base))
            first = next(pictures, None)
            if first is None or first.pts is None:
                break
            if float(Fraction(first.pts - origin) * first.time_base) <= start_s:
                return chain([first], pictures)
        raise self._no_span()

    def _no_span(self) -> SeekError:
        return SeekError("can't be read from the middle", where=self._where, hint="Read it from the beginning")

    def _decode(self, wanted_from: int | None = None) -> Iterator[Any]:
        """Pictures in order of presentation; broken packets are skipped and counted.

        Before the tick `wanted_from` only those that others are made of: nearly half of the work of getting there.
        Of those that are to spare, too; in place of each of the others comes a `_Left`.
        """
        ticks, spared = deque[int](maxlen=_MOST_HELD), list[int]()
        for packet in self._packets_of_stream():
            self._choose(packet, wanted_from, spared)
            if self._by_order and packet.dts is not None:
                ticks.append(packet.dts)
            try:
                for picture in packet.decode():
                    if ticks:
                        picture.pts = ticks.popleft()
                    yield from _left(spared, picture)
                    if picture.is_corrupt:
                        self.skipped_frames += 1
                    else:
                        yield picture
            except av.error.FFmpegError:
                self.skipped_frames += 1
                if ticks:
                    ticks.pop()
        yield from _left(spared, None)

    def _choose(self, packet: Any, wanted_from: int | None, spared: list[int]) -> None:
        """Tell the decoder whether it may leave a packet's picture out, and note the tick of one to spare."""
        if wanted_from is None and self._spare is None:
            return
        pts = packet.pts
        early = wanted_from is not None and pts is not None and pts < wanted_from
        spare = self._spare is not None and not early and pts is not None and self._spare(pts)
        self._stream.codec_context.skip_frame = "NONREF" if early or spare else "DEFAULT"
        if spare and not packet.is_discard:
            heappush(spared, pts)

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


def _left(spared: list[int], picture: Any) -> Iterator[_Left]:
    """Stand-ins for what should have come before a picture, as they come in order, or (None) before the end."""
    while spared and (picture is None or (picture.pts is not None and spared[0] <= picture.pts)):
        pts = heappop(spared)
        if picture is None or pts < picture.pts:
            yield _Left(pts)


def _open(url: str, where: str, *, live: bool, options: dict[str, str]) -> Any:
    timeout = (_OPEN_TIMEOUT_S, _READ_TIMEOUT_S) if live else None
    try:
        container = av.open(url, options=options, timeout=timeout, **_ANY_TAGS)
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


def _reduction(size_px: tuple[int, int], most_px: int | None) -> int:
    """The whole number that divides both sides of a picture so that the longer one isn't twice `most_px` any more."""
    if most_px is None:
        return 1
    largest = max(1, max(size_px) // most_px)
    return next(times for times in range(largest, 0, -1) if all(side % times == 0 for side in size_px))


def _rate_hz(stream: Any, *, by_index: bool) -> float | None:
    # AVI's own count may hold ticks without a picture.
    if by_index and stream.duration and len(stream.index_entries):
        return float(len(stream.index_entries) / (stream.duration * stream.time_base))
    # Where the mean is only the ticks of the clock, as in DV, another may be better.
    for most_hz in (1000, 100_000):
        for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
            if rate and 0.01 <= rate <= most_hz:
                return float(rate)
    return None


def _steady_rate_hz(stream: Any, mean_hz: float) -> float:
    """Rate of most of the pictures: left out ones don't slow it. From the index where that holds every picture."""
    ticks = np.sort([entry.timestamp for entry in stream.index_entries])
    step = float(np.median(np.diff(ticks))) if len(ticks) > 1 else 0.0
    if step <= 0.0:
        return mean_hz
    rate = 1.0 / (step * float(stream.time_base))
    # A film with a third left out is too uneven to tell; an index of key pictures has far longer steps.
    return rate if mean_hz <= rate <= 1.5 * mean_hz else mean_hz


def _timed_by_decoding(stream: Any, container: Any) -> bool:
    """Whether packets have the times of their decoding only: pictures take them in the order of showing."""
    context = stream.codec_context
    return bool(container.format.name in ("avi", "mxf") and context.name in ("h264", "hevc") and context.has_b_frames)


def _duration_s(stream: Any, container: Any, first: Any) -> float | None:
    if stream.duration and stream.time_base:
        return float(Fraction(stream.duration) * stream.time_base)
    if not container.duration or container.duration < 0:
        return None
    duration_s = float(container.duration / av.time_base)
    if not container.format.name.startswith("matroska"):
        return duration_s
    # Matroska counts from 0, wherever the first picture stands, to the end of the longest track.
    hours, _, rest = stream.metadata.get("DURATION", "").partition(":")
    minutes, _, seconds = rest.partition(":")
    with suppress(ValueError):
        duration_s = min(duration_s, 3600.0 * int(hours) + 60.0 * int(minutes) + float(seconds))
    return duration_s - (float(first.pts * first.time_base) if first.pts else 0.0)


def _capture_fps_hz(container: Any, stream: Any) -> float | None:
    """Rate of capture that Android's cameras write into slow and ordinary films alike.

    Apple's ``full-frame-rate-playback-intent`` is no help: it names no rate, and 0 stands in ordinary films, too.
    """
    for metadata in (container.metadata, stream.metadata):
        with suppress(ValueError):
            rate = float(metadata.get("com.android.capture.fps", "nan"))
            if 0.0 < rate < math.inf:
                return rate
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


def _smaller(picture: Any, size: tuple[int, int]) -> Any:
    """The picture at another size, plane by plane; other kinds than those of most films stay as they are.

    OpenCV's mean of areas takes a third of the time of libswscale, which does it well, too, from any kind.
    """
    kind = _PLANES.get(picture.format.name)
    if kind is None:
        return picture
    small = av.VideoFrame(*size, picture.format.name)
    small.colorspace, small.color_range = picture.colorspace, picture.color_range
    for large, plane in zip(picture.planes, small.planes, strict=True):
        cv2.resize(_samples(large, kind), (plane.width, plane.height), _samples(plane, kind), 0, 0, cv2.INTER_AREA)
    return small


def _samples(plane: Any, kind: type[np.generic]) -> NDArray[Any]:
    """A view (height, width) of a plane."""
    rows = np.frombuffer(plane, kind).reshape(plane.height, -1)
    return rows[:, : plane.width]


def _one_field(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The lines of one moment; between them, their mean."""
    if len(image) < 3:
        return image
    upper, lower = image[:-2:2], image[2::2]
    out = image.copy()
    out[1 : 2 * len(upper) : 2] = cv2.addWeighted(upper, 0.5, lower, 0.5, 0.0)
    if len(image) % 2 == 0:
        out[-1] = image[-2]
    return out


def _fit(image: NDArray[np.uint8], size: tuple[int, int], *, whole: bool) -> NDArray[np.uint8]:
    """The picture at another size, stretched; or `whole`, in its own shape in the middle of black."""
    if not whole:
        return image if image.shape[1::-1] == size else cv2.resize(image, size)  # type: ignore[return-value]
    scale = min(size[0] / image.shape[1], size[1] / image.shape[0])
    inner = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    out = np.zeros((size[1], size[0], 3), np.uint8)
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    out[top : top + inner[1], left : left + inner[0]] = cv2.resize(image, inner)
    return out


@cache
def _tone_table(transfer: int) -> NDArray[np.uint8]:
    """(256,) ordinary values for those of an HDR picture, each colour by itself.

    Light is counted in units of reference white, 203 cd/m² (ITU-R BT.2408), highlights up to 1000 cd/m² are bent in
    (extended Reinhard), and the rest is a display gamma of 2.2.
    """
    v = np.arange(256) / 255.0
    if transfer == _PQ:
        # SMPTE ST 2084.
        root = v ** (1.0 / 78.84375)
        ratio = np.maximum(root - 0.8359375, 0.0) / (18.8515625 - 18.6875 * root)
        light = 10_000.0 * ratio ** (1.0 / 0.1593017578125)
    else:
        # ITU-R BT.2100 HLG on a display of 1000 cd/m².
        scene = np.where(v <= 0.5, v**2 / 3.0, (np.exp((v - 0.55991073) / 0.17883277) + 0.28466892) / 12.0)
        light = 1000.0 * scene**1.2
    x, peak = light / 203.0, 1000.0 / 203.0
    bent = x * (1.0 + x / peak**2) / (1.0 + x)
    table: NDArray[np.uint8] = np.round(255.0 * np.clip(bent, 0.0, 1.0) ** (1.0 / 2.2)).astype(np.uint8)
    return table


class _Turn:
    """What a display matrix asks for: swap the axes, then reverse columns or rows."""

    def __init__(self, transpose: bool, reverse_x: bool, reverse_y: bool) -> None:
        self._transpose, self._reverse_x, self._reverse_y = transpose, reverse_x, reverse_y

    @classmethod
    def of(cls, picture: Any) -> _Turn:
        """Turn of the frame's display matrix, to the nearest quarter."""
        # The property `side_data` would tie the picture to itself: it would stay until Python looks for circles.
        side_data: Any = SideDataContainer  # PyAV's stub leaves its argument out.
        data = side_data(picture).get("DISPLAYMATRIX")
        if data is None:
            return cls(False, False, False)
        a, b, _, c, d = (int(v) for v in np.frombuffer(bytes(data), dtype=np.int32)[:5])
        # Stored (x, y) is shown at (a x + c y, b x + d y).
        if abs(a) >= abs(b):
            return cls(False, a < 0, d < 0)
        return cls(True, c < 0, b < 0)

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
