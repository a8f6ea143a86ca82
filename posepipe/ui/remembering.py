"""A few settings of this machine's user, kept from one start of the app to the next: a small file in their home.

Nothing of a result is in it, and only pages that may name folders of this machine write it.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from posepipe.errors import OutputError
from posepipe.media.atomic import atomic_path

__all__ = ["recall", "remember", "settings_file"]


def settings_file() -> Path:
    """Where it lies: ``POSEPIPE_SETTINGS``, or ``posepipe/app.json`` in the user's configuration folder."""
    given = os.environ.get("POSEPIPE_SETTINGS")
    if given:
        return Path(given)
    base = os.environ.get("APPDATA") or os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "posepipe" / "app.json"


def recall(name: str) -> str | None:
    """A setting; None if there is none, or the file can't be read."""
    value = _read().get(name)
    return value if isinstance(value, str) else None


def remember(name: str, value: str) -> None:
    """Keep a setting. A home that can't be written is no reason to stop."""
    known = _read()
    if known.get(name) == value:
        return
    path = settings_file()
    with suppress(OSError, OutputError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps({**known, name: value}, indent=1) + "\n", encoding="utf-8")


def _read() -> dict[str, object]:
    try:
        table = json.loads(settings_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return table if isinstance(table, dict) else {}
