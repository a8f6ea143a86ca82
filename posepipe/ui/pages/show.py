"""A result on a page: video, curves and 3D in step, repetitions, downloads."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import streamlit as st

from posepipe.errors import InputError
from posepipe.results.language import report_words
from posepipe.results.recording import Recording
from posepipe.results.sections import verdict
from posepipe.results.summary import plain
from posepipe.ui.player import beside_video
from posepipe.ui.session import dark, library, say, set_library, verbatim
from posepipe.ui.shelf import keep
from posepipe.ui.tables import reason_text, rejected_rows, rep_rows

__all__ = ["downloads", "keep_button", "show_result"]

_REPORT_HEIGHT_PX = 760


def show_result(folder: Path, recording: Recording) -> None:
    """The whole of a results folder."""
    text = say()
    for warning in recording.warnings:
        st.info(verbatim(report_words(text.language).warning(warning)), icon=":material/info:")
    for person in recording.people:
        st.markdown(verbatim(verdict(recording, person, report_words(text.language))))
    left, right = st.columns([1, 1], gap="medium")
    with left, st.container(key="player"):
        video = folder / "annotated.mp4"
        if video.is_file():
            st.video(str(video), muted=True)
            st.caption(text("result.in_step"))
        else:
            st.info(text("result.no_video"), icon=":material/videocam_off:")
    with left:
        _repetitions(recording)
    with right:
        st.iframe(beside_video(_report(folder), dark=dark()), height=_REPORT_HEIGHT_PX)


def _report(folder: Path) -> str:
    try:
        return (folder / "report.html").read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            "the report can't be read", where=str(folder / "report.html"), hint="Analyse the video again"
        ) from error


def _repetitions(recording: Recording) -> None:
    text = say()
    for person in recording.people:
        section = plain(person.exercise)
        if len(recording.people) > 1:
            st.markdown(f"**{text('result.person', id=person.id)}**")
        if "withheld" in section:
            st.markdown(text("result.no_exercise", reason=reason_text(text, section["withheld"])))
            continue
        st.metric(text("result.reps_total"), str(section.get("reps_total", "–")))
        if rows := rep_rows(text, section):
            st.dataframe(rows, hide_index=True, width="stretch")
        if rejected := rejected_rows(text, section):
            with st.expander(text("result.rejected", number=len(rejected))):
                st.dataframe(rejected, hide_index=True, width="stretch")


def downloads(folder: Path, name: str, key: str) -> None:
    """A button for each file of the folder, and one for all."""
    text = say()
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    with st.popover(text("result.downloads"), icon=":material/download:"):
        st.download_button(
            text("result.all_files"),
            lambda: _zip(folder, files),
            file_name=f"{Path(name).stem}.zip",
            mime="application/zip",
            key=f"{key}-all",
            on_click="ignore",
        )
        for path in files:
            inside = path.relative_to(folder)
            st.download_button(
                f"{inside} ({_size(path)})",
                lambda path=path: path.open("rb"),
                file_name=path.name,
                key=f"{key}-{inside}",
                on_click="ignore",
            )


def _zip(folder: Path, files: list[Path]) -> io.BytesIO:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, path.relative_to(folder))
    packed.seek(0)
    return packed


def _size(path: Path) -> str:
    size = float(path.stat().st_size)
    for unit in ("B", "kB", "MB"):
        if size < 1000.0:
            return f"{size:.0f} {unit}"
        size /= 1000.0
    return f"{size:.1f} GB"


def keep_button(folder: Path, name: str, key: str) -> None:
    """Copy the result into the library; asks for the folder if none was chosen."""
    text = say()
    with st.popover(text("result.keep"), icon=":material/bookmark_add:"):
        st.markdown(text("result.keep_help"))
        root = st.text_input(
            text("library.folder"), str(library() or ""), key=f"{key}-root", placeholder=text("library.example")
        )
        if st.button(text("result.keep_here"), key=f"{key}-keep", disabled=not root.strip()):
            set_library(root)
            kept_in = keep(folder, Path(root.strip()).expanduser(), name)
            st.success(text("result.kept", folder=verbatim(str(kept_in))))
