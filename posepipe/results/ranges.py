"""The report's table of joint angles: how far each one went, with error bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from posepipe.motion.angles import ANGLES
from posepipe.results.language import Words
from posepipe.results.plots import BAND
from posepipe.results.recording import Person
from posepipe.results.sections import table, words

__all__ = ["angle_label", "ranges_html"]

_ENDS = (1.0, 99.0)
"""Percentiles that stand for the least and the greatest value: a single wild frame isn't a range of motion."""
_NEAR = 5.0
"""The error bar of an end is the typical one of this share of the frames, in percent, nearest to it."""
_SPECS = {spec.name: spec for spec in ANGLES}


def angle_label(name: str, say: Words) -> str:
    """An angle's name without its side."""
    spec = _SPECS.get(name)
    label = spec.label.removeprefix("Left ").removeprefix("Right ") if spec else words(name)
    return say(label[:1].upper() + label[1:])


def ranges_html(person: Person, columns: Mapping[str, Sequence[tuple[str, int]]], say: Words) -> str:
    """Least and greatest value of every angle, each side for itself.

    Args:
        person: whose angles.
        columns: angle without side -> side ("left", "right", "middle") and column of each.
        say: the language.
    """
    rows = []
    for sides in columns.values():
        cells = {
            side: _range(person.angles.deg[:, column], person.angles.sigma_deg[:, column], say)
            for side, column in sides
        }
        label = angle_label(person.angles.names[sides[0][1]], say)
        if "middle" in cells:
            rows.append((label, "", "", cells["middle"]))
        else:
            rows.append((label, cells.get("left", "–"), cells.get("right", "–"), ""))
    head = (say("Angle (degrees)"), say("Left"), say("Right"), say("Middle"))
    return table(say("Least and greatest value of each angle, with error bars"), head, rows)


def _range(deg: NDArray[np.float32], sigma_deg: NDArray[np.float32], say: Words) -> str:
    known = np.isfinite(deg) & np.isfinite(sigma_deg)
    if not known.any():
        return "–"
    values, sigma = deg[known].astype(np.float64), sigma_deg[known]
    low, high = np.percentile(values, _ENDS)
    near = max(1, round(len(values) * _NEAR / 100.0))
    order = np.argsort(values)
    bars = (float(np.median(sigma[order[:near]])), float(np.median(sigma[order[-near:]])))
    ends = [f"{round(end)} ± {BAND * bar:.0f}".replace("-", "−") for end, bar in zip((low, high), bars, strict=True)]
    text = say("{low} to {high}", low=ends[0], high=ends[1])
    share = float(known.mean())
    if share < 0.995:
        text += " " + say("(known in {share} % of the frames)", share=f"{100 * share:.0f}")
    return text
