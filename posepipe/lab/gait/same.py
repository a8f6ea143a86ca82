"""The same walk, filmed a little otherwise: whether what is said of it stays the same within its error bars.

Every clip is changed in ways that don't change how the person walks: mirrored, at 10 and 15 pictures a second, 240
lines high, compressed to crf 40, rolled by 10 degrees, shaken as by a hand, and cropped so that the picture goes along.
Each number of the changed clip is compared with the untouched one's. If error bars are true, at most one in ten
differences lies outside its 90 % interval; and as most errors are shared by both, it should be far fewer.
"""

from __future__ import annotations

import csv
import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe._version import __version__
from posepipe.body.lift import Lifter
from posepipe.errors import InputError, NobodyFoundError, UsageError
from posepipe.gait.analyse import analyse
from posepipe.gait.types import Abnormal, Deviation, GaitResult, Value
from posepipe.keypoints import Detector, open_detector
from posepipe.media.sources import open_source
from posepipe.media.writer import VideoWriter
from posepipe.pipeline import Config, Pipeline
from posepipe.record.folder import load, save
from posepipe.record.recording import Recording
from posepipe.types import KeypointTrack

__all__ = ["CHANGES", "changed_film", "differences", "evaluate_same", "verdict_of", "walking_clips"]

Image = NDArray[np.uint8]
Array = NDArray[np.float64]

_log = logging.getLogger(__name__)

_NINETY = 1.645
_ROLL_DEG = 10.0
_LINES_PX = 240
_CRF, _SOFT_CRF = 18, 40
_SHAKE_SHARE, _SHAKE_DEG, _SHAKE_S = 0.012, 0.6, 0.15
"""A held camera's wandering: share of the picture's height, roll, and how long it lasts."""
_CROP_SHARE = 0.6
"""Width of the picture that goes along with the person, against the whole."""
_FOLLOW_S = 0.5
"""The person's place is followed smoothly, over this time."""

_MIRRORED = {"left": "right", "right": "left"}


@dataclass(frozen=True, slots=True)
class _Clip:
    """What a change may ask of the clip: picture's size, times (F,), and the hips' x in each frame (F,), in pixels."""

    size_px: tuple[int, int]
    time_s: Array
    hips_px: Array


@dataclass(frozen=True, slots=True)
class Change:
    """One harmless change.

    Attributes:
        name: for the table.
        edit: makes a function from the number of a frame and its picture to the new picture.
        rate_hz: pictures a second that are kept; None for all.
        crf: of the encoder.
        mirrored: sides are exchanged.
    """

    name: str
    edit: Callable[[_Clip], Callable[[int, Image], Image]]
    rate_hz: float | None = None
    crf: int = _CRF
    mirrored: bool = False


def _same(_: _Clip) -> Callable[[int, Image], Image]:
    return lambda _number, image: image


def _mirror(_: _Clip) -> Callable[[int, Image], Image]:
    return lambda _number, image: np.ascontiguousarray(image[:, ::-1])


def _small(clip: _Clip) -> Callable[[int, Image], Image]:
    width, height = clip.size_px
    size = 2 * round(width * _LINES_PX / height / 2), _LINES_PX
    return lambda _number, image: np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _moved(image: Image, x_px: float, y_px: float, roll_deg: float) -> Image:
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2.0, height / 2.0), roll_deg, 1.0)
    matrix[:, 2] += np.array([x_px, y_px])
    out = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(out, np.uint8)


def _roll(_: _Clip) -> Callable[[int, Image], Image]:
    return lambda _number, image: _moved(image, 0.0, 0.0, _ROLL_DEG)


def _shake(clip: _Clip) -> Callable[[int, Image], Image]:
    rng = np.random.default_rng(7)
    keep = np.exp(-np.diff(clip.time_s, prepend=clip.time_s[:1]) / _SHAKE_S)
    path = rng.standard_normal((len(keep), 3))
    for i in range(1, len(path)):
        path[i] = keep[i] * path[i - 1] + np.sqrt(1.0 - keep[i] ** 2) * path[i]
    path *= np.array([_SHAKE_SHARE * clip.size_px[1], _SHAKE_SHARE * clip.size_px[1], _SHAKE_DEG])
    return lambda number, image: _moved(image, *(float(v) for v in path[min(number, len(path) - 1)]))


def _follow(clip: _Clip) -> Callable[[int, Image], Image]:
    width = 2 * round(_CROP_SHARE * clip.size_px[0] / 2)
    left = np.clip(clip.hips_px - width / 2.0, 0.0, clip.size_px[0] - width).astype(int)
    return lambda number, image: np.ascontiguousarray(image[:, (x := left[min(number, len(left) - 1)]) : x + width])


CHANGES: tuple[Change, ...] = (
    Change("mirrored", _mirror, mirrored=True),
    Change("10 pictures a second", _same, rate_hz=10.0),
    Change("15 pictures a second", _same, rate_hz=15.0),
    Change("240 lines", _small),
    Change("crf 40", _same, crf=_SOFT_CRF),
    Change("rolled 10 degrees", _roll),
    Change("shaken", _shake),
    Change("followed", _follow),
)


def changed_film(source: Path, target: Path, change: Change, track: KeypointTrack) -> None:
    """Write a clip changed.

    Args:
        source: the clip.
        target: an mp4 to write.
        change: how.
        track: the walker's keypoints in it, to go along with.

    Raises:
        InputError, OutputError: a file can't be read or written.
    """
    with open_source(source) as frames:
        writer: VideoWriter | None = None
        edit: Callable[[int, Image], Image] | None = None
        next_s = 0.0
        try:
            for number, frame in enumerate(frames):
                if frame.time_s < next_s - 1e-6:
                    continue
                if change.rate_hz is not None:
                    next_s = max(next_s, frame.time_s - 1.0 / change.rate_hz) + 1.0 / change.rate_hz
                if edit is None:
                    size = frame.image.shape[1], frame.image.shape[0]
                    edit = change.edit(_clip(track, size))
                image = edit(number, frame.image)
                if writer is None:
                    rate = change.rate_hz or frames.info.fps_hz or 30.0
                    writer = VideoWriter(target, image.shape[1], image.shape[0], rate, crf=change.crf).__enter__()
                writer.write(image, frame.time_s)
        finally:
            if writer is not None:
                writer.__exit__(None, None, None)
    if writer is None:
        raise InputError("holds no pictures", where=str(source))


def _clip(track: KeypointTrack, size_px: tuple[int, int]) -> _Clip:
    """Times and the hips' smooth path on every frame of the clip."""
    hips = [track.layout.index(f"{side}_hip") for side in ("left", "right") if f"{side}_hip" in track.layout.joints]
    x = np.where(track.valid[:, hips], track.xy_px[:, hips, 0], np.nan).astype(np.float64)
    known = np.isfinite(x).all(axis=1)
    count = int(track.frame[-1]) + 1 if len(track) else 1
    frame = np.arange(count)
    if known.sum() < 2:
        return _Clip(size_px, frame / 30.0, np.full(count, size_px[0] / 2.0))
    time_s = np.interp(frame, track.frame, track.time_s)
    path = np.interp(frame, track.frame[known], x[known].mean(axis=1))
    width = max(1, round(_FOLLOW_S / max(float(np.median(np.diff(track.time_s))), 1e-3)))
    even = np.convolve(np.pad(path, width, mode="edge"), np.ones(width) / width, mode="same")[width:-width]
    return _Clip(size_px, time_s, even)


def verdict_of(result: GaitResult) -> str:
    """What is said of a walk as a whole: "normal", "abnormal", or the reason why nothing is."""
    if result.withheld is not None:
        return str(result.withheld)
    return result.abnormal.label if isinstance(result.abnormal, Abnormal) else str(result.abnormal)


def _numbers(result: GaitResult, mirrored: bool) -> dict[str, Value]:
    """Every number of a result by name, sides as the untouched clip has them."""
    out: dict[str, Value] = {}
    for name, item in result.parameters.items.items():
        if name == "symmetry":  # It follows from others, which are here already.
            continue
        if isinstance(item, Value):
            out[name] = item
        elif isinstance(item, Mapping):
            for side, value in item.items():
                if isinstance(value, Value):
                    out[f"{name}_{_MIRRORED[str(side)] if mirrored else side}"] = value
    if isinstance(result.deviation, Deviation):
        out["deviation_score"] = Value(result.deviation.score, result.deviation.sigma)
    return out


def differences(plain: GaitResult, other: GaitResult, *, mirrored: bool = False) -> dict[str, float]:
    """Difference of every number that both have, in standard deviations of the difference."""
    mine, theirs = _numbers(plain, False), _numbers(other, mirrored)
    return {
        name: (theirs[name].value - value.value) / max(float(np.hypot(value.sigma, theirs[name].sigma)), 1e-9)
        for name, value in mine.items()
        if name in theirs
    }


def walking_clips(folder: Path, patterns: Sequence[str] = ()) -> list[Path]:
    """Clips of a folder in which somebody walks, by its ``videos.csv`` (category gait); all of them without one.

    Raises:
        InputError: there are none.
    """
    listing = folder / "videos.csv"
    if listing.is_file():
        with listing.open(encoding="utf-8-sig", newline="") as file:
            names = [row["file"] for row in csv.DictReader(file) if row.get("category") == "gait"]
    else:
        names = [path.name for path in sorted(folder.glob("*.mp4"))]
    chosen = [folder / name for name in names if not patterns or any(fnmatch(name, p) for p in patterns)]
    if not chosen:
        raise InputError("holds no walking clip", where=str(folder), hint="See docs/gait.md")
    return chosen


def evaluate_same(
    folder: Path,
    patterns: Sequence[str] = (),
    *,
    only: Sequence[str] = (),
    results: Path | None = None,
    limit_s: float | None = None,
    quality: str = "auto",
) -> dict[str, Any]:
    """Every walking clip against itself, changed in each way.

    Args:
        folder: of clips.
        patterns: only files like one of these; all if empty.
        only: names of changes; all if empty.
        results: folder for what was seen of each changed film: there already, it is used again, and only gait is
            analysed anew. None keeps nothing.
        limit_s: after so long no further clip is begun; None for all.
        quality: as in `posepipe.pipeline.Config`.

    Returns:
        Metrics, a row for each clip and change, versions.

    Raises:
        InputError: there is no walking clip.
        UsageError: no such change.
    """
    if unknown := sorted(set(only) - {change.name for change in CHANGES}):
        raise UsageError(f"no change {unknown[0]!r}", hint=f"Valid: {', '.join(change.name for change in CHANGES)}")
    changes = [change for change in CHANGES if not only or change.name in only]
    rows: list[dict[str, Any]] = []
    eyes, began_s = _Eyes.open(quality), time.monotonic()
    for path in walking_clips(folder, patterns):
        if limit_s is not None and time.monotonic() - began_s > limit_s:
            break
        for row in _rows_of(path, eyes, changes, results):
            rows.append(row)
            _log.info("%s", row)
    return {"metrics": _metrics(rows), "rows": [_shown(row) for row in rows], "versions": {"posepipe": __version__}}


@dataclass(frozen=True, slots=True)
class _Eyes:
    """Detector and lifter, opened once for all films."""

    pipeline: Pipeline
    detector: Detector
    lifter: Lifter

    @classmethod
    def open(cls, quality: str) -> _Eyes:
        config = Config(task="gait", workers=1, quality=quality)
        return cls(
            Pipeline(config),
            open_detector(config.detector_name(live=False), max_people=config.max_people, threads=1),
            Lifter(threads=1),
        )

    def see(self, film: Path) -> Recording | None:
        try:
            return self.pipeline.describe(self.pipeline.detect(film, detector=self.detector), lifter=self.lifter)
        except NobodyFoundError:
            return None


def _rows_of(path: Path, eyes: _Eyes, changes: Sequence[Change], results: Path | None) -> Iterator[dict[str, Any]]:
    kept = None if results is None else results / path.stem
    recording = _seen(eyes, path, None if kept is None else kept / "plain")
    if recording is None:
        return
    person = recording.people[0]
    plain = analyse(recording.motion_of(person))
    for change in changes:
        place = None if kept is None else kept / change.name.replace(" ", "_")
        with tempfile.TemporaryDirectory() as name:
            film = Path(name) / "film.mp4"
            if place is None or not (place / "summary.json").is_file():
                changed_film(path, film, change, person.keypoints)
            found = _seen(eyes, film, place)
        result = GaitResult() if found is None else analyse(found.motion_of(found.people[0]))
        yield {
            "clip": path.name,
            "change": change.name,
            "away": differences(plain, result, mirrored=change.mirrored),
            "widths": {name: _NINETY * value.sigma for name, value in _numbers(result, change.mirrored).items()},
            "verdict": verdict_of(plain),
            "changed": "nobody_found" if found is None else verdict_of(result),
        }


def _seen(eyes: _Eyes, film: Path, kept: Path | None) -> Recording | None:
    """What is seen of a film; read from a results folder where that is there, else written there."""
    if kept is not None and (kept / "summary.json").is_file():
        return load(kept)
    recording = eyes.see(film)
    if recording is not None and kept is not None:
        save(recording, kept)
    return recording


def _metrics(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    away = np.array([abs(value) for row in rows for value in row["away"].values()])
    labels = ("normal", "abnormal")
    judged = [row for row in rows if row["verdict"] in labels and row["changed"] in labels]
    out = {
        "clips": float(len({row["clip"] for row in rows})),
        "changed_clips": float(len(rows)),
        "differences": float(len(away)),
        "judged_both": float(len(judged)),
        "verdicts_opposite": float(sum(row["verdict"] != row["changed"] for row in judged)),
        "judged_one_only": float(sum((row["verdict"] in labels) != (row["changed"] in labels) for row in rows)),
    }
    if len(away):
        out["outside_90_pct"] = float(100.0 * np.mean(away > _NINETY))
    out |= _median_widths(rows)
    for change in CHANGES:
        mine = [abs(value) for row in rows if row["change"] == change.name for value in row["away"].values()]
        if mine:
            key = change.name.replace(" ", "_")
            out[f"outside_90_pct_{key}"] = float(100.0 * np.mean(np.array(mine) > _NINETY))
    return out


_WIDTHS = ("cadence_spm", "step_length_m", "walking_speed_mps", "stance_pct", "deviation_score")


def _median_widths(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Half of a 90 % interval, the median over clips and changes; of a number of both sides, over these too."""
    out = {}
    for name in _WIDTHS:
        known = [width for row in rows for key, width in row["widths"].items() if key.startswith(name)]
        if known:
            out[f"half_width_90_{name}"] = float(np.median(known))
    return out


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    away: Mapping[str, float] = row["away"]
    outside = sorted((name for name in away if abs(away[name]) > _NINETY), key=lambda name: -abs(away[name]))
    return {
        "clip": row["clip"],
        "change": row["change"],
        "numbers": len(away),
        "outside": len(outside),
        "which": ", ".join(f"{name} {away[name]:+.1f}" for name in outside),
        "verdict": row["verdict"],
        "changed": row["changed"],
    }
