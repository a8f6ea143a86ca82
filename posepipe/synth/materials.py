"""Colours, patterns and shine of a synthetic person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from posepipe.synth.body import BodyShape

__all__ = ["MATERIALS", "Materials", "join_materials", "make_materials"]

Array = NDArray[np.float64]

MATERIALS = ("skin", "hair", "shirt", "trousers", "shoes", "sole", "eye", "iris", "lip", "brow", "accent")
SKIN, HAIR, SHIRT, TROUSERS, SHOES, SOLE, EYE, IRIS, LIP, BROW, ACCENT = range(len(MATERIALS))


@dataclass(frozen=True, slots=True, eq=False)
class Materials:
    """Colour and pattern of each material.

    Attributes:
        rgb: (K, 3) in [0, 1].
        accent: (K, 3) second colour of the pattern.
        pattern: (K,) 0 plain, 1 stripes, 2 noise, 3 checks.
        shine: (K,) strength of the highlight.
        cloth: (K,) bool; has wrinkles.
        smooth_m: (K,) smoothing radius of the normals, metres; hides the seams between primitives.
    """

    rgb: Array
    accent: Array
    pattern: NDArray[np.intp]
    shine: Array
    cloth: NDArray[np.bool_]
    smooth_m: Array


def make_materials(shape: BodyShape) -> Materials:
    """The materials of a person, in the order of `MATERIALS`."""
    skin, hair = np.array(shape.skin) / 255.0, np.array(shape.hair) / 255.0
    rgb = np.array(
        [
            skin,
            hair,
            np.array(shape.shirt) / 255.0,
            np.array(shape.trousers) / 255.0,
            np.array(shape.shoes) / 255.0,
            [0.87, 0.86, 0.84] if sum(shape.shoes) < 500 else [0.25, 0.25, 0.27],
            [0.96, 0.95, 0.94],
            [0.16, 0.11, 0.08],
            0.55 * skin + 0.45 * np.array([0.66, 0.22, 0.22]),
            0.75 * hair * (0.9 if hair.mean() > 0.2 else 1.0) + 0.05 * skin,
            np.array(shape.accent) / 255.0,
        ]
    )
    accent = rgb.copy()
    accent[SHIRT] = np.array(shape.accent) / 255.0
    pattern = np.zeros(len(MATERIALS), dtype=np.intp)
    pattern[SHIRT] = ("plain", "stripes", "noise", "checks").index(shape.pattern)
    shine = np.array([0.08, 0.16, 0.0, 0.0, 0.1, 0.05, 0.3, 0.5, 0.15, 0.0, 0.0])
    smooth = np.array([0.018, 0.012, 0.03, 0.025, 0.008, 0.0, 0.0, 0.0, 0.0, 0.0, 0.01])
    cloth = np.isin(np.arange(len(MATERIALS)), (SHIRT, TROUSERS))
    return Materials(rgb, accent, pattern, shine, cloth, smooth)


def join_materials(parts: Sequence[Materials]) -> Materials:
    """Several sets as one."""
    return Materials(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Materials)))
