"""What came after the first waits, where this Airflow has it; ``test_features.py`` says what each version lacks."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import airflow
from airflow import DAG

from airflow_provider_flyte.assets import flyte_asset
from airflow_provider_flyte.conditions import FlyteConditionOperator
from airflow_provider_flyte.decorators import task
from airflow_provider_flyte.sensors import FlyteRunSensor
from airflow_provider_flyte.triggers import FlyteRunsTrigger

VERSION = tuple(map(int, airflow.__version__.split(".")[:2]))
WHEN: dict[str, Any] = {"start_date": datetime(2026, 1, 1, tzinfo=timezone.utc), "catchup": False}

with DAG("matrix_logs", schedule=None, **WHEN):
    FlyteRunSensor(task_id="wait", run_name="logged", deferrable=True, poke_interval=1, stream_logs=True)

with DAG("matrix_function", schedule=None, **WHEN):

    @task.flyte("matrix.function", deferrable=True, poll_interval=1)
    def train(rows: int) -> dict[str, Any]:
        return {"rows": rows}

    @task
    def double(value: int) -> int:
        return 2 * value

    double(train(3)["o0"])  # type: ignore[index]

with DAG("matrix_approvals", schedule=None, **WHEN):
    FlyteRunSensor(task_id="waits", run_name="asks", deferrable=True, poke_interval=1)
    if VERSION >= (3, 1):
        FlyteConditionOperator(task_id="approve", run_name="asks", condition="approve", poll_interval=1)

if VERSION >= (3, 3):
    with DAG("matrix_no_worker", schedule=None, **WHEN):
        FlyteRunSensor(task_id="wait", run_name="no-worker", start_from_trigger=True, end_from_trigger=True)

if VERSION >= (3,):
    from airflow.sdk import AssetWatcher

    watched = {"project": "flytesnacks", "domain": "development", "task_name": "matrix.watched"}
    trigger = FlyteRunsTrigger(**watched, poll_interval=1)
    asset = flyte_asset(**watched, watchers=[AssetWatcher(name="flyte", trigger=trigger)])
    with DAG("matrix_asset", schedule=[asset], **WHEN):

        @task(inlets=[asset])
        def ended(inlet_events: Any = None) -> list[str]:
            return sorted({event.extra.get("payload", event.extra)["run_name"] for event in inlet_events[asset]})

        ended()
