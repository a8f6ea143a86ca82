"""Protocols for data that everybody has to download for themselves: angles and gait events against a laboratory's.

- ``kuopio`` (Zenodo 10559504, CC BY 4.0): ``PERSON/mocap/TRIAL.c3d`` with force plates beside OpenPose's keypoints from
  the side in ``PERSON/openpose/json_TRIAL/``. The files don't tell the picture's size and rate: you do.
- ``vidimu`` (Zenodo 8210563, CC BY 4.0): films ``S40_A01_T01.mp4`` and OpenSim's angles from inertial sensors in a
  ``.mot`` whose name ends alike, in any folders.
- ``rehab24`` (REHAB24-6, Zenodo 13305826, CC BY-NC 4.0: for your own measuring only): ``PM_000-Camera17-30fps.mp4`` and
  ``-Camera18-``, ``PM_000-30fps.npy`` with 26 joints named in ``joints_names.txt``, and ``Segmentation.csv``.

Nothing is trained or chosen on these sets. People are never mixed: each person's error comes first, then mean and
spread over people; REHAB24-6's usual split (persons 1-4, 5-6, 7-9) is a column.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posepipe.api import lift
from posepipe.doctor import package_versions
from posepipe.errors import InputError, PosePipeError
from posepipe.formats.reference import read_reference
from posepipe.lab.gait.files import file_motion
from posepipe.pipeline import Config, Pipeline
from posepipe.record.agree import Agreement, Reference, agree
from posepipe.record.recording import Recording

__all__ = ["PROTOCOLS", "Picture", "Trial", "evaluate_protocol", "kuopio", "rehab24", "summarise_trials", "vidimu"]

_FILMS = (".mp4", ".avi", ".mov", ".mkv", ".webm")
_REHAB_HZ = 30.0
_REHAB_JOINTS = {
    **{"Hips": "pelvis", "Head": "head"},
    **{
        f"{side.capitalize()}{theirs}": f"{side}_{ours}"
        for side in ("left", "right")
        for theirs, ours in (
            *(("Arm", "shoulder"), ("ForeArm", "elbow"), ("Hand", "wrist")),
            *(("UpLeg", "hip"), ("Leg", "knee"), ("Foot", "ankle"), ("ToeBase", "foot_index")),
        )
    },
}
_REHAB_OTHER = {"front": "side", "profile": "front", "half-profile": "oblique"}
_REHAB_VIEW = {"front": "front", "profile": "side", "half-profile": "oblique"}
"""What a camera sees, and what the one at right angles to it sees, by the published orientation of camera 17."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What keypoint files don't tell: pictures a second, width and height in pixels; None where they do."""

    fps_hz: float | None = None
    width_px: int | None = None
    height_px: int | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """One recording with its reference.

    Attributes:
        name: for the table.
        person: who; a person's trials stay together.
        view: "side", "front", "oblique", or "" where the set doesn't say.
        condition: pace, activity or exercise.
        media: a film, or a folder of keypoints.
        reference: reads what the laboratory measured.
        offset_s: of its clock against the film's; None where it's to be found.
        split: of the set's usual split; "" where there is none.
    """

    name: str
    person: str
    view: str
    condition: str
    media: Path
    reference: Callable[[], Reference]
    offset_s: float | None = None
    split: str = ""


def kuopio(folder: Path) -> Iterator[Trial]:
    """Trials that have a C3D file and keypoints."""
    for c3d in sorted(folder.glob("*/mocap/*.c3d")):
        person = c3d.parent.parent
        for media in (person / "openpose" / f"json_{c3d.stem}", person / "openpose" / c3d.stem):
            if media.is_dir():
                pace = next((word for word in ("slow", "comf", "fast") if word in c3d.stem), "")
                yield Trial(f"{person.name}/{c3d.stem}", person.name, "side", pace, media, _reader(c3d))
                break


def vidimu(folder: Path) -> Iterator[Trial]:
    """Trials that have a film and a file of angles."""
    name = re.compile(r"(S\d+)_(A\d+)_T\d+")
    angles = {found[0]: path for path in sorted(folder.rglob("*.mot")) if (found := name.search(path.stem))}
    for film in sorted(path for path in folder.rglob("*") if path.suffix.lower() in _FILMS):
        found = name.search(film.stem)
        if found is not None and found[0] in angles:
            yield Trial(found[0], found[1], "", found[2], film, _reader(angles[found[0]]))


def rehab24(folder: Path) -> Iterator[Trial]:
    """Trials of both cameras whose markers are right."""
    listing = next(iter(sorted(folder.rglob("Segmentation.csv"))), None)
    names = next(iter(sorted(folder.rglob("joints_names.txt"))), None)
    if listing is None or names is None:
        raise InputError("lacks Segmentation.csv or joints_names.txt", where=str(folder), hint="Unpack all of the set")
    with listing.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    joints = [re.sub(r"^[\d\s:.,-]+", "", line).strip() for line in names.read_text(encoding="utf-8").splitlines()]
    films = {path.stem: path for path in folder.rglob("*") if path.suffix.lower() in _FILMS}
    marks = {path.stem: path for path in folder.rglob("PM_*-30fps.npy") if "2d" not in str(path.parent)}
    for video in dict.fromkeys(row["video_id"] for row in rows):
        mine = [row for row in rows if row["video_id"] == video]
        first = mine[0]
        views = {row["cam17_orientation"] for row in mine}
        if any(row["mocap_erroneous"] == "1" for row in mine) or len(views) > 1:
            continue  # Who turns between repetitions is seen from no one side.
        person = int(first["person_id"])
        split = "1-4" if person <= 4 else "5-6" if person <= 6 else "7-9"
        for camera, view in ((17, _REHAB_VIEW), (18, _REHAB_OTHER)):
            film, mark = films.get(f"{video}-Camera{camera}-30fps"), marks.get(f"{video}-30fps")
            if film is not None and mark is not None:
                seen = view.get(first["cam17_orientation"], "")
                yield Trial(
                    film.stem, str(person), seen, f"Ex{first['exercise_id']}", film, _marks(mark, joints), 0.0, split
                )


PROTOCOLS: Mapping[str, Callable[[Path], Iterator[Trial]]] = {"kuopio": kuopio, "vidimu": vidimu, "rehab24": rehab24}


def _reader(path: Path) -> Callable[[], Reference]:
    return lambda: read_reference(path)


def _marks(path: Path, names: Sequence[str]) -> Callable[[], Reference]:
    def read() -> Reference:
        points = np.load(path, allow_pickle=False)
        if points.ndim != 3 or points.shape[1:] != (len(names), 3):
            raise InputError(f"holds {points.shape}, not frames of {len(names)} joints", where=str(path))
        known = [column for column, name in enumerate(names) if name in _REHAB_JOINTS]
        layout = [_REHAB_JOINTS[names[column]] for column in known]
        motion = file_motion(points[:, known], layout, _REHAB_HZ, "unknown", "y up")
        deg = {name: motion.angles.deg[:, k].astype(float) for k, name in enumerate(motion.angles.names)}
        return Reference(path.name, motion.time_s, {name: column for name, column in deg.items() if _any(column)})

    return read


def _any(column: Any) -> bool:
    return bool(np.isfinite(column).any())


def evaluate_protocol(name: str, folder: Path, picture: Picture | None = None) -> dict[str, Any]:
    """Every trial of a set against its reference.

    Args:
        name: key of `PROTOCOLS`.
        folder: the set, unpacked.
        picture: what its keypoint files don't tell.

    Returns:
        Metrics by view and joint, a row for each trial and joint or event, versions.

    Raises:
        InputError: no trial is there.
    """
    trials = list(PROTOCOLS[name](folder))
    if not trials:
        raise InputError(f"holds no trial of {name}", where=str(folder), hint="See docs/gait.md for its form")
    pipeline = Pipeline(Config(quality="standard", workers=1))
    rows: list[dict[str, Any]] = []
    for trial in trials:
        try:
            recording = _recorded(trial, pipeline, picture or Picture())
            found = agree(recording.people[0], trial.reference(), offset_s=trial.offset_s)
            rows += _rows(trial, found)
        except PosePipeError as error:
            rows.append({**_facts(trial), "joint": "", "withheld": str(error).splitlines()[0]})
    versions = package_versions(("posepipe", "onnxruntime", "numpy"))
    return {"metrics": summarise_trials(rows), "rows": rows, "versions": versions}


def _recorded(trial: Trial, pipeline: Pipeline, picture: Picture) -> Recording:
    if trial.media.is_dir():
        return lift(
            trial.media, fps_hz=picture.fps_hz, width_px=picture.width_px, height_px=picture.height_px, task="gait"
        )
    return pipeline.run(trial.media)


def _facts(trial: Trial) -> dict[str, Any]:
    facts = {"trial": trial.name, "person": trial.person, "view": trial.view, "condition": trial.condition}
    return facts | ({"split": trial.split} if trial.split else {})


def _rows(trial: Trial, found: Agreement) -> Iterator[dict[str, Any]]:
    for angle in found.angles:
        joint = re.sub("^(left|right)_", "", angle.angle)
        yield {
            **_facts(trial), "joint": joint, "side": angle.angle[: -len(joint)].rstrip("_"),
            "samples": len(angle.time_s), "bias_deg": angle.bias_deg, "rmse_deg": angle.rmse_deg,
            "centred_rmse_deg": angle.centred_rmse_deg, "coverage_90": angle.coverage_90,
        }  # fmt: skip
    for event in found.events:
        all_theirs = event.matched + event.theirs_alone
        yield {
            **_facts(trial), "joint": event.type, "events": all_theirs, "found": event.matched,
            "bias_ms": event.bias_ms, "sd_ms": event.sd_ms,
        }  # fmt: skip


_MEASURES = ("bias_deg", "rmse_deg", "centred_rmse_deg", "coverage_90", "bias_ms", "sd_ms")


def summarise_trials(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Mean over people of each person's mean, and spread over people, by view and joint."""
    people = {str(row["person"]) for row in rows}
    out = {"people": float(len(people)), "trials": float(len({(row["trial"]) for row in rows}))}
    out["withheld"] = float(sum("withheld" in row for row in rows))
    for view, joint in sorted({(str(row["view"]), str(row["joint"])) for row in rows if row["joint"]}):
        mine = [row for row in rows if (row["view"], row["joint"]) == (view, joint)]
        key = f"{view}_{joint}" if view else joint
        out[f"{key}_people"] = float(len({row["person"] for row in mine}))
        for measure in _MEASURES:
            means = [
                float(np.mean(known))
                for person in people
                if (
                    known := [r[measure] for r in mine if r["person"] == person and np.isfinite(r.get(measure, np.nan))]
                )
            ]
            if means:
                out[f"{key}_{measure}"] = float(np.mean(means))
            if len(means) > 1:
                out[f"{key}_{measure}_people_sd"] = float(np.std(means, ddof=1))
        if (events := sum(row.get("events", 0) for row in mine)) > 0:
            out[f"{key}_found_pct"] = 100.0 * sum(row["found"] for row in mine) / events
    return out
