"""DAGs that run because Flyte runs ended: one processes each once, the other notes what it is told of."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_provider_flyte.triggers import FlyteRunsTrigger

# Airflow makes one trigger of the two.
watched, also_watched = (
    Asset(name, watchers=[AssetWatcher(name="flyte", trigger=FlyteRunsTrigger("e2e.watched", poll_interval=2))])
    for name in ("e2e_watched_runs", "e2e_also_watched_runs")
)

with DAG("e2e_watched", schedule=[watched], max_active_runs=1):

    @task(inlets=[watched])
    def process(inlet_events: Any = None, asset_state_store: Any = None) -> list[str]:
        done = asset_state_store.get("done", [])
        ended = [event.extra["payload"] for event in inlet_events[watched].ascending(False).limit(500)]
        new = {run["id"]: run for run in ended if run["id"] not in done}
        asset_state_store.set("done", (done + list(new))[-500:])
        return [run["run_name"] for run in new.values()]

    process()

with DAG("e2e_also_watched", schedule=[also_watched], max_active_runs=1):

    @task
    def note(triggering_asset_events: Any = None) -> list[str]:
        return [event.extra["payload"]["run_name"] for event in triggering_asset_events[also_watched]]

    note()
