"""Skeletons, ids, angles and captions on a copy of the picture.

Colours tell the sides apart, also for the colour-blind (Okabe and Ito's palette): the person's left is blue, the right
orange, the middle grey. A halo of two sigma around each joint shows how well its place is known; joints known badly
are faint.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.errors import UsageError
from posepipe.skeleton import Layout
from posepipe.types import Keypoints

__all__ = [
    "OKABE_ITO", "ascii_text", "draw_angles", "draw_caption", "draw_pose", "mirror_view", "paint_angles",
    "paint_caption", "paint_pose", "picture_copy",
]  # fmt: skip

Image = NDArray[np.uint8]

# OpenCV draws with fixed-point coordinates of this many fractional bits.
_SHIFT = 4
_HALO_SIGMAS = 2.0
_HALO_OPACITY = 0.30
_FAINT_OPACITY = 0.45
# A wider halo covers the person and tells nothing more; share of the picture's shorter side.
_WIDEST_HALO = 0.12
# Sigma above which a joint is faint; share of the person's extent.
_FAINT_SIGMA = 0.05

Color = tuple[int, int, int]
_FONT = cv2.FONT_HERSHEY_SIMPLEX
# Height in pixels of a line (with its leading) at scale 1.
_LINE_PX = 32.0
_SMALLEST_LINE_PX = 9.0
_SPELLED = str.maketrans(
    {"°": " deg", "±": "+-", "–": "-", "—": "-", "−": "-", "σ": "sigma", "µ": "u", "×": "x", "ß": "ss"}
)


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours, blue-green-red.

    Attributes:
        left, right, middle: by side of the person's body.
        people: colours of the id labels, in turn.
    """

    left: Color
    right: Color
    middle: Color
    people: tuple[Color, ...]


OKABE_ITO = Palette(
    left=(178, 114, 0),
    right=(0, 159, 230),
    middle=(200, 200, 200),
    people=((0, 94, 213), (115, 158, 0), (167, 121, 204), (66, 228, 240), (233, 180, 86)),
)
"""Okabe and Ito (2008), "Color universal design": vermillion, bluish green, purple, yellow, sky blue for people."""


def draw_pose(
    image: Image, keypoints: Keypoints, *, person: int | None = None, palette: Palette = OKABE_ITO, halo: bool = True
) -> Image:
    """Draw one person's skeleton.

    Args:
        image: (height, width, 3) BGR uint8; not changed.
        keypoints: joints that are NaN or far outside the picture are left out.
        person: id to write above the head, or None.
        palette: colours.
        halo: draw a translucent disc with a radius of two sigma around each joint.

    Returns:
        A new picture.
    """
    canvas = picture_copy(image)
    paint_pose(canvas, keypoints, person=person, palette=palette, halo=halo)
    return canvas


def paint_pose(
    canvas: Image, keypoints: Keypoints, *, person: int | None = None, palette: Palette = OKABE_ITO, halo: bool = True
) -> None:
    """`draw_pose` in place, on a picture of `picture_copy`."""
    joints = _Joints.of(canvas, keypoints)
    line_px = _line_px(canvas)
    if halo:
        _blend(canvas, joints, joints.halo_px + 2.0, _HALO_OPACITY, lambda layer, at: _halos(layer, at, palette))
    if joints.faint.any():
        reach = np.full(len(keypoints.layout), 2.0 * line_px)
        _blend(
            canvas, joints, reach, _FAINT_OPACITY, lambda layer, at: _strokes(layer, at, palette, line_px, faint=True)
        )
    _strokes(canvas, joints, palette, line_px, faint=False)
    if person is not None and joints.inside.any():
        _label(canvas, joints, person, palette)


def draw_angles(
    image: Image,
    keypoints: Keypoints,
    angles_deg: Mapping[str, float],
    sigma_deg: Mapping[str, float] | None = None,
    words: Mapping[str, str] | None = None,
) -> Image:
    """Write angles beside their joints, each with the joint's name.

    Args:
        image: (height, width, 3) BGR uint8; not changed.
        keypoints: where the joints are.
        angles_deg: angle by name. The label stands at the joint that the name begins with ("left_knee_flexion" at
            "left_knee"); angles of no joint, NaN, or at a joint outside the picture are left out.
        sigma_deg: standard deviations by the same names.
        words: what to call a joint by its name in the layout; its own words if None ("left_knee" is "left knee").

    Returns:
        A new picture.
    """
    canvas = picture_copy(image)
    paint_angles(canvas, keypoints, angles_deg, sigma_deg, words)
    return canvas


def paint_angles(
    canvas: Image,
    keypoints: Keypoints,
    angles_deg: Mapping[str, float],
    sigma_deg: Mapping[str, float] | None = None,
    words: Mapping[str, str] | None = None,
) -> None:
    """`draw_angles` in place, on a picture of `picture_copy`."""
    joints = _Joints.of(canvas, keypoints)
    line = 0.75 * line_height_px(canvas)
    middle_px = float(joints.xy_px[joints.inside, 0].mean()) if joints.inside.any() else 0.0
    for name, angle in angles_deg.items():
        joint = _joint_of(name, keypoints.layout)
        if joint is None or not joints.inside[joint] or not np.isfinite(angle):
            continue
        sigma = (sigma_deg or {}).get(name, float("nan"))
        spread = f" +-{sigma:.0f}" if np.isfinite(sigma) else ""
        x, y = joints.xy_px[joint]
        # Left and right of the body keep apart where a joint hides the other.
        offset = -2.2 * line if _side(keypoints.layout.joints[joint]) == "right" else 0.6 * line
        code = keypoints.layout.joints[joint]
        called = (words or {}).get(code, code.replace("_", " "))
        label = f"{called} {angle:.0f}{spread} deg"
        # Away from the body, so that it hides little of it.
        away = 0.6 * line if x >= middle_px else -1.2 * line - _width_px(ascii_text(label), line / _LINE_PX)
        put_box(canvas, [label], (x + away, y + offset), line_px=line, opacity=0.5)


def draw_caption(image: Image, lines: Sequence[str], *, corner: str = "top_left") -> Image:
    """Write lines of text on a dark box in a corner.

    Args:
        image: (height, width, 3) BGR uint8; not changed.
        lines: text; what ASCII lacks is spelled out or becomes a question mark.
        corner: "top_left", "top_right", "bottom_left" or "bottom_right".

    Returns:
        A new picture.

    Raises:
        UsageError: no such corner.
    """
    corners = {"top_left": (0, 0), "top_right": (1, 0), "bottom_left": (0, 1), "bottom_right": (1, 1)}
    if corner not in corners:
        raise UsageError(f"no corner {corner!r}", hint=f"Valid: {', '.join(corners)}")
    canvas = picture_copy(image)
    paint_caption(canvas, lines, corners[corner])
    return canvas


def paint_caption(canvas: Image, lines: Sequence[str], corner: tuple[int, int] = (0, 0)) -> None:
    """`draw_caption` in place, on a picture of `picture_copy`.

    Args:
        canvas: changed.
        lines: text.
        corner: whether it is a right one, and a lower one: 0 or 1 each.
    """
    (right, bottom), (height, width) = corner, canvas.shape[:2]
    # Beyond the edge; the box is pushed back in.
    put_box(canvas, lines, (right * width, bottom * height), line_px=line_height_px(canvas))


def mirror_view(image: Image, people: Sequence[Keypoints]) -> tuple[Image, list[Keypoints]]:
    """Picture and keypoints as in a mirror, for a live view of oneself; draw on the result, so that text stays legible.

    Joints keep their names: the person's left wrist is still the left wrist. For showing only, never for measuring.

    Returns:
        The mirrored picture and people.
    """
    mirrored = cv2.flip(image, 1)
    last = image.shape[1] - 1
    flipped = []
    for person in people:
        xy = person.xy_px.copy()
        xy[:, 0] = last - xy[:, 0]
        flipped.append(replace(person, xy_px=xy))
    return np.asarray(mirrored, dtype=np.uint8), flipped


@dataclass(frozen=True, slots=True, eq=False)
class _Joints:
    """What can be drawn of a person: places, and which of them are near, inside and faint, all (J,)."""

    layout: Layout
    xy_px: NDArray[np.float64]
    halo_px: NDArray[np.float64]
    near: NDArray[np.bool_]
    inside: NDArray[np.bool_]
    faint: NDArray[np.bool_]

    @classmethod
    def of(cls, image: Image, keypoints: Keypoints) -> _Joints:
        height, width = image.shape[:2]
        size = np.array([width, height])
        xy = keypoints.xy_px.astype(np.float64)
        finite = np.all(np.isfinite(xy), axis=1)
        xy = np.where(finite[:, None], xy, -1e6)
        near = finite & (xy > -size).all(axis=1) & (xy < 2 * size).all(axis=1)
        inside = near & (xy >= 0).all(axis=1) & (xy < size).all(axis=1)
        sigma = keypoints.sigma_px.astype(np.float64)
        # A sigma that isn't known is as bad as a large one.
        sigma = np.where(np.isfinite(sigma) & (sigma >= 0), sigma, np.inf)
        extent = float(np.ptp(xy[near], axis=0).max()) if near.any() else 0.0
        halo = np.minimum(_HALO_SIGMAS * sigma, _WIDEST_HALO * min(width, height))
        return cls(keypoints.layout, xy, halo, near, inside, near & (sigma > _FAINT_SIGMA * max(extent, 20.0)))


def _blend(
    canvas: Image,
    joints: _Joints,
    reach_px: NDArray[np.float64],
    opacity: float,
    paint: Callable[[Image, _Joints], None],
) -> None:
    """Paint a translucent layer, in place; only the part of the picture within reach of the joints is blended."""
    if not joints.near.any():
        return
    xy, reach = joints.xy_px[joints.near], reach_px[joints.near, None]
    left, top = np.maximum(np.floor((xy - reach).min(axis=0)).astype(int), 0)
    right, bottom = np.minimum(np.ceil((xy + reach).max(axis=0)).astype(int) + 1, canvas.shape[1::-1])
    if right <= left or bottom <= top:
        return
    region = canvas[top:bottom, left:right]
    layer = region.copy()
    paint(layer, replace(joints, xy_px=joints.xy_px - (left, top)))
    cv2.addWeighted(layer, opacity, region, 1.0 - opacity, 0.0, dst=region)


def _halos(canvas: Image, joints: _Joints, palette: Palette) -> None:
    """A disc for each joint, the widest first, so that none hides another."""
    order = np.argsort(-joints.halo_px, kind="stable")
    centers = _fixed(joints)
    for i in order[joints.near[order] & (joints.halo_px[order] > 0.5)].tolist():
        color = _color(joints.layout.joints[i], palette)
        cv2.circle(canvas, centers[i], _fixed_length(joints.halo_px[i]), color, -1, cv2.LINE_AA, _SHIFT)


def _strokes(canvas: Image, joints: _Joints, palette: Palette, line_px: int, *, faint: bool) -> None:
    """Bones and joints, either the faint or the well-known ones."""
    names = joints.layout.joints
    centers, radius = _fixed(joints), _fixed_length(1.2 * line_px)
    near_joints, faint_joints = joints.near.tolist(), joints.faint.tolist()
    for a, b in _edges(joints.layout):
        if near_joints[a] and near_joints[b] and (faint_joints[a] or faint_joints[b]) == faint:
            color = _bone_color(names[a], names[b], palette)
            cv2.line(canvas, centers[a], centers[b], color, line_px, cv2.LINE_AA, _SHIFT)
    for i in np.flatnonzero(joints.near & (joints.faint == faint)).tolist():
        center = centers[i]
        cv2.circle(canvas, center, radius, (255, 255, 255), -1, cv2.LINE_AA, _SHIFT)
        cv2.circle(canvas, center, radius, _color(names[i], palette), max(1, line_px // 2), cv2.LINE_AA, _SHIFT)


def _label(canvas: Image, joints: _Joints, person: int, palette: Palette) -> None:
    seen = joints.xy_px[joints.inside]
    line = line_height_px(canvas)
    x, y = float(seen[:, 0].mean()) - line, float(seen[:, 1].min()) - 3.0 * line
    put_box(
        canvas,
        [f"id {person}"],
        (x, y),
        line_px=line,
        color=(0, 0, 0),
        background=palette.people[person % len(palette.people)],
        opacity=0.85,
    )


@cache
def _edges(layout: Layout) -> tuple[tuple[int, int], ...]:
    return tuple((int(a), int(b)) for a, b in layout.edge_indices)


def _joint_of(angle: str, layout: Layout) -> int | None:
    matches = [i for i, joint in enumerate(layout.joints) if angle == joint or angle.startswith(joint + "_")]
    return max(matches, key=lambda i: len(layout.joints[i]), default=None)


def _side(joint: str) -> str:
    words = joint.split("_")
    return "left" if "left" in words else "right" if "right" in words else "middle"


def _color(joint: str, palette: Palette) -> Color:
    return {"left": palette.left, "right": palette.right, "middle": palette.middle}[_side(joint)]


def _bone_color(a: str, b: str, palette: Palette) -> Color:
    sides = {_side(a), _side(b)} - {"middle"}
    return _color(sides.pop(), palette) if len(sides) == 1 else palette.middle


def _line_px(image: Image) -> int:
    return int(max(1, round(min(image.shape[:2]) / 240)))


def _fixed(joints: _Joints) -> list[tuple[int, int]]:
    """OpenCV's fixed-point pixels; nonsense for joints that aren't near the picture."""
    near = np.where(joints.near[:, None], joints.xy_px, 0.0)
    return [(x, y) for x, y in np.round(near * (1 << _SHIFT)).astype(int).tolist()]


def _fixed_length(length_px: float) -> int:
    return max(1, round(float(length_px) * (1 << _SHIFT)))


def picture_copy(image: Image) -> Image:
    """A copy to paint on.

    Raises:
        UsageError: not a picture.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise UsageError(f"expected a (height, width, 3) uint8 picture, got {image.shape} {image.dtype}")
    return np.array(image, order="C")


def ascii_text(text: str) -> str:
    """The text in printable ASCII: accents dropped, units spelled out, anything else a question mark."""
    spelled = unicodedata.normalize("NFKD", text.translate(_SPELLED))
    plain = "".join(c for c in spelled if not unicodedata.combining(c))
    return "".join(c if " " <= c <= "~" else "?" for c in plain)


def line_height_px(image: NDArray[np.uint8]) -> float:
    """Height of a text line that can be read on this picture: 3.5 % of its shorter side, 9 pixels at least."""
    return float(max(_SMALLEST_LINE_PX, 0.035 * min(image.shape[:2])))


def put_box(
    image: NDArray[np.uint8],
    lines: Sequence[str],
    anchor_px: tuple[float, float],
    *,
    line_px: float,
    color: Color = (255, 255, 255),
    background: Color = (0, 0, 0),
    opacity: float = 0.65,
) -> None:
    """Write lines on a translucent box, in place.

    The box starts at `anchor_px` (left, top), is pushed into the picture, and its text is made smaller, then cut, until
    it fits the width.
    """
    height, width = image.shape[:2]
    texts = [ascii_text(line) for line in lines]
    if not texts:
        return
    margin = max(2, round(0.3 * line_px))
    room = width - 2 * margin
    scale = line_px / _LINE_PX
    widest = max(_width_px(text, scale) for text in texts)
    if widest > room:
        scale = max(_SMALLEST_LINE_PX / _LINE_PX, scale * room / widest)
        texts = [_cut(text, scale, room) for text in texts]
        widest = max(_width_px(text, scale) for text in texts)
    line = scale * _LINE_PX
    box_w, box_h = widest + 2 * margin, round(line * len(texts)) + 2 * margin
    left = int(np.clip(anchor_px[0], 0, max(0, width - box_w)))
    top = int(np.clip(anchor_px[1], 0, max(0, height - box_h)))
    region = image[top : top + box_h, left : left + box_w]
    plain = np.empty_like(region)
    plain[:] = background
    cv2.addWeighted(plain, opacity, region, 1.0 - opacity, 0.0, dst=region)
    thickness = max(1, round(1.6 * scale))
    for i, text in enumerate(texts):
        origin = (left + margin, round(top + margin + line * (i + 0.75)))
        cv2.putText(image, text, origin, _FONT, scale, color, thickness, cv2.LINE_AA)


def _width_px(text: str, scale: float) -> int:
    return cv2.getTextSize(text, _FONT, scale, max(1, round(1.6 * scale)))[0][0]


def _cut(text: str, scale: float, room: int) -> str:
    if _width_px(text, scale) <= room:
        return text
    while text and _width_px(text + "...", scale) > room:
        text = text[:-1]
    return text + "..." if text else ""
