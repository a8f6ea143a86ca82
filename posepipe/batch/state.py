"""What is known of one video: a small JSON file, always whole, that outlives every crash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from posepipe.batch.jobs import Job
from posepipe.doctor import package_versions
from posepipe.media.atomic import atomic_path
from posepipe.weights import list_cards, sha256_of_file

__all__ = ["DONE", "FAILED", "NOBODY", "RUNNING", "Identity", "SourceFile", "State", "read_state", "write_state"]

RUNNING, DONE, NOBODY, FAILED = "running", "done", "nobody", "failed"
_SCHEMA = 1
_PACKAGES = ("posepipe", "mediapipe", "onnxruntime", "opencv-python", "av", "numpy", "scipy")


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
        versions = {name: version for name, version in package_versions(_PACKAGES).items() if version}
        return cls(versions, {card.name: card.sha256 for card in list_cards()})

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
