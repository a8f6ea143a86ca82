"""Pictures of synthetic people, in NumPy and OpenCV alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.lab.people.body import BodyShape
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.figure import Figure, make_figure
from posepipe.lab.people.primitives import Buffer, Builder, Materials, Primitives, join, join_materials, raycast
from posepipe.lab.people.scene import Light, Room, cast_shadow

__all__ = ["Occluder", "Person", "render_frame"]

Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]
Image = NDArray[np.uint8]

_MARGIN_M = 0.32
_CHANNELS = 4
"""Normal and depth are smoothed together."""


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """Who is where.

    Attributes:
        xyz_m: (21, 3) Body21 joints, world frame, z up.
        shape: build and clothes.
    """

    xyz_m: Array
    shape: BodyShape


@dataclass(frozen=True, slots=True)
class Occluder:
    """A capsule that may hide people.

    Attributes:
        start_m, end_m: ends of its axis, world frame.
        radius_m: its radius.
        color: RGB.
    """

    start_m: tuple[float, float, float]
    end_m: tuple[float, float, float]
    radius_m: float = 0.15
    color: tuple[int, int, int] = (120, 120, 124)


def render_frame(
    people: Sequence[Person],
    camera: SynthCamera,
    *,
    scene: Room | Image | None = None,
    light: Light | None = None,
    occluders: Sequence[Occluder] = (),
    supersample: int = 2,
    shadow: bool = True,
) -> Image:
    """A picture of people in a scene.

    Args:
        people: any number; nearer ones hide farther ones.
        camera: the camera.
        scene: a room, or a picture (height, width, 3) BGR to draw on; the default room if None.
        light: the lamp; the default one if None.
        occluders: things that may hide people.
        supersample: rays per pixel and axis.
        shadow: cast people's shadows on the ground z = 0.

    Returns:
        (height, width, 3) BGR uint8.

    Raises:
        UsageError: a joint is missing.
    """
    lamp = light or Light()
    image = scene.copy() if isinstance(scene, np.ndarray) else (scene or Room()).picture(camera)
    if shadow:
        for person in people:
            image = cast_shadow(image, person.xyz_m, camera, lamp)
    figures = [
        make_figure(person.xyz_m, person.shape, fingers=_pixels_per_metre(person, camera) * supersample > 200)
        for person in people
    ]
    figures += [_occluder(occluder) for occluder in occluders]
    if figures:
        reach = [person.xyz_m for person in people]
        for occluder in occluders:
            ends = np.array([occluder.start_m, occluder.end_m])
            reach += [ends + occluder.radius_m, ends - occluder.radius_m]
        _draw(image, figures, np.concatenate(reach), camera, lamp, supersample)
    return image


def render_person(
    image: Image,
    xyz_m: Array,
    shape: BodyShape,
    camera: SynthCamera,
    *,
    light: Light | None = None,
    supersample: int = 1,
) -> Image:
    """A copy of a picture with one person drawn on it, without shadow; see `render_frame`."""
    return render_frame([Person(xyz_m, shape)], camera, scene=image, light=light, supersample=supersample, shadow=False)


def _pixels_per_metre(person: Person, camera: SynthCamera) -> float:
    return camera.focal_px / max(float(camera.to_camera(person.xyz_m[0])[2]), 0.1)


def _occluder(occluder: Occluder) -> Figure:
    build = Builder()
    ends = [np.array(occluder.start_m, dtype=np.float64), np.array(occluder.end_m, dtype=np.float64)]
    build.chain(ends, [occluder.radius_m, occluder.radius_m], 0)
    rgb = np.array([occluder.color]) / 255.0
    return Figure(
        build.build(),
        Materials(rgb, rgb, np.zeros(1, dtype=np.intp), np.array([0.05]), np.zeros(1, dtype=np.bool_), np.zeros(1)),
    )


def _crop(camera: SynthCamera, points: Array) -> tuple[int, int, int, int] | None:
    """Part of the picture (x0, y0, x1, y1) around points, with a margin; None if they are out of sight."""
    cam = camera.to_camera(points)
    cam = cam[cam[:, 2] > 0.1]
    if not len(cam):
        return None
    xy = camera.focal_px * cam[:, :2] / cam[:, 2:] + np.asarray(camera.principal_px)
    margin = camera.focal_px * _MARGIN_M / cam[:, 2:]
    size = (camera.width_px, camera.height_px)
    x0, y0 = np.clip(np.floor((xy - margin).min(axis=0)), 0, size).astype(int).tolist()
    x1, y1 = np.clip(np.ceil((xy + margin).max(axis=0)), 0, size).astype(int).tolist()
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def _draw(
    image: Image, figures: Sequence[Figure], points: Array, camera: SynthCamera, light: Light, supersample: int
) -> None:
    box = _crop(camera, points)
    if box is None:
        return
    x0, y0, x1, y1 = box
    k = supersample
    cx, cy = camera.principal_px
    view = replace(
        camera,
        focal_px=camera.focal_px * k,
        width_px=(x1 - x0) * k,
        height_px=(y1 - y0) * k,
        center_px=((cx - x0) * k, (cy - y0) * k),
    )
    offsets = np.cumsum([0] + [len(f.materials.rgb) for f in figures]).tolist()
    prims = join([f.primitives for f in figures], offsets[:-1])
    materials = join_materials([f.materials for f in figures])
    buffer = raycast(prims, view)
    if not len(buffer.normal):
        return
    seen = buffer.index >= 0
    layer = np.zeros((view.height_px, view.width_px, 4), dtype=np.float32)
    layer[seen] = np.concatenate(
        [_shade(buffer, prims, materials, view, light), np.ones((len(buffer.normal), 1), dtype=np.float32)], axis=1
    )
    if k > 1:
        layer = np.asarray(cv2.resize(layer, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA), dtype=np.float32)
    part = image[y0:y1, x0:x1]
    part[:] = np.clip(layer[..., 2::-1] + (1.0 - layer[..., 3:]) * part + 0.5, 0, 255).astype(np.uint8)


@lru_cache(maxsize=1)
def _cloth() -> FloatArray:
    """Two channels of smooth, repeating noise (256, 256, 2) with unit spread: wrinkles at 2 mm a cell."""
    rng = np.random.default_rng(7)
    out = np.zeros((256, 256, 2), dtype=np.float32)
    for sigma, weight in ((10.0, 1.0), (4.0, 0.5), (1.0, 0.25)):
        raw = np.tile(rng.normal(0, 1, (256, 256, 2)).astype(np.float32), (2, 2, 1))
        smooth = cv2.GaussianBlur(raw, (0, 0), sigma)[128:384, 128:384]
        out += weight * smooth / smooth.std()
    return np.asarray(out / out.std(), dtype=np.float32)


def _smoothed(buffer: Buffer, weight: FloatArray, camera: SynthCamera) -> tuple[FloatArray, FloatArray]:
    """Normals blended with their surroundings by `weight` (M,), and occlusion (M,) by what stands in front."""
    seen = buffer.index >= 0
    depth = buffer.point_m[:, 2]
    middle = float(np.median(depth))
    field = np.zeros((*seen.shape, _CHANNELS), dtype=np.float32)
    field[seen, :3] = buffer.normal
    field[seen, 3] = depth - middle
    size = max(1, round(0.028 * camera.focal_px / middle)) * 2 + 1
    # Twice a box is near enough to a Gaussian.
    mean = cv2.blur(cv2.blur(field, (size, size)), (size, size))[seen]
    cover = cv2.blur(cv2.blur(seen.astype(np.float32), (size, size)), (size, size))[seen]
    mean = mean / np.maximum(cover, 1e-3)[:, None]
    normal = buffer.normal + weight[:, None] * (mean[:, :3] - buffer.normal)
    occlusion = np.clip((depth - middle - mean[:, 3]) / 0.1, 0.0, 1.0)
    return np.asarray(normal), np.asarray(occlusion)


def _shade(buffer: Buffer, prims: Primitives, materials: Materials, camera: SynthCamera, light: Light) -> FloatArray:
    """Colour (M, 3) RGB 0..255 of the seen pixels: lamp, sky and fill on matt surfaces, and a small highlight."""
    ids = buffer.index[buffer.index >= 0]
    material = prims.material[ids]
    normal, occlusion = _smoothed(
        buffer, np.clip(materials.smooth_m / 0.025, 0, 1).astype(np.float32)[material], camera
    )
    rotation = camera.rotation.astype(np.float32)
    world = (buffer.point_m - camera.translation_m.astype(np.float32)) @ rotation
    offset = world - prims.texture_origin_m.astype(np.float32)[ids]
    texture = prims.texture.astype(np.float32)[ids]
    along = np.einsum("ni,ni->n", texture[:, 0], offset)
    across = np.einsum("ni,ni->n", texture[:, 1], offset)
    cell = (np.stack([along, across], axis=1) * 500.0).astype(np.int32) & 255
    wrinkle = _cloth()[cell[:, 0], cell[:, 1]]
    cloth = materials.cloth[material].astype(np.float32)
    normal = normal @ rotation
    normal += (0.08 * cloth * wrinkle[:, 0])[:, None] * texture[:, 0]
    normal += (0.08 * cloth * wrinkle[:, 1])[:, None] * texture[:, 1]
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    albedo = _albedo(materials, material, along, across, wrinkle[:, 0])
    lamp, eye = light.unit.astype(np.float32), -rotation[2]
    half = (lamp + eye) / np.linalg.norm(lamp + eye)
    key = np.clip((normal @ lamp + 0.15) / 1.15, 0.0, 1.0) * light.key
    sky = light.ambient * (0.72 + 0.28 * normal[:, 2]) + light.fill * np.clip(normal @ eye, 0.0, 1.0)
    shine = materials.shine.astype(np.float32)[material] * light.key * np.clip(normal @ half, 0.0, 1.0) ** 20
    dim = 1.0 - 0.55 * occlusion
    tone = key[:, None] * light.tint.astype(np.float32) + sky[:, None]
    # Colours are mixed as light (square of the picture's values) and shown through a square root.
    linear = albedo * albedo * tone * dim[:, None] * 1.15 + shine[:, None]
    return np.asarray(255.0 * np.sqrt(np.clip(linear, 0.0, 1.0)), dtype=np.float32)


def _albedo(
    materials: Materials, material: NDArray[np.intp], along: FloatArray, across: FloatArray, noise: FloatArray
) -> FloatArray:
    """Surface colour (M, 3) with patterns; `along` and `across` in metres on the body part."""
    rgb = materials.rgb.astype(np.float32)[material]
    kind = materials.pattern[material]
    if not kind.any():
        return np.asarray(rgb)
    stripes = np.clip(4.0 * np.sin(along * (2 * np.pi / 0.07)), 0.0, 1.0)
    checks = 0.5 * (np.sin(along * (2 * np.pi / 0.06)) > 0) + 0.5 * (np.sin(across * (2 * np.pi / 0.06)) > 0)
    share = np.select([kind == 1, kind == 2, kind == 3], [stripes, np.clip(0.5 * noise, 0.0, 1.0), checks], 0.0)
    accent = materials.accent.astype(np.float32)[material]
    return np.asarray(rgb + share.astype(np.float32)[:, None] * (accent - rgb))
