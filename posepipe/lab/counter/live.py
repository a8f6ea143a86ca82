"""How soon a repetition is counted live: made sets, or films whose keypoints were kept, frame by frame.

A count is in time where it is up at most `IN_TIME_S` after the repetition's end. Time is the film's own: what cameras,
networks and pages take comes on top. Truth is a made repetition's end, of a film that of the whole clip's analysis,
where that counts what was counted by hand. Delays are told of sets whose count ends up right.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posepipe.body.lift import Lifter
from posepipe.doctor import package_versions
from posepipe.errors import InputError
from posepipe.exercise.catalogue import load_catalogue
from posepipe.exercise.coach import Coach
from posepipe.exercise.labels import EXERCISES
from posepipe.exercise.recognise import Recogniser
from posepipe.lab.film import filmed
from posepipe.lab.people.exercises.takes import make_exercise
from posepipe.live import LivePerson, LiveSession
from posepipe.record.folder import load
from posepipe.types import Camera, Frame, Keypoints, KeypointTrack

__all__ = ["IN_TIME_S", "SEED", "Told", "count_live", "delays", "evaluate_live", "evaluate_live_films"]

IN_TIME_S = 0.6
SEED = 9711
"""Takes of this seed are in no pool."""
_REPS = 5
_NO_IMAGE = np.zeros((1, 1, 3), np.uint8)
_NOT_NAMED, _DOUBTED = "not named yet", "its set in doubt"


@dataclass(frozen=True, slots=True)
class Told:
    """What a live session said of one set.

    Attributes:
        told_s: when the count rose to one, two and so on.
        named_s: since when the exercise was named without a break, at each of these moments.
    """

    told_s: tuple[float, ...] = ()
    named_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Set:
    """One set and what was said of it.

    Attributes:
        name: of the clip, or what is done.
        ends_s: true ends of its repetitions, in order.
        told: live.
    """

    name: str
    ends_s: tuple[float, ...]
    told: Told


class _Kept:
    """A detector's stream of keypoints that are known already."""

    def __init__(self, track: KeypointTrack) -> None:
        self._track = track

    def step(self, frame: Frame) -> tuple[Keypoints, ...]:
        i = frame.index
        if not self._track.valid[i].any():
            return ()
        gone = ~self._track.valid[i]
        xy, sigma = self._track.xy_px[i].copy(), self._track.sigma_px[i].copy()
        xy[gone] = sigma[gone] = np.nan
        return (Keypoints(self._track.layout, xy, sigma, np.nan_to_num(self._track.score[i])),)

    def close(self) -> None:
        """Nothing is held."""


def count_live(track: KeypointTrack, lens: Camera, coaches: Sequence[Coach], lifter: Lifter) -> tuple[Told, ...]:
    """Step a live session through keypoints, and coaches along with it.

    Args:
        track: one person's.
        lens: of the camera.
        coaches: fresh ones.
        lifter: 2D to 3D.

    Returns:
        What each of them said.
    """
    size_px = (lens.width_px, lens.height_px)
    listeners = [_Listener(coach) for coach in coaches]
    with LiveSession(_Kept(track), lifter, lens) as session:
        for i, time_s in enumerate(track.time_s.tolist()):
            people = session.step(Frame(i, time_s, _NO_IMAGE))
            for listener in listeners:
                listener.step(time_s, people[0] if people else None, size_px)
    return tuple(Told(tuple(one.told_s), tuple(one.named_s)) for one in listeners)


class _Listener:
    """Notes when a coach's count rises."""

    def __init__(self, coach: Coach) -> None:
        self._coach = coach
        self._label: str | None = None
        self._since_s = float("nan")
        self.told_s: list[float] = []
        self.named_s: list[float] = []

    def step(self, time_s: float, person: LivePerson | None, size_px: tuple[int, int]) -> None:
        if person is None:
            state = self._coach.nobody(time_s)
        else:
            state = self._coach.step(time_s, person.pose, person.angles, person.keypoints, size_px)
        if state.label != self._label:
            self._label, self._since_s = state.label, time_s
        risen = state.reps_total - len(self.told_s)
        self.told_s += [time_s] * risen
        self.named_s += [self._since_s] * risen


def delays(one: Set) -> list[tuple[float, str]]:
    """Seconds from the end of each repetition to its count, and why it came late; empty where the count is wrong."""
    if len(one.ends_s) != len(one.told.told_s):
        return []
    out = []
    for end_s, told_s, named_s in zip(one.ends_s, one.told.told_s, one.told.named_s, strict=True):
        late = told_s - end_s > IN_TIME_S
        why = (_NOT_NAMED if named_s > end_s + IN_TIME_S else _DOUBTED) if late else ""
        out.append((told_s - end_s, why))
    return out


def evaluate_live(sets: int, seed: int = SEED) -> dict[str, Any]:
    """Delay of every repetition of made sets, the exercise chosen and not.

    Args:
        sets: known exercises in turn, with something before or after half of them.
        seed: of all chance.
    """
    lifter, recogniser = Lifter(threads=1), Recogniser()
    labels = [name for name in EXERCISES if load_catalogue()[name].counted]
    chosen, named = [], []
    for k in range(sets):
        label, rng = labels[k % len(labels)], np.random.default_rng([seed, k])
        fps_hz = float(rng.choice([20, 30]))
        take = make_exercise(label, rng, reps=_REPS, context=0.4, cut=0.0, partial=0.0, fps_hz=fps_hz)
        seen = filmed(take.time_s, take.positions, rng)
        if seen is None:
            continue
        ends_s = tuple(sorted(take.rep_bounds[:, 1].tolist()))
        told = count_live(*seen, (Coach(label), Coach(recogniser=recogniser)), lifter)
        chosen.append(Set(label, ends_s, told[0]))
        named.append(Set(label, ends_s, told[1]))
    rows = [{"exercise": name, **_figures([one for one in named if one.name == name])} for name in labels]
    more = {f"chosen, {key}": value for key, value in _figures(chosen).items()}
    return _result(named, [row for row in rows if row["sets"]], more)


def evaluate_live_films(folder: Path, results: Path) -> dict[str, Any]:
    """The same of films, the exercise not chosen, from the keypoints of their analyses.

    Args:
        folder: with a ``videos.csv``.
        results: folder of results folders by the videos' names.

    Raises:
        InputError: there is no such table, or nothing analysed that it counts.
    """
    lifter, recogniser = Lifter(threads=1), Recogniser()
    found = [
        Set(name, ends_s, count_live(track, lens, (Coach(recogniser=recogniser),), lifter)[0])
        for name, ends_s, track, lens in _films(folder, results)
    ]
    if not found:
        raise InputError("nothing that was counted", where=str(results), hint="Analyse the videos first")
    rows = []
    for one in found:
        late = [f"{delay_s:.1f} s, {why}" for delay_s, why in delays(one) if why]
        if late or len(one.ends_s) != len(one.told.told_s):
            row = {"clip": one.name, "repetitions": len(one.ends_s), "counted": len(one.told.told_s)}
            rows.append(row | {"late": "; ".join(late)})
    return _result(found, rows, {})


def _films(folder: Path, results: Path) -> Iterator[tuple[str, tuple[float, ...], KeypointTrack, Camera]]:
    """Films of one named exercise that were counted as by hand."""
    table = folder / "videos.csv"
    if not table.is_file():
        raise InputError("no videos.csv", where=str(folder), hint="It needs the columns file, label and reps")
    with table.open(encoding="utf-8", newline="") as file:
        listed = [row for row in csv.DictReader(file) if row.get("reps", "").strip() not in ("", "0")]
    for row in listed:
        kept = results / Path(row["file"]).stem
        if row["label"] not in EXERCISES or not (kept / "summary.json").is_file():
            continue
        recording = load(kept)
        person = recording.people[0]
        reps = [rep for bout in person.exercise.bouts for rep in bout.reps]
        if len(reps) == int(row["reps"]):
            yield row["file"], tuple(sorted(rep.end_s for rep in reps)), person.keypoints, recording.camera


def _result(found: Sequence[Set], rows: list[dict[str, Any]], more: dict[str, float]) -> dict[str, Any]:
    reasons = Counter(why for one in found for _, why in delays(one) if why)
    return {
        "metrics": {**_figures(found), **{f"late, {why}": float(n) for why, n in sorted(reasons.items())}, **more},
        "rows": rows,
        "versions": package_versions(("posepipe", "onnxruntime", "numpy")),
    }


def _figures(found: Sequence[Set]) -> dict[str, float]:
    """Sets, share counted rightly, their repetitions, and of these the share in time, the median and 95 % delay."""
    right = [one for one in found if len(one.ends_s) == len(one.told.told_s)]
    delay_s = np.array([each for one in right for each, _ in delays(one)])
    out = {"sets": float(len(found)), "right": len(right) / max(len(found), 1), "repetitions": float(len(delay_s))}
    if not len(delay_s):
        return out
    whole = [max(each for each, _ in delays(one)) <= IN_TIME_S for one in right]
    return out | {
        "in time": float((delay_s <= IN_TIME_S).mean()),
        "sets in time": float(np.mean(whole)),
        "delay, median": float(np.median(delay_s)),
        "delay, 95 %": float(np.quantile(delay_s, 0.95)),
    }
