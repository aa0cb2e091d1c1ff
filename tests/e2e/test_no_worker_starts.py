"""Sensors that start in the triggerer of a real Airflow: no worker starts for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from airflow_provider_flyte.testing import LocalFlyte
from tests.support.airflow_api import until
from tests.support.airflow_process import StandaloneAirflow

# The first test's time includes Airflow's start.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

DAG = "e2e_from_trigger"


def test_no_worker_has_seen_the_task(
    airflow: StandaloneAirflow, flyte: LocalFlyte, dag_runs: Mapping[str, str]
) -> None:
    api, run = airflow.api, dag_runs[DAG]

    def tasks() -> dict[tuple[str, int], Any]:
        return {(task["task_id"], task["map_index"]): task for task in api.tasks(DAG, run)}

    waiting = [("ends", -1), ("fails", -1), ("resumes", -1), ("mapped", 0), ("mapped", 1)]
    until(
        lambda: all(tasks().get(each, {}).get("state") == "deferred" for each in waiting),
        90,
        "deferred sensors",
        lambda: api.describe(DAG, run),
    )
    assert [tasks()[each]["pid"] for each in waiting] == [None] * 5
    for name in ("no-worker-named", "no-worker-0", "no-worker-1"):
        flyte.run(name).succeeds()
    flyte.run("no-worker-failed").fails(message="no rows")
    api.wait_for_run(DAG, run, timeout=300)
    found = tasks()
    assert [(found[each]["state"], found[each]["try_number"]) for each in waiting] == [
        ("success", 1),
        ("failed", 1),
        ("success", 1),
        ("success", 1),
        ("success", 1),
    ]
    assert [found[each]["pid"] is None for each in waiting] == [True, True, False, True, True]
    assert [found[each]["queued_when"] is None for each in waiting] == [True, True, False, True, True]

    assert api.xcom(found["use", -1]) == {"type": "dict", "name": "no-worker-named"}
    assert [api.xcom(found["mapped", index])["action"]["id"]["run"]["name"] for index in (0, 1)] == [
        "no-worker-0",
        "no-worker-1",
    ]
    log = api.log_text(found["ends", -1])
    assert "Flyte run flytesnacks/development/no-worker-named: SUCCEEDED." in log
    log = api.log_text(found["fails", -1])
    assert "The task fails: FlyteRunFailedForGood: Flyte run flytesnacks/development/no-worker-failed is FAILED" in log
