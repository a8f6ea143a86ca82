"""Imports point down the floors of docs/architecture.md; the core stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "posepipe"
FLOORS = {
    0: {"errors", "skeleton", "types", "reasons"},
    1: {"weights", "inference", "media", "geometry"},
    2: {"keypoints", "tracking", "lifting", "motion"},
    3: {"exercise", "gait"},
    4: {"api", "pipeline", "live", "watch", "annotate", "results", "doctor"},
    5: {"batch", "cli", "ui"},
}
FLOOR_OF = {room: floor for floor, rooms in FLOORS.items() for room in rooms}
# These stand beside the house: they may use any room up to floor 4, and only each other and floor 5 may use them.
BESIDE = {"synth", "samples", "training", "evaluation"}
# Result tables carry what the pipeline made; the pipeline puts the rooms of its own floor together.
SAME_FLOOR = {
    *(("pipeline", room) for room in ("annotate", "doctor", "live", "results", "watch")),
    ("annotate", "results"),
    *(("api", room) for room in ("live", "pipeline", "results")),
}
TORCH_ALLOWED = ("training/", "evaluation/", "lifting/network", "lifting/baselines", "lifting/refine_torch")
HEAVY = {"torch", "streamlit", "mediapipe"}


def _modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(path: Path, *, top_level_only: bool) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    found = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.append(node.module or "")
    return found


def test_every_room_has_a_floor() -> None:
    rooms = {_room(path) for path in _modules()} - {"__init__", "_models"}
    assert rooms <= set(FLOOR_OF) | BESIDE


@pytest.mark.parametrize("path", _modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    room = _room(path)
    if room in BESIDE or room == "__init__":
        return
    for name in _imports(path, top_level_only=False):
        parts = name.split(".")
        if parts[0] != "posepipe" or len(parts) < 2 or parts[1] == room:
            continue
        other = parts[1]
        if other in BESIDE:
            assert FLOOR_OF[room] == 5, f"{room} imports {other}"
            continue
        same = FLOOR_OF[other] == FLOOR_OF[room]
        assert FLOOR_OF[other] < FLOOR_OF[room] or (same and _may_use(room, other)), f"{room} imports {other}"


def _may_use(room: str, other: str) -> bool:
    return (room, other) in SAME_FLOOR or FLOOR_OF[room] in {0, 1, 5}


@pytest.mark.parametrize("path", _modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_heavy_import_when_loaded(path: Path) -> None:
    relative = path.relative_to(PACKAGE).as_posix()
    if relative.startswith(TORCH_ALLOWED) or relative.startswith("ui/"):
        return
    tops = {name.split(".")[0] for name in _imports(path, top_level_only=True)}
    assert not tops & HEAVY


def test_import_is_light_and_fast() -> None:
    code = (
        "import sys, time; t = time.perf_counter(); import posepipe; s = time.perf_counter() - t;"
        f"assert not {HEAVY!r} & set(sys.modules), sys.modules.keys(); print(s)"
    )
    seconds = min(float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(3))
    assert seconds < 0.5
