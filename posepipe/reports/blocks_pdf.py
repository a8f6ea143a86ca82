"""Pages of blocks as PDF, on A4."""

from __future__ import annotations

import unicodedata
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any

from posepipe.reports import blocks
from posepipe.reports.blocks import COLORS, marked

if TYPE_CHECKING:
    from reportlab.platypus import Flowable

__all__ = ["page_pdf"]

_MARGIN = 36.0
_WIDTH = 595.28 - 2 * _MARGIN
_SIZES = {"lead": 10.0, "soft": 8.0, "screen": 8.0, "small": 6.8}
_TONES = {"screen": "soft", "small": "soft", "soft": "soft", "mark": "alert"}
_PICTURE_HEIGHT = 130.0


def page_pdf(page: blocks.Page) -> bytes:
    """The page as a PDF file's bytes, each sheet on a new leaf; a sheet that is too long goes on."""
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import PageBreak, SimpleDocTemplate

    def foot(canvas: Any, document: Any) -> None:
        canvas.setFont("Helvetica", 7)
        canvas.setFillColor(COLORS["soft"])
        canvas.drawString(_MARGIN, 20, _plain(page.footer))
        canvas.drawRightString(A4[0] - _MARGIN, 20, f"{document.page}")

    story: list[Any] = [_p(page.heading, 14, bold=True)]
    for number, sheet in enumerate(page.sheets):
        story += [PageBreak()] if number else []
        story += [flowable for block in sheet for flowable in _flowables(block, _WIDTH)]
    made = BytesIO()
    document = SimpleDocTemplate(
        made,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=28,
        bottomMargin=32,
        title=_plain(page.title),
        author="posepipe",
        invariant=1,
    )
    document.build(story, onFirstPage=foot, onLaterPages=foot)
    return made.getvalue()


def _flowables(block: blocks.Block, width: float) -> list[Flowable]:
    """A block as ReportLab's flowables; a 3D view is none."""
    match block:
        case blocks.Section():
            title = [_p(block.title, 10.0, bold=True, before=5.0)] if block.title else []
            return title + [flowable for inner in block.blocks for flowable in _flowables(inner, width)]
        case blocks.Columns():
            sides = ([f for b in side for f in _flowables(b, width / 2 - 8)] for side in (block.left, block.right))
            return [_columns(*sides)]
        case blocks.Paragraph():
            return [_lines(block)]
        case blocks.Verdict():
            more = [_p(block.more, 9)] if block.more else []
            return [_gap(4), _box([_p(block.text, 10, bold=True), *more], COLORS[block.tone])]
        case blocks.Table() if block.rows:
            caption = [_p(block.caption, 8.0, "soft", before=3.0)] if block.caption else []
            return [*caption, _table(block, width)]
        case blocks.Sides():
            named = (("left", block.left), ("right", block.right))
            parts = (f'<font color="{COLORS[side]}">{_markup(name, strong=name)}</font>' for side, name in named)
            return [_p(", ".join(parts), 8.5, markup=True)]
        case blocks.Details():
            return [_p(block.summary, 8.0, "soft", before=9.0), *(_p(line, 6.8, "soft") for line in block.lines)]
        case blocks.Figures():
            across = {"column": width, "plots wide": 0.7 * width}.get(block.look)
            cells = [_figure(figure, across or width / 2 - 6) for figure in block.figures]
            return [flowable for cell in cells for flowable in cell] if across else [_grid(cells)]
    return []


def _lines(paragraph: blocks.Paragraph) -> Flowable:
    size, color = _SIZES.get(paragraph.tone, 8.5), _TONES.get(paragraph.tone, "ink")
    if paragraph.tone == "notice":
        return _box([_p(marked(paragraph), size, markup=True)], COLORS["unjudged"])
    head = paragraph.tone == "head"
    return _p(marked(paragraph), size, color, bold=head, before=5.0 if head else 0.0, markup=True)


def _figure(figure: blocks.Figure, width: float) -> list[Flowable]:
    from reportlab.platypus import Image

    image = figure.image
    if isinstance(image, blocks.Drawing):
        shown = _drawn(image, width)
    else:
        height = min(_PICTURE_HEIGHT, width * image.height / image.width)
        shown = Image(BytesIO(image.jpeg), height * image.width / image.height, height, hAlign="LEFT")
    title = [_p(figure.title, 8.5, bold=True)] if figure.title else []
    return [*title, shown, *([_p(figure.note, 6.8, "soft")] if figure.note else [])]


def _markup(text: str, strong: str = "") -> str:
    return marked(blocks.Paragraph(text, strong=strong))


def _plain(text: str) -> str:
    """Text in the characters of the PDF's standard fonts: others lose their accents, or become question marks."""
    text = text.replace("\u2212", "-").replace("›", ">")
    return "".join(_western(letter) for letter in text) if not text.isascii() else text


def _western(letter: str) -> str:
    for form in (letter, unicodedata.normalize("NFKD", letter)[:1]):
        with suppress(UnicodeEncodeError):
            return form.encode("cp1252").decode("cp1252")
    return "?"


def _p(
    text: str, size: float, color: str = "ink", *, bold: bool = False, before: float = 0.0, markup: bool = False
) -> Flowable:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph as Lines

    style = ParagraphStyle(
        "p",
        fontName="Helvetica-Bold" if bold else "Helvetica",
        fontSize=size,
        leading=size * 1.28,
        textColor=COLORS.get(color, color),
        spaceAfter=1,
        spaceBefore=before,
        keepWithNext=before > 0,
    )
    text = _plain(text)
    return Lines(text if markup else _markup(text), style)


def _gap(points: float) -> Flowable:
    from reportlab.platypus import Spacer

    return Spacer(1, points)


def _box(content: list[Any], color: str) -> Flowable:
    from reportlab.platypus import Table

    style = [
        ("LINEBEFORE", (0, 0), (0, -1), 4, color),
        ("BACKGROUND", (0, 0), (-1, -1), "#f4f5f4"),
        ("LEFTPADDING", (0, 0), (-1, -1), 10),
    ]
    return Table([[content]], colWidths=[_WIDTH], style=style)


def _table(table: blocks.Table, width: float) -> Flowable:
    from reportlab.platypus import Table as Grid

    cells = [[_cell(cell, "soft") for cell in table.head]] if table.head else []
    cells += [[_cell(cell, "ink") for cell in row] for row in table.rows]
    style = [
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, "#dfe3e6"),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 5),
        ("TOPPADDING", (0, 0), (-1, -1), 1.1),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1.1),
    ]
    return Grid(cells, colWidths=[share * width for share in table.shares], style=style, hAlign="LEFT")


def _cell(cell: blocks.Cell, color: str) -> Flowable:
    return _p(cell, 7.8, color) if isinstance(cell, str) else _p(cell.text, 7.8, cell.color)


def _grid(cells: list[list[Flowable]]) -> Flowable:
    from reportlab.platypus import Table

    half = _WIDTH / 2
    rows = [[*cells[i : i + 2], [_gap(1)]][:2] for i in range(0, len(cells), 2)]
    style = [
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 4),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
    ]
    return Table(rows, colWidths=[half, half], style=style)


def _columns(left: list[Any], right: list[Any]) -> Flowable:
    from reportlab.platypus import Table

    style = [("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)]
    return Table([[left, right]], colWidths=[_WIDTH / 2, _WIDTH / 2], style=style)


def _drawn(drawing: blocks.Drawing, width: float) -> Flowable:
    """A drawing as a flowable of a width."""
    from reportlab.platypus import Flowable

    scale = width / drawing.width

    class _Drawn(Flowable):  # type: ignore[misc]
        def wrap(self, *_: float) -> tuple[float, float]:
            return width, drawing.height * scale

        def draw(self) -> None:
            self.canv.saveState()
            self.canv.translate(0, drawing.height * scale)
            self.canv.scale(scale, scale)
            for shape in drawing.shapes:
                _paint(self.canv, shape)
            self.canv.restoreState()

    return _Drawn()


def _paint(canvas: Any, shape: Any) -> None:
    if isinstance(shape, blocks.Label):
        canvas.setFont("Helvetica-Bold" if shape.bold else "Helvetica", shape.size)
        canvas.setFillColor(COLORS[shape.color])
        place = {"start": canvas.drawString, "middle": canvas.drawCentredString, "end": canvas.drawRightString}
        place[shape.anchor](shape.at[0], -shape.at[1], _plain(shape.words))
        return
    path = canvas.beginPath()
    path.moveTo(shape.points[0][0], -shape.points[0][1])
    for x, y in shape.points[1:]:
        path.lineTo(x, -y)
    if isinstance(shape, blocks.Area):
        path.close()
        canvas.setFillColor(COLORS[shape.color], alpha=shape.opacity)
        canvas.drawPath(path, stroke=0, fill=1)
        canvas.setFillAlpha(1.0)
        return
    canvas.setStrokeColor(COLORS[shape.color])
    canvas.setLineWidth(shape.width)
    canvas.setLineCap(1)
    canvas.setLineJoin(1)
    canvas.setDash(list(shape.dash))
    canvas.drawPath(path, stroke=1, fill=0)
