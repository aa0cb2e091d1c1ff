"""A deferred wait in a real Airflow: what it costs while it waits, and each way in which it ends."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.testing import LocalFlyte, RecordedCall
from tests.e2e.conftest import POOL, SECRET
from tests.support.airflow_api import until
from tests.support.airflow_process import COMPONENTS, StandaloneAirflow

# The first test's time includes Airflow's start.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

DEFERRED = "Pausing task as DEFERRED"


def test_the_task_is_deferred_and_its_success_handed_on(
    airflow: StandaloneAirflow, flyte: LocalFlyte, dag_runs: Mapping[str, str]
) -> None:
    api, dag_run = airflow.api, dag_runs["e2e_deferred"]
    wait = api.wait_for_task("e2e_deferred", dag_run, "wait", ("deferred",))
    first_pid = wait["pid"]
    assert first_pid, "the task has not been on a worker"
    # Airflow says DEFERRED a moment before the process ends.
    until(lambda: not airflow.task_processes(wait), 10, "the end of the task's processes")
    slots = api.pool(POOL)
    assert (slots["running_slots"], slots["occupied_slots"], slots["deferred_slots"]) == (0, 0, 1)
    assert api.task("e2e_deferred", dag_run, "wait")["state"] == "deferred"

    flyte.run("e2e-deferred").succeeds()
    wait = api.wait_for_task("e2e_deferred", dag_run, "wait", ("success",))
    use = api.wait_for_task("e2e_deferred", dag_run, "use", ("success",))
    assert wait["try_number"] == 1
    assert api.xcom(use) == {
        "type": "dict",
        "name": "e2e-deferred",
        "phase": "ACTION_PHASE_SUCCEEDED",
        "envs": [{"key": "API_KEY", "value": "***"}],
    }
    assert api.xcom(wait)["action"]["id"]["run"]["name"] == "e2e-deferred"

    log = api.log_text(wait)
    # The triggerer waits for a hundred others at the same time: what it says of them stands in their logs.
    assert set(re.findall(r"(?<!airflow-)e2e-[a-z0-9-]*[a-z0-9]", log)) == {"e2e-deferred"}
    assert "Flyte run flytesnacks/development/e2e-deferred: RUNNING." in log
    assert "Flyte run flytesnacks/development/e2e-deferred: SUCCEEDED." in log
    assert "/v2/domain/development/project/flytesnacks/runs/e2e-deferred" in log


def test_a_wait_through_an_ingress_that_passes_http_alone(
    airflow: StandaloneAirflow, flyte: LocalFlyte, dag_runs: Mapping[str, str]
) -> None:
    """Nothing in the connection says so: it is found out, by the worker and by the triggerer."""
    api, dag_run = airflow.api, dag_runs["e2e_connect"]
    api.wait_for_task("e2e_connect", dag_run, "wait", ("deferred",))
    until(lambda: any("e2e-connect" in _names(call) for call in flyte.calls("ListRuns")), 60, "the trigger's poll")
    flyte.run("e2e-connect").succeeds()
    wait = api.wait_for_task("e2e_connect", dag_run, "wait", ("success",))
    assert wait["try_number"] == 1
    assert api.xcom(wait)["action"]["status"]["phase"] == "ACTION_PHASE_SUCCEEDED"
    log = api.log_text(wait)
    assert "is reached through Connect; gRPC does not pass there (UNAVAILABLE)." in log
    assert "Flyte run flytesnacks/development/e2e-connect: SUCCEEDED." in log
    for call in flyte.calls():
        if "e2e-connect" in _names(call):
            assert call.metadata["connect-protocol-version"] == "1"


def test_values_of_environment_variables_are_nowhere(
    airflow: StandaloneAirflow, flyte: LocalFlyte, dag_runs: Mapping[str, str]
) -> None:
    api, dag_run = airflow.api, dag_runs["e2e_deferred"]
    api.wait_for_run("e2e_deferred", dag_run)
    parts: dict[str, Callable[[Any], Any]] = {"XCom": api.xcom, "log": api.task_log, "task instance": dict}
    shown = {
        f"{part} of {task['task_id']}": json.dumps(read(task))
        for task in api.tasks("e2e_deferred", dag_run)
        for part, read in parts.items()
    }
    # The triggerer logs the event in full.
    shown |= {name: airflow.log_of(name) for name in COMPONENTS}
    assert "API_KEY" in shown["XCom of wait"]
    assert [name for name, text in shown.items() if SECRET in text] == []


def test_a_failed_run_fails_the_task_without_a_retry(
    airflow: StandaloneAirflow, flyte: LocalFlyte, dag_runs: Mapping[str, str]
) -> None:
    api, dag_run = airflow.api, dag_runs["e2e_failed"]
    api.wait_for_task("e2e_failed", dag_run, "wait", ("deferred",))
    flyte.run("e2e-failed").fails(kind="USER", message="no rows in table clicks", attempts=2)
    assert api.wait_for_run("e2e_failed", dag_run) == "failed"
    wait = api.task("e2e_failed", dag_run, "wait")
    assert (wait["state"], wait["try_number"], wait["max_tries"]) == ("failed", 1, 2)
    log = api.log_text(wait)
    assert (
        "FlyteRunFailedForGood: Flyte run flytesnacks/development/e2e-failed is FAILED (USER error) after 2 attempts: "
        in log
    )
    assert "no rows in table clicks" in log
    assert f"http://{flyte.endpoint}/v2/domain/development/project/flytesnacks/runs/e2e-failed" in log
    details = api.xcom(wait)
    assert details["action"]["status"]["phase"] == "ACTION_PHASE_FAILED"
    assert details["action"]["attempts"][-1]["errorInfo"]["message"] == "no rows in table clicks"


def test_a_run_that_does_not_exist_fails_the_task_after_the_grace_period(
    airflow: StandaloneAirflow, dag_runs: Mapping[str, str]
) -> None:
    api, dag_run = airflow.api, dag_runs["e2e_missing"]
    assert api.wait_for_run("e2e_missing", dag_run) == "failed"
    wait = api.task("e2e_missing", dag_run, "wait")
    log = api.log_text(wait)
    assert "FlyteRunMissing: Flyte has no run 'e2e-missing' in project 'flytesnacks', domain 'development'" in log
    assert DEFERRED in log
    assert api.xcom(wait) is None


def test_the_timeout_fails_the_task_without_a_retry_and_leaves_the_run(
    airflow: StandaloneAirflow, flyte: LocalFlyte, dag_runs: Mapping[str, str]
) -> None:
    api, dag_run = airflow.api, dag_runs["e2e_timed_out"]
    assert api.wait_for_run("e2e_timed_out", dag_run) == "failed"
    wait = api.task("e2e_timed_out", dag_run, "wait")
    assert (wait["state"], wait["try_number"], wait["max_tries"]) == ("failed", 1, 2)
    log = api.log_text(wait)
    assert "FlyteRunTimeout: The sensor's timeout of 25 s has passed" in log
    assert DEFERRED in log
    assert api.xcom(wait)["action"]["status"]["phase"] == "ACTION_PHASE_RUNNING"
    assert flyte.run("e2e-timed-out").phase == RunPhase.RUNNING


def _names(call: RecordedCall) -> list[str]:
    """The runs that a poll is about."""
    if call.method.endswith("/ListRuns"):
        return [value for one in call.request.request.filters for value in one.values]
    return [call.request.run_id.name] if call.method.endswith("/GetRunDetails") else []
