"""The changelog's fragments: what towncrier makes the changelog of, checked without it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TYPES = re.findall(r'^\[\[tool\.towncrier\.type\]\]\ndirectory = "(\w+)"', (ROOT / "pyproject.toml").read_text(), re.M)


def test_every_fragment_has_a_known_type_and_says_something() -> None:
    fragments = [file for file in (ROOT / "changes").iterdir() if file.name not in (".gitignore", "README.md")]
    assert TYPES
    for file in fragments:
        assert re.fullmatch(rf"\+[a-z0-9-]+\.({'|'.join(TYPES)})\.md", file.name), (
            f"changes/{file.name}: name it +what-it-is-about.TYPE.md, with one of {', '.join(TYPES)}"
        )
        text = file.read_text()
        # Each becomes an item of a list.
        assert text.strip(), f"changes/{file.name} is empty"
        assert not re.match(r"\s*[-*#]", text), f"changes/{file.name} begins with a bullet or a heading"


def test_a_first_release_mends_and_changes_nothing() -> None:
    """Nobody has had what it would be compared with."""
    if re.search(r"^## ", (ROOT / "CHANGELOG.md").read_text(), re.M):
        return
    fragments = list((ROOT / "changes").glob("+*.md"))
    assert {file.name.split(".")[1] for file in fragments} <= {"feature", "security"}
    compares = re.compile(r"\b(?:no longer|any ?more|so far|as before|until now)\b", re.I)
    assert [(file.name, found[0]) for file in fragments if (found := compares.search(file.read_text()))] == []


def test_what_is_not_released_stands_in_fragments_alone() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    start = "<!-- towncrier release notes start -->\n"
    assert start in text, "CHANGELOG.md has lost the line after which towncrier puts a release"
    headings = re.findall(r"^## (.*)", text, re.M)
    odd = [each for each in headings if not re.fullmatch(r"\d+\.\d+\.\d+\S* \(\d{4}-\d\d-\d\d\)", each)]
    assert odd == [], "write a file in changes/ instead: CONTRIBUTING.md says how"
    assert not re.search(r"^- ", text.partition(start)[0], re.M), (
        "write a file in changes/ instead: CONTRIBUTING.md says how"
    )
