"""What is kept of a form: uploads, as Streamlit's own test bench draws them."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from posepipe.samples import SAMPLE_VIDEO
from posepipe.texts import load


def _page() -> None:
    import io
    from pathlib import Path

    import streamlit as st

    from posepipe.ui.chosen import take_in, videos

    for upload in st.session_state["uploads"]:
        data = io.BytesIO(Path(upload["path"]).read_bytes())
        data.name, data.file_id = upload["name"], upload["file_id"]
        # Streamlit starts a page anew in the midst of its run when something else is clicked.
        st.session_state["taken"] = [take_in([data]) for _ in range(2)]
    st.session_state["names"] = list(videos())


def test_an_upload_is_taken_in_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    upload = {"path": str(SAMPLE_VIDEO), "name": "walk.mp4", "file_id": "a"}
    page = AppTest.from_function(_page, default_timeout=60)
    page.session_state["uploads"] = [upload]
    page.run()
    assert not page.exception
    assert page.session_state["taken"] == [["walk.mp4"], ["walk.mp4"]]
    assert page.session_state["names"] == ["walk.mp4"]
    # The same file, given again by the user, is another upload.
    page.session_state["uploads"] = [upload | {"file_id": "b"}]
    page.run()
    assert page.session_state["names"] == ["walk.mp4", "walk (2).mp4"]


def test_no_video_is_said_once(tmp_path: Path) -> None:
    junk = tmp_path / "junk.mp4"
    junk.write_bytes(b"no video at all" * 100)
    page = AppTest.from_function(_page, default_timeout=60)
    page.session_state["uploads"] = [{"path": str(junk), "name": "junk.mp4", "file_id": "a"}]
    page.run()
    assert page.session_state["names"] == []
    (notice,) = page.session_state["notices"]
    assert "junk.mp4" in notice.said and load("en").error(notice.error.what)
