"""Wait for a run whose name an earlier task knows."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_flyte.sensors import FlyteRunSensor

with DAG(dag_id="flyte_wait_name_from_xcom", schedule=None, tags=["flyte"]) as dag:

    @task
    def launched() -> str:
        """Stands for whatever launches the run, or is told of it by another system."""
        return "ingest-of-today"

    # In a template it would be run_name="{{ ti.xcom_pull(task_ids='launched') }}".
    wait = FlyteRunSensor(task_id="wait", run_name=launched(), deferrable=True, timeout=60 * 60)

    @task
    def written_to(details: dict[str, Any]) -> str:
        return details["action"]["attempts"][-1]["outputs"]["outputUri"]

    written_to(wait.output)
