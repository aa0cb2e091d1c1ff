"""Tasks on a worker and deferred, and one that takes what they give."""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk import DAG, task
except ImportError:
    from airflow import DAG
    from airflow.decorators import task  # type: ignore[attr-defined, no-redef]

from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.sensors import FlyteRunSensor

ARGUMENTS: dict[str, Any] = {"task_name": "demo.train", "poll_interval": 0.2, "resume_after": 0}

with DAG("elsewhere", schedule=None) as dag:
    worker: Any = FlyteRunOperator(task_id="worker", deferrable=False, **ARGUMENTS)
    deferred = FlyteRunOperator(task_id="deferred", deferrable=True, **ARGUMENTS)
    poke = FlyteRunSensor(task_id="poke", run_name="r1", deferrable=False, poke_interval=0.2)

    @task
    def pull(value: int, name: str) -> str:
        """Take one task's output and name."""
        return f"{value} of {name}"

    worker >> deferred >> poke >> pull(worker.output["o0"], worker.output["run_name"])
