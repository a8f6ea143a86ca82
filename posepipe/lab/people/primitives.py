"""Ellipsoids and tapered capsules, cast into a depth buffer one ray per pixel, and their colours, patterns and shine.

Each primitive is a quadric in camera space, so the discriminant of its ray equation is a quadratic polynomial of the
pixel position: a small matrix product per primitive, inside the exact bounding box of its outline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from posepipe.lab.people.body import BodyShape
from posepipe.lab.people.camera import SynthCamera

__all__ = ["Buffer", "Builder", "Materials", "Primitives", "join", "join_materials", "make_materials", "raycast"]

Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]

_NEAR_M = 0.05
_EYE = np.eye(3)
_X, _Z, _NONE = _EYE[0], _EYE[2], np.zeros(3)

MATERIALS = ("skin", "hair", "shirt", "trousers", "shoes", "sole", "eye", "iris", "lip", "brow", "accent")
SKIN, HAIR, SHIRT, TROUSERS, SHOES, SOLE, EYE, IRIS, LIP, BROW, ACCENT = range(len(MATERIALS))


@dataclass(frozen=True, slots=True, eq=False)
class Primitives:
    """N ellipsoids and cones.

    Local space of a primitive: the unit is such that the body is round; a cone's axis is z from 0 to `length`.

    Attributes:
        origin_m: (N, 3) local origin in the world.
        to_local: (N, 3, 3) world to local.
        length: (N,) axis length in local units; 0 for an ellipsoid.
        radius: (N, 2) radius of the spheres at both ends of the axis, local units.
        material: (N,) int index of the material.
        texture: (N, 2, 3) world vectors along and across the body part, for patterns.
        texture_origin_m: (N, 3).
    """

    origin_m: Array
    to_local: Array
    length: Array
    radius: Array
    material: NDArray[np.intp]
    texture: Array
    texture_origin_m: Array

    def __len__(self) -> int:
        return len(self.length)


class Builder:
    """Collects primitives one by one."""

    def __init__(self) -> None:
        self._origin: list[Array] = []
        self._axis: list[Array] = []
        self._stretch: list[Array] = []
        self._radius: list[tuple[float, float]] = []
        self._material: list[int] = []
        self._texture: list[int] = []
        self._frames: list[tuple[Array, Array, Array]] = []
        self.texture(np.zeros(3), _Z, _X)

    def texture(self, origin_m: Array, along: Array, across: Array) -> None:
        """Texture frame of what is added next."""
        self._frames.append((origin_m, along, across))

    def _add(self, origin: Array, stretch: Array, axis: Array, radius: tuple[float, float], material: int) -> None:
        self._origin.append(origin)
        self._stretch.append(stretch)
        self._axis.append(axis)
        self._radius.append(radius)
        self._material.append(material)
        self._texture.append(len(self._frames) - 1)

    def ellipsoid(self, center_m: Array, semi_m: Sequence[float], frame: Array, material: int) -> None:
        """An ellipsoid; `frame` holds its axes as columns (3, 3)."""
        self._add(center_m, frame.T / np.array(semi_m)[:, None], _NONE, (1.0, 1.0), material)

    def ball(self, center_m: Array, radius_m: float, material: int) -> None:
        """A sphere."""
        self._add(center_m, _EYE / radius_m, _NONE, (1.0, 1.0), material)

    def chain(
        self,
        points_m: Sequence[Array],
        radii_m: Sequence[float],
        material: int,
        squash: tuple[Array, float] | None = None,
        caps: tuple[bool, bool] = (True, True),
    ) -> None:
        """Spheres joined by tangent cones.

        Args:
            points_m: nodes.
            radii_m: a radius for each node.
            material: of all of it.
            squash: unit vector and factor; thickness along the vector is multiplied by the factor.
            caps: draw the spheres at the first and the last node.
        """
        stretch = _EYE
        if squash is not None:
            axis, factor = squash
            stretch = _EYE + (1.0 / factor - 1.0) * axis[:, None] * axis[None, :]
        last = len(points_m) - 1
        for i, (point, radius) in enumerate(zip(points_m, radii_m, strict=True)):
            if (i > 0 or caps[0]) and (i < last or caps[1]):
                self._add(point, stretch / radius, _NONE, (1.0, 1.0), material)
            if i < last:
                self._add(point, stretch, points_m[i + 1] - point, (radius, radii_m[i + 1]), material)

    def build(self) -> Primitives:
        """Everything added so far, without cones that lie inside their own end."""
        stretch, radius = np.array(self._stretch), np.array(self._radius)
        axis = np.einsum("nij,nj->ni", stretch, np.array(self._axis))
        length = np.linalg.norm(axis, axis=1)
        keep = (length == 0.0) | (length > np.abs(radius[:, 0] - radius[:, 1]) + 1e-6)
        turn = _basis(axis / np.where(length > 0, length, 1.0)[:, None] + (length == 0.0)[:, None] * _Z)
        frames = np.array(self._frames)[self._texture]
        return Primitives(
            np.array(self._origin)[keep],
            (turn @ stretch)[keep],
            length[keep],
            radius[keep],
            np.array(self._material, dtype=np.intp)[keep],
            frames[keep, 1:],
            frames[keep, 0],
        )


def join(parts: Sequence[Primitives], material_offsets: Sequence[int]) -> Primitives:
    """Several sets as one; each set's material indices move up by its offset."""
    return Primitives(
        np.concatenate([p.origin_m for p in parts]),
        np.concatenate([p.to_local for p in parts]),
        np.concatenate([p.length for p in parts]),
        np.concatenate([p.radius for p in parts]),
        np.concatenate([p.material + offset for p, offset in zip(parts, material_offsets, strict=True)]),
        np.concatenate([p.texture for p in parts]),
        np.concatenate([p.texture_origin_m for p in parts]),
    )


def _basis(axis: Array) -> Array:
    """Rows of right-handed frames (N, 3, 3) whose z is `axis` (Duff et al. 2017)."""
    x, y, z = axis.T
    sign = np.where(z >= 0.0, 1.0, -1.0)
    a = -1.0 / (sign + z)
    b = x * y * a
    rows = [[1.0 + sign * x * x * a, sign * b, -sign * x], [b, sign + y * y * a, -y], [x, y, z]]
    return np.asarray(np.moveaxis(np.array(rows), 2, 0))


@dataclass(frozen=True, slots=True, eq=False)
class Buffer:
    """What each pixel sees.

    Attributes:
        depth_m: (height, width), infinite where nothing is.
        index: (height, width) int16 primitive, -1 where nothing is.
        normal: (M, 3) outward unit normals in the camera frame of the M seen pixels, in row order.
        point_m: (M, 3) camera frame.
    """

    depth_m: FloatArray
    index: NDArray[np.int16]
    normal: FloatArray
    point_m: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Quadrics:
    """Ray equations in camera space; see `_quadrics`."""

    disc: Array
    linear: Array
    constant: Array
    axis: Array
    axis_constant: Array
    box: NDArray[np.intp]
    nearest: Array
    local: Array
    origin: Array


def _quadrics(prims: Primitives, camera: SynthCamera) -> _Quadrics:
    """Polynomials and bounding boxes of all primitives.

    For a ray ``P = t d``, ``d = (x, y, 1)``, each surface is ``a t² + 2 b t + c = 0``. The nearer root is
    ``c / (sqrt(b² - a c) - b)``; ``b`` is linear in d and ``b² - a c`` is a quadratic form of d.
    """
    local = prims.to_local @ camera.rotation.T
    center = prims.origin_m @ camera.rotation.T + camera.translation_m
    eye = -np.einsum("nij,nj->ni", local, center)
    r0, r1, length = prims.radius[:, 0], prims.radius[:, 1], prims.length
    cone = length > 0.0
    span = np.where(cone, length, 1.0)
    sin = np.where(cone, (r0 - r1) / span, 0.0)
    cos = np.sqrt(1.0 - sin**2)
    alpha, beta = r0 / cos, -sin / cos
    weight = np.ones((len(prims), 3))
    weight[:, 2] = np.where(cone, -(beta**2), 1.0)
    form = np.einsum("nki,nk,nkj->nij", local, weight, local)
    linear = np.einsum("nki,nk->ni", local, weight * eye) - np.where(cone, alpha * beta, 0.0)[:, None] * local[:, 2]
    squared = (eye**2).sum(axis=1)
    constant = np.where(cone, eye[:, 0] ** 2 + eye[:, 1] ** 2 - (alpha + beta * eye[:, 2]) ** 2, squared - r0**2)
    disc = linear[:, :, None] * linear[:, None, :] - constant[:, None, None] * form
    reach = np.where(cone, length - sin * (r0 - r1), 1.0)
    end = np.linalg.solve(local, np.stack([np.zeros_like(length), np.zeros_like(length), length], axis=1)[..., None])
    metric = np.einsum("nki,nkj->nij", local, local)
    boxes = [_outline(metric, center, r0), _outline(metric, center + end[..., 0], r1)]
    low = np.minimum(boxes[0][0], boxes[1][0]) * camera.focal_px + np.asarray(camera.principal_px)
    high = np.maximum(boxes[0][1], boxes[1][1]) * camera.focal_px + np.asarray(camera.principal_px)
    size = np.array([camera.width_px, camera.height_px])
    nearest = np.minimum(boxes[0][2], boxes[1][2])
    visible = (nearest > _NEAR_M) & np.isfinite(low).all(axis=1) & np.isfinite(high).all(axis=1)
    low = np.where(visible[:, None], np.clip(np.floor(low), 0, size), 0.0)
    high = np.where(visible[:, None], np.clip(np.ceil(high) + 1, 0, size), 0.0)
    return _Quadrics(
        _polynomial(disc),
        linear,
        constant,
        local[:, 2] / reach[:, None],
        (eye[:, 2] - sin * r0) / reach,
        np.concatenate([low, high], axis=1).astype(np.intp),
        nearest,
        local,
        center,
    )


def _outline(metric: Array, center: Array, radius: Array) -> tuple[Array, Array, Array]:
    """Bounds (N, 2) of the outlines of ellipsoids in normalised picture coordinates, from the dual conic; least depth.

    Source: the outline of ``(P-c)ᵀM(P-c) = r²`` is the conic ``dᵀ(vvᵀ - kM)d = 0`` with ``v = Mc``, ``k = cᵀMc - r²``.
    """
    v = np.einsum("nij,nj->ni", metric, center)
    k = (v * center).sum(axis=1) - radius**2
    conic = v[:, :, None] * v[:, None, :] - k[:, None, None] * metric
    scale = np.abs(conic).max(axis=(1, 2))
    dual = np.linalg.inv(conic / np.where(scale > 0, scale, 1.0)[:, None, None])
    depth_radius = radius * np.sqrt(np.linalg.inv(metric)[:, 2, 2])
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = dual[:, :2, 2] / dual[:, 2, 2, None]
        half = np.sqrt(middle**2 - dual[:, [0, 1], [0, 1]] / dual[:, 2, 2, None])
    return middle - half, middle + half, center[:, 2] - depth_radius


def _polynomial(form: Array) -> Array:
    """Coefficients K (N, 3, 3) with ``[1 y y²] K [1 x x²]ᵀ = dᵀ form d``."""
    k = np.zeros_like(form)
    k[:, 0, 0] = form[:, 2, 2]
    k[:, 0, 1] = 2.0 * form[:, 0, 2]
    k[:, 0, 2] = form[:, 0, 0]
    k[:, 1, 0] = 2.0 * form[:, 1, 2]
    k[:, 1, 1] = 2.0 * form[:, 0, 1]
    k[:, 2, 0] = form[:, 1, 1]
    return k


def raycast(prims: Primitives, camera: SynthCamera) -> Buffer:
    """Depth, primitive and normal of what each pixel's centre sees."""
    width, height = camera.width_px, camera.height_px
    depth = np.full((height, width), np.inf, dtype=np.float32)
    index = np.full((height, width), -1, dtype=np.int16)
    q = _quadrics(prims, camera)
    cx, cy = camera.principal_px
    x = (np.arange(width, dtype=np.float64) + 0.5 - cx) / camera.focal_px
    y = (np.arange(height, dtype=np.float64) + 0.5 - cy) / camera.focal_px
    xs = np.stack([np.ones_like(x), x, x * x])
    rows = np.stack([np.ones_like(y), y, y * y], axis=1) @ q.disc
    linear, axis = _planes(q.linear, x, y), _planes(q.axis, x, y)
    constant, start = q.constant.astype(np.float32), q.axis_constant.astype(np.float32)
    cone = prims.length > 0.0
    boxes = q.box.tolist()
    with np.errstate(invalid="ignore", divide="ignore"):
        for i in np.argsort(q.nearest).tolist():
            x0, y0, x1, y1 = boxes[i]
            if x1 <= x0 or y1 <= y0:
                continue
            t = np.sqrt((rows[i, y0:y1] @ xs[:, x0:x1]).astype(np.float32))
            t -= linear[0][i, y0:y1, None]
            t -= linear[1][i, None, x0:x1]
            np.divide(constant[i], t, out=t)
            seen = depth[y0:y1, x0:x1]
            hit = t < seen
            if cone[i]:
                along = axis[0][i, y0:y1, None] + axis[1][i, None, x0:x1]
                along *= t
                along += start[i] - np.float32(0.5)
                hit &= np.abs(along, out=along) <= np.float32(0.501)
                hit &= t > 0.0
            np.copyto(seen, t, where=hit)
            np.copyto(index[y0:y1, x0:x1], i, where=hit, casting="unsafe")
    row, column = np.nonzero(index >= 0)
    ray = np.stack([x[column], y[row], np.ones(len(row))], axis=1).astype(np.float32)
    point = ray * depth[row, column][:, None]
    return Buffer(depth, index, _normals(prims, q, index[row, column], point), point)


def _planes(v: Array, x: Array, y: Array) -> tuple[FloatArray, FloatArray]:
    """``v · (x, y, 1)`` as a part (N, height) of y and a part (N, width) of x."""
    return (v[:, 1:2] * y + v[:, 2:]).astype(np.float32), (v[:, :1] * x).astype(np.float32)


def _normals(prims: Primitives, q: _Quadrics, ids: NDArray[np.int16], point: FloatArray) -> FloatArray:
    """Unit normals (M, 3) in the camera frame at surface points."""
    a = q.local.astype(np.float32)[ids]
    p = np.einsum("nij,nj->ni", a, point - q.origin.astype(np.float32)[ids])
    r0, r1 = prims.radius[:, 0], prims.radius[:, 1]
    cone = prims.length > 0
    span = np.where(cone, prims.length, 1.0)
    sin = np.where(cone, (r0 - r1) / span, 0.0)
    reach = np.where(cone, prims.length - sin * (r0 - r1), 1.0)
    along = np.clip((p[:, 2] - (sin * r0)[ids]) / reach[ids], 0.0, 1.0)
    p[:, 2] -= (along * prims.length[ids]).astype(np.float32)
    normal = np.einsum("nij,ni->nj", a, p)
    return np.asarray(normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12), dtype=np.float32)


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
