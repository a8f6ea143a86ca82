"""A recording's tables as pandas data frames."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from posepipe.errors import UsageError
from posepipe.results.formats.needs import need
from posepipe.results.recording import Recording
from posepipe.results.tables import write_angles, write_poses

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["data_frame"]

_WRITERS = {"poses": write_poses, "angles": write_angles}


def data_frame(recording: Recording, table: str) -> DataFrame:
    """What ``poses.parquet`` or ``angles.parquet`` would hold.

    Args:
        recording: whose table.
        table: "poses" or "angles".

    Raises:
        UsageError: there is no such table, or pandas isn't installed.
    """
    if table not in _WRITERS:
        raise UsageError(f"no table {table!r}", hint=f"Valid: {', '.join(_WRITERS)}")
    need("pandas", "formats")
    import pyarrow.parquet as pq

    # Through a file: one place makes the rows, and pieces of it needn't be in memory twice.
    with tempfile.TemporaryDirectory(prefix="posepipe-") as folder:
        path = Path(folder) / f"{table}.parquet"
        _WRITERS[table](recording.people, path)
        frame: DataFrame = pq.read_table(path).to_pandas()
    return frame
