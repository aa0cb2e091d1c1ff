"""Wait for as many runs as there are: one mapped task each, no worker for any of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_flyte.sensors import FlyteRunSensor

with DAG(dag_id="flyte_wait_mapped", schedule=None, tags=["flyte"]) as dag:

    @task
    def shards() -> list[str]:
        return [f"shard-{number}" for number in range(3)]

    wait = FlyteRunSensor.partial(task_id="wait", deferrable=True, timeout=60 * 60).expand(run_name=shards())

    @task
    def succeeded(runs: Iterable[dict[str, Any]]) -> list[str]:
        return [run["action"]["id"]["run"]["name"] for run in runs]

    succeeded(wait.output)
