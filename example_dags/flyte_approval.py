"""Ask a person in Airflow what a Flyte run waits for, and go on when that run has ended (Airflow 3.1 and newer)."""

from __future__ import annotations

from airflow.sdk import DAG, task

from airflow_provider_flyte.conditions import FlyteConditionOperator
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.sensors import FlyteRunSensor

with DAG(dag_id="flyte_approval", schedule=None, tags=["flyte"]) as dag:
    # The Flyte task asks by itself: flyte.new_condition("approve", prompt="Publish the model?").
    train = FlyteRunOperator(task_id="train", task_name="models.train", wait=False, retries=2)

    # Stands under Required Actions until somebody has answered there, in Flyte's console, in the tab, or by
    # `airflow flyte signal`.
    approve = FlyteConditionOperator(
        task_id="approve",
        run_name=train.output["run_name"],
        condition="approve",
        response_timeout=24 * 60 * 60,
        default=False,
    )

    # The run goes on with the answer.
    published = FlyteRunSensor(task_id="published", run_name=train.output["run_name"], deferrable=True)

    @task
    def report(asked: dict[str, object]) -> str:
        return f"{asked['prompt']} {'yes' if asked['value'] else 'no'}"

    approve >> published >> report(approve.output)
