"""Which formats there are, and one function that writes them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from posepipe.errors import UsageError
from posepipe.media.atomic import atomic_path, output_error
from posepipe.results.formats.needs import need
from posepipe.results.recording import Person, Recording

__all__ = ["FORMATS", "Format", "parse_formats", "write_formats"]


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        name: as ``--format`` takes it.
        what: one line for people.
        file: name of the file; ``{id}`` marks one file for each person. Empty for several tables.
        writer: module and function.
        needs: packages that an extra brings.
    """

    name: str
    what: str
    file: str
    writer: tuple[str, str]
    needs: tuple[str, ...] = ()

    @property
    def per_person(self) -> bool:
        """Whether each person gets a file."""
        return "{id}" in self.file

    def require(self) -> None:
        """Raise `UsageError` if a package is missing."""
        for module in self.needs:
            need(module, "formats")


_ALL = (
    Format("parquet", "poses.parquet and angles.parquet", "", ("tables", "write_parquet")),
    Format("csv", "poses.csv and angles.csv, the same tables", "", ("tables", "write_csv")),
    Format("json", "summary and every frame in one file", "recording.json", ("tables", "write_json")),
    Format("coco", "COCO keypoints JSON", "coco.json", ("coco", "write_coco")),
    Format("trc", "OpenSim markers", "person-{id}.trc", ("trc", "write_trc")),
    Format("mot", "OpenSim motion: joint angles", "person-{id}.mot", ("trc", "write_mot")),
    Format("c3d", "C3D points and angles", "person-{id}.c3d", ("c3d", "write_c3d"), ("ezc3d",)),
    Format("bvh", "animated skeleton", "person-{id}.bvh", ("bvh", "write_bvh")),
    Format("rrd", "Rerun recording", "recording.rrd", ("rerun_file", "write_rerun"), ("rerun",)),
    Format("npz", "NumPy arrays in the Human3.6M form", "h36m.npz", ("arrays", "write_npz")),
    Format(
        "netcdf",
        "xarray dataset for the movement package",
        "poses.nc",
        ("arrays", "write_netcdf"),
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
    folder = Path(folder)
    written: list[Path] = []
    for chosen in parse_formats(_names(formats)):
        write = getattr(import_module(f"posepipe.results.formats.{chosen.writer[0]}"), chosen.writer[1])
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
            return [path.replace(folder / path.name) for path in made]
    except OSError as error:
        raise output_error(error, folder) from error
