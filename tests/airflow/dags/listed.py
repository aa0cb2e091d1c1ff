"""A DAG whose tasks come to runs in several ways, for ``airflow flyte runs``."""

from __future__ import annotations

from typing import Any

from airflow import DAG

from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.sensors import FlyteRunSensor

ARGUMENTS: dict[str, Any] = {"task_name": "demo.train", "poll_interval": 0.2, "deferrable": False}

with DAG(dag_id="listed", schedule=None) as dag:
    FlyteRunOperator(task_id="again", retries=1, retry_delay=0, inputs={"rows": 1}, **ARGUMENTS)
    FlyteRunOperator(task_id="chosen", run_name="by-hand", inputs={"rows": 2}, **ARGUMENTS)
    FlyteRunOperator.partial(task_id="mapped", **ARGUMENTS).expand(inputs=[{"rows": 3}, {"rows": 4}])
    FlyteRunSensor(task_id="wait", run_name="nightly", poke_interval=0.2)
