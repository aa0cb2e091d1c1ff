"""Each task meets texts that no database takes, on a worker and through the triggerer."""

from __future__ import annotations

from datetime import timedelta

from airflow import DAG

from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.sensors import FlyteRunSensor

with DAG(dag_id="hostile_texts", schedule=None, default_args={"retries": 0, "poll_interval": timedelta(seconds=1)}):
    for how, deferrable in (("worker", False), ("triggerer", True)):
        launched = FlyteRunOperator(task_id=f"launch_{how}", task_name="demo.train", deferrable=deferrable)
        passed_on = FlyteRunOperator(
            task_id=f"pass_on_{how}",
            task_name="demo.takes",
            inputs={"text": f"{{{{ ti.xcom_pull('launch_{how}', key='o0') }}}}"},
            deferrable=deferrable,
        )
        launched >> passed_on
        FlyteRunOperator(task_id=f"fail_{how}", task_name="demo.fails", deferrable=deferrable)
        FlyteRunSensor(task_id=f"see_{how}", run_name="bad", deferrable=deferrable)
        FlyteRunSensor(
            task_id=f"meet_{how}", run_name="r1", flyte_conn_id="stranger", unreachable_after=1, deferrable=deferrable
        )
