"""Launch a Flyte task, and have other DAGs run when its run has succeeded: flyte_outlet_used is one."""

from __future__ import annotations

from airflow.sdk import DAG, AssetAlias

from airflow_provider_flyte.assets import flyte_asset
from airflow_provider_flyte.operators import FlyteRunOperator

with DAG(dag_id="flyte_outlet_launch", schedule=None, tags=["flyte"]) as dag:
    FlyteRunOperator(
        task_id="export",
        task_name="sales.export",
        deferrable=True,
        outlets=[
            # Its event says which run it was. DAGs and watchers of the same task name the same asset.
            flyte_asset(project="flytesnacks", domain="development", task_name="sales.export"),
            # Gets an event for each file that the run gives back, of the asset at the file's address.
            AssetAlias("sales_files"),
        ],
    )
