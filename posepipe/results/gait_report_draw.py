"""Drawings made once and shown twice: as SVG in a page and as vectors in a PDF. Points, y down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

__all__ = ["COLORS", "Area", "Drawing", "Line", "Text", "to_svg"]

Point = tuple[float, float]

COLORS = {
    "left": "#0072b2",
    "right": "#c65300",
    "ink": "#1b1f23",
    "soft": "#59626b",
    "rule": "#c9ced3",
    "band": "#b9c2ca",
    "published": "#6d7780",
    "middle": "#3d7a63",
    "alert": "#9d1c1c",
    "fine": "#2f6b3a",
    "unjudged": "#8a939b",
}
"""Left and right can be told apart by the colour-blind; on a black-and-white print right is dashed."""


@dataclass(frozen=True, slots=True)
class Line:
    """A run of straight pieces."""

    points: tuple[Point, ...]
    color: str
    width: float
    dash: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Area:
    """A filled outline."""

    points: tuple[Point, ...]
    color: str
    opacity: float


@dataclass(frozen=True, slots=True)
class Text:
    """Words on a base line; `anchor` is "start", "middle" or "end"."""

    at: Point
    words: str
    size: float
    color: str
    anchor: str = "start"
    bold: bool = False


@dataclass(slots=True)
class Drawing:
    """Shapes in the order they are painted.

    Attributes:
        width, height: in points.
        title: said by screen readers.
        shapes: what was added.
    """

    width: float
    height: float
    title: str
    shapes: list[Line | Area | Text] = field(default_factory=list)

    def line(self, points: Sequence[Point], color: str, width: float, dash: tuple[float, ...] = ()) -> None:
        """Add a line through points."""
        if len(points) > 1:
            self.shapes.append(Line(tuple(points), color, width, dash))

    def area(self, points: Sequence[Point], color: str, opacity: float = 1.0) -> None:
        """Add a filled outline."""
        if len(points) > 2:
            self.shapes.append(Area(tuple(points), color, opacity))

    def text(
        self, x: float, y: float, words: str, size: float, color: str = "ink", anchor: str = "start", bold: bool = False
    ) -> None:
        """Add words."""
        self.shapes.append(Text((x, y), words, size, color, anchor, bold))


def to_svg(drawing: Drawing) -> str:
    """The drawing as an SVG element that scales with the page."""
    parts = [
        f'<svg viewBox="0 0 {drawing.width:g} {drawing.height:g}" role="img" aria-label="{escape(drawing.title)}">'
    ]
    for shape in drawing.shapes:
        if isinstance(shape, Text):
            weight = ' font-weight="bold"' if shape.bold else ""
            parts.append(
                f'<text x="{shape.at[0]:.1f}" y="{shape.at[1]:.1f}" font-size="{shape.size:g}" '
                f'fill="{COLORS[shape.color]}" text-anchor="{shape.anchor}"{weight}>{escape(shape.words)}</text>'
            )
            continue
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in shape.points)
        if isinstance(shape, Area):
            parts.append(f'<path d="{path}Z" fill="{COLORS[shape.color]}" fill-opacity="{shape.opacity:g}"/>')
        else:
            dash = f' stroke-dasharray="{" ".join(f"{d:g}" for d in shape.dash)}"' if shape.dash else ""
            parts.append(
                f'<path d="{path}" fill="none" stroke="{COLORS[shape.color]}" stroke-width="{shape.width:g}" '
                f'stroke-linecap="round" stroke-linejoin="round"{dash}/>'
            )
    return "".join(parts) + "</svg>"
