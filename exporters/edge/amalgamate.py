"""One Python file from a module and everything of ours that it uses.

The runner then computes what the pipeline computes because it *is* the pipeline's code. Only definitions that are
reached go in; comments stay. Names that two modules share get their module's name in front.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Mapping

from exporters.edge.sources import TYPING, Finder, Library, Module, Piece, Symbol
from posepipe.errors import PosePipeError

__all__ = ["amalgamate"]


def amalgamate(
    root: str, *, replaced: Mapping[str, str] | None = None, without: Iterable[str] = (), header: str = ""
) -> str:
    """The text of one file that does what a module does.

    Args:
        root: the module's name; all of it goes in.
        replaced: full names of ours or of others, and the names that stand in for them: full ones, or the root's.
        without: methods to leave out, as module.Class.method.
        header: text for the beginning: docstring and licence.

    Raises:
        PosePipeError: two foreign imports want one name.
    """
    stand_ins = {name: _symbol(own, root) for name, own in (replaced or {}).items()}
    library = Library(stand_ins, [_split_method(name) for name in without])
    wanted, found = _reach(library, root)
    order = _in_order(library, root, {module for module, _ in wanted})
    names = _output_names(wanted, found)
    imports, missing = _foreign_imports(found)
    parts = [header.rstrip(), "from __future__ import annotations", _import_block(imports)]
    if missing:
        parts.append("# Named in annotations only.\n" + " = ".join(missing) + " = Any")
    for name in order:
        module = library.module(name)
        kept = [piece for piece in module.pieces if (name, _key(piece)) in wanted]
        if not kept:
            continue
        parts.append(f"# {'-' * 8} {name}: {module.title}".rstrip(": "))
        parts += [_text(module, piece, found[name, _key(piece)], names) for piece in kept]
    return "\n\n\n".join(part for part in parts if part) + "\n"


def _symbol(name: str, root: str) -> Symbol:
    module, _, own = name.rpartition(".")
    return module or root, own


def _split_method(name: str) -> Symbol:
    module, owner, method = name.rsplit(".", 2)
    return module, f"{owner}.{method}"


def _key(piece: Piece) -> str:
    return piece.names[0] if piece.names else f"line {piece.first}"


def _reach(library: Library, root: str) -> tuple[set[Symbol], dict[Symbol, Finder]]:
    """Pieces to keep, and the names that each uses."""
    found: dict[Symbol, Finder] = {}
    todo = [(root, _key(piece)) for piece in library.module(root).pieces if piece.names != ("__all__",)]
    while todo:
        at = todo.pop()
        if at in found:
            continue
        module = library.module(at[0])
        piece = next(piece for piece in module.pieces if _key(piece) == at[1])
        finder = Finder(library, module)
        finder.visit(piece.node)
        found[at] = finder
        for use in finder.uses:
            if use.symbol is None:
                continue
            target = library.module(use.symbol[0]).piece_of(use.symbol[1])
            if target is None:
                continue
            # A class that only an annotation names needn't come along; an alias is cheap and reads better.
            if not use.annotation or isinstance(target.node, ast.Assign):
                todo.append((use.symbol[0], _key(target)))
    return set(found), found


def _in_order(library: Library, root: str, modules: set[str]) -> list[str]:
    """Modules, each after those it imports."""
    order: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in order or name in path:
            return
        for source, member in library.module(name).ours.values():
            target = library.resolve((source, member))[0] if member else source
            if target != root:
                visit(target, (*path, name))
        order.append(name)

    visit(root, ())
    return [name for name in order if name in modules]


def _output_names(wanted: set[Symbol], found: Mapping[Symbol, Finder]) -> dict[Symbol, str]:
    """A name for each symbol in use: its own where that is free."""
    symbols = {use.symbol for finder in found.values() for use in finder.uses if use.symbol}
    symbols |= {(module, key) for module, key in wanted if not key.startswith("line ")}
    by_module = {use.symbol for finder in found.values() for use in finder.uses if use.by_module}
    foreign = {text.split(" as ")[-1].split()[-1] for f in found.values() for u in f.uses if (text := u.foreign)}
    foreign -= {TYPING.split()[-1]}
    # What a module is asked for by its own name (`ssd.decode`) could stand in the way of a local variable.
    always = {symbol for symbol in symbols if symbol in by_module or symbol[0].rsplit(".", 1)[-1].startswith("_")}
    count: dict[str, int] = {}
    for _, name in symbols - always:
        count[name] = count.get(name, 0) + 1
    taken = foreign | set(dir(builtins))
    prefixes = _prefixes({module for module, _ in symbols})
    names = {}
    for symbol in sorted(symbols):
        module, name = symbol
        short = prefixes[module]
        clash = symbol in always or count[name] > 1 or name in taken
        mark = "_" if name.startswith("_") else ""
        names[symbol] = f"{mark}{short}_{name.lstrip('_')}" if clash else name
    if len(set(names.values())) < len(names):
        twice = sorted({name for name in names.values() if list(names.values()).count(name) > 1})
        raise PosePipeError(f"two definitions would be called {', '.join(twice)}", where="amalgamate")
    return names


def _prefixes(modules: set[str]) -> dict[str, str]:
    """For each module the last part of its name, and the part before it where two share the last."""
    last = [module.rsplit(".", 1)[-1].lstrip("_") for module in sorted(modules)]
    found = {}
    for module, short in zip(sorted(modules), last, strict=True):
        before = module.split(".")[-2]
        found[module] = short if last.count(short) == 1 else f"{before}_{short}"
    return found


def _foreign_imports(found: Mapping[Symbol, Finder]) -> tuple[list[str], list[str]]:
    """Import statements, and names that nothing defines because only annotations use them."""
    names: dict[str, str] = {}
    missing: set[str] = set()
    for finder in found.values():
        for use in finder.uses:
            if use.foreign == TYPING:
                missing.add(use.word)
            elif use.foreign is not None:
                name = use.foreign.split(" as ")[-1].split()[-1]
                if names.setdefault(name, use.foreign) != use.foreign:
                    raise PosePipeError(f"two imports want the name {name}", where=f"{names[name]}, {use.foreign}")
            elif use.symbol is not None and use.annotation and use.symbol not in found:
                missing.add(use.symbol[1])
    names.setdefault("Any", "from typing import Any")
    return sorted(names.values()), sorted(missing)


def _import_block(statements: list[str]) -> str:
    plain = [text for text in statements if text.startswith("import ")]
    by_source: dict[str, list[str]] = {}
    for text in statements:
        if text.startswith("from "):
            source, names = text[5:].split(" import ", 1)
            by_source.setdefault(source, []).append(names)
    return "\n".join(
        plain + [f"from {source} import {', '.join(sorted(n))}" for source, n in sorted(by_source.items())]
    )


def _text(module: Module, piece: Piece, finder: Finder, names: Mapping[Symbol, str]) -> str:
    """A piece's lines with the names put in, without its local imports of ours."""
    lines = [line.encode() for line in module.lines]
    edits = []
    for use in finder.uses:
        if use.symbol is not None and use.symbol in names and (use.by_module or names[use.symbol] != use.word):
            old = lines[use.line][use.start : use.end].decode()
            # Python 3.11 misplaces names inside f-strings.
            if old.rsplit(".", 1)[-1] != use.word:
                raise PosePipeError(f"can't rename {use.word} in line {use.line + 1}", where=module.name)
            edits.append((use.line, use.start, use.end, names[use.symbol]))
    if isinstance(piece.node, ast.FunctionDef | ast.ClassDef):
        own = names.get((module.name, piece.node.name))
        if own not in (None, piece.node.name):
            at = piece.node.lineno - 1
            start = lines[at].index(piece.node.name.encode(), piece.node.col_offset)
            edits.append((at, start, start + len(piece.node.name.encode()), own or ""))
    for line, start, end, name in sorted(set(edits), reverse=True):
        lines[line] = lines[line][:start] + name.encode() + lines[line][end:]
    gone = {n for node in finder.imports for n in range(node.lineno - 1, node.end_lineno or 0)}
    kept = [lines[n].decode() for n in range(piece.first, piece.last) if n not in gone]
    return "\n".join(line for line in kept if line != "\0").rstrip()
