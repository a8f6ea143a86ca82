"""What the app says, in every language it speaks: one TOML file each."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from posepipe.errors import UsageError

__all__ = ["LANGUAGES", "Texts", "language_of", "load"]

LANGUAGES: Mapping[str, str] = {"en": "English", "de": "Deutsch"}
"""Code -> the language's own name; the first is complete by definition."""


class Texts:
    """The app's texts in one language.

    Args:
        language: a key of `LANGUAGES`.
        table: dotted key -> text, with ``{name}`` where values go.
    """

    def __init__(self, language: str, table: Mapping[str, str]) -> None:
        self.language = language
        self.table = table

    def __call__(self, key: str, /, **values: object) -> str:
        """The text of a key.

        Raises:
            UsageError: no such key.
        """
        if key not in self.table:
            raise UsageError(f"no text {key!r}", where=f"texts/{self.language}.toml")
        return self.table[key].format(**values)

    def name(self, group: str, code: str) -> str:
        """The text of ``group.code``, or the code in plain words where nobody wrote one."""
        text = self.table.get(f"{group}.{code}")
        if text is not None:
            return text
        words = code.replace("_", " ").strip()
        return words[:1].upper() + words[1:]


@cache
def load(language: str) -> Texts:
    """The texts of a language.

    Raises:
        UsageError: the app doesn't speak it.
    """
    if language not in LANGUAGES:
        raise UsageError(f"no language {language!r}", hint=f"Valid: {', '.join(LANGUAGES)}")
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    tree = tomllib.loads((files(__name__) / f"{language}.toml").read_text(encoding="utf-8"))
    return Texts(language, dict(_flat("", tree)))


def language_of(locale: str | None) -> str:
    """The app's language for a browser's locale such as ``de-AT``; English if it isn't spoken."""
    code = (locale or "").split("-")[0].lower()
    return code if code in LANGUAGES else next(iter(LANGUAGES))


def _flat(prefix: str, tree: Mapping[str, Any]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, value in tree.items():
        name = f"{prefix}{key}"
        pairs += _flat(f"{name}.", value) if isinstance(value, dict) else [(name, str(value))]
    return pairs
