"""The page that analyses video files: the result first, then the form, which keeps what was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from posepipe.edits import config_of, write_edits
from posepipe.keypoints.quality import QUALITIES
from posepipe.media.hide import WAYS
from posepipe.pipeline import TASKS, Config, Pipeline
from posepipe.samples import SAMPLE_HEIGHT_M, SAMPLE_VIDEO
from posepipe.texts import Texts
from posepipe.ui.chosen import choose, chosen, remembered_box, take_in, videos
from posepipe.ui.jobs import Item, Job, State
from posepipe.ui.notices import note, tell
from posepipe.ui.pages.filming import before_filming, how_filmed
from posepipe.ui.pages.portraits import choose_person
from posepipe.ui.pages.show import corrected, downloads, gait_link, keep_button, show_result
from posepipe.ui.pages.tools import Wish
from posepipe.ui.session import job, results, say, set_job, verbatim, workspace

__all__ = ["page", "start_sample"]

_LOOK_S = 0.5
_SUBJECTS = ("largest", "center", "all")


def page() -> None:
    """Draw the page."""
    text = say()
    st.title(text("analyze.title"))
    running = job()
    busy = running is not None and running.running
    if busy:
        st.fragment(_show_progress, run_every=_LOOK_S)()
    else:
        _collect(text)
    if results():
        _show_results(text, busy=busy)
        with st.expander(text("analyze.another"), icon=":material/tune:", key="analyze_form"):
            _form(text, busy=busy)
    else:
        st.markdown(text("analyze.intro"))
        _form(text, busy=busy)


def start_sample(text: Texts) -> None:
    """Begin with the sample video; its person's height is known."""
    item = Item(SAMPLE_VIDEO.name, SAMPLE_VIDEO, workspace().new_folder("result"))
    set_job(Job([item], Config(height_m=SAMPLE_HEIGHT_M), text.language).start())


def _form(text: Texts, *, busy: bool) -> None:
    """Videos and options; kept until the user changes them."""
    turn = st.session_state.setdefault("uploads_turn", 0)
    uploads = st.file_uploader(
        text("analyze.drop"), accept_multiple_files=True, key=f"uploads-{turn}", help=text("analyze.drop_help")
    )
    if uploads:
        # Ours from here on: a box of uploads would forget them, and keep them in memory.
        taken = take_in(uploads)
        choose("chosen", list(dict.fromkeys([*chosen("chosen", []), *taken])))
        st.session_state["uploads_turn"] = turn + 1
        st.rerun()
    if videos():
        with remembered_box("chosen", []):
            st.multiselect(
                text("analyze.chosen"), list(videos()), key="chosen", placeholder=text("analyze.chosen_none")
            )
    config = _config(text)
    names = list(chosen("chosen", []))
    with st.popover(text("filming.title"), icon=":material/center_focus_strong:"):
        before_filming(text, "analyze")
    st.caption(_scale(text, config))
    bar = st.container(horizontal=True)
    if bar.button(text("analyze.start"), type="primary", icon=":material/play_arrow:", disabled=busy or not names):
        items = [Item(name, videos()[name], workspace().new_folder("result")) for name in names]
        set_job(Job(items, config, text.language).start())
        st.rerun()
    if bar.button(text("analyze.sample"), icon=":material/movie:", disabled=busy, help=text("analyze.sample_help")):
        start_sample(text)
        st.rerun()
    if not names and not results() and not busy:
        st.info(text("analyze.empty"), icon=":material/upload_file:")


def _scale(text: Texts, config: Config) -> str:
    """What lengths in metres will rest on."""
    if config.height_m is not None:
        return text("analyze.height_set", cm=f"{100 * config.height_m:.0f}")
    if config.camera_height_m is not None:
        return text("analyze.camera_set", cm=f"{100 * config.camera_height_m:.0f}")
    return text("analyze.height_assumed")


def _choice(text: Texts, key: str, options: Sequence[str], *, explained: bool = False) -> None:
    """One of some options, the first at first."""
    with remembered_box(key, options[0]):
        st.selectbox(
            text(f"analyze.{key}"),
            options,
            format_func=lambda name: text(f"{key}.{name}"),
            key=key,
            help=text(f"analyze.{key}_help") if explained else None,
        )


def _config(text: Texts) -> Config:
    task, subject, height, quality = st.columns(4, vertical_alignment="bottom")
    with task:
        _choice(text, "task", TASKS)
    with subject:
        _choice(text, "subject", _SUBJECTS)
    with height:
        _number("height_cm", text("analyze.height"), text("analyze.height_help"), 40, 260)
    with quality:
        _choice(text, "quality", QUALITIES, explained=True)
    shown, capture, camera, refine = st.columns(4, vertical_alignment="bottom")
    with shown:
        _choice(text, "anonymise", WAYS, explained=True)
    with capture:
        _number("capture_fps", text("analyze.capture"), text("analyze.capture_help"), 1, 10_000)
    with camera:
        _number("camera_cm", text("analyze.camera"), text("analyze.camera_help"), 5, 2000)
    with refine, remembered_box("refine", False):
        st.checkbox(text("analyze.refine"), key="refine", help=text("analyze.refine_help"))
    return _chosen_config()


def _number(key: str, label: str, help_: str, least: int, most: int) -> None:
    """A box that may stay empty."""
    with remembered_box(key):
        st.number_input(label, min_value=least, max_value=most, value=None, key=key, help=help_)


def _chosen_config() -> Config:
    height_cm, camera_cm, capture = chosen("height_cm"), chosen("camera_cm"), chosen("capture_fps")
    return Config(
        task=chosen("task"),
        subject=chosen("subject"),
        height_m=height_cm / 100.0 if height_cm else None,
        camera_height_m=camera_cm / 100.0 if camera_cm else None,
        refine=chosen("refine"),
        capture_fps_hz=float(capture) if capture else None,
        anonymise=chosen("anonymise"),
        quality=chosen("quality"),
    )


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


def _collect(text: Texts) -> None:
    """Move what is done to the session's results, and say what isn't."""
    finished = job()
    if finished is None:
        return
    for item in finished.items:
        if item.state is State.DONE:
            name = _free_name(text, item)
            results()[name] = item
            choose("which", name)
            choose("chosen", [one for one in chosen("chosen", []) if one != item.name])
        elif item.state is State.FAILED and item.error is not None:
            tell(item.error)
        elif item.state is State.STOPPED:
            note(text("analyze.stopped", name=verbatim(item.name)))
    set_job(None)


def _free_name(text: Texts, item: Item) -> str:
    """What the result is called; another person of a video has their number in it."""
    found, name = results(), item.name
    if name in found and item.recording is not None and found[name].detection is item.detection:
        name = f"{name} – {text('result.person', id=', '.join(str(one.id) for one in item.recording.people))}"
    first, number = name, 2
    while name in found:
        name, number = f"{first} ({number})", number + 1
    return name


def _show_results(text: Texts, *, busy: bool) -> None:
    names = list(results())
    if len(names) > 1:
        with remembered_box("which", names[-1]):
            st.selectbox(text("analyze.which"), names, key="which")
    name = chosen("which", names[-1]) if len(names) > 1 else names[0]
    item = results()[name]
    recording = item.recording
    assert recording is not None
    st.subheader(verbatim(name))
    bar = st.container(horizontal=True)
    with bar:
        downloads(item.folder, recording, item.name, key=f"analyze-{name}")
        keep_button(item.folder, item.name, key=f"analyze-{name}")
        gait_link(recording, name)
    _people(text, item)
    how_filmed(text, recording, item.detection)

    def correct(wish: Wish) -> None:
        pictures = Pipeline(config_of(recording)).hidden(item.detection).thumbnails if item.detection else ()
        with st.spinner(text("tools.working")):
            edits = corrected(item.folder, wish)
            item.recording = write_edits(
                item.folder, edits, language=text.language, video=item.video, thumbnails=pictures
            )
        st.rerun()

    show_result(item.folder, recording, None if busy else correct)


def _people(text: Texts, item: Item) -> None:
    """Pictures of everybody in the video; whoever is clicked gets a result beside this one."""
    detection, recording = item.detection, item.recording
    if detection is None or recording is None or len(detection.tracks) < 2:
        return
    asked = choose_person(text, detection, [person.id for person in recording.people], key=item.folder.name)
    if asked is None or job() is not None:
        return
    for name, other in results().items():
        there = other.recording.people if other.recording is not None else ()
        if other.detection is detection and [person.id for person in there] == [asked]:
            choose("which", name)
            st.rerun()
    config = Config(**{**recording.config, "subject": str(asked)})  # type: ignore[arg-type]
    again = replace(item, state=State.WAITING, recording=None, folder=workspace().new_folder("result"))
    set_job(Job([again], config, text.language).start())
    st.rerun()
