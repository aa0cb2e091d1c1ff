"""Tasks that write their runs' logs and progress into their own: deferred, on a worker, and before a failure."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG

from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.sensors import FlyteRunSensor

LIVE: dict[str, Any] = {"run_name": "e2e-logs", "stream_logs": True, "log_progress": True}

with DAG("e2e_run_logs", schedule=None):
    FlyteRunSensor(task_id="deferred", deferrable=True, poke_interval=1, **LIVE)
    FlyteRunSensor(task_id="worker", poke_interval=1, **LIVE)
    for deferrable in (True, False):
        FlyteRunOperator(
            task_id=f"fails_{'deferred' if deferrable else 'on_worker'}",
            task_name="demo.fails",
            deferrable=deferrable,
            stream_logs=True,
            poll_interval=1,
            retries=0,
        )
