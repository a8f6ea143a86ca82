"""Figures in the documents come from files, and are up to date."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from posepipe.errors import InputError
from posepipe.lab.metrics import markdown
from posepipe.lab.publish import filled

ROOT = Path(__file__).resolve().parents[2]


def test_table_has_every_column_once() -> None:
    text = markdown({"rows": [{"a": 1, "b": 0.12345}, {"a": 2, "c": [1.0, 2.0]}], "metrics": {"m": None}})
    assert text.splitlines()[0] == "| a | b | c |"
    assert "| 1 | 0.1235 |  |" in text
    assert "| 2 |  | 1–2 |" in text


def test_filled_twice_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "speed.json").write_text(json.dumps({"command": "posepipe bench", "metrics": {"ratio": 2.5}}))
    text = "before\n<!-- figures: speed -->\nold\n<!-- end -->\nafter"
    once = filled(text, tmp_path)
    assert "old" not in once
    assert "- ratio: 2.5" in once
    assert once.startswith("before")
    assert once.endswith("after")
    assert filled(once, tmp_path) == once


def test_unknown_figure(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such figure"):
        filled("<!-- figures: nothing -->\n<!-- end -->", tmp_path)


@pytest.mark.parametrize("path", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda p: p.name)
def test_documents_are_up_to_date(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert filled(text, ROOT / "docs" / "figures") == text
