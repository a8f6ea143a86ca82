"""Find people in a whole picture with BlazePose's person detector."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.inference import open_session
from posepipe.keypoints.roi import Roi, letterbox

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = [
    "INPUT_PX", "Area", "Detections", "PersonFinder", "anchors", "areas", "decode", "detect", "iou", "sigmoid",
    "suppress", "tiles",
]  # fmt: skip

FloatArray = NDArray[np.float32]

Area = tuple[int, int, int, int]
"""Part of a picture: left, top, right, bottom, in pixels."""

INPUT_PX = 224
"""Side of the network's input."""
_ANCHORS_PER_CELL = ((8, 2), (16, 2), (32, 6))  # stride, anchors; three layers share stride 32
_CLIP_LOGIT = 100.0
"""MediaPipe's, from which a score is 0 or 1."""
_MIN_IOU = 0.3
"""Candidates that overlap so much are one person; MediaPipe's."""
_OBLONG = 1.2
"""Long over short side from which a picture's ends are looked at too. Judgement."""
_TILE, _TILE_OVERLAP = 0.6, 0.2
"""Side of a tile and overlap of two, as shares of the picture's shorter side. Judgement: people of a fifth fit."""


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Raw people, D of them, the surest first. Coordinates are fractions of the detector's square input.

    Attributes:
        score: (D,) in [0, 1].
        box: (D, 4) x0, y0, x1, y1 of the head.
        points: (D, 4, 2) middle of the hips, end of the whole body's circle, the same two for the upper body.
    """

    score: FloatArray
    box: FloatArray
    points: FloatArray

    def __len__(self) -> int:
        return len(self.score)


@cache
def anchors() -> FloatArray:
    """Centres (2254, 2) of the anchors, as fractions of the input; all of them have the size of the input."""
    layers = []
    for stride, count in _ANCHORS_PER_CELL:
        cells = INPUT_PX // stride
        rows, columns = np.divmod(np.arange(cells * cells), cells)
        centres = (np.stack([columns, rows], axis=1) + 0.5) / cells
        layers.append(np.repeat(centres, count, axis=0))
    result: FloatArray = np.concatenate(layers).astype(np.float32)
    result.flags.writeable = False
    return result


def sigmoid(logits: FloatArray) -> FloatArray:
    """Logistic function."""
    result: FloatArray = np.divide(1.0, 1.0 + np.exp(-np.clip(logits, -80.0, 80.0)))
    return result


def decode(boxes: FloatArray, logits: FloatArray, min_score: float) -> Detections:
    """Candidates of one picture.

    Args:
        boxes: (2254, 12) x, y, width, height, then 4 points, in pixels of the input, relative to the anchor.
        logits: (2254,).
        min_score: leave out candidates below it.
    """
    score = sigmoid(np.clip(logits, -_CLIP_LOGIT, _CLIP_LOGIT))
    keep = np.flatnonzero(score >= min_score)
    keep = keep[np.argsort(-score[keep], kind="stable")]
    raw = boxes[keep].reshape(-1, 6, 2) / np.float32(INPUT_PX)
    centre = anchors()[keep]
    middle, half = raw[:, 0] + centre, raw[:, 1] / 2.0
    return Detections(
        score[keep].astype(np.float32),
        np.concatenate([middle - half, middle + half], axis=1),
        raw[:, 2:] + centre[:, None],
    )


def iou(box: FloatArray, others: FloatArray) -> FloatArray:
    """Intersection over union (N,) of one box (4,) with others (N, 4); boxes are x0, y0, x1, y1."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    overlap = np.prod(np.clip(high - low, 0.0, None), axis=1)
    area = np.prod(np.clip(others[:, 2:] - others[:, :2], 0.0, None), axis=1)
    union = area + max(float(np.prod(np.clip(box[2:] - box[:2], 0.0, None))), 0.0) - overlap
    result: FloatArray = np.where(union > 0.0, overlap / np.where(union > 0.0, union, 1.0), 0.0).astype(np.float32)
    return result


def suppress(found: Detections, min_iou: float) -> Detections:
    """Weighted non-maximum suppression: overlapping candidates become one, averaged by score.

    As in Bazarevsky et al., BlazeFace (2019): less jitter than keeping the best. The score is the best one's.
    """
    remaining = np.arange(len(found))
    scores, boxes, points = [], [], []
    while len(remaining):
        best = remaining[0]
        close = iou(found.box[best], found.box[remaining]) > min_iou
        close[0] = True
        group = remaining[close]
        weight = found.score[group] / found.score[group].sum()
        scores.append(found.score[best])
        boxes.append(np.tensordot(weight, found.box[group], axes=1))
        points.append(np.tensordot(weight, found.points[group], axes=1))
        remaining = remaining[~close]
    return Detections(
        np.array(scores, dtype=np.float32),
        np.array(boxes, dtype=np.float32).reshape(-1, 4),
        np.array(points, dtype=np.float32).reshape(-1, 4, 2),
    )


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


def tiles(width_px: int, height_px: int) -> tuple[Area, ...]:
    """Overlapping squares, over half as wide as the picture's shorter side; whoever is smaller than the overlap fits.

    A person of a fifth of the picture's height fills a third of a tile, where the detector finds them. In the middle of
    the picture is where to look first.
    """
    side = max(round(_TILE * min(width_px, height_px)), 1)
    step = (_TILE - _TILE_OVERLAP) * min(width_px, height_px)

    def starts(length_px: int) -> list[int]:
        count = math.ceil(max(length_px - side, 0) / step - 1e-6) + 1
        return [round(at) for at in np.linspace(0.0, length_px - side, count)] if count > 1 else [0]

    squares = [(x, y, x + side, y + side) for y in starts(height_px) for x in starts(width_px)]
    middle = np.array([width_px, height_px]) / 2.0
    away = [float(np.hypot(*(np.array([x0 + x1, y0 + y1]) / 2.0 - middle))) for x0, y0, x1, y1 in squares]
    return tuple(squares[i] for i in np.argsort(away, kind="stable"))


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
    boxes, logits = network(square.crop(image, INPUT_PX, cv2.BORDER_CONSTANT))
    found = suppress(decode(boxes[0], logits[0, :, 0], min_score), _MIN_IOU)
    people = []
    for score, points in zip(found.score, found.points, strict=True):
        hips, end = square.to_picture(points[:2]) + np.array([left, top], np.float32)
        roi = Roi.around_body(hips, end)
        if roi.usable:
            people.append((float(score), roi))
    return tuple(people)
