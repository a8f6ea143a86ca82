"""Broken inputs by the thousand: what posepipe reads is bent, and every case has to end in good order.

Good order: exit code 0, 2, 3 or 4, one sentence on stderr where it isn't 0, no traceback, no crash of the interpreter,
within a limit of time and memory, and no file left behind outside of the results folder. Most cases call what the
command calls to read its input; a share goes through the whole command line. A case is known by its number and the
seed.
"""

from __future__ import annotations

import faulthandler
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from posepipe.doctor import installed
from posepipe.errors import PosePipeError
from posepipe.lab.fuzz_inputs import Seed, make_seeds, mutated
from posepipe.record.seal import RECORD
from posepipe.samples import SAMPLE_VIDEO
from posepipe.skeleton import BLAZEPOSE33, Layout
from posepipe.types import Frame, Keypoints

__all__ = ["Outcome", "evaluate_fuzz", "run_case"]

LIMIT_S = 60.0
"""A case may take so long; on a slow machine whole commands take seconds."""

LIMIT_BYTES = 4 << 30
"""Address space a case may take on top of what the libraries take at rest."""

_GOOD = (0, 2, 3, 4)
_TAIL = 2000
_EXIT_DEFECT = 1
_WHOLE = {"video": 25, "keypoints": 10, "results": 2, "exercises": 0, "model": 10, "list": 1}
"""One of so many cases of a kind goes through the whole command line; 0 is never."""

_RECORDS = (RECORD, ".posepipe-compare.json")

_FORMATS = "csv,json,coco,trc,mot,bvh,npz"

Command = Callable[[list[str]], int]
"""The command line: arguments in, exit code out (`posepipe.cli.main.run`). It stands above the laboratory, so whoever
calls gives it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one case ended.

    Attributes:
        case: its number.
        kind: of the seed.
        name: of the seed.
        whole: whether it went through the whole command line.
        code: exit code; negative for a signal.
        seconds: taken.
        stderr: what was said.
        fault: why it isn't good order; empty if it is.
    """

    case: int
    kind: str
    name: str
    whole: bool
    code: int
    seconds: float
    stderr: str = ""
    fault: str = ""


def evaluate_fuzz(
    command: Command,
    video: Path = SAMPLE_VIDEO,
    *,
    cases: int = 1000,
    seed: int = 0,
    keep: Path | None = None,
    log: Path | None = None,
    isolated: bool = True,
) -> dict[str, Any]:
    """Run cases, alternating between the seeds.

    Args:
        command: the command line; a function of a module.
        video: whose first frames become the videos that are broken.
        cases: how many.
        seed: of the random numbers.
        keep: folder for the inputs of cases that aren't in good order, and what was said.
        log: file that gets a line for each case; those in it already are left out when started again.
        isolated: in a process of their own, watched; else in this one, without limits.

    Returns:
        ``{"metrics", "rows", "faults", "versions"}``: a row for each kind, an entry for each case that isn't in good
        order.

    Raises:
        MediaError: the video can't be read.
    """
    with tempfile.TemporaryDirectory(prefix="posepipe-fuzz-") as name:
        folder = Path(name).resolve()
        (folder / "seeds").mkdir()
        seeds = make_seeds(folder / "seeds", video)
        run = _isolated if isolated else _here
        outcomes = [outcome for outcome in _logged(log, seed) if outcome.case < cases]
        known = {outcome.case for outcome in outcomes}
        for outcome in run(command, seeds, [case for case in range(cases) if case not in known], seed, folder):
            outcomes.append(outcome)
            if log is not None:
                with log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"seed": seed} | asdict(outcome)) + "\n")
            if outcome.fault and keep is not None:
                said = {"said.txt": outcome.stderr.encode()}
                _write(_input(seeds, outcome.case, seed) | said, keep / f"{seed}-{outcome.case}")
    return _summary(outcomes)


def _logged(log: Path | None, seed: int) -> list[Outcome]:
    if log is None or not log.exists():
        return []
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [Outcome(**line) for line in lines if line.pop("seed") == seed]


def _summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    rows = []
    for kind in dict.fromkeys(outcome.kind for outcome in outcomes):
        of_kind = [outcome for outcome in outcomes if outcome.kind == kind]
        rows.append(
            {
                "kind": kind,
                "cases": len(of_kind),
                "whole_command": sum(o.whole for o in of_kind),
                "read": sum(o.code == 0 for o in of_kind),
                "refused": sum(o.code in _GOOD[1:] for o in of_kind),
                "faults": sum(bool(o.fault) for o in of_kind),
                "slowest_s": max(o.seconds for o in of_kind),
            }
        )
    # What was said holds paths of this machine.
    faults = [{k: v for k, v in asdict(o).items() if k != "stderr"} for o in outcomes if o.fault]
    metrics = {
        "cases": len(outcomes),
        "faults": len(faults),
        "crashes": sum(outcome.code < 0 for outcome in outcomes),
        "slowest_s": max((outcome.seconds for outcome in outcomes), default=0.0),
    }
    return {"metrics": metrics, "rows": rows, "faults": faults, "versions": installed()}


def _seed_of(seeds: Sequence[Seed], case: int) -> Seed:
    """Kinds in turn, and within a kind its seeds in turn."""
    kinds = list(dict.fromkeys(seed.kind for seed in seeds))
    of_kind = [seed for seed in seeds if seed.kind == kinds[case % len(kinds)]]
    return of_kind[case // len(kinds) % len(of_kind)]


def _input(seeds: Sequence[Seed], case: int, seed: int) -> dict[str, bytes]:
    return mutated(_seed_of(seeds, case), seeds, np.random.default_rng([seed, case]))


def _write(files: Mapping[str, bytes], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def run_case(command: Command, seeds: Sequence[Seed], case: int, seed: int, folder: Path) -> Outcome:
    """One case in this process.

    Args:
        command: the command line.
        seeds: see `make_seeds`.
        case: its number.
        seed: of the random numbers.
        folder: where its files live; they are gone afterwards.
    """
    chosen = _seed_of(seeds, case)
    every = _WHOLE[chosen.kind]
    whole = every > 0 and np.random.default_rng([seed, case, 1]).integers(every) == 0
    # Each has a folder of its own: some readers remember what a path held.
    home = folder / f"case-{case}"
    files = _input(seeds, case, seed)
    _write(files, home / "in")
    for name in ("here", "tmp"):
        (home / name).mkdir()
    start_s = time.perf_counter()
    with _apart(home) as log:
        code = command(_arguments(chosen, case, home)) if whole else _library(_READERS[chosen.kind], chosen, home)
    seconds = time.perf_counter() - start_s
    stderr = log.read_text(encoding="utf-8", errors="replace")
    fault = _fault(code, stderr) or _left(home, files)
    shutil.rmtree(home)
    return Outcome(case, chosen.kind, chosen.name, bool(whole), code, seconds, stderr[-_TAIL:] if fault else "", fault)


@contextmanager
def _apart(home: Path) -> Iterator[Path]:
    """In an empty folder, with an empty folder for temporary files; what is said goes to a file, from C too."""
    here, tempdir = Path.cwd(), tempfile.tempdir
    log = home / "stderr"
    kept = [os.dup(number) for number in (1, 2)]
    try:
        with (
            log.open("a", encoding="utf-8", errors="backslashreplace") as err,
            Path(os.devnull).open("w", encoding="utf-8") as out,
        ):
            os.chdir(home / "here")
            tempfile.tempdir = str(home / "tmp")
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            with redirect_stdout(out), redirect_stderr(err):
                yield log
    finally:
        for number, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, number)
            os.close(copy)
        os.chdir(here)
        tempfile.tempdir = tempdir


def _arguments(seed: Seed, case: int, home: Path) -> list[str]:
    """As a user writes them."""
    target, out = str(home / "in" / seed.target), str(home / "out")
    results = (
        ["convert", target, "--format", _FORMATS, "--out", out],
        ["compare", target, target, "--out", out],
        ["report", out, "--sex", "female", "--age", "44"],
    )[case % 7 % 3]
    if seed.kind == "results" and results[0] == "report":
        # It writes into the folder that it reads.
        shutil.copytree(target, out)
    arguments = {
        "video": ["analyze", target, "--out", out, "--no-video"],
        "keypoints": ["lift", target, "--out", out, "--fps", "30", "--size", "640x480", "--format", _FORMATS],
        "results": results,
        "model": ["analyze", str(SAMPLE_VIDEO), "--detector", target, "--out", out],
        "list": ["batch", target, "--out", out, "--dry-run"],
    }
    return arguments[seed.kind]


def _library(read: Callable[[Path, str], object], seed: Seed, home: Path) -> int:
    """What the command calls, and the exit code and sentence that it would end with."""
    try:
        read(home / "in" / seed.target, seed.name)
    except PosePipeError as error:
        sys.stderr.write(f"posepipe: {' '.join(str(error).split())}\n")
        return error.exit_code
    except Exception as error:
        sys.stderr.write(f"posepipe: unexpected {''.join(traceback.format_exception(error))}\n")
        return _EXIT_DEFECT
    return 0


def _fault(code: int, stderr: str) -> str:
    lines = stderr.splitlines()
    if code not in _GOOD:
        return f"exit code {code}"
    if "Traceback (most recent" in stderr:
        return "traceback"
    said = [line for line in lines if not line.startswith("warning: ")]
    if code == 0:
        return f"{len(said)} lines on stderr of a success" if said else ""
    if len(said) != 1 or not said[0].startswith("posepipe: "):
        return f"{len(said)} lines on stderr"
    return ""


def _left(home: Path, files: Mapping[str, bytes]) -> str:
    """What lies where nothing should."""
    left = [str(path.relative_to(home)) for name in ("here", "tmp") for path in (home / name).rglob("*")]
    changed = [path.name for path in (home / "in").iterdir() if files.get(path.name) != path.read_bytes()]
    half = [path.name for path in (home / "out").rglob(".*") if path.name not in _RECORDS]
    found = [*left, *changed, *half]
    return f"left behind: {', '.join(found[:5])}" if found else ""


class _Still:
    """A detector that always sees one person, in the middle of the picture."""

    name = "still"
    layout: Layout = BLAZEPOSE33

    def start(self) -> _Still:
        return self

    def close(self) -> None:
        pass

    def step(self, frame: Frame) -> tuple[Keypoints, ...]:
        joints = len(self.layout)
        xy = np.random.default_rng(0).uniform(0.25, 0.75, (joints, 2)) * frame.size_px
        return (
            Keypoints(
                self.layout, xy.astype(np.float32), np.full(joints, 2.0, np.float32), np.full(joints, 0.9, np.float32)
            ),
        )


def _read_video(path: Path, name: str) -> None:
    from posepipe.pipeline import Pipeline

    Pipeline().detect(path, detector=_Still())


def _read_keypoints(path: Path, name: str) -> None:
    from posepipe.formats.read import read_keypoints

    read_keypoints(path, fps_hz=30, width_px=640, height_px=480)


def _read_results(path: Path, name: str) -> None:
    from posepipe.record.folder import load
    from posepipe.reports.motion import render

    render(load(path))


def _read_exercises(path: Path, name: str) -> None:
    from posepipe.exercise.catalogue import load_catalogue

    load_catalogue(path)


def _read_model(path: Path, name: str) -> None:
    from posepipe.inference import open_session
    from posepipe.weights import find_model

    open_session(find_model("form", path) if name == "card" else path, threads=1)


_READERS: Mapping[str, Callable[[Path, str], object]] = {
    "video": _read_video, "keypoints": _read_keypoints, "results": _read_results, "exercises": _read_exercises,
    "model": _read_model,
}  # fmt: skip


def _here(command: Command, seeds: Sequence[Seed], cases: Sequence[int], seed: int, folder: Path) -> Iterator[Outcome]:
    for case in cases:
        yield run_case(command, seeds, case, seed, folder)


def _isolated(
    command: Command, seeds: Sequence[Seed], cases: Sequence[int], seed: int, folder: Path
) -> Iterator[Outcome]:
    """In a worker; one that dies or takes too long is replaced."""
    context = multiprocessing.get_context("spawn")
    worker: Any = None
    for case in cases:
        if worker is None:
            ours, theirs = context.Pipe()
            worker = context.Process(target=_work, args=(theirs, command, seeds, seed, folder), daemon=True)
            worker.start()
            theirs.close()
            ours.recv()
        start_s = time.perf_counter()
        ours.send(case)
        try:
            if ours.poll(LIMIT_S):
                yield ours.recv()
                continue
            code, fault = _EXIT_DEFECT, f"not done within {LIMIT_S:.0f} s"
            worker.kill()
            worker.join()
        except (EOFError, ConnectionError):
            worker.join()
            code = worker.exitcode
            fault = f"the interpreter died of signal {-code}" if code < 0 else f"the interpreter left with {code}"
        log = folder / f"case-{case}" / "stderr"
        stderr = log.read_text(encoding="utf-8", errors="replace")[-_TAIL:] if log.exists() else ""
        chosen, seconds = _seed_of(seeds, case), time.perf_counter() - start_s
        shutil.rmtree(folder / f"case-{case}", ignore_errors=True)
        yield Outcome(case, chosen.kind, chosen.name, False, code, seconds, stderr, fault)
        worker = None
    if worker is not None:
        worker.kill()
        worker.join()


def _work(pipe: Connection, command: Command, seeds: Sequence[Seed], seed: int, folder: Path) -> None:
    """Case numbers in, outcomes out; memory is bounded."""
    # The libraries load before the bound is set.
    for case in range(len(_WHOLE)):
        run_case(command, seeds, case, seed, folder)
    if sys.platform == "linux":
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + LIMIT_BYTES,) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pipe.send(None)
    while True:
        case = pipe.recv()
        # Where it hangs, for whoever looks for the fault.
        faulthandler.dump_traceback_later(0.9 * LIMIT_S, file=2)
        pipe.send(run_case(command, seeds, case, seed, folder))
        faulthandler.cancel_dump_traceback_later()
