"""Whether the same set counts the same when the film is changed in ways that don't touch the repetitions.

Changes of time (rate, pace, cuts, pauses, absences), a mirror image and a rolled camera can be made of a clip's poses;
those of the picture need the detector again. ``same`` is the share of pairs of clip and change whose count is that of
the unchanged clip, ``within_one`` the share off by at most one. A clip cut in the midst of its first and last
repetition has two fewer.
"""

from __future__ import annotations

import csv
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.body.angles import joint_angles
from posepipe.body.motion import Motion
from posepipe.doctor import package_versions
from posepipe.errors import InputError, UsageError
from posepipe.exercise.analyse import analyse_exercise
from posepipe.exercise.labels import EXERCISES, OTHER
from posepipe.exercise.recognise import Recogniser
from posepipe.exercise.types import ExerciseResult, Repetition
from posepipe.lab.film import film, open_film
from posepipe.lab.people.exercises.takes import gym_counted, make_exercise
from posepipe.lab.recogniser.measure import filmed_motion
from posepipe.media.atomic import atomic_path
from posepipe.media.sources import open_source
from posepipe.media.writer import VideoWriter
from posepipe.skeleton import BODY21
from posepipe.types import PoseTrack

__all__ = ["CHANGES", "Change", "Pair", "changed_motion", "evaluate_same", "evaluate_same_made", "retimed"]

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
Image = NDArray[np.uint8]
Reps = tuple[Repetition, ...]

AWAY_S = 3.0
"""How long a person pauses or is gone."""
MADE_SEED = 9472
"""Of made sets; takes of this seed are in no pool."""
_MOST_REPS = 9.0
_ROLL_DEG = 15.0
_LEAST_REPS = 3
"""A clip with fewer isn't cut."""
_GREY = 110
_KEPT = ("time_s", "xyz_m", "sigma_m", "root_m", "valid")
"""Of a motion, in the cache."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change.

    Attributes:
        name: in the table.
        rate_hz: most frames a second; None keeps all.
        pace: how much faster everything goes.
        event: "cut", "pause" or "leave" in the midst; "" for none.
        picture: what is done to every picture; None for nothing.
        crf: quality of the film, as `VideoWriter`'s.
        posed: whether the clip's poses can be changed alike.
    """

    name: str
    rate_hz: float | None = None
    pace: float = 1.0
    event: str = ""
    picture: Callable[[Image, int], Image] | None = None
    crf: int = 18
    posed: bool = True


def _scaled(height_px: int) -> Callable[[Image, int], Image]:
    def picture(image: Image, _: int) -> Image:
        width_px = max(2, round(image.shape[1] * height_px / image.shape[0]))
        return np.asarray(cv2.resize(image, (width_px, height_px), interpolation=cv2.INTER_AREA), np.uint8)

    return picture


def _mirrored(image: Image, _: int) -> Image:
    return np.ascontiguousarray(image[:, ::-1])


def _dark(image: Image, _: int) -> Image:
    return np.asarray(image * np.float32(0.25), np.uint8)


def _text(image: Image, _: int) -> Image:
    height, width = image.shape[:2]
    out = image.copy()
    size = height / 300.0
    for row, words in enumerate(("DAY 12", "5 x 10 REPS", "follow for more")):
        at = (round(0.05 * width), round((0.12 + 0.36 * row) * height))
        cv2.putText(out, words, at, cv2.FONT_HERSHEY_SIMPLEX, size, (255, 255, 255), max(1, round(3 * size)))
    return out


def _shaken(image: Image, frame: int) -> Image:
    rng = np.random.default_rng([5, frame])
    shift = rng.normal(0.0, 0.006 * image.shape[0], 2)
    return _warped(image, np.array([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]]))


def _rolled(image: Image, _: int) -> Image:
    middle = (image.shape[1] / 2.0, image.shape[0] / 2.0)
    return _warped(image, cv2.getRotationMatrix2D(middle, _ROLL_DEG, 1.0))


def _warped(image: Image, matrix: Any) -> Image:
    size = (image.shape[1], image.shape[0])
    return np.asarray(cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _letterboxed(image: Image, _: int) -> Image:
    edge = image.shape[0] // 4
    return np.asarray(cv2.copyMakeBorder(image, edge, edge, 0, 0, cv2.BORDER_CONSTANT), np.uint8)


def _portrait(image: Image, _: int) -> Image:
    height, width = image.shape[:2]
    if width <= height:
        return image
    left = (width - round(0.75 * height)) // 2
    return np.ascontiguousarray(image[:, max(left, 0) : width - max(left, 0)])


def _on_its_side(image: Image, _: int) -> Image:
    return np.asarray(cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE), np.uint8)


CHANGES: tuple[Change, ...] = (
    Change("mirrored", picture=_mirrored),
    Change("10 frames a second", rate_hz=10.0),
    Change("12 frames a second", rate_hz=12.0),
    Change("240 lines", picture=_scaled(240), posed=False),
    Change("160 lines", picture=_scaled(160), posed=False),
    Change("quality 40", crf=40, posed=False),
    Change("dark", picture=_dark, posed=False),
    Change("text over it", picture=_text, posed=False),
    Change("shaken", picture=_shaken, posed=False),
    Change("rolled 15°", picture=_rolled),
    Change("letterboxed", picture=_letterboxed, posed=False),
    Change("cropped to portrait", picture=_portrait, posed=False),
    Change("twice as fast", pace=2.0),
    Change("four times slower", pace=0.25),
    Change("cut in mid-repetition", event="cut"),
    Change("pause of 3 s", event="pause"),
    Change("gone for 3 s", event="leave"),
    Change("on its side", picture=_on_its_side, posed=False),
)
"""All changes, in the order of the table."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One clip under one change.

    Attributes:
        clip, change: names.
        wanted: count of the clip as it is, less what was cut.
        counted: under the change.
    """

    clip: str
    change: str
    wanted: int
    counted: int


def retimed(time_s: Array, change: Change, reps: Reps) -> tuple[Indices, Array]:
    """Which frames a change shows, and when: (N,) indices, -1 where nobody is there, and (N,) seconds.

    Args:
        time_s: (F,) of the clip's frames.
        change: what is done.
        reps: of the clip as it is; cuts, pauses and absences lie by them.
    """
    index, at = np.arange(len(time_s)), time_s - time_s[0]
    step_s = float(np.median(np.diff(time_s)))
    if change.event == "cut":
        inside = (time_s >= reps[0].turn_s) & (time_s <= reps[-1].turn_s)
        index, at = index[inside], at[inside]
    elif change.event and reps:
        middle = int(np.searchsorted(time_s, reps[(len(reps) - 1) // 2].end_s))
        middle = min(middle, len(time_s) - 1)
        stays = np.arange(1, round(AWAY_S / step_s)) * step_s
        shown = np.full(len(stays), middle if change.event == "pause" else -1)
        index = np.concatenate([index[: middle + 1], shown, index[middle + 1 :]])
        at = np.concatenate([at[: middle + 1], at[middle] + stays, at[middle + 1 :] + AWAY_S])
    at = at / change.pace
    if change.rate_hz is not None and len(at):
        slot = np.floor((at - at[0]) * change.rate_hz + 1e-6)
        first = np.flatnonzero(np.diff(slot, prepend=-1.0) > 0)
        index, at = index[first], at[first]
    return index, at


def changed_motion(motion: Motion, change: Change, reps: Reps) -> Motion:
    """The same person as the changed film would show them, made of their poses.

    Raises:
        UsageError: the change needs pictures.
    """
    if not change.posed:
        raise UsageError(f"{change.name!r} needs pictures", hint="Change the film itself")
    index, at = retimed(motion.time_s, change, reps)
    at, index = at[index >= 0], index[index >= 0]
    xyz, valid, sigma, root = (getattr(motion, name)[index] for name in ("xyz_m", "valid", "sigma_m", "root_m"))
    if change.name == "mirrored":
        flip, away = list(motion.layout.mirror), np.array([-1.0, 1.0, 1.0], np.float32)
        xyz, valid, sigma, root = xyz[:, flip] * away, valid[:, flip], sigma[:, flip], root * away
    if change.name.startswith("rolled"):
        c, s = np.cos(np.radians(_ROLL_DEG)), np.sin(np.radians(_ROLL_DEG))
        spin = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]], np.float32)
        xyz, root = xyz @ spin, root @ spin
    still = np.zeros_like(valid)
    pose = PoseTrack(motion.layout, at, xyz, sigma, root, np.full_like(root, np.nan), valid, still)
    return Motion.from_pose(pose, joint_angles(pose))


def evaluate_same(
    folder: Path,
    results: Path | None = None,
    only: Sequence[str] = (),
    clips: int | None = None,
    limit_s: float | None = None,
    named: Sequence[str] = (),
    cache: Path | None = None,
) -> dict[str, Any]:
    """Counts of every counted clip under every change.

    Args:
        folder: of videos, with a ``videos.csv``.
        results: folder of results folders named like the videos: poses are changed instead of pictures, and changes
            that need pictures are left out.
        only: names of changes; all if empty.
        clips: so many clips, evenly spread over the list; all if None.
        limit_s: after so long no further clip is begun.
        named: of these clips only; all if empty.
        cache: folder in which the poses of clips and changed films are kept, and taken from where they are there.

    Raises:
        InputError: no such folder, nothing counted in it, or no such change or clip.
    """
    wanted = [c for c in CHANGES if (not only or c.name in only) and (results is None or c.posed)]
    if unknown := set(only) - {change.name for change in CHANGES}:
        raise InputError(f"no change {sorted(unknown)[0]!r}", hint=f"Valid: {', '.join(c.name for c in CHANGES)}")
    listed = _counted(folder)
    if unknown := set(named) - set(listed):
        raise InputError(f"no counted clip {sorted(unknown)[0]!r}", where=str(folder))
    listed = [name for name in listed if not named or name in named]
    if clips is not None:
        spread = np.linspace(0, len(listed) - 1, min(clips, len(listed))).round().astype(int)
        listed = [listed[i] for i in spread]
    recogniser, begun = Recogniser(), time.monotonic()
    pairs: list[Pair] = []
    done = 0
    for name in listed:
        if limit_s is not None and time.monotonic() - begun > limit_s:
            break
        if results is None:
            found = _filmed(folder / name, wanted, recogniser, cache)
        else:
            found = _posed(folder / name, results, wanted, recogniser)
        pairs += [Pair(name, *row) for row in found]
        done += bool(found)
    return {
        "metrics": {"clips": float(done), **_shares(pairs)},
        "rows": [
            *({"change": c.name, **_shares([p for p in pairs if p.change == c.name])} for c in wanted),
            *({"change": p.change, "clip": p.clip, "wanted": p.wanted, "counted": p.counted} for p in pairs if _off(p)),
        ],
        "versions": package_versions(("posepipe", "onnxruntime", "numpy")),
    }  # fmt: skip


def _off(pair: Pair) -> int:
    return abs(pair.counted - pair.wanted)


def _shares(pairs: Sequence[Pair]) -> dict[str, float]:
    if not pairs:
        return {"pairs": 0.0}
    off = np.array([_off(pair) for pair in pairs])
    return {"pairs": float(len(off)), "same": float((off == 0).mean()), "within_one": float((off <= 1).mean())}


def _counted(folder: Path) -> list[str]:
    """Clips of exercises with a count above 0."""
    table = folder / "videos.csv"
    if not table.is_file():
        raise InputError("no videos.csv", where=str(folder), hint="It needs the columns file, label and reps")
    with table.open(encoding="utf-8", newline="") as file:
        rows: list[Mapping[str, str]] = list(csv.DictReader(file))
    found = [row["file"] for row in rows if row.get("reps", "").strip() not in ("", "0")]
    if not found:
        raise InputError("lists no counted clip", where=str(table), hint="It needs the columns file, label and reps")
    return found


def _reps(result: ExerciseResult) -> Reps:
    return tuple(sorted((rep for bout in result.bouts for rep in bout.reps), key=lambda rep: rep.start_s))


def _applies(change: Change, reps: Reps) -> bool:
    return change.event != "cut" or len(reps) >= _LEAST_REPS


def _wanted(change: Change, reps: Reps) -> int:
    return len(reps) - 2 if change.event == "cut" else len(reps)


def evaluate_same_made(sets: int, seed: int = MADE_SEED) -> dict[str, Any]:
    """Counts of synthetic sets under every change that can be made of poses.

    Args:
        sets: known exercises in turn, and every sixth of another one.
        seed: of all chance.
    """
    changes, recogniser = [c for c in CHANGES if c.posed], Recogniser()
    pairs: list[Pair] = []
    for name, motion in _made(sets, seed):
        pairs += [Pair(name, *row) for row in _changed(motion, changes, recogniser)]
    return {
        "metrics": {"sets": float(len({pair.clip for pair in pairs})), **_shares(pairs)},
        "rows": [{"change": c.name, **_shares([p for p in pairs if p.change == c.name])} for c in changes],
        "versions": package_versions(("posepipe", "onnxruntime", "numpy")),
    }


def _made(sets: int, seed: int) -> Iterator[tuple[str, Motion]]:
    stages, labels = open_film(), [name for name in EXERCISES if name != "plank"]
    for k in range(sets):
        rng = np.random.default_rng([seed, k])
        label = labels[k % len(labels)] if k % 6 else OTHER
        take = make_exercise(
            label, rng, reps=round(float(np.exp(rng.uniform(0.0, np.log(_MOST_REPS))))),
            fps_hz=float(rng.choice([24, 30])), context=0.4, cut=0.1, rest=0.1, noise_deg=float(rng.uniform(0.3, 3.0)),
            tempo=float(np.exp(rng.normal(0.0, 0.3))), factory=gym_counted if label == OTHER else None,
        )  # fmt: skip
        pose = film(stages, take.time_s, take.positions, rng)
        if pose is not None:
            yield f"{k} {label}: {take.variant}", Motion.from_pose(pose, joint_angles(pose))


def _posed(video: Path, results: Path, changes: Sequence[Change], recogniser: Recogniser) -> list[tuple[str, int, int]]:
    if not (results / video.stem / "summary.json").is_file():
        return []
    motion = filmed_motion(results)(video)
    return _changed(motion, changes, recogniser) if motion is not None else []


def _changed(motion: Motion, changes: Sequence[Change], recogniser: Recogniser) -> list[tuple[str, int, int]]:
    """Of every change its name, the count that is wanted, and that of the poses changed."""
    reps = _reps(analyse_exercise(motion, recogniser))
    found = []
    for change in changes:
        if _applies(change, reps):
            counted = analyse_exercise(changed_motion(motion, change, reps), recogniser).reps_total
            found.append((change.name, _wanted(change, reps), counted))
    return found


def _filmed(
    video: Path, changes: Sequence[Change], recogniser: Recogniser, cache: Path | None
) -> list[tuple[str, int, int]]:
    motion_of = filmed_motion()
    whole = _kept(cache, video, "as it is", lambda: motion_of(video))
    reps = _reps(analyse_exercise(whole, recogniser)) if whole is not None else ()

    def seen(change: Change) -> Motion | None:
        with tempfile.TemporaryDirectory() as folder:
            film = Path(folder) / "changed.mp4"
            _write(video, film, change, reps)
            return motion_of(film)

    found = []
    for change in changes:
        if _applies(change, reps):
            motion = _kept(cache, video, change.name, partial(seen, change))
            counted = analyse_exercise(motion, recogniser).reps_total if motion is not None else 0
            found.append((change.name, _wanted(change, reps), counted))
    return found


def _kept(cache: Path | None, video: Path, change: str, make: Callable[[], Motion | None]) -> Motion | None:
    """A motion from the cache, or made now and put there; nobody is kept as no frames."""
    if cache is None:
        return make()
    path = cache / f"{video.stem} {change}.npz"
    if not path.is_file():
        motion = make()
        cache.mkdir(parents=True, exist_ok=True)
        kept: dict[str, Any] = {name: getattr(motion, name) if motion is not None else np.zeros(0) for name in _KEPT}
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **kept)
    with np.load(path) as file:
        data = {name: file[name] for name in _KEPT}
    if not len(data["time_s"]):
        return None
    nowhere = np.full_like(data["root_m"], np.nan)
    pose = PoseTrack(BODY21, **data, root_sigma_m=nowhere, interpolated=np.zeros_like(data["valid"]))
    return Motion.from_pose(pose, joint_angles(pose))


def _write(video: Path, film: Path, change: Change, reps: Reps) -> None:
    """The changed film. Pictures are read twice, so that no clip has to fit into memory."""
    with open_source(video) as source:
        time_s = np.array([frame.time_s for frame in source])
    index, at = retimed(time_s, change, reps)
    rate_hz = 1.0 / float(np.median(np.diff(at)))
    with open_source(video) as source:
        shown = _shown(enumerate(frame.image for frame in source), index)
        first = next(shown)
        size = _done(first, change, 0).shape
        with VideoWriter(film, size[1], size[0], rate_hz, crf=change.crf) as writer:
            writer.write(_done(first, change, 0), float(at[0]))
            for k, image in enumerate(shown, 1):
                writer.write(_done(image, change, k), float(at[k]))


def _shown(pictures: Iterator[tuple[int, Image]], index: Indices) -> Iterator[Image]:
    """The pictures of an index that never goes back; grey where it is -1."""
    k, image = next(pictures)
    for wanted in index:
        if wanted < 0:
            yield np.full_like(image, _GREY)
            continue
        while k < wanted:
            k, image = next(pictures)
        yield image


def _done(image: Image, change: Change, frame: int) -> Image:
    return image if change.picture is None else change.picture(image, frame)
