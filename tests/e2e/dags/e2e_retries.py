"""A DAG whose tasks are retried by what went wrong in Flyte."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.retry_policies import FlyteRetryPolicy

with DAG(dag_id="e2e_retries", schedule=None):
    for kind in ("user", "system"):
        FlyteRunOperator(
            task_id=kind,
            task_name=f"e2e.{kind}",
            deferrable=True,
            poll_interval=1,
            # A hundred other tasks want a worker meanwhile.
            priority_weight=100,
            retries=1,
            retry_delay=timedelta(hours=1),
            retry_policy=FlyteRetryPolicy(system_delay=0),
        )
