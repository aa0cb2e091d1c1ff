"""DAG files are parsed all day long: what they import stays light."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = (
    "grpc",
    "google.protobuf",
    "openlineage",
    "airflow.providers.openlineage",
    "airflow_provider_flyte.client.idl",
    "airflow_provider_flyte.testing.server",
)


def loaded_by(module: str) -> list[str]:
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules: list[str] = json.loads(done.stderr.splitlines()[-1])
    assert module in modules
    return modules


@pytest.mark.parametrize(
    "module",
    [
        "operators",
        "sensors",
        "triggers",
        "launched_trigger",
        "links",
        "hooks",
        "wait.shared_watcher",
        "wait.run_wait",
        "provider_info",
        "exceptions",
        "client",
        "tries.identity",
        "testing",
    ],
)
def test_importing_it_loads_neither_grpc_nor_protobuf(module: str) -> None:
    modules = loaded_by(f"airflow_provider_flyte.{module}")
    assert [name for name in modules if name.startswith(HEAVY)] == []


@pytest.mark.parametrize("module", ["client", "client.watch.watcher", "testing.server"])
def test_client_and_local_server_load_no_airflow(module: str) -> None:
    modules = loaded_by(f"airflow_provider_flyte.{module}")
    assert [name for name in modules if name == "airflow" or name.startswith("airflow.")] == []


def test_the_pytest_plugin_loads_pytest_alone() -> None:
    """Every pytest run of every user imports it, before a conftest can set AIRFLOW_HOME."""
    modules = loaded_by("airflow_provider_flyte.testing.pytest_plugin")
    unwanted = ("airflow.", "grpc", "google.", "tenacity", "msgspec")
    assert [name for name in modules if name == "airflow" or name.startswith(unwanted)] == []
