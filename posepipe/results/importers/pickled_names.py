"""Text out of a pickle without unpickling it.

pandas keeps the column names of an HDF5 table pickled. Loading a stranger's pickle runs whatever it says; here its
instructions are only read, and all but those that build lists, tuples and texts are refused.
"""

from __future__ import annotations

import pickletools
from typing import Any

__all__ = ["texts_of"]

_TEXTS = frozenset(("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "STRING", "BINSTRING", "SHORT_BINSTRING"))
_PUTS = frozenset(("PUT", "BINPUT", "LONG_BINPUT"))
_GETS = frozenset(("GET", "BINGET", "LONG_BINGET"))
_SIZES = {"APPEND": 1, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IGNORED = frozenset(("PROTO", "FRAME", "STOP"))


def texts_of(data: bytes) -> list[Any]:
    """The nested lists and tuples of texts in a pickle.

    Raises:
        ValueError: there is anything else in it.
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    marks: list[int] = []
    for code, value, _ in pickletools.genops(data):
        name = code.name
        if name in _PUTS or name == "MEMOIZE":
            memo[len(memo) if name == "MEMOIZE" else int(str(value))] = stack[-1]
        elif name in _GETS:
            stack.append(memo[int(str(value))])
        elif name in _TEXTS:
            stack.append(str(value))
        elif name == "MARK":
            marks.append(len(stack))
        elif name not in _IGNORED:
            _build(name, stack, marks)
    if len(stack) != 1 or not isinstance(stack[0], list):
        raise ValueError("a pickle that holds no list")
    return stack[0]


def _build(name: str, stack: list[Any], marks: list[int]) -> None:
    """One instruction that makes a list or tuple, or adds to a list."""
    if name in ("EMPTY_LIST", "EMPTY_TUPLE"):
        stack.append([] if name == "EMPTY_LIST" else ())
        return
    if name in ("LIST", "TUPLE", "APPENDS"):
        start = marks.pop()
    elif name in _SIZES:
        start = len(stack) - _SIZES[name]
    else:
        raise ValueError(f"a pickle with the instruction {name}")
    items = stack[start:]
    del stack[start:]
    if name.startswith("APPEND"):
        stack[-1].extend(items)
    else:
        stack.append(items if name == "LIST" else tuple(items))
