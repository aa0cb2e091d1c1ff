"""Every kind of task that has the button "Flyte run"."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow import DAG

from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.sensors import FlyteRunSensor

with DAG("links", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    quick: dict[str, Any] = {"poke_interval": 0.1, "resume_after": 0, "deferrable": True}
    launch: dict[str, Any] = {"task_name": "demo.train", "poll_interval": 0.1, "resume_after": 0}
    FlyteRunOperator(task_id="launch", deferrable=True, **launch)
    FlyteRunOperator(task_id="launch_on_worker", deferrable=False, **launch)
    FlyteRunOperator.partial(task_id="launch_mapped", deferrable=True, **launch).expand(inputs=[{"n": 1}, {"n": 2}])
    FlyteRunSensor(task_id="wait", run_name="north", **quick)
    FlyteRunSensor(task_id="wait_for_missing", run_name="nowhere", missing_after=0.1, **quick)
    FlyteRunSensor(task_id="wait_for_several", run_names=["south", "north"], **quick)
    FlyteRunSensor.partial(task_id="wait_mapped", **quick).expand(run_name=["north", "south"])
    FlyteRunSensor(task_id="poke", run_name="south", deferrable=False, poke_interval=0.1)
