"""Tasks with outlets, in every mode: what they wait for and what they launch is told to those who run after them."""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG

from airflow_provider_flyte.assets import flyte_asset
from airflow_provider_flyte.compat import Asset, AssetAlias
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.sensors import FlyteRunSensor

LAUNCHING: dict[str, Any] = {"task_name": "demo.train", "poll_interval": 0.2, "resume_after": 0}
TRAIN = flyte_asset(project="flytesnacks", domain="development", task_name="demo.train")


def own(asset: str) -> Any:
    return lambda context, result=None: context["outlet_events"][Asset(asset)].extra.update(rows=3)


with DAG(dag_id="outlets", schedule=None) as dag:
    for mode in ("poke", "reschedule", "deferred"):
        FlyteRunSensor(
            task_id=mode,
            run_name="waited",
            mode="reschedule" if mode == "reschedule" else "poke",
            deferrable=mode == "deferred",
            poke_interval=1,
            resume_after=0,
            outlets=[Asset(f"x-waited-{mode}")],
            post_execute=own(f"x-waited-{mode}"),
        )
    FlyteRunSensor(task_id="skipped", run_name="failed", soft_fail=True, deferrable=False, outlets=[Asset("x-skipped")])
    FlyteRunOperator(task_id="launched", deferrable=True, outlets=[TRAIN, AssetAlias("x-data")], **LAUNCHING)
    FlyteRunOperator.partial(task_id="mapped", outlets=[Asset("x-mapped")], **LAUNCHING).expand(
        labels=[{"part": "a"}, {"part": "b"}]
    )
