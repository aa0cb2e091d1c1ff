"""All lines that the provider can log, read from its sources.

A line begins where a log's method is called. Where its format is no constant there, it is followed back: through
variables, attributes, parameters to what callers give, callbacks to where they are called, and functions to what they
return. What cannot be followed is an error, so that no line is overlooked.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "airflow_provider_flyte"
LEVELS = {"info": "INFO", "warning": "WARNING", "error": "ERROR", "exception": "ERROR", "critical": "CRITICAL"}
LOGS = {"log", "_log"}
FILLED = "…"
"""Stands for a value that is filled in."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


class LostTrackError(Exception):
    """The origin of a line cannot be followed."""


@dataclass(frozen=True)
class Line:
    """A line that can be logged."""

    level: str
    text: str


@dataclass
class Scope:
    """An expression's surroundings."""

    module: Module
    functions: tuple[Function, ...] = ()
    """The innermost last."""


@dataclass
class Module:
    """A source file."""

    name: str
    tree: ast.Module
    calls: list[tuple[ast.Call, Scope]] = field(default_factory=list)


class Sources:
    """The package's modules.

    :param texts: a module's source by its name.
    """

    def __init__(self, texts: dict[str, str]) -> None:
        self.modules = [Module(name, ast.parse(text)) for name, text in texts.items()]
        self.functions: dict[str, list[tuple[Function, Scope]]] = {}
        self.classes: dict[str, tuple[ast.ClassDef, Scope]] = {}
        self.methods: set[int] = set()
        for module in self.modules:
            self._read(module.tree, Scope(module))

    def _read(self, node: ast.AST, where: Scope) -> None:
        for child in ast.iter_child_nodes(node):
            inside = where
            if isinstance(child, Function):
                self.functions.setdefault(child.name, []).append((child, where))
                if isinstance(node, ast.ClassDef):
                    self.methods.add(id(child))
                inside = Scope(where.module, (*where.functions, child))
            elif isinstance(child, ast.ClassDef):
                self.classes[child.name] = (child, where)
            elif isinstance(child, ast.Call):
                where.module.calls.append((child, where))
                if _last(child.func).lstrip("_") == "run" and child.args:
                    # context.run(callback, line) calls callback(line).
                    where.module.calls.append((ast.Call(child.args[0], child.args[1:], child.keywords), where))
            self._read(child, inside)

    def lines(self) -> set[Line]:
        """All that can be logged at INFO and above."""
        found = set()
        for module in self.modules:
            for call, where in module.calls:
                for level, message in self._logged(call, where):
                    texts = self._texts(message, where, frozenset())
                    if texts == {"%s"}:
                        texts = self._texts(call.args[-1], where, frozenset())
                    if not any(texts):
                        raise LostTrackError(f"{module.name}:{call.lineno}: {ast.unparse(call)}")
                    found |= {Line(level, _filled(text)) for text in texts if text}
        return found

    def _logged(self, call: ast.Call, where: Scope) -> Iterator[tuple[str, ast.expr]]:
        """The levels and the format of a call, if it is one of a log."""
        if not isinstance(call.func, ast.Attribute) or _last(call.func.value) not in LOGS:
            return
        if call.func.attr in LEVELS:
            yield LEVELS[call.func.attr], call.args[0]
        elif call.func.attr == "log":
            for level in sorted(self._level_names(call.args[0], where) & set(LEVELS.values())):
                yield level, call.args[1]

    def _level_names(self, level: ast.expr, where: Scope) -> set[str]:
        names = {node.attr for node in ast.walk(level) if isinstance(node, ast.Attribute)}
        if isinstance(level, ast.Name):
            for value in _assigned(level.id, where.functions[-1]):
                names |= self._level_names(value, where)
        return names

    # -- following a text back

    def _texts(self, node: ast.expr, where: Scope, seen: frozenset[int]) -> set[str]:
        """All texts that an expression can have; '' for those that are never logged."""
        if id(node) in seen:
            return set()
        seen |= {id(node)}

        def union(nodes: list[ast.expr]) -> set[str]:
            return set().union(*(self._texts(each, where, seen) for each in nodes))

        match node:
            case ast.Constant(value=str(text)):
                return {text}
            case ast.JoinedStr(values=parts):
                return {"".join(str(part.value) if isinstance(part, ast.Constant) else FILLED for part in parts)}
            case ast.IfExp(body=body, orelse=orelse):
                return union([body, orelse])
            case ast.BoolOp(values=values):
                return union(values)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                return union(parts)
            case ast.Name(id=name):
                return self._of_name(name, node, where, seen)
            case ast.Attribute(attr=name):
                return self._of_attribute(name, node, where, seen)
            case ast.Call(func=ast.Name(id="str"), args=[given]):
                return self._texts(given, where, seen)
            case ast.Call(func=called):
                return self._returned(_last(called), node, where, seen)
        raise LostTrackError(f"{where.module.name}:{node.lineno}: {ast.unparse(node)}")

    def _of_name(self, name: str, node: ast.expr, where: Scope, seen: frozenset[int]) -> set[str]:
        for depth in range(len(where.functions), 0, -1):
            function, around = where.functions[depth - 1], Scope(where.module, where.functions[: depth - 1])
            if values := _assigned(name, function):
                inside = Scope(where.module, where.functions[:depth])
                return set().union(*(self._texts(value, inside, seen) for value in values))
            if name in _parameters(function):
                return self._given(name, function, around, seen)
        if values := _assigned(name, where.module.tree):
            return set().union(*(self._texts(value, Scope(where.module), seen) for value in values))
        raise LostTrackError(f"{where.module.name}:{node.lineno}: nobody sets {name}")

    def _given(self, name: str, function: Function, around: Scope, seen: frozenset[int]) -> set[str]:
        """The arguments that callers give for a parameter, also those that a callback is called with."""
        is_method = id(function) in self.methods
        names = {function.name}
        found: set[str] = set()
        sites = 0
        for module in self.modules:
            if function.name.startswith("_") and module is not around.module:
                continue
            for call, _ in module.calls:
                names |= {
                    word.arg
                    for word in call.keywords
                    if word.arg and isinstance(word.value, ast.Attribute) and word.value.attr == function.name
                }
        index = _parameters(function).index(name) - is_method
        for module in self.modules:
            for call, where in module.calls:
                called = _last(call.func)
                if called == function.name:
                    if isinstance(call.func, ast.Attribute) is not is_method:
                        continue
                    if called.startswith("_") and module is not around.module:
                        continue
                elif called.lstrip("_") not in names - {function.name}:
                    continue
                words = [word.value for word in call.keywords if word.arg == name]
                given = [*words, *call.args[index : index + 1]]
                if given:
                    found |= self._texts(given[0], where, seen)
                elif default := _default(name, function):
                    found |= self._texts(default, around, seen)
                else:
                    continue
                sites += 1
        if not sites:
            raise LostTrackError(f"{around.module.name}:{function.lineno}: nobody gives {name} of {function.name}")
        return found

    def _of_attribute(self, name: str, node: ast.expr, where: Scope, seen: frozenset[int]) -> set[str]:
        for function, around in self.functions.get(name, ()):
            if around.module is where.module and _is_property(function):
                return self._returns(function, around, seen)
        values = [
            (value, Scope(where.module, functions))
            for functions, value in _assigned_attributes(name, where.module.tree, ())
        ]
        if not values:
            raise LostTrackError(f"{where.module.name}:{node.lineno}: nobody sets {ast.unparse(node)}")
        return set().union(*(self._texts(value, inside, seen) for value, inside in values))

    def _returned(self, name: str, node: ast.expr, where: Scope, seen: frozenset[int]) -> set[str]:
        if name in self.classes:
            made, around = self.classes[name]
            as_text = next(each for each in made.body if isinstance(each, Function) and each.name == "__str__")
            return self._returns(as_text, around, seen)
        functions = [each for each in self.functions.get(name, ()) if not _is_property(each[0])]
        if not functions:
            raise LostTrackError(f"{where.module.name}:{node.lineno}: {ast.unparse(node)}")
        return set().union(*(self._returns(function, around, seen) for function, around in functions))

    def _returns(self, function: Function, around: Scope, seen: frozenset[int]) -> set[str]:
        inside = Scope(around.module, (*around.functions, function))
        values = [each.value for each in ast.walk(function) if isinstance(each, ast.Return) and each.value]
        return set().union(*(self._texts(value, inside, seen) for value in values))


def package() -> Sources:
    """The provider's own sources, but for the local server."""
    return Sources(
        {
            str(path.relative_to(PACKAGE)): path.read_text()
            for path in sorted(PACKAGE.rglob("*.py"))
            if not {"testing", "idl"} & set(path.relative_to(PACKAGE).parts)
        }
    )


def _filled(text: str) -> str:
    text = re.sub(r"%[-.0-9]*[sdrfgx]", FILLED, text).replace("%%", "%")
    return " ".join(re.sub(f"{FILLED}+", FILLED, text).split())


def _last(node: ast.expr) -> str:
    """The last part of a name with dots."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _is_property(function: Function) -> bool:
    return any(_last(each) == "property" for each in function.decorator_list)


def _parameters(function: Function) -> list[str]:
    given = function.args
    return [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]


def _default(name: str, function: Function) -> ast.expr | None:
    """What a parameter is where a caller does not give it."""
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    with_default = positional[len(positional) - len(given.defaults) :]
    defaults = [*zip(with_default, given.defaults, strict=True), *zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    return next((default for each, default in defaults if each.arg == name), None)


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, its in zip(target.elts, value.elts, strict=True):
            yield from _pairs(one, its)
    else:
        yield target, value


def _assignments(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What a statement or an expression assigns to what."""
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield from _pairs(target, value)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield target, value
        case ast.AugAssign(target=target, value=value) | ast.NamedExpr(target=target, value=value):
            yield target, value
        case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value):
            yield target, value


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """What is in a function or a module, without the functions and classes in it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (*Function.__args__, ast.ClassDef)):
            yield child
            yield from _own(child)


def _assigned(name: str, scope: ast.AST) -> list[ast.expr]:
    return [
        value
        for node in _own(scope)
        for target, value in _assignments(node)
        if isinstance(target, ast.Name) and target.id == name
    ]


def _assigned_attributes(
    name: str, node: ast.AST, functions: tuple[Function, ...]
) -> Iterator[tuple[tuple[Function, ...], ast.expr]]:
    for child in ast.iter_child_nodes(node):
        for target, value in _assignments(child):
            if isinstance(target, ast.Attribute) and target.attr == name:
                yield functions, value
        inside = (*functions, child) if isinstance(child, Function) else functions
        yield from _assigned_attributes(name, child, inside)
