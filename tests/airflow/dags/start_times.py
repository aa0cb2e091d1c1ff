"""A DAG whose runs are told when they started: by default, by a template, mapped, and from inside another task."""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk import DAG, task
except ImportError:
    from airflow import DAG
    from airflow.decorators import task  # type: ignore[attr-defined, no-redef]

from airflow_provider_flyte.operators import FlyteRunOperator

ARGUMENTS: dict[str, Any] = {"task_name": "demo.train", "poll_interval": 0.2, "resume_after": 0}

with DAG(dag_id="start_times", schedule=None) as dag:
    FlyteRunOperator(task_id="processed", deferrable=True, **ARGUMENTS)
    FlyteRunOperator(
        task_id="templated", run_start_time="{{ dag_run.logical_date + macros.timedelta(hours=1) }}", **ARGUMENTS
    )
    FlyteRunOperator.partial(task_id="mapped", **ARGUMENTS).expand(
        run_start_time=["2026-01-01T02:00:00", "{{ dag_run.logical_date + macros.timedelta(hours=3) }}"]
    )

    @task
    def inside(**context: Any) -> None:
        FlyteRunOperator(task_id="train", **ARGUMENTS).execute(context)  # type: ignore[arg-type]

    inside()
