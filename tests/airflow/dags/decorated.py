"""A DAG whose Flyte runs get their inputs from functions: of XComs and the context, mapped, in a group, overridden."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow import DAG

try:
    from airflow.sdk import task_group
except ImportError:
    from airflow.decorators import task_group  # type: ignore[attr-defined,no-redef]

from airflow_provider_flyte.decorators import task

FAST = {"poll_interval": 0.2, "resume_after": 0}

with DAG(dag_id="decorated", schedule=None, params={"rate": "0.25"}, default_args=FAST) as dag:

    @task
    def rows() -> list[int]:
        return [3, 4]

    @task.flyte("demo.train", deferrable=True, env_vars={"PASSWORD": "{{ 'correct' }}-horse"})
    def deferred(rows: list[int], *, rate: str, logical_date: datetime | None = None) -> dict[str, Any]:
        return {"rows": rows[0], "day": logical_date, "text": f"{rate} {{{{ ds }}}}"}

    @task.flyte("demo.train", inputs={"text": "{{ ds }}"}, labels={"team": "a"})
    def mapped(rows: int, offset: int) -> dict[str, Any]:
        return {"rows": rows + offset}

    @task_group
    def group(rows: int) -> None:
        @task.flyte("demo.train", deferrable=True)
        def grouped(rows: int) -> dict[str, Any]:
            return {"rows": rows}

        grouped(rows)

    found: Any = rows()
    first: Any = deferred(found, rate="{{ params.rate }}")
    mapped.partial(offset=10).expand(rows=found)
    mapped.override(task_id="overridden", deferrable=True, do_xcom_push=False)(7, offset=first["o0"])
    group.expand(rows=[20, 30])
