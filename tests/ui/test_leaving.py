"""A click on another page's link isn't undone by what the page that is left still says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

pytest.importorskip("streamlit")

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from posepipe.ui import leaving
from posepipe.ui.leaving import Visit
from tests.ui.conftest import OpenPage
from tests.ui.looking import rtc

App = tuple[str, Path, Path, "subprocess.Popen[bytes]"]

# A click on Gait, and in the same moment the board says something. Five times: one always comes in between.
_BOTH = """() => {
  const host = [...document.querySelectorAll("*")].find(one => one.shadowRoot?.querySelector(".trainer"));
  const link = [...document.querySelectorAll("a")].find(one => one.textContent.includes("Gait"));
  link.click();
  for (let again = 0; again < 5; again++) host.shadowRoot.querySelector(".trainer").send({ what: "nothing", again });
}"""


def call(page: str, path: str) -> bytes:
    """What a tab says when it wants a page drawn; `path` is in its address."""
    message = BackMsg()
    message.rerun_script.page_script_hash = page
    message.rerun_script.context_info.url = f"http://localhost:8501{path}"
    return message.SerializeToString()


@pytest.fixture
def visit() -> Visit:
    """A tab that shows the first page, live."""
    made = Visit()
    assert not made.is_late(call("", "/"))
    told = ForwardMsg()
    told.navigation.page_script_hash = "live"
    made.told(told.SerializeToString())
    return made


def test_the_page_that_was_left_is_heard_no_more(visit: Visit) -> None:
    assert not visit.is_late(call("live", "/"))
    assert not visit.is_late(call("gait", "/"))
    assert visit.is_late(call("live", "/"))
    assert visit.is_late(call("live", "/"))
    assert not visit.is_late(call("gait", "/gait"))


def test_clicks_of_a_person_are_heard(visit: Visit) -> None:
    # On to a third page before the second one came, and back as soon as it is there.
    assert not visit.is_late(call("gait", "/"))
    assert not visit.is_late(call("library", "/"))
    assert not visit.is_late(call("gait", "/library"))
    assert not visit.is_late(call("live", "/gait"))


def answer(page: str) -> bytes:
    """What the server says first when it draws a page."""
    message = ForwardMsg()
    message.new_session.page_script_hash = page
    return message.SerializeToString()


def test_a_slow_answer_is_waited_for(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    monkeypatch.setattr(leaving.time, "monotonic", lambda: now_s)
    assert not visit.is_late(call("gait", "/"))
    now_s = 0.8 * leaving._ANSWER_S
    assert visit.is_late(call("live", "/"))
    # What is drawn of the page that is left doesn't answer the click.
    visit.told(answer("live"))
    visit.told(ForwardMsg().SerializeToString())
    assert visit.is_late(call("live", "/"))
    visit.told(answer("gait"))
    assert visit.is_late(call("live", "/"))
    now_s += 1.1 * leaving._SHOWN_S
    assert not visit.is_late(call("live", "/"))


def test_without_an_answer_the_old_page_is_heard_again(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "_ANSWER_S", 0.0)
    assert not visit.is_late(call("gait", "/"))
    assert not visit.is_late(call("live", "/"))


def test_other_messages_pass(visit: Visit) -> None:
    stop = BackMsg()
    stop.stop_script = True
    for data in (b"", b"\xff\xff", stop.SerializeToString()):
        assert not visit.is_late(data)


def test_click_while_the_board_says_something(app: App, open_page: OpenPage) -> None:
    page = open_page(locale="en-US")
    page.goto(app[0])
    page.get_by_role("heading", name="Live").first.wait_for()
    page.get_by_role("link", name="Gait").click()
    page.get_by_role("heading", name="Gait", exact=True).wait_for()
    page.locator(".trainer").wait_for(state="detached")
    page.get_by_role("link", name="Live").click()
    rtc(page).get_by_role("button", name="Start").wait_for()
    page.evaluate(_BOTH)
    page.get_by_role("heading", name="Gait", exact=True).wait_for()
    page.locator(".trainer").wait_for(state="detached")
    page.wait_for_timeout(300)
    assert page.url.split("?")[0].endswith("/gait")
    # Back by the browser's own button.
    page.wait_for_timeout(1000.0 * leaving._SHOWN_S)
    page.go_back()
    rtc(page).get_by_role("button", name="Start").wait_for()


def test_each_page_is_one_step_back(app: App, open_page: OpenPage) -> None:
    page = open_page(locale="en-US")
    page.goto(app[0])
    rtc(page).get_by_role("button", name="Start").wait_for()
    steps = page.evaluate("history.length")
    for name in ("Gait", "Library"):
        page.get_by_role("link", name=name).click()
        page.get_by_role("heading", name=name, exact=True).wait_for()
    page.wait_for_timeout(1000.0 * leaving._SHOWN_S)
    assert page.evaluate("history.length") == steps + 2
    page.go_back()
    page.get_by_role("heading", name="Gait", exact=True).wait_for()
