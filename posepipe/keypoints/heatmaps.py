"""Read heat maps: refine a landmark, and measure how sharply the network saw it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["refine", "sigmoid"]

FloatArray = NDArray[np.float32]

_REFINE_REACH = 4  # cells on each side: a window of 9, MediaPipe's
_SPREAD_REACH = 8  # wide enough for a second hypothesis of the same joint
_MIN_PEAK = 0.5


def sigmoid(logits: FloatArray) -> FloatArray:
    """Logistic function."""
    result: FloatArray = 1.0 / (1.0 + np.exp(-np.clip(logits, -80.0, 80.0)))
    return result


def refine(points: FloatArray, logits: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Move landmarks to the centre of gravity of their heat map's neighbourhood.

    As MediaPipe does it: mean over a 9 by 9 window around the landmark, only if the window's peak reaches one half;
    a cell's coordinate is its upper left corner; a landmark outside the map stays.

    Args:
        points: (J, 2) as fractions of the crop.
        logits: (J, H, W) heat maps before the sigmoid.

    Returns:
        The refined points (J, 2); the peak (J,) of the window in [0, 1]; and the spread (J,): root mean square distance
        along one axis, in cells, of the heat within 8 cells from the refined point. The spread is NaN, the peak 0,
        for a landmark outside the map.
    """
    joints, height, width = logits.shape
    column = np.trunc(np.nan_to_num(points[:, 0], nan=-1.0) * width).astype(np.intp)
    row = np.trunc(np.nan_to_num(points[:, 1], nan=-1.0) * height).astype(np.intp)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)

    heat, columns, rows = _window(logits, column, row, _SPREAD_REACH)
    far, near = _SPREAD_REACH - _REFINE_REACH, _SPREAD_REACH + _REFINE_REACH + 1
    core = heat[:, far:near, far:near]
    total = core.sum(axis=(1, 2))
    peak = np.where(inside, core.max(axis=(1, 2)), 0.0).astype(np.float32)
    safe = np.where(total > 0.0, total, 1.0)
    x = np.einsum("jyx,jx->j", core, columns[:, far:near]) / safe
    y = np.einsum("jyx,jy->j", core, rows[:, far:near]) / safe
    better = inside & (peak >= _MIN_PEAK)
    refined = points.astype(np.float32, copy=True)
    refined[better, 0] = x[better] / width
    refined[better, 1] = y[better] / height

    dx = columns - refined[:, :1] * width
    dy = rows - refined[:, 1:] * height
    mass = heat.sum(axis=(1, 2))
    square = np.einsum("jyx,jx->j", heat, dx**2) + np.einsum("jyx,jy->j", heat, dy**2)
    known = inside & (mass > 0.0)
    spread = np.full(joints, np.nan, dtype=np.float32)
    spread[known] = np.sqrt(square[known] / (2.0 * mass[known]))
    return refined, peak, spread


def _window(
    logits: FloatArray, column: NDArray[np.intp], row: NDArray[np.intp], reach: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Heat (J, S, S) around a cell of each map, zero outside the map, with the cells' columns and rows (J, S)."""
    joints, height, width = logits.shape
    offset = np.arange(-reach, reach + 1)
    columns, rows = column[:, None] + offset, row[:, None] + offset
    clipped = (
        np.arange(joints)[:, None, None],
        np.clip(rows, 0, height - 1)[:, :, None],
        np.clip(columns, 0, width - 1)[:, None, :],
    )
    heat = sigmoid(logits[clipped])
    heat *= ((rows >= 0) & (rows < height))[:, :, None]
    heat *= ((columns >= 0) & (columns < width))[:, None, :]
    return heat, columns.astype(np.float32), rows.astype(np.float32)
