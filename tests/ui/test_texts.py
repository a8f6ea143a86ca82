"""Every language says everything, with the same values in it."""

from __future__ import annotations

import ast
import string
from pathlib import Path

import pytest

import posepipe.ui
from posepipe.errors import UsageError
from posepipe.exercise.labels import LABELS
from posepipe.ui.texts import LANGUAGES, language_of, load

# Groups in which a code without a text is shown in plain English words.
OPEN_GROUPS = ("coach", "fault", "gait")


def _fields(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


@pytest.mark.parametrize("language", LANGUAGES)
def test_same_keys_and_values(language: str) -> None:
    english, other = load("en").table, load(language).table
    closed = {key for key in english if key.split(".")[0] not in OPEN_GROUPS}
    assert closed <= set(other)
    assert {key for key in other if key.split(".")[0] not in OPEN_GROUPS} <= closed
    for key in set(english) & set(other):
        assert _fields(english[key]) == _fields(other[key]), key
        assert other[key].strip(), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_exercise_has_a_name(language: str) -> None:
    assert all(f"exercise.{label}" in load(language).table for label in LABELS)


def _keys_used() -> set[str]:
    """Constant keys that the pages ask for."""
    found = set()
    for path in Path(posepipe.ui.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            asked = isinstance(node.func, ast.Name) and node.func.id == "text"
            asked |= isinstance(node.func, ast.Call) and getattr(node.func.func, "id", "") == "say"
            first = node.args[0]
            if asked and isinstance(first, ast.Constant):
                found.add(first.value)
    return found


def test_every_key_asked_for_exists() -> None:
    used = _keys_used()
    assert len(used) > 80
    assert used <= set(load("en").table)


def test_unknown_key_and_language() -> None:
    with pytest.raises(UsageError, match="no text"):
        load("en")("no.such")
    with pytest.raises(UsageError, match="Valid"):
        load("xx")


def test_code_without_text_becomes_words() -> None:
    assert load("de").name("fault", "knees_in_so_far") == "Knees in so far"
    assert load("de").name("exercise", "squat") == "Kniebeuge"


@pytest.mark.parametrize(("locale", "language"), [("de-AT", "de"), ("en-US", "en"), ("fr", "en"), (None, "en")])
def test_language_of_browser(locale: str | None, language: str) -> None:
    assert language_of(locale) == language


def test_coach_is_understood_in_german() -> None:
    """Every rule of the catalogue has a name in both languages, and advice in German."""
    from posepipe.exercise.catalogue import load_catalogue

    codes = {rule.code for exercise in load_catalogue().exercises.values() for rule in exercise.rules}
    assert codes
    for code in codes:
        assert f"fault.{code}" in load("en").table
        assert f"fault.{code}" in load("de").table
        assert f"coach.{code}" in load("de").table
