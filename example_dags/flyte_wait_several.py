"""One task waits for several runs: one trigger, one call, and a dict from run name to details."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_flyte.sensors import FlyteRunSensor

with DAG(dag_id="flyte_wait_several", schedule=None, tags=["flyte"], doc_md=__doc__) as dag:

    @task
    def names() -> list[str]:
        return ["region-north", "region-south", "region-west"]

    # fail_fast=False: all may finish, and the error names each that did not succeed.
    wait = FlyteRunSensor(task_id="wait", run_names=names(), fail_fast=False, deferrable=True, timeout=6 * 60 * 60)

    @task
    def slowest(runs: dict[str, dict[str, Any]]) -> str:
        return max(runs, key=lambda name: int(runs[name]["action"]["status"].get("durationMs", 0)))

    slowest(wait.output)
