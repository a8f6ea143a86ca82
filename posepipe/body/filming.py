"""Whether a picture is fit to measure by, before the real film: whole body, distance, height, light, view, frame rate.

A few seconds of keypoints are enough, live or of a trial clip. What isn't known isn't judged.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from posepipe.body.motion import LABELS, view_label
from posepipe.settings import setting
from posepipe.skeleton import Layout

__all__ = ["CHECKS", "FILMING", "WALK", "Check", "Light", "Shot", "Verdict", "Wanted", "judge", "light_of"]

CHECKS = ("whole", "distance", "height", "light", "view", "rate")
"""What is looked at, in the order in which it is worth mending."""


@dataclass(frozen=True, slots=True)
class FilmingSettings:
    """From where on a picture is fit to measure by."""

    inside_share: float = setting(
        0.95, "share of frames in which every joint must be in the picture", source="judgement"
    )
    least_share: float = setting(
        0.33, "the body's longer side is at least this share of the picture's shorter side", source="judgement"
    )
    least_px: float = setting(
        160.0, "and at least so many pixels: the network sees a body at 256 pixels", unit="px", source="judgement"
    )
    middle: tuple[float, float] = setting(
        (0.25, 0.78), "where the pelvis is, as a share of the picture's height from its top, if the camera is at the "
        "body's height and level", source="judgement",
    )  # fmt: skip
    camera_m: tuple[float, float] = setting(
        (0.3, 1.7), "height of the camera over the floor, where it is known", unit="m", source="judgement"
    )
    dark: float = setting(
        50.0, "median brightness (0 to 255) of the body below which it is too dark", source="judgement"
    )
    glare: float = setting(235.0, "and from which on it is too bright", source="judgement")
    backlight: float = setting(
        90.0, "by so much brighter than the body its surroundings may be", source="judgement"
    )  # fmt: skip
    view_share: float = setting(0.6, "share of frames that must be from a side that shows it", source="judgement")


FILMING = FilmingSettings()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a film has to show.

    Attributes:
        views: sides of the body to film, of `posepipe.body.motion.LABELS`.
        least_fps_hz: pictures a second.
        needs: joints without their side, such as "knee"; all of them on at least one side.
    """

    views: frozenset[str] = frozenset(LABELS)
    least_fps_hz: float = 14.0
    needs: tuple[str, ...] = ("shoulder", "hip", "knee", "ankle")


WALK = Wanted(
    frozenset({"left", "right", "front_left", "front_right", "back_left", "back_right"}),
    least_fps_hz=24.0,
    needs=("shoulder", "hip", "knee", "ankle", "heel", "foot_index"),
)
"""A walk: from the side, where the sagittal plane is; a step's phases last a tenth of a second."""


@dataclass(frozen=True, slots=True)
class Light:
    """Median brightness, 0 to 255, of a body's box and of what surrounds it."""

    body: float
    around: float


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """What was seen over F frames.

    Attributes:
        layout: of the keypoints.
        time_s: (F,) float64, increasing.
        xy_px: (F, J, 2); NaN where nothing was found.
        yaw_deg: (F,) heading; NaN where unknown.
        size_px: width and height of the picture.
        fps_hz: pictures a second; of `time_s` if None.
        light: of some frames.
        camera_m: height over the floor; NaN where unknown.
    """

    layout: Layout
    time_s: NDArray[np.float64]
    xy_px: NDArray[np.floating]
    yaw_deg: NDArray[np.floating]
    size_px: tuple[int, int]
    fps_hz: float | None = None
    light: tuple[Light, ...] = ()
    camera_m: float = float("nan")


class Verdict(str, Enum):
    """What there is to say of one thing."""

    GOOD = "good"
    MEND = "mend"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: of `CHECKS`.
        verdict: good, to be mended, or not known.
        code: what to do, or that it is good; a name for people's words.
        value: what was measured, in the unit that the code's words say.
    """

    name: str
    verdict: Verdict
    code: str
    value: float = float("nan")


def light_of(image: NDArray[np.uint8], xy_px: NDArray[np.floating]) -> Light:
    """Brightness of a picture (H, W, 3) BGR about somebody's keypoints (J, 2); NaN without any in the picture."""
    height, width = image.shape[:2]
    known = np.isfinite(xy_px).all(axis=1)
    if not known.any():
        return Light(float("nan"), float("nan"))
    low, high = xy_px[known].min(axis=0), xy_px[known].max(axis=0)
    x0, x1 = (int(np.clip(x, 0, width)) for x in (low[0], high[0]))
    y0, y1 = (int(np.clip(y, 0, height)) for y in (low[1], high[1]))
    step = max(1, height // 120)
    # Rec. 601 luma, of the BGR that OpenCV gives.
    luma = image[::step, ::step].astype(np.float32) @ np.array([0.114, 0.587, 0.299], np.float32)
    mask = np.zeros(luma.shape, bool)
    mask[y0 // step : y1 // step + 1, x0 // step : x1 // step + 1] = True
    body, around = luma[mask], luma[~mask]
    return Light(*(float(np.median(part)) if part.size else float("nan") for part in (body, around)))


def judge(shot: Shot, wanted: Wanted) -> tuple[Check, ...]:
    """Everything of `CHECKS`, in that order.

    Args:
        shot: what was seen; nobody at all is "whole" to be mended and the rest unknown.
        wanted: what the film has to show.
    """
    seen = np.isfinite(shot.xy_px).all(axis=2).any(axis=1)
    if not seen.any():
        rest = tuple(Check(name, Verdict.UNKNOWN, "unknown") for name in CHECKS[1:-1])
        return (Check("whole", Verdict.MEND, "nobody"), *rest, _rate(shot, wanted))
    return (
        _whole(shot, wanted, seen),
        _distance(shot, seen),
        _height(shot, seen),
        _light(shot.light),
        _view(shot, wanted),
        _rate(shot, wanted),
    )


def _said(name: str, good: bool, code: str, value: float = float("nan")) -> Check:
    return Check(name, Verdict.GOOD, "good", value) if good else Check(name, Verdict.MEND, code, value)


def _whole(shot: Shot, wanted: Wanted, seen: NDArray[np.bool_]) -> Check:
    """Joints in the picture, on the side of the body that is better seen; the edge that cuts most."""
    size = np.array(shot.size_px, np.float64)
    sides = []
    for side in ("left", "right"):
        index = shot.layout.indices(*(f"{side}_{joint}" for joint in wanted.needs))
        xy = shot.xy_px[seen][:, index].astype(np.float64)
        with np.errstate(invalid="ignore"):
            sides.append(((xy >= 0.0) & (xy <= size)).all(axis=(1, 2)))
    share = float((sides[0] | sides[1]).mean() * seen.mean())
    if share >= FILMING.inside_share:
        return Check("whole", Verdict.GOOD, "good", share)
    index = shot.layout.indices(*(f"{side}_{joint}" for side in ("left", "right") for joint in wanted.needs))
    x, y = np.moveaxis(shot.xy_px[seen][:, index].astype(np.float64), 2, 0)
    with np.errstate(invalid="ignore"):
        cut = {
            "cut_below": (y > size[1]).any(axis=1).mean(),
            "cut_above": (y < 0).any(axis=1).mean(),
            "cut_aside": ((x < 0) | (x > size[0])).any(axis=1).mean(),
        }
    code = max(cut, key=lambda name: cut[name]) if max(cut.values()) > 0.0 else "lost"
    return Check("whole", Verdict.MEND, code, share)


def _distance(shot: Shot, seen: NDArray[np.bool_]) -> Check:
    """The body's longer side in the picture; a body too near is cut, and `_whole` says so."""
    xy = shot.xy_px[seen].astype(np.float64)
    span = np.nanmax(xy, axis=1) - np.nanmin(xy, axis=1)
    long_px = float(np.quantile(span.max(axis=1), 0.75))
    share = long_px / min(shot.size_px)
    return _said("distance", share >= FILMING.least_share and long_px >= FILMING.least_px, "closer", share)


def _height(shot: Shot, seen: NDArray[np.bool_]) -> Check:
    """The camera's height where it is known, else where the pelvis is in the picture."""
    if np.isfinite(shot.camera_m):
        low, high = FILMING.camera_m
        return _said(
            "height", low <= shot.camera_m <= high, "lower" if shot.camera_m > high else "higher", shot.camera_m
        )
    index = shot.layout.indices("left_hip", "right_hip")
    place = float(np.nanmedian(shot.xy_px[seen][:, index, 1])) / shot.size_px[1]
    if not np.isfinite(place):
        return Check("height", Verdict.UNKNOWN, "unknown")
    # The body low in the picture: the camera is high, or looks up.
    return _said("height", FILMING.middle[0] <= place <= FILMING.middle[1], "level")


def _light(found: Iterable[Light]) -> Check:
    rows = np.array([(one.body, one.around) for one in found if np.isfinite(one.body)], np.float64).reshape(-1, 2)
    if not len(rows):
        return Check("light", Verdict.UNKNOWN, "unknown")
    body, around = (
        float(np.median(rows[:, 0])),
        float(np.nanmedian(rows[:, 1])) if np.isfinite(rows[:, 1]).any() else 0.0,
    )
    if around - body > FILMING.backlight:
        return Check("light", Verdict.MEND, "backlight", body)
    if body >= FILMING.glare:
        return Check("light", Verdict.MEND, "glare", body)
    return _said("light", body >= FILMING.dark, "dark", body)


def _view(shot: Shot, wanted: Wanted) -> Check:
    labels = [view_label(float(yaw)) for yaw in shot.yaw_deg if np.isfinite(yaw)]
    if not labels:
        return Check("view", Verdict.UNKNOWN, "unknown")
    share = float(np.mean([label in wanted.views for label in labels]))
    return _said("view", share >= FILMING.view_share, "turn", share)


def _rate(shot: Shot, wanted: Wanted) -> Check:
    rate = shot.fps_hz
    if rate is None:
        gaps = np.diff(shot.time_s)
        rate = float(1.0 / np.median(gaps)) if len(gaps) and float(np.median(gaps)) > 0.0 else None
    if rate is None:
        return Check("rate", Verdict.UNKNOWN, "unknown")
    return _said("rate", rate >= wanted.least_fps_hz, "rate", rate)
