"""Tasks that fail before they know a run."""

from __future__ import annotations

from datetime import datetime

from airflow import DAG

from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.sensors import FlyteRunSensor

with DAG("links_without_a_run", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    FlyteRunOperator(task_id="launch", task_name="nowhere.to_be_found")
    FlyteRunSensor(task_id="wait", run_name="{{ params.name }}", params={"name": "Not a name"})
