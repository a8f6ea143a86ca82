"""The pool that recognition learns from: synthetic takes and motion capture, filmed and lifted once, kept as npz.

posepipe train exercise-pool --data ../shared/data --out runs/exercise/pool --takes 1500 --seed 1
posepipe train exercise-pool --data ../shared/data --out runs/exercise/pool --takes 1000 --seed 61 --hard
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import UsageError
from posepipe.exercise.labels import EXERCISES, LABELS, OTHER, WALKING
from posepipe.lab.counter.web import web_poses
from posepipe.lab.film import CROWDED, Film, film
from posepipe.lab.layouts import to_layout, to_metres, to_z_up
from posepipe.lab.lifter.data import body21_from_h36m
from posepipe.lab.people.exercises import everyday
from posepipe.lab.people.exercises.gym import gym
from posepipe.lab.people.exercises.move import Factory
from posepipe.lab.people.exercises.takes import make_exercise
from posepipe.lab.people.gait import PATTERNS, make_walk
from posepipe.media.atomic import atomic_path
from posepipe.skeleton import BODY21
from posepipe.types import PoseTrack

__all__ = ["Pool", "build_pool", "hard_takes", "load_pool", "real_takes", "save_pool", "synthetic_takes"]

Array = NDArray[np.float64]

RATE_HZ = 15.0
"""Frame rate of the pool: a window's own."""

PART_S = 4.0
"""Longest synthetic take of the pool."""
UI_PRMD = {
    "m01": "squat", "m02": OTHER, "m03": "lunge", "m04": "lunge", "m05": OTHER, "m06": OTHER, "m07": "lateral_raise",
    "m08": OTHER, "m09": OTHER, "m10": "",
}  # fmt: skip
"""Label of each movement; the tenth has none of ours and isn't `other` either."""
_UI_KEEP = {OTHER: 0.35, "squat": 1.0, "lunge": 0.7, "lateral_raise": 0.5}
_OTHER_SHARE, _WALK_SHARE = 0.26, 0.14
_REST_SHARE = 0.12
"""Exercise takes in which the person stands about between single repetitions."""
_HARD_WALKS, _HARD_OTHERS = 0.28, 0.24
_HARD: tuple[tuple[Factory, float], ...] = (
    (everyday.beat, 0.28), (everyday.dance, 0.1), (everyday.daily, 0.2), (everyday.idle, 0.12), (gym, 0.3),
)  # fmt: skip
"""What the hard `other` takes show."""
_SHORT_S = (1.2, 4.0)
"""Hard walks last so long: two to four steps, or a few more."""
_WEB_SHARE = 0.45
"""Hard takes seen as web videos show them; the rest by cameras close by that cut people off."""
_SLOW_SHARE = 0.15
"""Takes at a half or a third of the rate: animated pictures, poor webcams."""


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Lifted takes one after another.

    Attributes:
        time_s: (F,).
        xyz_m: (F, 21, 3) camera frame, relative to the pelvis; NaN where missing.
        sigma_m: (F, 21).
        root_m: (F, 3).
        label: (F,) position in `LABELS`.
        start: (S + 1,) first frame of each take, and the end.
        kind: (S,) "synth", "ui" or "cmu".
        name: (S,) what it is.
    """

    time_s: Array
    xyz_m: NDArray[np.float16]
    sigma_m: NDArray[np.float16]
    root_m: NDArray[np.float32]
    label: NDArray[np.int16]
    start: NDArray[np.int64]
    kind: NDArray[np.str_]
    name: NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class _True:
    time_s: Array
    xyz_m: Array
    label: NDArray[np.intp]
    kind: str
    name: str


def synthetic_takes(takes: int, seed: int) -> Iterator[_True]:
    """Random takes, the labels in the shares that training needs; take k of a seed is always the same.

    At most `PART_S` of each: two persons seen for four seconds teach more than one seen for eight.
    """
    for k, take in enumerate(_whole_takes(takes, seed)):
        rng = np.random.default_rng([seed, 3, k])
        yield _slowed(_part(take, rng), rng)


def _slowed(take: _True, rng: np.random.Generator) -> _True:
    """Some takes with fewer frames a second."""
    step = int(rng.integers(2, 4)) if rng.random() < _SLOW_SHARE else 1
    return _True(take.time_s[::step], take.xyz_m[::step], take.label[::step], take.kind, take.name)


def _part(take: _True, rng: np.random.Generator) -> _True:
    frames = round(PART_S * RATE_HZ)
    if len(take.time_s) <= frames:
        return take
    start = int(rng.integers(0, len(take.time_s) - frames + 1))
    span = slice(start, start + frames)
    return _True(take.time_s[span] - take.time_s[start], take.xyz_m[span], take.label[span], take.kind, take.name)


def _whole_takes(takes: int, seed: int) -> Iterator[_True]:
    share = np.array([(1 - _OTHER_SHARE - _WALK_SHARE) / len(EXERCISES)] * len(EXERCISES) + [_WALK_SHARE, _OTHER_SHARE])
    for k in range(takes):
        rng = np.random.default_rng([seed, k])
        label = LABELS[int(rng.choice(len(LABELS), p=share))]
        if label == WALKING and rng.random() < 0.5:
            yield _walk(rng)
            continue
        reps = int(rng.integers(1, 5)) if label in EXERCISES and label != "plank" else int(rng.integers(0, 3))
        take = make_exercise(
            label, rng, fps_hz=RATE_HZ, reps=reps, context=0.22, noise_deg=float(rng.uniform(0.3, 3.0)),
            tempo=float(np.exp(rng.normal(0.0, 0.2))), rest=_REST_SHARE,
        )  # fmt: skip
        true = _True(take.time_s, take.positions, take.frame_label, "synth", f"{label}: {take.variant}")
        yield _crossed(true, rng) if rng.random() < (0.12 if label == WALKING else 0.02) else true


def hard_takes(takes: int, seed: int) -> Iterator[_True]:
    """Takes of what is told worst: short, impaired and halting walks, dancing feet, hands at work, and exercises.

    Take k of a seed is always the same. To be seen by `build_pool` with `hard`.
    """
    for k in range(takes):
        rng = np.random.default_rng([seed, 5, k])
        kind = rng.random()
        if kind < _HARD_WALKS:
            yield _slowed(_short_walk(rng), rng)
            continue
        factory: Factory | None = None
        label, context = str(rng.choice(EXERCISES)), 0.3
        if kind < _HARD_WALKS + _HARD_OTHERS:
            share = np.array([weight for _, weight in _HARD])
            label, factory = OTHER, _HARD[int(rng.choice(len(_HARD), p=share / share.sum()))][0]
        take = make_exercise(
            label, rng, fps_hz=RATE_HZ, reps=int(rng.integers(1, 5)), context=context, factory=factory,
            noise_deg=float(rng.uniform(0.3, 3.0)), tempo=float(np.exp(rng.normal(0.0, 0.25))), rest=_REST_SHARE,
        )  # fmt: skip
        true = _True(take.time_s, take.positions, take.frame_label, "synth", f"{label}: {take.variant}")
        yield _slowed(_part(true, rng), rng)


def _short_walk(rng: np.random.Generator) -> _True:
    """A few steps: from a longer walk, or between standing about."""
    if rng.random() < 0.5:
        walk = _walk(rng)
    else:
        take = make_exercise(WALKING, rng, fps_hz=RATE_HZ, context=0.5, noise_deg=float(rng.uniform(0.3, 3.0)))
        walk = _True(take.time_s, take.positions, take.frame_label, "synth", f"{WALKING}: {take.variant}")
    frames = min(len(walk.time_s), round(float(rng.uniform(*_SHORT_S)) * RATE_HZ))
    start = int(rng.integers(0, len(walk.time_s) - frames + 1))
    span = slice(start, start + frames)
    return _True(walk.time_s[span] - walk.time_s[start], walk.xyz_m[span], walk.label[span], walk.kind, walk.name)


def _walk(rng: np.random.Generator) -> _True:
    """A walk of the gait module's walkers: normal or of any abnormal pattern, also turning, also on a treadmill."""
    pattern = "normal" if rng.random() < 0.45 else str(rng.choice(sorted(PATTERNS)))
    treadmill = bool(rng.random() < 0.2)
    turn_m = float(rng.uniform(1.5, 3.5)) if not treadmill and rng.random() < 0.2 else None
    severity, side = float(rng.uniform(0.3, 1.0)), str(rng.choice(["left", "right"]))
    speed = float(rng.uniform(0.5, 1.8)) if rng.random() < 0.5 else None
    while True:
        try:
            walk = make_walk(
                rng, pattern=pattern, severity=severity, side=side, speed_mps=speed,
                duration_s=float(rng.uniform(3.0, 7.0)), fps_hz=2 * RATE_HZ,  # Planted feet want a finer rate.
                treadmill=treadmill, turn_m=turn_m, heading_deg=float(rng.uniform(0.0, 360.0)),
            )  # fmt: skip
            break
        except UsageError:  # Steps too long for these legs: another person.
            continue
    label = np.full(len(walk.time_s[::2]), LABELS.index(WALKING))
    return _True(walk.time_s[::2], walk.xyz_m[::2], label, "synth", f"{WALKING}: {pattern}")


def _crossed(take: _True, rng: np.random.Generator) -> _True:
    """Someone passes, and the track goes over to them: for good, or for a moment."""
    passer = make_exercise(WALKING if rng.random() < 0.7 else OTHER, rng, fps_hz=RATE_HZ, reps=2, context=0.0)
    frames = min(len(take.time_s), len(passer))
    start = int(rng.uniform(0.15, 0.85) * frames)
    stop = frames if rng.random() < 0.4 else min(frames, start + int(rng.integers(3, 20)))
    turn = rng.uniform(0.0, 2.0 * np.pi)
    spin = np.array([[np.cos(turn), np.sin(turn), 0], [-np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    theirs = passer.positions[:frames] @ spin
    shift = take.xyz_m[start, 0] - theirs[start, 0]
    theirs = theirs + np.array([*(shift[:2] + rng.normal(0.0, 0.5, 2)), 0.0])
    xyz, label = take.xyz_m.copy(), take.label.copy()
    xyz[start:stop], label[start:stop] = theirs[start:stop], passer.frame_label[start:stop]
    return _True(take.time_s, xyz, label, take.kind, take.name)


def real_takes(data: Path, split: str = "train", seed: int = 0, share: float = 1.0) -> Iterator[_True]:
    """Motion capture that may train what ships: CMU and UI-PRMD.

    Args:
        data: folder with mocap, exercise and gait.
        split: "train" or "val", by subject.
        seed: of the choice among UI-PRMD's many repetitions.
        share: of all takes, drawn at random.
    """
    drawn = np.random.default_rng([seed, 9])
    yield from (take for take in _real_takes(data, split, seed) if share >= 1.0 or drawn.random() < share)


def _real_takes(data: Path, split: str, seed: int) -> Iterator[_True]:
    rng = np.random.default_rng(seed)
    with np.load(data / "mocap" / f"{split}.npz") as file:
        xyz = body21_from_h36m(file["positions"], file["extra"])
        start, fps, name = file["seq_start"], file["fps"], file["seq_name"]
        category, walk, words = file["category"], file["walk"], file["description"]
    for k in range(len(start) - 1):
        part = xyz[start[k] : start[k + 1]]
        if str(name[k]).startswith("ui_"):
            label = UI_PRMD.get(next((w for w in str(words[k]).split() if w in UI_PRMD), ""), "")
            if not label or rng.random() > _UI_KEEP[label]:
                continue
        elif "jumping jack" in words[k]:
            label = "jumping_jack"
        else:
            label = WALKING if category[k] == "walk" or walk[k] else OTHER
        yield _resampled(part, float(fps[k]), label, "ui" if str(name[k]).startswith("ui_") else "cmu", str(words[k]))
    if split == "train":
        yield from _cmu_sets(data)


def _cmu_sets(data: Path) -> Iterator[_True]:
    for path in (data / "exercise" / "cmu_exercises.npz", data / "gait" / "cmu_daily.npz"):
        with np.load(path) as file:
            points = file["kp"] * to_metres(str(file["units"]))
            xyz = to_layout((points @ to_z_up(str(file["axes"])).T).astype(np.float32), file["layout"], BODY21)
            offsets, label, fps, name = file["offsets"], file["label"], file["fps"], file["name"]
            frame = file.get("frame_label")
            names = [str(n) for n in file["frame_label_names"]] if frame is not None else []
        for k in range(len(offsets) - 1):
            span = slice(int(offsets[k]), int(offsets[k + 1]))
            if frame is None:
                yield _resampled(xyz[span], float(fps[k]), WALKING if label[k] == "walking" else OTHER, "cmu", name[k])
                continue
            known = {"Squat": "squat", "JumpJack": "jumping_jack"}
            of = np.array([LABELS.index(known.get(n, OTHER)) for n in names] + [LABELS.index(OTHER)])
            take = _resampled(xyz[span], float(fps[k]), OTHER, "cmu", str(name[k]))
            nearest = np.clip(np.round(take.time_s * fps[k]).astype(int), 0, span.stop - span.start - 1)
            yield _True(take.time_s, take.xyz_m, of[frame[span][nearest]], "cmu", str(name[k]))


def _resampled(xyz: NDArray[np.float32], fps_hz: float, label: str, kind: str, name: str) -> _True:
    """At the pool's rate; joints that a set lacks are guessed from their neighbours."""
    time_s = np.arange(max(2, int(len(xyz) / fps_hz * RATE_HZ))) / RATE_HZ
    old = np.arange(len(xyz)) / fps_hz
    full = _complete(xyz.astype(np.float64))
    flat = full.reshape(len(xyz), -1)
    out = np.stack([np.interp(time_s, old, column) for column in flat.T], axis=1).reshape(-1, *xyz.shape[1:])
    return _True(time_s, out, np.full(len(time_s), LABELS.index(label)), kind, name)


def _complete(xyz: Array) -> Array:
    """Head, nose and feet where a set has none, from shoulders, ankles and knees."""
    i = BODY21.index
    up = xyz[:, i("thorax")] - xyz[:, i("pelvis")]
    up = up / np.maximum(np.linalg.norm(up, axis=1, keepdims=True), 1e-6)
    across = xyz[:, i("left_shoulder")] - xyz[:, i("right_shoulder")]
    front = np.cross(across, up)
    front = front / np.maximum(np.linalg.norm(front, axis=1, keepdims=True), 1e-6)
    head = xyz[:, i("thorax")] + 0.21 * up + 0.03 * front
    guess = {"head": head, "nose": head + 0.1 * front - 0.03 * up}
    for side in ("left", "right"):
        ankle, shank = xyz[:, i(f"{side}_ankle")], xyz[:, i(f"{side}_ankle")] - xyz[:, i(f"{side}_knee")]
        down = shank / np.maximum(np.linalg.norm(shank, axis=1, keepdims=True), 1e-6)
        ahead = front - (front * down).sum(axis=1, keepdims=True) * down
        ahead = ahead / np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-6)
        guess[f"{side}_heel"] = ankle + 0.05 * down - 0.05 * ahead
        guess[f"{side}_foot_index"] = ankle + 0.06 * down + 0.14 * ahead
    for joint, value in guess.items():
        missing = np.isnan(xyz[:, i(joint)]).any(axis=1)
        xyz[missing, i(joint)] = value[missing]
    return xyz


def build_pool(stages: Film, takes: Iterator[_True], seed: int, *, hard: bool = False) -> Pool:
    """Film every take once.

    Args:
        stages: from `posepipe.lab.film.open_film`.
        takes: what is seen.
        seed: of cameras and the detector's errors.
        hard: from close by, cut off, lying people from an end, and as web videos show them.
    """
    rows: list[tuple[_True, Array, NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]] = []
    for k, take in enumerate(takes):
        if not np.isfinite(take.xyz_m).all() or len(take.time_s) < 8:
            continue
        rng = np.random.default_rng([seed, 7, k])
        pose = _hardly_seen(stages, take, rng) if hard else film(stages, take.time_s, take.xyz_m, rng)
        if pose is not None:
            rows.append((take, pose.time_s, pose.xyz_m, pose.sigma_m, pose.root_m))
    return Pool(
        np.concatenate([r[1] for r in rows]),
        np.concatenate([r[2] for r in rows]).astype(np.float16),
        np.concatenate([r[3] for r in rows]).astype(np.float16),
        np.concatenate([r[4] for r in rows]),
        np.concatenate([r[0].label for r in rows]).astype(np.int16),
        np.cumsum([0, *(len(r[1]) for r in rows)]),
        np.array([r[0].kind for r in rows]),
        np.array([r[0].name for r in rows]),
    )


def _hardly_seen(stages: Film, take: _True, rng: np.random.Generator) -> PoseTrack | None:
    if rng.random() >= _WEB_SHARE:
        return film(stages, take.time_s, take.xyz_m, rng, CROWDED)
    seen = web_poses(stages, take.time_s, take.xyz_m, rng)
    return seen[0] if seen is not None else None


def save_pool(pool: Pool, path: Path) -> None:
    """Write a pool, compressed, under its name only when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **{name: getattr(pool, name) for name in Pool.__slots__})


def load_pool(paths: list[Path]) -> Pool:
    """Read pools and put them behind each other."""
    parts = []
    for path in paths:
        with np.load(path) as data:
            parts.append({name: data[name] for name in Pool.__slots__})
    joined = {name: np.concatenate([part[name] for part in parts]) for name in Pool.__slots__ if name != "start"}
    length = np.concatenate([np.diff(part["start"]) for part in parts])
    return Pool(start=np.concatenate([[0], np.cumsum(length)]), **joined)
