"""The reference in docs/reference: an entry for each public name, and none for what is gone."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest

from tests.support.own_airflow import AIRFLOW

PAGES = sorted((Path(__file__).parents[1] / "docs" / "reference").glob("*.md"))
WHOLE = (
    "assets",
    "conditions",
    "client",
    "decorators",
    "exceptions",
    "hooks",
    "links",
    "operators",
    *(["retry_policies"] if AIRFLOW >= (3, 3) else []),
    "sensors",
    "testing",
    "triggers",
)
"""Modules that users import from. Of others only what the public names of these take and give is in the reference."""


def entries(page: Path) -> list[tuple[str, str]]:
    """Module and name of each entry of a page, which is one, or a list of a module's members."""
    found: list[tuple[str, str]] = []
    for path, options in re.findall(r"^::: (\S+)\n((?: {4}.*\n)*)", page.read_text(), re.M):
        members = re.findall(r"^ {8}- (\w+)$", options, re.M)
        module, _, name = path.rpartition(".")
        found += [(path, member) for member in members] or [(module, name)]
    return found


ENTRIES = [entry for page in PAGES if page.stem in WHOLE for entry in entries(page)]


def public(name: str) -> set[str]:
    """What a module exports, or else the classes that are defined in it."""
    module = importlib.import_module(name)
    if hasattr(module, "__all__"):
        return set(module.__all__)
    classes = inspect.getmembers(module, inspect.isclass)
    return {key for key, value in classes if not key.startswith("_") and value.__module__ == name}


@pytest.mark.parametrize("module", WHOLE)
def test_every_public_name_has_an_entry(module: str) -> None:
    name = f"airflow_provider_flyte.{module}"
    assert {entry for where, entry in ENTRIES if where == name} == public(name)


@pytest.mark.parametrize(("module", "name"), ENTRIES)
def test_every_entry_is_of_something_that_says_what_it_is(module: str, name: str) -> None:
    """Without a docstring it would be left out of its page."""
    assert getattr(importlib.import_module(module), name).__doc__


def test_no_name_has_two_entries() -> None:
    assert len(set(ENTRIES)) == len(ENTRIES)


CONSTRUCTORS = [
    (module, name)
    for module, name in ENTRIES
    if inspect.isclass(cls := getattr(importlib.import_module(module), name, None)) and ":param " in (cls.__doc__ or "")
]


@pytest.mark.parametrize(("module", "name"), CONSTRUCTORS)
def test_every_argument_of_a_constructor_is_explained(module: str, name: str) -> None:
    """In the docstring of its class, or of the class that it has the argument from."""
    cls = getattr(importlib.import_module(module), name)
    explained = {argument for each in cls.__mro__ for argument in re.findall(r":param (\w+):", each.__doc__ or "")}
    taken = inspect.signature(cls).parameters.values()
    named = {each.name for each in taken if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)}
    assert named - explained == set()


@pytest.mark.parametrize(
    ("module", "name", "guide"), [("operators", "FlyteRunOperator", "launch"), ("sensors", "FlyteRunSensor", "sensor")]
)
def test_the_guide_has_every_argument(module: str, name: str, guide: str) -> None:
    cls = getattr(importlib.import_module(f"airflow_provider_flyte.{module}"), name)
    text = (PAGES[0].parents[1] / f"{guide}.md").read_text()
    assert [each for each in inspect.signature(cls).parameters if each != "kwargs" and f"`{each}`" not in text] == []
