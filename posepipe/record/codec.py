"""Results to JSON and back: JSON exists only at the disk, and only this file makes and reads it.

`plain` is how ``summary.json`` writes numbers; `exercise_json` and `gait_json` are its sections of schema 1. `encode`
and `decode` carry any of our dataclasses there and back, every number whole, guided by its type hints.
"""

from __future__ import annotations

import math
from collections import abc
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from posepipe.exercise.effort import effort
from posepipe.exercise.types import Bout, Consistency, ExerciseResult, Form, Rejected, Repetition
from posepipe.gait.findings import findings
from posepipe.gait.types import DISCLAIMER, Abnormal, Deviation, Event, Finding, GaitResult, Measured, Value
from posepipe.reasons import Reason, withheld

__all__ = ["decode", "encode", "exercise_from", "exercise_json", "gait_columns", "gait_json", "plain"]

T = TypeVar("T")

_DIGITS = 6
_SIGMA_DIGITS = 3
_MOST = 1e12
"""More than any number of ours, in its unit."""


def plain(value: Any) -> Any:
    """A value as JSON can hold it: NaN and infinity become None, floats keep six digits.

    In a mapping with ``value`` and ``sigma``, sigma keeps three digits and the value no decimals beyond sigma's.

    Raises:
        TypeError: a value that has no plain form.
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value.tolist()]
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return _measured(value) or {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    raise TypeError(f"no plain form of {type(value).__name__}: {value!r}")


def encode(value: Any) -> Any:
    """A dataclass as JSON can hold it, for `decode`: floats stay whole, samples of arrays keep six digits."""
    if isinstance(value, Reason):
        return withheld(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    if is_dataclass(value):
        return {field.name: encode(getattr(value, field.name)) for field in fields(value)}
    return plain(value)


def decode(kind: type[T], data: Any) -> T:
    """What `encode` wrote, as a value of that type again; None stands for NaN where a float is expected.

    Raises:
        KeyError, TypeError, ValueError: the data aren't of that type.
    """
    found: T = _decoded(kind, data)
    return found


def _decoded(kind: Any, data: Any) -> Any:
    origin, inside = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return None if data is None else _decoded(_member(inside, data), data)
    if origin is tuple:
        kinds = (inside[0],) * len(data) if inside[1:] == (...,) else inside
        return tuple(_decoded(one, item) for one, item in zip(kinds, data, strict=True))
    if origin is abc.Mapping:
        return {key: _decoded(inside[1], item) for key, item in data.items()}
    if origin is np.ndarray:
        return np.array(data, np.float64)
    if kind is Reason:
        return Reason(data["withheld"])
    if isinstance(kind, type) and is_dataclass(kind):
        known = {name: _decoded(hint, data[name]) for name, hint in _hints(kind).items() if name in data}
        return kind(**known)
    if kind is float and data is None:
        return math.nan
    return _scalar(kind, data)


def _scalar(kind: Any, data: Any) -> Any:
    if kind in (bool, int, float, str):
        if type(data) is not kind and not (kind is float and type(data) is int):
            raise TypeError(f"{data!r:.40} is no {kind.__name__}")
        if kind in (int, float) and abs(data) > _MOST:
            raise ValueError(f"{data!r:.40} is too large")
        return kind(data)
    return data


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _member(kinds: tuple[Any, ...], data: Any) -> Any:
    """Which of several types the data are of: a reason, a dataclass with these fields, or else a mapping."""
    if isinstance(data, Mapping):
        if set(data) == {"withheld"} and Reason in kinds:
            return Reason
        for kind in kinds:
            if is_dataclass(kind) and set(data) == {field.name for field in fields(kind)}:
                return kind
        return next(kind for kind in kinds if get_origin(kind) is abc.Mapping)
    return next(kind for kind in kinds if kind is not type(None))


def exercise_json(result: ExerciseResult) -> dict[str, Any]:
    """The ``exercise`` section of ``summary.json``."""
    if result.withheld is not None:
        return dict(withheld(result.withheld))
    return {"segments": [_bout_json(bout) for bout in result.bouts], "reps_total": result.reps_total}


def exercise_from(section: Mapping[str, Any]) -> ExerciseResult:
    """An ``exercise`` section read back.

    Raises:
        KeyError, TypeError, ValueError: it isn't one.
    """
    if "withheld" in section:
        return ExerciseResult(withheld=Reason(section["withheld"]))
    return ExerciseResult(tuple(_bout_from(bout) for bout in section["segments"]))


def _bout_json(bout: Bout) -> dict[str, Any]:
    row: dict[str, Any] = {
        "label": bout.label,
        "confidence": bout.confidence,
        "start_s": bout.start_s,
        "end_s": bout.end_s,
        "reps": len(bout.reps),
        "rep_list": [_rep_json(rep) for rep in bout.reps],
        "rejected": [{"start_s": r.start_s, "end_s": r.end_s, "reason": str(r.reason)} for r in bout.rejected],
    }
    if bout.reps:
        row["effort"] = encode(effort(bout.reps))
    return row | ({} if bout.alike is None else {"consistency": asdict(bout.alike)})


def _bout_from(row: Mapping[str, Any]) -> Bout:
    return Bout(
        row["label"],
        row["confidence"],
        row["start_s"],
        row["end_s"],
        tuple(_rep_from(rep) for rep in row["rep_list"]),
        tuple(Rejected(item["start_s"], item["end_s"], Reason(item["reason"])) for item in row["rejected"]),
        Consistency(**row["consistency"]) if "consistency" in row else None,
    )


def _rep_json(rep: Repetition) -> dict[str, Any]:
    row: dict[str, Any] = {
        "start_s": rep.start_s,
        "end_s": rep.end_s,
        "turn_s": rep.turn_s,
        "rom_deg": encode(rep.rom_deg),
        "rom_sigma_deg": encode(rep.rom_sigma_deg),
        "tempo_s": encode(rep.tempo_s),
        "side": rep.side,
        "left_right_deg": encode(rep.left_right_deg),
        "faults": list(rep.faults),
        "form": str(rep.form),
    }
    if math.isfinite(rep.speed_m_s[0]):
        row["speed_m_s"] = encode(rep.speed_m_s)
    if math.isfinite(rep.score):
        row["score"] = rep.score
    if rep.withheld:
        row["not_judged"] = {code: str(reason) for code, reason in rep.withheld.items()}
    return row


def _rep_from(row: Mapping[str, Any]) -> Repetition:
    out_s, back_s = (decode(float, part) for part in row["tempo_s"])
    mean_m_s, peak_m_s = (decode(float, part) for part in row.get("speed_m_s", (None, None)))
    return Repetition(
        start_s=row["start_s"],
        turn_s=row["turn_s"],
        end_s=row["end_s"],
        rom_deg=decode(float, row["rom_deg"]),
        rom_sigma_deg=decode(float, row["rom_sigma_deg"]),
        tempo_s=(out_s, back_s),
        side=row["side"],
        left_right_deg=decode(float, row["left_right_deg"]),
        speed_m_s=(mean_m_s, peak_m_s),
        faults=tuple(row["faults"]),
        score=decode(float, row.get("score")),
        withheld={code: Reason(reason) for code, reason in row.get("not_judged", {}).items()},
        form=Form(row.get("form", Form.FAULT if row["faults"] else Form.NOT_JUDGED)),
    )


def gait_json(result: GaitResult) -> dict[str, Any]:
    """The ``gait`` section of ``summary.json``, before `plain` rounds its numbers."""
    if result.withheld is not None:
        return dict(withheld(result.withheld))
    return {
        "events": [_event_json(e) for e in result.walk.events],
        "turns": [
            {
                "start_s": round(turn.start_s, 3),
                "end_s": round(turn.end_s, 3),
                "angle_deg": round(turn.angle_deg, 1),
                "steps": turn.steps,
            }
            for turn in result.walk.turns
        ],
        "strides": dict(result.parameters.strides),
        **{name: _measured_json(item) for name, item in result.parameters.items.items()},
        "view": result.view,
        "deviation_score": _deviation_json(result.deviation),
        "abnormal": _abnormal_json(result.abnormal),
        "findings": [_finding_json(finding) for finding in findings(result)],
        "note": DISCLAIMER,
    }


def _finding_json(finding: Finding) -> dict[str, Any]:
    def rounded(value: Value) -> dict[str, float]:
        return {"value": round(value.value, 2), "sigma": round(value.sigma, 2)}

    known = finding.low is not None and finding.high is not None
    return {
        "name": finding.name,
        "side": finding.side,
        **rounded(finding.value),
        "other": None if finding.other is None else rounded(finding.other),
        "against_normal": {-1: "less", 0: "within", 1: "more"}[finding.way],
        "sides_differ": finding.uneven,
        "normal": [round(finding.low or 0.0, 1), round(finding.high or 0.0, 1)] if known else None,
    }


def _event_json(event: Event) -> dict[str, Any]:
    """Steady walking is the rule: only what happens in a turn says so."""
    row = {"time_s": round(event.time_s, 4), "side": event.side, "type": event.type}
    return row | {"turning": True} if event.turning else row


def gait_columns(section: Mapping[str, Any]) -> dict[str, float | str]:
    """A ``gait`` section of ``summary.json`` as flat columns: numbers, and short texts such as labels; no events."""
    return dict(_flat("gait", {key: value for key, value in section.items() if key != "events"}))


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, float | str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key != "withheld":
                yield from _flat(prefix if key == "value" else f"{prefix}_{key}", inner)
    elif isinstance(value, str) or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        yield prefix, value if isinstance(value, str) else float(value)


def _measured_json(item: Measured) -> dict[str, Any]:
    if isinstance(item, Reason):
        return dict(withheld(item))
    return asdict(item) if isinstance(item, Value) else {name: _measured_json(part) for name, part in item.items()}


def _deviation_json(item: Deviation | Reason) -> dict[str, Any]:
    if isinstance(item, Reason):
        return dict(withheld(item))
    digits = {"rms_deg": 2, "outside_pct": 1, "worst_z": 2}
    parts = [
        {key: round(value, digits[key]) if key in digits else value for key, value in asdict(part).items()}
        for part in item.parts
    ]
    return {"value": item.score, "sigma": item.sigma, "rms_deg": item.rms_deg, "parts": parts}


def _abnormal_json(item: Abnormal | Reason) -> dict[str, Any]:
    if isinstance(item, Reason):
        return dict(withheld(item))
    return {
        "probability": round(item.probability, 3),
        "probability_sigma": round(item.sigma, 3),
        "label": item.label,
        "pattern": item.pattern,
        "pattern_probability": round(item.pattern_probability, 3),
        "evidence": [asdict(sign) for sign in item.evidence],
    }


def _measured(value: Mapping[Any, Any]) -> dict[str, Any] | None:
    """A mapping with value and sigma, rounded to what sigma allows; None if it isn't one."""
    if not (_is_real(value.get("value")) and _is_real(value.get("sigma")) and value["sigma"] > 0):
        return None
    number, sigma = float(value["value"]), float(value["sigma"])
    decimals = _SIGMA_DIGITS - 1 - math.floor(math.log10(sigma))
    rounded = {"value": round(number, decimals), "sigma": round(sigma, decimals)}
    return {str(key): rounded[key] if key in rounded else plain(item) for key, item in value.items()}


def _is_real(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and math.isfinite(value)
