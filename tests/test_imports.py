"""DAG files are parsed all day long: what they import stays light."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version

import pytest

IS_3 = int(version("apache-airflow").split(".")[0]) > 2

HEAVY = (
    "grpc",
    "google.protobuf",
    "httpx",
    "tenacity",
    "msgspec",
    "openlineage",
    "airflow.providers.openlineage",
    "airflow_provider_flyte.client.idl",
    "airflow_provider_flyte.testing.server",
)

OF_A_DAG_FILE = {
    "",
    "arguments",
    "client",
    "client.arguments",
    "client.errors",
    "client.outside",
    "client.literals",
    "client.literals.read_from_text",
    "compat",
    "compat.resumption",
    "compat.ui",
    "compat.versions",
    "connection",
    "connection.fields",
    "exceptions",
    "links",
    "operators",
    "report",
    "report.redaction",
    "sensors",
    "templates",
    "tries",
    "tries.supervisor",
    "wait",
    "wait.from_trigger",
    "wait.sensor_flags",
    "wait.sensor_runs",
}
"""Our modules that a DAG file brings in. All others wait until a task runs."""

OF_SENSORS = {"compat.resumption", "sensors", "wait", "wait.from_trigger", "wait.sensor_flags", "wait.sensor_runs"}

OF_AIRFLOW = {"provider_info", "settings", "client.backoff", "client.watch", "client.watch.pacing"}
"""What Airflow 3 itself brings in with its configuration."""

MAKE_BOTH = """
from datetime import timedelta
FlyteRunOperator(
    task_id="launch", task_name="train.fit", inputs={"x": 1}, env_vars={"A": "1"}, labels={"a": "b"}, deferrable=True,
    poll_interval=timedelta(seconds=7), retry_as="recover", fail_fast_on="user", queued_timeout=600, log_lines=5,
)
FlyteRunSensor(task_id="wait", run_name="{{ params.run }}", deferrable=True, poke_interval=7, missing_after=None)
FlyteRunSensor(task_id="wait_for_both", run_names=["r1", "r2"], wait_for="any", mode="reschedule", timeout=60)
"""


def loaded_after(code: str) -> set[str]:
    """All modules that a process has after this code."""
    code = f"import json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


def loaded_by(module: str) -> set[str]:
    modules = loaded_after(f"import {module}")
    assert module in modules
    return modules


AIRFLOW = f"""
import airflow, airflow.triggers.base
from airflow_provider_flyte.compat import DecoratedOperator, task_decorator_factory
from airflow_provider_flyte.compat import BaseHook, BaseOperator, BaseOperatorLink, BaseSensorOperator, XCom, XComArg
for name in [name for name in sys.modules if name.startswith({HEAVY})]:
    del sys.modules[name]
"""
"""Airflow's own classes, without the libraries that Airflow brings in: whoever imports one of them shows."""


SENSORS = "from airflow_provider_flyte.sensors import FlyteRunSensor"
OPERATORS = "from airflow_provider_flyte.operators import FlyteRunOperator"


@pytest.mark.parametrize(
    "order", [(SENSORS, OPERATORS), (OPERATORS, SENSORS)], ids=["sensors first", "operators first"]
)
def test_a_dag_file_brings_in_the_surface_alone(order: tuple[str, str]) -> None:
    modules = loaded_after("\n".join((*order, MAKE_BOTH)))
    ours = {name for name in modules if name.partition(".")[0] == "airflow_provider_flyte"}
    of_airflow = OF_AIRFLOW if IS_3 else set()
    assert {name.partition(".")[2] for name in ours} == OF_A_DAG_FILE | of_airflow


CONDITION = """
from airflow_provider_flyte.conditions import FlyteConditionOperator
FlyteConditionOperator(task_id="approve", run_name="r1", condition="approve")
"""


@pytest.mark.skipif(not IS_3, reason="Airflow 3.1 asks people")
def test_a_condition_brings_in_no_more_than_an_operator() -> None:
    modules = loaded_after("\n".join((OPERATORS, CONDITION)))
    ours = {name.partition(".")[2] for name in modules if name.partition(".")[0] == "airflow_provider_flyte"}
    assert ours - OF_A_DAG_FILE - OF_AIRFLOW == {"conditions"}


DECORATED = """
@flyte_task("train.fit", deferrable=True)
def fit(rows: int) -> dict[str, int]:
    return {"rows": rows}
fit(3)
"""


def test_a_decorated_function_costs_what_the_operator_does() -> None:
    modules = loaded_after(f"from airflow_provider_flyte.decorators import flyte_task\n{DECORATED}")
    ours = {name.partition(".")[2] for name in modules if name.partition(".")[0] == "airflow_provider_flyte"}
    assert ours - OF_AIRFLOW == (OF_A_DAG_FILE | {"decorators"}) - OF_SENSORS - OF_AIRFLOW


LIGHT = (
    "decorators",
    "operators",
    "sensors",
    "triggers",
    "links",
    "hooks",
    "wait.shared_watcher",
    "wait.run_wait",
    "provider_info",
    "exceptions",
    "client",
    "tries.identity",
    "testing",
)


@pytest.fixture(scope="module")
def heavy_of_each() -> dict[str, list[str]]:
    """The heavy modules that each light one brings in, by itself: a fork of one Airflow for each."""
    code = f"""{AIRFLOW}
import importlib, os
for module in {LIGHT}:
    if not os.fork():
        importlib.import_module("airflow_provider_flyte." + module)
        print(json.dumps([module, [name for name in sys.modules if name.startswith({HEAVY})]]), flush=True)
        os._exit(0)
    os.wait()
"""
    done = subprocess.run(
        [sys.executable, "-c", f"import json, sys\n{code}"], capture_output=True, text=True, check=True
    )
    return dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith('["'))


@pytest.mark.parametrize("module", LIGHT)
def test_importing_it_loads_no_heavy_library(heavy_of_each: dict[str, list[str]], module: str) -> None:
    assert heavy_of_each[module] == []


@pytest.mark.parametrize("module", ["client", "client.watch.watcher", "testing.server"])
def test_client_and_local_server_load_no_airflow(module: str) -> None:
    modules = loaded_by(f"airflow_provider_flyte.{module}")
    assert [name for name in modules if name == "airflow" or name.startswith("airflow.")] == []


def test_the_pytest_plugin_loads_pytest_alone() -> None:
    """Every pytest run of every user imports it, before a conftest can set AIRFLOW_HOME."""
    modules = loaded_by("airflow_provider_flyte.testing.pytest_plugin")
    unwanted = ("airflow.", "grpc", "google.", "tenacity", "msgspec")
    assert [name for name in modules if name == "airflow" or name.startswith(unwanted)] == []
