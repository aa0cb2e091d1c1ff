"""DAGs that run because the example flyte_outlet_launch has written a file: by its alias, by the file's own asset."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Asset, AssetAlias, task

for dag_id, schedule in (
    ("e2e_outlet_alias", AssetAlias("sales_files")),
    # The run knows the address alone, and not the name that DAGs have for it.
    ("e2e_outlet_named", Asset("exported_sales", uri="s3://sales/export.csv")),
):
    with DAG(dag_id, schedule=[schedule]):

        @task
        def read(triggering_asset_events: Any = None) -> list[Any]:
            found = [event for events in triggering_asset_events.values() for event in events]
            return [[event.asset.name, event.asset.uri, event.extra] for event in found]

        read()
