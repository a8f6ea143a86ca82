"""Imports point down the floors of docs/architecture.md, in no circle; the core stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FLOORS = {
    0: {"_version", "errors", "skeleton", "settings", "system", "types", "reasons", "texts"},
    1: {"weights", "inference", "media", "geometry", "numeric"},
    2: {"keypoints", "tracking", "body"},
    3: {"exercise", "gait"},
    4: {"annotate", "api", "edits", "pipeline", "live", "watch", "record", "formats", "reports", "doctor"},
    5: {"batch", "cli", "ui"},
}
FLOOR_OF = {room: floor for floor, rooms in FLOORS.items() for room in rooms}
# The laboratory stands beside the house: only floor 5 and the exporters may use it.
LAB = {"samples": 1, "lab": 3}
LAB_SEES = {"samples": 0, "lab": 4}
# Result tables carry what the pipeline made; the pipeline puts the rooms of its own floor together.
SAME_FLOOR = {
    *(("pipeline", room) for room in ("annotate", "doctor", "live", "record", "reports", "watch")),
    *(("annotate", room) for room in ("record", "reports", "watch")),
    *(("api", room) for room in ("formats", "live", "pipeline", "record")),
    *(("edits", room) for room in ("pipeline", "record", "watch")),
    *(("formats", room) for room in ("record",)),
    *(("reports", room) for room in ("record",)),
    *(("record", room) for room in ("formats", "reports")),
}
HEAVY_ALLOWED = (*("lab", "exporters", "ui"),)
HEAVY = {"torch", "streamlit", "mediapipe"}


@dataclass(frozen=True)
class Import:
    """One name that a module imports; `at_once` when it is loaded, not when a function runs."""

    base: str
    name: str
    at_once: bool


def _imports(tree: ast.AST, at_once: bool = True) -> Iterator[Import]:
    """Every import that can happen; those for type checkers alone can't."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, "", at_once) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (Import("." * node.level + (node.module or ""), alias.name, at_once) for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _imports(ast.Module(node.orelse, []), at_once)
        else:
            inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(node, at_once and not inside)


def faults(root: Path, packages: tuple[str, ...] = ("posepipe", "exporters")) -> list[str]:
    """What is wrong with the imports of the packages under `root`, a line each."""
    files = {_module(root, path): path for package in packages for path in sorted((root / package).rglob("*.py"))}
    found = {name: list(_imports(ast.parse(path.read_text(encoding="utf-8")))) for name, path in files.items()}
    out, graph = [], {}
    for name, imports in found.items():
        graph[name] = {_target(item, files) for item in imports} - {name, ""}
        out += [f"{name} imports relatively" for item in imports if item.base.startswith(".")]
        out += [f"{name} imports {other}" for other in sorted(graph[name]) if not _allowed(name, other)]
        heavy = {item.base.split(".")[0] for item in imports if item.at_once} & HEAVY
        if heavy and not name.removeprefix("posepipe.").startswith(HEAVY_ALLOWED):
            out.append(f"{name} loads {', '.join(sorted(heavy))}")
        if files[name].name == "__init__.py":
            out += [
                f"{name} hides its module {item.name}"
                for item in imports
                if f"{name}.{item.name}" in files and item.base != name
            ]
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        out.append(f"circle: {' -> '.join(reversed(error.args[1]))}")
    return out


def _module(root: Path, path: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _target(item: Import, files: dict[str, Path]) -> str:
    """The module of ours that an import loads; empty for others'."""
    whole = f"{item.base}.{item.name}"
    return whole if whole in files else item.base if item.base in files else ""


def _allowed(name: str, other: str) -> bool:
    room, used = (
        f"{module}.".split(".")[1] if module.startswith("posepipe") else "exporters" for module in (name, other)
    )
    if room == used or room in {"", "exporters"}:
        return True
    if used in {"", "exporters"}:  # The package's own door, and what is above it, but for the command that exports.
        return (room, used) == ("cli", "exporters")
    if room in LAB:
        return LAB[used] < LAB[room] if used in LAB else FLOOR_OF[used] <= LAB_SEES[room]
    if used in LAB:
        return FLOOR_OF[room] == 5
    same = FLOOR_OF[used] == FLOOR_OF[room] and (FLOOR_OF[room] in {0, 1, 5} or (room, used) in SAME_FLOOR)
    return FLOOR_OF[used] < FLOOR_OF[room] or same


def test_every_room_has_a_floor() -> None:
    rooms = {
        path.relative_to(ROOT / "posepipe").parts[0].removesuffix(".py") for path in (ROOT / "posepipe").rglob("*.py")
    }
    assert rooms - {"__init__", "_models"} == set(FLOOR_OF) | set(LAB)


def test_imports_are_in_order() -> None:
    assert faults(ROOT) == []


@pytest.mark.parametrize(
    ("tree", "fault"),
    [
        ({"media/a.py": "import posepipe.gait.b", "gait/b.py": ""}, "posepipe.media.a imports posepipe.gait.b"),
        ({"media/a.py": "from posepipe import gait", "gait/__init__.py": ""}, "posepipe.media.a imports posepipe.gait"),
        ({"media/a.py": "from posepipe import __version__"}, "posepipe.media.a imports posepipe"),
        (
            {"body/a.py": "def f():\n    from posepipe.gait import b", "gait/b.py": ""},
            "posepipe.body.a imports posepipe.gait.b",
        ),
        ({"gait/a.py": "import posepipe.lab.b", "lab/b.py": ""}, "posepipe.gait.a imports posepipe.lab.b"),
        (
            {"samples/a.py": "import posepipe.pipeline", "pipeline.py": ""},
            "posepipe.samples.a imports posepipe.pipeline",
        ),
        ({"lab/a.py": "import posepipe.cli.b", "cli/b.py": ""}, "posepipe.lab.a imports posepipe.cli.b"),
        ({"gait/a.py": "from . import b", "gait/b.py": ""}, "posepipe.gait.a imports relatively"),
        ({"gait/a.py": "try:\n    import torch\nexcept ImportError: pass"}, "posepipe.gait.a loads torch"),
        (
            {"body/__init__.py": "from posepipe.body.a import a", "body/a.py": ""},
            "posepipe.body hides its module a",
        ),
    ],
)
def test_an_import_out_of_order_is_found(tmp_path: Path, tree: dict[str, str], fault: str) -> None:
    _build(tmp_path, tree)
    assert any(line.endswith(fault) for line in faults(tmp_path))


@pytest.mark.parametrize("length", [2, 3, 17])
def test_a_circle_of_any_length_is_found(tmp_path: Path, length: int) -> None:
    one = {f"gait/m{i}.py": f"from posepipe.gait import m{(i + 1) % length}" for i in range(length - 1)}
    _build(tmp_path, one | {f"gait/m{length - 1}.py": "def f():\n    import posepipe.gait.m0"})
    (found,) = faults(tmp_path)
    assert found.startswith("circle") and found.count("->") == length


def test_what_is_allowed_is_not_a_fault(tmp_path: Path) -> None:
    tree = {
        "types.py": "",
        "body/__init__.py": "from posepipe.body.a import f",
        "body/a.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from posepipe.gait import b",
        "gait/b.py": "from posepipe.body import a\nfrom posepipe import types\ndef g():\n    import torch",
        "lab/c.py": "import torch\nimport posepipe.lab.d\nimport posepipe.samples.e",
        "lab/d.py": "from posepipe.gait import b",
        "samples/e.py": "",
        "cli/h.py": "def run():\n    from posepipe.lab import c",
    }
    _build(tmp_path, tree)
    assert faults(tmp_path) == []


def _build(root: Path, tree: dict[str, str]) -> None:
    for name, text in ({"__init__.py": ""} | tree).items():
        path = root / "posepipe" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_import_loads_nothing_but_itself() -> None:
    code = "import sys; before = set(sys.modules); import posepipe; print(sorted(set(sys.modules) - before))"
    loaded = ast.literal_eval(subprocess.check_output([sys.executable, "-c", code], text=True))
    others = {name.split(".")[0] for name in loaded} - sys.stdlib_module_names
    assert others == {"posepipe"}
    assert [name for name in loaded if name.startswith("posepipe.")] == ["posepipe._version"]
