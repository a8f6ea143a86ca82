"""Model cards, lookup and verification of our own weights, and the user's cache folder.

A card is a TOML file beside the weights. Nothing here downloads anything.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from posepipe.errors import ModelError

__all__ = [
    "ModelCard", "cache_dir", "find_model", "list_cards", "load_card", "models_dir", "sha256_of", "sha256_of_file",
    "verify", "write_card",
]  # fmt: skip

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What is known about one file of weights.

    Attributes:
        name: short name, the argument of `find_model`.
        file: file name, beside the card.
        sha256: of the file, lower case hexadecimal.
        size_bytes: of the file.
        licence: SPDX name.
        source: where the weights come from: data, command.
        input: input tensors, in words.
        output: output tensors, in words.
        description: what it does.
        metrics: measured figures, as written by the script that measured them.
        path: the card itself.
    """

    name: str
    file: str
    sha256: str
    size_bytes: int
    licence: str
    source: str
    input: str
    output: str
    description: str
    metrics: Mapping[str, Any] = field(default_factory=dict)
    path: Path = Path()

    @property
    def model_path(self) -> Path:
        """Where the weights must be; not checked."""
        return self.path.parent / self.file


_TEXTS = ("name", "file", "sha256", "licence", "source", "input", "output", "description")
_REQUIRED: Mapping[str, type] = {**dict.fromkeys(_TEXTS, str), "size_bytes": int}


def models_dir() -> Path:
    """Folder of the cards: ``POSEPIPE_MODELS``, else ``posepipe/_models`` of a wheel, else ``models`` of a checkout."""
    chosen = os.environ.get("POSEPIPE_MODELS")
    if chosen:
        return Path(chosen).expanduser()
    packaged = Path(__file__).parent / "_models"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "models"


def load_card(path: str | os.PathLike[str]) -> ModelCard:
    """Read one card.

    Raises:
        ModelError: the card is missing, isn't TOML, or lacks a field; the message names file and field.
    """
    path = Path(path)
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError("no such model card", where=str(path)) from error
    except (OSError, RecursionError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelError(f"the model card can't be read ({error})", where=str(path)) from error
    for key, kind in _REQUIRED.items():
        if key not in table:
            raise ModelError(f"the model card lacks the field {key!r}", where=str(path))
        if not isinstance(table[key], kind) or isinstance(table[key], bool):
            raise ModelError(f"field {key!r} of the model card must be {kind.__name__}", where=str(path))
    if Path(table["file"]).name != table["file"] or "\0" in table["file"]:
        raise ModelError("field 'file' of the model card must be a plain file name", where=str(path))
    metrics = table.get("metrics", {})
    if not isinstance(metrics, dict):
        raise ModelError("field 'metrics' of the model card must be a table", where=str(path))
    known = {key: table[key] for key in _REQUIRED}
    known["sha256"] = known["sha256"].lower()
    return ModelCard(**known, metrics=metrics, path=path)


def list_cards(folder: str | os.PathLike[str] | None = None) -> tuple[ModelCard, ...]:
    """All cards of a folder (`models_dir` if None), by name.

    Raises:
        ModelError: a card is unusable, or two have one name.
    """
    root = models_dir() if folder is None else Path(folder)
    cards = sorted((load_card(path) for path in root.glob("*.toml")), key=lambda card: (card.name, str(card.path)))
    for before, after in pairwise(cards):
        if before.name == after.name:
            raise ModelError(f"two model cards are called {after.name!r}", where=f"{before.path}, {after.path}")
    return tuple(cards)


def find_model(name: str | os.PathLike[str], folder: str | os.PathLike[str] | None = None) -> Path:
    """Path of our own weights, verified.

    Args:
        name: name on the card, or an ONNX file, which is taken as it is.
        folder: where to look; `models_dir` if None.

    Raises:
        ModelError: no such card, no such file, or the checksum differs.
    """
    name = os.fspath(name)
    if name.endswith(".onnx"):
        return Path(name)
    cards = {card.name: card for card in list_cards(folder)}
    if name not in cards:
        root = models_dir() if folder is None else Path(folder)
        known = ", ".join(cards) or "none"
        raise ModelError(f"no model {name!r}", where=str(root), hint=f"There are: {known}")
    card = cards[name]
    verify(card.model_path, card.sha256)
    return card.model_path


def verify(path: Path, sha256: str) -> None:
    """Check a file's sha256.

    Raises:
        ModelError: missing, unreadable, or another checksum; the message names both.
    """
    try:
        actual = sha256_of(path.read_bytes())
    except FileNotFoundError as error:
        raise ModelError("no such model file", where=str(path), hint="Reinstall posepipe") from error
    except OSError as error:
        raise ModelError(f"the model file can't be read ({error.strerror})", where=str(path)) from error
    if actual != sha256.lower():
        raise ModelError(
            f"the model file's checksum is {actual}, expected {sha256}",
            where=str(path),
            hint="The file is damaged or was changed: reinstall posepipe",
        )


def write_card(path: Path, table: Mapping[str, object], metrics: Mapping[str, object]) -> None:
    """Write a model card: the table's entries, then the metrics, as TOML."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    lines += ["", "[metrics]", *(f"{key} = {json.dumps(value)}" for key, value in metrics.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def sha256_of(data: bytes) -> str:
    """Lower case hexadecimal sha256."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file of any size, read in pieces; lower case hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def cache_dir() -> Path:
    """Folder for what can be made again: ``POSEPIPE_HOME``, else the system's cache folder for this user.

    It exists and can be written to. Where that is impossible, a temporary folder takes its place until the process
    ends, and a warning in the log says so.
    """
    wanted = _wanted_cache_dir()
    try:
        wanted.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=wanted):
            return wanted
    except OSError as error:
        return _temporary_cache_dir(str(wanted), error.strerror or type(error).__name__)


def _wanted_cache_dir() -> Path:
    home = os.environ.get("POSEPIPE_HOME")
    if home:
        return Path(home).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "posepipe"


@cache
def _temporary_cache_dir(wanted: str, reason: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="posepipe-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _log.warning(
        "%s can't be written (%s); using %s until this process ends. Set POSEPIPE_HOME to a folder that can.",
        wanted,
        reason,
        folder,
    )
    return folder
