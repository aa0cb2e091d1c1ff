"""A hundred mapped sensors whose runs end soon after they have deferred, when Airflow's scheduler fails some tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest

from tests.e2e.conftest import MANY, MANY_RUNS
from tests.support.airflow_process import StandaloneAirflow

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def test_all_succeed_without_a_retry(airflow: StandaloneAirflow, dag_runs: Mapping[str, str]) -> None:
    api, dag_run = airflow.api, dag_runs["e2e_many"]
    ended = api.wait_for_run("e2e_many", dag_run, timeout=240)
    tasks = api.tasks("e2e_many", dag_run, "wait")
    assert Counter((task["state"], task["try_number"]) for task in tasks) == {("success", 1): MANY}, api.describe(
        "e2e_many", dag_run
    )
    assert ended == "success"
    used = api.wait_for_task("e2e_many", dag_run, "use_all", ("success",))
    assert api.xcom(used) == MANY_RUNS
