"""A comparison with a laboratory as a page to read and tables for a paper."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np

from posepipe.body.angles import ANGLES
from posepipe.media.atomic import atomic_path
from posepipe.record.agree import Agreement, AngleAgreement, CycleAgreement, EventAgreement
from posepipe.record.seal import require_room, writing
from posepipe.reports.blocks import Block, Columns, Drawing, Figure, Figures, Page, Paragraph, Section, Table, Verdict
from posepipe.reports.drawings import Curve, thin, time_plot
from posepipe.reports.gait import write_page
from posepipe.reports.sections import footer, words
from posepipe.texts import ENGLISH, Texts, load

__all__ = ["agreement_page", "write_agreement"]

_RECORD = ".posepipe-agree.json"
_FILES = ("agreement.html", "agreement.pdf", "agreement.csv", "agreement-cycles.csv", "agreement-pairs.csv")
_LABELS = {spec.name: spec.label for spec in ANGLES}
_DOTS = 400
_NAMED = 12
_SAMPLES = 600
_SUMS = ("time_s", "ours_deg", "sigma_deg", "theirs_deg")
"""Samples of an `AngleAgreement`; they stand in the table of pairs."""


def agreement_page(found: Agreement, say: Texts = ENGLISH) -> Page:
    """The comparison: numbers first, then each angle over time and as differences (Bland and Altman)."""
    title = say("Agreement with {name}", name=found.reference)
    sheet: list[Block] = [Verdict(_verdict(found, say), _aligned(found, say), tone="unjudged")]
    if found.rival_s is not None:
        text = say(
            "An offset of {offset} s fits nearly as well, for the movement repeats itself. "
            "Give the right one with --offset-s.",
            offset=f"{found.rival_s:.2f}",
        )
        sheet.append(Paragraph(text, "mark"))
    sheet += _angle_table(found.angles, say) + _event_table(found.events, say) + _cycle_table(found.cycles, say)
    if found.left_out:
        more = ["…"] if len(found.left_out) > _NAMED else []
        names = ", ".join([*found.left_out[:_NAMED], *more])
        sheet.append(Paragraph(say("Not compared: {names}.", names=names), "soft"))
    sheet.append(Paragraph(_note(say), "small"))
    drawn = tuple(_figures(angle, say) for angle in found.angles)
    sheets = (tuple(sheet), drawn) if drawn else (tuple(sheet),)
    return Page(title, title, sheets, footer(say), say.language)


def write_agreement(found: Agreement, out: Path, language: str = "en") -> tuple[Path, ...]:
    """Write the comparison as a page and as tables.

    ``agreement.html`` and ``.pdf``; ``agreement.csv``, a row for each angle and kind of event;
    ``agreement-cycles.csv``, each angle in each stride or repetition; ``agreement-pairs.csv``, every pair of samples,
    in the columns subject, trial, time, measure, pred, ref, unit and sigma (poseaudit's form).

    Raises:
        OutputError: the folder or disk refuses.
    """
    require_room(out, _FILES, _RECORD)
    page = agreement_page(found, load(language))
    tables = {"agreement": _sums(found), "agreement-cycles": _cycle_rows(found), "agreement-pairs": _pair_rows(found)}
    with writing(out, "agreement", record=_RECORD) as made:
        written = [path.name for path in write_page(page, made / "agreement")]
        for name, rows in tables.items():
            with atomic_path(made / f"{name}.csv") as temporary:
                temporary.write_text(_csv(rows), encoding="utf-8")
            written.append(f"{name}.csv")
    return tuple(out / name for name in written)


def _label(angle: str, say: Texts) -> str:
    return say(_LABELS.get(angle) or words(angle))


def _csv(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    """Numbers to five digits; unknown is an empty cell."""
    if isinstance(value, float):
        return f"{value:.5g}" if np.isfinite(value) else ""
    return value


def _sums(found: Agreement) -> Iterable[Sequence[object]]:
    names = [field.name for field in fields(AngleAgreement) if field.name not in ("angle", *_SUMS)]
    yield ("measure", "samples", *names, "ours_alone", "theirs_alone", "bias_ms", "sd_ms")
    for angle in found.angles:
        yield (angle.angle, len(angle.time_s), *(getattr(angle, name) for name in names), "", "", "", "")
    for event in found.events:
        blank = [""] * len(names)
        yield (event.type, event.matched, *blank, event.ours_alone, event.theirs_alone, event.bias_ms, event.sd_ms)


def _cycle_rows(found: Agreement) -> Iterable[Sequence[object]]:
    yield (
        *("kind", "number", "start_s", "end_s", "angle", "rmse_deg", "bias_deg"),
        *("peak_deg", "reference_peak_deg", "range_deg", "reference_range_deg"),
    )
    for cycle in found.cycles:
        row = (cycle.kind, cycle.number, cycle.start_s, cycle.end_s, cycle.angle, cycle.rmse_deg, cycle.bias_deg)
        yield (*row, *cycle.peak_deg, *cycle.range_deg)


def _pair_rows(found: Agreement) -> Iterable[Sequence[object]]:
    yield "subject", "trial", "time", "measure", "pred", "ref", "unit", "sigma"
    for angle in found.angles:
        samples = zip(angle.time_s, angle.ours_deg, angle.theirs_deg, angle.sigma_deg, strict=True)
        for time_s, ours, theirs, sigma in samples:
            numbers = float(ours), float(theirs)
            yield found.person, found.reference, f"{time_s:.6f}", angle.angle, *numbers, "deg", float(sigma)


def _verdict(found: Agreement, say: Texts) -> str:
    if not found.angles:
        return say("Events compared; the two have no angle in common.")
    rmse = np.array([[angle.rmse_deg, angle.centred_rmse_deg] for angle in found.angles])
    return say(
        "{count} angles compared: the median RMSE is {whole}°, and {centred}° without the bias of each angle.",
        count=len(found.angles),
        whole=f"{np.median(rmse[:, 0]):.1f}",
        centred=f"{np.median(rmse[:, 1]):.1f}",
    )


def _aligned(found: Agreement, say: Texts) -> str:
    offset = f"{found.offset_s:.3f}"
    if found.offset_from == "given":
        return say("Clocks: the reference's plus {offset} s, as given.", offset=offset)
    if found.offset_from == "events":
        return say(
            "Clocks: the reference's plus {offset} s, where most events meet; a constant lag can't be seen.",
            offset=offset,
        )
    alike = f"{found.alike:.2f}"
    return say(
        "Clocks: the reference's plus {offset} s, where the curves are most alike (correlation {alike}).",
        offset=offset,
        alike=alike,
    )


def _angle_table(angles: Sequence[AngleAgreement], say: Texts) -> list[Block]:
    if not angles:
        return []
    head = ("", say("Bias"), say("Limits"), "RMSE", say("RMSE, centred"), "r", "ICC", say("In our 90 % bar, centred"))
    rows = tuple(
        (
            _label(angle.angle, say),
            f"{angle.bias_deg:+.1f}°",
            f"{angle.low_deg:+.1f}° … {angle.high_deg:+.1f}°",
            f"{angle.rmse_deg:.1f}°",
            f"{angle.centred_rmse_deg:.1f}°",
            _two(angle.r),
            _two(angle.icc),
            f"{100 * angle.coverage_90:.0f} %, {100 * angle.centred_coverage_90:.0f} %",
        )
        for angle in angles
    )
    return [Table(rows, (0.26, 0.09, 0.19, 0.09, 0.09, 0.07, 0.07, 0.14), head)]


def _two(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "–"


def _event_table(events: Sequence[EventAgreement], say: Texts) -> list[Block]:
    if not events:
        return []
    head = ("", say("Found by both"), say("Ours alone"), say("Theirs alone"), say("Bias"), say("Spread (SD)"))
    names = {"heel_strike": say("Heel strike"), "toe_off": say("Toe off")}
    rows = tuple(
        (
            names[event.type],
            str(event.matched),
            str(event.ours_alone),
            str(event.theirs_alone),
            f"{event.bias_ms:+.0f} ms" if np.isfinite(event.bias_ms) else "–",
            f"{event.sd_ms:.0f} ms" if np.isfinite(event.sd_ms) else "–",
        )
        for event in events
    )
    return [Table(rows, (0.25, 0.15, 0.15, 0.15, 0.15, 0.15), head)]


def _cycle_table(cycles: Sequence[CycleAgreement], say: Texts) -> list[Block]:
    """Means over strides or repetitions; each is in ``agreement-cycles.csv``."""
    rows = []
    for angle in dict.fromkeys(cycle.angle for cycle in cycles):
        mine = [cycle for cycle in cycles if cycle.angle == angle]
        peaks = np.array([cycle.peak_deg for cycle in mine])
        ranges = np.array([cycle.range_deg for cycle in mine])
        told = [f"{pairs[:, 0].mean():.1f}° / {pairs[:, 1].mean():.1f}°" for pairs in (peaks, ranges)]
        away = float(np.mean(peaks[:, 0] - peaks[:, 1])), float(np.mean(ranges[:, 0] - ranges[:, 1]))
        rows.append((_label(angle, say), str(len(mine)), told[0], f"{away[0]:+.1f}°", told[1], f"{away[1]:+.1f}°"))
    if not rows:
        return []
    head = ("", say("Cycles"), say("Peak, ours / theirs"), "Δ", say("Range, ours / theirs"), "Δ")
    return [Section(say("By stride or repetition"), (Table(tuple(rows), (0.3, 0.1, 0.2, 0.1, 0.2, 0.1), head),))]


def _note(say: Texts) -> str:
    return say(
        "Difference = ours − theirs. Limits: bias ± 1.96 standard deviations of the differences (Bland and Altman "
        "1986); samples of one recording aren't independent of each other, so the limits are this recording's. "
        "Centred: without the bias, which two definitions of zero may cause. ICC(A,1): McGraw and Wong 1996. "
        "Every pair of samples is in agreement-pairs.csv."
    )


def _figures(angle: AngleAgreement, say: Texts) -> Block:
    color = angle.angle.partition("_")[0] if angle.angle.startswith(("left_", "right_")) else "ink"
    unknown = np.full(len(angle.time_s), np.nan)
    curves = [
        Curve(angle.time_s, angle.theirs_deg, unknown, "published", shaded=False),
        Curve(angle.time_s, angle.ours_deg, angle.sigma_deg, color),
    ]
    note = say("Colour: ours, with its 90 % error bar. Grey: theirs.")
    over_time = time_plot(_label(angle.angle, say), curves, _SAMPLES, note=note)
    beside = Figure(_differences(angle, say), say("Ours − theirs against their mean"), "")
    return Columns((Figures((over_time,)),), (Figures((beside,)),))


def _differences(angle: AngleAgreement, say: Texts) -> Drawing:
    """Bland and Altman's plot: each difference over the mean of both, with bias and limits."""
    across, up = (angle.ours_deg + angle.theirs_deg) / 2.0, angle.ours_deg - angle.theirs_deg
    kept = thin(up, _DOTS)
    across, up = across[kept], up[kept]
    low, high = float(min(up.min(), angle.low_deg)), float(max(up.max(), angle.high_deg))
    start, end = float(across.min()), float(across.max())
    drawing = Drawing(420.0, 170.0, say("{angle}: differences", angle=_label(angle.angle, say)))
    left, top, right, bottom = 50.0, 8.0, 350.0, 145.0

    def x(value: float) -> float:
        return left + (value - start) / max(end - start, 1e-6) * (right - left)

    def y(value: float) -> float:
        return top + (high - value) / max(high - low, 1e-6) * (bottom - top)

    drawing.line([(left, top), (left, bottom), (right, bottom)], "rule", 0.9)
    for value, width, dash in (
        (angle.bias_deg, 1.6, ()),
        (angle.low_deg, 1.0, (5.0, 3.0)),
        (angle.high_deg, 1.0, (5.0, 3.0)),
    ):
        drawing.line([(left, y(value)), (right, y(value))], "alert", width, dash)
        drawing.text(right + 4.0, y(value) + 4.0, f"{value:+.1f}°", 12.5, "alert")
    for value in (start, end):
        drawing.text(x(value), 160.0, f"{value:.0f}°", 12.5, "soft", "middle")
    for a, b in zip(across.tolist(), up.tolist(), strict=True):
        px, py = x(a), y(b)
        drawing.area([(px - 1.2, py), (px, py - 1.2), (px + 1.2, py), (px, py + 1.2)], "ink", 0.35)
    return drawing
