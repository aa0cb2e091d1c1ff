"""FlyteRetryPolicy in a real Airflow: the scheduler goes by its decision, and its reason is where Airflow keeps it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping

import pytest

from tests.support import airflow_database
from tests.support.airflow_process import StandaloneAirflow

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]


def test_what_is_retried_and_why(airflow: StandaloneAirflow, dag_runs: Mapping[str, str]) -> None:
    api, dag_run = airflow.api, dag_runs["e2e_retries"]
    assert api.wait_for_run("e2e_retries", dag_run, timeout=300) == "failed"
    user, system = (api.task("e2e_retries", dag_run, kind) for kind in ("user", "system"))
    assert (user["state"], user["try_number"]) == ("failed", 1)
    assert (system["state"], system["try_number"]) == ("success", 2)
    fails, retries = _decision(airflow, user, 1), _decision(airflow, system, 1)
    assert (fails["action"], retries["action"]) == ("fail", "retry")
    assert fails["reason"].startswith("The error is the run's own code's (USER error), so the task is not retried.")
    assert retries["reason"] == "Flyte or its cluster failed the run (SYSTEM error). The next try is due in 0 s."
    # No page of Airflow 3.3.2 and nothing of its API shows it.
    [kept] = airflow_database.rows(
        airflow,
        "SELECT task_id, try_number, retry_delay_override, retry_reason FROM task_instance_history "
        "WHERE dag_id = 'e2e_retries' AND run_id = :run_id",
        run_id=dag_run,
    )
    assert tuple(kept.values()) == ("system", 1, 0.0, retries["reason"])


def test_airflow_flyte_runs_says_which_try_had_which_run(
    airflow: StandaloneAirflow, dag_runs: Mapping[str, str]
) -> None:
    dag_run = dag_runs["e2e_retries"]
    airflow.api.wait_for_run("e2e_retries", dag_run, timeout=300)
    command = [sys.executable, "-m", "airflow", "flyte", "runs", "e2e_retries", dag_run, "-o", "json"]
    # At DEBUG Airflow itself writes lines to standard output before it reads which command it is.
    environment = airflow.environment() | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [(row["task"], row["try"], row["state"], row["phase"], row["how"]) for row in rows] == [
        ("system", 1, "failed", "FAILED", "launched"),
        ("system", 2, "success", "SUCCEEDED", "launched"),
        ("user", 1, "failed", "FAILED", "launched"),
    ]
    assert len({row["run"] for row in rows}) == 3


def _decision(airflow: StandaloneAirflow, task: dict[str, object], try_number: int) -> dict[str, str]:
    """The line of a try's log that says what the policy has decided."""
    [line] = [line for line in airflow.api.task_log(task, try_number) if line["event"] == "Retry policy decision"]
    return line
