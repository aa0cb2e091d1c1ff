"""The changes that ``make mutants`` makes, and its lists."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
LISTS = ROOT / "tests/mutants"


@pytest.fixture(scope="module")
def mutations() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutations", ROOT / "scripts/mutations.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutations"] = module
    spec.loader.exec_module(module)
    return module


def changes(mutations: ModuleType, source: str) -> set[str]:
    return {mutant.after for mutant in mutations.mutants_of(source)}


@pytest.mark.parametrize(
    ("source", "after"),
    [
        ("x = a < b", {"x = a <= b"}),
        ("x = a is not None", {"x = a is None"}),
        ("x = a not in b", {"x = a in b"}),
        ("x = a < b < 3", {"x = a <= b < 3", "x = a < b <= 3", "x = a < b < 4"}),
        ("x = (a) and (b or c)", {"x = (a) or (b or c)", "x = (a) and (b and c)"}),
        ("x = not a", {"x = (a)"}),
        ("x = a + 1", {"x = a - 1", "x = a + 2"}),
        ("x += 1", {"pass", "x -= 1", "x += 2"}),
        ("self.x = a", {"pass"}),
        ("f(a)", {"pass"}),
        ("del a[b]", {"pass"}),
        ("raise a", {"pass"}),
        ("x = min(a, b)", {"x = max(a, b)"}),
        ("x = b if a else c", {"x = b if True else c", "x = b if False else c"}),
        ("x = [a for a in b if c]", {"x = [a for a in b if True]", "x = [a for a in b if False]"}),
        ("if (a := b) == c: pass", {"if not ((a := b) == c): pass", "if (a := b) != c: pass"}),
        ("while a: f()", {"while False: f()", "while a: pass"}),
        ("x = a.get('k', True)", {"x = a.get('k~', True)", "x = a.get('k', False)"}),
        ("x = a['é'] == 'ü'", {"x = a['é~'] == 'ü'", "x = a['é'] == 'ü~'", "x = a['é'] != 'ü'"}),
        ("def f(a: int = 1) -> int | None:\n  return a", {"def f(a: int = 2) -> int | None:", "return None"}),
        ("for a in b:\n  continue", {"break"}),
    ],
)
def test_what_is_changed(mutations: ModuleType, source: str, after: set[str]) -> None:
    assert changes(mutations, source) == after


@pytest.mark.parametrize(
    "source",
    [
        "x = 'a text'",
        '"""A docstring."""',
        "from a import b",
        "x: int | None",
        "log.debug('seen', 3)",
        "assert a == b",
        "__slots__ = ('a', 'b')",
        "@dataclass(frozen=True)\nclass A:\n  pass",
        "if TYPE_CHECKING:\n  x = 1",
        "def f():\n  return None",
    ],
)
def test_what_is_left_alone(mutations: ModuleType, source: str) -> None:
    assert changes(mutations, source) == set()


def test_a_mutant_says_where_it_is_and_which_lines_run_it(mutations: ModuleType) -> None:
    source = "class A:\n  def f(self):\n    if a:\n      return g(\n        1)\n"
    found = {mutant.after: mutant for mutant in mutations.mutants_of(source)}
    one = found["2)"]
    assert (one.line, list(one.lines), one.where, one.before) == (5, [4, 5], "A.f", "1)")
    assert one.source == source.replace("1)", "2)")
    assert list(found["if True:"].lines) == [3]
    # What the import runs is run by each test.
    assert [list(mutant.lines) for mutant in mutations.mutants_of("class A:\n  x: int = 1\n")] == [[]]
    # Known by its text when lines move.
    moved = {mutant.key for mutant in mutations.mutants_of("\n\n" + source)}
    assert moved == {mutant.key for mutant in found.values()}


def listed(name: str) -> Any:
    return json.loads((LISTS / name).read_text())


def test_what_is_listed_is_there() -> None:
    for file, patterns in listed("protected_by.json").items():
        assert file == "*" or (ROOT / file).is_file()
        assert [pattern for pattern in patterns if not list(ROOT.glob(pattern))] == []


def test_each_equivalent_is_a_mutant_and_has_a_reason(mutations: ModuleType) -> None:
    protected, there = listed("protected_by.json"), {}
    for each in listed("equivalents.json"):
        file = each["file"]
        assert file in protected
        if file not in there:
            there[file] = {mutant.key for mutant in mutations.mutants_of((ROOT / file).read_text())}
        assert (each["where"], each["before"], each["after"]) in there[file], each
        assert each["reason"]
