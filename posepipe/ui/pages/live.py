"""The page to train by: camera, count, sets and rests, one thing at a time to do better."""

from __future__ import annotations

import base64
from functools import cache
from typing import Any
from weakref import WeakSet

import cv2
import streamlit as st

from posepipe.errors import PosePipeError
from posepipe.exercise.catalogue import load_catalogue
from posepipe.pipeline import Config
from posepipe.texts import Texts
from posepipe.ui.assets import asset
from posepipe.ui.board import board
from posepipe.ui.cameras import LocalCamera, ice_servers, is_local, is_secure
from posepipe.ui.link import Link
from posepipe.ui.pages.filming import before_filming, judge_live
from posepipe.ui.pages.kept_session import plan_editor, summary
from posepipe.ui.pages.phone import phone
from posepipe.ui.session import access, keep_choices, kept_choice, remember_busy, say, settings
from posepipe.ui.stage import Stage

__all__ = ["page"]

_ANY = "any"
_CHOICES = ("live_exercise", "live_sound", "live_source", "live_spec", "live_given", "live_space", "live_record")
_LOOK_S = 0.35
_PICTURE_LOOK_S = 0.1
_JPEG_QUALITY = 75
# 24 pictures a second show and count as well as 30; the rest of the processor is for coding and decoding them.
_WANTED = {
    "video": {"width": {"ideal": 640}, "height": {"ideal": 480}, "frameRate": {"ideal": 24, "max": 24}},
    "audio": False,
}
# Nothing above the picture on a phone: what is read from three metres must fit without scrolling.
_STYLE = """<style>
.st-key-live_top, .st-key-live_top > div { gap: .6rem; }
.st-key-live_top [data-testid="stMarkdown"] { margin-bottom: .6rem; }
@media (max-width: 640px), (max-height: 500px) {
  .st-key-live_top h1, .st-key-live_top [data-testid="stMarkdown"]:has(p) {
    position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  }
}
</style>"""
_stages: WeakSet[Stage] = WeakSet()  # Of all sessions of this server.


@cache
def _trainer() -> Any:
    return st.components.v2.component(
        "posepipe_live", html=asset("live.html"), css=asset("live.css"), js=asset("live.js")
    )


def page() -> None:
    """Draw the page."""
    text = say()
    stage = _stage()
    st.html(_STYLE)
    with st.container(key="live_top"):
        st.title(text("live.title"))
        st.markdown(text("live.intro"))
        above = st.container()
    browser = _options(text, stage)
    playing = _playing(stage, browser=browser)
    with above:
        every_s = None if not playing else _LOOK_S if browser else _PICTURE_LOOK_S
        st.fragment(_show_trainer, run_every=every_s)(stage, browser=browser)
    if playing:
        remember_busy()
        st.session_state["live_begun"] = True
    elif st.session_state.get("live_begun"):
        summary(text, stage)
    with st.expander(text("filming.title"), icon=":material/center_focus_strong:"):
        label = before_filming(text, "live", stage.chosen)
        judge_live(stage, label, playing=playing)
    plan_editor(text, stage)
    phone(text)
    keep_choices(*_CHOICES)


def _stage() -> Stage:
    """The session's stage, one for as long as the session lasts."""
    stage: Stage | None = st.session_state.get("stage")
    if stage is None:
        stage = st.session_state["stage"] = Stage(Config(max_people=1))
        _stages.add(stage)
    return stage


def _options(text: Texts, stage: Stage) -> bool:
    """The choices below the picture; returns whether the browser's camera is used."""
    exercise, sound, source = st.columns(3)
    with exercise:
        kept_choice("live_exercise", _ANY)
        chosen = st.selectbox(
            text("live.exercise"),
            (_ANY, *load_catalogue().exercises),
            format_func=lambda label: text("live.any_exercise") if label == _ANY else text.name("exercise", label),
            key="live_exercise",
            disabled=bool(stage.plan),
            help=text("train.plan_chooses") if stage.plan else None,
        )
        stage.choose(None if chosen == _ANY else chosen)
    with sound:
        kept_choice("live_sound", "off")
        st.segmented_control(
            text("live.sound"),
            ["off", "beep", "speak"],
            format_func=lambda kind: text(f"live.sound_{kind}"),
            key="live_sound",
        )
    with source:
        sources = ["browser", "local"] if _has_camera() else ["browser"]
        kept_choice("live_source", "browser" if is_secure(st.context.url) else sources[-1])
        camera = st.segmented_control(
            text("live.camera"),
            sources,
            format_func=lambda kind: text(f"live.camera_{kind}"),
            key="live_source",
            help=text("live.camera_help"),
        )
    browser = bool(camera != "local")
    with exercise:
        kept_choice("live_space", False)
        stage.space = st.toggle(text("train.space"), key="live_space")
    if browser:
        with source:
            kept_choice("live_record", False)
            st.toggle(text("train.record"), key="live_record", help=text("train.record_help"))
    else:
        with source:
            _which_camera(text)
    return browser


def _has_camera() -> bool:
    """Whether this page may use a camera of the server's machine."""
    allowed = access()
    return allowed.server_files or bool(allowed.cameras)


def _which_camera(text: Texts) -> None:
    allowed = access()
    if allowed.server_files:
        kept_choice("live_spec", (*allowed.cameras, "0")[0])
        spec = st.text_input(text("live.camera_number"), key="live_spec")
    else:
        # By number: an address may hold a password.
        names = [text("live.camera_given", number=number + 1) for number in range(len(allowed.cameras))]
        kept_choice("live_given", 0)
        spec = allowed.cameras[
            st.selectbox(text("live.camera"), range(len(names)), format_func=names.__getitem__, key="live_given")
        ]
    st.session_state["live_camera_spec"] = spec.strip() or "0"


def _playing(stage: Stage, *, browser: bool) -> bool:
    """Whether a camera is on; one that isn't chosen any more is let go, and a set ends with its camera."""
    link: Link | None = st.session_state.get("live_link")
    camera: LocalCamera | None = st.session_state.get("live_camera")
    if link is not None and not browser:
        link.close()
    if camera is not None and browser:
        camera.stop()
    playing = (link is not None and link.alive) if browser else (camera is not None and camera.running)
    if st.session_state.get("live_playing") and not playing:
        stage.finish()
    st.session_state["live_playing"] = playing
    return playing


def _show_trainer(stage: Stage, *, browser: bool) -> None:
    """Picture and board; runs again and again while a camera is on."""
    text = say()
    camera: LocalCamera | None = st.session_state.get("live_camera")
    if camera is not None:
        camera.look()
    before = st.session_state["live_playing"]
    playing = _playing(stage, browser=browser)
    if playing is not before:
        # The page around shows what was done.
        st.rerun()
    _trainer()(key="live_trainer", data=_data(text, stage, browser=browser), on_order_change=_obey)
    if st.session_state.pop("live_changed", False):
        st.rerun()


def _data(text: Texts, stage: Stage, *, browser: bool) -> dict[str, Any]:
    url = st.context.url
    playing = st.session_state["live_playing"]
    shared = any(other is not stage and other.look().running for other in list(_stages))
    answer = st.session_state.get("live_answer")
    link: Link | None = st.session_state.get("live_link")
    sound = st.session_state.get("live_sound") or "off"
    insecure = browser and not is_secure(url)
    look = stage.look()
    return {
        **board(text, look, playing=playing),
        "browser": browser,
        "playing": playing,
        "begun": bool(st.session_state.get("live_begun")),
        "picture": "" if browser or not playing else _jpeg(stage),
        "servers": ice_servers(url, settings()) if browser else [],
        "wanted": _WANTED,
        "record": bool(st.session_state.get("live_record")),
        "answer": answer,
        "ended": answer["n"] if answer and (link is None or not link.alive) else 0,
        "blocked": insecure,
        "hint": _hint(text, stage, insecure=insecure),
        "shared": text("live.shared") if shared else "",
        "sound": sound,
        "language": text.language,
        "words": _words(text, stage, url),
    }


def _hint(text: Texts, stage: Stage, *, insecure: bool) -> str:
    """The one thing that keeps the camera from working."""
    camera: LocalCamera | None = st.session_state.get("live_camera")
    error: PosePipeError | None = stage.look().error or st.session_state.get("live_error")
    if error is None and camera is not None:
        error = camera.error
    if error is not None:
        where = error.where if access().server_files else ""
        said = ": ".join(part for part in (where, text(error.what)) if part)
        return ". ".join(part.rstrip(".") for part in (said, text(error.hint)) if part) + "."
    if insecure:
        said = text("live.not_secure" if _has_camera() else "live.not_secure_only", url=st.context.url)
        # The board shows plain text.
        return said.replace("**", "").replace("`", "")
    return ""


def _words(text: Texts, stage: Stage, url: str | None) -> dict[str, str]:
    keys = ("no_voice", "clip", "full", "leave", "busy", "picture", "broke")
    words = {key: text(f"train.{key}") for key in keys}
    resting = stage.look().training.after is not None
    far = not is_local(url) and not ice_servers(url, settings())
    return words | {
        "start": text("live.start"),
        "stop": text("live.stop"),
        "pause": text("live.go_on" if stage.look().paused else "live.pause"),
        "reset": text("live.reset"),
        "skip": text("train.end_rest" if resting else "train.end_set"),
        "insecure": text("rtc.media_api_not_available"),
        "missing": text("rtc.device_not_available"),
        "denied": text("rtc.device_access_denied"),
        "slow": text("live.no_servers") if far else text("train.no_connection"),
    }


def _obey() -> None:
    """What was pressed on the board."""
    stage: Stage = st.session_state["stage"]
    order = st.session_state["live_trainer"].get("order") or {}
    what = order.get("what")
    # Only these change what stands around the board: a new run of the page could undo a click on another's link.
    st.session_state["live_changed"] = what in {"start", "offer", "stop", "reset"}
    if what == "pause":
        stage.pause(not stage.look().paused)
    elif what == "skip":
        stage.skip()
    elif what == "reset":
        stage.reset()
        for key in ("live_begun", "live_error", "live_kept"):
            st.session_state.pop(key, None)
        if st.session_state.get("live_playing"):
            st.session_state["live_begun"] = True
    elif what == "stop":
        _hang_up()
    elif what in {"offer", "start"}:
        _hang_up()
        st.session_state.pop("live_error", None)
        stage.pause(False)
        if stage.look().error is not None:
            stage.recover()
        if what == "start":
            st.session_state["live_camera"] = LocalCamera(st.session_state["live_camera_spec"], stage)
        else:
            _answer(stage, str(order["sdp"]), int(order["n"]))


def _answer(stage: Stage, offer: str, number: int) -> None:
    try:
        link = st.session_state["live_link"] = Link(stage, ice_servers(st.context.url, settings()))
        st.session_state["live_answer"] = {"n": number, "sdp": link.answer(offer)}
    except PosePipeError as error:
        st.session_state["live_answer"] = {"n": number, "sdp": ""}
        st.session_state["live_error"] = error


def _hang_up() -> None:
    link: Link | None = st.session_state.pop("live_link", None)
    if link is not None:
        link.close()
    camera: LocalCamera | None = st.session_state.pop("live_camera", None)
    if camera is not None:
        camera.stop()


def _jpeg(stage: Stage) -> str:
    newest = stage.picture()
    if newest is None:
        return ""
    done, encoded = cv2.imencode(".jpg", newest[1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}" if done else ""
