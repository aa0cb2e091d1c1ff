"""Launch a run for each of many inputs: one mapped task each, no worker for any of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_flyte.operators import FlyteRunOperator

with DAG(dag_id="flyte_launch_mapped", schedule=None, tags=["flyte"]) as dag:

    @task
    def months() -> list[dict[str, Any]]:
        return [{"month": f"2026-{month:02}-01"} for month in (9, 10, 11)]

    summarize = FlyteRunOperator.partial(
        task_id="summarize",
        task_name="sales.summarize",
        deferrable=True,
        # How many Flyte runs go on at once.
        max_active_tis_per_dagrun=20,
    ).expand(inputs=months())

    @task
    def total(rows: Iterable[int]) -> int:
        return sum(rows)

    total(summarize.output["o0"])
