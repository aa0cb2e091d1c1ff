"""What griffe reads of the sources, made fit for the site; an extension of griffe."""

from __future__ import annotations

import ast
import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):`~?([^`]+)`")


class Readable(griffe.Extension):
    """Show Sphinx's roles as code, the members of enums, and named defaults with their values."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Change a docstring before it is parsed."""
        if obj.docstring:
            obj.docstring.value = _ROLE.sub(lambda role: f"`{role[1].rpartition('.')[2]}`", obj.docstring.value)
            if isinstance(obj, griffe.Class) and any(str(base).endswith("Enum") for base in obj.bases):
                members = [f"`{name}` ({value})" for name, value in _members(obj)]
                obj.docstring.value += f"\n\nMembers: {', '.join(members)}."

    def on_package(self, *, pkg: griffe.Module, loader: griffe.GriffeLoader, **kwargs: Any) -> None:
        """Give defaults their values, once all modules are read."""
        for function in _functions(pkg):
            for parameter in function.parameters:
                parameter.default = _value(parameter.default, loader)


def _members(enum: griffe.Class) -> list[tuple[str, str]]:
    """Names and values of an enum's members."""
    attributes = enum.attributes.items()
    return [(name, str(attribute.value)) for name, attribute in attributes if not name.startswith("_")]


def _functions(of: griffe.Object) -> list[griffe.Function]:
    """All functions and methods in a module or class, and in what is in it."""
    found: list[griffe.Function] = []
    for member in of.members.values():
        if member.is_alias:
            continue
        if isinstance(member, griffe.Function):
            found.append(member)
        elif isinstance(member, (griffe.Class, griffe.Module)):
            found += _functions(member)
    return found


def _value(default: Any, loader: griffe.GriffeLoader) -> Any:
    """A constant's value where it is written down as a literal, directly or by way of other names; else the name."""
    value = default
    for _ in range(5):
        if not isinstance(value, (griffe.ExprName, griffe.ExprAttribute)):
            break
        try:
            constant = loader.modules_collection.get_member(value.canonical_path)
            value = (constant.final_target if constant.is_alias else constant).value
        except (KeyError, AttributeError, griffe.GriffeError):
            return default
    try:
        ast.literal_eval(str(value))
    except (ValueError, SyntaxError):
        return default
    return value
