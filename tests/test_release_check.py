"""What `make release-check` looks for: it finds all where all is there, and says each thing that is missing."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from scripts import release_check

ROOT = Path(__file__).parents[1]

RELEASE = "7.8.9"
"""Not what the code has at the moment, which is no release most of the time."""


def newest_golden() -> Path:
    """What the last release has stored."""
    return max((ROOT / "tests" / "golden").iterdir(), key=lambda folder: tuple(map(int, folder.name.split("."))))


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What a release looks at, with everything that it needs."""
    for name in ("airflow_provider_flyte/__init__.py", "pyproject.toml", "CHANGELOG.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    init = tmp_path / "airflow_provider_flyte" / "__init__.py"
    init.write_text(re.sub('^__version__ = ".*"', f'__version__ = "{RELEASE}"', init.read_text(), flags=re.M))
    shutil.copytree(newest_golden(), tmp_path / "tests" / "golden" / RELEASE)
    (tmp_path / "changes").mkdir()
    with (tmp_path / "CHANGELOG.md").open("a") as changelog:
        changelog.write(f"\n## {RELEASE} (2026-01-01)\n")
    text = (tmp_path / "pyproject.toml").read_text()
    urls = "".join(f'{name} = "https://flyte.example.com"\n' for name in release_check.ADDRESSES)
    (tmp_path / "pyproject.toml").write_text(text.replace("[project.urls]\n", f"[project.urls]\n{urls}"))
    return tmp_path


def test_a_release_needs_each_file_that_make_golden_writes() -> None:
    assert {*release_check.GOLDEN} == {file.name for file in newest_golden().iterdir()}


def test_nothing_is_missing_where_all_is_there(clone: Path) -> None:
    assert release_check.missing(clone, RELEASE) == []


def test_each_thing_that_is_missing_is_said(clone: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", clone)
    (clone / "changes" / "+odd.bugfix.md").write_text("Odd.")
    said = "\n".join(release_check.missing(clone, "9.0"))
    for words in (
        "MAJOR.MINOR.PATCH",
        "another __version__",
        "no section",
        "+odd.bugfix.md",
        "deferrals.json",
        "Source",
    ):
        assert words in said
