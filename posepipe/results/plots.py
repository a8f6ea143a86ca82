"""Angle plots as small SVG drawings: lines with error bands, no library needed to show or print them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BAND", "Curve", "Span", "angle_plot", "thin"]

BAND = 1.645
"""Half width of a 90 % error bar, in sigmas."""

_WIDTH, _HEIGHT = 4200, 1700
_LEFT, _RIGHT, _TOP, _BOTTOM = 420, 190, 60, 250
_LEAST_SPAN_DEG = 20.0
_MINUTES_FROM_S = 120.0
_DENSE = 900  # More samples than this get a thinner line.

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One line of a plot.

    Attributes:
        side: "left", "right" or "middle": its colour.
        time_s: (N,).
        deg, sigma_deg: (N,); NaN breaks the line.
    """

    side: str
    time_s: Array
    deg: Array
    sigma_deg: Array


@dataclass(frozen=True, slots=True)
class Span:
    """A marked stretch of time behind the lines.

    Attributes:
        start_s, end_s: when.
        text: written at its top, and said by screen readers.
        counted: filled if True, hatched by its outline if not.
    """

    start_s: float
    end_s: float
    text: str
    counted: bool = True


def thin(values: Array, most: int) -> NDArray[np.intp]:
    """Positions of at most `most` samples that keep a curve's peaks: the least and greatest of each equal piece."""
    count = len(values)
    if count <= most:
        return np.arange(count)
    kept: list[int] = []
    for piece in np.array_split(np.arange(count), max(most // 2, 1)):
        known = piece[np.isfinite(values[piece])]
        if len(known):
            kept += sorted({int(known[values[known].argmin()]), int(known[values[known].argmax()])})
        else:
            kept.append(int(piece[0]))
    return np.array(kept, dtype=np.intp)


def angle_plot(title: str, curves: Sequence[Curve], most: int, spans: Sequence[Span] = ()) -> str:
    """One plot as an SVG element.

    Args:
        title: said by screen readers.
        curves: lines over each other; at least one has a finite sample.
        most: samples drawn at most for each.
        spans: stretches marked behind the lines.
    """
    start_s = min(float(curve.time_s[0]) for curve in curves)
    end_s = max(float(curve.time_s[-1]) for curve in curves)
    low, high = _range(curves)
    style = "plot dense" if max(len(curve.deg) for curve in curves) > _DENSE else "plot"
    x_scale = (_WIDTH - _LEFT - _RIGHT) / max(end_s - start_s, 1e-6)
    y_scale = (_HEIGHT - _TOP - _BOTTOM) / (high - low)

    def x(time_s: Array | float) -> Any:
        return _LEFT + (time_s - start_s) * x_scale

    def y(deg: Array | float) -> Any:
        return _TOP + (high - np.clip(deg, low, high)) * y_scale

    parts = [
        f'<svg class="{style}" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}" '
        f'data-start="{start_s:.3f}" data-end="{end_s:.3f}" data-left="{_LEFT}" data-right="{_WIDTH - _RIGHT}">'
    ]
    for tick in _ticks(low, high, 4):
        at = round(float(y(tick)))
        parts.append(f'<path class="{"zero" if tick == 0 else "rule"}" d="M{_LEFT} {at}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 50}" y="{at + 40}" text-anchor="end">{tick:g}°</text>')
    for tick in _time_ticks(start_s, end_s):
        at = round(float(x(tick)))
        parts.append(
            f'<text class="tick" x="{at}" y="{_HEIGHT - 110}" text-anchor="middle">{_clock(tick, end_s)}</text>'
        )
    parts += [_span(span, x, start_s, end_s) for span in spans]
    for layer in (_band, _line):
        for curve in curves:
            kept = thin(curve.deg, most)
            parts += layer(curve, kept, x, y)
    parts.append(f'<path class="cursor" d="M{_LEFT} {_TOP}V{_HEIGHT - _BOTTOM}"/></svg>')
    return "".join(parts)


def _span(span: Span, x: Any, start_s: float, end_s: float) -> str:
    low, high = (round(float(x(min(max(t, start_s), end_s)))) for t in (span.start_s, span.end_s))
    look = "fill:var(--middle);fill-opacity:.16" if span.counted else "fill:none;stroke-dasharray:40 30"
    return (
        f'<rect x="{low}" y="{_TOP}" width="{max(high - low, 1)}" height="{_HEIGHT - _TOP - _BOTTOM}" '
        f'style="{look};stroke:var(--middle);stroke-width:6" aria-label="{escape(span.text)}"/>'
        f'<text class="tick" x="{(low + high) // 2}" y="{_TOP + 120}" text-anchor="middle">'
        f"{escape(span.text) if span.counted else '×'}</text>"
    )


def _band(curve: Curve, kept: NDArray[np.intp], x: Any, y: Any) -> list[str]:
    time_s, deg = curve.time_s[kept], curve.deg[kept]
    half = BAND * curve.sigma_deg[kept]
    shapes = []
    for run in _runs(np.isfinite(deg) & np.isfinite(half)):
        if run.stop - run.start < 2:
            continue
        there = _steps(x(time_s[run]), y(deg[run] + half[run]))
        back = _steps(x(time_s[run])[::-1], y(deg[run] - half[run])[::-1])
        shapes.append(f"M{there}L{back}Z")
    return [f'<path class="band {curve.side}" d="{"".join(shapes)}"/>'] if shapes else []


def _line(curve: Curve, kept: NDArray[np.intp], x: Any, y: Any) -> list[str]:
    time_s, deg = curve.time_s[kept], curve.deg[kept]
    shapes = [f"M{_steps(x(time_s[run]), y(deg[run]))}" for run in _runs(np.isfinite(deg))]
    return [f'<path class="line {curve.side}" d="{"".join(shapes)}"/>'] if shapes else []


def _steps(x: Array, y: Array) -> str:
    """Points as an absolute first one and whole-number steps from there."""
    points = np.column_stack([np.round(x), np.round(y)]).astype(int)
    text = [f"{points[0, 0]} {points[0, 1]}"]
    if len(points) > 1:
        text.append("l" + " ".join(f"{dx} {dy}" for dx, dy in np.diff(points, axis=0).tolist()))
    else:
        text.append("h1")
    return "".join(text)


def _runs(mask: NDArray[np.bool_]) -> list[slice]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [slice(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _range(curves: Sequence[Curve]) -> tuple[float, float]:
    """Least and greatest angle shown: all of the lines, and the typical part of the bands."""
    lows, highs = [], []
    for curve in curves:
        known = np.isfinite(curve.deg)
        if known.any():
            half = BAND * float(np.nanmedian(curve.sigma_deg[known])) if np.isfinite(curve.sigma_deg).any() else 0.0
            lows.append(float(curve.deg[known].min()) - half)
            highs.append(float(curve.deg[known].max()) + half)
    low, high = min(lows), max(highs)
    spare = max(_LEAST_SPAN_DEG - (high - low), 0.0) / 2.0
    return low - spare, high + spare


def _ticks(low: float, high: float, about: int) -> list[float]:
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(max(rough, 1e-9)))
    step = next((power * m for m in (1.0, 2.0, 5.0) if power * m >= rough), power * 10.0)
    return _multiples(step, low, high)


def _time_ticks(start_s: float, end_s: float) -> list[float]:
    if end_s < _MINUTES_FROM_S:
        return _ticks(start_s, end_s, 6)
    rough = (end_s - start_s) / 6
    step = next((step for step in (15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0) if step >= rough), 3600.0)
    return _multiples(max(step, 3600.0 * math.floor(rough / 3600.0)), start_s, end_s)


def _multiples(step: float, low: float, high: float) -> list[float]:
    return [round(step * n, 9) + 0.0 for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _clock(tick: float, end_s: float) -> str:
    if end_s < _MINUTES_FROM_S:
        return f"{tick:g} s"
    return f"{int(tick // 60)}:{int(tick % 60):02d}"
