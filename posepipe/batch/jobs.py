"""Which videos there are, and what is asked of each."""

from __future__ import annotations

import csv
import fnmatch
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from posepipe.errors import InputError, MediaError, PosePipeError, UsageError
from posepipe.pipeline import Config

__all__ = ["VIDEO_SUFFIXES", "Job", "find_jobs"]

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .wmv .flv .3gp .mts .m2ts .ts .ogv .gif".split()  # noqa: SIM905
)
"""What a folder is searched for, unless patterns say otherwise."""

_FILE_COLUMNS = ("file", "video", "path", "filename")
_OPTIONS = {
    "subject": ("subject", str),
    "task": ("task", str),
    "height_m": ("height_m", float),
    "height": ("height_m", float),
    "fov_deg": ("fov_deg", float),
    "detector": ("detector", str),
}
"""Columns of a list that set an option of one video; other columns are left alone."""


@dataclass(frozen=True, slots=True)
class Job:
    """One video and what to do with it.

    Attributes:
        name: unique in the batch; the results folder's path below the output folder.
        video: path of the file.
        config: settings of the pipeline.
        video_out: whether ``annotated.mp4`` is written.
        formats: names of further formats.
    """

    name: str
    video: Path
    config: Config = field(default_factory=Config)
    video_out: bool = False
    formats: tuple[str, ...] = ()

    def settings(self) -> dict[str, object]:
        """What changes the results, as plain values."""
        # How many cores work on one video doesn't change what is found.
        config = {name: value for name, value in asdict(self.config).items() if name != "workers"}
        return {"config": config, "video_out": self.video_out, "formats": sorted(self.formats)}


def find_jobs(
    source: Path | str,
    job: Job | None = None,
    *,
    patterns: Sequence[str] = (),
    recursive: bool = True,
) -> tuple[Job, ...]:
    """Videos of a folder, of a list, or one file.

    A list is a ``.csv`` with a column ``file`` (or ``video``, ``path``) and any of ``name subject task height_m
    fov_deg detector``, or a ``.txt`` with a path in each line. Paths are relative to the list.

    Args:
        source: folder, list or video.
        job: settings for all videos; its name and video don't count.
        patterns: shell patterns such as ``*_front.mp4``, matched with name and path below the folder; any will do.
        recursive: look into folders below, too. Hidden ones, and results folders, are left out.

    Returns:
        Jobs by name; names are the paths below the folder, without suffix where that is unique.

    Raises:
        MediaError: there is no such folder, list or file.
        InputError: the folder or list holds no video.
        UsageError: a list has no column for the file, or a value that can't be.
    """
    source = Path(source).expanduser().absolute()
    job = job if job is not None else Job("", Path())
    if source.is_dir():
        found = sorted(_videos(source, patterns, recursive))
        jobs = [replace(job, name=name, video=path) for path, name in _named(found, source)]
    elif not source.exists():
        raise MediaError("no such file or folder", where=str(source), hint="Give a folder of videos, or a list")
    elif source.suffix.lower() == ".csv":
        jobs = _from_csv(source, job, patterns)
    elif source.suffix.lower() == ".txt":
        lines = [line.strip() for line in _text(source).splitlines()]
        paths = [source.parent / line for line in lines if line and not line.startswith("#")]
        jobs = [replace(job, name=name, video=path) for path, name in _named(paths, source.parent)]
    else:
        jobs = [replace(job, name=source.stem, video=source)]
    if not jobs:
        raise InputError("no video found", where=str(source), hint="Check the folder and the patterns")
    return tuple(jobs)


def _videos(folder: Path, patterns: Sequence[str], recursive: bool) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_dir():
            # A results folder holds annotated.mp4, which is nobody's input.
            if recursive and not (path / "summary.json").exists():
                yield from (inner for inner in _videos(path, (), True) if _matches(inner, folder, patterns))
        elif _matches(path, folder, patterns):
            yield path


def _matches(path: Path, folder: Path, patterns: Sequence[str]) -> bool:
    if not patterns:
        return path.suffix.lower() in VIDEO_SUFFIXES
    below = path.relative_to(folder).as_posix()
    return any(fnmatch.fnmatch(path.name, pattern) or fnmatch.fnmatch(below, pattern) for pattern in patterns)


def _named(paths: Sequence[Path], folder: Path) -> Iterator[tuple[Path, str]]:
    """Each path with a name that no other has."""
    below = [_below(path, folder) for path in paths]
    stems = Counter(path.with_suffix("").as_posix().casefold() for path in below)
    used: Counter[str] = Counter()
    for path, short in zip(paths, below, strict=True):
        stem = short.with_suffix("").as_posix()
        name = stem if stems[stem.casefold()] == 1 else short.as_posix()
        used[name] += 1
        yield path, name if used[name] == 1 else f"{name}-{used[name]}"


def _below(path: Path, folder: Path) -> Path:
    try:
        short = path.relative_to(folder)
    except ValueError:
        short = Path(path.name)
    return short if ".." not in short.parts else Path(path.name)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise MediaError(f"the list can't be read ({error})", where=str(path), hint="Save it as UTF-8 text") from error


def _from_csv(source: Path, job: Job, patterns: Sequence[str]) -> list[Job]:
    rows = list(csv.DictReader(_text(source).splitlines()))
    columns = list(rows[0]) if rows else []
    file_column = next((name for name in _FILE_COLUMNS if name in columns), None)
    if rows and file_column is None:
        raise UsageError(
            "the list has no column for the video", where=str(source), hint=f"Name one {', '.join(_FILE_COLUMNS)}"
        )
    assert file_column is not None or not rows
    kept = [row for row in rows if row.get(str(file_column))]
    paths = [source.parent / row[str(file_column)] for row in kept]
    jobs = []
    for row, (path, name) in zip(kept, _named(paths, source.parent), strict=True):
        if not patterns or _matches(path, path.parent, patterns):
            jobs.append(_row_job(job, row, path, name, f"{source}, {row[str(file_column)]}"))
    names = Counter(job.name for job in jobs)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise UsageError(f"the name {twice[0]!r} comes twice", where=str(source), hint="Names must differ")
    return jobs


def _row_job(job: Job, row: Mapping[str, str], path: Path, name: str, where: str) -> Job:
    more: dict[str, object] = {}
    for column, (option, kind) in _OPTIONS.items():
        text = (row.get(column) or "").strip()
        if text:
            try:
                more[option] = kind(text)
            except ValueError:
                raise UsageError(f"{column} {text!r} is no number", where=where) from None
    given = (row.get("name") or "").strip()
    if given and (given.startswith((".", "/")) or ".." in Path(given).parts):
        raise UsageError(f"name {given!r}", where=where, hint="Give a plain name")
    try:
        config = replace(job.config, **more)  # type: ignore[arg-type]
    except PosePipeError as error:
        raise UsageError(error.what, where=where, hint=error.hint) from error
    return replace(job, name=given or name, video=path, config=config)
