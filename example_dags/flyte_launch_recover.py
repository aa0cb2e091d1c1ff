"""Retry a long pipeline only where that helps, keep what it had done, and give up on a run that never starts."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_flyte.operators import FlyteRunOperator

with DAG(dag_id="flyte_launch_recover", schedule=None, tags=["flyte"]) as dag:
    FlyteRunOperator(
        task_id="pipeline",
        task_name="train.pipeline",
        inputs={"since": "2026-11-01", "timeout": timedelta(minutes=30)},
        deferrable=True,
        retries=2,
        retry_delay=timedelta(seconds=30),
        # A retry asks Flyte to keep the actions that had succeeded.
        retry_as="recover",
        # An error of the pipeline's own code would come again.
        fail_fast_on="user",
        # A run that never leaves its queue is aborted, and the next try launches another.
        queued_timeout=15 * 60,
        # Past six hours the run is aborted, and not only waited for no longer.
        execution_timeout=timedelta(hours=6),
        abort_on_timeout=True,
    )
