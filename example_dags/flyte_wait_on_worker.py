"""Wait for Flyte runs without a triggerer: by poking, and by rescheduling."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_flyte.sensors import FlyteRunSensor

with DAG(dag_id="flyte_wait_on_worker", schedule=None, tags=["flyte"]) as dag:
    # For a run of seconds: the task keeps its worker and looks again and again.
    clean = FlyteRunSensor(
        task_id="clean",
        run_name="hourly-cleaning",
        deferrable=False,
        mode="poke",
        poke_interval=1,
        timeout=10 * 60,
    )
    # For a longer one: the task gives its worker back between two looks. Airflow's scheduler fails some tasks that come
    # back within ten seconds (apache/airflow#66374), so look less often than that.
    score = FlyteRunSensor(
        task_id="score",
        run_name="hourly-scoring",
        deferrable=False,
        mode="reschedule",
        poke_interval=60,
        timeout=2 * 60 * 60,
    )

    @task
    def attempts(*runs: dict[str, Any]) -> list[int]:
        return [run["action"]["status"]["attempts"] for run in runs]

    attempts(clean.output, score.output)
