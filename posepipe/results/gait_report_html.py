"""The gait report as one HTML page that prints on two sheets of A4."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from posepipe.results.gait_report import GaitReport, ParameterRow, Sign
from posepipe.results.gait_report_draw import Drawing, to_svg

__all__ = ["page", "render_gait_html"]

_STYLE = """
@page { size: A4; margin: 12mm 13mm; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 186mm; color: #1b1f23; background: #fff;
  font: 9.5pt/1.36 "Helvetica Neue", Helvetica, Arial, "Noto Sans", sans-serif; }
section.sheet { break-after: page; } section.sheet:last-of-type { break-after: auto; }
h1 { font-size: 15pt; margin: 0; overflow-wrap: anywhere; } h2 { font-size: 10.5pt; margin: 3.2mm 0 1mm; }
p { margin: .8mm 0; } .soft { color: #59626b; font-size: 8.5pt; }
.verdict { border-left: 1.4mm solid #2f6b3a; background: #f2f5f2; padding: 2mm 3mm; margin: 2.4mm 0;
  font-size: 10.5pt; }
.verdict.unjudged { border-color: #8a939b; background: #f3f4f5; }
.verdict.alert { border-color: #9d1c1c; background: #f8f1f0; }
.verdict p { margin: 0 0 .8mm; }
svg { display: block; width: 100%; height: auto; font-family: inherit; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .55mm 2mm .55mm 0; border-bottom: .25mm solid #dfe3e6; vertical-align: top; }
thead th { color: #59626b; font-size: 8.5pt; } tbody th { font-weight: 400; }
.left { color: #0072b2; } .right { color: #c65300; } .mark { color: #9d1c1c; font-weight: 600; }
.grid { display: grid; grid-template-columns: 1fr 1fr; gap: 2mm 5mm; }
.key span { display: inline-block; width: 8mm; border-top: .6mm solid; vertical-align: middle; margin: 0 1mm 0 3mm; }
.notes { font-size: 7.6pt; line-height: 1.32; color: #59626b; } .notes p { margin: .5mm 0; }
footer { border-top: .3mm solid #c9ced3; margin-top: 2mm; padding-top: 1mm; font-size: 8pt; }
@media print { body { padding: 0; max-width: none; print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
_KEY = (
    '<p class="key soft"><span style="color:#0072b2"></span><b class="left">left</b>'
    '<span style="color:#c65300;border-top-style:dashed"></span><b class="right">right</b>'
    '<span style="color:#b9c2ca;border-top-width:2.4mm"></span>normal walks, ± 2 SD'
    '<span style="color:#6d7780;border-top-style:dotted"></span>published adults, marker-based</p>'
)


def render_gait_html(report: GaitReport) -> str:
    """The report as one document that loads nothing."""
    first = [
        _header(report),
        f'<div class="verdict{_answer_class(report)}"><p><b>{escape(report.verdict)}</b></p>'
        f"<p>{escape(report.score)}</p></div>",
    ]
    if report.signs:
        first.append(f"<h2>{_signs_title(report)}</h2>{_sign_table(report.signs)}")
    if report.strips:
        first.append("<h2>One stride of each side</h2>" + "".join(to_svg(strip) for strip in report.strips))
    if report.parameters:
        first.append(f"<h2>Spatiotemporal parameters</h2>{_parameter_table(report.parameters)}")
    second = []
    if report.panels:
        drawn = "".join(f"<div>{to_svg(panel)}</div>" for panel in report.panels)
        second.append(f'<h2>Joint angles over the gait cycle</h2>{_KEY}<div class="grid">{drawn}</div>')
    second.append(f'<div class="grid"><div>{_symmetry(report)}</div><div>{_bars(report.bars)}</div></div>')
    if report.withheld:
        rows = "".join(f"<tr><th>{escape(what)}</th><td>{escape(why)}</td></tr>" for what, why in report.withheld)
        second.append(f"<h2>What was withheld, and why</h2><table>{rows}</table>")
    notes = "".join(f"<p>{escape(note)}</p>" for note in report.notes)
    second.append(f'<div class="notes">{notes}</div>')
    return page(f"{report.title} - gait report", ["".join(first), "".join(second)], report.footer)


def page(title: str, sheets: Sequence[str], footer: str) -> str:
    """A document of printed sheets."""
    foot = f"<footer>{escape(footer)}</footer>"
    body = "".join(f'<section class="sheet">{sheet}{foot}</section>' for sheet in sheets)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        'img-src data:">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{_STYLE}</style></head>'
        f"<body>{body}</body></html>\n"
    )


def _header(report: GaitReport) -> str:
    facts = "".join(f'<p class="soft">{escape(fact)}</p>' for fact in report.facts)
    return f"<header><h1>Gait report: {escape(report.title)}</h1>{facts}</header>"


def _signs_title(report: GaitReport) -> str:
    return "What speaks for it" if report.alert else "What stands out, though not flagged"


def _sign_table(signs: Sequence[Sign]) -> str:
    rows = "".join(
        f"<tr><th>{escape(s.words)}</th><td{_side_class(s.side)}>{escape(s.side)}</td>"
        f"<td>{escape(s.value)}</td><td>{escape(s.normal)}</td><td>{escape(s.distance)}</td></tr>"
        for s in signs
    )
    head = "<tr><th>Sign</th><th>Side</th><th>Measured</th><th>Normal (± 2 SD)</th><th>From normal</th></tr>"
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _parameter_table(rows: Sequence[ParameterRow]) -> str:
    body = "".join(_parameter_row(row) for row in rows)
    head = (
        '<tr><th></th><th class="left">Left</th><th class="right">Right</th><th>Both</th>'
        "<th>Normal range</th><th></th></tr>"
    )
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"


def _parameter_row(row: ParameterRow) -> str:
    cells = "".join(f"<td>{escape(text)}</td>" for text in (row.left, row.right, row.both, row.normal))
    return f'<tr><th>{escape(row.label)}</th>{cells}<td class="mark">{escape(row.mark)}</td></tr>'


def _symmetry(report: GaitReport) -> str:
    if not report.symmetry:
        return ""
    rows = "".join(
        f"<tr><th>{escape(r.label.removeprefix('Symmetry ').capitalize())}</th><td>{escape(r.both)}</td></tr>"
        for r in report.symmetry
    )
    return f"<h2>Symmetry</h2><table>{rows}</table>"


def _bars(bars: Drawing | None) -> str:
    return to_svg(bars) if bars is not None else ""


def _answer_class(report: GaitReport) -> str:
    """Green is for a walk that was judged and not flagged."""
    if report.alert:
        return " alert"
    return "" if report.judged else " unjudged"


def _side_class(side: str) -> str:
    return f' class="{side}"' if side in ("left", "right") else ""
