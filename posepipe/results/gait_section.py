"""The gait section of ``report.html``: the answer first, then the signs, then every number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from posepipe.gait.features import FEATURES
from posepipe.results.gait_report import chance, pattern_words, with_error
from posepipe.results.language import ENGLISH, Words
from posepipe.results.sections import gait_html as plain_gait_html
from posepipe.results.sections import strides_words, why, words
from posepipe.results.summary import plain

__all__ = ["gait_html"]

_LABELS = {spec.name: spec.label for spec in FEATURES}
_OWN = ("abnormal", "deviation_score", "note", "view", "strides")


def gait_html(section: Mapping[str, Any], say: Words = ENGLISH) -> str:
    """The section as HTML; one that holds no judgement looks like any other table of results."""
    section = plain(section)
    if "withheld" in section or "deviation_score" not in section:
        return plain_gait_html(section, say)
    parts = [_answer(section.get("abnormal"), say), _score(section["deviation_score"], say)]
    strides = section.get("strides")
    if isinstance(strides, Mapping):
        parts.append(f'<p class="soft">{say("Found: {strides}.", strides=strides_words(strides, say))}</p>')
    parts.append(plain_gait_html({key: value for key, value in section.items() if key not in _OWN}, say))
    link = '<a href="gait.html">gait.html</a>'
    two = say("Curves against normal walks: {file}, two pages to print.", file=link)
    parts.append(f'<p class="soft">{two}</p>')
    return "".join(parts)


def _answer(abnormal: Any, say: Words) -> str:
    if not isinstance(abnormal, Mapping):
        return ""
    if "withheld" in abnormal:
        reason = why(str(abnormal["withheld"]), say)
        return f'<p class="withheld">{say("Normal or abnormal: withheld.")} {escape(reason)}</p>'
    text = say("Screening: {label} walking", label=f"<b>{escape(say(str(abnormal.get('label'))))}</b>")
    text += say(
        ", probability of an abnormal gait {share}",
        share=escape(chance(float(abnormal.get("probability") or 0.0)).replace(" ", "\u00a0")),
    )
    if abnormal.get("label") == "abnormal":
        pattern = pattern_words(str(abnormal.get("pattern")))
        text += say(", most like “{pattern}”", pattern=escape(say(pattern)))
    closer = say("This points out who may need a closer look; it doesn't diagnose.")
    signs = abnormal.get("evidence") or ()
    return f'<p class="note">{text}. {closer}</p>' + (_signs(signs, say) if signs else "")


def _signs(signs: Sequence[Any], say: Words) -> str:
    rows = "".join(_sign(sign, say) for sign in signs)
    return f'<div class="wide"><table><caption>{say("Signs")}</caption>{rows}</table></div>'


def _sign(sign: Any, say: Words) -> str:
    if not isinstance(sign, Mapping):
        return f"<tr><th>{escape(str(sign))}</th></tr>"
    feature = str(sign.get("feature"))
    cells = (
        say(str(sign.get("side") or "")),
        say(_LABELS.get(feature) or words(feature)),
        say("{distance} SD from normal", distance=f"{float(sign.get('sd_from_norm') or 0.0):+.1f}"),
    )
    row = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f"<tr><th>{escape(say(str(sign.get('words'))))}</th>{row}</tr>"


def _score(score: Any, say: Words) -> str:
    if not isinstance(score, Mapping):
        return ""
    if "withheld" in score:
        reason = why(str(score["withheld"]), say)
        return f'<p class="withheld">{say("Sagittal deviation score: withheld.")} {escape(reason)}</p>'
    value = with_error(float(score["value"]), float(score.get("sigma") or 0.0))
    text = say(
        "Sagittal deviation score: {score} (normal walks: mean 100, standard deviation 10; less is further from "
        "normal).",
        score=f"<b>{escape(value)}</b>",
    )
    return f"<p>{text}</p>"
