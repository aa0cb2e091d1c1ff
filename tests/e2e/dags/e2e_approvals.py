"""A task that waits for a run that asks, and tasks that ask in Airflow for what another run waits for."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_flyte.conditions import FlyteConditionOperator
from airflow_provider_flyte.sensors import FlyteRunSensor

with DAG("e2e_approvals", schedule=None, default_args={"retries": 0}):
    FlyteRunSensor(task_id="waits", run_name="e2e-gated", deferrable=True, poke_interval=1)
    for name in ("publish", "rows", "console"):
        FlyteConditionOperator(task_id=name, run_name="e2e-asks", condition=name, poll_interval=1)
