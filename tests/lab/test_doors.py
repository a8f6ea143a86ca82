"""Everything that makes data, trains or measures is reached by a command, and every command that is named exists."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from posepipe.cli.main import app
from posepipe.lab.publish import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
_FOLDERS = ("posepipe", "exporters", "models", "docs", "tests")
_FILES = [
    ROOT / "README.md",
    *(p for f in _FOLDERS for p in (ROOT / f).rglob("*") if p.suffix in {".py", ".md", ".toml"}),
]
_COMMAND = get_command(app)
_NAMED = re.compile(r"posepipe (train|evaluate)\s+([a-z][a-z0-9-]+)")


def parse(words: list[str]) -> None:
    """As the command line reads it; raises where it would refuse."""
    command = _COMMAND
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    command.make_context("posepipe", words)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_figure_is_made_by_a_command_that_is_understood(name: str) -> None:
    parse(shlex.split(COMMANDS[name]))


def test_a_command_that_is_not_understood_is_refused() -> None:
    with pytest.raises(Exception, match="--takez"):
        parse(["train", "reps-pool", "--out", "x", "--takez", "3"])


def test_figures_tell_their_command() -> None:
    for path in (ROOT / "docs" / "figures").glob("*.json"):
        command = json.loads(path.read_text(encoding="utf-8")).get("command", "posepipe")
        # Chaos is a test of many processes, and measured as one.
        assert command.startswith("posepipe") or " pytest -m slow " in command, path.name


def test_commands_named_anywhere_exist() -> None:
    known = {group: set(_COMMAND.commands[group].commands) for group in ("train", "evaluate")}
    lost = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in _FILES
        if path != Path(__file__)
        for found in _NAMED.finditer(path.read_text(encoding="utf-8"))
        if found[2] not in known[found[1]]
    ]
    assert lost == []


def test_modules_are_not_run() -> None:
    """But for the command itself, and the bundle's runner, which runs where there is no posepipe."""
    code = [path for path in _FILES if path.suffix == ".py" and "tests" not in path.parts]
    run = {str(path.relative_to(ROOT)) for path in code if '__name__ == "__main__"' in path.read_text(encoding="utf-8")}
    assert run == {"posepipe/cli/main.py", "exporters/edge/runner.py"}
    named = [
        path.name for path in _FILES if re.search(r"python -m (posepipe|exporters)\.(?!cli\.main)", path.read_text())
    ]
    assert [name for name in named if name != Path(__file__).name] == []
