"""Clips made hard: covered heads, text, few pictures a second, turned films, posters, small people.

Each hard clip is made from a clip and judged by what the untouched clip gave: who is followed, in how many tracks, the
view, the sides, the name and the count.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.body.lift import Lifter
from posepipe.doctor import installed
from posepipe.errors import InputError, NobodyFoundError, UsageError
from posepipe.media.sources import open_source
from posepipe.media.writer import VideoWriter
from posepipe.pipeline import Config, Pipeline
from posepipe.record.recording import Person, Recording
from posepipe.types import Frame, KeypointTrack

__all__ = ["HARD", "Clip", "HardKind", "evaluate_hard", "make_hard", "nearness", "sides_exchanged"]

Image = NDArray[np.uint8]
Float64 = NDArray[np.float64]

_HEAD_RADII = 1.5
"""Of the head's keypoints about their middle: a cover that hides the whole head."""
_HEAD_TRUNKS = 0.27
"""Least radius of the cover, in lengths of the trunk: seen from the side or behind the head's keypoints lie close."""
_BLOCKS = 4
"""A pixelated head is so many blocks wide."""
_SMALL_SHARE = 0.2
"""Height of a small person as a share of the picture's."""
_POSTER_SHARE = 0.95
"""Height of the person on a poster as a share of the picture's."""
_SIDES_PX = 0.06
"""Left and right closer than this share of the body's height tell nothing about an exchange."""
_SIDES_SHARE = 0.05
"""Largest share of exchanged pairs that is as without."""
_SAME_PLACE = 0.12
"""Mean distance, in heights, within which two answers mean the same person."""
_LIMBS = tuple(f"{side}_{part}" for part in ("shoulder", "hip", "knee", "ankle") for side in ("left", "right"))
_TEXT = ("WORKOUT OF THE DAY", "keep your back straight", "3 SETS   10 REPS", "follow for more")


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """An untouched clip and what it gave.

    Attributes:
        video: the file.
        track: keypoints of its subject.
        size_px: width and height.
        fps_hz: mean frame rate.
        poster: one of its pictures, with the subject in it.
        poster_row: row of the track that the poster shows.
    """

    video: Path
    track: KeypointTrack
    size_px: tuple[int, int]
    fps_hz: float
    poster: Image
    poster_row: int


@dataclass(frozen=True, slots=True)
class HardKind:
    """A way to make clips harder.

    Attributes:
        picture: the frame's new picture; None leaves the frame out.
        place: (2, 3) from the new picture's pixels to the old one's, of a clip as it should come out.
        judged: what must be as without: of "tracks", "view", "sides", "count", "subject".
    """

    picture: Callable[[Frame, Clip], Image | None]
    place: Callable[[Clip], Float64]
    judged: tuple[str, ...]


def _same(clip: Clip) -> Float64:
    return np.eye(2, 3)


def _points(track: KeypointTrack, row: int, *names: str) -> Float64:
    """(n, 2) keypoints of one row."""
    return np.asarray(track.xy_px[row, track.layout.indices(*names)], np.float64)


def _row(clip: Clip, frame: Frame) -> int | None:
    """The track's row of a frame, or the nearest one in which the head was seen."""
    seen = np.flatnonzero(clip.track.valid[:, 0])
    if not len(seen):
        return None
    return int(seen[np.abs(clip.track.time_s[seen] - frame.time_s).argmin()])


def _head(frame: Frame, clip: Clip) -> tuple[int, int, int] | None:
    """Middle and radius of a cover over the head."""
    row = _row(clip, frame)
    if row is None:
        return None
    index = [i for i, name in enumerate(clip.track.layout.joints) if any(p in name for p in ("nose", "ear", "eye"))]
    points = np.asarray(clip.track.xy_px[row, index], np.float64)
    middle = points.mean(axis=0)
    corners = _points(clip.track, row, "left_shoulder", "right_shoulder", "left_hip", "right_hip")
    trunk = float(np.linalg.norm(corners[:2].mean(axis=0) - corners[2:].mean(axis=0)))
    radius = max(_HEAD_RADII * float(np.linalg.norm(points - middle, axis=1).max()), _HEAD_TRUNKS * trunk, 3.0)
    if not np.isfinite([*middle, radius]).all():
        return None
    return round(float(middle[0])), round(float(middle[1])), round(radius)


def _cover(frame: Frame, clip: Clip, how: Callable[[Image], Image], square: bool) -> Image:
    image = frame.image.copy()
    found = _head(frame, clip)
    if found is None:
        return image
    x, y, radius = found
    left, top, right, bottom = max(x - radius, 0), max(y - radius, 0), x + radius, y + radius
    part = image[top:bottom, left:right] if right > 0 and bottom > 0 else image[:0]
    if part.size:
        mask = np.zeros(part.shape[:2], np.uint8)
        if square:
            mask[:] = 1
        else:
            cv2.circle(mask, (x - left, y - top), radius, (1,), -1)
        part[:] = np.where(mask[..., None] > 0, how(part), part)
    return image


def _blurred(part: Image) -> Image:
    size = 2 * (max(part.shape[:2]) // 3) + 1
    return np.asarray(cv2.GaussianBlur(part, (size, size), size / 3.0), np.uint8)


def _boxed(part: Image) -> Image:
    return np.zeros_like(part)


def _pixelated(part: Image) -> Image:
    height, width = part.shape[:2]
    few = cv2.resize(part, (min(_BLOCKS, width), min(_BLOCKS, height)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(few, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def _written(frame: Frame, clip: Clip) -> Image:
    """Lines of text across the picture, some over the person."""
    image = frame.image.copy()
    width, height = clip.size_px
    for line, at in zip(_TEXT, (0.12, 0.42, 0.62, 0.9), strict=True):
        (wide, tall), _ = cv2.getTextSize(line, cv2.FONT_HERSHEY_DUPLEX, 1.0, 2)
        scale = min(0.8 * width / wide, 0.09 * height / tall)
        left = round(0.5 * (width - scale * wide))
        thick = max(1, round(2 * scale))
        for color, pen in (((0, 0, 0), thick + 3), ((255, 255, 255), thick)):
            cv2.putText(image, line, (left, round(at * height)), cv2.FONT_HERSHEY_DUPLEX, scale, color, pen)
    return image


def _at(rate_hz: float) -> Callable[[Frame, Clip], Image | None]:
    """The first frame of each of the new rate's steps."""

    def picture(frame: Frame, clip: Clip) -> Image | None:
        before = np.floor((frame.time_s - 1.0 / clip.fps_hz) * rate_hz + 1e-6)
        return frame.image if frame.index == 0 or np.floor(frame.time_s * rate_hz + 1e-6) > before else None

    return picture


def _turned(code: int) -> Callable[[Frame, Clip], Image]:
    return lambda frame, clip: np.asarray(cv2.rotate(frame.image, code), np.uint8)


def _body_px(clip: Clip) -> float:
    """Median height of the person in the picture."""
    y = np.where(clip.track.valid, clip.track.xy_px[..., 1], np.nan)
    seen = np.isfinite(y).any(axis=1)
    return float(np.median(np.nanmax(y[seen], axis=1) - np.nanmin(y[seen], axis=1))) if seen.any() else 1.0


def _with_poster(frame: Frame, clip: Clip) -> Image:
    """The picture, and beside it a larger one of the same person who never moves."""
    height = clip.size_px[1]
    xy = clip.track.xy_px[clip.poster_row][clip.track.valid[clip.poster_row]]
    low, high = np.maximum(xy.min(axis=0), 0.0), np.minimum(xy.max(axis=0), clip.size_px)
    margin = 0.08 * float(max(high - low))
    left, top = np.maximum(np.floor(low - margin), 0).astype(int)
    right, bottom = np.minimum(np.ceil(high + margin), clip.size_px).astype(int)
    part = clip.poster[top:bottom, left:right]
    scale = _POSTER_SHARE * height / max(part.shape[0], 1)
    shown = cv2.resize(part, (max(2, round(scale * part.shape[1])), round(scale * part.shape[0])))
    wall = np.full((height, shown.shape[1] + 16, 3), 200, np.uint8)
    wall[4 : 4 + shown.shape[0], 8 : 8 + shown.shape[1]] = shown
    return np.concatenate([frame.image, wall], axis=1)


def _small_scale(clip: Clip) -> float:
    return min(_SMALL_SHARE * clip.size_px[1] / max(_body_px(clip), 1.0), 1.0)


def _small_corner(clip: Clip) -> tuple[int, int]:
    """Where the shrunk picture lies: right of the middle, below it."""
    width, height = clip.size_px
    scale = _small_scale(clip)
    return round(0.7 * (width - scale * width)), round(0.65 * (height - scale * height))


def _small(frame: Frame, clip: Clip) -> Image:
    """The whole picture shrunk; around it its edges, drawn out and blurred."""
    width, height = clip.size_px
    scale = _small_scale(clip)
    shrunk = cv2.resize(frame.image, (round(scale * width), round(scale * height)), interpolation=cv2.INTER_AREA)
    left, top = _small_corner(clip)
    right, bottom = width - left - shrunk.shape[1], height - top - shrunk.shape[0]
    out = cv2.copyMakeBorder(shrunk, top, bottom, left, right, cv2.BORDER_REPLICATE)
    return np.asarray(out, np.uint8)


def _from_small(clip: Clip) -> Float64:
    scale, (left, top) = _small_scale(clip), _small_corner(clip)
    return np.array([[1.0 / scale, 0.0, -left / scale], [0.0, 1.0 / scale, -top / scale]])


_AS_WITHOUT = ("view", "sides", "count")
HARD: Mapping[str, HardKind] = {
    "head_blurred": HardKind(lambda f, c: _cover(f, c, _blurred, square=False), _same, _AS_WITHOUT),
    "head_boxed": HardKind(lambda f, c: _cover(f, c, _boxed, square=True), _same, _AS_WITHOUT),
    "head_pixelated": HardKind(lambda f, c: _cover(f, c, _pixelated, square=True), _same, _AS_WITHOUT),
    "text": HardKind(_written, _same, ("tracks", "count")),
    "rate_12_hz": HardKind(_at(12.0), _same, ("tracks", "count")),
    "rate_10_hz": HardKind(_at(10.0), _same, ("tracks", "count")),
    "turned_90": HardKind(_turned(cv2.ROTATE_90_CLOCKWISE), _same, ("subject",)),
    "turned_180": HardKind(_turned(cv2.ROTATE_180), _same, ("subject",)),
    "turned_270": HardKind(_turned(cv2.ROTATE_90_COUNTERCLOCKWISE), _same, ("subject",)),
    "poster": HardKind(_with_poster, _same, ("subject",)),
    "small": HardKind(_small, _from_small, ("subject",)),
}


def hard_frames(clip: Clip, kind: str) -> Iterator[Frame]:
    """Frames of a clip made hard; numbers and times are those of the clip."""
    maker = HARD[kind]
    with open_source(clip.video) as source:
        for frame in source:
            image = maker.picture(frame, clip)
            if image is not None:
                yield Frame(frame.index, frame.time_s, np.ascontiguousarray(image))


def make_hard(clip: Clip, kind: str, path: Path) -> Path:
    """Write a clip made hard.

    Args:
        clip: what it is made from.
        kind: one of `HARD`.
        path: the video, ending in ``.mp4``.

    Raises:
        UsageError: no such kind.
        MediaError: the clip can't be read.
        OutputError: the video can't be written.
    """
    if kind not in HARD:
        raise UsageError(f"no kind {kind!r}", where="hard clips", hint=f"Valid: {', '.join(HARD)}")
    frames = hard_frames(clip, kind)
    first = next(frames)
    rate_hz = {"rate_12_hz": 12.0, "rate_10_hz": 10.0}.get(kind, clip.fps_hz)
    with VideoWriter(path, *first.size_px, rate_hz, crf=18) as writer:
        writer.write(first.image, first.time_s)
        for frame in frames:
            writer.write(frame.image, frame.time_s)
    return path


def untouched(video: Path, recording: Recording) -> Clip:
    """A clip to make others from, by what was found in it."""
    facts, track = recording.video, recording.people[0].keypoints
    seen = np.flatnonzero(track.valid.all(axis=1))
    row = int(seen[len(seen) // 2]) if len(seen) else int(np.argmax(track.valid.sum(axis=1)))
    size = (facts.width_px, facts.height_px)
    with open_source(video) as source:
        poster = next((frame.image for frame in source if frame.index == int(track.frame[row])), None)
    if poster is None:
        raise InputError("the clip has fewer frames than its results", where=str(video), hint="Analyse it again")
    return Clip(video, track, size, facts.fps_hz, poster, row)


def _paired(person: KeypointTrack, reference: KeypointTrack, place: Float64) -> tuple[Float64, Float64, Float64]:
    """Limb joints (n, 8, 2) of both in the same moments, in the reference's pixels, and the body's height (n,)."""
    rows = np.abs(reference.time_s[None] - person.time_s[:, None]).argmin(axis=1)
    step_s = float(np.median(np.diff(reference.time_s))) if len(reference) > 1 else 1.0
    near = np.abs(reference.time_s[rows] - person.time_s) <= 0.75 * step_s
    a, b = person.layout.indices(*_LIMBS), reference.layout.indices(*_LIMBS)
    mine = person.xy_px[near][:, a].astype(np.float64) @ place[:, :2].T + place[:, 2]
    theirs = reference.xy_px[rows[near]][:, b].astype(np.float64)
    seen = reference.valid[rows[near], :, None]
    low = np.where(seen, reference.xy_px[rows[near]], np.inf).min(axis=1)
    high = np.where(seen, reference.xy_px[rows[near]], -np.inf).max(axis=1)
    height = (high - low).max(axis=1).astype(np.float64)
    height[~np.isfinite(height)] = np.nan
    return mine, theirs, height


def nearness(person: KeypointTrack, reference: KeypointTrack, place: Float64) -> float:
    """Median distance from the reference's joints in body heights, whichever sides; inf without a common moment."""
    mine, theirs, height = _paired(person, reference, place)
    middle, other = (x.reshape(-1, 4, 2, 2).mean(axis=2) for x in (mine, theirs))
    gap = np.linalg.norm(middle - other, axis=2) / height[:, None]
    gap = gap[np.isfinite(gap)]
    return float(np.median(gap)) if gap.size else float("inf")


def sides_exchanged(person: KeypointTrack, reference: KeypointTrack, place: Float64) -> float:
    """Share of pairs of limb joints that lie nearer to the reference's other side; 0 where no pair tells."""
    mine, theirs, height = _paired(person, reference, place)
    if not len(mine):
        return 0.0
    straight = np.linalg.norm(mine - theirs, axis=2).reshape(-1, 4, 2).sum(axis=2)
    crossed = np.linalg.norm(mine - theirs[:, [1, 0, 3, 2, 5, 4, 7, 6]], axis=2).reshape(-1, 4, 2).sum(axis=2)
    apart = np.linalg.norm(theirs[:, ::2] - theirs[:, 1::2], axis=2)
    tells = np.isfinite(straight) & np.isfinite(crossed) & (apart > _SIDES_PX * height[:, None])
    return float((crossed < straight)[tells].mean()) if tells.any() else 0.0


def _view_kept(person: Person, before: Person) -> bool:
    """Whether the view is as without, a step of 45 degrees apart at most, or withheld."""
    if "unknown" in (person.view.label, before.view.label):
        return person.view.label == "unknown"
    turn = (person.view.yaw_deg - before.view.yaw_deg + 180.0) % 360.0 - 180.0
    return abs(turn) <= 67.5


def _label(person: Person) -> str:
    """The exercise that lasts longest, by its confidence; "none" without any."""
    sure_s: dict[str, float] = {}
    for bout in person.exercise.bouts:
        sure_s[bout.label] = sure_s.get(bout.label, 0.0) + bout.confidence * (bout.end_s - bout.start_s)
    return max(sure_s, key=lambda label: sure_s[label], default="none")


def compare(kind: str, clip: Clip, before: Person, after: Person | None, tracks: int = 1) -> dict[str, Any]:
    """One row: what a hard clip gave beside the untouched one; ``right`` if all that is judged is as without.

    Args:
        kind: one of `HARD`.
        clip: what it was made from.
        before: its subject.
        after: the hard clip's subject; None if nobody was found.
        tracks: of the hard clip.
    """
    maker = HARD[kind]
    row: dict[str, Any] = {"clip": clip.video.stem, "kind": kind, "view_before": before.view.label}
    if after is None:
        return row | {"found": False, "right": False}
    place = maker.place(clip)
    near = nearness(after.keypoints, clip.track, place)
    swapped = sides_exchanged(after.keypoints, clip.track, place)
    counts = before.exercise.reps_total, after.exercise.reps_total
    tests = {
        "tracks": tracks == 1,
        "view": _view_kept(after, before),
        "sides": swapped <= _SIDES_SHARE or after.view.label == "unknown",
        "count": counts[0] == counts[1],
        "subject": near <= _SAME_PLACE,
    }
    return row | {
        "found": True,
        "view": after.view.label,
        "exchanged": round(swapped, 3),
        "tracks": tracks,
        "label_before": _label(before),
        "label": _label(after),
        "count_before": counts[0],
        "count": counts[1],
        "away": round(near, 3) if np.isfinite(near) else None,
        "right": all(tests[name] for name in maker.judged),
    }


def clips_in(folder: Path) -> list[Path]:
    """Videos of a folder; where ``videos.csv`` tells how many people there are, those of one person alone.

    Raises:
        InputError: there are none.
    """
    if folder.is_file():
        return [folder]
    table = folder / "videos.csv"
    if table.is_file():
        with table.open(encoding="utf-8", newline="") as file:
            found = [folder / row["file"] for row in csv.DictReader(file) if row["persons"] == "1"]
    else:
        found = sorted(folder.glob("*.mp4"))
    if not found:
        raise InputError("no clips", where=str(folder), hint="Give a folder of .mp4 files, or one file")
    return found


def evaluate_hard(
    path: Path,
    *,
    kinds: Sequence[str] = (),
    clips: Sequence[str] = (),
    detector: str = "blazepose",
    quality: str = "auto",
) -> dict[str, Any]:
    """Make clips hard, analyse them, and compare with the untouched ones.

    Args:
        path: a clip, or a folder of clips.
        kinds: of `HARD`; all if empty.
        clips: only these, by their names without suffix.
        detector: see `posepipe.keypoints.open_detector`.
        quality: see `posepipe.pipeline.Config`.

    Returns:
        ``{"metrics": {...}, "rows": [...], "versions": {...}}``; ``right/KIND`` is the share of clips in which all that
        this kind is judged by is as without. Clips in which nobody is found untouched are left out.

    Raises:
        UsageError: no such kind.
        InputError: no clips.
        MediaError: a clip can't be read.
    """
    for kind in kinds:
        if kind not in HARD:
            raise UsageError(f"no kind {kind!r}", where="evaluate hard", hint=f"Valid: {', '.join(HARD)}")
    videos = [video for video in clips_in(path) if not clips or video.stem in clips]
    pipeline = Pipeline(Config(detector=detector, quality=quality))
    lifter = Lifter()
    rows = []
    with TemporaryDirectory() as folder:
        for video in videos:
            before = _analysed(pipeline, lifter, video)
            if before is None:
                continue
            clip = untouched(video, before[0])
            for kind in kinds or HARD:
                made = make_hard(clip, kind, Path(folder) / f"{kind}.mp4")
                after = _analysed(pipeline, lifter, made)
                person, tracks = (None, 0) if after is None else (after[0].people[0], after[1])
                rows.append(compare(kind, clip, before[0].people[0], person, tracks))
    return {"metrics": _metrics(rows), "rows": rows, "versions": installed(("posepipe", "onnxruntime", "numpy"))}


def _analysed(pipeline: Pipeline, lifter: Lifter, video: Path) -> tuple[Recording, int] | None:
    """The recording of the subject, and the number of tracks; None if nobody was found."""
    try:
        detection = pipeline.detect(video)
    except NobodyFoundError:
        return None
    return pipeline.describe(detection, lifter=lifter), len(detection.tracks)


def _metrics(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    metrics: dict[str, float] = {"clips": float(len({row["clip"] for row in rows}))}
    for kind in HARD:
        mine = [float(row["right"]) for row in rows if row["kind"] == kind]
        if mine:
            metrics[f"right/{kind}"] = float(np.mean(mine))
    return metrics
