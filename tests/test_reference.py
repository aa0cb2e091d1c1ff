"""The reference in docs/reference: an entry for each public name, and none for what is gone."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[1] / "docs" / "reference"
MODULES = ("client", "exceptions", "hooks", "links", "operators", "sensors", "testing", "triggers")


def public(name: str) -> set[str]:
    """What a module exports, or else the classes and functions that are defined in it."""
    module = importlib.import_module(name)
    if hasattr(module, "__all__"):
        return set(module.__all__)
    return {
        key
        for key, value in vars(module).items()
        if not key.startswith("_") and (inspect.isclass(value) or inspect.isroutine(value)) and value.__module__ == name
    }


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_has_an_entry(module: str) -> None:
    text = (PAGES / f"{module}.md").read_text()
    [(name, members)] = re.findall(r"^::: (\S+)\n    options:\n      members:\n((?: {8}- \w+\n)+)", text, re.M)
    assert name == f"airflow_provider_flyte.{module}"
    entries = re.findall(r"- (\w+)", members)
    assert len(entries) == len(set(entries))
    assert set(entries) == public(name), f"docs/reference/{module}.md lists other names than the module has"


def test_every_page_is_of_a_module() -> None:
    assert sorted(page.stem for page in PAGES.iterdir()) == sorted(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_every_entry_says_what_it_is(module: str) -> None:
    """Without a docstring an entry would be left out, or be a bare name."""
    name = f"airflow_provider_flyte.{module}"
    there = importlib.import_module(name)
    assert [key for key in sorted(public(name)) if not getattr(there, key).__doc__] == []
