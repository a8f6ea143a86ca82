"""Tables for spreadsheets, in English; see `posepipe.record.sheets`."""

from __future__ import annotations

from pathlib import Path

from posepipe.record.recording import Recording
from posepipe.record.sheets import write_csv_tables
from posepipe.record.sheets import write_xlsx as write_workbook

__all__ = ["write_tables", "write_xlsx"]

TABLES = ("repetitions", "gait", "cycles")
"""Those that the format ``csv`` doesn't have."""


def write_tables(recording: Recording, folder: Path) -> tuple[Path, ...]:
    """``repetitions.csv``, ``gait.csv`` and ``cycles.csv``, as far as they have a row."""
    return write_csv_tables(recording, folder, TABLES)


def write_xlsx(recording: Recording, path: Path) -> None:
    """All tables in one workbook, ``tables.xlsx``."""
    write_workbook(recording, path)
