"""Decode BlazePose's person detector: anchors, boxes, weighted non-maximum suppression."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from posepipe.keypoints.heatmaps import sigmoid

__all__ = ["INPUT_PX", "Detections", "anchors", "decode", "iou", "suppress"]

FloatArray = NDArray[np.float32]

INPUT_PX = 224
_ANCHORS_PER_CELL = ((8, 2), (16, 2), (32, 6))  # stride, anchors; three layers share stride 32
_CLIP_LOGIT = 100.0


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
