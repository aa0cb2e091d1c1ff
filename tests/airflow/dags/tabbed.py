"""Tasks with and without a tab "Flyte" that shows something."""

from __future__ import annotations

from datetime import datetime

from airflow import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.sensors import FlyteRunSensor

with DAG("tabbed", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    EmptyOperator(task_id="not_ours")
    FlyteRunOperator(task_id="launch", task_name="demo.train", poll_interval=0.1)
    FlyteRunSensor(task_id="several", run_names=["tab-1", "tab-2"], poke_interval=0.1)
    FlyteRunSensor.partial(task_id="mapped", poke_interval=0.1).expand(run_name=["tab-1", "tab-2"])
    FlyteRunSensor(task_id="templated", run_name="tab-1", flyte_conn_id="flyte_{{ 'default' }}", poke_interval=0.1)
