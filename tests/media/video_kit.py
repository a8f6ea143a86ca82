"""Pictures with known content, and a look at the threads."""

from __future__ import annotations

import threading

import numpy as np

from posepipe.media.sources import Source, open_source
from posepipe.types import Frame

BLUE, GREEN, RED, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def corners(width: int = 96, height: int = 64) -> np.ndarray:
    """Red, green, blue and white quarters: top left, top right, bottom left, bottom right."""
    image = np.zeros((height, width, 3), np.uint8)
    w, h = width // 2, height // 2
    image[:h, :w], image[:h, w:], image[h:, :w], image[h:, w:] = RED, GREEN, BLUE, WHITE
    return image


def moving(count: int, width: int = 64, height: int = 48) -> list[np.ndarray]:
    """Noise, so that packets aren't tiny, with a brightness that tells the frame number."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, 60, (height, width, 3), dtype=np.uint8) + np.uint8(4 * (i % 48)) for i in range(count)]


def decoder_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "posepipe-decoder"]


def read(spec: object, **options: object) -> tuple[list[Frame], Source]:
    """All frames of an input, and its source, closed."""
    with open_source(spec, **options) as source:  # type: ignore[arg-type]
        return list(source), source
