"""Which videos there are, and what is asked of each."""

from __future__ import annotations

import codecs
import csv
import fnmatch
import io
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from posepipe.errors import InputError, MediaError, PosePipeError, UsageError
from posepipe.media.atomic import expanded, fitting
from posepipe.pipeline import Config
from posepipe.record.seal import RESULTS, matches, read_record
from posepipe.system import portable_name

__all__ = ["OVERVIEW", "Job", "find_jobs", "folded"]

OVERVIEW = ("summary.parquet", "summary.csv", "index.html")
"""Files over all videos of a batch."""

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .wmv .flv .3gp .mts .m2ts .ts .ogv .gif".split()  # noqa: SIM905
)
"""What a folder is searched for, unless patterns say otherwise."""

_FILE_COLUMNS = ("file", "video", "path", "filename")
_FULL_NAMES = ("*.json", *RESULTS, *OVERVIEW)
"""Names that files of ours have; a results folder can't have such a name."""
_OPTIONS = {
    "subject": ("subject", str),
    "task": ("task", str),
    "height_m": ("height_m", float),
    "height": ("height_m", float),
    "camera_height_m": ("camera_height_m", float),
    "fov_deg": ("fov_deg", float),
    "detector": ("detector", str),
    "quality": ("quality", str),
    "capture_fps_hz": ("capture_fps_hz", float),
    "capture_fps": ("capture_fps_hz", float),
}
"""Columns of a list that set an option of one video."""

Say = Callable[[str], None]


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
    say: Say = lambda text: None,
) -> tuple[Job, ...]:
    """Videos of a folder, of a list, or one file.

    A list is a ``.csv`` with a column ``file`` (or ``video``, ``path``) and any of ``name subject task height_m
    camera_height_m fov_deg quality detector capture_fps_hz``, or a ``.txt`` with a path in each line. Paths are
    relative to the list.
    Excel's ways are understood: ``;`` or tabs, decimal commas, any case, UTF-8, UTF-16 and Windows-1252.

    Args:
        source: folder, list or video.
        job: settings for all videos; its name and video don't count.
        patterns: shell patterns such as ``*_front.mp4``, matched with name and path below the folder; any will do.
        recursive: look into folders below, too. Hidden ones, and what posepipe wrote, are left out; a folder or video
            that links lead to twice comes once.
        say: takes sentences about what was left out.

    Returns:
        Jobs by name; names are the paths below the folder, without suffix where that is unique. What quality "auto" is
        is decided here, so that every worker does the same.

    Raises:
        MediaError: there is no such folder, list or file, or it may not be read.
        InputError: the folder or list holds no video.
        UsageError: a list has no column for the file, or a value that can't be.
    """
    source = expanded(source).absolute()
    job = job if job is not None else Job("", Path())
    kind = source.suffix.lower()
    try:
        source.stat()
        if source.is_dir():
            found = _once(_videos(source, source, patterns, recursive, say, set()), source)
            jobs = [replace(job, name=name, video=path) for path, name in _named(found, source)]
        elif kind == ".csv":
            jobs = _from_csv(source, job, patterns, say)
        elif kind == ".txt":
            lines = [line.strip().strip("\"'") for line in _text(source).splitlines()]
            paths = [source.parent / expanded(line) for line in lines if line and not line.startswith("#")]
            jobs = [replace(job, name=name, video=path) for path, name in _named(dict.fromkeys(paths), source.parent)]
        else:
            jobs = [replace(job, name=name, video=source) for _, name in _named([source], source.parent)]
    except FileNotFoundError:
        raise MediaError(
            "no such file or folder", where=str(source), hint="Give a folder of videos, or a list"
        ) from None
    except OSError as error:
        raise MediaError(
            f"can't be read ({error.strerror})", where=str(source), hint="Check its permissions"
        ) from error
    if not jobs:
        raise InputError("no video found", where=str(source), hint="Check the folder and the patterns")
    return tuple(replace(job, config=job.config.decided()) for job in jobs)


def _videos(
    folder: Path, root: Path, patterns: Sequence[str], recursive: bool, say: Say, seen: set[tuple[int, int]]
) -> Iterator[Path]:
    facts = folder.stat()
    if (facts.st_dev, facts.st_ino) in seen:
        return
    seen.add((facts.st_dev, facts.st_ino))
    try:
        entries = sorted(folder.iterdir(), key=lambda path: (path.is_symlink(), path))
    except OSError as error:
        if folder == root:
            raise
        say(f"{folder}: left out, can't be opened ({error.strerror})")
        return
    # annotated.mp4 is nobody's input.
    ours = read_record(folder).names
    for path in entries:
        if path.name.startswith(".") or path.name == "__MACOSX" or path.name in ours:
            continue
        try:
            if not path.is_dir():
                if _matches(path, root, patterns):
                    yield path
            elif recursive:
                yield from _videos(path, root, patterns, True, say, seen)
        except OSError as error:
            say(f"{path}: left out, can't be opened ({error.strerror})")


def _once(paths: Iterable[Path], folder: Path) -> list[Path]:
    """Each video once, under its own name rather than a link's."""
    found: dict[Path, Path] = {}
    whole = folder.resolve()
    for path in paths:
        try:
            real = path.resolve()
        except (OSError, RuntimeError):  # Python before 3.13 raises the latter for links in a circle
            continue
        if real not in found or real == whole / path.relative_to(folder):
            found[real] = path
    return sorted(found.values())


def _matches(path: Path, folder: Path, patterns: Sequence[str]) -> bool:
    if not patterns:
        return path.suffix.lower() in VIDEO_SUFFIXES
    below = path.relative_to(folder).as_posix()
    return any(fnmatch.fnmatch(path.name, pattern) or fnmatch.fnmatch(below, pattern) for pattern in patterns)


def folded(name: str) -> str:
    """The same for names that some file systems can't tell apart: in case, or in how an accent is written."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _named(paths: Iterable[Path], folder: Path) -> Iterator[tuple[Path, str]]:
    """Each path with a name that no other has."""
    below = [(path, _below(path, folder)) for path in paths]
    stems = Counter(folded(short.with_suffix("").as_posix()) for _, short in below)
    used: set[str] = set()
    for path, short in below:
        name = _name(short.with_suffix(""))
        if stems[folded(short.with_suffix("").as_posix())] > 1:
            name = _name(short)
        free, count = name, 1
        while folded(free) in used:
            count += 1
            free = f"{name}-{count}"
        used.add(folded(free))
        yield path, free


def _name(path: Path) -> str:
    """A path as a name that fits every file system, and none of our files."""
    parts = [fitting(portable_name(part)) for part in path.parts]
    return "/".join(f"{part}-posepipe" if matches(part, _FULL_NAMES) else part for part in parts)


def _below(path: Path, folder: Path) -> Path:
    try:
        short = path.relative_to(folder)
    except ValueError:
        short = Path(path.name)
    return short if ".." not in short.parts else Path(path.name)


def _text(path: Path) -> str:
    data = path.read_bytes()
    try:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return data.decode("utf-16")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return data.decode("cp1252")
    except UnicodeDecodeError as error:
        raise MediaError("the list isn't text", where=str(path), hint="Save it as UTF-8 text") from error


def _from_csv(source: Path, job: Job, patterns: Sequence[str], say: Say) -> list[Job]:
    rows = _rows(source)
    if not rows:
        return []
    columns = list(rows[0][1])
    file_column = next((name for name in _FILE_COLUMNS if name in columns), None)
    if file_column is None:
        raise UsageError(
            "the list has no column for the video", where=str(source), hint=f"Name one {', '.join(_FILE_COLUMNS)}"
        )
    unknown = [name for name in columns if name not in (file_column, "name", *_OPTIONS)]
    if unknown:
        known = ", ".join(dict.fromkeys((file_column, "name", *_OPTIONS)))
        say(f"{source}: not understood and left alone: {', '.join(map(repr, unknown))}; columns are {known}")
    for number, row in rows:
        if not row[file_column]:
            raise UsageError(f"line {number} names no video", where=str(source), hint=f"Fill in {file_column!r}")
    paths = [source.parent / expanded(row[file_column]) for _, row in rows]
    jobs = []
    for (_, row), (path, name) in zip(rows, _named(paths, source.parent), strict=True):
        if not patterns or _matches(path, path.parent, patterns):
            jobs.append(_row_job(job, row, path, name, f"{source}, {row[file_column]}"))
    names = Counter(folded(job.name) for job in jobs)
    twice = [job.name for job in jobs if names[folded(job.name)] > 1]
    if twice:
        hint = "Names must differ, and not in case alone"
        raise UsageError(f"the name {twice[0]!r} comes twice", where=str(source), hint=hint)
    return jobs


def _rows(source: Path) -> list[tuple[int, dict[str, str]]]:
    """(number of the line, column -> cell) of every line that isn't empty."""
    text = _text(source)
    delimiter, before = "", 0
    # Excel's own first line, where it writes one.
    if text[:4].casefold() == "sep=":
        first, _, text = text.partition("\n")
        delimiter, before = first.strip()[4:5], 1
    first = text.lstrip().partition("\n")[0]
    delimiter = delimiter or max(",;\t", key=first.count)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
        lines = [(before + reader.line_num, [cell.strip() for cell in line]) for line in reader]
    except csv.Error as error:
        raise UsageError(f"no table ({error})", where=str(source), hint="Save it as CSV") from error
    lines = [(number, line) for number, line in lines if any(line)]
    if not lines:
        return []
    columns = [cell.casefold() for cell in lines[0][1]]
    while columns and not columns[-1]:
        columns.pop()
    twice = [name for name, count in Counter(columns).items() if count > 1]
    if twice:
        raise UsageError(f"the column {twice[0]!r} comes twice", where=str(source), hint="Keep one of them")
    for number, line in lines[1:]:
        if any(line[len(columns) :]):
            hint = "Put a cell with a comma in quotes" if delimiter == "," else "Check the separators"
            raise UsageError(f"line {number} has more cells than the header", where=str(source), hint=hint)
    return [(number, dict(zip(columns, line + [""] * len(columns), strict=False))) for number, line in lines[1:]]


def _row_job(job: Job, row: Mapping[str, str], path: Path, name: str, where: str) -> Job:
    more: dict[str, object] = {}
    for column, (option, kind) in _OPTIONS.items():
        text = row.get(column, "")
        if text:
            try:
                more[option] = float(text.replace(",", ".")) if kind is float else text
            except ValueError:
                raise UsageError(f"{column} {text!r} is no number", where=where) from None
    more |= {option: str(more[option]).lower() for option in ("task", "subject", "quality") if option in more}
    given = row.get("name", "")
    if given and (given.startswith((".", "/", "~")) or ".." in Path(given).parts or _name(Path(given)) != given):
        raise UsageError(
            f"name {given!r}", where=where, hint="Give a plain name of at most 235 bytes, none of posepipe's own files"
        )
    try:
        config = replace(job.config, **more)  # type: ignore[arg-type]
    except PosePipeError as error:
        raise UsageError(error.what, where=where, hint=error.hint) from error
    return replace(job, name=given or name, video=path, config=config)
