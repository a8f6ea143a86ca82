"""Packages that only some formats need."""

from __future__ import annotations

from importlib.util import find_spec

from posepipe.errors import UsageError

__all__ = ["need"]


def need(module: str, extra: str) -> None:
    """Raise `UsageError` naming the extra if a module isn't installed."""
    if find_spec(module) is None:
        raise UsageError(f"{module} is not installed", hint=f"pip install 'posepipe[{extra}]'")
