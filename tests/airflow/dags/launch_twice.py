"""A DAG that launches: by a plain task, by mapped ones, and under a name of the author's."""

from __future__ import annotations

from typing import Any

from airflow import DAG

from airflow_provider_flyte.operators import FlyteRunOperator

ARGUMENTS: dict[str, Any] = {"task_name": "demo.train", "poll_interval": 0.2, "resume_after": 0}

with DAG(dag_id="launch_twice", schedule=None) as dag:
    FlyteRunOperator(task_id="deferred", deferrable=True, inputs={"rows": 1}, **ARGUMENTS)
    FlyteRunOperator.partial(task_id="mapped", deferrable=True, **ARGUMENTS).expand(inputs=[{"rows": 3}, {"rows": 4}])
    FlyteRunOperator(
        task_id="named", deferrable=False, inputs={"rows": 5}, run_name="nightly-{{ dag_run.conf['day'] }}", **ARGUMENTS
    )
