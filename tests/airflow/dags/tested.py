"""Tasks for ``airflow tasks test``, and operators that are executed inside a task."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow import DAG

from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.sensors import FlyteRunSensor

try:
    from airflow.sdk import task
except ImportError:  # Airflow 2.11
    from airflow.decorators import task  # type: ignore[attr-defined, no-redef]

ARGUMENTS: dict[str, Any] = {"task_name": "demo.train", "poll_interval": 0.2, "resume_after": 0}

with DAG(dag_id="tested", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)) as dag:
    FlyteRunOperator(task_id="launched", deferrable=False, inputs={"rows": 1}, **ARGUMENTS)
    FlyteRunOperator(task_id="deferred", deferrable=True, inputs={"rows": 2}, **ARGUMENTS)
    FlyteRunSensor(task_id="sensor", run_name="nightly", poke_interval=0.2)

    @task
    def inside(**context: Any) -> list[str]:
        # The last one is called as the task that executes it.
        runs = [
            FlyteRunOperator(task_id=name, deferrable=True, inputs={"rows": rows}, **ARGUMENTS).execute(context)  # type: ignore[arg-type]
            for name, rows in (("fit", 3), ("score", 4), ("inside", 5))
        ]
        FlyteRunSensor(task_id="wait", run_name="nightly", deferrable=True, poke_interval=0.2).execute(context)  # type: ignore[arg-type]
        return [run["action"]["id"]["run"]["name"] for run in runs]

    inside()
