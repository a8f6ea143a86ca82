"""Best alignment of one set of points to another (Umeyama 1991), over any leading axes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import UsageError

__all__ = ["align", "fit_similarity"]

FloatArray = NDArray[np.float64]


def fit_similarity(
    source: NDArray[np.floating[Any]],
    target: NDArray[np.floating[Any]],
    weight: NDArray[np.floating[Any]] | None = None,
    *,
    scale: bool = True,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Least squares ``target = s * source @ R.T + t``, R a proper rotation.

    Args:
        source: (..., N, 3).
        target: (..., N, 3). Points with NaN in either are left out.
        weight: (..., N); one everywhere if None.
        scale: also fit the scale; else s is one.

    Returns:
        s (...,), R (..., 3, 3), t (..., 3). Fewer than three usable points give NaN.

    Raises:
        UsageError: the shapes differ.
    """
    if source.shape != target.shape or source.shape[-1] != 3:
        raise UsageError(f"can't align shapes {source.shape} and {target.shape}")
    a, b = source.astype(np.float64), target.astype(np.float64)
    w = np.ones(a.shape[:-1]) if weight is None else weight.astype(np.float64)
    seen = ~(np.isnan(a).any(-1) | np.isnan(b).any(-1))
    w = np.where(seen, w, 0.0)
    a, b = np.where(seen[..., None], a, 0.0), np.where(seen[..., None], b, 0.0)
    total = np.maximum(w.sum(-1), 1e-12)[..., None]
    mean_a, mean_b = (w[..., None] * a).sum(-2) / total, (w[..., None] * b).sum(-2) / total
    a, b = a - mean_a[..., None, :], b - mean_b[..., None, :]
    u, d, vt = np.linalg.svd(np.swapaxes(b * w[..., None], -1, -2) @ a)
    sign = np.sign(np.linalg.det(u @ vt))
    fix = np.stack([np.ones_like(sign), np.ones_like(sign), sign], axis=-1)
    rotation = (u * fix[..., None, :]) @ vt
    spread = (w * (a**2).sum(-1)).sum(-1)
    s = (d * fix).sum(-1) / np.maximum(spread, 1e-12) if scale else np.ones_like(spread)
    shift = mean_b - s[..., None] * (rotation @ mean_a[..., None])[..., 0]
    few = (w > 0).sum(-1) < 3
    s = np.where(few, np.nan, s)
    return s, rotation, np.where(few[..., None], np.nan, shift)


def align(
    source: NDArray[np.floating[Any]],
    target: NDArray[np.floating[Any]],
    weight: NDArray[np.floating[Any]] | None = None,
    *,
    scale: bool = True,
) -> FloatArray:
    """`source` after `fit_similarity` to `target`, same shape."""
    s, rotation, shift = fit_similarity(source, target, weight, scale=scale)
    turned = source.astype(np.float64) @ np.swapaxes(rotation, -1, -2)
    return np.asarray(s[..., None, None] * turned + shift[..., None, :])
