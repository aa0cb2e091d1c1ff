"""Launch a Flyte task, wait for its run without a worker, and use what it gives in the next task."""

from __future__ import annotations

from airflow.sdk import DAG, task

from airflow_provider_flyte.operators import FlyteRunOperator

with DAG(
    dag_id="flyte_launch",
    schedule=None,
    params={"rows": 1000},
    # Without this a template gives the text "1000", which does not fit an int.
    render_template_as_native_obj=True,
    tags=["flyte"],
) as dag:
    train = FlyteRunOperator(
        task_id="train",
        task_name="train.fit",
        inputs={"rows": "{{ params.rows }}", "rate": 0.1},
        labels={"team": "data"},
        deferrable=True,
        retries=2,
    )

    @task
    def report(accuracy: float) -> str:
        return f"accuracy {accuracy:.2f}"

    # Each output has its own XCom: o0, o1 ...; `outputs` has all, `return_value` the run's details.
    report(train.output["o0"])
