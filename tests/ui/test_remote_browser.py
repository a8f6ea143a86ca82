"""The app as somebody from another machine meets it, and results that came from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from posepipe.record.folder import save
from tests.record.factory import make_gait, make_person, make_recording
from tests.ui.conftest import OpenPage, start_server
from tests.ui.looking import only_this_machine, open_row, rtc

PASSWORD = "seven dwarfs"
TAKE = "parent.document.title = top.document.title = 'taken'"
PICTURE = "![x](http:/site.example/x.png)"
SCRIPT = f'<script>{TAKE}</script><img src=x onerror="{TAKE}">'


@pytest.fixture(scope="module")
def hostile_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result that somebody filled with scripts: in its report, and in everything that its summary says."""
    root = tmp_path_factory.mktemp("hostile")
    folder = root / "sent to me"
    save(make_recording(path="walk.mp4", people=(make_person(gait=make_gait()),)), folder)
    page = folder / "report.html"
    page.write_text(page.read_text().replace("</body>", f"{SCRIPT}</body>"))
    summary = json.loads((folder / "summary.json").read_text())
    summary["video"]["path"] = SCRIPT
    summary["warnings"] = [SCRIPT]
    summary["models"] = {SCRIPT: SCRIPT}
    summary["people"][0]["exercise"]["reps_total"] = PICTURE
    (folder / PICTURE).parent.mkdir(parents=True)
    (folder / PICTURE).write_text("")
    (folder / "summary.json").write_text(json.dumps(_with_script(summary, ("exercise", "gait"))))
    return root


def _with_script(value: Any, inside: tuple[str, ...], deep: bool = False) -> Any:
    """The same, with the script behind each text of these sections that isn't a code."""
    if isinstance(value, dict):
        return {key: _with_script(item, inside, deep or key in inside) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_script(item, inside, deep) for item in value]
    return f"{value} {SCRIPT}" if deep and isinstance(value, str) and " " in value else value


@pytest.fixture(scope="module")
def remote(hostile_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an app that lets other machines in, with a password."""
    if find_spec("streamlit") is None or find_spec("aiortc") is None:
        pytest.skip("the extra app isn't installed")
    folder = tmp_path_factory.mktemp("remote")
    (folder / "password").write_text(f"{PASSWORD}\n")
    process, url = start_server(
        hostile_library,
        folder / "server.log",
        folder,
        arguments=("--address", "0.0.0.0", "--password-file", str(folder / "password")),
    )
    yield url
    process.terminate()
    assert process.wait(60) == 0
    assert not list(folder.glob("posepipe-app-*"))


def test_no_part_of_it_opens_without_the_password(remote: str) -> None:
    for path in ("/", "/library", "/_stcore/health", "/_stcore/host-config", "/static/index.html", "/media/a.mp4"):
        with pytest.raises(HTTPError, match="401"):
            urlopen(remote + path, timeout=10)


def test_from_elsewhere_no_file_or_camera_of_the_server_is_reached(remote: str, open_page: OpenPage) -> None:
    page = open_page(locale="en-US")
    page.goto(f"{remote}/library")
    page.get_by_label("Password").fill("not this one")
    page.get_by_role("button", name="Open").click()
    page.get_by_text("isn't the password").wait_for()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Open").click()
    page.get_by_role("heading", name="Library", exact=True).wait_for()
    page.get_by_text("Click a row to open it").wait_for()
    # No box for a folder, and no folder's name.
    assert page.get_by_role("textbox", name="Folder").count() == 0
    assert "/hostile" not in page.content()
    open_row(page, 0)
    frame = page.frame_locator("iframe[srcdoc]")
    frame.get_by_text("The movement in 3D").wait_for()
    page.wait_for_timeout(500)
    assert page.title() == "posepipe"
    page.get_by_test_id("stPopoverButton").filter(has_text="Download").click()
    page.get_by_text("x.png").first.wait_for()
    # The script is there, as text.
    assert frame.get_by_text("parent.document.title").count() > 0
    page.get_by_role("link", name="Gait").click()
    page.get_by_role("heading", name="Gait", exact=True).wait_for()
    page.frame_locator("iframe[srcdoc]").get_by_text("A screening aid").first.wait_for()
    page.wait_for_timeout(500)
    assert page.title() == "posepipe"
    page.get_by_role("link", name="Models & health").click()
    page.get_by_role("button", name="Measure").wait_for()
    assert page.get_by_text("What was looked at").count() == 0
    page.get_by_role("link", name="Live").click()
    rtc(page).get_by_role("button", name="Start").wait_for()
    assert page.get_by_text("App's machine").count() == 0
    only_this_machine(page)


@pytest.mark.parametrize(
    ("locale", "password", "enter", "said"),
    [
        ("en-US", "Password", "Open", "Browsers give their camera only to pages on this machine"),
        ("de-DE", "Passwort", "Öffnen", "Browser geben ihre Kamera nur an Seiten auf diesem Rechner"),
    ],
)
def test_over_plain_http_one_box_says_how_the_camera_works(
    remote: str, open_page: OpenPage, locale: str, password: str, enter: str, said: str
) -> None:
    if find_spec("ifaddr") is None:
        pytest.skip("ifaddr isn't installed")
    from posepipe.ui.certificate import addresses

    if not addresses():
        pytest.skip("this machine is in no network")
    host, page = addresses()[0], open_page(locale=locale)
    page.goto(f"http://{host}:{urlsplit(remote).port}")
    page.get_by_label(password).fill(PASSWORD)
    page.get_by_role("button", name=enter).click()
    rtc(page).get_by_role("button", name="Start").wait_for()
    page.get_by_role("alert").filter(has_text=said).wait_for()
    page.wait_for_timeout(1500)
    # As from another machine: this browser has no camera to give.
    assert page.evaluate("[isSecureContext, navigator.mediaDevices === undefined]") == [False, True]
    boxes = [one.inner_text() for one in page.get_by_role("alert").all() if one.is_visible() and one.inner_text()]
    assert len(boxes) == 1
    assert "posepipe app --https" in boxes[0]
    assert not set("`*") & set(boxes[0])
    assert rtc(page).get_by_role("button", name="Start").is_disabled()
    asked = {urlsplit(url).hostname for url in page.posepipe_requests if not url.startswith(("data:", "blob:"))}
    assert asked == {host}
