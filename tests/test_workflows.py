"""Workflows and git hooks run what people run by make; the workflows with no more rights than they need."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from scripts import matrix

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.M))


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


def test_what_a_runner_lacks_fails_its_tests() -> None:
    """Ubuntu's package of Chromium is a snap, with which the tests found no browser and were skipped."""
    text = (ROOT / ".github" / "workflows" / "tests.yml").read_text()
    required = set(re.findall(r"REQUIRE_[A-Z]+", (ROOT / ".ci" / "run").read_text()))
    assert {name for name, value in yaml.safe_load(text)["env"].items() if value == "1"} == required
    installed = " ".join(re.findall(r"apt-get install (.*)", text))
    assert "nginx-light" in installed
    assert "chromium" not in installed
    for job in yaml.safe_load(text)["jobs"].values():
        commands = " ".join(step.get("run", "") for step in job["steps"])
        if re.search(r"make (test-inside|older-grpcio|\$)", commands):
            assert "nginx-light" in commands


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


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_no_upload_is_passed_over(file: Path) -> None:
    """The action takes what is in .run for hidden, and leaves it out with a warning alone."""
    for job in read(file)["jobs"].values():
        for step in job["steps"]:
            said = step.get("with", {})
            if "/upload-artifact@" in step.get("uses", "") and said["path"].startswith("."):
                assert (said.get("include-hidden-files"), said.get("if-no-files-found")) == (True, "error")


def test_git_hooks_run_what_make_check_runs() -> None:
    """From the project's environment, which pins the versions; so they need no network either."""
    made = (ROOT / "Makefile").read_text().partition("\ncheck:")[2].partition("\n\n")[0]
    wanted = re.findall(r"^\t\$\(BIN\)/(.*)$", made, re.M)
    config = (ROOT / ".pre-commit-config.yaml").read_text()
    assert re.findall(r"repo: (\S+)", config) == ["local"]
    # A hook mends where it can, and gets the files that git has.
    options = re.compile(r" (--fix|--force-exclude|--check|\.)(?= |$)")
    hooks = re.findall(r"entry: \.venv/bin/(.*)", config)
    assert [options.sub("", hook) for hook in hooks] == [options.sub("", command) for command in wanted]
