"""What griffe reads of the sources, made fit for the site; an extension of griffe."""

from __future__ import annotations

import ast
import re
from typing import Any

import griffe

_DIRECTIVE = re.compile(r"^\.\. code-block:: \w+\n\n", re.M)
_ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):`~?([^`]+)`")


class Readable(griffe.Extension):
    """Show Sphinx's roles as code, the members of enums, and named defaults with their values."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Change a docstring before it is parsed."""
        if obj.docstring:
            # What it is about is indented, which is code for Markdown too.
            text = _DIRECTIVE.sub("", obj.docstring.value)
            text = _ROLE.sub(lambda role: f"`{role[1].rpartition('.')[2]}`", text)
            # A tree of classes is a paragraph that has to stay as it is.
            paragraphs = (f"```text\n{each}\n```" if "+-- " in each else each for each in text.split("\n\n"))
            obj.docstring.value = "\n\n".join(paragraphs)
            if isinstance(obj, griffe.Class) and any(str(base).endswith("Enum") for base in obj.bases):
                members = [f"`{name}` ({value})" for name, value in _members(obj)]
                obj.docstring.value += f"\n\nMembers: {', '.join(members)}."

    def on_package(self, *, pkg: griffe.Module, loader: griffe.GriffeLoader, **kwargs: Any) -> None:
        """Give defaults their values, once all modules are read."""
        _show_values(pkg, loader)


def _members(enum: griffe.Class) -> list[tuple[str, str]]:
    """Names and values of an enum's members."""
    attributes = enum.attributes.items()
    return [(name, str(attribute.value)) for name, attribute in attributes if not name.startswith("_")]


def _show_values(of: griffe.Object, loader: griffe.GriffeLoader) -> None:
    """Give the defaults of functions, methods and dataclasses in a module or class their values."""
    for member in of.members.values():
        if member.is_alias:
            continue
        if isinstance(member, griffe.Function):
            for parameter in member.parameters:
                parameter.default = _value(parameter.default, loader)
        elif isinstance(member, griffe.Attribute) and isinstance(of, griffe.Class):
            member.value = _value(member.value, loader)
        elif isinstance(member, (griffe.Class, griffe.Module)):
            _show_values(member, loader)


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
