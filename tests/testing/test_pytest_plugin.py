"""The fixture, in a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PLUGIN = "airflow_provider_flyte.testing.pytest_plugin"


def python(*arguments: str, cwd: Path | None = None) -> str:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ended = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=60, cwd=cwd, env=environment, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_loading_the_plugin_imports_pytest_alone() -> None:
    code = f"""if True:
        import sys, pytest
        before = set(sys.modules)
        import {PLUGIN}
        print(*sorted(set(sys.modules) - before))
        print(*[name for name in ("airflow", "grpc", "google.protobuf") if name in sys.modules])
    """
    imported, heavy = python("-c", code).split("\n")[:2]
    assert imported.split() == ["airflow_provider_flyte", "airflow_provider_flyte.testing", PLUGIN]
    assert heavy == ""


def test_the_fixture_gives_each_test_a_server_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "test_user.py").write_text(
        """
def test_one(local_flyte):
    assert local_flyte.run("r1").phases("SUCCEEDED").phase.name == "SUCCEEDED"
    assert local_flyte.port

def test_two(local_flyte):
    assert local_flyte.runs() == []
"""
    )
    told = python("-W", "error", "-m", "pytest", "-p", PLUGIN, "-p", "no:cacheprovider", "-q", cwd=tmp_path)
    assert "2 passed" in told


def test_the_package_names_the_plugin() -> None:
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    entry_points = project.partition("[project.entry-points.pytest11]\n")[2]
    assert entry_points.startswith(f'airflow_provider_flyte = "{PLUGIN}"\n')
