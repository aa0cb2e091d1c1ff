"""Run when a task of another DAG has launched a Flyte run that has succeeded, and know which: flyte_outlet_launch."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_flyte.assets import flyte_asset

EXPORT = flyte_asset(project="flytesnacks", domain="development", task_name="sales.export")

with DAG(
    dag_id="flyte_outlet_used",
    schedule=[EXPORT],
    # Airflow 2.11 asks for one.
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    tags=["flyte"],
) as dag:

    @task(inlets=[EXPORT])
    def publish(inlet_events: Any = None) -> str:
        events = inlet_events[EXPORT]
        if not events:
            # The DAG was started by hand.
            return "nothing is exported yet"
        # A watcher of the same asset has it under "payload".
        run = events[-1].extra.get("payload", events[-1].extra)
        return f"{run['run_name']} {run['phase']} {run['url']}"

    publish()
