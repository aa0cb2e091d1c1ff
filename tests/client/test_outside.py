"""Text from outside becomes text that can be printed, bounded, and the same when it is cleaned twice."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.client.outside import LONGEST, first_names, marked, one_line, some_lines, storable

ANY = st.text(st.characters(exclude_categories=[]), max_size=60)
"""All text, lone surrogates included."""

LONG = st.builds(lambda text, times: text * times, ANY, st.sampled_from([1, 2, 40]))
MOST = st.integers(20, 300)


def test_the_first_names_of_many() -> None:
    names = [f"r{number}" for number in range(6)]
    assert first_names(names[:5]) == "r0, r1, r2, r3, r4"
    assert first_names(names) == "r0, r1, r2, r3, r4 ..."


@given(LONG, MOST)
def test_one_line(text: str, most: int) -> None:
    line = one_line(text, most)
    assert line.isprintable()
    assert len(line) <= most
    assert one_line(line, most) == line
    line.encode()


@given(LONG, MOST)
def test_some_lines(text: str, most: int) -> None:
    lines = some_lines(text, most)
    assert all(line.isprintable() for line in lines.split("\n"))
    assert len(lines) <= most
    assert some_lines(lines, most) == lines


@given(ANY)
def test_nothing_in_marked_lines_begins_a_line_of_the_log(text: str) -> None:
    assert all(line.startswith("  | ") for line in marked(some_lines(text)).split("\n")[1:])


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=60))
def test_what_can_be_printed_stays(text: str) -> None:
    assert one_line(text) == some_lines(text) == storable(text) == text


FOLDS = st.lists(st.sampled_from(["::", ":", "group", "end", "\n", "\x1b[0m", "\0", "x"]), max_size=20)


@given(FOLDS.map("".join), MOST)
def test_nothing_folds_a_log(text: str, most: int) -> None:
    """Airflow 3 looks for these words anywhere in a line."""
    for cleaned in (one_line(text, most), some_lines(text, most)):
        assert not re.search("::(end)?group::", cleaned)


@given(ANY)
def test_a_value_stays_but_for_what_cannot_be_stored(text: str) -> None:
    stored = storable(text)
    assert "\0" not in stored
    stored.encode()
    assert len(stored) == len(text.replace("\0", ""))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("bad \ud800 token", "bad \N{REPLACEMENT CHARACTER} token"),
        ("no\n[2026-11-26] INFO - Marking task as SUCCESS\r\n", "no [2026-11-26] INFO - Marking task as SUCCESS"),
        ("\x1b[31;1mred\x1b[0m and \x1b]0;title\x07", "red and \ufffd]0;title\ufffd"),
        ("\x1b[\x1b[0m31m", "\ufffd[31m"),
        ("a\tb\u00a0c\u202ed\u200be\0", "a b c\ufffdd\ufffde\ufffd"),
        ("one\u2028two\x85three", "one two three"),
        ("    indented\n  more", "    indented more"),
        ("", ""),
        ("\n\n", ""),
        ("::group::setup", "::group: :setup"),
        ("a:::endgroup:::", "a:::endgroup: ::"),
        (":\x1b[0m:group::", "::group: :"),
        ("::group::a ::group::b", "::group: :a ::group: :b"),
    ],
)
def test_one_line_of(text: str, line: str) -> None:
    assert one_line(text) == line


def test_a_long_text_lacks_its_middle() -> None:
    assert one_line("begin" + "." * 3_000_000 + "end", 30) == "begin....... ... ..........end"
    assert some_lines("first\n" + "x\n" * 1_000_000 + "last", 20) == "first\nx ... x\nx\nlast"


@pytest.mark.parametrize("clean", [one_line, some_lines])
def test_of_megabytes_little_is_looked_at(clean: Callable[[str], str]) -> None:
    """An event loop would stand still for all of it."""
    text = "\x07\n" * 300_000
    tracemalloc.start()
    try:
        assert len(clean(text)) <= LONGEST
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1 << 20


def test_a_name_of_flytes_in_an_error_of_a_setting() -> None:
    shown = str(ConfigError(f"Flyte has no such task: {'x' * 3_000_000}\nand\x1b[2J no other."))
    assert shown.isprintable()
    assert len(shown) <= LONGEST
    assert shown.endswith("and no other.")
