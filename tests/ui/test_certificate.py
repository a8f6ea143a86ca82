"""The app's own certificate: for these names only, kept, made anew in time, its key readable by nobody else."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

x509 = pytest.importorskip("cryptography.x509")

from posepipe.ui import certificate as module  # noqa: E402
from posepipe.ui.certificate import certificate  # noqa: E402

NAMES = ["clinic", "clinic.local", "192.168.7.5"]


def test_made_once_and_for_its_names_only(tmp_path: Path) -> None:
    made = certificate(tmp_path / "home", NAMES)
    read = x509.load_pem_x509_certificate(made.file.read_bytes())
    held = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(held.get_values_for_type(x509.DNSName)) == {"localhost", "clinic", "clinic.local"}
    assert set(map(str, held.get_values_for_type(x509.IPAddress))) == {"127.0.0.1", "192.168.7.5"}
    # Whoever trusts it trusts this page, and nothing that somebody might sign with its key.
    assert not read.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert read.not_valid_after_utc - read.not_valid_before_utc < timedelta(days=825)
    if os.name != "nt":
        assert made.key.stat().st_mode & 0o077 == 0
    assert certificate(tmp_path / "home", NAMES[:2]) == made
    # In another network this machine has another address.
    assert certificate(tmp_path / "home", ["10.0.0.3"]).fingerprint != made.fingerprint


def test_made_anew_before_it_ends_and_where_a_file_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_DAYS", 20)
    short = certificate(tmp_path, NAMES)
    monkeypatch.undo()
    long = certificate(tmp_path, NAMES)
    assert long.fingerprint != short.fingerprint
    left = x509.load_pem_x509_certificate(long.file.read_bytes()).not_valid_after_utc - datetime.now(timezone.utc)
    assert left > timedelta(days=300)
    # A key that isn't this certificate's would stop the server.
    kept = long.key.read_bytes()
    long.file.unlink()
    again = certificate(tmp_path, NAMES)
    again.key.write_bytes(kept)
    assert certificate(tmp_path, NAMES).fingerprint != again.fingerprint
    again.file.write_text("no certificate")
    assert certificate(tmp_path, NAMES).fingerprint
