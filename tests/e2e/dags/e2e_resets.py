"""A task that launches, whose DAG run is reset in one way or another, and the DAG that resets it from outside."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG

from airflow_provider_flyte.operators import FlyteRunOperator

# A day of the past, for a backfill; the scheduler itself makes no run for it.
DAY = datetime(2026, 1, 1, tzinfo=timezone.utc)
PAST = {"schedule": "@daily", "start_date": DAY, "end_date": DAY + timedelta(days=1), "catchup": False}

for name in ("e2e_reset", "e2e_made_again", "e2e_reprocessed"):
    with DAG(name, **(PAST if name == "e2e_reprocessed" else {"schedule": None})):
        FlyteRunOperator(
            task_id="train",
            task_name="demo.train",
            flyte_conn_id="flyte_resets",
            deferrable=True,
            poll_interval=0.5,
            resume_after=3,
            retries=0 if name == "e2e_reprocessed" else 1,
            # Long enough to reset it between two tries.
            retry_delay=timedelta(seconds=15),
        )

with DAG("e2e_resetting", schedule=None):
    TriggerDagRunOperator(
        task_id="reset",
        trigger_dag_id="e2e_reset",
        trigger_run_id="{{ dag_run.conf['run_id'] }}",
        reset_dag_run=True,
    )
