"""The wheel: what is in it, and that it adds one distribution to a plain Airflow."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def uv(*arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "uv", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    [built] = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_package_and_its_licence(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "airflow_provider_flyte/py.typed" in names
    assert {f"airflow_provider_flyte/plugin/static/tab{ending}" for ending in (".html", ".css", ".js")} <= {*names}
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert any(name.startswith("airflow_provider_flyte/client/idl/workflow/") for name in names)
    assert {name.split("/")[0] for name in names} == {
        "airflow_provider_flyte",
        wheel.name.split("-py3")[0] + ".dist-info",
    }


def test_both_airflows_are_tested_with_the_same_libraries_under_the_client() -> None:
    """Else the client's own tests, which know no Airflow, would have to run with both."""

    def pins(airflow: str) -> dict[str, str]:
        text = (ROOT / "requirements" / f"airflow-{airflow}.txt").read_text()
        return dict(re.findall(r"^([\w-]+)==(\S+)", text, re.MULTILINE))

    here, there = pins("3.3.2"), pins("2.11.2")
    under = ["grpcio", "h2", "httpcore", "httpx", "msgspec", "protobuf", "tenacity"]
    assert {name: here[name] for name in under} == {name: there[name] for name in under}


@pytest.mark.timeout(300)
def test_it_adds_one_distribution_to_a_plain_airflow(wheel: Path, tmp_path: Path) -> None:
    def distributions() -> set[str]:
        return {one["name"] for one in json.loads(uv("pip", "list", "--python", python, "--format", "json"))}

    python = tmp_path / "venv" / "bin" / "python"
    uv("venv", "--python", sys.executable, tmp_path / "venv")
    airflow = version("apache-airflow")
    pins = ROOT / "requirements" / f"airflow-{airflow}.txt"
    uv("pip", "install", "--python", python, f"apache-airflow=={airflow}", "--constraint", pins)
    before = distributions()
    uv("pip", "install", "--python", python, wheel, "--constraint", pins)
    assert distributions() - before == {"airflow-provider-flyte2"}
    assert before <= distributions()


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
