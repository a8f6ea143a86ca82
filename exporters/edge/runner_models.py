"""The bundle's networks and tables, as `run_edge.py` finds them; what stands in there for posepipe's own places."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnxruntime as ort

from posepipe.errors import ModelError
from posepipe.exercise.catalogue import Exercise, _Reader
from posepipe.weights import sha256_of_file

__all__ = ["HERE", "Models", "files", "find_model", "open_session", "read_catalogue", "use"]

HERE = Path(__file__).resolve().parent
"""In a bundle: the bundle."""


class Models:
    """The bundle's networks, each checked against the manifest before it is opened.

    Args:
        folder: the bundle.
        threads: of ONNX Runtime.

    Raises:
        ModelError: the manifest can't be read.
    """

    def __init__(self, folder: Path = HERE, threads: int = 1) -> None:
        self.folder = folder
        self.threads = threads
        path = folder / "manifest.json"
        try:
            self.manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            self._entries = {str(name): dict(entry) for name, entry in self.manifest["models"].items()}
        except FileNotFoundError as error:
            raise ModelError("no such file", where=str(path), hint="Run it in the bundle's folder") from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError("not a bundle's manifest", where=str(path), hint="Make the bundle again") from error

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def open(self, name: str, *, memory_reuse: bool = True) -> ort.InferenceSession:
        """Check and open one network; without `memory_reuse` no plan is made of which tensors share memory.

        Raises:
            ModelError: it is missing, cut short, changed, or another network under its name.
        """
        if name not in self._entries:
            raise ModelError(f"the bundle has no {name}", where=str(self.folder / "manifest.json"))
        entry = self._entries[name]
        path = self.folder / str(entry["file"])
        hint = "Copy the bundle again or make it anew"
        try:
            size, digest = path.stat().st_size, sha256_of_file(path)
        except OSError as error:
            raise ModelError(f"can't be read ({error.strerror})", where=str(path), hint=hint) from error
        if size != entry["size_bytes"]:
            raise ModelError(f"has {size} bytes, expected {entry['size_bytes']}", where=str(path), hint=hint)
        if digest != entry["sha256"]:
            raise ModelError("its sha256 isn't the manifest's: damaged, or another file", where=str(path), hint=hint)
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Threads sleep as soon as a run ends, so that the other networks' threads and the decoder get the cores.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        options.enable_cpu_mem_arena = False
        options.enable_mem_reuse = memory_reuse
        try:
            session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        # ONNX Runtime's exceptions share no base of their own.
        except Exception as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelError(f"ONNX Runtime can't use it ({first[:200]})", where=str(path), hint=hint) from error
        _check_ports(session, name, entry, path)
        return session


def _check_ports(session: ort.InferenceSession, name: str, entry: dict[str, Any], path: Path) -> None:
    """That a file is the network that the manifest says."""
    said = session.get_modelmeta().custom_metadata_map.get("posepipe_name")
    found = {item.name for item in (*session.get_inputs(), *session.get_outputs())}
    needed = {str(port["name"]) for port in (*entry["inputs"], *entry["outputs"])}
    if said != name or not needed <= found:
        raise ModelError(
            f"holds {said or 'another network'}, expected {name}", where=str(path), hint="Files are swapped"
        )


_CURRENT: list[Models] = []


def use(models: Models) -> None:
    """Let the code of posepipe find these networks and tables from now on."""
    _CURRENT[:] = [models]


def find_model(name: str) -> Path:
    """Stands in for `posepipe.weights.find_model`: `open_session` checks the file."""
    return Path(f"{name}.onnx")


def open_session(model: Path, *, threads: int | None = None, memory_reuse: bool = True) -> ort.InferenceSession:
    """Stands in for `posepipe.inference.open_session`: a network of the bundle in use."""
    del threads
    return _CURRENT[-1].open(Path(model).stem, memory_reuse=memory_reuse)


def files(package: str) -> Path:
    """Stands in for `importlib.resources.files`: the bundle's folder of tables."""
    del package
    return _CURRENT[-1].folder / "tables"


def read_catalogue(where: str, text: str) -> dict[str, Exercise]:
    """Stands in for the reader of the exercise catalogue, which is JSON in the bundle."""
    return {str(name): _Reader(where, str(name)).exercise(value) for name, value in json.loads(text).items()}
