"""The drawings of the gait report: stick figures over the cycle, curves against norm, and deviations as bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.gait.curves import SAGITTAL, Departure, MeanCurve
from posepipe.gait.cycles import Cycle
from posepipe.gait.features import mean_cycle
from posepipe.gait.norms import Band
from posepipe.gait.types import Side
from posepipe.results.gait_report_draw import Drawing
from posepipe.skeleton import BODY21

__all__ = ["LABELS", "CurveLine", "curve_panel", "deviation_bars", "stick_strip"]

Array = NDArray[np.float64]

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
_DASH = {"left": (), "right": (4.0, 2.0)}
_MOMENTS = tuple(range(0, 100, 10))
_INSET = (26.0, 6.0, 15.0, 16.0)  # left, right, top, bottom


@dataclass(frozen=True, slots=True, eq=False)
class CurveLine:
    """One line of a panel: (101,) degrees with sigma, and how it's drawn."""

    mean_deg: Array
    sigma_deg: Array
    color: str
    dash: tuple[float, ...] = ()
    shaded: bool = True

    @classmethod
    def of(cls, curve: MeanCurve, *, color: str | None = None, dash: tuple[float, ...] | None = None) -> CurveLine:
        """In the colours of its side unless given others."""
        return cls(curve.mean_deg, curve.sigma_deg, color or curve.side, _DASH[curve.side] if dash is None else dash)


def curve_panel(
    angle: str,
    lines: Sequence[CurveLine],
    band: Band | None,
    published: Band | None = None,
    toe_off_pct: Mapping[Side, float] | None = None,
    size: tuple[float, float] = (255.0, 128.0),
    title: str = "",
    note: str = "",
) -> Drawing:
    """One angle over the gait cycle.

    Args:
        angle: key of `LABELS`.
        lines: in the order they are painted.
        band: normal walks seen the same way: grey, two standard deviations to each side.
        published: drawn dotted, for its shape.
        toe_off_pct: a tick for each side.
        size: in points.
        title: put before the angle's name.
        note: put after it.
    """
    width, height = size
    left, right, top, bottom = _INSET
    low, high = _limits(angle, lines)
    drawing = Drawing(width, height, f"{LABELS[angle]} over the gait cycle")

    def place(percent: Array | float, deg: Array | float) -> list[tuple[float, float]]:
        x = left + np.asarray(percent, dtype=float) / 100.0 * (width - left - right)
        y = top + (high - np.clip(deg, low, high)) / (high - low) * (height - top - bottom)
        return [(float(a), float(b)) for a, b in zip(np.atleast_1d(x), np.atleast_1d(y), strict=True)]

    for tick in range(int(np.ceil(low / 20.0)) * 20, int(high) + 1, 20):
        (x0, y), (x1, _) = place(0.0, float(tick))[0], place(100.0, float(tick))[0]
        drawing.line([(x0, y), (x1, y)], "rule", 0.9 if tick == 0 else 0.4)
        drawing.text(left - 4, y + 2.4, f"{tick}°", 6.5, "soft", "end")
    percent = np.arange(101.0)
    if band is not None:
        upper, lower = band.mean_deg + 2.0 * band.sd_deg, band.mean_deg - 2.0 * band.sd_deg
        drawing.area(place(percent, upper) + place(percent, lower)[::-1], "band", 0.45)
    if published is not None:
        drawing.line(place(percent, published.mean_deg), "published", 0.8, (0.8, 2.2))
    for line in lines:
        _draw_line(drawing, line, percent, place)
    for side, share in (toe_off_pct or {}).items():
        if np.isfinite(share):
            (x, y) = place(share, low)[0]
            drawing.line([(x, y), (x, y - 7.0)], side, 1.4)
    for tick in (0, 20, 40, 60, 80, 100):
        drawing.text(place(float(tick), low)[0][0], height - 6.0, f"{tick}%", 6.5, "soft", "middle")
    drawing.text(left, 9.5, f"{title}{LABELS[angle]}", 8.5, bold=True)
    if note:
        drawing.text(left + 5.0 * len(LABELS[angle]), 9.5, note, 6.5, "soft")
    drawing.text(width - right, 9.5, f"+ {_POSITIVE[angle]}", 6.5, "soft", "end")
    return drawing


def _draw_line(drawing: Drawing, line: CurveLine, percent: Array, place: object) -> None:
    assert callable(place)
    for run in _runs(np.isfinite(line.mean_deg)):
        mean, half = line.mean_deg[run], 1.645 * np.nan_to_num(line.sigma_deg[run])
        if line.shaded and len(mean) > 1:
            outline = place(percent[run], mean + half) + place(percent[run], mean - half)[::-1]
            drawing.area(outline, line.color, 0.10)
        drawing.line(place(percent[run], mean), line.color, 1.5, line.dash)


def _limits(angle: str, lines: Sequence[CurveLine]) -> tuple[float, float]:
    """Fixed limits, so that reports can be compared by eye; widened where a curve would leave them."""
    low, high = _RANGES[angle]
    known = [line.mean_deg[np.isfinite(line.mean_deg)] for line in lines]
    known = [values for values in known if len(values)]
    if known:
        low = min(low, *(float(values.min()) - 3.0 for values in known))
        high = max(high, *(float(values.max()) + 3.0 for values in known))
    return low, high


def _runs(mask: NDArray[np.bool_]) -> list[slice]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [slice(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def stick_strip(cycles: Sequence[Cycle], side: str, size: tuple[float, float] = (522.0, 104.0)) -> Drawing | None:
    """Ten moments of one side's mean cycle, seen from that side, walking to the right; None without cycles."""
    mean = mean_cycle(cycles, side, cycles)
    if mean is None:
        return None
    width, height = size
    drawing = Drawing(width, height, f"Stick figures of the {side} gait cycle")
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
        stance = "stance" if not moment > 100.0 * mean.toe_off else "swing"
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


def deviation_bars(departures: Sequence[Departure], size: tuple[float, float] = (255.0, 92.0)) -> Drawing:
    """RMS distance from normal of each sagittal curve, left and right side by side."""
    width, height = size
    drawing = Drawing(width, height, "Distance from normal by joint")
    parts = {(part.angle, part.side): part for part in departures if part.angle in SAGITTAL}
    most = max([15.0, *(part.rms_deg for part in parts.values())])
    left, row = 92.0, (height - 18.0) / 6.0
    scale = (width - left - 34.0) / most
    drawing.text(0.0, 9.0, "Distance from normal walks (RMS)", 8.0, bold=True)
    for number, (angle, side) in enumerate((a, s) for a in SAGITTAL for s in ("left", "right")):
        y = 16.0 + number * row
        drawing.text(left - 4.0, y + row * 0.62, f"{LABELS[angle].split()[0]} {side}", 7.0, "ink", "end")
        part = parts.get((angle, side))
        if part is None:
            drawing.text(left, y + row * 0.62, "not seen", 6.5, "soft")
            continue
        long = part.rms_deg * scale
        box = [(left, y + 1.5), (left + long, y + 1.5), (left + long, y + row - 1.5), (left, y + row - 1.5)]
        drawing.area(box, side, 0.85)
        drawing.text(left + long + 3.0, y + row * 0.66, f"{part.rms_deg:.0f}°", 7.0)
    return drawing
