"""The workflows call make targets that exist, with no more rights than they need; what a release needs is checked."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from airflow_provider_flyte import __version__

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.M))


def script(name: str) -> Any:
    """A module of scripts/, which are no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    # Where dataclasses look for their own module.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


matrix, release_check = script("matrix"), script("release_check")


def read(file: Path) -> dict[Any, Any]:
    read: dict[Any, Any] = yaml.safe_load(file.read_text())
    return read


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_each_command_is_a_make_target_that_exists(file: Path) -> None:
    called = set()
    for job in read(file)["jobs"].values():
        choices = job.get("strategy", {}).get("matrix", {})
        for step in job["steps"]:
            command = step.get("run", "make install").removeprefix("sudo ")
            if command.startswith("apt-get"):
                continue
            [target] = re.findall(r"^make ([^\s$]+|\$\{\{ matrix\.target \}\})(?: \w+=\S+)*$", command)
            called |= {*choices["target"]} if "matrix" in target and "$" in target else {target}
    assert called <= TARGETS
    assert len(called) > 1


def test_ci_and_workflows_run_the_same_parts() -> None:
    ci = set(re.findall(r"make ([a-z-]+)", (ROOT / ".ci" / "run").read_text())) - {"test"}
    workflows = "".join(file.read_text() for file in WORKFLOWS)
    assert ci <= set(re.findall(r"[a-z]+(?:-[a-z]+)*", workflows))


def test_the_matrix_has_each_airflow_and_python() -> None:
    [tests] = [read(file) for file in WORKFLOWS if file.name == "tests.yml"]
    named = tests["jobs"]["each-airflow"]["strategy"]["matrix"]["environment"]
    assert named == [one.name for one in matrix.ENVIRONMENTS]
    pythons = tests["jobs"]["each-airflow"]["steps"][1]["with"]["python-version"].split()
    assert {*pythons} >= {one.python for one in matrix.ENVIRONMENTS}


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_no_job_may_write_but_to_publish(file: Path) -> None:
    workflow = read(file)
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        rights = job.get("permissions", {})
        assert (name == "publish") == bool(rights)
        assert set(rights) <= {"id-token", "pages"}
        # What is checked out here runs in no job that may publish.
        assert name != "publish" or not [step for step in job["steps"] if "run" in step or "checkout" in step["uses"]]
        # An expression in a command is code of whoever names a branch or a tag; ours come by env.
        commands = " ".join(step.get("run", "") for step in job["steps"])
        assert set(re.findall(r"\$\{\{ (\S+) \}\}", commands)) <= {"matrix.target"}


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_each_action_is_pinned_by_its_commit(file: Path) -> None:
    """A tag can be moved to other code; the comment says which release the commit is of, and updates go by it."""
    used = re.findall(r"uses: (.*)$", file.read_text(), re.M)
    assert used
    for line in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_an_action_has_one_version() -> None:
    used = {line for file in WORKFLOWS for line in re.findall(r"uses: (.*)$", file.read_text(), re.M)}
    assert len({line.partition("@")[0] for line in used}) == len(used)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What a release looks at, with everything that it needs."""
    for name in ("airflow_provider_flyte/__init__.py", "pyproject.toml", "CHANGELOG.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "tests" / "golden", tmp_path / "tests" / "golden")
    (tmp_path / "changes").mkdir()
    with (tmp_path / "CHANGELOG.md").open("a") as changelog:
        changelog.write(f"\n## {__version__} (2026-01-01)\n")
    text = (tmp_path / "pyproject.toml").read_text()
    urls = "".join(f'{name} = "https://flyte.example.com"\n' for name in release_check.ADDRESSES)
    (tmp_path / "pyproject.toml").write_text(text.replace("[project.urls]\n", f"[project.urls]\n{urls}"))
    return tmp_path


def test_a_release_needs_each_file_that_make_golden_writes() -> None:
    newest = max((ROOT / "tests" / "golden").iterdir(), key=lambda folder: tuple(map(int, folder.name.split("."))))
    assert {*release_check.GOLDEN} == {file.name for file in newest.iterdir()}


def test_nothing_is_missing_where_all_is_there(clone: Path) -> None:
    assert release_check.missing(clone, __version__) == []


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
