"""The triggerer dies, and another one takes its waits over. Last, because the other tests' waits would be held up."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from airflow_provider_flyte.testing import LocalFlyte
from tests.support.airflow_api import until
from tests.support.airflow_process import StandaloneAirflow

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

DAG, NAMES = "e2e_takeover", [f"e2e-takeover-{number}" for number in range(8)]


def test_every_run_is_seen_exactly_once(
    airflow: StandaloneAirflow, flyte: LocalFlyte, dag_runs: Mapping[str, str]
) -> None:
    api = airflow.api
    for name in NAMES:
        flyte.run(name).phases("RUNNING")
    dag_run = api.trigger(DAG)
    until(
        lambda: all(_asked_for(flyte, name) for name in NAMES),
        120,
        "a poll of the triggerer for each run",
        lambda: api.describe(DAG, dag_run),
    )
    airflow.kill("triggerer")
    # Some runs end while nobody looks, the others under the eyes of the next triggerer.
    unseen, seen_later = NAMES[:4], NAMES[4:]
    for name in unseen:
        flyte.run(name).succeeds()
    flyte.calls.clear()
    airflow.start_component("triggerer")
    until(
        lambda: all(_asked_for(flyte, name) for name in seen_later),
        120,
        "a poll of the next triggerer",
        lambda: api.describe(DAG, dag_run),
    )
    for name in seen_later:
        flyte.run(name).succeeds()

    assert api.wait_for_run(DAG, dag_run) == "success"
    for task in api.tasks(DAG, dag_run, "wait"):
        log = [str(line["event"]) for line in api.task_log(task)]
        assert task["try_number"] == 1
        assert log.count("Trigger fired event") == 1, log
        assert len([line for line in log if ": SUCCEEDED. " in line]) == 1, log
        # What two triggerers and a worker say of a run stands in the log of the task that waits for it, in no other.
        assert set(re.findall(r"e2e-takeover-\d+", "\n".join(log))) == {NAMES[task["map_index"]]}, log
    assert api.xcom(api.task(DAG, dag_run, "use_all")) == NAMES


def _asked_for(flyte: LocalFlyte, name: str) -> bool:
    return any(name in one.values for call in flyte.calls("ListRuns") for one in call.request.request.filters)
