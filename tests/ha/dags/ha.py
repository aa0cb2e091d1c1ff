"""Tasks of every kind that launch Flyte runs or wait for them, and a DAG that runs because runs ended."""

# Here default_args give the task's name.
# mypy: disable-error-code="call-arg"

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow import DAG
from airflow import __version__ as AIRFLOW

from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.sensors import FlyteRunSensor

DEFAULTS: dict[str, Any] = {
    "poll_interval": 1,
    "resume_after": 3,
    "unreachable_after": 300,
    # More than are needed: while API server or database is away each try fails within seconds.
    "retries": 60,
    "retry_delay": timedelta(0),
}
NEWEST = not AIRFLOW.startswith("2.")


def dag(name: str, **arguments: Any) -> DAG:
    return DAG(dag_id=name, max_active_runs=64, max_active_tasks=200, default_args=DEFAULTS, **arguments)


def rows(count: int) -> list[dict[str, int]]:
    return [{"rows": number} for number in range(count)]


def waited_for(*numbers: int) -> list[str]:
    return [f"{{{{ run_id }}}}-{number}" for number in numbers]


with dag("ha_batch", schedule=None):
    FlyteRunOperator.partial(task_id="deferred", task_name="ha.train", deferrable=True).expand(inputs=rows(3))
    FlyteRunOperator.partial(task_id="worker", task_name="ha.train", deferrable=False).expand(inputs=rows(1))
    FlyteRunOperator.partial(task_id="fails_once", task_name="ha.fails_once", deferrable=True).expand(inputs=rows(1))
    FlyteRunSensor.partial(task_id="sensor", deferrable=True).expand(run_name=waited_for(0))
    if NEWEST:
        here: dict[str, Any] = {"start_from_trigger": True, "end_from_trigger": True}
        FlyteRunSensor.partial(task_id="in_triggerer", **here).expand(run_name=waited_for(1))

for count in (24, 100):
    with dag(f"ha_quick_{count}", schedule=None):
        FlyteRunOperator.partial(task_id="worker", task_name="ha.quick", deferrable=False).expand(inputs=rows(count))

if NEWEST:
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import Asset, AssetWatcher

    from airflow_provider_flyte.triggers import FlyteRunsTrigger

    watcher = AssetWatcher(name="flyte", trigger=FlyteRunsTrigger("ha.train", poll_interval=2))
    with DAG("ha_watched", schedule=[Asset("ha_runs", watchers=[watcher])], max_active_runs=1):
        EmptyOperator(task_id="told")
