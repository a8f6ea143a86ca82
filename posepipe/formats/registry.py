"""Which formats there are, and one function that writes them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from posepipe.errors import UsageError
from posepipe.media.atomic import atomic_path, expanded, move_into_place, output_error
from posepipe.record.recording import Person, Recording
from posepipe.system import need

__all__ = ["FORMATS", "parse_formats", "write_formats"]


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        name: as ``--format`` takes it.
        what: one line for people.
        file: name of the file; ``{id}`` marks one file for each person. Empty for several tables.
        writer: module and function.
        needs: packages that an extra brings.
        tables: names of the files of a format that is several tables.
    """

    name: str
    what: str
    file: str
    writer: tuple[str, str]
    needs: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()

    @property
    def per_person(self) -> bool:
        """Whether each person gets a file."""
        return "{id}" in self.file

    @property
    def files(self) -> tuple[str, ...]:
        """Patterns of the names of its files."""
        if not self.file:
            return self.tables
        return (self.file.replace("{id}", "[0-9]*"),)

    def require(self) -> None:
        """Raise `UsageError` if a package is missing."""
        for module in self.needs:
            need(module, "formats")


_ALL = (
    Format(
        *("parquet", "poses.parquet and angles.parquet", "", ("data", "write_parquet")),
        tables=("poses.parquet", "angles.parquet"),
    ),
    Format(
        *("csv", "poses.csv and angles.csv, the same tables", "", ("data", "write_csv")),
        tables=("poses.csv", "angles.csv"),
    ),
    Format(
        *("tables", "repetitions, gait numbers and gait cycles as CSV, to read", "", ("sheets", "write_tables")),
        tables=("repetitions.csv", "gait.csv", "cycles.csv"),
    ),
    Format(
        *("xlsx", "repetitions, gait, cycles and angles for Excel", "tables.xlsx", ("sheets", "write_xlsx")),
        needs=("openpyxl",),
    ),
    Format("json", "summary and every frame in one file", "recording.json", ("data", "write_json")),
    Format("coco", "COCO keypoints JSON", "coco.json", ("data", "write_coco")),
    Format("trc", "OpenSim markers", "person-{id}.trc", ("mocap", "write_trc")),
    Format("mot", "OpenSim motion: joint angles", "person-{id}.mot", ("mocap", "write_mot")),
    Format("c3d", "C3D points and angles", "person-{id}.c3d", ("mocap", "write_c3d"), ("ezc3d",)),
    Format("bvh", "animated skeleton", "person-{id}.bvh", ("mocap", "write_bvh")),
    Format("glb", "animated skeleton for 3D viewers", "person-{id}.glb", ("glb", "write_glb")),
    Format("rrd", "Rerun recording", "recording.rrd", ("data", "write_rerun"), ("rerun",)),
    Format("npz", "NumPy arrays in the Human3.6M form", "h36m.npz", ("data", "write_npz")),
    Format(
        "netcdf",
        "xarray dataset for the movement package",
        "poses.nc",
        ("data", "write_netcdf"),
        ("xarray", "h5netcdf"),
    ),
)

FORMATS: Mapping[str, Format] = {item.name: item for item in _ALL}
"""Every format by name."""


def parse_formats(names: str | Iterable[str]) -> tuple[Format, ...]:
    """Formats from names; a name may hold several, separated by commas.

    Raises:
        UsageError: there is no such format, or a package that it needs is missing.
    """
    words = [names] if isinstance(names, str) else list(names)
    wanted = dict.fromkeys(part.strip().lower() for word in words for part in word.split(",") if part.strip())
    for name in wanted:
        if name not in FORMATS:
            raise UsageError(f"no format {name!r}", hint=f"Valid: {', '.join(FORMATS)}")
        FORMATS[name].require()
    return tuple(FORMATS[name] for name in wanted)


def write_formats(
    recording: Recording, folder: Path | str, formats: str | Iterable[str] | Iterable[Format]
) -> tuple[Path, ...]:
    """Write a recording in some formats.

    People without a single 3D pose get no file of the formats that hold one person each.

    Args:
        recording: what to write.
        folder: made if it is missing.
        formats: names, or what `parse_formats` returned.

    Returns:
        The files written; each appears under its name only when it is whole.

    Raises:
        UsageError: there is no such format, or a package that it needs is missing.
        OutputError: the folder or disk refuses, or the format can't hold the recording.
    """
    folder = expanded(folder)
    written: list[Path] = []
    for chosen in parse_formats(_names(formats)):
        write = getattr(import_module(f"posepipe.formats.{chosen.writer[0]}"), chosen.writer[1])
        if not chosen.file:
            written += _tables(recording, folder, write)
        elif chosen.per_person:
            for person in recording.people:
                if person.pose.valid.any():
                    written.append(_one(folder / chosen.file.format(id=person.id), write, recording, person))
        else:
            written.append(_one(folder / chosen.file, write, recording))
    return tuple(written)


def _names(formats: str | Iterable[str] | Iterable[Format]) -> list[str]:
    if isinstance(formats, str):
        return [formats]
    return [item.name if isinstance(item, Format) else item for item in formats]


def _one(path: Path, write: Callable[..., None], recording: Recording, *person: Person) -> Path:
    with atomic_path(path) as temporary:
        write(recording, *person, temporary)
    return path


def _tables(recording: Recording, folder: Path, write: Callable[[Recording, Path], tuple[Path, ...]]) -> list[Path]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".posepipe-", dir=folder) as temporary:
            made = write(recording, Path(temporary))
            for path in made:
                move_into_place(path, folder / path.name)
            return [folder / path.name for path in made]
    except OSError as error:
        raise output_error(error, folder) from error
