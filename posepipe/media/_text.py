"""Text on pictures. OpenCV's fonts know ASCII only."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Color", "ascii_text", "line_height_px", "put_box"]

Color = tuple[int, int, int]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
# Height in pixels of a line (with its leading) at scale 1.
_LINE_PX = 32.0
_SMALLEST_LINE_PX = 9.0
_SPELLED = str.maketrans(
    {"°": " deg", "±": "+-", "–": "-", "—": "-", "−": "-", "σ": "sigma", "µ": "u", "×": "x", "ß": "ss"}
)


def ascii_text(text: str) -> str:
    """The text in printable ASCII: accents dropped, units spelled out, anything else a question mark."""
    spelled = unicodedata.normalize("NFKD", text.translate(_SPELLED))
    plain = "".join(c for c in spelled if not unicodedata.combining(c))
    return "".join(c if " " <= c <= "~" else "?" for c in plain)


def line_height_px(image: NDArray[np.uint8]) -> float:
    """Height of a text line that can be read on this picture: 3.5 % of its shorter side, 9 pixels at least."""
    return max(_SMALLEST_LINE_PX, 0.035 * min(image.shape[:2]))


def put_box(
    image: NDArray[np.uint8],
    lines: Sequence[str],
    anchor_px: tuple[float, float],
    *,
    line_px: float,
    color: Color = (255, 255, 255),
    background: Color = (0, 0, 0),
    opacity: float = 0.65,
) -> None:
    """Write lines on a translucent box, in place.

    The box starts at `anchor_px` (left, top), is pushed into the picture, and its text is made smaller, then cut, until
    it fits the width.
    """
    height, width = image.shape[:2]
    texts = [ascii_text(line) for line in lines]
    if not texts:
        return
    margin = max(2, round(0.3 * line_px))
    room = width - 2 * margin
    scale = line_px / _LINE_PX
    widest = max(_width_px(text, scale) for text in texts)
    if widest > room:
        scale = max(_SMALLEST_LINE_PX / _LINE_PX, scale * room / widest)
        texts = [_cut(text, scale, room) for text in texts]
        widest = max(_width_px(text, scale) for text in texts)
    line = scale * _LINE_PX
    box_w, box_h = widest + 2 * margin, round(line * len(texts)) + 2 * margin
    left = int(np.clip(anchor_px[0], 0, max(0, width - box_w)))
    top = int(np.clip(anchor_px[1], 0, max(0, height - box_h)))
    region = image[top : top + box_h, left : left + box_w]
    plain = np.empty_like(region)
    plain[:] = background
    cv2.addWeighted(plain, opacity, region, 1.0 - opacity, 0.0, dst=region)
    thickness = max(1, round(1.6 * scale))
    for i, text in enumerate(texts):
        origin = (left + margin, round(top + margin + line * (i + 0.75)))
        cv2.putText(image, text, origin, _FONT, scale, color, thickness, cv2.LINE_AA)


def _width_px(text: str, scale: float) -> int:
    return cv2.getTextSize(text, _FONT, scale, max(1, round(1.6 * scale)))[0][0]


def _cut(text: str, scale: float, room: int) -> str:
    if _width_px(text, scale) <= room:
        return text
    while text and _width_px(text + "...", scale) > room:
        text = text[:-1]
    return text + "..." if text else ""
