"""Follow a Flyte schedule: wait for today's run of a task, whatever its name."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_flyte.sensors import FlyteRunSensor

with DAG(dag_id="flyte_wait_scheduled", schedule=None, tags=["flyte"]) as dag:
    # In a DAG with a schedule of its own "{{ data_interval_end | ds }}" is enough; one that is triggered may have none.
    wait = FlyteRunSensor(
        task_id="wait",
        task_name="nightly.load",
        since="{{ (dag_run.data_interval_end or dag_run.run_after) | ds }}",
        deferrable=True,
        timeout=60 * 60,
    )

    @task
    def loaded(details: dict[str, Any]) -> str:
        return f"loaded by {details['action']['id']['run']['name']}"

    loaded(wait.output)
