"""``posepipe report`` and ``posepipe compare``: gait reports of results folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["compare", "report"]


def report(
    folder: Annotated[Path, typer.Argument(help="Results folder of posepipe analyze.", show_default=False)],
    sex: Annotated[str | None, typer.Option(help="female or male, for the published ranges.")] = None,
    age: Annotated[int | None, typer.Option(min=0, max=120, help="In years, for the published ranges.")] = None,
) -> None:
    """Write gait.html and gait.pdf again, with ranges for sex and age."""
    from posepipe.results.folder import load
    from posepipe.results.gait_report_files import walker, write_gait_reports

    recording = load(folder)
    walker(recording, str(folder))
    for path in write_gait_reports(recording, folder, sex=sex, age_years=age):
        typer.echo(str(path))


def compare(
    before: Annotated[Path, typer.Argument(help="Results folder of the first session.", show_default=False)],
    after: Annotated[Path, typer.Argument(help="Results folder of the second session.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for comparison.html and comparison.pdf.")] = Path(),
) -> None:
    """Compare two gait sessions of one person."""
    from posepipe.results.gait_report_files import write_comparison

    for path in write_comparison(before, after, out):
        typer.echo(str(path))
