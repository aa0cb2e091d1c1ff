"""docs/task-log.md has every line that the provider can log, and no other."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.support.log_lines import FILLED, Line, LostTrackError, Sources, package

PAGE = Path(__file__).parents[1] / "docs" / "task-log.md"


def described() -> list[Line]:
    rows = re.findall(r"^\| ([A-Z]+) \| `(.+?)` \| (.+) \|$", PAGE.read_text(), re.M)
    return [Line(level, text) for level, text, _ in rows]


def test_the_page_has_each_line_once_and_no_other() -> None:
    rows = Counter(described())
    logged = package().lines()
    assert {"without a row": logged - set(rows), "never logged": set(rows) - logged} == {
        "without a row": set(),
        "never logged": set(),
    }
    assert max(rows.values()) == 1


def test_each_line_is_a_sentence() -> None:
    for line in described():
        text = line.text
        assert text[0].isupper() or text[0] == FILLED, text
        assert text[-1] in (".", FILLED), text


# -- the reader of the sources


def lines(source: str, **others: str) -> set[tuple[str, str]]:
    found = Sources({"one.py": source} | {f"{name}.py": text for name, text in others.items()}).lines()
    return {(line.level, line.text) for line in found}


def test_formats_and_levels() -> None:
    assert lines(
        "log.warning('%s has %d of %.0f %%', a, b, c)\nself._log.exception('A\\n%s%s', x, y)\nlog.debug('z')"
    ) == {
        ("WARNING", "… has … of … %"),
        ("ERROR", "A …"),
    }
    assert lines("log.log(logging.INFO if x else logging.DEBUG, 'A')") == {("INFO", "A")}
    assert lines("def f():\n level = logging.ERROR\n self.log.log(level, 'A')") == {("ERROR", "A")}


def test_a_line_that_is_made_before() -> None:
    assert lines("def f():\n words = f'A {x}' if x else 'B'\n log.info(words)") == {("INFO", "A …"), ("INFO", "B")}
    assert lines("A = 'A'\nlog.info(A)") == {("INFO", "A")}
    assert lines("log.info('%s', f'A {x}')") == {("INFO", "A …")}


def test_a_line_that_callers_give() -> None:
    source = "def write(x, line='D'):\n log.info(line)\nwrite(1, 'A')\nwrite(2, line=f'B {x}')\nwrite(3)"
    assert lines(source, two="write(3, 'C')") == {("INFO", "A"), ("INFO", "B …"), ("INFO", "C"), ("INFO", "D")}
    method = "class K:\n def write(self, line): self.log.info(line)\n def go(self): self.write('A')\n"
    assert lines(method + "def write(x): pass\nwrite(1)") == {("INFO", "A")}


def test_a_line_that_a_function_returns() -> None:
    assert lines("def words():\n if x: return ''\n return 'A'\nlog.info(words() or 'B')") == {
        ("INFO", "A"),
        ("INFO", "B"),
    }
    source = "class Status:\n def __str__(self): return f'A {self.x}'\nlog.info(str(Status()))"
    assert lines(source) == {("INFO", "A …")}


def test_a_line_that_waits_in_an_attribute_for_a_callback() -> None:
    source = (
        "class K:\n"
        " def notify(self, line): self._lines += (line,)\n"
        " def deliver(self):\n"
        "  lines, self._lines = self._lines, ()\n"
        "  for line in lines: self._on_trouble(line)\n"
    )
    other = "wait(on_trouble=self._warn)\nk.notify('A')\nclass T:\n def _warn(self, line): self.log.warning(line)"
    assert lines(source, two=other) == {("WARNING", "A")}


@pytest.mark.parametrize("calls", ["self._on_trouble(line)", "self.context.run(self._on_trouble, line)"])
def test_a_line_for_a_callback(calls: str) -> None:
    source = f"class K:\n def notify(self, line): {calls}\n"
    other = "wait(on_trouble=self._warn)\nk.notify('A')\nclass T:\n def _warn(self, line): self.log.warning(line)"
    assert lines(source, two=other) == {("WARNING", "A")}


@pytest.mark.parametrize(
    "source",
    [
        "log.info(words)",
        "log.info(words())",
        "log.info(self.words)",
        "log.info(words[0])",
        "def f(line):\n log.info(line)",
        "log.info('%s', x)",
    ],
)
def test_a_line_from_nowhere_is_an_error(source: str) -> None:
    with pytest.raises(LostTrackError):
        lines(source)
