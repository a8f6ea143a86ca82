"""What Windows, macOS and Linux do each in its own way: processes, locks, names of files.

Calls that not all three have stand here, each with its twin; `tests/test_systems.py` keeps them out of other files.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from posepipe.errors import UsageError

__all__ = [
    "busy_share", "cores", "give_back_memory", "need", "portable_name", "process_alive", "processor_name", "try_lock",
    "wait_usage",
]  # fmt: skip

_FORBIDDEN = '<>:"/\\|?*'
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])\s*(\.|$)", re.IGNORECASE)


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor_name() -> str:
    """What the processor calls itself; its architecture where the system doesn't say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def busy_share(seconds: float) -> float | None:
    """Share of all cores that others keep busy while this process sleeps; None where the system doesn't say."""

    def spent() -> tuple[int, int] | None:
        try:
            first = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
        except OSError:
            return None
        # user nice system idle iowait irq softirq steal; guests are in user.
        ticks = [int(word) for word in first.split()[1:9]]
        return sum(ticks), ticks[3] + ticks[4]

    before = spent()
    time.sleep(seconds)
    after = spent()
    if before is None or after is None or after[0] <= before[0]:
        return None
    return 1.0 - (after[1] - before[1]) / (after[0] - before[0])


def give_back_memory() -> None:
    """Return what was freed to the system, where the C library keeps it and can (glibc's malloc_trim)."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


def need(module: str, extra: str) -> None:
    """Raise `UsageError` naming the extra of ours that brings a module, if it isn't installed."""
    if find_spec(module) is None:
        raise UsageError(f"{module} is not installed", hint=f"pip install 'posepipe[{extra}]'")


def portable_name(part: str) -> str:
    """One part of a path as every system takes it.

    What Windows forbids becomes "_": some characters, a dot or space at the end (which it drops), names of devices
    (https://learn.microsoft.com/windows/win32/fileio/naming-a-file).
    """
    kept = "".join("_" if c in _FORBIDDEN or ord(c) < 32 else c for c in part)
    kept = re.sub(r"[. ]+$", "_", kept)
    return f"_{kept}" if not kept or _DEVICE.match(kept) else kept


def process_alive(pid: int) -> bool:
    """Whether a process of this machine runs. Where the system doesn't say, it does."""
    if sys.platform == "win32":
        # os.kill(pid, 0) would be Ctrl-C there.
        synchronize, denied, timeout = 0x00100000, 5, 0x102
        kernel = _kernel()
        handle = kernel.OpenProcess(synchronize, False, pid & 0xFFFFFFFF)
        if not handle:
            return bool(ctypes.get_last_error() == denied)
        try:
            return bool(kernel.WaitForSingleObject(handle, 0) == timeout)
        finally:
            kernel.CloseHandle(handle)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def try_lock(handle: int, *, wait: bool = False) -> bool:
    """Lock an open file; False if another process has it. The lock goes when the file is closed or the process ends.

    Args:
        handle: the file's descriptor.
        wait: until the other is done; Windows waits 10 s at most.

    Raises:
        OSError: the file system knows no locks.
    """
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, 0, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_usage(process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Wait for a child process to end.

    Returns:
        Processor seconds and peak memory in MB; with those of the processes it waited for, except on Windows. On Linux
        the peak is never below the caller's own: a process starts as its parent (fs/exec.c, ``exec_mmap``).
    """
    if sys.platform == "win32":
        process.wait()
        return _windows_usage(int(vars(process)["_handle"]))
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit


def _windows_usage(handle: int) -> tuple[float, float]:
    """Of an ended process: GetProcessTimes, in 100 ns, and PROCESS_MEMORY_COUNTERS.PeakWorkingSetSize, in bytes."""
    kernel = _kernel()
    times = [ctypes.c_uint64() for _ in range(4)]
    kernel.GetProcessTimes(handle, *(ctypes.byref(time) for time in times))

    class Counters(ctypes.Structure):
        _fields_ = (
            ("size", ctypes.c_uint32),
            ("page_faults", ctypes.c_uint32),
            ("peak_working_set", ctypes.c_size_t),
            ("others", ctypes.c_size_t * 7),
        )

    counters = Counters(size=ctypes.sizeof(Counters))
    kernel.K32GetProcessMemoryInfo(handle, ctypes.byref(counters), counters.size)
    return (times[2].value + times[3].value) * 1e-7, counters.peak_working_set / 1e6


def _kernel() -> Any:
    library: Any = ctypes
    kernel = library.WinDLL("kernel32", use_last_error=True)
    handle, number = ctypes.c_void_p, ctypes.c_uint32
    kernel.OpenProcess.restype = handle
    kernel.OpenProcess.argtypes = (number, ctypes.c_int, number)
    kernel.WaitForSingleObject.argtypes = (handle, number)
    kernel.CloseHandle.argtypes = (handle,)
    kernel.GetProcessTimes.argtypes = (handle, *[ctypes.c_void_p] * 4)
    kernel.K32GetProcessMemoryInfo.argtypes = (handle, ctypes.c_void_p, number)
    return kernel
