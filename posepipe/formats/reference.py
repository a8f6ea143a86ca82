"""Reads what a laboratory measured: joint angles and gait events from MOT, STO, C3D, TRC or a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.body.angles import ANGLES, joint_angles
from posepipe.errors import InputError, MediaError, PosePipeError, UsageError
from posepipe.formats.mocap import MOT_NAMES
from posepipe.formats.read_people import joint_named
from posepipe.formats.read_values import decode, number, plain, table
from posepipe.gait.types import HEEL_STRIKE, TOE_OFF, Event, EventType, Side
from posepipe.media.atomic import expanded
from posepipe.record.agree import Reference
from posepipe.skeleton import BODY21
from posepipe.system import need
from posepipe.types import BoolArray, PoseTrack

__all__ = ["read_reference"]

Array = NDArray[np.float64]

_OURS = tuple(spec.name for spec in ANGLES)
_THEIRS: Mapping[str, tuple[str, float]] = {plain(name): (ours, sign) for ours, (name, sign) in MOT_NAMES.items()}
# Plug-in Gait's outputs, flexion in x; the hip's adduction is positive in y (Vicon, Plug-in Gait Reference Guide,
# "Kinematic variables"). Its trunk is against the room, its shoulder in other axes.
_PLUG_IN = {
    "hipangles": (("hip_flexion", 0, 1.0), ("hip_abduction", 1, -1.0)),
    "kneeangles": (("knee_flexion", 0, 1.0),),
    "ankleangles": (("ankle_dorsiflexion", 0, 1.0),),
    "elbowangles": (("elbow_flexion", 0, 1.0),),
}
_CLOCKS = ("time", "times", "timesec", "timeseconds", "timestamp", "t", "seconds", "sec")
_TYPES: Mapping[str, EventType] = {
    **dict.fromkeys(("heelstrike", "footstrike", "initialcontact", "hs", "fs", "ic", "strike"), HEEL_STRIKE),
    **dict.fromkeys(("toeoff", "footoff", "finalcontact", "to", "fo", "fc", "off"), TOE_OFF),
}
_SIDES: Mapping[str, Side] = {"left": "left", "l": "left", "right": "right", "r": "right"}
_MIDDLES = {
    "pelvis": ("left_hip", "right_hip"),
    "thorax": ("left_shoulder", "right_shoulder"),
    "spine": ("pelvis", "thorax"),
}
"""Joints that markers lack: the middle of two others. Only angles that don't need the room's up are taken."""
_LENGTHS = {"mm": 0.001, "cm": 0.01, "m": 1.0}


def read_reference(path: str | Path, columns: Mapping[str, str] | None = None) -> Reference:
    """Read a laboratory's angles and gait events.

    MOT and STO (OpenSim): coordinates of the Rajagopal 2016 model by name. C3D: Plug-in Gait's angles, angles under our
    names, events; joints as markers where there are no angles. TRC: joints as markers. Tables (CSV and the like): a
    column of seconds and one for each angle, or a row for each event with its time, side and type.

    Args:
        path: the file.
        columns: our name of an angle -> its column or label; before it, "-" turns the sign.

    Raises:
        MediaError: there is no such file.
        InputError: it can't be read, or holds neither angles nor events.
        UsageError: an angle that we don't have; C3D without ezc3d.
    """
    path = expanded(path)
    named = dict(columns or {})
    if unknown := sorted(set(named) - set(_OURS)):
        raise UsageError(f"no angle {unknown[0]!r}", hint=f"Valid: {', '.join(_OURS)}")
    if not path.is_file():
        raise MediaError("no such file", where=str(path), hint="Check the path")
    readers: dict[str, Callable[[Path, Mapping[str, str]], Reference]] = {
        ".mot": _read_storage,
        ".sto": _read_storage,
        ".c3d": _read_c3d,
        ".trc": _read_trc,
    }
    try:
        found = readers.get(path.suffix.lower(), _read_table)(path, named)
    except PosePipeError:
        raise
    except (ArithmeticError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"can't be read as a reference ({type(error).__name__}: {error})",
            where=str(path),
            hint="Give MOT, STO, C3D, TRC, or a table with a column of seconds",
        ) from error
    if not found.deg and not found.events:
        raise InputError(
            f"holds no angle or event that we know{_told(found.left_out)}",
            where=str(path),
            hint="Name its columns with --columns OURS=THEIRS, as left_knee_flexion=KneeL",
        )
    return found


def _told(names: Sequence[str]) -> str:
    return f" (it has {', '.join(names[:8])}{' …' if len(names) > 8 else ''})" if names else ""


def _angle_of(name: str) -> tuple[str, float] | None:
    """Our angle of a column's name, and its sign."""
    bare = re.sub(r"[ _\[(]*(deg|degrees|°)[\])]*$", "", name.strip().lower())
    for part in (bare, bare.rsplit("/", 2)[-2] if bare.endswith("/value") else bare):
        if part in _OURS:
            return part, 1.0
        if plain(part) in _THEIRS:
            return _THEIRS[plain(part)]
    return None


def _picked(heads: Sequence[str], named: Mapping[str, str]) -> tuple[dict[str, tuple[int, float]], tuple[str, ...]]:
    """Our angle -> column and sign, and the columns that are none."""
    out: dict[str, tuple[int, float]] = {}
    for ours, theirs in named.items():
        sign, name = (-1.0, theirs[1:]) if theirs.startswith("-") else (1.0, theirs)
        if name not in heads:
            raise InputError(f"has no column {name!r}{_told(heads)}", hint="Check --columns")
        out[ours] = heads.index(name), sign
    taken = {column for column, _ in out.values()}
    left = []
    for column, head in enumerate(heads):
        found = _angle_of(head)
        if found is not None and found[0] not in out:
            out[found[0]] = column, found[1]
        elif column not in taken:
            left.append(head)
    return out, tuple(left)


def _increasing(time_s: Array, where: Path) -> None:
    if len(time_s) < 2 or not np.isfinite(time_s).all() or (np.diff(time_s) <= 0).any():
        raise InputError("its times don't go up from row to row", where=str(where), hint="Give a column of seconds")


def _read_storage(path: Path, named: Mapping[str, str]) -> Reference:
    """OpenSim documentation, "Storage (.sto) and motion (.mot) files"."""
    lines = decode(path.read_bytes()).splitlines()
    start = next((k for k, line in enumerate(lines) if line.strip().lower() == "endheader"), None)
    if start is None:
        raise InputError("has no line endheader", where=str(path), hint="Is it of OpenSim?")
    said = {key.strip().lower(): value.strip() for key, _, value in (line.partition("=") for line in lines[:start])}
    rows = [line.split() for line in lines[start + 1 :] if line.strip()]
    heads, cells = rows[0], np.array([[number(cell) for cell in row] for row in rows[1:]], dtype=float)
    if heads[0].lower() != "time":
        raise InputError(f"its first column is {heads[0]!r}, not time", where=str(path), hint="Is it of OpenSim?")
    _increasing(cells[:, 0], path)
    # OpenSim has coordinates of our names that mean something else; those of a file of ours have a sigma.
    strange = [name for name in heads[1:] if name in _OURS and f"{name}_sigma" not in heads]
    picked, left = _picked(["" if name in strange and name not in named else name for name in heads[1:]], named)
    unit = 1.0 if said.get("indegrees", "yes").lower() == "yes" else 180.0 / np.pi
    deg = {ours: sign * unit * cells[:, 1 + column] for ours, (column, sign) in picked.items()}
    return Reference(
        path.name,
        cells[:, 0],
        deg,
        left_out=tuple(name for name in (*left, *strange) if name and not name.endswith("_sigma")),
    )


def _read_table(path: Path, named: Mapping[str, str]) -> Reference:
    rows = table(decode(path.read_bytes()))
    heads = rows[0] if rows else []
    clock = next(
        (
            k
            for k, head in enumerate(heads)
            if plain(re.sub(r"[\[(].*", "", head)).removesuffix("s") in {c.removesuffix("s") for c in _CLOCKS}
        ),
        None,
    )
    if clock is None:
        raise InputError(f"has no column of seconds{_told(heads)}", where=str(path), hint="Call it time_s")
    kinds = [plain(head) for head in heads]
    kind = next((kinds.index(key) for key in ("type", "event", "label", "name") if key in kinds), None)
    side = next((kinds.index(key) for key in ("side", "context", "foot", "leg") if key in kinds), None)
    time_s = np.array([number(row[clock]) for row in rows[1:]])
    if kind is not None:
        events = []
        for moment, row in zip(time_s.tolist(), rows[1:], strict=True):
            found = _event(moment, row[kind], row[side] if side is not None else "")
            events += [found] if found is not None else []
        return Reference(path.name, np.empty(0), {}, tuple(sorted(events, key=lambda event: event.time_s)))
    _increasing(time_s, path)
    picked, left = _picked(heads, named)
    deg = {ours: sign * np.array([number(row[column]) for row in rows[1:]]) for ours, (column, sign) in picked.items()}
    return Reference(path.name, time_s, deg, left_out=tuple(name for name in left if name != heads[clock]))


def _event(time_s: float, kind: str, side: str) -> Event | None:
    """An event of its words; those of the side may stand in the kind: "Left Foot Strike", "LHS"."""
    words = [word for word in re.split(r"[^a-z]+", f"{side} {kind}".lower()) if word]
    foot = next((_SIDES[word] for word in words if word in _SIDES), None)
    rest = "".join(word for word in words if word not in _SIDES)
    if foot is None and rest[:1] in _SIDES and rest[1:] in _TYPES:
        foot, rest = _SIDES[rest[0]], rest[1:]
    if foot is None or rest not in _TYPES or not np.isfinite(time_s):
        return None
    return Event(time_s, 0.0, foot, _TYPES[rest], 1.0)


def _read_c3d(path: Path, named: Mapping[str, str]) -> Reference:
    need("ezc3d", "formats")
    import ezc3d

    file: Any = ezc3d.c3d(str(path))
    points = file["parameters"]["POINT"]
    labels = [str(label).strip() for key in sorted(k for k in points if re.fullmatch(r"LABELS\d*", k))
              for label in points[key]["value"]]  # fmt: skip
    data = np.asarray(file["data"]["points"], dtype=float)[:3].transpose(2, 1, 0)
    residuals = np.asarray(file["data"]["meta_points"]["residuals"], dtype=float)[0].T
    data = np.where((residuals < 0)[..., None], np.nan, data)
    rate_hz = float(points["RATE"]["value"][0])
    own = file["parameters"].get("POSEPIPE", {})
    start_s = (
        float(own["START_S"]["value"][0]) if "START_S" in own else file["header"]["points"]["first_frame"] / rate_hz
    )
    time_s = start_s + np.arange(len(data)) / rate_hz
    # A subject's name may stand before the label.
    bare = [label.rpartition(":")[2] for label in labels]
    deg: dict[str, Array] = {}
    for ours, theirs in named.items():
        sign, name = (-1.0, theirs[1:]) if theirs.startswith("-") else (1.0, theirs)
        if name not in bare:
            raise InputError(f"has no label {name!r}{_told(bare)}", where=str(path), hint="Check --columns")
        deg[ours] = sign * data[:, bare.index(name), 0]
    for column, label in enumerate(bare):
        foot = _SIDES.get(label[:1].lower())
        for part, axis, sign in _PLUG_IN.get(label[1:].lower(), ()) if foot else ():
            deg.setdefault(f"{foot}_{part}", sign * data[:, column, axis])
        if label in _OURS:
            deg.setdefault(label, data[:, column, 0])
    if not deg:
        units = str(points["UNITS"]["value"][0]).strip() if "UNITS" in points and points["UNITS"]["value"] else "mm"
        deg = _from_joints(dict(zip(bare, data.transpose(1, 0, 2), strict=True)), units)
    return Reference(path.name, time_s, deg, _c3d_events(file["parameters"]), () if deg else tuple(bare))


def _c3d_events(parameters: Mapping[str, Any]) -> tuple[Event, ...]:
    """Contexts (the side), labels, and times in minutes and seconds (C3D user guide, "The EVENT group")."""
    group = parameters.get("EVENT", {})
    if not {"LABELS", "CONTEXTS", "TIMES"} <= set(group):
        return ()
    times = np.asarray(group["TIMES"]["value"], dtype=float).reshape(2, -1)
    events = [
        _event(60.0 * minutes + seconds, str(label), str(side))
        for minutes, seconds, label, side in zip(
            *times.tolist(), group["LABELS"]["value"], group["CONTEXTS"]["value"], strict=False
        )
    ]
    return tuple(sorted((event for event in events if event is not None), key=lambda event: event.time_s))


def _read_trc(path: Path, named: Mapping[str, str]) -> Reference:
    """OpenSim documentation, "Marker (.trc) files"."""
    lines = decode(path.read_bytes()).splitlines()
    said = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=False))
    names = [name.strip() for name in lines[3].split("\t")[2:] if name.strip()]
    rows = [line.split("\t") for line in lines[5:] if line.strip()]
    cells = np.full((len(rows), 2 + 3 * len(names)), np.nan)
    for k, row in enumerate(rows):
        values = [number(cell) for cell in row[: cells.shape[1]]]
        cells[k, : len(values)] = values
    _increasing(cells[:, 1], path)
    joints = {name: cells[:, 2 + 3 * k : 5 + 3 * k] for k, name in enumerate(names)}
    deg = _from_joints(joints, said.get("Units", "mm").strip())
    return Reference(path.name, cells[:, 1], deg, left_out=() if deg else tuple(names))


def _from_joints(points: Mapping[str, Array], units: str) -> dict[str, Array]:
    """Our angles of joints given as markers; those against the room's up are left out, for its axes are the file's."""
    scale = _LENGTHS.get(units.lower(), 0.001)
    joints: dict[str, Array] = {}
    for name, xyz in points.items():
        joint = joint_named(name)
        if joint is not None and joint not in joints:
            joints[joint] = scale * xyz
    for joint, (a, b) in _MIDDLES.items():
        if joint not in joints and a in joints and b in joints:
            joints[joint] = (joints[a] + joints[b]) / 2.0
    known = [joint for joint in BODY21.joints if joint in joints]
    if not known:
        return {}
    frames = len(joints[known[0]])
    xyz = np.full((frames, len(BODY21), 3), np.nan)
    for joint in known:
        xyz[:, BODY21.index(joint)] = joints[joint]
    valid: BoolArray = np.all(np.isfinite(xyz), axis=-1)
    still = np.zeros((frames, 3), np.float32)
    pose = PoseTrack(
        BODY21,
        np.arange(frames, dtype=float),
        xyz.astype(np.float32),
        np.full(valid.shape, 0.001, np.float32),
        still,
        still,
        valid,
        np.zeros_like(valid),
    )
    angles = joint_angles(pose, independent=True)
    return {
        name: angles.deg[:, k].astype(float)
        for k, name in enumerate(angles.names)
        if name not in ("trunk_flexion", "trunk_lateral") and np.isfinite(angles.deg[:, k]).any()
    }
