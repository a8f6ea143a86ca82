"""Rotation matrices from vectors and angles, over any leading axes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["from_rotation_vector", "roll_matrix", "to_rotation_vector"]

FloatArray = NDArray[np.float64]


def from_rotation_vector(vector: NDArray[np.floating[Any]]) -> FloatArray:
    """Rodrigues' formula: vector (..., 3), axis times angle in radians, to matrix (..., 3, 3)."""
    vector = vector.astype(np.float64)
    angle = np.linalg.norm(vector, axis=-1)[..., None, None]
    x, y, z = vector[..., 0], vector[..., 1], vector[..., 2]
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)
    small = angle < 1e-8
    safe = np.where(small, 1.0, angle)
    first = np.where(small, 1.0, np.sin(safe) / safe)
    second = np.where(small, 0.5, (1.0 - np.cos(safe)) / safe**2)
    return np.asarray(np.eye(3) + first * cross + second * (cross @ cross))


def to_rotation_vector(matrix: NDArray[np.floating[Any]]) -> FloatArray:
    """Matrix (..., 3, 3) to axis times angle (..., 3), angle in [0, pi]."""
    matrix = matrix.astype(np.float64)
    skew = matrix - np.swapaxes(matrix, -1, -2)
    axis = np.stack([skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]], axis=-1) / 2.0
    sine = np.linalg.norm(axis, axis=-1)
    cosine = (np.trace(matrix, axis1=-2, axis2=-1) - 1.0) / 2.0
    angle = np.arctan2(sine, cosine)
    usual = axis / np.where(sine > 0, sine, 1.0)[..., None]
    # Near half a turn the skew part vanishes: the axis is the largest column of R + I.
    half = matrix + np.eye(3)
    column = np.argmax(np.diagonal(half, axis1=-2, axis2=-1), axis=-1)
    picked = np.take_along_axis(half, column[..., None, None], axis=-1)[..., 0]
    picked = picked / np.maximum(np.linalg.norm(picked, axis=-1, keepdims=True), 1e-12)
    picked = picked * np.where((picked * axis).sum(-1) < 0, -1.0, 1.0)[..., None]
    return np.asarray(np.where((np.pi - angle < 1e-4)[..., None], picked, usual) * angle[..., None])


def roll_matrix(angle_deg: float | NDArray[np.floating[Any]]) -> FloatArray:
    """Turn about the optical axis, (..., 3, 3); positive turns the picture's x axis towards its y axis (down)."""
    angle = np.radians(np.asarray(angle_deg, dtype=np.float64))
    zero = np.zeros_like(angle)
    return from_rotation_vector(np.stack([zero, zero, angle], axis=-1))
