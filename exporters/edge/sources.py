"""Read Python sources for `exporters.edge.amalgamate`: top-level statements, and the module-level names they use."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from posepipe.errors import PosePipeError

__all__ = ["TYPING", "Finder", "Library", "Module", "Piece", "Symbol", "Use"]

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

    def visit_Name(self, node: ast.Name) -> None:  # noqa: D102
        if not any(node.id in scope for scope in self._scopes):
            self._note(node, node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:  # noqa: D102
        base = node.value
        if isinstance(base, ast.Name) and not any(base.id in scope for scope in self._scopes):
            target = self._ours.get(base.id)
            if target is not None and not target[1]:
                self._add(node, self._library.resolve((target[0], node.attr)), None, by_module=True)
                return
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:  # noqa: D102
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

    def visit_Lambda(self, node: ast.Lambda) -> None:  # noqa: D102
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

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:  # noqa: D102
        self._visit_annotation(node.annotation)
        if not isinstance(node.target, ast.Name) or not self._scopes:
            self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:  # noqa: D102
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
