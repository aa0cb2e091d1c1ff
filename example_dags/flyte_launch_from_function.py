"""Launch a Flyte task with inputs that a function returns: what is to be computed, and not only filled in."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

with DAG(dag_id="flyte_launch_from_function", schedule=None, tags=["flyte"]) as dag:

    @task
    def count() -> int:
        return 20_000

    # The function runs on a worker, before the launch, and may use what any @task may: XCom, the context, hooks.
    @task.flyte("train.fit", deferrable=True, retries=2)
    def train(rows: int) -> dict[str, Any]:
        return {"rows": rows, "rate": 0.5 if rows < 10_000 else 0.1}

    @task
    def report(accuracy: float) -> str:
        return f"accuracy {accuracy:.2f}"

    report(train(count())["o0"])
