"""DAGs whose tasks launch Flyte runs; what happens to task and run is up to the tests."""

# Here default_args give the task's name.
# mypy: disable-error-code="call-arg"

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_flyte.operators import FlyteRunOperator

DEFAULTS: dict[str, Any] = {
    "task_name": "demo.train",
    "flyte_conn_id": "{{ dag_run.conf.get('flyte', 'flyte_default') }}",
    "inputs": {"rows": 3},
    "poll_interval": 0.5,
    # A try that the scheduler fails because it resumed early finds its run again.
    "resume_after": 3,
    "unreachable_after": 60,
    # More than are needed: while the API server is away each try fails within seconds.
    "retries": 60,
    "retry_delay": timedelta(0),
}


def dag(name: str, **arguments: Any) -> DAG:
    return DAG(dag_id=name, schedule=None, max_active_runs=64, default_args=DEFAULTS, **arguments)


@task
def use(rows: int, details: dict[str, Any]) -> dict[str, Any]:
    """What a downstream task sees of a run."""
    return {"rows": rows, "is": type(rows).__name__, "name": details["action"]["id"]["run"]["name"]}


@task
def use_all(outputs: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return list(outputs)


with dag("launch_outputs"):
    for where in ("deferred", "worker"):
        launched: Any = FlyteRunOperator(
            task_id=where, deferrable=where == "deferred", env_vars={"API_KEY": "made-up-secret-7c2e"}
        )
        use.override(task_id=f"use_{where}")(launched.output["o0"], launched.output)
    mapped: Any = FlyteRunOperator.partial(
        task_id="mapped", deferrable=True, env_vars={"API_KEY": "made-up-secret-7c2e"}
    ).expand(inputs=[{"rows": 1}, {"rows": 2}])
    use_all(mapped.output["outputs"])

# Of each there is a DAG run for each thing that is done to it.
for where in ("deferred", "worker"):
    deferrable = where == "deferred"
    with dag(f"launch_{where}"):
        FlyteRunOperator(task_id="train", deferrable=deferrable)
    with dag(f"launch_{where}_in_time", dagrun_timeout=timedelta(seconds=30)):
        FlyteRunOperator(task_id="train", deferrable=deferrable)
    # The task does not end when its run does.
    with dag(f"launch_{where}_late"):
        FlyteRunOperator(task_id="train", deferrable=deferrable, poll_interval=600, resume_after=600)

with dag("launch_worker_once"):
    FlyteRunOperator(task_id="train", deferrable=False, retries=0)

with dag("launch_queued"):
    FlyteRunOperator(task_id="train", pool="none_free")
