"""Where a batch stands: what is known of each video, where things lie, and what is left to do."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from posepipe.batch.jobs import OVERVIEW, Job, folded
from posepipe.errors import UsageError
from posepipe.media.atomic import BusyError, atomic_path, expanded, hold, output_error
from posepipe.pipeline import model_hashes, program_versions
from posepipe.record.folder import names_of
from posepipe.record.seal import read_record, require_room
from posepipe.weights import sha256_of_file

__all__ = [
    "DONE", "FAILED", "NOBODY", "RUNNING", "Identity", "Item", "Places", "Plan", "SourceFile", "State", "Watcher",
    "make_plan", "read_state", "write_state",
]  # fmt: skip

RUNNING, DONE, NOBODY, FAILED = "running", "done", "nobody", "failed"
_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Identity:
    """Which program would do the work.

    Attributes:
        versions: package -> version.
        models: model -> sha256.
    """

    versions: Mapping[str, str]
    models: Mapping[str, str]

    @classmethod
    def of_this_program(cls) -> Identity:
        """Versions and models installed here.

        Raises:
            ModelError: a model card can't be read.
        """
        return cls(program_versions(), model_hashes())

    def fingerprint(self, job: Job) -> str:
        """Changes if settings, versions or models do."""
        whole = {"settings": job.settings(), "versions": dict(self.versions), "models": dict(self.models)}
        return hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SourceFile:
    """Which video it was.

    Attributes:
        size: bytes.
        mtime_ns: time of the last change.
        sha256: of the content; None as long as it wasn't read.
    """

    size: int
    mtime_ns: int
    sha256: str | None = None

    @classmethod
    def of(cls, video: Path) -> SourceFile | None:
        """As it lies on the disk; None if there is none."""
        try:
            facts = video.stat()
        except OSError:
            return None
        return cls(facts.st_size, facts.st_mtime_ns)

    def same_as(self, video: Path) -> bool:
        """Whether a file is the one that was analysed. Only where size agrees but time doesn't is the content read."""
        now = SourceFile.of(video)
        if now is None or now.size != self.size:
            return False
        if now.mtime_ns == self.mtime_ns:
            return True
        return self.sha256 is not None and sha256_of_file(video) == self.sha256


@dataclass(frozen=True, slots=True)
class State:
    """One video's state.

    Attributes:
        name: the job's name.
        video: path as given.
        status: "running", "done", "nobody" (readable, but no person in it) or "failed".
        fingerprint: of settings, versions and models.
        settings, versions, models: what the fingerprint was made of.
        source: the file; None if it was missing.
        attempts: how often this was tried with these settings.
        started: ISO 8601 time.
        seconds: wall-clock time of the last attempt.
        cpu_s: processor time of it.
        frames, duration_s, people: what was found.
        error: `PosePipeError.as_dict`; None if all went well.
        worker: where it ran.
        run: which run of the batch it was.
    """

    name: str
    video: str
    status: str
    fingerprint: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    source: SourceFile | None = None
    attempts: int = 1
    started: str = ""
    seconds: float | None = None
    cpu_s: float | None = None
    frames: int | None = None
    duration_s: float | None = None
    people: int | None = None
    error: Mapping[str, Any] | None = None
    worker: str = ""
    run: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As the file holds it."""
        return {"schema": _SCHEMA, **asdict(self)}

    def failed(self, error: Mapping[str, Any]) -> State:
        """The same, having failed."""
        return replace(self, status=FAILED, error=error)


def write_state(state: State, path: Path) -> None:
    """Write a state; the file is always whole.

    Raises:
        OutputError: the folder or disk refuses.
    """
    with atomic_path(path) as temporary:
        text = json.dumps(state.as_dict(), indent=1, ensure_ascii=False, default=str) + "\n"
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def read_state(path: Path) -> State | None:
    """A state, or None where there is none that this version understands."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(table, dict) or table.get("schema") != _SCHEMA:
        return None
    known = {item.name for item in fields(State)}
    values = {name: value for name, value in table.items() if name in known}
    try:
        source = values.get("source")
        values["source"] = SourceFile(**source) if source else None
        return State(**values)
    except TypeError:
        return None


@dataclass(frozen=True, slots=True)
class Places:
    """Paths of a batch.

    ``NAME/`` results, ``.posepipe/states/NAME.json`` states, ``.posepipe/work/`` unfinished results.

    Attributes:
        out: the output folder.
    """

    out: Path

    def results(self, name: str) -> Path:
        """Results folder of a video."""
        return self.out / name

    def seal(self, name: str) -> Path:
        """State that lies in a results folder and came with it in one rename."""
        return self.out / name / "batch.json"

    def state(self, name: str) -> Path:
        """State file of a video."""
        return self.out / ".posepipe" / "states" / f"{name}.json"

    @property
    def log(self) -> Path:
        """What worker processes of this machine print."""
        return self.out / ".posepipe" / "workers.log"

    @property
    def record(self) -> str:
        """Which files in the output folder itself are ours; see `posepipe.record.seal`."""
        return ".posepipe/record.json"

    @property
    def work(self) -> Path:
        """Where unfinished results lie."""
        return self.out / ".posepipe" / "work"

    def is_free(self, name: str) -> bool:
        """Whether results may go there: nothing is there yet, or earlier results, or only folders of such."""
        folder = self.results(name)
        return not os.path.lexists(folder) or self._is_ours(folder)

    def _is_ours(self, folder: Path) -> bool:
        if read_record(folder).files:
            return True
        try:
            inner = list(folder.iterdir())
        except OSError:
            return False
        return all(path.is_dir() and not path.is_symlink() and self._is_ours(path) for path in inner)

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Nobody else writes here meanwhile.

        Yields:
            False where the file system knows no locks.

        Raises:
            UsageError: another batch is at work here.
            OutputError: the folder or disk refuses.
        """
        path = self.out / ".posepipe" / "lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        except OSError as error:
            raise output_error(error, path) from error
        try:
            with hold(path, wait=False) as held:
                yield held
        except BusyError:
            raise UsageError(
                "another batch is at work", where=str(self.out), hint="Wait for it, or give another --out"
            ) from None


@dataclass(frozen=True, slots=True)
class Item:
    """One video in the plan.

    Attributes:
        job: what is asked.
        why: "done" (nothing to do), "new", "failed", "interrupted", "settings changed", "video changed",
            "results missing", "asked again", or "beyond the limit".
        state: what is known from before.
    """

    job: Job
    why: str
    state: State | None = None

    @property
    def todo(self) -> bool:
        """Whether there is work."""
        return self.why not in ("done", "beyond the limit")


@dataclass(frozen=True, slots=True)
class Plan:
    """All videos of a batch.

    Attributes:
        items: in the order of their names.
        places: where everything lies.
        identity: the program that does the work.
    """

    items: tuple[Item, ...]
    places: Places
    identity: Identity

    @property
    def todo(self) -> tuple[Item, ...]:
        """What is to be done."""
        return tuple(item for item in self.items if item.todo)


class Watcher:
    """Told what happens; does nothing by itself."""

    def started(self, name: str) -> None:
        """A video was handed out."""

    def ended(self, name: str, state: State) -> None:
        """A video came back, for good."""

    def note(self, text: str) -> None:
        """A sentence for the user."""

    def tick(self) -> None:
        """Twice a second."""


def make_plan(
    jobs: Sequence[Job], out: Path | str, *, resume: bool = True, limit: int | None = None, write: bool = True
) -> Plan:
    """Look up what is done already. Reads one small file a video; no video is opened.

    Where a folder of the user's has a video's name, its results go to ``NAME-posepipe``.

    Args:
        jobs: see `find_jobs`.
        out: the output folder.
        resume: False does everything again.
        limit: at most so many videos are to be done.
        write: whether states that a crash left behind their results may be brought up to date.

    Raises:
        ModelError: a model card can't be read.
        OutputError: `out` can't be written, or results would write over a file of the user's.
    """
    places, identity = Places(expanded(out)), Identity.of_this_program()
    require_room(places.out, OVERVIEW, places.record)
    items = []
    todo = 0
    taken = {folded(job.name) for job in jobs}
    for asked in jobs:
        job = replace(asked, name=_free_name(asked.name, places, taken))
        item = _item(job, places, identity, write) if resume else Item(job, "asked again")
        if item.todo:
            todo += 1
            if limit is not None and todo > limit:
                item = Item(job, "beyond the limit", item.state)
        if item.todo:
            require_room(places.results(job.name), names_of(job.formats), source=job.video)
        items.append(item)
    return Plan(tuple(items), places, identity)


def _free_name(name: str, places: Places, taken: set[str]) -> str:
    if places.is_free(name):
        return name
    others = (f"{name}-posepipe", *(f"{name}-posepipe-{count}" for count in range(2, 1000)))
    free = next(other for other in others if folded(other) not in taken and places.is_free(other))
    taken.add(folded(free))
    return free


def _item(job: Job, places: Places, identity: Identity, write: bool) -> Item:
    state, fingerprint = read_state(places.state(job.name)), identity.fingerprint(job)
    if state is None or state.status not in (DONE, NOBODY):
        # The results came in one rename; whoever was to note that may have died right after.
        sealed = read_state(places.seal(job.name))
        if sealed is not None and sealed.fingerprint == fingerprint and _same_video(sealed, job):
            if write:
                write_state(sealed, places.state(job.name))
            return Item(job, "done", sealed)
    if state is None:
        return Item(job, "new")
    return Item(job, _why(state, job, places, fingerprint), state)


def _why(state: State, job: Job, places: Places, fingerprint: str) -> str:
    if state.fingerprint != fingerprint:
        return "settings changed"
    if state.status == FAILED:
        return "failed"
    if state.status not in (DONE, NOBODY):
        return "interrupted"
    if not _same_video(state, job):
        return "video changed"
    if state.status == DONE and not places.seal(job.name).exists():
        return "results missing"
    return "done"


def _same_video(state: State, job: Job) -> bool:
    return state.source is not None and state.source.same_as(job.video)
