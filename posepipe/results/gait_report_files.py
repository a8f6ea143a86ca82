"""Writes gait reports beside the others in a results folder."""

from __future__ import annotations

from pathlib import Path

from posepipe.errors import InputError
from posepipe.media.atomic import atomic_path
from posepipe.results.gait_report import analyse_person, gait_report
from posepipe.results.gait_report_compare import compare_gait, render_comparison_html, write_comparison_pdf
from posepipe.results.gait_report_html import render_gait_html
from posepipe.results.gait_report_pdf import can_write_pdf, write_gait_pdf
from posepipe.results.recording import Person, Recording

__all__ = ["walker", "write_comparison", "write_gait_reports"]


def write_gait_reports(
    recording: Recording, folder: Path, *, sex: str | None = None, age_years: int | None = None
) -> tuple[Path, ...]:
    """Write ``gait.html``, and ``gait.pdf`` where reportlab is installed, for everyone with a gait result.

    The first walker's are called gait, others' ``gait-ID``.

    Raises:
        OutputError: the folder or disk refuses.
        UsageError: another sex than "female" or "male".
    """
    written: list[Path] = []
    for person in recording.people:
        if "withheld" in person.gait:
            continue
        found = analyse_person(recording, person)
        if found.withheld is not None:
            continue
        stem = "gait" if not written else f"gait-{person.id}"
        report = gait_report(recording, person, found, sex=sex, age_years=age_years)
        with atomic_path(folder / f"{stem}.html") as temporary:
            temporary.write_text(render_gait_html(report), encoding="utf-8", errors="replace")
        written.append(folder / f"{stem}.html")
        if can_write_pdf():
            with atomic_path(folder / f"{stem}.pdf") as temporary:
                write_gait_pdf(report, temporary)
            written.append(folder / f"{stem}.pdf")
    return tuple(written)


def walker(recording: Recording, where: str) -> Person:
    """The first person with a gait result.

    Raises:
        InputError: nobody has one.
    """
    for person in recording.people:
        if "withheld" not in person.gait:
            return person
    raise InputError("holds no gait result", where=where, hint="Analyse the video with --task gait")


def write_comparison(before: Path, after: Path, out: Path) -> tuple[Path, ...]:
    """Compare the walkers of two results folders; write ``comparison.html``, and ``.pdf`` where reportlab is installed.

    Raises:
        InputError: a folder can't be read or holds no gait result.
        OutputError: the folder or disk refuses.
    """
    from posepipe.results.folder import load

    sessions = [load(folder) for folder in (before, after)]
    people = [walker(recording, str(folder)) for recording, folder in zip(sessions, (before, after), strict=True)]
    comparison = compare_gait((sessions[0], people[0]), (sessions[1], people[1]))
    out.mkdir(parents=True, exist_ok=True)
    written = [out / "comparison.html"]
    with atomic_path(written[0]) as temporary:
        temporary.write_text(render_comparison_html(comparison), encoding="utf-8", errors="replace")
    if can_write_pdf():
        written.append(out / "comparison.pdf")
        with atomic_path(written[1]) as temporary:
            write_comparison_pdf(comparison, temporary)
    return tuple(written)
