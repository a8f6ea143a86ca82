"""A page's numbers as its language writes them, whoever made its words."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from posepipe.reports.blocks import Drawing, Page, Picture, Viewer
from posepipe.texts import Texts, load

__all__ = ["in_language"]

T = TypeVar("T")

_WORDS = frozenset({"text", "strong", "more", "rows", "head", "caption", "title", "note", "words", "summary", "lines"})
"""Fields that are read by people; the others are names of colours, links and looks."""
_INSIDE = frozenset({"sheets", "blocks", "left", "right", "figures", "image", "shapes"})


def in_language(page: Page) -> Page:
    """The page with decimal commas where its language has them; its heading, a file's name, stays."""
    say = load(page.language)
    return page if say.number("0.5") == "0.5" else replace(page, sheets=_put(page.sheets, say))


def _put(value: T, say: Texts) -> T:
    return _any(value, say)  # type: ignore[no-any-return]


def _any(value: Any, say: Texts) -> Any:
    if isinstance(value, str):
        return say.number(value)
    if isinstance(value, tuple):
        return tuple(_any(item, say) for item in value)
    if isinstance(value, list):
        return [_any(item, say) for item in value]
    if isinstance(value, (Viewer, Picture)) or not is_dataclass(value) or isinstance(value, type):
        return value
    if isinstance(value, Drawing):
        return replace(value, title=say.number(value.title), shapes=_any(value.shapes, say))
    names = {field.name for field in fields(value)}
    changed = {name: _any(getattr(value, name), say) for name in names & (_WORDS | _INSIDE)}
    return replace(value, **changed)
