"""A DAG whose run's name renders differently each time."""

from __future__ import annotations

from airflow import DAG

from airflow_provider_flyte.operators import FlyteRunOperator

with DAG(dag_id="unstable_name", schedule=None) as dag:
    FlyteRunOperator(
        task_id="train",
        task_name="demo.train",
        inputs={"rows": 1},
        run_name="now-{{ macros.time.time_ns() }}",
        deferrable=True,
        poll_interval=0.2,
        resume_after=0,
    )
