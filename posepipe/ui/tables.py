"""Results in the app's language as rows of a table, with error bars. Nothing is measured here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from posepipe.errors import UsageError
from posepipe.reasons import explain
from posepipe.results.language import report_words
from posepipe.results.plots import BAND
from posepipe.ui.texts import Texts

__all__ = ["faults_text", "measured", "reason_text", "rejected_rows", "rep_rows"]


def reason_text(text: Texts, code: str) -> str:
    """Why something is withheld, as a sentence."""
    try:
        return report_words(text.language)(explain(code))
    except UsageError:
        return code.replace("_", " ")


def measured(value: float | None, sigma: float | None, unit: str = "") -> str:
    """A number with its 90 % error bar, rounded to what the bar allows: "92° ± 4"; a dash if it isn't known."""
    if value is None or not math.isfinite(value):
        return "–"
    if sigma is None or not math.isfinite(sigma) or sigma <= 0:
        return f"{value:.3g}{unit}"
    half = BAND * sigma
    decimals = max(0, 1 - math.floor(math.log10(half)))
    return f"{value:.{decimals}f}{unit} ± {half:.{decimals}f}"


def faults_text(text: Texts, faults: Sequence[str]) -> str:
    """What was wrong with a repetition, or that nothing was."""
    return ", ".join(text.name("fault", fault) for fault in faults) or text("reps.good")


def rep_rows(text: Texts, section: Mapping[str, Any]) -> list[dict[str, str]]:
    """The repetitions of an ``exercise`` section."""
    rows = []
    for bout in section.get("segments") or ():
        for number, rep in enumerate(bout.get("rep_list") or (), 1):
            out, back = [*(rep.get("tempo_s") or ()), None, None][:2]
            rows.append(
                {
                    text("reps.exercise"): text.name("exercise", str(bout["label"])),
                    text("reps.number"): str(number),
                    text("reps.start"): _seconds(rep.get("start_s")),
                    text("reps.end"): _seconds(rep.get("end_s")),
                    text("reps.range"): measured(rep.get("rom_deg"), rep.get("rom_sigma_deg"), "°"),
                    text("reps.tempo"): f"{_seconds(out)}, {_seconds(back)}",
                    text("reps.form"): faults_text(text, rep.get("faults") or ()),
                }
            )
    return rows


def rejected_rows(text: Texts, section: Mapping[str, Any]) -> list[dict[str, str]]:
    """Movements of an ``exercise`` section that weren't counted."""
    return [
        {
            text("reps.exercise"): text.name("exercise", str(bout["label"])),
            text("reps.start"): _seconds(one.get("start_s")),
            text("reps.end"): _seconds(one.get("end_s")),
            text("reps.why"): reason_text(text, str(one.get("reason"))),
        }
        for bout in section.get("segments") or ()
        for one in bout.get("rejected") or ()
    ]


def _seconds(value: float | None) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{value:.1f} s"
