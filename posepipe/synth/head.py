"""Head, face and hair as primitives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from posepipe.skeleton import BODY21
from posepipe.synth.body import BodyShape, head_frame
from posepipe.synth.materials import ACCENT, BROW, EYE, HAIR, IRIS, LIP, SHIRT, SKIN
from posepipe.synth.primitives import Builder

__all__ = ["draw_head"]

Array = NDArray[np.float64]
_Place = Callable[[float, float, float], Array]


def draw_head(build: Builder, xyz: Array, shape: BodyShape, chest: Array) -> None:
    """Add the head of a body (21, 3) whose chest frame is `chest` (3, 3); sizes from an average adult's head."""
    head, nose, thorax = xyz[BODY21.indices("head", "nose", "thorax")]
    frame = head_frame(xyz)
    k = float(np.clip(np.linalg.norm(nose - head) / 0.115, 0.75, 1.2))
    build.texture(head, frame[:, 2], frame[:, 0])

    def at(left: float, forward: float, up: float) -> Array:
        return np.asarray(head + frame @ (k * np.array([left, forward, up])))

    def blob(place: tuple[float, float, float], semi: tuple[float, float, float], material: int) -> None:
        build.ellipsoid(at(*place), tuple(k * np.array(semi)), frame, material)

    blob((0, -0.004, 0.002), (0.075, 0.095, 0.1), SKIN)
    build.chain(
        [at(0, 0.01, 0.0), at(0, 0.027, -0.055), at(0, 0.05, -0.098)],
        [0.079 * k, 0.062 * k, 0.032 * k],
        SKIN,
        (frame[:, 0], 0.95),
    )
    base = thorax + chest[:, 2] * 0.015 * k - chest[:, 1] * 0.02 * k
    build.chain([base, at(0, -0.02, -0.07)], [0.06 * k, 0.054 * k], SKIN)
    collar = thorax + chest[:, 2] * 0.035 * k - chest[:, 1] * 0.014 * k
    build.ellipsoid(collar, (0.078 * k, 0.072 * k, 0.028 * k), chest, SHIRT)
    build.chain([at(0, 0.088, -0.012), at(0, 0.104, -0.045)], [0.009 * k, 0.0125 * k], SKIN)
    for side in (1.0, -1.0):
        blob((side * 0.011, 0.095, -0.049), (0.009, 0.01, 0.008), SKIN)
        blob((side * 0.031, 0.0825, -0.014), (0.0155, 0.009, 0.0075), EYE)
        blob((side * 0.031, 0.0895, -0.014), (0.0062, 0.0035, 0.0065), IRIS)
        build.chain(
            [at(side * 0.014, 0.0905, 0.009), at(side * 0.034, 0.0885, 0.0125), at(side * 0.05, 0.077, 0.006)],
            [0.0042 * k, 0.0042 * k, 0.003 * k],
            BROW,
        )
        blob((side * 0.076, -0.008, -0.026), (0.01, 0.021, 0.032), SKIN)
    build.chain(
        [at(0.024, 0.076, -0.075), at(0.008, 0.0855, -0.0805), at(-0.008, 0.0855, -0.0805), at(-0.024, 0.076, -0.075)],
        [0.0038 * k, 0.0062 * k, 0.0062 * k, 0.0038 * k],
        LIP,
    )
    _hair(build, shape, k, at, frame)


def _hair(build: Builder, shape: BodyShape, k: float, at: _Place, frame: Array) -> None:
    def blob(place: tuple[float, float, float], semi: tuple[float, float, float], material: int = HAIR) -> None:
        build.ellipsoid(at(*place), tuple(k * np.array(semi)), frame, material)

    style = shape.hair_style
    if style == "bald":
        return
    blob((0, -0.019, 0.02), (0.0835, 0.0985, 0.0975))
    blob((0, -0.045, -0.02), (0.073, 0.07, 0.085))
    if style == "cap":
        blob((0, -0.006, 0.035), (0.086, 0.106, 0.086), ACCENT)
        build.chain([at(0, 0.08, 0.035), at(0, 0.15, 0.022)], [0.06 * k, 0.05 * k], ACCENT, (frame[:, 2], 0.1))
    elif style == "long":
        build.chain(
            [at(0, -0.05, -0.02), at(0, -0.065, -0.13), at(0, -0.07, -0.22)],
            [0.075 * k, 0.07 * k, 0.045 * k],
            HAIR,
            (frame[:, 1], 0.6),
        )
        for side in (1.0, -1.0):
            build.chain([at(side * 0.066, -0.012, 0.0), at(side * 0.068, -0.03, -0.12)], [0.026 * k, 0.02 * k], HAIR)
    elif style == "bun":
        blob((0, -0.115, 0.045), (0.042, 0.04, 0.042))
