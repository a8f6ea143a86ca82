"""Folders, patterns and lists of images."""

from __future__ import annotations

import glob
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.errors import MediaError
from posepipe.media._reader import SourceInfo, focal_from_35mm
from posepipe.types import Frame

__all__ = ["IMAGE_SUFFIXES", "ImageReader", "find_images", "is_animated", "natural_key"]

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
_OLD_JPEG = tuple(int(part) for part in cv2.__version__.split(".")[:2]) < (4, 12)
"""OpenCV before 4.12 writes beyond its memory on crafted JPEGs (CVE-2025-53644); mediapipe 0.10.21 holds it there."""


def natural_key(path: Path) -> tuple[object, ...]:
    """Sort key that puts frame2 before frame10."""
    parts = re.split(r"(\d+)", str(path).casefold())
    return (*((int(part), "") if i % 2 else (0, part) for i, part in enumerate(parts)), str(path))


def find_images(spec: Path) -> list[Path]:
    """Images of a folder, or those that match a pattern, in natural order.

    Raises:
        MediaError: there is none.
    """
    if spec.is_dir():
        candidates = list(spec.iterdir())
        what, hint = "no image in this folder", f"Images end in {' '.join(sorted(IMAGE_SUFFIXES))}; for videos: batch"
    else:
        candidates = [Path(match) for match in glob.glob(str(spec), recursive=True)]  # noqa: PTH207 - absolute patterns
        what, hint = (
            "no image matches this pattern",
            "Check the pattern, and quote it so that the shell leaves it alone",
        )
    images = [path for path in candidates if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()]
    images = [path for path in images if not path.name.startswith(".")]
    if not images:
        raise MediaError(what, where=str(spec), hint=hint)
    return sorted(images, key=natural_key)


def is_animated(path: Path) -> bool:
    """Whether an image file is an animated PNG, which is read as a video.

    Raises:
        MediaError: it is an animated WebP, which neither PyAV nor, picture by picture, OpenCV reads.
    """
    try:
        with path.open("rb") as file:
            head = file.read(1 << 16)
    except OSError:
        return False
    # VP8X, the extended header, has a flag for it.
    if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and head[20] & 2:
        hint = "Make a GIF or video of it, as with ImageMagick: magick IN.webp OUT.gif"
        raise MediaError("is an animated WebP, which can't be read as a video", where=str(path), hint=hint)
    # The chunk that tells of the animation stands before the first picture.
    return head[:4] == b"\x89PNG" and b"acTL" in head.partition(b"IDAT")[0]


class ImageReader:
    """Reader of images as a clip; see `Reader`. The time is position over rate, and flagged as estimated."""

    def __init__(self, paths: Sequence[Path], name: str, rate_hz: float) -> None:
        self._paths = paths
        self._rate_hz = rate_hz
        self.skipped_frames = 0
        self.truncated: str | None = None
        self.notes: dict[str, str] = {}
        for path in paths:
            image = _read(path)
            if image is not None:
                break
        else:
            raise MediaError("no image in it can be decoded", where=name, hint="Open one in an image viewer to check")
        height, width = image.shape[:2]
        mm = _exif_focal_35mm(path)
        self.info = SourceInfo(
            name=name,
            kind="images",
            width_px=width,
            height_px=height,
            fps_hz=rate_hz,
            frames=len(paths),
            duration_s=len(paths) / rate_hz,
            rotation_deg=0,
            codec=path.suffix.lower().lstrip("."),
            live=False,
            focal_px=None if mm is None else focal_from_35mm(mm, width, height),
        )

    def frames(self) -> Iterator[Frame]:
        """The frames, once. Raises `MediaError` when an image has another size than the first."""
        size = (self.info.width_px, self.info.height_px)
        for index, path in enumerate(self._paths):
            image = _read(path)
            if image is None:
                self.skipped_frames += 1
                continue
            if image.shape[1::-1] != size:
                raise MediaError(
                    f"is {image.shape[1]}x{image.shape[0]}, the first image {size[0]}x{size[1]}",
                    where=str(path),
                    hint="The images of one clip must have one size",
                )
            yield Frame(index, index / self._rate_hz, image, time_estimated=True)

    def close(self) -> None:
        """Nothing is held open."""


def _read(path: Path) -> NDArray[np.uint8] | None:
    """BGR image, turned as its EXIF orientation says; None if it can't be decoded."""
    try:
        data = np.fromfile(path, dtype=np.uint8)
    except OSError:
        return None
    if data.size == 0:
        return None
    if _OLD_JPEG and data[:2].tobytes() == b"\xff\xd8":
        return _read_jpeg(path)
    try:
        return cv2.imdecode(data, cv2.IMREAD_COLOR)  # type: ignore[return-value]
    except cv2.error:
        return None


def _read_jpeg(path: Path) -> NDArray[np.uint8] | None:
    """`_read` by Pillow, which reportlab brings."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path, formats=["JPEG"]) as image:
            return np.ascontiguousarray(np.asarray(ImageOps.exif_transpose(image).convert("RGB"))[..., ::-1])
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def _exif_focal_35mm(path: Path) -> float | None:
    """FocalLengthIn35mmFilm of a JPEG; None where it isn't given."""
    from PIL import ExifTags, Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=["JPEG"]) as image:
                value = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.FocalLengthIn35mmFilm)
        return float(value) if value else None
    # What Pillow raises on damaged tags has no base of its own; without a focal length it goes on.
    except Exception:
        return None
