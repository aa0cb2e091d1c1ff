"""FlyteRunsTrigger on each Airflow 3, driven as by one that does not confirm events: ``run()``, from ``since`` on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_provider_flyte.testing import LocalFlyte
from airflow_provider_flyte.triggers import FlyteRunsTrigger
from tests.support.own_airflow import AIRFLOW

pytestmark = pytest.mark.one_transport("grpc")
PATIENCE = 20.0


def trigger(**arguments: Any) -> Any:
    given: dict[str, Any] = {"task_name": "demo.train", "poll_interval": 0.1}
    return FlyteRunsTrigger(**given | arguments)


@asynccontextmanager
async def events_of(**arguments: Any) -> AsyncIterator[Any]:
    """The payloads of a trigger that was made again from what the database has of it."""
    path, kwargs = trigger(**arguments).serialize()
    assert path == "airflow_provider_flyte.triggers.FlyteRunsTrigger"
    events: Any = FlyteRunsTrigger(**json.loads(json.dumps(kwargs))).run()

    async def next_payload() -> dict[str, Any]:
        payload: dict[str, Any] = (await asyncio.wait_for(anext(events), PATIENCE)).payload
        # As Airflow stores it.
        assert json.loads(json.dumps(payload)) == payload
        return payload

    try:
        yield next_payload
    finally:
        await events.aclose()


@pytest.mark.usefixtures("no_watcher_left")
async def test_it_fires_for_each_end_from_now_on(flyte_default: LocalFlyte) -> None:
    flyte_default.run("before").succeeds()
    flyte_default.run("r1", version="v7").move("RUNNING")
    async with events_of() as next_payload:
        first = asyncio.ensure_future(next_payload())
        await flyte_default.wait_for_call_async("ListRuns", 3)
        flyte_default.run("r1").succeeds()
        payload = await first
    words = ("run_name", "project", "domain", "phase", "task_name", "task_version")
    assert [payload[word] for word in words] == ["r1", "flytesnacks", "development", "SUCCEEDED", "demo.train", "v7"]
    assert datetime.fromisoformat(payload["start_time"]) <= datetime.fromisoformat(payload["end_time"])
    assert payload["id"] == f"flytesnacks/development/r1 {payload['end_time']}"
    assert payload["url"].endswith("/runs/r1")
    assert "labels" not in payload


@pytest.mark.usefixtures("no_watcher_left")
async def test_each_start_begins_at_since_and_ids_tell_what_is_repeated(flyte_default: LocalFlyte) -> None:
    """What ended while no triggerer ran is reported, and again what was: the two lines of docs/assets.md drop it."""
    for name in ("r1", "r2"):
        flyte_default.run(name).succeeds()
    async with events_of(since=timedelta(hours=1)) as next_payload:
        reported = [await next_payload() for _ in range(2)]
    flyte_default.run("r3").succeeds()
    async with events_of(since=timedelta(hours=1)) as next_payload:
        reported += [await next_payload() for _ in range(3)]
    assert [run["run_name"] for run in reported] == ["r1", "r2", "r1", "r2", "r3"]
    done: list[str] = []
    processed = []
    for run in reported:
        if run["id"] not in done:
            done.append(run["id"])
            processed.append(run["run_name"])
    assert processed == ["r1", "r2", "r3"]


@pytest.mark.usefixtures("no_watcher_left")
async def test_without_since_what_ends_while_no_triggerer_runs_is_not_reported(flyte_default: LocalFlyte) -> None:
    for name in ("r1", "r2", "r3"):
        flyte_default.run(name).move("RUNNING")
    async with events_of() as next_payload:
        first = asyncio.ensure_future(next_payload())
        await flyte_default.wait_for_call_async("ListRuns", 3)
        flyte_default.run("r1").succeeds()
        assert (await first)["run_name"] == "r1"
    flyte_default.run("r2").succeeds()
    async with events_of() as next_payload:
        first = asyncio.ensure_future(next_payload())
        await flyte_default.wait_for_call_async("ListRuns", flyte_default.calls.count("ListRuns") + 3)
        flyte_default.run("r3").succeeds()
        assert (await first)["run_name"] == "r3"


def test_only_an_airflow_that_confirms_events_has_its_shared_stream() -> None:
    key = trigger().shared_stream_key()
    assert (key is not None) == (AIRFLOW >= (3, 3))
