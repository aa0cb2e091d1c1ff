"""What lists say of files is there: docs/architecture.md of folders and files, tests/allowed_skips.txt of tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "airflow_provider_flyte"
PAGE = (ROOT / "docs" / "architecture.md").read_text()

ROOMS = dict(re.findall(r"^\| `([\w/]+/)` \| (.+?) \|$", PAGE, re.MULTILINE))


def first_line(folder: Path) -> str:
    return (folder / "__init__.py").read_text().split('"""')[1].split("\n")[0]


def folders() -> dict[str, Path]:
    found = {path.parent for path in PACKAGE.rglob("*.py")} - {PACKAGE}
    return {f"{path.relative_to(PACKAGE)}/": path for path in found if "idl" not in path.relative_to(PACKAGE).parts}


def test_the_map_has_every_folder_and_what_it_is_for() -> None:
    assert {name: first_line(path) for name, path in folders().items()} == ROOMS


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`([\w/]+\.py)`", PAGE))))
def test_a_file_that_the_page_names_is_there(named: str) -> None:
    somewhere = [PACKAGE, PACKAGE / "client", ROOT]
    assert any((folder / named).is_file() for folder in somewhere), named


SKIPS = (ROOT / "tests" / "allowed_skips.txt").read_text().splitlines()


def test_each_test_that_may_be_skipped_is_there_and_has_a_reason() -> None:
    for line in filter(lambda line: not line.startswith("#"), SKIPS):
        node, _, reason = line.partition("  # ")
        file, _, name = node.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text(), node
        assert reason, node
