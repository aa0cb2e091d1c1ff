"""Sensors that start in the triggerer: they end there too, or a worker resumes them."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_flyte.sensors import FlyteRunSensor

HERE: dict[str, Any] = {"start_from_trigger": True, "end_from_trigger": True, "poke_interval": 1}


@task
def name() -> str:
    """What an upstream task gives."""
    return "no-worker-named"


@task
def use(details: dict[str, Any]) -> dict[str, str]:
    """What a downstream task sees of the run."""
    return {"type": type(details).__name__, "name": details["action"]["id"]["run"]["name"]}


# A hundred other tasks want a worker meanwhile.
with DAG(dag_id="e2e_from_trigger", schedule=None, default_args={"priority_weight": 100}):
    named: Any = name()
    ended: Any = FlyteRunSensor(task_id="ends", run_name=named, **HERE).output
    use(ended)
    FlyteRunSensor(task_id="fails", run_name="no-worker-failed", **HERE)
    FlyteRunSensor(task_id="resumes", run_name="no-worker-0", **{**HERE, "end_from_trigger": False})
    FlyteRunSensor.partial(task_id="mapped", params={"run": "no-worker-1"}, **HERE).expand(
        run_name=["no-worker-0", "{{ params.run }}"]
    )
