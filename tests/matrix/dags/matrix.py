"""What ``make matrix`` runs on a whole Airflow of each version."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow import DAG

from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.sensors import FlyteRunSensor

LAUNCH: dict[str, Any] = {"deferrable": True, "poll_interval": 1, "inputs": {"rows": 3}, "retry_delay": timedelta(0)}


def dag(name: str) -> DAG:
    return DAG(dag_id=name, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), catchup=False)


with dag("matrix_waits"):
    for number in range(8):
        FlyteRunSensor(task_id=f"wait_{number}", run_name=f"waited-{number}", deferrable=True, poke_interval=1)

with dag("matrix_retry"):
    FlyteRunOperator(task_id="train", task_name="matrix.fails_once", retries=1, **LAUNCH)

with dag("matrix_mapped"):
    mapped = {key: value for key, value in LAUNCH.items() if key != "inputs"}
    FlyteRunOperator.partial(task_id="train", task_name="matrix.succeeds", retries=1, **mapped).expand(
        inputs=[{"rows": 1}, {"rows": 2}]
    )

for name in ("matrix_marked", "matrix_cleared"):
    with dag(name):
        FlyteRunOperator(task_id="train", task_name=f"{name.replace('_', '.')}", retries=0, **LAUNCH)

with dag("matrix_form"):
    # Project, domain and transport are the connection's.
    for where in ("worker", "triggerer"):
        FlyteRunSensor(
            task_id=f"in_{where}",
            flyte_conn_id="flyte_by_form",
            run_name=f"formed-{where}",
            deferrable=where == "triggerer",
            poke_interval=1,
        )

with dag("matrix_signalled"):
    # Airflow 2.11 has a process beside the task's own one, which watches over it.
    for name in ("int", "quit", "watcher_int", "watcher_quit"):
        FlyteRunOperator(
            task_id=name, task_name=f"matrix.{name}", retries=1, **LAUNCH | {"deferrable": False, "poll_interval": 0.5}
        )
