"""A result on a page: video, curves and 3D in step, repetitions, downloads."""

from __future__ import annotations

import io
import math
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from posepipe.edits import Edit, read_edits
from posepipe.errors import UsageError
from posepipe.exercise.types import ExerciseResult
from posepipe.formats.registry import FORMATS, Format, write_formats
from posepipe.media.atomic import expanded
from posepipe.media.cut import cut
from posepipe.reasons import Reason, explain
from posepipe.record.recording import Recording
from posepipe.record.sheets import SHEETS, write_csv_tables, write_xlsx
from posepipe.reports.about import about
from posepipe.reports.blocks_pdf import page_pdf
from posepipe.reports.exercise import form_words, score_words
from posepipe.reports.motion import motion_page, render
from posepipe.reports.sections import verdict, with_error
from posepipe.texts import Texts
from posepipe.ui.assets import asset
from posepipe.ui.chosen import choose
from posepipe.ui.pages.room import show_room
from posepipe.ui.pages.tables import show_table
from posepipe.ui.pages.tools import Span, Wish, tools
from posepipe.ui.remembering import remember
from posepipe.ui.session import access, dark, library, remembered, say, set_library, verbatim, workspace
from posepipe.ui.storage import files_of, keep

__all__ = [
    "beside_video", "corrected", "downloads", "gait_link", "gait_name", "keep_button",
    "reason_text", "rejected_rows", "rep_rows", "show_result", "walks", "with_theme",
]  # fmt: skip

# Beside the video stands what moves with it: the 3D view and the curves come first.
_SMALL = """
body { padding: .4rem .8rem; overflow: hidden; } header, main > p, section:has(> .pictures) { display: none; }
main > div { display: flex; flex-direction: column; } main > div > * { min-width: 0; } main > div > h2 { order: -3; }
section:has(> .viewer) { order: -2; } section:has(> .plots) { order: -1; }
.scroll table { font-size: .82rem; } .scroll :is(th, td) { padding-right: .5rem; }
.scroll thead th { font-size: .74rem; }
@media (max-width: 26rem) {
  body { padding: .4rem .2rem; }
  .scroll table { font-size: .76rem; } .scroll :is(th, td) { padding-right: .35rem; }
  .scroll thead th { font-size: .7rem; }
}
"""
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_ZIP, _PDF = "application/zip", "application/pdf"
_ROW_PX, _MOST_ROWS = 35, 12
_STICKY = """<style>
@media (min-width: 641px) {
  div[data-testid=stColumn]:has(> div .st-key-player) .st-key-player { position: sticky; top: 4rem; }
  div[data-testid=stColumn]:has(.st-key-player) > div { height: 100%; }
}
.st-key-player video { max-height: 70vh; }
</style>"""


Correct = Callable[[Wish], None]
"""What the page does with a correction."""


def show_result(folder: Path, recording: Recording, correct: Correct | None = None) -> None:
    """The whole of a results folder: what was found, the video that stays in sight, and the report beside it.

    Args:
        folder: of the result.
        recording: what lies in it.
        correct: takes a correction; None if there can't be any.
    """
    text = say()
    for person in recording.people:
        st.markdown(verbatim(text.number(verdict(recording, person, text))))
    for warning in recording.warnings:
        st.info(verbatim(text.number(text.warning(warning))), icon=":material/info:")
    _repetitions(recording)
    show_room(text, recording)
    video = folder / "annotated.mp4"
    if not video.is_file():
        st.info(text("result.no_video"), icon=":material/videocam_off:")
        _report(text, folder, recording)
        return
    left, right = st.columns([1, 1], gap="medium")
    with left, st.container(key="player"):
        st.video(str(video), muted=True)
        _tools(text, folder, recording, correct)
        st.caption(text("result.in_step"))
    with right:
        _report(text, folder, recording)
    st.html(_STICKY)


def _report(text: Texts, folder: Path, recording: Recording) -> None:
    # Drawn anew, not the folder's report.html: Streamlit's frames may do what the app may, so a page that somebody
    # else wrote must not run in one.
    people = tuple(person.id for person in recording.people)
    key = ("page", folder, recording.created, read_edits(folder), people, text.language)
    report = remembered(key, lambda: render(recording, text.language))
    st.iframe(beside_video(report, dark=dark()), height="content")


def _tools(text: Texts, folder: Path, recording: Recording, correct: Correct | None) -> None:
    """Tools of the first person, or of whom the user chooses."""
    if not recording.people:
        return
    person = recording.people[0]
    if len(recording.people) > 1:
        person = st.selectbox(
            text("gait.whom"),
            recording.people,
            format_func=lambda one: text("result.person", id=one.id),
            key=f"tools-person-{folder.name}",
        )
    edits = read_edits(folder)
    # Another state of the result is another component: it begins with its own joints and events.
    key = f"{folder.name}-{person.id}-{len(edits)}"
    wish = tools(text, recording, person, edits=len(edits), correctable=correct is not None, key=key)
    if isinstance(wish, Span):
        st.session_state["clip"] = (folder, wish)
    elif wish is not None and correct is not None:
        correct(wish)
    _clip(text, folder, recording)


def _clip(text: Texts, folder: Path, recording: Recording) -> None:
    """The part of the video that was cut out last, to download."""
    of, span = st.session_state.get("clip", (None, None))
    if of != folder or span is None:
        return

    def made() -> Path:
        path = workspace().new_folder("clip") / "clip.mp4"
        cut(folder / "annotated.mp4", path, span.start_s, span.end_s)
        return path

    with st.spinner(text("tools.cutting")):
        path = remembered(("clip", folder, recording.created, read_edits(folder), span), made)
    ends = {"start": text.number(f"{span.start_s:.1f}"), "end": text.number(f"{span.end_s:.1f}")}
    name = f"{Path(recording.video.path).stem}-{span.start_s:.1f}-{span.end_s:.1f}.mp4"
    st.download_button(
        text("tools.clip", **ends), path.read_bytes(), name, "video/mp4", icon=":material/movie:", on_click="ignore"
    )


def corrected(folder: Path, wish: Wish) -> tuple[Edit, ...]:
    """The corrections of a folder after another one was made or taken back."""
    edits = read_edits(folder)
    if isinstance(wish, Edit):
        return (*edits, wish)
    return edits[:-1] if wish == "undo" else ()


def _repetitions(recording: Recording) -> None:
    text = say()
    for person in recording.people:
        result = person.exercise
        if result.withheld is not None or not result.bouts:
            continue
        if len(recording.people) > 1:
            st.markdown(f"**{text('result.person', id=verbatim(str(person.id)))}**")
        if rows := rep_rows(text, result):
            show_table(rows, f"reps-{person.id}", title=2, height=_rows_px(len(rows)))
        if rejected := rejected_rows(text, result):
            with st.expander(text("result.rejected", number=len(rejected))):
                show_table(rejected, f"rejected-{person.id}")


def _rows_px(rows: int) -> int:
    """Height of a table: a dozen repetitions are in sight, more are scrolled to."""
    return _ROW_PX * (min(rows, _MOST_ROWS) + 1) + 2


def gait_link(recording: Recording, name: str) -> None:
    """A button that opens the gait report of a walk; none where nobody walks.

    Args:
        recording: the result.
        name: what the gait page calls it.
    """
    if not walks(recording):
        return
    if st.button(say()("result.gait"), icon=":material/directions_walk:", key=f"gait-of-{name}"):
        choose("gait_one", name)
        st.switch_page(st.session_state["pages"]["gait"])


def gait_name(text: Texts, folder: str) -> str:
    """What the gait page calls a result of the library."""
    return f"{folder} ({text('nav.library')})"


def walks(recording: Recording) -> bool:
    """Whether somebody in it walks."""
    return any(person.gait.withheld is None for person in recording.people)


def downloads(folder: Path, recording: Recording, name: str, key: str) -> None:
    """What to take away: tables, reports, every file of the folder, every format.

    Args:
        folder: of the result.
        recording: what lies in it.
        name: of the video.
        key: tells these buttons from others.
    """
    text = say()
    stem, files = Path(name).stem, files_of(folder)

    def button(label: str, make: Any, file_name: str, mime: str | None = None, icon: str | None = None) -> None:
        st.download_button(
            label, make, file_name=file_name, mime=mime, icon=icon, key=f"{key}-{file_name}-{label}", on_click="ignore"
        )

    with st.popover(text("result.downloads"), icon=":material/download:"):
        st.caption(text("result.tables"))
        button(text("result.excel"), lambda: _workbook(recording, text), f"{stem}.xlsx", _XLSX, ":material/table:")
        button(text("result.csv"), lambda: _csv_zip(recording, text), f"{stem}-csv.zip", _ZIP, ":material/csv:")
        st.caption(text("result.reports"))
        button(
            text("result.pdf"),
            lambda: _report_pdf(folder, recording, text),
            f"{stem}.pdf",
            _PDF,
            ":material/picture_as_pdf:",
        )
        st.caption(text("result.files"))
        button(text("result.all_files"), lambda: _zip(folder, files), f"{stem}.zip", _ZIP)
        for path in files:
            inside = path.relative_to(folder)
            button(verbatim(f"{inside} ({_size(path)})"), lambda path=path: path.open("rb"), path.name)
        st.caption(text("result.formats"))
        names = [item.name for item in FORMATS.values() if _there(item)]
        chosen = st.selectbox(text("result.format"), names, key=f"{key}-format")
        button(text("result.format_get"), lambda: _format_zip(recording, chosen), f"{stem}-{chosen}.zip", _ZIP)


def _there(item: Format) -> bool:
    """Whether this installation can write a format."""
    try:
        item.require()
    except UsageError:
        return False
    return True


def _workbook(recording: Recording, text: Texts) -> io.BytesIO:
    with tempfile.TemporaryDirectory(prefix="posepipe-") as made:
        path = Path(made) / "tables.xlsx"
        write_xlsx(recording, path, text)
        return io.BytesIO(path.read_bytes())


def _csv_zip(recording: Recording, text: Texts) -> io.BytesIO:
    with tempfile.TemporaryDirectory(prefix="posepipe-") as made:
        return _zip(Path(made), list(write_csv_tables(recording, Path(made), SHEETS, text)))


def _format_zip(recording: Recording, name: str) -> io.BytesIO:
    with tempfile.TemporaryDirectory(prefix="posepipe-") as made:
        return _zip(Path(made), list(write_formats(recording, made, name)))


def _report_pdf(folder: Path, recording: Recording, text: Texts) -> bytes:
    head = about(folder, recording.created, text)
    return page_pdf(motion_page(recording, text, moving=False, about=head))


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
    """Copy the result into the library; asks for the folder if the page may name one."""
    text = say()
    given = str(library() or "")
    free = access().server_files
    with st.popover(text("result.keep"), icon=":material/bookmark_add:"):
        st.markdown(text("result.keep_help") if free or given else text("library.none_given"))
        root = given
        if free:
            root = st.text_input(
                text("library.folder"), given, key=f"{key}-root", placeholder=text("library.example")
            ).strip()
        if st.button(text("result.keep_here"), key=f"{key}-keep", disabled=not root):
            if free:
                set_library(root)
                remember("library", root)
            kept_in = keep(folder, expanded(root), name)
            st.success(text("result.kept", folder=verbatim(str(kept_in) if free else kept_in.name)))


def beside_video(report: str, *, dark: bool) -> str:
    """A report with what makes it follow the page's video.

    Args:
        report: ``report.html`` as text.
        dark: whether the page around it is dark, whatever the system prefers.
    """
    script = f"<script>{asset('player.js')}</script>"
    return with_theme(report, dark=dark, style=_SMALL).replace("</body>", f"{script}</body>", 1)


def with_theme(document: str, *, dark: bool, style: str = "") -> str:
    """A report as light or dark as the page around it.

    Args:
        document: HTML that asks the system which it prefers; the user may have told the app otherwise.
        dark: whether the page is dark.
        style: more CSS.
    """
    document = document.replace("(prefers-color-scheme: dark)", "all" if dark else "not all")
    scheme = "dark" if dark else "light"
    return document.replace("</head>", f"<style>:root {{ color-scheme: {scheme}; }} {style}</style></head>", 1)


def reason_text(text: Texts, reason: Reason) -> str:
    """Why something is withheld, as a sentence."""
    return text(explain(reason))


def rep_rows(text: Texts, result: ExerciseResult) -> list[dict[str, str]]:
    """The repetitions that were counted."""
    scored = any(math.isfinite(rep.score) for bout in result.bouts for rep in bout.reps)
    return [
        {
            text("reps.exercise"): text.name("exercise", bout.label),
            text("reps.number"): str(number),
            text("reps.start"): text.number(_seconds(rep.start_s)),
            text("reps.end"): text.number(_seconds(rep.end_s)),
            text("reps.range"): text.number(with_error(rep.rom_deg, rep.rom_sigma_deg, "°")),
            text("reps.tempo"): " | ".join(text.number(_seconds(part)) for part in rep.tempo_s),
            text("reps.form"): form_words(bout.label, rep, text),
        }
        | ({text("reps.score"): score_words(rep, text)} if scored else {})
        for bout in result.bouts
        for number, rep in enumerate(bout.reps, 1)
    ]


def rejected_rows(text: Texts, result: ExerciseResult) -> list[dict[str, str]]:
    """Movements that weren't counted."""
    return [
        {
            text("reps.exercise"): text.name("exercise", bout.label),
            text("reps.start"): text.number(_seconds(one.start_s)),
            text("reps.end"): text.number(_seconds(one.end_s)),
            text("reps.why"): reason_text(text, one.reason),
        }
        for bout in result.bouts
        for one in bout.rejected
    ]


def _seconds(value: float) -> str:
    return "–" if not math.isfinite(value) else f"{value:.1f} s"
