"""The gait report as a PDF of two A4 pages (needs the extra "report": reportlab)."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posepipe.errors import UsageError
from posepipe.results.gait_report import GaitReport, ParameterRow, Sign
from posepipe.results.gait_report_draw import COLORS, Area, Drawing, Text

if TYPE_CHECKING:
    from reportlab.platypus import Flowable

__all__ = [
    "can_write_pdf",
    "flow_columns",
    "flow_heading",
    "flow_table",
    "flow_text",
    "write_gait_pdf",
    "write_pdf",
]

_MARGIN = 36.0
_WIDTH = 595.28 - 2 * _MARGIN


def can_write_pdf() -> bool:
    """Whether reportlab is installed."""
    return find_spec("reportlab") is not None


def write_gait_pdf(report: GaitReport, path: Path) -> None:
    """Write the report.

    Raises:
        UsageError: reportlab isn't installed.
    """
    color = COLORS["alert" if report.alert else "fine" if report.judged else "unjudged"]
    first: list[Any] = [_p(f"Gait report: {report.title}", 14, bold=True)]
    first += [_p(fact, 8, "soft") for fact in report.facts]
    first += [_gap(4), _box([_p(report.verdict, 10, bold=True), _p(report.score, 9)], color)]
    if report.signs:
        title = "What speaks for it" if report.alert else "What stands out, though not flagged"
        first += [_head(title), _signs(report.signs)]
    if report.strips:
        first += [_head("One stride of each side"), *(_drawn(strip, _WIDTH) for strip in report.strips)]
    if report.parameters:
        first += [_head("Spatiotemporal parameters"), _parameters(report.parameters)]
    second: list[Any] = []
    if report.panels:
        second += [_head("Joint angles over the gait cycle"), _key(), _grid(report.panels)]
    symmetry = [[row.label.removeprefix("Symmetry ").capitalize(), row.both] for row in report.symmetry]
    left = [_head("Symmetry"), _table(symmetry, (0.6, 0.4), _WIDTH / 2 - 10)] if symmetry else []
    right = [_drawn(report.bars, _WIDTH / 2 - 6)] if report.bars is not None else []
    if left or right:
        second.append(_columns(left, right))
    if report.withheld:
        second += [
            _head("What was withheld, and why"),
            _table([list(row) for row in report.withheld], (0.34, 0.66), _WIDTH),
        ]
    second += [_gap(4), *(_p(note, 6.8, "soft") for note in report.notes)]
    write_pdf(path, f"{report.title} - gait report", [first, second], report.footer)


def write_pdf(path: Path, title: str, sheets: Sequence[Sequence[Any]], footer: str) -> None:
    """Write flowables, each sheet on a page of its own; a sheet that is too long goes on.

    Raises:
        UsageError: reportlab isn't installed.
    """
    if not can_write_pdf():
        raise UsageError("reportlab is not installed", hint="pip install 'posepipe[report]'")
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import PageBreak, SimpleDocTemplate

    def foot(canvas: Any, document: Any) -> None:
        canvas.setFont("Helvetica", 7)
        canvas.setFillColor(COLORS["soft"])
        canvas.drawString(_MARGIN, 20, _plain(footer))
        canvas.drawRightString(A4[0] - _MARGIN, 20, f"{document.page}")

    story: list[Any] = []
    for number, sheet in enumerate(sheets):
        story += ([PageBreak()] if number else []) + list(sheet)
    document = SimpleDocTemplate(
        str(path),
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=28,
        bottomMargin=32,
        title=_plain(title),
        author="posepipe",
        invariant=1,
    )
    document.build(story, onFirstPage=foot, onLaterPages=foot)


def flow_heading(text: str) -> Flowable:
    """A heading."""
    return _head(text)


def flow_text(text: str) -> Flowable:
    """A paragraph."""
    return _p(text, 8.5)


def flow_table(rows: Sequence[Sequence[str]], shares: Sequence[float]) -> Flowable:
    """A table with a head row over the page's width."""
    return _table(rows, shares, _WIDTH, head=True)


def flow_columns(panels: Sequence[Drawing]) -> Flowable:
    """Drawings in two columns; an empty space without any."""
    return _grid(panels) if panels else _gap(1)


def _plain(text: str) -> str:
    """Text in the characters of the PDF's standard fonts; others become question marks."""
    text = text.replace("\u2212", "-").replace("›", ">")
    return text.encode("cp1252", "replace").decode("cp1252")


def _p(text: str, size: float, color: str = "ink", *, bold: bool = False, before: float = 0.0) -> Flowable:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph

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
    return Paragraph(escape(_plain(text)), style)


def _head(text: str) -> Flowable:
    return _p(text, 9.5, bold=True, before=5.0)


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


def _table(rows: Sequence[Sequence[str]], shares: Sequence[float], width: float, *, head: bool = False) -> Flowable:
    from reportlab.platypus import Table

    cells = [
        [_p(text, 7.8, "soft" if head and not number else "ink", bold=head and not number) for text in row]
        for number, row in enumerate(rows)
    ]
    style = [
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, "#dfe3e6"),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 5),
        ("TOPPADDING", (0, 0), (-1, -1), 1.1),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1.1),
    ]
    return Table(cells, colWidths=[share * width for share in shares], style=style, hAlign="LEFT")


def _signs(signs: Sequence[Sign]) -> Flowable:
    rows = [["Sign", "Side", "Measured", "Normal (± 2 SD)", "From normal"]]
    rows += [[s.words, s.side, s.value, s.normal, s.distance] for s in signs]
    return _table(rows, (0.36, 0.1, 0.2, 0.2, 0.14), _WIDTH, head=True)


def _parameters(rows: Sequence[ParameterRow]) -> Flowable:
    table = [["", "Left", "Right", "Both", "Normal range", ""]]
    table += [[r.label, r.left, r.right, r.both, r.normal, r.mark] for r in rows]
    return _table(table, (0.3, 0.16, 0.16, 0.16, 0.14, 0.08), _WIDTH, head=True)


def _key() -> Flowable:
    drawing = Drawing(_WIDTH, 11.0, "Key")
    entries = (("left", (), 1.6), ("right", (4.0, 2.0), 1.6), ("band", (), 6.0), ("published", (0.8, 2.2), 1.0))
    names = ("left", "right", "normal walks, ± 2 SD", "published adults, marker-based")
    x = 0.0
    for (color, dash, width), name in zip(entries, names, strict=True):
        drawing.line([(x, 6.0), (x + 20.0, 6.0)], color, width, dash)
        drawing.text(x + 24.0, 8.5, name, 7.5, "soft")
        x += 62.0 + 3.6 * len(name)
    return _drawn(drawing, _WIDTH)


def _grid(panels: Sequence[Drawing]) -> Flowable:
    from reportlab.platypus import Table

    half = _WIDTH / 2
    cells = [[_drawn(panel, half - 6) for panel in panels[i : i + 2]] for i in range(0, len(panels), 2)]
    for row in cells:
        row += [_gap(1)] * (2 - len(row))
    style = [
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 4),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
    ]
    return Table(cells, colWidths=[half, half], style=style)


def _columns(left: list[Any], right: list[Any]) -> Flowable:
    from reportlab.platypus import Table

    style = [("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)]
    return Table([[left, right]], colWidths=[_WIDTH / 2, _WIDTH / 2], style=style)


def _drawn(drawing: Drawing, width: float) -> Flowable:
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
    if isinstance(shape, Text):
        canvas.setFont("Helvetica-Bold" if shape.bold else "Helvetica", shape.size)
        canvas.setFillColor(COLORS[shape.color])
        place = {"start": canvas.drawString, "middle": canvas.drawCentredString, "end": canvas.drawRightString}
        place[shape.anchor](shape.at[0], -shape.at[1], _plain(shape.words))
        return
    path = canvas.beginPath()
    path.moveTo(shape.points[0][0], -shape.points[0][1])
    for x, y in shape.points[1:]:
        path.lineTo(x, -y)
    if isinstance(shape, Area):
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
