"""One Python file from a module and everything of ours that it uses.

The runner then computes what the pipeline computes because it *is* the pipeline's code. Only definitions that are
reached go in; comments stay. Names that two modules share get their module's name in front.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from posepipe.errors import PosePipeError

__all__ = ["Library", "Use", "amalgamate"]

Symbol = tuple[str, str]
"""Module and name."""

_OURS = ("posepipe", "exporters")
TYPING = "only for type checkers"
"""Stands where a name comes from an import that only type checkers see."""
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(slots=True, eq=False)
class Piece:
    """A top-level statement: its lines, from its first comment on, and the names it defines."""

    node: ast.stmt
    first: int
    last: int
    names: tuple[str, ...]


@dataclass(slots=True, eq=False)
class Module:
    """A parsed source file.

    Attributes:
        ours: names imported from our modules, with where they come from; an empty name means the module itself.
        foreign: names imported from elsewhere, with the statement that imports them.
    """

    name: str
    lines: list[str]
    title: str
    pieces: list[Piece] = field(default_factory=list)
    ours: dict[str, Symbol] = field(default_factory=dict)
    foreign: dict[str, str] = field(default_factory=dict)

    def piece_of(self, name: str) -> Piece | None:
        """The statement that defines a name."""
        return next((piece for piece in self.pieces if name in piece.names), None)


@dataclass(slots=True, eq=False)
class Use:
    """A place where a name of ours, or a foreign one, stands in a source."""

    line: int
    start: int
    end: int
    word: str
    symbol: Symbol | None
    foreign: str | None
    by_module: bool
    annotation: bool


class Library:
    """Modules by name, read when first asked for."""

    def __init__(self, replaced: Mapping[str, Symbol], without: Iterable[Symbol]) -> None:
        self._modules: dict[str, Module] = {}
        self.replaced = replaced
        self._without = set(without)

    def module(self, name: str) -> Module:
        """A module by its full name."""
        if name not in self._modules:
            self._modules[name] = self._read(name)
        return self._modules[name]

    def resolve(self, symbol: Symbol) -> Symbol:
        """Where a name is really defined, past re-exports and replacements."""
        while True:
            symbol = self.replaced.get(".".join(symbol), symbol)
            module = self.module(symbol[0])
            if module.piece_of(symbol[1]) is not None or symbol[1] not in module.ours:
                return symbol
            symbol = module.ours[symbol[1]]

    def _read(self, name: str) -> Module:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise PosePipeError("no such module", where=name)
        text = Path(spec.origin).read_text(encoding="utf-8")
        tree = ast.parse(text)
        lines = text.split("\n")
        module = Module(name, lines, (ast.get_docstring(tree) or "").split("\n")[0])
        end = 0
        for node in tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                self.note_import(module.ours, module.foreign, node)
            elif _is_text(node):
                if module.pieces and module.pieces[-1].last == node.lineno - 1:
                    module.pieces[-1].last = node.end_lineno or node.lineno
            elif _is_typing_only(node):
                for part in (part for part in ast.walk(node) if isinstance(part, ast.Import | ast.ImportFrom)):
                    module.foreign |= {alias.asname or alias.name: TYPING for alias in part.names}
            else:
                self._thin(name, node, lines)
                first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))]) - 1
                while first > end and lines[first - 1].startswith("#"):
                    first -= 1
                module.pieces.append(Piece(node, first, node.end_lineno or node.lineno, _defined(node)))
            end = node.end_lineno or end
        return module

    def _thin(self, module: str, node: ast.stmt, lines: list[str]) -> None:
        """Take out methods that aren't wanted."""
        if not isinstance(node, ast.ClassDef):
            return
        for part in list(node.body):
            name = getattr(part, "name", "")
            if (module, f"{node.name}.{name}") in self._without:
                node.body.remove(part)
                lines[part.lineno - 1 : part.end_lineno] = ["\0"] * ((part.end_lineno or 0) - part.lineno + 1)

    def note_import(self, ours: dict[str, Symbol], foreign: dict[str, str], node: ast.Import | ast.ImportFrom) -> None:
        """Enter what a statement imports."""
        for alias in node.names:
            local = alias.asname or alias.name
            if isinstance(node, ast.Import):
                foreign[local.split(".")[0]] = f"import {alias.name}" + (f" as {local}" if alias.asname else "")
                continue
            source = node.module or ""
            if f"{source}.{alias.name}" in self.replaced:
                ours[local] = self.replaced[f"{source}.{alias.name}"]
            elif source.split(".")[0] not in _OURS:
                renamed = f" as {local}" if alias.asname else ""
                foreign[local] = f"from {source} import {alias.name}{renamed}"
            elif _is_module(source, alias.name):
                ours[local] = (f"{source}.{alias.name}", "")
            else:
                ours[local] = (source, alias.name)


class Finder(ast.NodeVisitor):
    """Uses of module-level names in one piece, by Python's scoping rules."""

    def __init__(self, library: Library, module: Module) -> None:
        self._library = library
        self._module = module
        self._ours = dict(module.ours)
        self._foreign = dict(module.foreign)
        self._scopes: list[set[str]] = []
        self._annotation = False
        self.uses: list[Use] = []
        self.imports: list[ast.stmt] = []

    def visit_Name(self, node: ast.Name) -> None:
        if not any(node.id in scope for scope in self._scopes):
            self._note(node, node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        base = node.value
        if isinstance(base, ast.Name) and not any(base.id in scope for scope in self._scopes):
            target = self._ours.get(base.id)
            if target is not None and not target[1]:
                self._add(node, self._library.resolve((target[0], node.attr)), None, by_module=True)
                return
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for part in (*node.decorator_list, *node.args.defaults, *(d for d in node.args.kw_defaults if d)):
            self.visit(part)
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        arguments += [a for a in (node.args.vararg, node.args.kwarg) if a]
        for note in (*(a.annotation for a in arguments), node.returns):
            self._visit_annotation(note)
        imported = self._local_imports(node)
        self._scopes.append({a.arg for a in arguments} | _stored(node.body) | imported)
        for statement in node.body:
            self.visit(statement)
        self._scopes.pop()

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._scopes.append({a.arg for a in (*node.args.args, *node.args.kwonlyargs)})
        self.visit(node.body)
        self._scopes.pop()

    def _visit_comprehension(self, node: Any) -> None:
        stored = {n.id for g in node.generators for n in ast.walk(g.target) if isinstance(n, ast.Name)}
        self._scopes.append(stored)
        self.generic_visit(node)
        self._scopes.pop()

    # The names that ast.NodeVisitor asks for.
    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _visit_comprehension  # noqa: N815

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._visit_annotation(node.annotation)
        if not isinstance(node.target, ast.Name) or not self._scopes:
            self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in (*node.decorator_list, *node.bases, *(k.value for k in node.keywords)):
            self.visit(part)
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                self._visit_annotation(statement.annotation)
                if statement.value is not None:
                    self.visit(statement.value)
            elif isinstance(statement, ast.Assign):
                self.visit(statement.value)
            else:
                self.visit(statement)

    def _visit_annotation(self, node: ast.expr | None) -> None:
        if node is None:
            return
        before, self._annotation = self._annotation, True
        self.visit(node)
        self._annotation = before

    def _local_imports(self, node: ast.FunctionDef) -> set[str]:
        """Take in what a function imports of ours; returns the names of what it imports from elsewhere."""
        foreign: dict[str, str] = {}
        for part in ast.walk(node):
            if isinstance(part, ast.Import | ast.ImportFrom):
                ours: dict[str, Symbol] = {}
                self._library.note_import(ours, foreign, part)
                self._ours |= ours
                if ours:
                    self.imports.append(part)
        return set(foreign)

    def _note(self, node: ast.Name, name: str) -> None:
        if self._module.piece_of(name) is not None:
            self._add(node, self._library.resolve((self._module.name, name)), None)
        elif name in self._ours:
            target = self._ours[name]
            self._add(node, self._library.resolve(target) if target[1] else target, None)
        elif name in self._foreign:
            self._add(node, None, self._foreign[name])

    def _add(self, node: ast.expr, symbol: Symbol | None, foreign: str | None, *, by_module: bool = False) -> None:
        assert node.end_col_offset is not None
        self.uses.append(
            Use(
                node.lineno - 1,
                node.col_offset,
                node.end_col_offset,
                node.attr if isinstance(node, ast.Attribute) else str(getattr(node, "id", "")),
                symbol,
                foreign,
                by_module,
                self._annotation,
            )
        )


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_typing_only(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


@cache
def _is_module(package: str, name: str) -> bool:
    # Only a package is asked for its modules: asking imports it.
    spec = find_spec(package)
    inside = spec is not None and spec.submodule_search_locations is not None
    return inside and find_spec(f"{package}.{name}") is not None


def _defined(node: ast.stmt) -> tuple[str, ...]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return (node.name,)
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = list(node.targets)
    elif isinstance(node, ast.AnnAssign | ast.AugAssign):
        targets = [node.target]
    return tuple(n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name))


def _stored(body: list[ast.stmt]) -> set[str]:
    """Names that a function's body binds, nested functions' own names included, their insides not."""
    found: set[str] = set()
    for node in _walk_scope(body):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler) and node.name:
            found.add(node.name)
    return found


def _walk_scope(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    for node in body:
        yield node
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            continue
        yield from _walk_scope(ast.iter_child_nodes(node))


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
    order.remove(root)
    # Those that only functions import; the root's last lines run the program.
    for name in (*sorted(modules - {root}), root):
        visit(name, ())
    return [name for name in order if name in modules]


def _output_names(wanted: set[Symbol], found: Mapping[Symbol, Finder]) -> dict[Symbol, str]:
    """A name for each symbol in use: its own where that is free."""
    symbols = {use.symbol for finder in found.values() for use in finder.uses if use.symbol}
    symbols |= {(module, key) for module, key in wanted if not key.startswith("line ")}
    foreign = {text.split(" as ")[-1].split()[-1] for f in found.values() for u in f.uses if (text := u.foreign)}
    foreign -= {TYPING.split()[-1]}
    # What a module is asked for by its own name (`ssd.decode`) could stand in the way of a local variable.
    always = {use.symbol for finder in found.values() for use in finder.uses if use.symbol and use.by_module}
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
