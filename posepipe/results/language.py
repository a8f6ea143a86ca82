"""The report's languages: English stands in the code, the others in ``report_CODE.toml``, by the English words."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from posepipe.errors import UsageError

__all__ = ["ENGLISH", "LANGUAGES", "Words", "report_words"]

LANGUAGES = ("en", "de")
"""Codes of the languages that ``report.html`` speaks."""


class Words:
    """Says English words in one language.

    Args:
        language: its code.
        table: English -> that language, with ``{name}`` where values go. What isn't in it is said in English.
        warnings: the same for a recording's warnings.
    """

    def __init__(self, language: str, table: Mapping[str, str], warnings: Mapping[str, str] | None = None) -> None:
        self.language = language
        self.table = table
        self.warnings = warnings or {}

    def __call__(self, english: str, /, **values: object) -> str:
        """English words, with values put in, in this language."""
        text = self.table.get(english, english)
        return text.format(**values) if values else text

    def warning(self, sentence: str) -> str:
        """A recording's warning, in which the values are already, in this language."""
        for english, text in self.warnings.items():
            if match := re.fullmatch(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(english)), sentence):
                return text.format(**match.groupdict())
        return sentence


ENGLISH = Words("en", {})


@cache
def report_words(language: str) -> Words:
    """The words of a language.

    Raises:
        UsageError: the report doesn't speak it.
    """
    if language not in LANGUAGES:
        raise UsageError(f"no report in the language {language!r}", hint=f"Valid: {', '.join(LANGUAGES)}")
    if language == ENGLISH.language:
        return ENGLISH
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    text = (files("posepipe.results") / "templates" / f"report_{language}.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    return Words(language, table, table.pop("warnings"))
