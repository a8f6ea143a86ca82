"""Straight edges behind the people: most rooms have three square directions, and one of them is up.

Edges of walls, doors, floor boards and tiles are found in small grey pictures. Seen from the camera each lies in a
plane, and that plane holds one of the room's three directions, or none. Which directions explain most edges is looked
for near the way that is up by the people alone, and with an assumed lens over focal lengths, too (Coughlan and Yuille,
Manhattan World, ICCV 1999). Where no such directions stand out, nothing is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.geometry import from_rotation_vector, tangents
from posepipe.settings import setting
from posepipe.types import FloatArray

__all__ = ["LINES", "Level", "LineSettings", "find_edges", "level_of_lines", "planes_of"]

Array = NDArray[np.float64]

_MADE = "chosen on made clips, docs/world.md"
_TINY = 1e-12
"""No length is taken for less."""


@dataclass(frozen=True, slots=True)
class LineSettings:
    """Which edges count, and when they tell which way is up."""

    every_s: float = setting(1.5, "between pictures in which edges are looked for", unit="s", source="judgement")
    shortest: float = setting(0.05, "shorter edges are left out, in longer sides of the picture", source="judgement")
    most: int = setting(30, "edges of a picture, the longest", source="judgement: for time")
    pictures: int = setting(6, "at most, evenly over the film", source="judgement: for time")
    whole: float = setting(0.2, "an edge as long as this, in longer sides, counts as one; shorter ones less",
                           source="judgement")  # fmt: skip
    same_deg: float = setting(1.5, "planes of edges nearer to each other are one", unit="deg", source=_MADE)
    edge_deg: float = setting(0.8, "standard deviation of an edge's direction", unit="deg", source=_MADE)
    coarse_deg: float = setting(1.6, "the same while directions are looked for", unit="deg", source="judgement")
    stray: float = setting(0.1, "likelihood of an edge that goes no way of the room, beside one that does exactly",
                           source="judgement: such edges go anywhere")  # fmt: skip
    step_deg: float = setting(2.0, "between directions that are tried", unit="deg", source="judgement")
    reach: float = setting(3.0, "standard deviations from the people's own up that are tried", source="judgement")
    share: float = setting(0.6, "share of the edges that the room's directions must explain", source=_MADE)
    least: float = setting(6.0, "whole edges that they must explain", source=_MADE)
    alone: float = setting(0.9, "chance that no other direction explains them", source="judgement")
    lens_deg: float = setting(1.0, "what a real lens bends", unit="deg", source="judgement")
    lens: float = setting(0.04, "the same of the focal length, as a share", source="judgement")


LINES = LineSettings()


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """What edges say, as a parabola around the likeliest.

    Attributes:
        up: (3,) unit vector against gravity, camera frame.
        lens: logarithm of the true focal length over the assumed one; 0 where the lens is known.
        information: (3, 3) inverse covariance of up along its tangents across the picture and in depth (radians),
            and of `lens`; zeros where nothing is said.
    """

    up: Array
    lens: float
    information: Array


def find_edges(grey: NDArray[np.uint8], free: NDArray[np.uint8], settings: LineSettings = LINES) -> FloatArray:
    """Ends (M, 4: x, y, x, y) in pixels of straight edges in a picture, the longest first.

    Args:
        grey: (H, W).
        free: (H, W) 255 where nobody is.
        settings: which count.
    """
    import cv2

    # The stubs say that something is always found.
    found: Any = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD, 1.0).detect(grey)[0]
    ends = np.zeros((0, 4), np.float32) if found is None else np.asarray(found, np.float32).reshape(-1, 4)
    middle = np.stack([0.75 * ends[:, :2] + 0.25 * ends[:, 2:], 0.25 * ends[:, :2] + 0.75 * ends[:, 2:]], axis=1)
    cell = np.clip(np.round(middle).astype(np.intp), 0, np.array(grey.shape[::-1]) - 1)
    beside = (free[cell[..., 1], cell[..., 0]] > 0).all(axis=1)
    length = np.hypot(*(ends[:, 2:] - ends[:, :2]).T)
    ends = ends[beside & (length > settings.shortest * max(grey.shape))]
    order = np.argsort(-np.hypot(*(ends[:, 2:] - ends[:, :2]).T), kind="stable")
    return np.asarray(ends[order[: settings.most]])


def planes_of(rays: Array, length: Array, settings: LineSettings = LINES) -> Array:
    """Normals (M, 3) of the planes through the camera and edges, as long as each edge counts.

    Args:
        rays: (M, 2, 2) x/z and y/z of both ends.
        length: (M,) of each in longer sides of the picture.
        settings: what counts as a whole one.
    """
    ends = np.concatenate([rays, np.ones((*rays.shape[:2], 1))], axis=-1)
    normal = np.cross(ends[:, 0], ends[:, 1])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), _TINY)
    weight = np.minimum(length / settings.whole, 1.0)
    return np.asarray(normal * weight[:, None])


def level_of_lines(
    planes: Array, up: Array, sigma_deg: Array, lens_sigma: float = 0.0, settings: LineSettings = LINES
) -> Level | None:
    """Which way is up by the edges; None if they don't say.

    Args:
        planes: (M, 3) of `planes_of`.
        up: (3,) by other means, camera frame.
        sigma_deg: (2,) its standard deviation across the picture and in depth.
        lens_sigma: relative error of the focal length, where it is assumed.
        settings: when they say it.
    """
    weight = np.linalg.norm(planes, axis=1)
    normal = planes / np.maximum(weight, _TINY)[:, None]
    # Pieces of one edge, and the same one in other pictures, count once.
    same = np.abs(normal @ normal.T) > np.cos(np.radians(settings.same_deg))
    weight = weight / np.maximum(same @ weight, 1.0)
    if weight.sum() < settings.least:
        return None
    found = _search(normal, weight, up, sigma_deg, lens_sigma, settings)
    if found is None:
        return None
    axes, lens = found
    return _refined(normal, weight, axes, lens, lens_sigma > 0.0, settings)


def _bent(normal: Array, lens: float | Array) -> Array:
    """Normals as a lens with a focal length `exp(lens)` times the assumed one sees them, any length."""
    return np.concatenate([normal[..., :2], normal[..., 2:] * np.exp(-lens)], axis=-1)


def _unit(values: Array) -> Array:
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), _TINY))


def _square(up: Array, heading: Array) -> Array:
    """Axes (..., 3, 3), in rows: one square to `up` (..., 3), turned by heading, then the other, then up."""
    first = _unit(np.cross(up, [0.0, 0.0, 1.0]))
    second = np.cross(up, first)
    one = np.cos(heading)[..., None] * first + np.sin(heading)[..., None] * second
    return np.stack([one, np.cross(up, one), np.broadcast_to(up, one.shape)], axis=-2)


def _search(
    normal: Array, weight: Array, up: Array, sigma_deg: Array, lens_sigma: float, settings: LineSettings
) -> tuple[Array, float] | None:
    """The room's axes (3, 3) in rows, up last, and the lens: the best of a grid; None if others are about as good."""
    step = settings.step_deg
    reach = np.maximum(settings.reach * sigma_deg, step)
    grids = [np.arange(-np.floor(far / step), np.floor(far / step) + 1) * step for far in reach]
    heading = np.radians(np.arange(0.0, 90.0, step))
    lenses = np.array([0.0]) if lens_sigma == 0.0 else lens_sigma * np.array([-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5])
    tilt = np.stack(np.meshgrid(*grids, indexing="ij"), axis=-1).reshape(-1, 2)
    tried = _unit(up + np.tan(np.radians(tilt)) @ tangents(up))
    axes = _square(tried[:, None], np.broadcast_to(heading, (len(tried), len(heading))))
    flat = axes.reshape(len(tried), -1, 3).astype(np.float32)
    score = np.empty((len(lenses), len(tried), len(heading)))
    for i, lens in enumerate(lenses):
        planes = _unit(_bent(normal, lens)).T.astype(np.float32)
        # One tilt at a time: what it takes stays in the processor's cache.
        for row, some in enumerate(flat):
            score[i, row] = _fit_of((some @ planes).reshape(len(heading), 3, -1), weight, settings)
        score[i] -= 0.5 * (lens / lens_sigma) ** 2 if lens_sigma > 0.0 else 0.0
    score -= 0.5 * ((tilt / sigma_deg) ** 2).sum(axis=1)[None, :, None]
    chance = np.exp(score - score.max())
    by_tilt = chance.sum(axis=(0, 2))
    best = np.unravel_index(int(np.argmax(score)), score.shape)
    near: NDArray[np.bool_] = np.all(np.abs(tilt - tilt[best[1]]) < 2.5 * step, axis=1)
    if by_tilt[near].sum() < settings.alone * by_tilt.sum():
        return None
    return axes[best[1], best[2]], float(lenses[best[0]])


def _fit_of(cosine: FloatArray, weight: Array, settings: LineSettings) -> Array:
    """Log-likelihood (H,) of headings by the cosines (H, 3, M) of their axes and the edges' planes; overwrites them."""
    np.square(cosine, out=cosine)
    fit = np.minimum(np.minimum(cosine[:, 0], cosine[:, 1]), cosine[:, 2])
    fit *= np.float32(-0.5 / np.radians(settings.coarse_deg) ** 2)
    np.exp(fit, out=fit)
    fit += np.float32(settings.stray)
    return np.asarray(np.log(fit, out=fit) @ weight.astype(np.float32), np.float64)


def _refined(
    normal: Array, weight: Array, axes: Array, lens: float, free_lens: bool, settings: LineSettings
) -> Level | None:
    """From the grid's best to the likeliest, by Gauss-Newton, and what it leaves open."""
    firm = 1.0 / np.radians(settings.edge_deg) ** 2
    matrix, explained = np.zeros((4, 4)), 0.0
    for _ in range(8):
        bent = _bent(normal, lens)
        size = np.maximum(np.linalg.norm(bent, axis=1, keepdims=True), _TINY)
        plane = bent / size
        miss = plane @ axes.T
        which = np.argmin(np.abs(miss), axis=1)
        off, axis = miss[np.arange(len(miss)), which], axes[which]
        fits = np.exp(-0.5 * firm * off**2)
        surely = weight * fits / (fits + settings.stray)
        explained = float(surely.sum())
        slope = np.zeros((len(off), 4))
        slope[:, :3] = np.cross(axis, plane) @ _turns(axes[2]).T
        if free_lens:
            stretch = np.concatenate([np.zeros((len(off), 2)), -bent[:, 2:]], axis=1) / size
            stretch -= (stretch * plane).sum(axis=1, keepdims=True) * plane
            slope[:, 3] = (stretch * axis).sum(axis=1)
        matrix = firm * (slope * surely[:, None]).T @ slope
        held = matrix + np.diag([1.0, 1.0, 1.0, 1.0])
        step = np.linalg.solve(held, -firm * (slope * surely[:, None]).T @ off)
        axes = axes @ from_rotation_vector(step[:3] @ _turns(axes[2])).T
        lens += float(step[3])
    if explained < max(settings.least, settings.share * float(weight.sum())):
        return None
    # The heading isn't asked for.
    told = matrix[1:, 1:] - np.outer(matrix[1:, 0], matrix[0, 1:]) / (matrix[0, 0] + _TINY)
    floor = np.diag([np.radians(settings.lens_deg), np.radians(settings.lens_deg), settings.lens]) ** 2
    information = np.linalg.inv(np.linalg.inv(told + 1e-3 * np.eye(3)) + floor)
    if not free_lens:
        information[2] = information[:, 2] = 0.0
    return Level(axes[2], lens, information)


def _turns(up: Array) -> Array:
    """(3, 3) in rows: rotations about up, and those that move up along each of its tangents."""
    return np.concatenate([up[None], np.cross(up, tangents(up))])
