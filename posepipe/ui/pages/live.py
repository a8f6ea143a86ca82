"""The page that watches, counts and advises while somebody exercises in front of a camera."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import cv2
import streamlit as st
from streamlit_webrtc import WebRtcMode, webrtc_streamer
from streamlit_webrtc.factory import create_video_sink_track

from posepipe.exercise.catalogue import load_catalogue
from posepipe.pipeline import Config
from posepipe.results.summary import plain
from posepipe.ui.assets import asset
from posepipe.ui.camera import LocalCamera
from posepipe.ui.rtc import StageTrack, ice_servers, is_local, is_secure, to_image
from posepipe.ui.session import remember_busy, say, settings, show_error
from posepipe.ui.stage import Look, Stage
from posepipe.ui.tables import faults_text, measured, rep_rows
from posepipe.ui.texts import Texts

if TYPE_CHECKING:
    from posepipe.exercise.types import CoachState

__all__ = ["page"]

_ANY = "any"
_LEVELS = ("frame", "view", "joint", "form")
_HINTS = {
    "insecure": "media_api_not_available",
    "missing": "device_not_available",
    "denied": "device_access_denied",
}
_PICTURE_JS = """export default ({ data, parentElement }) => {
  const image = parentElement.querySelector("img");
  if (data) image.src = data;
  image.style.display = data ? "block" : "none";
}"""
_LOOK_S = 0.35
_stages: WeakSet[Stage] = WeakSet()  # Of all sessions of this server.
_PICTURE_LOOK_S = 0.1
_JPEG_QUALITY = 75
# 24 pictures a second show and count as well as 30; the rest of the processor is for coding and decoding them.
_WANTED = {
    "video": {"width": {"ideal": 640}, "height": {"ideal": 480}, "frameRate": {"ideal": 24, "max": 24}},
    "audio": False,
}


@cache
def _panel() -> Any:
    return st.components.v2.component(
        "posepipe_live", html=asset("live.html"), css=asset("live.css"), js=asset("live.js")
    )


@cache
def _picture_box() -> Any:
    return st.components.v2.component(
        "posepipe_picture",
        html='<img alt="" style="width: 100%; display: none; border-radius: .5rem">',
        js=_PICTURE_JS,
    )


def page() -> None:
    """Draw the page."""
    text = say()
    st.title(text("live.title"))
    st.markdown(text("live.intro"))
    url = st.context.url
    browser = _options(text, url)
    stage = _stage()
    # A place of its own: were elements below it to move when it comes and goes, the browser would load the camera's
    # frame anew and hang up.
    notice = st.empty()
    if any(other is not stage and other.look().running for other in list(_stages)):
        notice.info(text("live.shared"), icon=":material/tab_duplicate:")
    left, right = st.columns([3, 2], gap="medium")
    with left:
        playing = _browser_camera(text, stage, url) if browser else _local_camera(text, stage)
        if not browser and playing:
            st.fragment(_show_picture, run_every=_PICTURE_LOOK_S)(stage)
        _buttons(text, stage)
    with right:
        st.fragment(_show_panel, run_every=_LOOK_S if playing else None)(stage, browser=browser, playing=playing)
    if playing:
        remember_busy()
        st.session_state["live_begun"] = True
    elif st.session_state.get("live_begun"):
        _summary(text, stage)


def _options(text: Texts, url: str | None) -> bool:
    """The choices above the picture; returns whether the browser's camera is used."""
    exercise, sound, source = st.columns(3)
    with exercise:
        st.selectbox(
            text("live.exercise"),
            (_ANY, *load_catalogue().exercises),
            format_func=lambda label: text("live.any_exercise") if label == _ANY else text.name("exercise", label),
            key="live_exercise",
        )
    with sound:
        st.segmented_control(
            text("live.sound"),
            ["off", "beep", "speak"],
            default="off",
            format_func=lambda kind: text(f"live.sound_{kind}"),
            key="live_sound",
        )
    with source:
        sources = ["browser", "local"]
        chosen = st.segmented_control(
            text("live.camera"),
            sources,
            default="browser" if is_secure(url) else "local",
            format_func=lambda kind: text(f"live.camera_{kind}"),
            key="live_source",
            help=text("live.camera_help"),
        )
    if chosen != "local" and not is_secure(url):
        st.warning(text("live.not_secure", url=url), icon=":material/lock_open:")
    return bool(chosen != "local")


def _stage() -> Stage:
    """The session's stage; a new one when another exercise is chosen."""
    chosen = st.session_state.get("live_exercise", _ANY)
    exercise = None if chosen == _ANY else chosen
    stage: Stage | None = st.session_state.get("stage")
    if stage is None or stage.exercise != exercise:
        stage = Stage(Config(max_people=1), exercise)
        st.session_state["stage"] = stage
        _stages.add(stage)
        st.session_state.pop("live_track", None)
    return stage


def _browser_camera(text: Texts, stage: Stage, url: str | None) -> bool:
    """The browser's camera through WebRTC; returns whether it is on."""
    camera: LocalCamera | None = st.session_state.pop("live_camera", None)
    if camera is not None:
        camera.stop()
    servers = ice_servers(url, settings())
    if not is_local(url) and not servers:
        st.info(text("live.no_servers"), icon=":material/lan:")
    track: StageTrack | None = st.session_state.get("live_track")
    if track is None or track.readyState != "live":
        track = st.session_state["live_track"] = StageTrack(stage)
    context = webrtc_streamer(
        key="live",
        mode=WebRtcMode.SENDRECV,
        rtc_configuration={"iceServers": servers},
        media_stream_constraints=_WANTED,
        sink_video_track=create_video_sink_track(lambda frame: stage.offer(to_image(frame)), key="live"),
        source_video_track=track,
        video_html_attrs={"autoPlay": True, "controls": False, "muted": True, "style": {"width": "100%"}},
        translations={name: text(f"rtc.{name}") for name in _RTC_TEXTS},
        media_toggle_controls=False,
    )
    if not context.state.playing:
        if not context.state.signalling:
            # A finished connection has used its track up.
            if track.used:
                track.stop()
                st.session_state.pop("live_track", None)
            st.caption(text("live.press_start"))
        return False
    return True


_RTC_TEXTS = (
    "start",
    "stop",
    "select_device",
    "media_api_not_available",
    "device_ask_permission",
    "device_not_available",
    "device_access_denied",
    "select_camera",
)


def _local_camera(text: Texts, stage: Stage) -> bool:
    """A camera of the machine that runs the app; returns whether it is on."""
    camera: LocalCamera | None = st.session_state.get("live_camera")
    spec = st.text_input(text("live.camera_number"), settings().get("POSEPIPE_CAMERA", "0"), key="live_spec")
    if camera is not None and camera.running:
        if st.button(text("live.stop"), icon=":material/stop:", type="primary", key="live_stop"):
            camera.stop()
            st.session_state.pop("live_camera")
            st.rerun()
        return True
    if st.button(text("live.start"), icon=":material/play_arrow:", type="primary", key="live_start"):
        st.session_state["live_camera"] = LocalCamera(spec.strip() or "0", stage)
        st.rerun()
    if camera is not None:
        if camera.error is not None:
            show_error(camera.error)
        # Its end is known now; the panel needn't ask for a new page again.
        camera.seen_ended = True
    return False


def _buttons(text: Texts, stage: Stage) -> None:
    bar = st.container(horizontal=True)
    paused = stage.look().paused
    name, icon = ("live.go_on", ":material/play_arrow:") if paused else ("live.pause", ":material/pause:")
    if bar.button(text(name), icon=icon, key="live_pause"):
        stage.pause(not paused)
        st.rerun()
    if bar.button(text("live.reset"), icon=":material/restart_alt:", key="live_reset"):
        stage.reset()
        st.session_state.pop("live_begun", None)
        st.rerun()


def _show_picture(stage: Stage) -> None:
    """The newest picture of a local camera."""
    _picture_box()(key="live_picture", data=_jpeg(stage))


def _show_panel(stage: Stage, *, browser: bool, playing: bool) -> None:
    """Count, verdict and advice, as large as the page allows."""
    text = say()
    look = stage.look()
    # The stage waits a little for more pictures after the camera was switched off.
    look = replace(look, running=look.running and playing)
    camera: LocalCamera | None = st.session_state.get("live_camera")
    if camera is not None:
        camera.look()
        if not camera.running and not camera.seen_ended:
            # The page around must show its start button, or the error.
            st.rerun()
    if look.error is not None:
        show_error(look.error)
    _panel()(key="live_panel", data=_panel_data(text, look, browser=browser))


def _panel_data(text: Texts, look: Look, *, browser: bool) -> dict[str, Any]:
    state = look.coach
    level, advice = _advice(text, look)
    return {
        "exercise": _exercise(text, state),
        "count": state.reps if state else 0,
        "total": state.reps_total if state else 0,
        "unit": text("live.repetitions"),
        "verdict": _verdict(text, state),
        "say": advice,
        "level": level,
        "ladder": [text(f"ladder.{name}") for name in _LEVELS],
        "speed": _speed(text, look),
        "hints": {name: text(f"rtc.{key}") for name, key in _HINTS.items()} if browser and not look.running else None,
        "sound": st.session_state.get("live_sound") or "off",
        "language": text.language,
    }


def _exercise(text: Texts, state: CoachState | None) -> str:
    if state is None or state.label is None:
        return text("live.no_exercise_yet")
    return text.name("exercise", state.label)


def _advice(text: Texts, look: Look) -> tuple[str, str]:
    """Step of the ladder, and the one thing to say."""
    if not look.running:
        return "frame", text("live.idle")
    if look.paused:
        return "good", text("live.paused")
    if not look.ready:
        return "frame", text("live.loading")
    if look.coach is None:
        return "frame", text("live.step_in")
    feedback = look.coach.feedback
    level = str(feedback.level)
    said = text.table.get(f"coach.{feedback.code}") or feedback.text
    if said:
        return level, said
    if not look.seen:
        return "frame", text("live.step_in")
    return level, text("live.good" if look.coach.label else "live.begin")


def _verdict(text: Texts, state: CoachState | None) -> str:
    if state is None or state.last_rep is None:
        return ""
    rep = state.last_rep
    return text(
        "live.last_rep",
        form=faults_text(text, rep.faults),
        range=measured(rep.rom_deg, rep.rom_sigma_deg, "°"),
    )


def _speed(text: Texts, look: Look) -> str:
    if not look.running or not math.isfinite(look.delay_ms):
        return ""
    return text(
        "live.speed", fps=f"{look.fps_hz:.0f}", delay=f"{look.delay_ms:.0f}", slowest=f"{look.delay_p95_ms:.0f}"
    )


def _jpeg(stage: Stage) -> str:
    import base64

    newest = stage.picture()
    if newest is None:
        return ""
    done, encoded = cv2.imencode(".jpg", newest[1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}" if done else ""


def _summary(text: Texts, stage: Stage) -> None:
    """What the session held, and its download."""
    summary = stage.summary()
    st.subheader(text("summary.title"))
    if summary is None:
        st.markdown(text("summary.nothing"))
        return
    section = plain(summary.section)
    rows = rep_rows(text, section)
    st.markdown(text("summary.length", seconds=f"{summary.end_s - summary.start_s:.0f}"))
    if not rows:
        st.markdown(text("summary.no_reps"))
    else:
        st.dataframe(rows, hide_index=True, width="stretch")
    document = {"start_s": summary.start_s, "end_s": summary.end_s, "exercise": section}
    st.download_button(
        text("summary.download"),
        json.dumps(plain(document), ensure_ascii=False, indent=1),
        file_name="posepipe-session.json",
        mime="application/json",
        icon=":material/download:",
        on_click="ignore",
    )
