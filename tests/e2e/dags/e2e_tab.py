"""Tasks whose pages have a tab "Flyte": with a run that goes on, that has failed, several mapped ones, and none."""

from __future__ import annotations

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from airflow_provider_flyte.sensors import FlyteRunSensor

with DAG("e2e_tab", schedule=None):
    FlyteRunSensor(task_id="waits", run_name="e2e-tab", deferrable=True, poke_interval=1)
    FlyteRunSensor(task_id="fails", run_name="e2e-tab-failed", retries=0)
    FlyteRunSensor.partial(task_id="mapped").expand(run_names=[["e2e-tab-1", "e2e-tab-2"]])
    EmptyOperator(task_id="other")
