"""Tasks that write the logs of their runs into their own, deferred and on a worker, which their runs fail."""

from __future__ import annotations

from airflow import DAG

from airflow_provider_flyte.operators import FlyteRunOperator

with DAG(dag_id="streams_logs", schedule=None) as dag:
    for deferrable in (True, False):
        FlyteRunOperator(
            task_id="deferred" if deferrable else "on_worker",
            task_name="demo.train",
            deferrable=deferrable,
            stream_logs=True,
            poll_interval=0.5,
            resume_after=0,
        )
