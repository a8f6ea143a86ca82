"""Which addresses a program and all of its children talk to: a guard inside Python, and strace where it is there."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

import pytest

from posepipe.weights import cache_dir

ROOT = Path(__file__).resolve().parent.parent
_ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')
# What Python itself does, without strace: an address that isn't this machine ends the program.
_GUARD = """
import sys
from ipaddress import ip_address
def guard(event, args):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg") and isinstance(args[1], tuple):
        host = args[1][0]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = args[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    try:
        inside = host in (None, "", "localhost") or ip_address(host).is_loopback or ip_address(host).is_unspecified
    except ValueError:
        inside = False
    if not inside:
        sys.stderr.write(f"PACKET {event} {host}\\n")
sys.addaudithook(guard)
import runpy
runpy.run_module("posepipe.cli.main", run_name="__main__", alter_sys=True)
"""


def can_trace() -> bool:
    """Whether strace is there and may look into programs."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], capture_output=True, check=False).returncode == 0


def outward(
    arguments: Sequence[str],
    home: Path,
    *,
    code: Sequence[str] | None = None,
    use: Callable[[], None] | None = None,
    exit_code: int = 0,
) -> list[str]:
    """Run a command of posepipe (or other Python) and return what it did with addresses other than this machine's.

    Args:
        arguments: of ``posepipe``.
        home: what it takes for the user's folder.
        code: instead, arguments of Python.
        use: called while it runs; then it is asked to stop.
        exit_code: expected.
    """
    trace = home / "trace"
    traced = can_trace()
    head = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o", str(trace)]
    command = [sys.executable, *(code or ["-c", _GUARD, *arguments])]
    environment = _environment(home)
    with subprocess.Popen(
        [*(head if traced else []), *command],
        env=environment,
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        if use is not None:
            try:
                use()
            finally:
                os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=280)
    assert use is not None or process.returncode == exit_code, said
    found = [line for line in said.splitlines() if line.startswith("PACKET")]
    if traced:
        found += [line for line in trace.read_text(errors="replace").splitlines() if _leaves(line)]
    return found


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def when_open(port: int) -> None:
    """Wait until something listens on a port of this machine."""
    until_s = time.monotonic() + 120.0
    while True:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1.0).close()
            return
        assert time.monotonic() < until_s, "nothing listens"
        time.sleep(0.1)


def _environment(home: Path) -> Mapping[str, str]:
    """As a user's own: nothing set that would keep a library quiet."""
    kept = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    cache = {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "XDG_CONFIG_HOME": str(home / ".config")}
    cache["POSEPIPE_HOME"] = str(cache_dir())  # where BlazePose's networks lie
    return {**kept, **cache, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def _leaves(line: str) -> bool:
    addresses = [ip_address(one or other) for one, other in _ADDRESS.findall(line)]
    return any(not (address.is_loopback or address.is_unspecified) for address in addresses)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty folder to live in."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder
