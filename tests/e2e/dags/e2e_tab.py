"""Tasks whose pages have a tab "Flyte": of runs that go on, were launched, have failed, are several, and of none."""

from __future__ import annotations

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.sensors import FlyteRunSensor

with DAG("e2e_tab", schedule=None):
    FlyteRunSensor(task_id="waits", run_name="e2e-tab", deferrable=True, poke_interval=1)
    FlyteRunSensor(task_id="fails", run_name="e2e-tab-failed", retries=0)
    FlyteRunSensor.partial(task_id="mapped").expand(run_names=[["e2e-tab-1", "e2e-tab-2"]])
    FlyteRunOperator(task_id="launches", task_name="e2e.tab", deferrable=True, retries=0)
    EmptyOperator(task_id="other")
