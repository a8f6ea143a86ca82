"""What surrounds a synthetic person: light, room, shadow, clutter and the camera's own faults."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from posepipe.errors import UsageError
from posepipe.lab.people.camera import SynthCamera
from posepipe.skeleton import BODY21

__all__ = ["Light", "Room", "cast_shadow", "clutter", "degrade", "foliage", "shapes"]

Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]
Image = NDArray[np.uint8]
Color = tuple[int, int, int]
_FLOORS = ("wood", "tiles", "grass", "plain")


@dataclass(frozen=True, slots=True)
class Light:
    """One soft lamp and the light from everywhere.

    Attributes:
        direction: towards the lamp, world frame; any length.
        key, ambient, fill: strengths of lamp, surroundings and the light from beside the camera.
        warmth: -1 bluish to 1 reddish.
        shadow: darkness of the shadow on the ground, 0 to 1.
    """

    direction: tuple[float, float, float] = (0.45, -0.5, 1.1)
    key: float = 0.62
    ambient: float = 0.42
    fill: float = 0.14
    warmth: float = 0.12
    shadow: float = 0.45

    def __post_init__(self) -> None:
        if not np.linalg.norm(self.direction) > 0 or self.direction[2] <= 0:
            raise UsageError("the lamp must be above the ground", where="Light.direction")

    @classmethod
    def random(cls, rng: np.random.Generator) -> Light:
        """A lamp anywhere above; from soft daylight to a hard, dim spot."""
        heading, rise = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(20, 80))
        key = float(rng.uniform(0.25, 0.85))
        level = float(rng.uniform(0.65, 1.2))
        return cls(
            (float(np.cos(heading) * np.cos(rise)), float(np.sin(heading) * np.cos(rise)), float(np.sin(rise))),
            key * level,
            float(rng.uniform(0.25, 0.6)) * level,
            float(rng.uniform(0.0, 0.3)) * level,
            float(rng.uniform(-0.5, 0.6)),
            float(rng.uniform(0.1, 0.6)),
        )

    @property
    def unit(self) -> Array:
        """Direction to the lamp, length one."""
        d = np.asarray(self.direction, dtype=np.float64)
        return np.asarray(d / np.linalg.norm(d))

    @property
    def tint(self) -> Array:
        """Colour of the lamp, RGB."""
        return np.array([1.0 + 0.12 * self.warmth, 1.0, 1.0 - 0.14 * self.warmth])


@dataclass(frozen=True, slots=True)
class Room:
    """A rectangular room around a point, ground at z = 0.

    Attributes:
        center_m: ground point in its middle.
        half_m: half its length and width.
        wall, floor: colours, RGB.
        kind: floor: "wood", "tiles", "grass" or "plain".
        turn_deg: turn about the vertical.
        seed: of the floor's texture.
    """

    center_m: tuple[float, float] = (0.0, 0.0)
    half_m: tuple[float, float] = (4.5, 4.5)
    wall: Color = (206, 212, 214)
    floor: Color = (186, 150, 112)
    kind: str = "wood"
    turn_deg: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in _FLOORS:
            raise UsageError(f"no floor {self.kind!r}", hint=f"Valid: {', '.join(_FLOORS)}")

    @classmethod
    def random(cls, rng: np.random.Generator, center_m: tuple[float, float] = (0.0, 0.0)) -> Room:
        """A room of any size and colour."""
        base, floor = rng.uniform(60, 235), rng.uniform(50, 210)
        return cls(
            center_m,
            (float(rng.uniform(2.5, 9)), float(rng.uniform(2.5, 9))),
            _near(rng, base),
            _near(rng, floor),
            str(rng.choice(_FLOORS)),
            float(rng.uniform(0, 90)),
            int(rng.integers(1000)),
        )

    def picture(self, camera: SynthCamera) -> Image:
        """The empty room as (height, width, 3) BGR."""
        x = (np.arange(camera.width_px, dtype=np.float32) + 0.5 - camera.principal_px[0]) / camera.focal_px
        y = (np.arange(camera.height_px, dtype=np.float32) + 0.5 - camera.principal_px[1]) / camera.focal_px
        c, s = np.cos(np.radians(self.turn_deg)), np.sin(np.radians(self.turn_deg))
        turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1.0]])
        axes = (turn @ camera.rotation.T).astype(np.float32)
        eye = turn @ (np.asarray(camera.position_m) - np.array([*self.center_m, 0.0]))
        grid = np.broadcast_arrays(x[None, :], y[:, None])
        ray = [axes[i, 0] * grid[0] + axes[i, 1] * grid[1] + axes[i, 2] for i in range(3)]
        reach: list[FloatArray] = []
        for i in range(2):
            safe = np.where(np.abs(ray[i]) < 1e-5, 1e-5, ray[i])
            far = (np.sign(safe) * self.half_m[i] - eye[i]) / safe
            # A camera outside the room looks through the wall before it.
            reach.append(np.where(far > 0.0, far, 1e4).astype(np.float32))
        to_wall = np.minimum(reach[0], reach[1])
        to_floor = np.where(ray[2] < -1e-5, -eye[2] / np.minimum(ray[2], -1e-5), np.inf).astype(np.float32)
        on_floor = to_floor < to_wall
        t = np.minimum(to_floor, to_wall)
        point = [np.float32(eye[i]) + t * ray[i] for i in range(3)]
        color = np.empty((*t.shape, 3), dtype=np.float32)
        shade = np.where(reach[0] < reach[1], 0.94, 1.0) * (0.88 + 0.05 * np.clip(point[2], 0, 3))
        color[:] = shade[..., None] * np.asarray(self.wall[::-1], dtype=np.float32)
        board = ~on_floor & (point[2] < 0.1)
        color[board] = 0.35 * color[board] + 0.65 * 232.0
        edge = np.minimum(self.half_m[0] - np.abs(point[0]), self.half_m[1] - np.abs(point[1]))
        tile = _floor_tile(self.kind, self.seed)
        n = tile.shape[0]
        # Four metres a tile; each pixel takes the average of what it covers from the matching level.
        u, v = point[0] * (n / 4.0), point[1] * (n / 4.0)
        texel = cv2.remap(
            np.tile(tile, (2, 2)),
            np.asarray(np.mod(u, n), dtype=np.float32),
            np.asarray(np.mod(v, n), dtype=np.float32),
            cv2.INTER_LINEAR,
        )
        fade = np.clip(1.3 - t / (0.004 * camera.focal_px + 4.0), 0.25, 1.0)
        light = (1.0 + fade * (texel - 1.0)) * (0.82 + 0.18 * np.clip(edge / 0.8, 0, 1))
        floor = light[..., None] * np.asarray(self.floor[::-1], dtype=np.float32)
        color = np.where(on_floor[..., None], floor, color)
        return np.asarray(np.clip(color, 0, 255), dtype=np.uint8)


def _near(rng: np.random.Generator, value: float) -> Color:
    r, g, b = np.clip(value + rng.normal(0, 22, 3), 10, 250).astype(int)
    return int(r), int(g), int(b)


def _repeating(rng: np.random.Generator, n: int, sigma_x: float, sigma_y: float) -> FloatArray:
    """Smoothed noise (n, n) that continues across its edges."""
    noise = np.tile(rng.normal(0, 1, (n, n)).astype(np.float32), (2, 2))
    part = slice(n // 2, n // 2 + n)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y)[part, part], dtype=np.float32)


@lru_cache(maxsize=16)
def _floor_tile(kind: str, seed: int) -> FloatArray:
    """Brightness of a four-metre square of floor, repeating, about 1."""
    rng = np.random.default_rng(seed)
    n = 512
    fine = _repeating(rng, n, 1.2, 1.2)
    if kind == "grass":
        return np.asarray(1.0 + 0.4 * fine, dtype=np.float32)
    if kind == "plain":
        return np.asarray(1.0 + 0.05 * fine, dtype=np.float32)
    tile = np.ones((n, n), dtype=np.float32)
    if kind == "tiles":
        step = 64
        tile *= 1.0 + 0.04 * rng.normal(0, 1, (n // step, n // step)).repeat(step, 0).repeat(step, 1)
        tile[::step] *= 0.75
        tile[:, ::step] *= 0.75
        return np.asarray(tile + 0.02 * fine, dtype=np.float32)
    grain = _repeating(rng, n, 24.0, 0.8)
    grain /= float(grain.std())
    for row in range(0, n, 16):
        start = int(rng.integers(0, 256))
        for part in range(2):
            columns = (np.arange(256) + start + 256 * part) % n
            tile[row : row + 16, columns] *= 1.0 + 0.055 * rng.normal()
            tile[row : row + 16, columns[0]] *= 0.8
        tile[row] *= 0.82
    return np.asarray(tile + 0.03 * grain, dtype=np.float32)


_SHADOW_BONES: tuple[tuple[str, str, float], ...] = (
    ("pelvis", "thorax", 0.15),
    ("left_shoulder", "right_shoulder", 0.06),
    ("left_hip", "right_hip", 0.1),
    ("thorax", "head", 0.06),
    ("head", "head", 0.1),
    *(
        (f"{side}_{a}", f"{side}_{b}", radius)
        for side in ("left", "right")
        for a, b, radius in (
            ("hip", "knee", 0.075),
            ("knee", "ankle", 0.05),
            ("heel", "foot_index", 0.045),
            ("shoulder", "elbow", 0.045),
            ("elbow", "wrist", 0.035),
        )
    ),
)
_CELL_M = 0.02


def cast_shadow(image: Image, xyz_m: ArrayLike, camera: SynthCamera, light: Light) -> Image:
    """The picture with a person's soft shadow on the ground z = 0.

    Args:
        image: background seen by the camera, BGR.
        xyz_m: (21, 3) joints, world frame.
        camera: the camera.
        light: the lamp.
    """
    xyz = np.asarray(xyz_m, dtype=np.float64)
    way = light.unit[:2] / max(light.unit[2], 0.35)
    flat = xyz[:, :2] - xyz[:, 2:] * way
    under = xyz[BODY21.index("pelvis"), :2]
    low = np.minimum(flat.min(axis=0), under) - 0.5
    size = np.ceil((np.maximum(flat.max(axis=0), under) + 0.5 - low) / _CELL_M).astype(int)
    size = np.clip(size, 8, 400)
    corners = np.array([[0, 0], [size[0], 0], size, [0, size[1]]], dtype=np.float64) * _CELL_M + low
    xy_px, depth = camera.project(np.concatenate([corners, np.zeros((4, 1))], axis=1))
    if not (depth > 0.2).all():
        return image
    mask = np.zeros((size[1], size[0]), dtype=np.uint8)
    soft = np.zeros_like(mask)
    for a, b, radius in _SHADOW_BONES:
        i, j = BODY21.indices(a, b)
        ends = np.round((flat[[i, j]] - low) / _CELL_M * 16).astype(int)
        width = max(1, round(2 * radius / _CELL_M))
        cv2.line(mask, tuple(ends[0].tolist()), tuple(ends[1].tolist()), (255,), width, cv2.LINE_8, 4)
    for side in ("left", "right"):
        for name in ("heel", "foot_index"):
            point = xyz[BODY21.index(f"{side}_{name}")]
            near = float(np.clip(1.0 - point[2] / 0.3, 0, 1))
            spot = np.round((point[:2] - low) / _CELL_M * 16).astype(int)
            cv2.circle(soft, tuple(spot.tolist()), int(0.07 / _CELL_M * 16), (int(255 * near),), -1, cv2.LINE_8, 4)
    shade = 0.75 * cv2.GaussianBlur(mask, (0, 0), 1.8).astype(np.float32)
    shade = np.maximum(shade, 0.9 * cv2.GaussianBlur(soft, (0, 0), 2.2).astype(np.float32)) / 255.0
    cells = (np.array([[0, 0], [size[0], 0], size, [0, size[1]]]) - 0.5).astype(np.float32)
    warp = cv2.getPerspectiveTransform(cells, (xy_px - 0.5).astype(np.float32))
    seen = cv2.warpPerspective(shade, warp, (camera.width_px, camera.height_px), flags=cv2.INTER_LINEAR)
    return np.asarray(image * (1.0 - light.shadow * seen[..., None]), dtype=np.uint8)


def clutter(rng: np.random.Generator, width_px: int, height_px: int) -> Image:
    """A made-up background without geometry: clouds of colour, edges and shapes at every scale, BGR."""
    image = np.full((height_px, width_px, 3), rng.uniform(40, 210, 3), dtype=np.float32)
    for cells in (3, 8, 24, 80):
        noise = rng.normal(0, rng.uniform(4, 26), (cells, cells, 3 if rng.random() < 0.6 else 1)).astype(np.float32)
        layer = cv2.resize(noise, (width_px, height_px), interpolation=cv2.INTER_CUBIC)
        image += layer if layer.ndim == 3 else layer[..., None]
    return shapes(image, rng, int(rng.integers(0, 26)))


def shapes(image: NDArray[Any], rng: np.random.Generator, count: int) -> Image:
    """A picture (height, width, 3) with so many boxes, ellipses and bars on it."""
    height_px, width_px = image.shape[:2]
    out = image.astype(np.float32)
    for _ in range(count):
        color = rng.uniform(0, 255, 3).tolist()
        x, y = int(rng.integers(width_px)), int(rng.integers(height_px))
        w, h = (int(v) for v in rng.integers(4, max(6, width_px // 3), 2))
        kind = rng.integers(3)
        if kind == 0:
            cv2.rectangle(out, (x, y), (x + w, y + h), color, -1)
        elif kind == 1:
            cv2.ellipse(out, (x, y), (w // 2, h // 2), float(rng.uniform(0, 180)), 0, 360, color, -1)
        else:
            cv2.line(out, (x, y), (x + w - h, y + h), color, int(rng.integers(1, 14)))
    return np.asarray(np.clip(out, 0, 255), dtype=np.uint8)


def foliage(rng: np.random.Generator, width_px: int, height_px: int) -> Image:
    """A made-up background with a photograph's spectrum and hard edges, BGR: two colours mixed by thresholded noise."""
    fall = rng.uniform(0.3, 1.1)
    low, high = rng.uniform(0, 160, 3), rng.uniform(60, 255, 3)
    mix = np.zeros((height_px, width_px), dtype=np.float32)
    for cells in (2, 4, 8, 16, 32, 64, 128):
        noise = rng.standard_normal((cells, cells), dtype=np.float32) * np.float32(cells**-fall)
        mix += cv2.resize(noise, (width_px, height_px), interpolation=cv2.INTER_CUBIC)
    mix /= max(float(mix.std()), 1e-6)
    edge = 1.0 / (1.0 + np.exp(-rng.uniform(0.7, 6.0) * (mix - rng.normal(0, 0.5))))
    image = low + edge[..., None] * (high - low) + 12.0 * mix[..., None]
    return np.asarray(np.clip(image, 0, 255), dtype=np.uint8)


def degrade(
    image: Image,
    rng: np.random.Generator,
    *,
    blur_px: float = 0.0,
    noise: float = 2.0,
    jpeg_quality: int | None = None,
) -> Image:
    """The picture as a camera would hand it over: blurred, noisy, compressed.

    Args:
        image: BGR.
        rng: source of the noise.
        blur_px: standard deviation of the blur.
        noise: standard deviation of the noise, in grey levels.
        jpeg_quality: 1 to 100; no compression if None.
    """
    out = image
    if blur_px > 0.2:
        out = np.asarray(cv2.GaussianBlur(out, (0, 0), blur_px), dtype=np.uint8)
    if noise > 0:
        out = np.asarray(
            np.clip(out + noise * rng.standard_normal(out.shape, dtype=np.float32), 0, 255), dtype=np.uint8
        )
    if jpeg_quality is not None:
        _, data = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
        out = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)
    return out
