"""The page that analyses video files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import streamlit as st

from posepipe.errors import PosePipeError
from posepipe.pipeline import TASKS, Config
from posepipe.samples import SAMPLE_HEIGHT_M, SAMPLE_VIDEO
from posepipe.ui.jobs import Item, Job, State
from posepipe.ui.pages.show import downloads, keep_button, show_result
from posepipe.ui.session import job, results, say, set_job, show_error, verbatim, workspace
from posepipe.ui.texts import Texts
from posepipe.ui.workspace import check_video

__all__ = ["page"]

_LOOK_S = 0.5


def page() -> None:
    """Draw the page."""
    text = say()
    st.title(text("analyze.title"))
    st.markdown(text("analyze.intro"))
    running = job()
    if running is not None and running.running:
        st.fragment(_show_progress, run_every=_LOOK_S)()
        return
    _input(text)
    _collect()
    _show_results(text)


def _input(text: Texts) -> None:
    uploads = st.file_uploader(
        text("analyze.drop"), accept_multiple_files=True, key="uploads", help=text("analyze.drop_help")
    )
    sample = st.checkbox(text("analyze.sample"), key="sample", help=text("analyze.sample_help"))
    with st.expander(text("analyze.options"), icon=":material/tune:"):
        config = _config(text, sample=sample and not uploads)
    chosen = bool(uploads) or sample
    if not chosen and not results():
        st.info(text("analyze.empty"), icon=":material/upload_file:")
    if st.button(text("analyze.start"), type="primary", icon=":material/play_arrow:", disabled=not chosen):
        items = [item for upload in uploads or () if (item := _take_in(upload)) is not None]
        if sample:
            items.append(Item(SAMPLE_VIDEO.name, SAMPLE_VIDEO, workspace().new_folder("result")))
        if items:
            set_job(Job(items, config, text.language).start())
            st.rerun()


def _config(text: Texts, *, sample: bool) -> Config:
    task, subject, height, view = st.columns(4)
    with task:
        chosen = st.selectbox(text("analyze.task"), TASKS, format_func=lambda name: text(f"task.{name}"), key="task")
    with subject:
        who = st.selectbox(
            text("analyze.subject"),
            ("largest", "center", "all"),
            format_func=lambda name: text(f"subject.{name}"),
            key="subject",
        )
    with height:
        height_cm = st.number_input(
            text("analyze.height"),
            min_value=40,
            max_value=260,
            value=None,
            key="height_cm",
            help=text("analyze.height_help"),
        )
    with view:
        refine = st.checkbox(text("analyze.refine"), key="refine", help=text("analyze.refine_help"))
    height_m = height_cm / 100.0 if height_cm else None
    if sample and height_m is None:
        height_m = SAMPLE_HEIGHT_M
    return Config(task=chosen, subject=who, height_m=height_m, refine=refine)


def _take_in(upload: st.runtime.uploaded_file_manager.UploadedFile) -> Item | None:
    """An upload as a video to analyse; says what is wrong with one that isn't."""
    try:
        path = workspace().keep_upload(upload.name, upload)
        check_video(path)
        return Item(path.name, path, workspace().new_folder("result"))
    except PosePipeError as error:
        show_error(error)
        return None


def _show_progress() -> None:
    text = say()
    running = job()
    if running is None or not running.running:
        st.rerun()
        return
    progress = running.progress
    left = text("analyze.left", seconds=f"{progress.left_s:.0f}") if progress.left_s is not None else ""
    name = progress.name or running.items[0].name
    st.progress(progress.share, text=f"**{verbatim(name)}** – {text(f'stage.{progress.stage}')} {left}")
    if st.button(text("analyze.stop"), icon=":material/stop:"):
        running.stop()
        running.wait(10.0)
        st.rerun()


def _collect() -> None:
    """Move what is done to the session's results, and say what isn't."""
    text = say()
    finished = job()
    if finished is None:
        return
    for item in finished.items:
        if item.state is State.DONE:
            results()[_free_name(item)] = item
        elif item.state is State.FAILED and item.error is not None:
            show_error(item.error)
        elif item.state is State.STOPPED:
            st.info(text("analyze.stopped", name=verbatim(item.name)), icon=":material/stop_circle:")
    if all(item.state is State.DONE for item in finished.items):
        set_job(None)


def _free_name(item: Item) -> str:
    found = results()
    name, number = item.name, 2
    while name in found and found[name] is not item:
        name, number = f"{item.name} ({number})", number + 1
    return name


def _show_results(text: Texts) -> None:
    found = results()
    if not found:
        return
    st.divider()
    names = list(found)
    name = names[-1]
    if len(names) > 1:
        name = st.selectbox(text("analyze.which"), names, index=len(names) - 1, key=f"which-{len(names)}")
    item = found[name]
    assert item.recording is not None
    st.subheader(verbatim(name))
    bar = st.container(horizontal=True)
    with bar:
        downloads(item.folder, item.name, key=f"analyze-{name}")
        keep_button(item.folder, item.name, key=f"analyze-{name}")
        _other_person(text, item)
    show_result(item.folder, item.recording)


def _other_person(text: Texts, item: Item) -> None:
    """Describe somebody else of the same video; nothing is detected again."""
    if item.detection is None or len(item.detection.tracks) < 2 or item.recording is None:
        return
    shown = [person.id for person in item.recording.people]
    with st.popover(text("analyze.person"), icon=":material/group:"):
        st.markdown(text("analyze.person_help"))
        for track in item.detection.tracks:
            seconds = f"{float(track.time_s[-1] - track.time_s[0]):.1f}"
            label = text("analyze.person_button", id=track.person, seconds=seconds)
            here = shown == [track.person]
            if st.button(label, key=f"person-{item.folder.name}-{track.person}", disabled=here):
                config = Config(**{**item.recording.config, "subject": str(track.person)})  # type: ignore[arg-type]
                again = replace(item, state=State.WAITING, recording=None)
                results().pop(next(name for name, one in results().items() if one is item))
                set_job(Job([again], config, text.language).start())
                st.rerun()


def result_choices() -> dict[str, Path]:
    """The session's finished results: name -> folder."""
    return {name: item.folder for name, item in results().items()}
