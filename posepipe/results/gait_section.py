"""The gait section of ``report.html``: the answer first, then the signs, then every number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from posepipe.gait.features import FEATURES
from posepipe.results.gait_report import pattern_words, with_error
from posepipe.results.sections import gait_html as plain_gait_html
from posepipe.results.sections import why, words
from posepipe.results.summary import plain

__all__ = ["gait_html"]

_LABELS = {spec.name: spec.label for spec in FEATURES}
_OWN = ("abnormal", "deviation_score", "note", "view", "strides")


def gait_html(section: Mapping[str, Any]) -> str:
    """The section as HTML; one that holds no judgement looks like any other table of results."""
    section = plain(section)
    if "withheld" in section or "deviation_score" not in section:
        return plain_gait_html(section)
    parts = [_answer(section.get("abnormal")), _score(section["deviation_score"])]
    strides = section.get("strides")
    if isinstance(strides, Mapping):
        counted = " and ".join(f"{count} {side}" for side, count in strides.items())
        parts.append(f'<p class="soft">Strides found: {escape(counted)}.</p>')
    parts.append(plain_gait_html({key: value for key, value in section.items() if key not in _OWN}))
    link = '<a href="gait.html">gait.html</a>'
    parts.append(f'<p class="soft">Curves against normal walks: {link}, two pages to print.</p>')
    return "".join(parts)


def _answer(abnormal: Any) -> str:
    if not isinstance(abnormal, Mapping):
        return ""
    if "withheld" in abnormal:
        return f'<p class="withheld">Normal or abnormal: withheld. {escape(why(str(abnormal["withheld"])))}</p>'
    percent = f"{100 * float(abnormal.get('probability') or 0.0):.0f}\u00a0%"
    text = f"Screening: <b>{escape(str(abnormal.get('label')))}</b> walking, probability of an abnormal gait {percent}"
    if abnormal.get("label") == "abnormal":
        text += f", most like “{escape(pattern_words(str(abnormal.get('pattern'))))}”"
    out = f'<p class="note">{text}. This points out who may need a closer look; it doesn\'t diagnose.</p>'
    signs = abnormal.get("evidence") or ()
    return out + (_signs(signs) if signs else "")


def _signs(signs: Sequence[Any]) -> str:
    return f'<div class="wide"><table><caption>Signs</caption>{"".join(map(_sign, signs))}</table></div>'


def _sign(sign: Any) -> str:
    if not isinstance(sign, Mapping):
        return f"<tr><th>{escape(str(sign))}</th></tr>"
    feature = str(sign.get("feature"))
    cells = (
        str(sign.get("side") or ""),
        _LABELS.get(feature) or words(feature),
        f"{float(sign.get('sd_from_norm') or 0.0):+.1f} SD from normal",
    )
    row = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f"<tr><th>{escape(str(sign.get('words')))}</th>{row}</tr>"


def _score(score: Any) -> str:
    if not isinstance(score, Mapping):
        return ""
    if "withheld" in score:
        return f'<p class="withheld">Sagittal deviation score: withheld. {escape(why(str(score["withheld"])))}</p>'
    value = with_error(float(score["value"]), float(score.get("sigma") or 0.0))
    return (
        f"<p>Sagittal deviation score: <b>{escape(value)}</b> (normal walks: mean 100, standard deviation 10; less is "
        "further from normal).</p>"
    )
