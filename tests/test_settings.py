"""No number that decides a result is silent, and docs/thresholds.md says them all."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from dataclasses import dataclass

import pytest

from posepipe.lab.publish import constants_of, thresholds
from posepipe.settings import Setting, setting, settings_of

ROOMS = ("body", "exercise", "gait", "keypoints", "tracking")
"""Whose numbers all say what they are."""


@dataclass(frozen=True, slots=True)
class _Walk:
    least_s: float = setting(2.0, "a shorter walk isn't judged", unit="s", source="a paper")
    name: str = "walk"


def test_a_setting_is_its_value_and_knows_where_it_comes_from() -> None:
    assert _Walk().least_s == 2.0 and _Walk(least_s=3.0).least_s == 3.0
    assert settings_of(_Walk) == (Setting("least_s", 2.0, "a shorter walk isn't judged", "s", "a paper"),)
    assert settings_of(int) == ()
    with pytest.raises(ValueError, match="where it comes from"):
        setting(1.0, "what", source="")


@pytest.mark.parametrize("room", ROOMS)
def test_no_number_is_silent(room: str) -> None:
    package = importlib.import_module(f"posepipe.{room}")
    for item in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"posepipe.{room}.{item.name}")
        documented = {name for name, _, what in constants_of(module) if what}
        for node in ast.parse(inspect.getsource(module)).body:
            values = [] if not isinstance(node, ast.Assign) else getattr(node.value, "elts", [node.value])
            if values and all(isinstance(v, ast.Constant) and isinstance(v.value, (int, float)) for v in values):
                names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
                assert names <= documented, f"{item.name}: {names}"


def test_the_page_is_printed_from_the_code() -> None:
    assert "| of_usual | 0.45 |" in thresholds("exercise.count")
