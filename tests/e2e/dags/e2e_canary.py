"""All that handles a secret: each authentication deferred, a poke, failures, and code that prints what it has."""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_flyte.client import RunDetails
from airflow_provider_flyte.hooks import FlyteHook
from airflow_provider_flyte.sensors import FlyteRunSensor

GOOD = ("api_key", "client_credentials", "token", "token_file", "secret_metadata", "client_private_key")
CONNECTIONS = [f"canary_{name}" for name in GOOD]
log = logging.getLogger("dags.canary")


@task
def show(runs: Any) -> list[str]:
    """What a DAG's author may do to find out what is wrong."""
    for conn_id in CONNECTIONS:
        hook = FlyteHook(conn_id)
        config = hook.get_config()
        with hook.get_client() as client:
            details = RunDetails.get("canary")
        log.warning("%s has %r, client %r, details %r", hook, config, client, details)
        print(conn_id, config, client, vars(config), vars(client))  # noqa: T201
    return [run["action"]["id"]["run"]["name"] for run in runs]


@task
def crash() -> None:
    """Fails inside the client, with the connection in hand."""
    connection = FlyteHook.get_connection("canary_token")
    with FlyteHook(connection.conn_id).get_client():
        RunDetails.get("there-is-no-such-run")


with DAG(dag_id="e2e_canary", schedule=None, default_args={"retries": 0}):
    show(
        FlyteRunSensor.partial(task_id="wait", run_name="canary", deferrable=True, poke_interval=1)
        .expand(flyte_conn_id=CONNECTIONS)
        .output
    )
    FlyteRunSensor(task_id="poke", run_name="canary-poke", poke_interval=1, flyte_conn_id="canary_api_key")
    FlyteRunSensor(
        task_id="failed", run_name="canary-failed", deferrable=True, poke_interval=1, flyte_conn_id="canary_token"
    )
    FlyteRunSensor(task_id="refused", run_name="canary", deferrable=True, flyte_conn_id="canary_refused")
    FlyteRunSensor(task_id="unusable", run_name="canary", flyte_conn_id="canary_unusable")
    crash()
