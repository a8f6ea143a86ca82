"""Filmed walks against steps counted by eye: single strikes, the pace that is told, and who is judged."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from posepipe._version import __version__
from posepipe.errors import InputError
from posepipe.gait.analyse import analyse
from posepipe.gait.judge import JUDGE
from posepipe.gait.types import HEEL_STRIKE, SIDES, Abnormal, GaitResult, Walk
from posepipe.pipeline import Config, Pipeline
from posepipe.record.folder import load, save
from posepipe.record.recording import Recording

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Stretch", "clip_row", "count_rows", "counted", "evaluate_counts", "read_counts"]

Row = dict[str, Any]
Stretch = Sequence[tuple[str, float]]
"""Counted strikes that follow each other: side ("left", "right" or "either") and time in seconds."""

_NEAR_S = 0.15
_NINETY = 1.645
_SAME_PCT = 3.0
"""A pace so near to the counted one counts as found."""


def read_counts(path: Path) -> tuple[tuple[str, tuple[tuple[str, float], ...]], ...]:
    """Hand-counted strikes: file name and stretch; a film may have several.

    Raises:
        InputError: the file can't be read, or has another form.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return tuple(
            (str(clip["file"]), tuple((str(side), float(at)) for side, at in clip["strikes"]))
            for clip in content["clip"]
        )
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"no hand counts ({error})", where=str(path), hint="See tests/lab/gait/hand_counts.toml"
        ) from error


def count_rows(strikes: Stretch, walks: Sequence[Walk]) -> Row:
    """One stretch's counted strikes against those of the person found who matches best."""
    return max((_count_row(strikes, walk) for walk in walks), key=lambda row: (row["found"], -row["median_ms"]))


def _count_row(strikes: Stretch, walk: Walk) -> Row:
    times = [at for _, at in strikes]
    mine = [e for e in walk.events if e.type == HEEL_STRIKE]
    errors, found = [], []
    for side, at in strikes:
        near = [e for e in mine if side in ("either", e.side) and abs(e.time_s - at) <= _NEAR_S]
        if near:
            best = min(near, key=lambda e: abs(e.time_s - at))
            errors.append(best.time_s - at)
            found.append(best.time_s)
    extra = sum(times[0] - _NEAR_S < e.time_s < times[-1] + _NEAR_S for e in mine) - len(found)
    counted = 60.0 * (len(times) - 1) / (times[-1] - times[0])
    complete = len(found) == len(times)
    cadence = 60.0 * (len(found) - 1) / (found[-1] - found[0]) if complete else None
    return {
        "strikes": len(times),
        "found": len(found),
        "extra": int(extra),
        "median_ms": 1000.0 * float(np.median(np.abs(errors))) if errors else 1e4,
        "counted_spm": counted,
        "cadence_spm": cadence,
        "error_pct": None if cadence is None else 100.0 * (cadence / counted - 1.0),
    }


def clip_row(stretches: Sequence[Stretch], results: Sequence[GaitResult], label: str) -> Row:
    """What is told of a whole clip against its count: the person's whose strikes match best.

    Args:
        stretches: of the clip.
        results: of everybody in it; none if nobody was found.
        label: what the walk is: "normal", "abnormal" or another word.
    """
    steps = sum(len(strikes) - 1 for strikes in stretches)
    counted = 60.0 * steps / sum(strikes[-1][1] - strikes[0][1] for strikes in stretches)
    row: Row = {
        "walk": label,
        "strides": min(_strides(stretches, side) for side in SIDES),
        "counted_spm": counted,
        "strides_spm": _strides_spm(stretches),
        "cadence_spm": None,
        "half_width_spm": None,
        "error_pct": None,
        "strides_error_pct": None,
        "verdict": "nobody_found",
    }
    if not results:
        return row
    best = max(results, key=lambda r: sum(_count_row(strikes, r.walk)["found"] for strikes in stretches))
    told = best.parameters.value("cadence_spm")
    if told is not None:
        row["cadence_spm"], row["half_width_spm"] = told.value, _NINETY * told.sigma
        row["error_pct"] = 100.0 * (told.value / counted - 1.0)
        of_strides = row["strides_spm"]
        row["strides_error_pct"] = None if of_strides is None else 100.0 * (told.value / of_strides - 1.0)
    answer = best.abnormal
    row["verdict"] = answer.label if isinstance(answer, Abnormal) else str(best.withheld or answer)
    return row


def _strides_spm(stretches: Sequence[Stretch]) -> float | None:
    """Steps a minute of whole strides: an odd number of a limp's steps holds more of one foot's than of the other's."""
    strides = [new - old for strikes in stretches for (_, old), (_, new) in zip(strikes, strikes[2:], strict=False)]
    return 120.0 / float(np.mean(strides)) if strides else None


def _strides(stretches: Sequence[Stretch], side: str) -> int:
    """Whole strides of one side; where the legs couldn't be told apart, every other strike is a side's."""
    total = 0
    for strikes in stretches:
        sides = [who for who, _ in strikes]
        count = len(sides) // 2 if "either" in sides else sides.count(side)
        total += max(count - 1, 0)
    return total


def evaluate_counts(videos: Path, counts: Path, results: Path | None = None, quality: str = "auto") -> dict[str, Any]:
    """Filmed walks against steps counted by hand.

    Args:
        videos: folder of the films; ``videos.csv`` there tells which walks are normal.
        counts: their strikes, see `read_counts`.
        results: folder for what was seen; there already, it is used again. None keeps nothing.
        quality: as in `posepipe.pipeline.Config`.

    Raises:
        InputError: a film or the counts can't be read.
    """
    stretches: dict[str, list[Stretch]] = {}
    for name, strikes in read_counts(counts):
        stretches.setdefault(name, []).append(strikes)
    labels = _labels(videos)
    rows, clips = [], []
    for name, mine in stretches.items():
        recording = _seen(videos / name, None if results is None else results / Path(name).stem, quality)
        found = [analyse(recording.motion_of(person)) for person in recording.people]
        walks = [one.walk for one in found]
        rows += [{"file": name, "from_s": strikes[0][1], **count_rows(strikes, walks)} for strikes in mine]
        clips.append({"file": name, **clip_row(mine, found, labels.get(name, ""))})
    return counted(rows, clips)


def _seen(film: Path, kept: Path | None, quality: str) -> Recording:
    if kept is not None and (kept / "summary.json").is_file():
        return load(kept)
    recording = Pipeline(Config(subject="all", workers=1, quality=quality)).run(film)
    if kept is not None:
        save(recording, kept)
    return recording


def _labels(videos: Path) -> dict[str, str]:
    listing = videos / "videos.csv"
    if not listing.is_file():
        return {}
    with listing.open(encoding="utf-8-sig", newline="") as file:
        return {row["file"]: row.get("walk") or "" for row in csv.DictReader(file)}


def counted(rows: Sequence[Row], clips: Sequence[Row] = ()) -> dict[str, Any]:
    """Metrics over counted stretches, and over clips.

    `clips_within_3_pct` compares the pace told with steps over time, `clips_within_3_pct_of_strides` with the counted
    strides' mean. `judged_pct` is of the clips in which at least as many strides a side were counted as a judgement
    needs; `abnormal_flagged_pct` is of the abnormal ones among these, judged or not.
    """
    errors = [abs(row["error_pct"]) for row in rows if row["error_pct"] is not None]
    metrics: dict[str, Any] = {
        "stretches": len(rows),
        "stretches_within_3_pct": sum(error <= _SAME_PCT for error in errors),
        "strikes": sum(row["strikes"] for row in rows),
        "strikes_found": sum(row["found"] for row in rows),
        "strikes_extra": sum(row["extra"] for row in rows),
        "stretch_cadence_error_pct": float(np.median(errors)) if errors else None,
    }
    metrics |= _clip_metrics(clips)
    return {"metrics": metrics, "rows": [*clips, *rows], "versions": {"posepipe": __version__}}


def _clip_metrics(clips: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if not clips:
        return {}
    told = [row for row in clips if row["error_pct"] is not None]
    long = [row for row in clips if row["strides"] >= JUDGE.least_strides]
    judged = [row for row in long if row["verdict"] in ("normal", "abnormal")]
    abnormal = [row for row in long if row["walk"] == "abnormal"]
    normal = [row for row in clips if row["walk"] == "normal"]
    inside = [abs(row["cadence_spm"] - row["counted_spm"]) <= row["half_width_spm"] for row in told]
    return {
        "clips": len(clips),
        "clips_told": len(told),
        "clips_within_3_pct": sum(abs(row["error_pct"]) <= _SAME_PCT for row in told),
        "clips_within_3_pct_of_strides": sum(
            row["strides_error_pct"] is not None and abs(row["strides_error_pct"]) <= _SAME_PCT for row in told
        ),
        "clips_within_90_pct_interval": sum(inside),
        "cadence_error_pct": float(np.median([abs(row["error_pct"]) for row in told])) if told else None,
        "clips_two_strides": len(long),
        "judged_pct": 100.0 * len(judged) / len(long) if long else None,
        "abnormal_two_strides": len(abnormal),
        "abnormal_flagged_pct": 100.0 * sum(r["verdict"] == "abnormal" for r in abnormal) / len(abnormal)
        if abnormal
        else None,
        "normal": len(normal),
        "normal_flagged": sum(row["verdict"] == "abnormal" for row in normal),
    }
