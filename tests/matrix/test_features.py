"""Live logs, functions that launch, sensors without a worker, runs that start DAGs, the tab, approvals, the commands.

On this environment's version each works in a whole Airflow, or is refused with what to do instead.
"""

from __future__ import annotations

import json
import subprocess
import sys

import httpx
import pytest

from airflow_provider_flyte.conditions import FlyteConditionOperator
from airflow_provider_flyte.exceptions import FlyteArgumentError, FlyteConfigurationError
from airflow_provider_flyte.sensors import FlyteRunSensor
from airflow_provider_flyte.testing import LocalFlyte
from airflow_provider_flyte.triggers import FlyteRunsTrigger
from tests.support.airflow_api import until
from tests.support.airflow_process import USER, StandaloneAirflow
from tests.support.own_airflow import AIRFLOW

pytestmark = pytest.mark.timeout(600)


def test_a_runs_log_while_it_runs(airflow: StandaloneAirflow, flyte: LocalFlyte) -> None:
    run = flyte.run("logged").move("RUNNING").logs("epoch 1")
    run_id = airflow.api.trigger("matrix_logs")
    task = airflow.api.wait_for_task("matrix_logs", run_id, "wait", ("deferred",), timeout=240)
    until(lambda: "Z: epoch 1" in airflow.api.log_text(task), 120, "the line", lambda: airflow.api.log_text(task))
    assert airflow.api.task("matrix_logs", run_id, "wait")["state"] == "deferred"
    run.succeeds()
    assert airflow.api.wait_for_run("matrix_logs", run_id, timeout=240) == "success", airflow.tails()


def test_a_function_that_launches(airflow: StandaloneAirflow, flyte: LocalFlyte) -> None:
    run_id = airflow.api.trigger("matrix_function")
    assert airflow.api.wait_for_run("matrix_function", run_id, timeout=240) == "success", airflow.tails()
    assert airflow.api.xcom(airflow.api.task("matrix_function", run_id, "double")) in (14, "14")


def test_a_sensor_without_a_worker(airflow: StandaloneAirflow, flyte: LocalFlyte) -> None:
    if AIRFLOW < (3, 3):
        with pytest.raises(FlyteConfigurationError, match=r"needs Airflow 3\.3 .*Give deferrable=True instead"):
            FlyteRunSensor(task_id="wait", run_name="no-worker", start_from_trigger=True)
        return
    flyte.run("no-worker").move("RUNNING")
    run_id = airflow.api.trigger("matrix_no_worker")
    airflow.api.wait_for_task("matrix_no_worker", run_id, "wait", ("deferred",), timeout=240)
    flyte.run("no-worker").succeeds()
    assert airflow.api.wait_for_run("matrix_no_worker", run_id, timeout=240) == "success", airflow.tails()
    assert airflow.api.task("matrix_no_worker", run_id, "wait")["pid"] is None


def test_a_dag_that_runs_because_a_run_ended(airflow: StandaloneAirflow, flyte: LocalFlyte) -> None:
    if AIRFLOW < (3,):
        with pytest.raises(FlyteConfigurationError, match=r"needs Airflow 3\.0 or newer"):
            FlyteRunsTrigger(task_name="matrix.watched")
        return
    airflow.api.wait_for_dags("matrix_asset", timeout=120)
    asked = len(flyte.calls("ListRuns"))
    until(
        lambda: any("matrix.watched" in str(call.request) for call in flyte.calls("ListRuns")[asked:]),
        120,
        "the watcher's first list",
        airflow.tails,
    )
    flyte.run("ended-elsewhere", task="matrix.watched").succeeds()
    [run, *_] = until(lambda: airflow.api.dag_runs("matrix_asset"), 120, "a DAG run", airflow.tails)
    assert airflow.api.wait_for_run("matrix_asset", run["dag_run_id"], timeout=240) == "success", airflow.tails()
    assert "ended-elsewhere" in airflow.api.xcom(airflow.api.task("matrix_asset", run["dag_run_id"], "ended"))


def test_the_tab(airflow: StandaloneAirflow) -> None:
    answer = httpx.get(f"{airflow.url}/flyte/tab", trust_env=False, timeout=60)
    if AIRFLOW >= (3, 1):
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/html")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    else:
        assert "default-src 'none'" not in answer.headers.get("content-security-policy", "")


def test_approvals(airflow: StandaloneAirflow, flyte: LocalFlyte) -> None:
    run = flyte.run("asks").move("RUNNING")
    gate, approve = run.condition("gate"), run.condition("approve")
    run_id = airflow.api.trigger("matrix_approvals")
    waits = airflow.api.wait_for_task("matrix_approvals", run_id, "waits", ("deferred",), timeout=240)
    command = f"signal flytesnacks/development/asks {gate.action} VALUE --conn-id flyte_default"
    until(lambda: command in airflow.api.log_text(waits), 120, "what is asked", lambda: airflow.api.log_text(waits))
    if AIRFLOW >= (3, 1):
        asks = airflow.api.wait_for_task("matrix_approvals", run_id, "approve", ("deferred",), timeout=240)
        airflow.api.answer_request(asks, "Approve")
        airflow.api.wait_for_task("matrix_approvals", run_id, "approve", ("success",), timeout=240)
        assert approve.signal.scalar.primitive.boolean is True
        assert USER in str(airflow.api.xcom(asks))
        [shown] = airflow.api.in_tab(waits, "GET", "conditions")["conditions"]
        airflow.api.in_tab(waits, "POST", "answer", shown=shown["shown"], action=shown["action"], value="true")
    else:
        with pytest.raises(FlyteArgumentError, match=r"needs Airflow 3\.1 .*`python -m airflow_provider_flyte signal`"):
            FlyteConditionOperator(task_id="approve", run_name="asks", condition="approve")
        done = call(airflow, "airflow_provider_flyte", *command.replace("VALUE", "true").split())
        assert done.returncode == 0, done.stderr
    assert gate.signal.scalar.primitive.boolean is True
    run.succeeds()
    assert airflow.api.wait_for_run("matrix_approvals", run_id, timeout=240) == "success", airflow.tails()


def call(airflow: StandaloneAirflow, *module: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *module]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=airflow.environment())


@pytest.mark.parametrize("command", ["airflow", "module"])
def test_the_commands(airflow: StandaloneAirflow, flyte: LocalFlyte, command: str) -> None:
    flyte.run("shown").succeeds({"o0": 7})
    module = ["airflow", "flyte"] if command == "airflow" else ["airflow_provider_flyte"]
    done = call(airflow, *module, "show", "shown", "-o", "json")
    if command == "airflow" and AIRFLOW < (3, 2):
        assert done.returncode == 2
        assert "invalid choice: 'flyte'" in done.stderr + done.stdout
        return
    assert done.returncode == 0, done.stderr
    assert "SUCCEEDED" in json.dumps(json.loads(done.stdout))
    assert call(airflow, *module, "check", "flyte_default").returncode == 0
