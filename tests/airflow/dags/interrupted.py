"""Two DAGs that launch a run and wait for it: on the worker, and in the trigger."""

from __future__ import annotations

from typing import Any

from airflow import DAG

from airflow_provider_flyte.operators import FlyteRunOperator

dags: dict[str, Any] = {}
for where in ("worker", "trigger"):
    with DAG(dag_id=f"interrupted_{where}", schedule=None) as dags[where]:
        FlyteRunOperator(task_id="train", task_name="demo.train", deferrable=where == "trigger", poll_interval=0.2)
for where, dag in dags.items():
    globals()[where] = dag
