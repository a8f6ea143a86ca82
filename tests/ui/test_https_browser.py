"""A phone as the camera: encrypted, found by its code, and without ``--https`` nobody comes in from the network."""

from __future__ import annotations

import re
import socket
import ssl
import time
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from tests.ui.conftest import OpenPage, start_server
from tests.ui.looking import panel, rtc

if find_spec("segno") is None or find_spec("ifaddr") is None or find_spec("streamlit") is None:
    pytest.skip("the extra app isn't installed", allow_module_level=True)

from posepipe.ui.certificate import addresses

PHONE = {"width": 390, "height": 844}


def test_phone_scans_and_its_camera_counts(open_page: OpenPage, squat_camera: Path, tmp_path: Path) -> None:
    if not addresses():
        pytest.skip("this machine is in no network")
    (tmp_path / "password").write_text("seven dwarfs")
    given = ("--https", "--password-file", str(tmp_path / "password"))
    process, url = start_server(tmp_path, tmp_path / "log", tmp_path, arguments=given)
    port = urlsplit(url).port
    try:
        desk = open_page(locale="en-US", ignore_https_errors=True)
        desk.goto(f"https://localhost:{port}/health")
        desk.get_by_label("Password").fill("seven dwarfs")
        desk.get_by_role("button", name="Open").click()
        desk.get_by_text("Use a phone as the camera").click()
        code = desk.locator(".posepipe-qr")
        code.wait_for()
        desk.wait_for_timeout(500)
        picture = cv2.imdecode(np.frombuffer(code.screenshot(), np.uint8), cv2.IMREAD_COLOR)
        scanned = cv2.QRCodeDetector().detectAndDecode(picture)[0]
        assert scanned in [f"https://{one}:{port}" for one in addresses()]
        # What the page calls its fingerprint is that of the certificate that came.
        shown = ssl.get_server_certificate((urlsplit(scanned).hostname, port))
        from cryptography import x509
        from cryptography.hazmat.primitives.hashes import SHA256

        real = x509.load_pem_x509_certificate(shown.encode()).fingerprint(SHA256()).hex(":").upper()
        desk.get_by_text(real).wait_for()
        assert real in (tmp_path / "log").read_text()
        phone = open_page(squat_camera, locale="en-US", ignore_https_errors=True)
        phone.set_viewport_size(PHONE)
        phone.goto(scanned)
        phone.get_by_label("Password").fill("seven dwarfs")
        phone.get_by_role("button", name="Open").click()
        rtc(phone).get_by_role("button", name="Start").click()
        until_s = time.monotonic() + 60.0
        while not re.match("[1-9]", panel(phone).speed):
            assert time.monotonic() < until_s
            phone.wait_for_timeout(250)
    finally:
        process.terminate()
        assert process.wait(30) == 0


def test_without_https_nobody_comes_in_from_the_network(tmp_path: Path) -> None:
    if not addresses():
        pytest.skip("this machine is in no network")
    process, url = start_server(tmp_path, tmp_path / "log", tmp_path)
    try:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((addresses()[0], urlsplit(url).port), 2.0)
        assert not list(tmp_path.glob("certificate*"))
    finally:
        process.terminate()
        process.wait(30)
