"""Pages as blocks, described once and shown twice: as HTML here, as PDF in `blocks_pdf`. Nothing is measured here.

Drawings are in points, y down; in a page they are SVG, in a PDF vectors. All text is escaped here.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from itertools import pairwise
from typing import Any

from posepipe._version import __version__

__all__ = [
    "COLORS", "Area", "Block", "Cell", "Colored", "Columns", "Details", "Drawing", "Figure", "Figures", "Label", "Line",
    "Page", "Paragraph", "Picture", "Section", "Sides", "Table", "Verdict", "Viewer", "marked", "page_html", "to_svg",
]  # fmt: skip

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
class Label:
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
    shapes: list[Line | Area | Label] = field(default_factory=list)

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
        self.shapes.append(Label((x, y), words, size, color, anchor, bold))


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph.

    Attributes:
        text: plain.
        tone: "ink", "lead" (what was found), "head", "soft" (grey), "small", "mark" (a warning), "notice" (in a box) or
            "screen" (soft, and nothing on paper).
        strong: words in it that are set bold.
        link: the name in it of a file beside the page.
    """

    text: str
    tone: str = "ink"
    strong: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer, and a second line below it; `tone` is "alert", "fine" or "unjudged"."""

    text: str
    more: str = ""
    tone: str = "fine"


@dataclass(frozen=True, slots=True)
class Colored:
    """A cell in a colour of `COLORS`."""

    text: str
    color: str


Cell = str | Colored


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, the first of each its heading.

    Attributes:
        rows: all of one length.
        shares: of the width on paper, for each column.
        head: one cell for each column; empty for none.
        caption: over it.
    """

    rows: tuple[tuple[Cell, ...], ...]
    shares: tuple[float, ...]
    head: tuple[Cell, ...] = ()
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG file's bytes and size."""

    jpeg: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing or picture between its title and its note.

    Attributes:
        image: what is shown.
        title, note: words over and below it.
        axis: of a plot over time, in step with the page's 3D view: first and last second, and where on the drawing
            they are, in points.
        curves: side and column of the angle of each; their values at the moment shown are told below.
    """

    image: Drawing | Picture
    title: str = ""
    note: str = ""
    axis: tuple[float, float, float, float] | None = None
    curves: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures in a "column", a "grid" of two columns, as "plots" beside each other, "plots wide" or "pictures"."""

    figures: tuple[Figure, ...]
    look: str = "column"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Poses to turn and play, in a page with a script.

    Attributes:
        data: what ``report.js`` shows.
        label, slider: said by screen readers.
        buttons: what each does, and its text.
        still: said where scripts don't run.
    """

    data: Mapping[str, Any]
    label: str
    slider: str
    buttons: tuple[tuple[str, str], ...]
    still: str


@dataclass(frozen=True, slots=True)
class Sides:
    """Which line is left, which is right."""

    left: str
    right: str


@dataclass(frozen=True, slots=True)
class Details:
    """Lines to unfold."""

    summary: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Columns:
    """Blocks side by side."""

    left: tuple[Block, ...]
    right: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """Blocks under a title; `anchor` names the part of the page that a viewer and its plots share."""

    title: str
    blocks: tuple[Block, ...]
    anchor: str = ""


Block = Paragraph | Verdict | Table | Figures | Viewer | Sides | Details | Columns | Section


@dataclass(frozen=True, slots=True)
class Page:
    """A document of printed sheets, or for a screen.

    Attributes:
        title: of the document.
        heading: over the first sheet.
        sheets: blocks in reading order; each sheet is a printed page, and goes on if it is too long.
        footer: at the foot of every sheet.
        language: code.
        script: what ``report.js`` says, English -> text; None for a page without a script.
    """

    title: str
    heading: str
    sheets: tuple[tuple[Block, ...], ...]
    footer: str
    language: str = "en"
    script: Mapping[str, str] | None = None


def page_html(page: Page) -> str:
    """The page as one document that loads nothing and prints on A4."""
    templates = files("posepipe.reports") / "templates"
    sheets = ["".join(_block(block, 2) for block in sheet) for sheet in page.sheets]
    head, foot = f"<header><h1>{escape(page.heading)}</h1></header>", f"<footer>{escape(page.footer)}</footer>"
    policy, look = "default-src 'none'; style-src 'unsafe-inline'; img-src data:", "sheet"
    if page.script:
        policy, look = f"{policy}; script-src 'unsafe-inline'", "report"
        data = [viewer.data for sheet in page.sheets for viewer in _viewers(sheet)]
        program = (templates / "report.js").read_text(encoding="utf-8")
        body = (
            f"{head}<main>{''.join(sheets)}</main>{foot}\n"
            f'<script type="application/json" id="data">{_script_json(data)}</script>\n'
            f'<script type="application/json" id="words">{_script_json(dict(page.script))}</script>\n'
            f"<script>\n{program}</script>"
        )
    else:
        body = "".join(
            f'<section class="sheet">{"" if number else head}{sheet}{foot}</section>'
            for number, sheet in enumerate(sheets)
        )
    colors = "".join(f"--{name}:{color};" for name, color in COLORS.items())
    style = (templates / f"{look}.css").read_text(encoding="utf-8")
    return (
        f'<!DOCTYPE html>\n<html lang="{page.language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="generator" content="posepipe {escape(__version__)}">'
        f'<link rel="icon" href="data:,"><title>{escape(page.title)}</title>'
        f"<style>\n:root {{{colors}}}\n{style}</style></head>\n<body>{body}</body></html>\n"
    )


def _viewers(blocks: Sequence[Block]) -> Iterator[Viewer]:
    for block in blocks:
        if isinstance(block, Viewer):
            yield block
        elif isinstance(block, Section):
            yield from _viewers(block.blocks)


def _script_json(data: Any) -> str:
    """JSON that can stand in a script element: nothing in it can end the element."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def marked(paragraph: Paragraph) -> str:
    """A paragraph's text with its bold words, for HTML and for ReportLab."""
    strong = escape(paragraph.strong)
    text = escape(paragraph.text)
    return text.replace(strong, f"<b>{strong}</b>", 1) if strong else text


def _block(block: Block, level: int) -> str:
    """A block as HTML; `level` is that of the next heading."""
    match block:
        case Section():
            title = f"<h{level}>{escape(block.title)}</h{level}>" if block.title else ""
            inside = "".join(_block(inner, level + bool(title)) for inner in block.blocks)
            if block.anchor:
                return f'<div id="{escape(block.anchor)}">{title}{inside}</div>'
            return f"<section>{title}{inside}</section>"
        case Columns():
            sides = ("".join(_block(inner, level) for inner in side) for side in (block.left, block.right))
            return f'<div class="grid"><div>{"</div><div>".join(sides)}</div></div>'
        case Paragraph():
            text, link = marked(block), escape(block.link)
            text = text.replace(link, f'<a href="{link}">{link}</a>', 1) if link else text
            return f'<p class="{block.tone}">{text}</p>'
        case Verdict():
            more = f"<p>{escape(block.more)}</p>" if block.more else ""
            return f'<div class="verdict {block.tone}"><p><b>{escape(block.text)}</b></p>{more}</div>'
        case Table():
            return _table(block)
        case Figures():
            return f'<div class="{block.look}">{"".join(map(_figure, block.figures))}</div>'
        case Viewer():
            return _viewer(block)
        case Sides():
            left, right = (f'<span class="key {side}"></span><b class="{side}">' for side in ("left", "right"))
            return f"<p>{left}{escape(block.left)}</b> {right}{escape(block.right)}</b></p>"
        case Details():
            lines = "".join(f"<li>{escape(line)}</li>" for line in block.lines)
            return f"<details><summary>{escape(block.summary)}</summary><ul>{lines}</ul></details>"


def _table(table: Table) -> str:
    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
    head = "".join(_cell(cell, "th", "col") for cell in table.head)
    rows = "".join(
        f"<tr>{_cell(row[0], 'th', 'row')}{''.join(_cell(cell, 'td') for cell in row[1:])}</tr>" for row in table.rows
    )
    thead = f"<thead><tr>{head}</tr></thead>" if head else ""
    return f'<div class="scroll"><table>{caption}{thead}<tbody>{rows}</tbody></table></div>'


def _cell(cell: Cell, tag: str, scope: str = "") -> str:
    text, color = (cell, "") if isinstance(cell, str) else (cell.text, f' class="{cell.color}"')
    place = f' scope="{scope}"' if scope else ""
    # A number stays on one line with its error bar.
    return f"<{tag}{place}{color}>{escape(text).replace(' ± ', '&nbsp;±&nbsp;')}</{tag}>"


def _figure(figure: Figure) -> str:
    data, image = "", figure.image
    if figure.axis is not None:
        axis = [*(round(value, 3) for value in figure.axis[:2]), *(round(_UNITS * value) for value in figure.axis[2:])]
        data = f' data-axis="{json.dumps(axis)}" data-curves="{escape(json.dumps(figure.curves))}"'
    title = f'<p class="head">{escape(figure.title)}</p>' if figure.title else ""
    note = escape(figure.note) + ('<div class="readout screen"></div>' if figure.curves else "")
    shown = to_svg(image) if isinstance(image, Drawing) else _img(image, escape(figure.note))
    return f"<figure{data}>{title}{shown}{f'<figcaption>{note}</figcaption>' if note else ''}</figure>"


def _img(picture: Picture, words: str) -> str:
    source = base64.b64encode(picture.jpeg).decode("ascii")
    return (
        f'<img src="data:image/jpeg;base64,{source}" width="{picture.width}" height="{picture.height}" alt="{words}">'
    )


def _viewer(viewer: Viewer) -> str:
    buttons = "".join(f'<button type="button" data-do="{do}">{escape(text)}</button>' for do, text in viewer.buttons)
    return (
        '<div class="viewer"><svg viewBox="0 0 640 480" tabindex="0" role="application" '
        f'aria-label="{escape(viewer.label)}"></svg><div class="controls">'
        f'<input type="range" min="0" max="0" value="0" aria-label="{escape(viewer.slider)}"><output></output></div>'
        f'<div class="controls">{buttons}</div></div><noscript><p class="notice">{escape(viewer.still)}</p></noscript>'
    )


_UNITS = 10
"""Units of an SVG in one point: its numbers are whole, and each is a step from the one before."""


def to_svg(drawing: Drawing) -> str:
    """The drawing as an SVG element that scales with the page, in the colours of the page around it."""
    width, height = (round(_UNITS * side) for side in (drawing.width, drawing.height))
    parts = [f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(drawing.title)}">']
    for shape in drawing.shapes:
        color = f"var(--{shape.color})"
        if isinstance(shape, Label):
            x, y = (round(_UNITS * value) for value in shape.at)
            weight = ' font-weight="bold"' if shape.bold else ""
            parts.append(
                f'<text x="{x}" y="{y}" font-size="{_UNITS * shape.size:g}" style="fill:{color}" '
                f'text-anchor="{shape.anchor}"{weight}>{escape(shape.words)}</text>'
            )
        elif isinstance(shape, Area):
            path = _path(shape.points)
            parts.append(f'<path d="{path}Z" style="fill:{color}" fill-opacity="{shape.opacity:g}"/>')
        else:
            dash = f' stroke-dasharray="{" ".join(f"{_UNITS * d:g}" for d in shape.dash)}"' if shape.dash else ""
            parts.append(
                f'<path d="{_path(shape.points)}" fill="none" style="stroke:{color}" '
                f'stroke-width="{_UNITS * shape.width:g}" stroke-linecap="round" stroke-linejoin="round"{dash}/>'
            )
    return "".join(parts) + "</svg>"


def _path(points: Sequence[Point]) -> str:
    whole = [(round(_UNITS * x), round(_UNITS * y)) for x, y in points]
    steps = " ".join(f"{x - x0} {y - y0}" for (x0, y0), (x, y) in pairwise(whole))
    return f"M{whole[0][0]} {whole[0][1]}l{steps}"
