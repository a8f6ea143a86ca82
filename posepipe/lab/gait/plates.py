"""Heel strikes and toe offs against force plates: walks as exact 3D joints, with the times at which a plate felt them.

The file is an npz with the keys of ``mocap/`` (``positions extra seq_start seq_name subject fps walk``) and an event in
each row of ``event_seq event_time_s event_side event_kind event_source``: seconds from the sequence's first frame, "L"
or "R", "strike" or "off". Sources that begin with "plate" are where the force passed 20 N; others aren't asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posepipe._version import __version__
from posepipe.body.motion import Motion
from posepipe.errors import InputError
from posepipe.gait.types import HEEL_STRIKE, TOE_OFF, EventType, Side, Walk
from posepipe.gait.walk import find_walk
from posepipe.lab.gait.files import file_motion
from posepipe.lab.lifter.data import body21_from_h36m
from posepipe.skeleton import BODY21

__all__ = ["PlateEvent", "PlateWalk", "evaluate_events", "plate_walks"]

_KEYS = (
    *("positions", "extra", "seq_start", "seq_name", "subject", "fps", "walk"),
    *("event_seq", "event_time_s", "event_side", "event_kind", "event_source"),
)
_SIDES: dict[str, Side] = {"L": "left", "R": "right"}
_KINDS: dict[str, EventType] = {"strike": HEEL_STRIKE, "off": TOE_OFF}

_NEAR_S = 0.15
"""An event further from the plate's is another one: a tenth to a seventh of a stride."""

_NINETY = 1.645


@dataclass(frozen=True, slots=True)
class PlateEvent:
    """What a plate felt: when (seconds from the first frame), of which foot, and "heel_strike" or "toe_off"."""

    time_s: float
    side: Side
    type: EventType


@dataclass(frozen=True, slots=True, eq=False)
class PlateWalk:
    """One walk over plates.

    Attributes:
        name, subject: of the file.
        turn: whether the person turns on the way.
        motion: ready for `posepipe.gait.walk.find_walk`.
        events: of the plates, in order of time.
    """

    name: str
    subject: str
    turn: bool
    motion: Motion
    events: tuple[PlateEvent, ...]


def plate_walks(path: Path) -> Iterator[PlateWalk]:
    """Walks of a file; the module tells its form.

    Raises:
        InputError: the file can't be read or lacks an array.
    """
    try:
        with np.load(path) as data:
            table = {key: data[key] for key in _KEYS}
    except KeyError as error:
        raise InputError(f"lacks an array ({error})", where=str(path), hint="See docs/gait.md for its keys") from error
    except (OSError, ValueError) as error:
        raise InputError(f"can't be read ({error})", where=str(path), hint="Give an npz of walks on plates") from error
    joints = body21_from_h36m(table["positions"], table["extra"])
    for number, name in enumerate(table["seq_name"]):
        part = joints[table["seq_start"][number] : table["seq_start"][number + 1]]
        felt = [
            PlateEvent(float(table["event_time_s"][row]), _SIDES[str(table["event_side"][row])], kind)
            for row in np.flatnonzero(table["event_seq"] == number)
            if str(table["event_source"][row]).startswith("plate")
            and (kind := _KINDS.get(str(table["event_kind"][row]))) is not None
        ]
        yield PlateWalk(
            str(name),
            str(table["subject"][number]),
            str(table["walk"][number]) == "turn",
            file_motion(part, BODY21.joints, float(table["fps"][number]), "m", "z up"),
            tuple(sorted(felt, key=lambda event: event.time_s)),
        )


def evaluate_events(path: Path) -> dict[str, Any]:
    """Bias and spread of found events against the plates', and how many were found.

    Returns:
        Metrics of straight walks, the same of walks with a turn (``turn_``), straight walks with each person's delay
        learnt from the others (``left_out_``), one row for each walk, versions.

    Raises:
        InputError: as `plate_walks`, or no plate felt anything.
    """
    walks = list(plate_walks(path))
    if not any(walk.events for walk in walks):
        raise InputError("holds no events of a plate", where=str(path), hint="See docs/gait.md for its keys")
    matched = [_match(walk.events, find_walk(walk.motion)) for walk in walks]
    metrics: dict[str, float] = {}
    for prefix, turn in (("", False), ("turn_", True)):
        part = [pairs for walk, pairs in zip(walks, matched, strict=True) if walk.turn == turn]
        metrics |= _summary([pair for pairs in part for pair in pairs], prefix)
    metrics |= _left_out([(w.subject, pairs) for w, pairs in zip(walks, matched, strict=True) if not w.turn])
    rows = [
        {
            "walk": walk.name,
            "subject": walk.subject,
            "turn": walk.turn,
            "events": len(pairs),
            "found": sum(error is not None for _, error, _ in pairs),
            **{
                f"{name}_ms": _mean([1000.0 * e for event, e, _ in pairs if e is not None and event.type == kind])
                for name, kind in _KINDS.items()
            },
        }
        for walk, pairs in zip(walks, matched, strict=True)
    ]
    return {"metrics": metrics, "rows": rows, "versions": {"posepipe": __version__}}


_Pair = tuple[PlateEvent, float | None, float]
"""A plate's event, how much later ours is in seconds (None where it wasn't found), and our sigma in seconds."""


def _match(felt: Sequence[PlateEvent], found: Walk) -> list[_Pair]:
    pairs: list[_Pair] = []
    for event in felt:
        mine = [e for e in found.of(event.side, event.type) if abs(e.time_s - event.time_s) <= _NEAR_S]
        best = min(mine, key=lambda e: abs(e.time_s - event.time_s), default=None)
        pairs.append((event, None, np.nan) if best is None else (event, best.time_s - event.time_s, best.sigma_s))
    return pairs


def _summary(pairs: Sequence[_Pair], prefix: str) -> dict[str, float]:
    if not pairs:
        return {}
    hits = [(event, error, sigma) for event, error, sigma in pairs if error is not None]
    out = {f"{prefix}events": float(len(pairs)), f"{prefix}found_pct": 100.0 * len(hits) / len(pairs)}
    for name, kind in _KINDS.items():
        errors = 1000.0 * np.array([error for event, error, _ in hits if event.type == kind])
        if len(errors) > 1:
            out |= {f"{prefix}{name}_bias_ms": float(errors.mean()), f"{prefix}{name}_sd_ms": float(errors.std(ddof=1))}
    if hits:
        out[f"{prefix}coverage_90"] = float(np.mean([abs(error) < _NINETY * sigma for _, error, sigma in hits]))
    return out


def _left_out(straight: Sequence[tuple[str, Sequence[_Pair]]]) -> dict[str, float]:
    """Straight walks, each person's delay learnt from the others: spread, and the worst person's bias."""
    out: dict[str, float] = {}
    for name, kind in _KINDS.items():
        errors: dict[str, list[float]] = {}
        for subject, pairs in straight:
            mine = [1000.0 * error for event, error, _ in pairs if error is not None and event.type == kind]
            errors.setdefault(subject, []).extend(mine)
        people = [
            np.array(mine) - np.mean([e for other, values in errors.items() if other != subject for e in values])
            for subject, mine in errors.items()
            if mine and any(values for other, values in errors.items() if other != subject)
        ]
        if people:
            out[f"left_out_{name}_sd_ms"] = float(np.std(np.concatenate(people), ddof=1))
            out[f"left_out_{name}_worst_ms"] = max(abs(float(person.mean())) for person in people)
    return out


def _mean(values: Sequence[float]) -> float | None:
    return round(float(np.mean(values)), 1) if values else None
