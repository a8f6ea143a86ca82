"""What is left to do: every job beside what is known of it from before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from posepipe.batch.jobs import Job
from posepipe.batch.places import Places
from posepipe.batch.state import DONE, FAILED, NOBODY, Identity, State, read_state, write_state

__all__ = ["Item", "Plan", "make_plan"]


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


def make_plan(
    jobs: Sequence[Job], out: Path | str, *, resume: bool = True, limit: int | None = None, write: bool = True
) -> Plan:
    """Look up what is done already. Reads one small file a video; no video is opened.

    Args:
        jobs: see `find_jobs`.
        out: the output folder.
        resume: False does everything again.
        limit: at most so many videos are to be done.
        write: whether states that a crash left behind their results may be brought up to date.

    Raises:
        ModelError: a model card can't be read.
    """
    places, identity = Places(Path(out)), Identity.of_this_program()
    items = []
    todo = 0
    for job in jobs:
        item = _item(job, places, identity, write) if resume else Item(job, "asked again")
        if item.todo:
            todo += 1
            if limit is not None and todo > limit:
                item = Item(job, "beyond the limit", item.state)
        items.append(item)
    return Plan(tuple(items), places, identity)


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
