"""Files that the pages hand to the browser."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

__all__ = ["ICON", "asset"]

ICON = Path(__file__).parent / "icon.png"
"""The sign of the app in the browser's tab."""


@cache
def asset(name: str) -> str:
    """The text of a file of this folder."""
    return (files(__name__) / name).read_text(encoding="utf-8")
