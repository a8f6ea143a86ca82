"""Whose a report is, when it was analysed and what was noted: the head of a report that somebody takes away."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from posepipe.record.people import whose
from posepipe.reports.blocks import Block, Table
from posepipe.texts import Texts

__all__ = ["about", "date_words"]


def about(folder: Path, created: str, say: Texts) -> tuple[Block, ...]:
    """Person, height, date and notes of a results folder as a table; nothing where nobody said whose it is.

    Args:
        folder: of the result; the person's own file lies in the library around it.
        created: ISO 8601 time of the analysis.
        say: the language.
    """
    client, notes = whose(folder)
    if client is None and not notes:
        return ()
    rows: list[tuple[str, str]] = []
    if client is not None:
        rows.append((say("Person"), f"{client.name} ({client.id})" if client.name else client.id))
        if client.height_m is not None:
            rows.append((say("Height"), f"{client.height_m:.2f} m"))
        if client.notes.strip():
            rows.append((say("About the person"), client.notes.strip()))
    rows.append((say("Analysed"), date_words(created, say)))
    if notes:
        rows.append((say("Notes"), notes))
    return (Table(tuple(rows), (0.2, 0.8)),)


def date_words(created: str, say: Texts) -> str:
    """An ISO time as people write it; anything else as it is."""
    try:
        when = datetime.fromisoformat(created)
    except ValueError:
        return created or say("undated")
    clock = f"{when:%Y, %H:%M} {when.tzname() or ''}".strip()
    return say("{day} {month} {year_and_time}", day=when.day, month=say(f"{when:%B}"), year_and_time=clock)
