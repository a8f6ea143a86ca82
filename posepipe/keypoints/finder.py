"""Find people in a whole picture with BlazePose's person detector."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.inference import open_session
from posepipe.keypoints import ssd
from posepipe.keypoints.roi import Roi, letterbox

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["Area", "PersonFinder", "areas", "detect"]

FloatArray = NDArray[np.float32]

Area = tuple[int, int, int, int]
"""Part of a picture: left, top, right, bottom, in pixels."""

_MIN_IOU = 0.3
_OBLONG = 1.2


def areas(width_px: int, height_px: int) -> tuple[Area, ...]:
    """The whole picture, then squares at both ends of an oblong one.

    The detector sees a square of 224 pixels. In an oblong picture people look larger in a square part, so the far and
    the small are found there.
    """
    whole = (0, 0, width_px, height_px)
    side = min(width_px, height_px)
    if max(width_px, height_px) < _OBLONG * side:
        return (whole,)
    return whole, (0, 0, side, side), (width_px - side, height_px - side, width_px, height_px)


class PersonFinder:
    """The person detector with its pre- and post-processing; no memory between calls.

    Args:
        onnx: content of the ONNX file.
        threads: see `posepipe.inference.open_session`.

    Raises:
        ModelError: ONNX Runtime can't use it.
    """

    def __init__(self, onnx: bytes, threads: int | None = None) -> None:
        self._session: InferenceSession = open_session(onnx, threads=threads)

    def detect(
        self, image: NDArray[np.uint8], min_score: float = 0.5, area: Area | None = None
    ) -> tuple[tuple[float, Roi], ...]:
        """People in a picture; see `detect`."""
        return detect(self._run, image, min_score, area)

    def _run(self, square: NDArray[np.uint8]) -> tuple[FloatArray, FloatArray]:
        tensor = cv2.dnn.blobFromImage(square, 1.0 / 127.5, mean=(127.5, 127.5, 127.5), swapRB=True)
        boxes, logits = self._session.run(["boxes", "scores"], {"image": tensor})
        return boxes, logits


def detect(
    network: Callable[[NDArray[np.uint8]], tuple[FloatArray, FloatArray]],
    image: NDArray[np.uint8],
    min_score: float = 0.5,
    area: Area | None = None,
) -> tuple[tuple[float, Roi], ...]:
    """People in a picture: score and region of interest of each, the surest first.

    Args:
        network: from a square (224, 224, 3) BGR to boxes (1, 2254, 12) and scores (1, 2254, 1) before decoding.
        image: (H, W, 3) BGR.
        min_score: leave out candidates below it.
        area: look only here; in the whole picture if None.
    """
    left, top, right, bottom = area or (0, 0, image.shape[1], image.shape[0])
    image = image[top:bottom, left:right]
    square = letterbox(image.shape[1], image.shape[0])
    boxes, logits = network(square.crop(image, ssd.INPUT_PX, cv2.BORDER_CONSTANT))
    found = ssd.suppress(ssd.decode(boxes[0], logits[0, :, 0], min_score), _MIN_IOU)
    people = []
    for score, points in zip(found.score, found.points, strict=True):
        hips, end = square.to_picture(points[:2]) + np.array([left, top], np.float32)
        roi = Roi.around_body(hips, end)
        if roi.usable:
            people.append((float(score), roi))
    return tuple(people)
