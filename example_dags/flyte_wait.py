"""Wait for a Flyte run without a worker, and use its details in the next task."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_flyte.sensors import FlyteRunSensor

with DAG(dag_id="flyte_wait", schedule=None, params={"run_name": "nightly-training"}, tags=["flyte"]) as dag:
    wait = FlyteRunSensor(
        task_id="wait",
        run_name="{{ params.run_name }}",
        # The task waits in the triggerer, where thousands of waits share one call to Flyte.
        deferrable=True,
        timeout=6 * 60 * 60,
    )

    @task
    def report(details: dict[str, Any]) -> str:
        action = details["action"]
        return f"{action['id']['run']['name']} took {action['status']['durationMs']} ms"

    report(wait.output)
