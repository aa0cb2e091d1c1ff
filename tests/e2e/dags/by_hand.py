"""A wait through each connection that the test of the form sets up by hand."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_flyte.sensors import FlyteRunSensor

with DAG(dag_id="by_hand", schedule=None):
    for authentication in ("none", "api_key", "client_credentials", "token", "token_file"):
        FlyteRunSensor(
            task_id=authentication,
            run_name="by-hand",
            flyte_conn_id=f"flyte_{authentication}",
            deferrable=True,
            poke_interval=1,
            retry_delay=timedelta(0),
        )
