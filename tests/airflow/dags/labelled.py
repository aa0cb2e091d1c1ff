"""A DAG whose runs get labels: by default, over them by the author, mapped, and from inside another task."""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk import DAG, task
except ImportError:
    from airflow import DAG
    from airflow.decorators import task  # type: ignore[attr-defined, no-redef]

from airflow_provider_flyte.operators import FlyteRunOperator

ARGUMENTS: dict[str, Any] = {"task_name": "demo.train", "poll_interval": 0.2, "resume_after": 0}

with DAG(dag_id="labelled", schedule=None, default_args={"owner": "data"}) as dag:
    FlyteRunOperator(task_id="deferred", deferrable=True, **ARGUMENTS)
    FlyteRunOperator(
        task_id="own", labels={"team": "{{ dag.dag_id }}", "airflow-owner": "finance"}, owner="data team", **ARGUMENTS
    )
    FlyteRunOperator.partial(task_id="mapped", **ARGUMENTS).expand(labels=[{"part": "a"}, {"part": "b"}])

    @task
    def inside(**context: Any) -> None:
        FlyteRunOperator(task_id="train", owner="nobody", **ARGUMENTS).execute(context)  # type: ignore[arg-type]

    inside()
