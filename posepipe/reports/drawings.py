"""Drawings of the reports: angles over time and over the gait cycle, stick figures, bars."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.gait.curves import SAGITTAL
from posepipe.gait.features import mean_cycle
from posepipe.gait.norms import Band
from posepipe.gait.types import Cycle, Departure, MeanCurve, Side
from posepipe.reports.blocks import Drawing, Figure
from posepipe.skeleton import BODY21
from posepipe.texts import ENGLISH, Texts

__all__ = [
    "BAND", "LABELS", "Curve", "Span", "curve_panel", "deviation_bars", "key", "side_curve", "stick_strip", "thin",
    "time_plot",
]  # fmt: skip

BAND = 1.645
"""Half width of a 90 % error bar, in sigmas."""

_LEAST_SPAN_DEG = 20.0
_MINUTES_FROM_S = 120.0
_DENSE = 900  # More samples than this get a thinner line.

Array = NDArray[Any]

LABELS: Mapping[str, str] = {
    "trunk_flexion": "Trunk lean",
    "hip_flexion": "Hip flexion",
    "knee_flexion": "Knee flexion",
    "ankle_dorsiflexion": "Ankle dorsiflexion",
}
_POSITIVE = {
    "trunk_flexion": "forward",
    "hip_flexion": "thigh forward",
    "knee_flexion": "bent",
    "ankle_dorsiflexion": "toes up",
}
_RANGES = {
    "trunk_flexion": (-15.0, 35.0),
    "hip_flexion": (-25.0, 60.0),
    "knee_flexion": (-10.0, 80.0),
    "ankle_dorsiflexion": (-40.0, 40.0),
}
_DASH: Mapping[str, tuple[float, ...]] = {"left": (), "right": (4.0, 2.0)}
_DASH_WIDE: Mapping[str, tuple[float, ...]] = {"right": (7.0, 3.8)}
_MOMENTS = tuple(range(0, 100, 10))
_PERCENT = np.arange(101.0)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One line of a plot.

    Attributes:
        x: (N,) seconds, or percent of the gait cycle.
        deg, sigma_deg: (N,); NaN breaks the line.
        color: of `blocks.COLORS`.
        dash: lengths of strokes and gaps, in points; empty for a whole line.
        shaded: whether its error bar is drawn.
    """

    x: Array
    deg: Array
    sigma_deg: Array
    color: str
    dash: tuple[float, ...] = ()
    shaded: bool = True


def side_curve(
    curve: MeanCurve, *, color: str = "", dash: tuple[float, ...] | None = None, shaded: bool = True
) -> Curve:
    """A mean curve over the gait cycle, in the colours of its side unless given others."""
    dash = _DASH[curve.side] if dash is None else dash
    return Curve(_PERCENT, curve.mean_deg, curve.sigma_deg, color or curve.side, dash, shaded)


@dataclass(frozen=True, slots=True)
class Span:
    """A marked stretch of time behind the lines.

    Attributes:
        start_s, end_s: when.
        text: written at its top.
        counted: filled if True, its outline dashed if not.
    """

    start_s: float
    end_s: float
    text: str
    counted: bool = True


@dataclass(frozen=True, slots=True)
class _Field:
    """Where a drawing's values are: its edges in points, and what they stand for."""

    left: float
    top: float
    right: float
    bottom: float
    start: float
    end: float
    low_deg: float
    high_deg: float

    def place(self, x: Array | float, deg: Array | float) -> list[tuple[float, float]]:
        """Points of values; those out of reach are at the edge."""
        across = self.left + (np.asarray(x, dtype=float) - self.start) / (self.end - self.start) * (
            self.right - self.left
        )
        share = (self.high_deg - np.clip(deg, self.low_deg, self.high_deg)) / (self.high_deg - self.low_deg)
        down = self.top + share * (self.bottom - self.top)
        pairs = np.broadcast_arrays(np.atleast_1d(across), np.atleast_1d(down))
        return list(zip(pairs[0].tolist(), pairs[1].tolist(), strict=True))

    def rules(self, drawing: Drawing, ticks: Sequence[float], size: float) -> None:
        """A line and a label for each of some degrees."""
        for tick in ticks:
            ((_, y),) = self.place(self.start, tick)
            drawing.line([(self.left, y), (self.right, y)], "rule" if tick else "soft", 0.07 * size)
            drawing.text(self.left - 4.0, y + 0.36 * size, f"{tick:g}°", size, "soft", "end")

    def curves(self, drawing: Drawing, curves: Sequence[Curve], width: float, opacity: float) -> None:
        """Error bars, and the lines over them."""
        for curve in curves:
            half = BAND * curve.sigma_deg
            for run in _runs(np.isfinite(curve.deg) & np.isfinite(half)) if curve.shaded else ():
                x, deg = curve.x[run], curve.deg[run]
                drawing.area(
                    self.place(x, deg + half[run]) + self.place(x, deg - half[run])[::-1], curve.color, opacity
                )
        for curve in curves:
            for run in _runs(np.isfinite(curve.deg)):
                points = self.place(curve.x[run], curve.deg[run])
                # A sample alone is a dot.
                drawing.line(points if len(points) > 1 else points * 2, curve.color, width, curve.dash)


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


def time_plot(
    title: str,
    curves: Sequence[Curve],
    most: int,
    *,
    note: str,
    label: str = "",
    spans: Sequence[Span] = (),
    told: tuple[tuple[str, int], ...] = (),
) -> Figure:
    """Angles over time.

    Args:
        title: over the plot.
        curves: lines over each other; at least one has a finite sample.
        most: samples drawn at most for each.
        note: below the plot.
        label: said by screen readers; the title if empty.
        spans: stretches marked behind the lines.
        told: see `blocks.Figure.curves`.
    """
    start_s = min(float(curve.x[0]) for curve in curves)
    end_s = max(float(curve.x[-1]) for curve in curves)
    low, high = _range(curves)
    drawing = Drawing(420.0, 170.0, label or title)
    field = _Field(42.0, 6.0, 401.0, 145.0, start_s, max(end_s, start_s + 1e-6), low, high)
    field.rules(drawing, _ticks(low, high, 4), 12.5)
    for tick in _time_ticks(start_s, end_s):
        drawing.text(field.place(tick, low)[0][0], 159.0, _clock(tick, end_s), 12.5, "soft", "middle")
    for span in spans:
        (x0, _), (x1, _) = (field.place(min(max(t, start_s), end_s), low)[0] for t in (span.start_s, span.end_s))
        corners = [(x0, field.top), (x1, field.top), (x1, field.bottom), (x0, field.bottom)]
        if span.counted:
            drawing.area(corners, "middle", 0.16)
        drawing.line([*corners, corners[0]], "middle", 0.6, () if span.counted else (4.0, 3.0))
        drawing.text((x0 + x1) / 2, field.top + 12.0, span.text if span.counted else "×", 12.5, "soft", "middle")
    dense = max(len(curve.deg) for curve in curves) > _DENSE
    thinned = [
        Curve(c.x[kept], c.deg[kept], c.sigma_deg[kept], c.color, () if dense else _DASH_WIDE.get(c.color, ()))
        for c in curves
        for kept in (thin(c.deg, most),)
    ]
    field.curves(drawing, thinned, 0.9 if dense else 2.6, 0.2)
    return Figure(drawing, title, note, (start_s, end_s, field.left, field.right), told)


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


def curve_panel(
    angle: str,
    curves: Sequence[Curve],
    band: Band | None,
    published: Band | None = None,
    toe_off_pct: Mapping[Side, float] | None = None,
    title: str = "",
    note: str = "",
    say: Texts = ENGLISH,
) -> Drawing:
    """One angle over the gait cycle.

    Args:
        angle: key of `LABELS`.
        curves: in the order they are painted.
        band: normal walks seen the same way: grey, two standard deviations to each side.
        published: drawn dotted, for its shape.
        toe_off_pct: a tick for each side.
        title: put before the angle's name.
        note: put after it.
        say: the language.
    """
    low, high = _limits(angle, curves)
    label = say(LABELS[angle])
    drawing = Drawing(255.0, 128.0, say("{angle} over the gait cycle", angle=label))
    field = _Field(26.0, 15.0, 249.0, 112.0, 0.0, 100.0, low, high)
    field.rules(drawing, range(math.ceil(low / 20.0) * 20, int(high) + 1, 20), 6.5)
    if band is not None:
        upper, lower = band.mean_deg + 2.0 * band.sd_deg, band.mean_deg - 2.0 * band.sd_deg
        drawing.area(field.place(_PERCENT, upper) + field.place(_PERCENT, lower)[::-1], "band", 0.45)
    if published is not None:
        drawing.line(field.place(_PERCENT, published.mean_deg), "published", 0.8, (0.8, 2.2))
    field.curves(drawing, curves, 1.5, 0.1)
    for side, share in (toe_off_pct or {}).items():
        if np.isfinite(share):
            ((x, y),) = field.place(share, low)
            drawing.line([(x, y), (x, y - 7.0)], side, 1.4)
    for tick in range(0, 101, 20):
        drawing.text(field.place(tick, low)[0][0], 122.0, f"{tick}%", 6.5, "soft", "middle")
    drawing.text(field.left, 9.5, f"{title}{label}", 8.5, bold=True)
    if note:
        drawing.text(field.left + 5.0 * len(label), 9.5, note, 6.5, "soft")
    drawing.text(field.right, 9.5, f"+ {say(_POSITIVE[angle])}", 6.5, "soft", "end")
    return drawing


def _limits(angle: str, lines: Sequence[Curve]) -> tuple[float, float]:
    """Fixed limits, so that reports can be compared by eye; widened where a curve would leave them."""
    low, high = _RANGES[angle]
    known = [line.deg[np.isfinite(line.deg)] for line in lines]
    known = [values for values in known if len(values)]
    if known:
        low = min(low, *(float(values.min()) - 3.0 for values in known))
        high = max(high, *(float(values.max()) + 3.0 for values in known))
    return low, high


def stick_strip(
    cycles: Sequence[Cycle], side: Side, say: Texts = ENGLISH, size: tuple[float, float] = (522.0, 104.0)
) -> Drawing | None:
    """Ten moments of one side's mean cycle, seen from that side, walking to the right; None without cycles."""
    mean = mean_cycle(cycles, side, cycles)
    if mean is None:
        return None
    width, height = size
    drawing = Drawing(width, height, say("Stick figures of the {side} gait cycle", side=say(side)))
    points = mean.xyz[:, :, [0, 2]]
    low, high = np.nanmin(points[..., 1]), np.nanmax(points[..., 1])
    scale = (height - 26.0) / max(float(high - low), 1e-6)
    gap = width / len(_MOMENTS)
    drawing.line([(0.0, height - 14.0), (width, height - 14.0)], "rule", 0.8)
    for number, moment in enumerate(_MOMENTS):
        middle = gap * (number + 0.5)
        # Each figure stands on the ground with its lowest joint.
        ground = float(np.nanmin(points[moment, :, 1]))
        for (a, b), color, thickness in _bones(side):
            pair = points[moment][[a, b]]
            if np.isfinite(pair).all():
                at = [(middle + x * scale, height - 14.0 - (z - ground) * scale) for x, z in pair.tolist()]
                drawing.line(at, color, thickness)
        stance = say("swing") if moment > 100.0 * mean.toe_off else say("stance")
        drawing.text(middle, height - 3.5, f"{moment}% {stance}", 6.5, "soft", "middle")
    return drawing


def _bones(side: str) -> list[tuple[tuple[int, int], str, float]]:
    """Bones back to front: the far side thin, then the middle, then the near side."""
    order = []
    for (a, b), (i, j) in zip(BODY21.edges, BODY21.edge_indices.tolist(), strict=True):
        of = next((s for s in ("left", "right") if s in a or s in b), "middle")
        color = {"left": "left", "right": "right", "middle": "ink"}[of]
        depth = 0 if of not in (side, "middle") else (1 if of == "middle" else 2)
        order.append((depth, ((int(i), int(j)), color, (0.8, 1.4, 2.0)[depth])))
    return [item for _, item in sorted(order, key=lambda entry: entry[0])]


def deviation_bars(
    departures: Sequence[Departure], say: Texts = ENGLISH, size: tuple[float, float] = (255.0, 92.0)
) -> Drawing:
    """RMS distance from normal of each sagittal curve, left and right side by side."""
    width, height = size
    drawing = Drawing(width, height, say("Distance from normal by joint"))
    parts = {(part.angle, part.side): part for part in departures if part.angle in SAGITTAL}
    most = max([15.0, *(part.rms_deg for part in parts.values())])
    left, row = 92.0, (height - 18.0) / 6.0
    scale = (width - left - 34.0) / most
    drawing.text(0.0, 9.0, say("Distance from normal walks (RMS)"), 8.0, bold=True)
    for number, (angle, side) in enumerate((a, s) for a in SAGITTAL for s in ("left", "right")):
        y = 16.0 + number * row
        drawing.text(left - 4.0, y + row * 0.62, f"{say(LABELS[angle].split()[0])} {say(side)}", 7.0, "ink", "end")
        part = parts.get((angle, side))
        if part is None:
            drawing.text(left, y + row * 0.62, say("not seen"), 6.5, "soft")
            continue
        long = part.rms_deg * scale
        box = [(left, y + 1.5), (left + long, y + 1.5), (left + long, y + row - 1.5), (left, y + row - 1.5)]
        drawing.area(box, side, 0.85)
        drawing.text(left + long + 3.0, y + row * 0.66, f"{part.rms_deg:.0f}°", 7.0)
    return drawing


def key(say: Texts = ENGLISH, width: float = 523.0) -> Drawing:
    """What the lines of the panels are."""
    drawing = Drawing(width, 11.0, say("Key"))
    names = (say("left"), say("right"), say("normal walks, ± 2 SD"), say("published adults, marker-based"))
    lines = (("left", (), 1.6), ("right", (4.0, 2.0), 1.6), ("band", (), 6.0), ("published", (0.8, 2.2), 1.0))
    x = 0.0
    for (color, dash, thickness), name in zip(lines, names, strict=True):
        drawing.line([(x, 6.0), (x + 20.0, 6.0)], color, thickness, dash)
        drawing.text(x + 24.0, 8.5, name, 7.5, "soft")
        x += 62.0 + 3.6 * len(name)
    return drawing
