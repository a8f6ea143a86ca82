"""Every language says everything, with the same values in it."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import posepipe.ui
from posepipe import errors
from posepipe.errors import UsageError
from posepipe.exercise import coach
from posepipe.exercise.form import _ASK
from posepipe.exercise.labels import LABELS
from posepipe.texts import LANGUAGES, language_of, load

# Groups in which a code without a text is shown in plain English words.
OPEN_GROUPS = ("fault", "gait")


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
        load("en")("nav.such")
    with pytest.raises(UsageError, match="Valid"):
        load("xx")


def test_code_without_text_becomes_words() -> None:
    assert load("de").name("fault", "knees_in_so_far") == "Knees in so far"
    assert load("de").name("exercise", "squat") == "Kniebeuge"


@pytest.mark.parametrize(("locale", "language"), [("de-AT", "de"), ("en-US", "en"), ("fr", "en"), (None, "en")])
def test_language_of_browser(locale: str | None, language: str) -> None:
    assert language_of(locale) == language


def test_coach_is_understood_in_german() -> None:
    """Every rule of the catalogue has a name in both languages, and whatever the coach says is told with its point."""
    from posepipe.exercise.catalogue import load_catalogue

    exercises = load_catalogue().exercises.values()
    rules = [rule for exercise in exercises for rule in exercise.rules]
    assert rules
    for code in {rule.code for rule in rules}:
        assert f"fault.{code}" in load("en").table
        assert f"fault.{code}" in load("de").table
    said = {rule.say for rule in rules} | {*_ASK.values()}
    said |= {f"I can't see your {' and '.join(exercise.needs[-2:]) or 'body'}." for exercise in exercises}
    said |= set(_spoken(Path(coach.__file__)))
    assert len(said) > 30
    german = load("de").sentences
    assert sorted(said - set(german)) == []
    # Two pieces of advice don't become one.
    assert len({german[one] for one in said}) == len(said)


def _spoken(path: Path) -> Iterator[str]:
    """Whole sentences among a file's strings, but for those that describe the code."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    about = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in about and isinstance(node.value, str):
            yield from re.findall(r"[A-Z][a-z' ,]+\.$", node.value.strip())


# What a user of the app can meet; the other rooms' errors are a programmer's, and told as a defect.
_SAID_BY = (
    *("media/_camera.py", "media/_container.py", "media/_images.py", "media/atomic.py", "media/sources.py"),
    *("media/writer.py", "record/folder.py", "record/seal.py", "record/tables.py", "tracking/collect.py"),
    *("edits.py", "system.py", "ui/storage.py", "ui/jobs.py", "ui/cameras.py", "ui/stage.py", "ui/pages/gait.py"),
)


def _sentences_of_errors(path: Path) -> Iterator[str]:
    """Messages and hints of the errors that a file raises, with example values in them."""
    kinds = {kind.__name__ for kind in vars(errors).values() if isinstance(kind, type)}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in kinds and node.args):
            continue
        for said in (node.args[0], *(keyword.value for keyword in node.keywords if keyword.arg == "hint")):
            for part in (said.body, said.orelse) if isinstance(said, ast.IfExp) else (said,):
                if isinstance(part, ast.Constant):
                    yield str(part.value)
                elif isinstance(part, ast.JoinedStr):
                    yield "".join(str(one.value) if isinstance(one, ast.Constant) else "17" for one in part.values)


def test_errors_are_told_in_german() -> None:
    root = Path(posepipe.ui.__file__).parent.parent
    german = load("de")
    said = {text for name in _SAID_BY for text in _sentences_of_errors(root / name)}
    assert len(said) > 70
    assert not [text for text in sorted(said) if german.error(text) is None]
    assert german.error("can't be read (Permission denied)") == "Nicht lesbar (keine Berechtigung)"
    assert german.error("nobody ever wrote this") is None
    assert load("en").error("nobody ever wrote this") == "nobody ever wrote this"
