"""A DAG whose runs get a context: by templates, mapped, and from inside another task."""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk import DAG, task
except ImportError:
    from airflow import DAG
    from airflow.decorators import task  # type: ignore[attr-defined, no-redef]

from airflow_provider_flyte.operators import FlyteRunOperator

ARGUMENTS: dict[str, Any] = {"task_name": "demo.train", "poll_interval": 0.2, "resume_after": 0}

with DAG(dag_id="traced", schedule=None, render_template_as_native_obj=True) as dag:
    FlyteRunOperator(task_id="plain", deferrable=True, **ARGUMENTS)
    FlyteRunOperator(task_id="templated", run_context={"dag": "{{ dag.dag_id }}", "year": "2026"}, **ARGUMENTS)
    FlyteRunOperator(task_id="own", run_context={"traceparent": "{{ dag.dag_id }}"}, **ARGUMENTS)
    FlyteRunOperator.partial(task_id="mapped", **ARGUMENTS).expand(run_context=[{"part": "a"}, {"part": "b"}])

    @task
    def inside(**context: Any) -> None:
        FlyteRunOperator(task_id="train", run_context={"part": "c"}, **ARGUMENTS).execute(context)  # type: ignore[arg-type]

    inside()
