"""The gate: names, other sites, the password; and what a page may reach of the server's machine."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlencode

import pytest

pytest.importorskip("starlette")

from posepipe.ui import gate as gates
from posepipe.ui.access import Access, access_of, is_loopback
from posepipe.ui.gate import Gate, known_name

PASSWORD = "kräftig genug"
Sent = list[MutableMapping[str, Any]]


async def _app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"inside"})


def ask(
    gate: Gate, method: str = "GET", body: bytes = b"", kind: str = "http", client: str = "10.0.0.9", **headers: str
) -> Sent:
    """What a request gets."""
    given = {"host": "localhost:8501", **headers}
    scope = {
        "type": kind,
        "method": method,
        "path": "/library",
        "query_string": b"",
        "scheme": "http",
        "server": ("localhost", 8501),
        "client": (client, 5),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    sent: Sent = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    asyncio.run(gate(scope, receive, send))
    return sent


def status(sent: Sent) -> int:
    return int(sent[0].get("status", sent[0].get("code")))


def login(gate: Gate, password: str, **more: str) -> Sent:
    return ask(gate, "POST", urlencode({"password": password}).encode(), **more)


@pytest.mark.parametrize(
    ("host", "here", "elsewhere"),
    [
        ("localhost:8501", True, True),
        ("127.0.0.1:8501", True, True),
        ("[::1]:8501", True, True),
        ("192.168.1.7:8501", False, True),
        ("[fe80::1]:8501", False, True),
        ("studio:8501", False, True),
        ("studio.local", False, True),
        ("evil.example", False, False),
        ("localhost.evil.example", False, False),
        ("127.0.0.1.evil.example", False, False),
        ("", False, False),
    ],
)
def test_names_from_the_internet_are_refused(host: str, here: bool, elsewhere: bool) -> None:
    assert known_name(host, local=True) is here
    assert known_name(host, local=False) is elsewhere
    assert known_name("gait.example:443", local=True, names=("gait.example",))


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_other_sites_get_nothing(kind: str) -> None:
    gate = Gate(_app, local=True)
    refused = 403 if kind == "http" else 1008
    assert status(ask(gate, kind=kind)) == 299
    assert status(ask(gate, kind=kind, origin="http://localhost:8501")) == 299
    assert status(ask(gate, kind=kind, host="evil.example:8501", origin="http://evil.example:8501")) == refused
    for origin in ("http://evil.example", "http://localhost:9000", "null"):
        assert status(ask(gate, kind=kind, origin=origin)) == refused


def test_password_opens_everything_and_nothing_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "_WRONG_S", 0.0)
    gate = Gate(_app, local=True, password=PASSWORD)
    page = ask(gate)
    assert status(page) == 401
    assert b'type="password"' in page[1]["body"]
    assert "Öffnen" in ask(gate, **{"accept-language": "de-AT,de"})[1]["body"].decode()
    assert status(ask(gate, kind="websocket")) == 1008
    for wrong in ("", "kräftig", PASSWORD + "x", "x" * 10_000):
        assert status(login(gate, wrong)) == 401
    entered = login(gate, PASSWORD)
    assert status(entered) == 303
    headers = dict(entered[0]["headers"])
    assert headers[b"location"] == b"/library"
    cookie = headers[b"set-cookie"].decode()
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    token = cookie.split(";")[0]
    for kind in ("http", "websocket"):
        assert status(ask(gate, kind=kind, cookie=f"other=1; {token}")) == 299
        assert status(ask(gate, kind=kind, cookie=token[:-1])) in (401, 1008)
        # Another server's cookie is worth nothing here.
        assert status(ask(Gate(_app, local=True, password=PASSWORD), kind=kind, cookie=token)) in (401, 1008)


def test_guessing_is_slowed_down(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(gates.asyncio, "sleep", sleep)
    gate = Gate(_app, local=True, password=PASSWORD)
    assert [status(login(gate, f"guess {k}")) for k in range(12)] == [401] * 10 + [429] * 2
    assert waits == [gates._WRONG_S] * 10
    # Not even the right one, from there; from elsewhere it opens.
    assert status(login(gate, PASSWORD)) == 429
    assert status(login(gate, PASSWORD, client="10.0.0.10")) == 303


@pytest.mark.parametrize(
    ("address", "host", "said", "free"),
    [
        ("localhost", "localhost:8501", "", True),
        ("127.0.0.1", "127.0.0.1", "", True),
        ("localhost", "gait.example", "", False),
        ("0.0.0.0", "localhost:8501", "", False),
        (None, "localhost:8501", "", False),
        ("192.168.1.7", "192.168.1.7", "", False),
        ("0.0.0.0", "192.168.1.7", "yes", True),
        ("localhost", "localhost", "no", False),
    ],
)
def test_who_may_name_files(address: str | None, host: str, said: str, free: bool) -> None:
    settings = {"POSEPIPE_SERVER_FILES": said, "POSEPIPE_CAMERA": "0\nrtsp://user:secret@door/1\n"}
    expected = Access(free, ("0", "rtsp://user:secret@door/1"))
    assert access_of(settings, address, {"Host": host}) == expected


def test_a_proxy_on_this_machine_is_elsewhere() -> None:
    assert not access_of({}, "localhost", {"Host": "localhost", "X-Forwarded-For": "10.1.2.3"}).server_files
    assert is_loopback("127.8.9.1")
    assert not is_loopback(None)
