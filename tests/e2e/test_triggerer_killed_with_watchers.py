"""The triggerer dies while it watches Flyte runs for assets: each end reaches the DAGs all the same."""

from __future__ import annotations

import logging
import time
from collections import Counter

import pytest

from airflow_provider_flyte.testing import LocalFlyte
from tests.support import airflow_database
from tests.support.airflow_api import until
from tests.support.airflow_process import StandaloneAirflow

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

log = logging.getLogger(__name__)

NAMES = [f"e2e-watched-{number}" for number in range(50)]
ASSETS = ("e2e_watched_runs", "e2e_also_watched_runs")


def test_each_of_fifty_runs_is_seen(airflow: StandaloneAirflow, flyte: LocalFlyte) -> None:
    api = airflow.api
    api.wait_for_dags("e2e_watched", "e2e_also_watched")
    until(lambda: _lists_of_the_task(flyte), 120, "the first list of new runs", airflow.tails)
    # Runs that end while somebody watches, some of which the next triggerer may repeat.
    for name in NAMES[:20]:
        flyte.run(name, task="e2e.watched").succeeds()
        time.sleep(0.2)
    for name in NAMES[20:30]:
        flyte.run(name, task="e2e.watched").move("RUNNING")
    until(lambda: airflow_database.runs_of_events(airflow, ASSETS[0]), 60, "the first events", airflow.tails)
    for name in NAMES[30:40]:
        flyte.run(name, task="e2e.watched").succeeds()
    airflow.kill("triggerer")
    # Runs that end while nobody does, some of which have begun meanwhile.
    for name in NAMES[20:30]:
        flyte.run(name, task="e2e.watched").succeeds()
    for name in NAMES[40:]:
        flyte.run(name, task="e2e.watched").succeeds()
    airflow.start_component("triggerer")
    until(
        lambda: all(set(airflow_database.runs_of_events(airflow, asset)) == set(NAMES) for asset in ASSETS),
        180,
        "all ends",
        airflow.tails,
    )

    both = [airflow_database.runs_of_events(airflow, asset) for asset in ASSETS]
    assert both[0] == both[1]
    # What was stored but not confirmed when the triggerer died is reported again.
    repeated = [name for name, count in both[0].items() if count > 1]
    log.info("%d of %d ends were reported twice", len(repeated), len(NAMES))
    assert set(repeated) <= set(NAMES[:20] + NAMES[30:40])
    assert max(both[0].values()) <= 2

    until(lambda: len(_returned(airflow, "e2e_watched", "process")) >= len(NAMES), 180, "the DAG", airflow.tails)
    assert Counter(_returned(airflow, "e2e_watched", "process")) == Counter(NAMES)
    assert set(_returned(airflow, "e2e_also_watched", "note")) <= set(NAMES)


def _lists_of_the_task(flyte: LocalFlyte) -> bool:
    """By itself, or together with what other DAGs watch."""
    asked = [call.request for call in flyte.calls("ListRuns")]
    named = [value for each in asked for one in each.request.filters for value in one.values]
    return "e2e.watched" in (*named, *(each.task_name.name for each in asked))


def _returned(airflow: StandaloneAirflow, dag_id: str, task_id: str) -> list[str]:
    api = airflow.api
    runs = [run["dag_run_id"] for run in api.dag_runs(dag_id) if run["state"] == "success"]
    return [name for run in runs for name in api.xcom(api.task(dag_id, run, task_id)) or []]
