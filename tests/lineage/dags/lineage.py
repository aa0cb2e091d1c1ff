"""One try of a launch, on a worker and deferred."""

from __future__ import annotations

from datetime import datetime

from airflow import DAG

from airflow_provider_flyte.operators import FlyteRunOperator

with DAG("lineage", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    for name, deferrable in (("worker", False), ("deferred", True)):
        FlyteRunOperator(
            task_id=name,
            task_name="demo.train",
            annotations={"example.com/owner": "data"},
            deferrable=deferrable,
            poll_interval=0.1,
            resume_after=0,
        )
