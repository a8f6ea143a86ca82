"""What the app and the reports say, in every language they speak: one TOML file each.

The app's texts have names such as ``nav.live``. The reports' sentences stand in English in their code and are found by
their English words, under ``[sentences]`` in the other languages.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from posepipe.errors import UsageError

__all__ = ["ENGLISH", "LANGUAGES", "Texts", "language_of", "load"]

LANGUAGES: Mapping[str, str] = {"en": "English", "de": "Deutsch"}
"""Code -> the language's own name; the first is complete by definition."""


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """All texts in one language.

    Attributes:
        language: a key of `LANGUAGES`.
        table: name -> text, with ``{name}`` where values go.
        sentences: English -> text.
        warnings: the same for a recording's warnings, in which the values are already.
        errors: the same for errors and their hints.
        frame: words of Streamlit itself, by their English ones.
    """

    language: str
    table: Mapping[str, str]
    sentences: Mapping[str, str] = field(default_factory=dict)
    warnings: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    frame: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, key: str, /, **values: object) -> str:
        """The text of a name or of an English sentence, with values put in; an unknown sentence stays English.

        Raises:
            UsageError: a name of one of the app's groups that isn't there.
        """
        text = self.table.get(key) or self.sentences.get(key)
        if text is None:
            group, dot, _ = key.partition(".")
            if dot and any(name.startswith(f"{group}.") for name in self.table):
                raise UsageError(f"no text {key!r}", where=f"texts/{self.language}.toml")
            text = key
        return text.format(**values) if values else text

    def name(self, group: str, code: str) -> str:
        """The text of ``group.code``, or the code in plain words where nobody wrote one."""
        text = self.table.get(f"{group}.{code}")
        if text is not None:
            return text
        words = code.replace("_", " ").strip()
        return words[:1].upper() + words[1:]

    def number(self, said: str) -> str:
        """Numbers in a text as this language writes them: German has a decimal comma, and points between thousands.

        Versions (1.2.3), dates and names of files stay.
        """
        if self.language != "de":
            return said
        return _NUMBER.sub(lambda found: found[0].translate(_SWAPPED), said)

    def warning(self, sentence: str) -> str:
        """A recording's warning, in which the values are already, in this language."""
        return _matched(self.warnings, sentence) or sentence

    def error(self, sentence: str) -> str | None:
        """What an error says, or what it advises, in this language; None if nobody wrote that."""
        if self.language == next(iter(LANGUAGES)):
            return sentence
        return _matched(self.errors, sentence, self.errors)


def _matched(table: Mapping[str, str], sentence: str, inside: Mapping[str, str] | None = None) -> str | None:
    """The text of a sentence with its values; the values are looked up in a table of their own."""
    if sentence in table:
        return table[sentence]
    for english, text in table.items():
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(english))
        if "{" in english and (match := re.fullmatch(pattern, sentence, re.DOTALL)):
            return text.format(**{name: (inside or {}).get(said, said) for name, said in match.groupdict().items()})
    return None


@cache
def load(language: str) -> Texts:
    """The texts of a language.

    Raises:
        UsageError: nobody wrote them.
    """
    if language not in LANGUAGES:
        raise UsageError(f"no language {language!r}", hint=f"Valid: {', '.join(LANGUAGES)}")
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    tree = tomllib.loads((files(__name__) / f"{language}.toml").read_text(encoding="utf-8"))
    others = [tree.pop(name, {}) for name in ("sentences", "warnings", "errors", "frame")]
    return Texts(language, dict(_flat("", tree)), *others)


def language_of(locale: str | None) -> str:
    """The language for a browser's locale such as ``de-AT``; English if it isn't spoken."""
    code = (locale or "").split("-")[0].lower()
    return code if code in LANGUAGES else next(iter(LANGUAGES))


def _flat(prefix: str, tree: Mapping[str, Any]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, value in tree.items():
        name = f"{prefix}{key}"
        pairs += _flat(f"{name}.", value) if isinstance(value, dict) else [(name, str(value))]
    return pairs


_NUMBER = re.compile(r"(?<![\w.,-])(?<!BY-SA )[-+−]?\d+(?:,\d{3})*(?:\.\d+)?(?![\w]*[.,]?\d)(?!\.[a-z])")
_SWAPPED = str.maketrans(".,", ",.")

ENGLISH = load("en")
