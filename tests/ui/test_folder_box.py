"""The box of the library's folder, as Streamlit's own test bench draws it; names of folders in keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from posepipe.texts import load
from posepipe.ui.access import Access
from posepipe.ui.session import component_key


def _page() -> None:
    import streamlit as st

    from posepipe.ui.pages import library

    st.session_state.setdefault("pages", {})
    library.page()


def test_an_empty_box_does_not_lose_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSEPIPE_LIBRARY", str(tmp_path))
    monkeypatch.setenv("POSEPIPE_SETTINGS", str(tmp_path / "app.json"))
    for module in ("posepipe.ui.session", "posepipe.ui.pages.library"):
        monkeypatch.setattr(f"{module}.access", lambda: Access(server_files=True, cameras=()))
    drawn = AppTest.from_function(_page, default_timeout=60).run()
    assert drawn.text_input[0].value == str(tmp_path)
    # A busy browser may answer before the box has its value.
    drawn.text_input[0].set_value("").run()
    assert [info.value for info in drawn.info] == [load("en")("library.empty")]
    drawn.run()
    assert drawn.text_input[0].value == str(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    drawn.text_input[0].set_value(str(other)).run()
    assert drawn.run().text_input[0].value == str(other)


@given(st.lists(st.text(max_size=8), min_size=2, max_size=3), st.lists(st.text(max_size=8), min_size=2, max_size=3))
def test_any_names_make_a_key_of_their_own(one: list[str], other: list[str]) -> None:
    # A user's folder may be called anything, and a temporary one is by chance.
    assert "__" not in component_key("tools", "walk__1", *one)
    assert (component_key(*one) == component_key(*other)) == (one == other)
