"""Go on without a run that is nice to have: if it fails, is missing or takes too long, its task is skipped."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_flyte.sensors import FlyteRunSensor

with DAG(dag_id="flyte_wait_soft_fail", schedule=None, tags=["flyte"]) as dag:
    wait = FlyteRunSensor(
        task_id="wait",
        run_name="optional-forecast",
        deferrable=True,
        soft_fail=True,
        timeout=30 * 60,
    )

    @task
    def publish(details: dict[str, Any]) -> str:
        return details["action"]["id"]["run"]["name"]

    # A skipped run's details are in XCom too.
    @task(trigger_rule="all_done")
    def note(details: dict[str, Any] | None) -> str:
        return details["action"]["status"]["phase"] if details else "no such run"

    publish(wait.output)
    note(wait.output)
