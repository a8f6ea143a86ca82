"""Results of an evaluation as markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["markdown"]


def markdown(result: Mapping[str, Any]) -> str:
    """Markdown of ``{"metrics": {...}, "rows": [...], "versions": {...}}``.

    Args:
        result: rows are flat mappings; a missing key gives an empty cell.

    Returns:
        The rows as a table, the metrics as a list, the versions as one line.
    """
    parts = []
    rows: Sequence[Mapping[str, Any]] = result.get("rows", [])
    if rows:
        columns = list(dict.fromkeys(key for row in rows for key in row))
        lines = [columns, ["---"] * len(columns), *([_cell(row.get(key)) for key in columns] for row in rows)]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    if result.get("metrics"):
        parts.append("\n".join(f"- {name}: {_cell(value)}" for name, value in result["metrics"].items()))
    if result.get("versions"):
        parts.append(", ".join(f"{name} {value}" for name, value in result["versions"].items()))
    return "\n\n".join(parts)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return "–".join(_cell(item) for item in value)
    return str(value)
