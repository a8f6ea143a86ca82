"""Two gait sessions of one person side by side: what changed, and whether the change is beyond the error bars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from posepipe import __version__
from posepipe.gait.abnormal import Abnormal
from posepipe.gait.analyse import DISCLAIMER, GaitAnalysis
from posepipe.gait.curves import SHOWN
from posepipe.gait.deviation import Deviation
from posepipe.gait.norms import curve_bands
from posepipe.gait.types import SIDES, Value
from posepipe.reasons import Reason, explain
from posepipe.results.gait_report import analyse_person, curve_of, pattern_words, with_error
from posepipe.results.gait_report_draw import Drawing, to_svg
from posepipe.results.gait_report_figures import CurveLine, curve_panel
from posepipe.results.gait_report_html import page
from posepipe.results.gait_report_pdf import flow_columns, flow_heading, flow_table, flow_text, write_pdf
from posepipe.results.plots import BAND
from posepipe.results.recording import Person, Recording
from posepipe.results.sections import words

__all__ = ["Change", "Comparison", "compare_gait", "render_comparison_html", "write_comparison_pdf"]


@dataclass(frozen=True, slots=True)
class Change:
    """One number in both sessions.

    Attributes:
        label: name and unit, with the side.
        before, after: with 90 % error bars.
        change: the difference with its error bar.
        sure: whether zero is outside that bar.
    """

    label: str
    before: str
    after: str
    change: str
    sure: bool


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Two sessions.

    Attributes:
        titles: of both.
        verdict: in a sentence or two.
        changes: number by number; only what both sessions have.
        panels: curves over each other: left side, then right, of each angle.
        warnings: why the sessions may not be comparable.
    """

    titles: tuple[str, str]
    verdict: str
    changes: tuple[Change, ...]
    panels: tuple[Drawing, ...]
    warnings: tuple[str, ...]


def compare_gait(before: tuple[Recording, Person], after: tuple[Recording, Person]) -> Comparison:
    """Compare two sessions.

    Args:
        before: the first session's recording and the person in it.
        after: the second session's.
    """
    first, second = analyse_person(*before), analyse_person(*after)
    pairs = _values(first), _values(second)
    changes = [_change(name, pairs[0][name], pairs[1][name]) for name in pairs[0] if name in pairs[1]]
    return Comparison(
        titles=(_title(*before), _title(*after)),
        verdict=_verdict(first, second, changes),
        changes=tuple(changes),
        panels=tuple(_panels(first, second)),
        warnings=_warnings(before, after, first, second),
    )


def _title(recording: Recording, person: Person) -> str:
    name = PurePath(recording.video.path).name or recording.video.path
    return f"{name} ({recording.created[:10]}, person {person.id})"


def _values(found: GaitAnalysis) -> dict[str, Value]:
    out: dict[str, Value] = {}
    if isinstance(found.deviation, Deviation):
        out["Sagittal deviation score"] = Value(found.deviation.score, found.deviation.sigma)
    if isinstance(found.abnormal, Abnormal):
        out["Probability of an abnormal gait (%)"] = Value(100 * found.abnormal.probability, 100 * found.abnormal.sigma)
    items: Mapping[str, Any] = found.parameters.items if found.parameters is not None else {}
    for name, item in items.items():
        if isinstance(item, Value):
            out[words(name)] = item
        elif isinstance(item, Mapping):
            nested = {key: value for key, value in item.items() if isinstance(value, Value)}
            sided = set(item) <= set(SIDES)
            out |= {
                f"{words(name)}, {key}" if sided else words(f"{name}_{key}"): value for key, value in nested.items()
            }
    return out


def _change(label: str, before: Value, after: Value) -> Change:
    away = after.value - before.value
    sigma = float(np.hypot(before.sigma, after.sigma))
    return Change(
        label,
        with_error(before.value, before.sigma),
        with_error(after.value, after.sigma),
        ("+" if away > 0 else "") + with_error(away, sigma),
        bool(abs(away) > BAND * sigma),
    )


def _verdict(first: GaitAnalysis, second: GaitAnalysis, changes: list[Change]) -> str:
    for number, found in (("first", first), ("second", second)):
        if found.withheld is not None:
            return f"No gait result in the {number} session. {explain(found.withheld)}"
    sure = [change.label for change in changes if change.sure]
    text = f"Beyond their error bars changed: {', '.join(sure)}." if sure else "Nothing changed beyond the error bars."
    said = []
    for number, found in (("first", first), ("second", second)):
        answer = found.abnormal
        if isinstance(answer, Reason):
            said.append(f"the {number} session wasn't judged")
        elif answer.label == "abnormal":
            said.append(f"the {number} looks abnormal, most like {pattern_words(answer.pattern)}")
        else:
            said.append(f"in the {number} nothing was flagged")
    return f"{text} {'; '.join(said)[:1].upper()}{'; '.join(said)[1:]}."


def _panels(first: GaitAnalysis, second: GaitAnalysis) -> list[Drawing]:
    bands = curve_bands(first.view) if first.view and first.view == second.view else {}
    panels = []
    for angle in SHOWN:
        for side in SIDES:
            old, new = curve_of(first, side, angle), curve_of(second, side, angle)
            if old is None or new is None:
                continue
            lines = [
                CurveLine(old.mean_deg, old.sigma_deg, "soft", (3.0, 2.0), shaded=False),
                CurveLine(new.mean_deg, new.sigma_deg, side, ()),
            ]
            panels.append(curve_panel(angle, lines, bands.get(angle), title=f"{side}, "))
    return panels


def _warnings(
    before: tuple[Recording, Person], after: tuple[Recording, Person], first: GaitAnalysis, second: GaitAnalysis
) -> tuple[str, ...]:
    out = []
    if first.view != second.view:
        out.append("The sessions were filmed from different sides: angles can't be compared with confidence.")
    rates = [recording.video.fps_hz for recording, _ in (before, after)]
    if max(rates) > 1.5 * min(rates):
        out.append("The sessions have very different frame rates: times are less certain in the slower one.")
    if before[1].scale_source != after[1].scale_source:
        out.append("Body height was given in one session only: lengths and speeds can't be compared.")
    return tuple(out)


_NOTE = (
    "Dashed grey: first session. Solid: second session. Grey band: normal walks seen the same way, ± 2 SD. "
    "± are 90 % error bars; a change counts where its whole bar is on one side of zero. Film both sessions from the "
    "same side, at the same frame rate, in similar clothes."
)


def render_comparison_html(comparison: Comparison) -> str:
    """The comparison as one document that loads nothing; two printed pages."""
    head = f"<h1>Gait, two sessions</h1>{''.join(f'<p class=soft>{escape(t)}</p>' for t in comparison.titles)}"
    warned = "".join(f'<p class="mark">{escape(text)}</p>' for text in comparison.warnings)
    rows = "".join(
        f"<tr><th>{escape(c.label)}</th><td>{escape(c.before)}</td><td>{escape(c.after)}</td>"
        f"<td{' class=mark' if c.sure else ''}>{escape(c.change)}</td><td>{'changed' if c.sure else ''}</td></tr>"
        for c in comparison.changes
    )
    table = (
        "<table><thead><tr><th></th><th>First</th><th>Second</th><th>Change</th><th></th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )
    drawn = "".join(f"<div>{to_svg(panel)}</div>" for panel in comparison.panels)
    first = f'{head}<div class="verdict"><p>{escape(comparison.verdict)}</p></div>{warned}{table if rows else ""}'
    second = f'<h2>Joint angles over the gait cycle</h2><div class="grid">{drawn}</div><p class="notes">{_NOTE}</p>'
    return page("Gait, two sessions", [first, second], f"posepipe {__version__}. {DISCLAIMER}")


def write_comparison_pdf(comparison: Comparison, path: Path) -> None:
    """Write the comparison as a PDF.

    Raises:
        UsageError: reportlab isn't installed.
    """
    first = [flow_heading("Gait, two sessions"), *(flow_text(title) for title in comparison.titles)]
    first += [flow_text(comparison.verdict), *(flow_text(text) for text in comparison.warnings)]
    rows = [["", "First", "Second", "Change", ""]]
    rows += [[c.label, c.before, c.after, c.change, "changed" if c.sure else ""] for c in comparison.changes]
    first.append(flow_table(rows, (0.4, 0.18, 0.18, 0.14, 0.1)))
    second = [flow_heading("Joint angles over the gait cycle"), flow_columns(comparison.panels), flow_text(_NOTE)]
    write_pdf(path, "Gait, two sessions", [first, second], f"posepipe {__version__}. {DISCLAIMER}")
