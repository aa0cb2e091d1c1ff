"""Run when a run of a Flyte schedule has succeeded: the schedule stays in Flyte, and what follows is Airflow's.

Needs Airflow 3.3.2. Which task the schedule launches is all that is to be known of it.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, AssetWatcher, task

from airflow_provider_flyte.assets import flyte_asset
from airflow_provider_flyte.triggers import FlyteRunsTrigger

NAMES = {"project": "flytesnacks", "domain": "development", "task_name": "nightly.score"}
scores = flyte_asset(**NAMES, watchers=[AssetWatcher(name="flyte", trigger=FlyteRunsTrigger(**NAMES))])

with DAG("flyte_schedule_ended", schedule=[scores], max_active_runs=1, tags=["flyte"]) as dag:

    @task(inlets=[scores])
    def publish(inlet_events: Any = None, asset_state_store: Any = None) -> list[str]:
        # An event may be told again after a crash, and several may have come since the last DAG run.
        done = asset_state_store.get("done", [])
        events = inlet_events[scores].ascending(False).limit(500)
        # The watcher's have it under "payload"; a task with this asset as an outlet has it as it is.
        ended = [event.extra.get("payload", event.extra) for event in events]
        new = {run["id"]: run["run_name"] for run in ended if run["id"] not in done}
        asset_state_store.set("done", [run["id"] for run in ended])
        return list(new.values())

    publish()
