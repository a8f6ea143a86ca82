"""A table on a wide page, its rows as lines on a phone: a grid has to be pushed sideways there to be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Literal

import streamlit as st

__all__ = ["TABLES", "show_table"]

TABLES = """<style>
@media (max-width: 640px) { [class*="st-key-grid-"] { display: none; } }
@media (min-width: 641px) { [class*="st-key-lines-"] { display: none; } }
.lines { list-style: none; margin: 0 !important; padding: 0 !important; font-size: .9rem; }
.lines { font-variant-numeric: tabular-nums; }
.lines li { margin: 0; padding: .4rem 0; border-top: 1px solid #8886; overflow-wrap: anywhere; }
.lines span { display: inline-block; margin-right: .9rem; }
.lines small { font-size: .8rem; margin-right: .3rem; }
</style>"""
"""Style of every page: which of the two is shown."""


def show_table(
    rows: Sequence[Mapping[str, str]],
    key: str,
    *,
    title: int = 1,
    height: int | Literal["auto", "content"] = "auto",
) -> None:
    """Show rows of one set of columns.

    Args:
        rows: column -> cell.
        key: tells this table from others of the page.
        title: so many first cells name a row; they stand without their column's name.
        height: of the table, in pixels, or as Streamlit has it.
    """
    with st.container(key=f"grid-{key}"):
        st.dataframe(rows, hide_index=True, width="stretch", height=height)
    with st.container(key=f"lines-{key}"):
        st.html(f'<ul class="lines">{"".join(_line(row, title) for row in rows)}</ul>')


def _line(row: Mapping[str, str], title: int) -> str:
    cells = [(escape(name), escape(cell)) for name, cell in row.items()]
    head = f"<span><b>{' '.join(cell for _, cell in cells[:title])}</b></span>"
    rest = " ".join(f"<span><small>{name}</small>{cell}</span>" for name, cell in cells[title:] if cell)
    return f"<li>{head} {rest}</li>"
