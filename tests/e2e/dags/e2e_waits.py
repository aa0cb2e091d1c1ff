"""DAGs of the end-to-end tests, one for each way in which a wait may end."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_flyte.sensors import FlyteRunSensor


@task
def use(details: dict[str, Any]) -> dict[str, Any]:
    """What a downstream task sees of the run."""
    return {
        "type": type(details).__name__,
        "name": details["action"]["id"]["run"]["name"],
        "phase": details["action"]["status"]["phase"],
        "envs": details["runSpec"]["envs"]["values"],
    }


@task
def use_all(runs: Iterable[dict[str, Any]]) -> list[str]:
    return [run["action"]["id"]["run"]["name"] for run in runs]


def waiting_dag(name: str, **arguments: Any) -> FlyteRunSensor:
    with DAG(dag_id=f"e2e_{name}", schedule=None):
        return FlyteRunSensor(
            task_id="wait",
            run_name=f"e2e-{name.replace('_', '-')}",
            deferrable=True,
            poke_interval=1,
            retry_delay=timedelta(0),
            **arguments,
        )


deferred = waiting_dag("deferred", pool="waiting")
with deferred.dag:
    use(deferred.output)  # type: ignore[arg-type]  # what a task gets is its value

waiting_dag("connect", flyte_conn_id="flyte_connect")
waiting_dag("failed", retries=2)
# A busy machine takes seconds from the start of a task to its first look: these defer all the same.
waiting_dag("missing", missing_after=20)
waiting_dag("timed_out", timeout=25, retries=2)

for name, count in {"many": 100, "takeover": 8}.items():
    with DAG(dag_id=f"e2e_{name}", schedule=None, default_args={"retries": 2, "retry_delay": timedelta(0)}):
        wait = FlyteRunSensor.partial(task_id="wait", deferrable=True, poke_interval=1).expand(
            run_name=[f"e2e-{name}-{number}" for number in range(count)]
        )
        use_all(wait.output)  # type: ignore[arg-type]
