"""A task in one line, as Python writes a function: ``train.fit(rows: int, rate: float = 0.1) -> str``."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from types import GenericAlias
from typing import Any

_EXAMPLES: dict[str, Any] = {
    "int": 1,
    "float": 0.5,
    "str": "text",
    "bool": True,
    "datetime": datetime(2026, 1, 1, tzinfo=timezone.utc),
    "timedelta": timedelta(seconds=1),
}
"""The types that have a name here, each with a value of it."""


@dataclass(frozen=True)
class Signature:
    """What ``LocalFlyte.deploy`` takes, and values of the outputs."""

    name: str
    inputs: dict[str, Any]
    """Name to type, or to ``(type, default)``."""

    outputs: dict[str, Any]
    """``o0``, ``o1`` ... to type."""

    examples: dict[str, Any]
    """``o0``, ``o1`` ... to a value."""


def parse(text: str) -> Signature:
    """Read a signature; without parentheses it is a task without inputs and outputs.

    :raises ValueError: with what is wrong.
    """
    name, parenthesis, rest = text.partition("(")
    name = name.strip()
    if not name or not all(part.isidentifier() for part in name.split(".")):
        raise ValueError(f"no name of a task: {name!r}")
    try:
        [function] = ast.parse(f"def task({rest if parenthesis else ')'}: ...").body
    except (SyntaxError, ValueError, RecursionError):
        function = ast.Pass()
    if not isinstance(function, ast.FunctionDef):
        raise ValueError(f"no signature of a task: {text!r}; write it as 'train.fit(rows: int) -> str'")
    arguments = function.args
    if arguments.posonlyargs or arguments.vararg or arguments.kwonlyargs or arguments.kwarg:
        raise ValueError(f"inputs are named one by one, without * and /: {text!r}")
    inputs: dict[str, Any] = {each.arg: _type(each.annotation)[0] for each in arguments.args}
    for each, default in zip(reversed(arguments.args), reversed(arguments.defaults), strict=False):
        inputs[each.arg] = inputs[each.arg], _value(default)
    given = [_type(each) for each in _outputs(function.returns)]
    outputs = {f"o{number}": kind for number, (kind, _) in enumerate(given)}
    examples = {f"o{number}": example for number, (_, example) in enumerate(given)}
    return Signature(name, inputs, outputs, examples)


def _outputs(node: ast.expr | None) -> list[ast.expr]:
    if node is None or (isinstance(node, ast.Constant) and node.value is None):
        return []
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "tuple":
        return node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    return [node]


def _value(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise ValueError(f"no plain value as a default: {ast.unparse(node)}") from None


def _type(node: ast.expr | None) -> tuple[Any, Any]:
    """A type and a value of it."""
    if isinstance(node, ast.Name) and node.id in _EXAMPLES:
        example = _EXAMPLES[node.id]
        return type(example), example
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        if node.value.id == "list":
            kind, example = _type(node.slice)
            return GenericAlias(list, (kind,)), [example]
        if node.value.id == "dict" and isinstance(node.slice, ast.Tuple) and len(node.slice.elts) == 2:
            kind, example = _type(node.slice.elts[1])
            return GenericAlias(dict, (str, kind)), {"key": example}
    known = ", ".join([*_EXAMPLES, "list[...]", "dict[str, ...]"])
    raise ValueError(f"no type of an input or output: {ast.unparse(node) if node else 'nothing'}; known are {known}")
