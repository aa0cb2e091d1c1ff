"""FlyteRunsTrigger as the triggerer of an Airflow drives it that confirms events: over Airflow's own shared stream."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_flyte import triggers
from airflow_provider_flyte.exceptions import FlyteArgumentError
from airflow_provider_flyte.testing import LocalFlyte, status
from tests.support.own_airflow import connection_json

pytestmark = [pytest.mark.one_transport("grpc"), pytest.mark.usefixtures("no_watcher_left")]

PATIENCE = 20.0


class Store:
    """Airflow's store of one asset."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.trouble: Exception | None = None
        self.writes = 0

    async def aget(self, key: str) -> Any:
        await asyncio.sleep(0)
        if self.trouble:
            raise self.trouble
        return json.loads(self.kept[key]) if key in self.kept else None

    async def aset(self, key: str, value: Any) -> None:
        await asyncio.sleep(0)
        if self.trouble:
            raise self.trouble
        self.writes += 1
        self.kept[key] = json.dumps(value)

    @property
    def settled(self) -> int:
        """How many ends need not be reported again."""
        return sum(len(json.loads(kept)["settled"]) // 10 for kept in self.kept.values())


class Accessors:
    """The stores of a trigger's assets, as the triggerer injects them."""

    def __init__(self, *stores: Store) -> None:
        self._by_name = {f"asset{number}": store for number, store in enumerate(stores)}
        self._by_uri: dict[str, Store] = {}

    async def aget(self, key: str) -> Any:
        [store] = self._by_name.values()
        return await store.aget(key)


class Triggerer:
    """What Airflow's runner does with a trigger for assets (``TriggerRunner.run_trigger``), with Airflow's manager."""

    def __init__(self, **settings: Any) -> None:
        from airflow.triggers.shared_stream import SharedStreamManager

        self.manager = SharedStreamManager(**settings)
        self.stored: list[dict[str, Any]] = []
        """Payloads of the events in the metadata database."""

        self.stores_events = True
        self._unconfirmed: list[int] = []
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, trigger: Any, *stores: Store) -> None:
        # Made again from what the database has of it.
        path, kwargs = trigger.serialize()
        assert path == "airflow_provider_flyte.triggers.FlyteRunsTrigger"
        again = triggers.FlyteRunsTrigger(**json.loads(json.dumps(kwargs)))
        injected: Any = Accessors(*stores) if stores else None
        again.asset_state_store = injected
        self._tasks.append(asyncio.create_task(self._run(len(self._tasks), again)))

    async def _run(self, number: int, trigger: Any) -> None:
        key = trigger.shared_stream_key()
        stream = self.manager.subscribe(trigger_id=number, trigger=trigger, key=key)
        try:
            async for event in trigger.filter_shared_stream(stream):
                seq = self.manager.bind_pending_event(trigger_id=number, key=key)
                assert seq is not None
                self.stored.append(json.loads(json.dumps(event.payload)))
                self._unconfirmed.append(seq)
                if self.stores_events:
                    self.confirm()
        finally:
            await self.manager.unsubscribe(number, key)

    @property
    def ended(self) -> bool:
        """Whether all triggers have ended."""
        return all(task.done() for task in self._tasks)

    def confirm(self) -> None:
        """Confirm that all events are stored; for all of them, the next turn of the runner's loop."""
        asyncio.get_running_loop().call_later(0.02, self.manager.confirm_persisted, list(self._unconfirmed))
        self._unconfirmed.clear()

    async def until(self, count: int) -> list[str]:
        """Wait for so many events; the names of their runs."""
        await until(lambda: len(self.stored) >= count)
        return [payload["run_name"] for payload in self.stored]

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.manager.stop_all()


@asynccontextmanager
async def triggerer(**settings: Any) -> AsyncIterator[Triggerer]:
    made = Triggerer(**settings)
    try:
        yield made
    finally:
        await made.end()


def trigger(**arguments: Any) -> Any:
    given: dict[str, Any] = {"task_name": "demo.train", "poll_interval": 0.1}
    return triggers.FlyteRunsTrigger(**given | arguments)


async def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_who_goes_on_tells_what_nobody_has_seen_and_nothing_twice(flyte_default: LocalFlyte) -> None:
    """Runs that end while a triggerer runs, while none does, and that are launched and over while none does."""
    store = Store()
    for name in ("r1", "r2", "r3"):
        flyte_default.run(name).move("RUNNING")
    async with triggerer() as first:
        first.start(trigger(), store)
        await flyte_default.wait_for_call_async("ListRuns", 3)
        flyte_default.run("r1").succeeds()
        assert await first.until(1) == ["r1"]
        await until(lambda: store.settled == 1)
    flyte_default.run("r2").succeeds()
    flyte_default.run("r4").succeeds()
    async with triggerer() as second:
        second.start(trigger(), store)
        assert set(await second.until(2)) == {"r2", "r4"}
        flyte_default.run("r3").succeeds()
        assert set(await second.until(3)) == {"r2", "r3", "r4"}


async def test_an_end_that_was_not_stored_is_reported_again(flyte_default: LocalFlyte) -> None:
    store = Store()
    flyte_default.run("r1").move("RUNNING")
    async with triggerer() as first:
        first.stores_events = False
        first.start(trigger(), store)
        await flyte_default.wait_for_call_async("ListRuns", 3)
        flyte_default.run("r1").succeeds()
        await first.until(1)
    async with triggerer() as second:
        second.start(trigger(), store)
        assert await second.until(1) == ["r1"]
        assert second.stored == first.stored


async def test_an_end_that_is_not_confirmed_in_time_ends_the_trigger_and_is_reported_by_the_next(
    flyte_default: LocalFlyte,
) -> None:
    """Airflow starts it again; its database was away for five minutes."""
    store = Store()
    async with triggerer(ack_timeout=0.1) as first:
        first.stores_events = False
        first.start(trigger(), store)
        await until(lambda: store.kept)
        flyte_default.run("r1").succeeds()
        await first.until(1)
        await until(lambda: first.ended)
    async with triggerer() as second:
        second.start(trigger(), store)
        assert await second.until(1) == ["r1"]


async def test_both_of_two_assets_keep_the_state(flyte_default: LocalFlyte) -> None:
    """And where one of them is new, or was away for a while, the newest state counts."""
    one, two = Store(), Store()
    async with triggerer() as first:
        first.start(trigger(), one, two)
        await until(lambda: one.kept and two.kept)
        flyte_default.run("r1").succeeds()
        await first.until(1)
        await until(lambda: one.settled == 1 and two.settled == 1)
    assert one.kept == two.kept
    async with triggerer() as second:
        second.start(trigger(), Store(), two)
        flyte_default.run("r2").succeeds()
        assert await second.until(1) == ["r2"]


async def test_what_one_asset_keeps_is_written_though_another_has_gone(
    flyte_default: LocalFlyte, caplog: pytest.LogCaptureFixture
) -> None:
    """Airflow answers NOT_FOUND for an asset that no DAG has any more."""
    one, two = Store(), Store()
    async with triggerer() as first:
        first.start(trigger(), one, two)
        await until(lambda: one.kept and two.kept)
        one.trouble = RuntimeError("not_found")
        flyte_default.run("r1").succeeds()
        await first.until(1)
        await until(lambda: two.settled == 1)
    assert one.settled == 0
    assert len([record for record in caplog.records if "could not be written" in record.getMessage()]) == 1


async def test_no_more_events_are_under_way_than_a_subscriber_may_leave_unread(
    flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow ends a trigger that leaves 1,024 unread. All of these are on one page; nothing is confirmed at first."""
    from airflow_provider_flyte.wait import confirmed_ends

    monkeypatch.setattr(confirmed_ends, "_MOST_UNCONFIRMED", 20)
    for number in range(100):
        flyte_default.run(f"r{number}").succeeds()
    async with triggerer() as first:
        first.stores_events = False
        first.start(trigger(since="2020-01-01T00:00:00Z"), Store())
        await first.until(20)
        assert len(first.stored) == 20
        first.stores_events = True
        first.confirm()
        assert len(set(await first.until(100))) == 100
    assert len(first.stored) == 100


async def test_a_store_that_fails_for_a_while(
    flyte_default: LocalFlyte, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it has answered nothing is watched, because what was kept is not known; later it is written again."""
    from airflow_provider_flyte.wait import kept_state

    monkeypatch.setattr(kept_state, "_FIRST_PAUSE", 0.05)
    caplog.set_level("INFO")
    store = Store()
    store.trouble = RuntimeError("the API server is away")
    async with triggerer() as first:
        first.start(trigger(), store)
        await until(lambda: "could not be read" in caplog.text)
        assert not flyte_default.calls("ListRuns")
        store.trouble = None
        await until(lambda: store.kept)
        store.trouble = RuntimeError("away again")
        flyte_default.run("r1").succeeds()
        await first.until(1)
        await until(lambda: "could not be written" in caplog.text)
        store.trouble = None
        flyte_default.run("r2").succeeds()
        assert await first.until(2) == ["r1", "r2"]
        await until(lambda: caplog.text.count("answers again for the ends of") == 2)


async def test_a_state_of_another_version_begins_anew(
    flyte_default: LocalFlyte, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store()
    async with triggerer() as first:
        first.start(trigger(), store)
        await until(lambda: store.kept)
    [key] = store.kept
    store.kept[key] = json.dumps({"version": 99})
    async with triggerer() as second:
        second.start(trigger(), store)
        await until(lambda: "cannot be used: it has version 99, this provider reads 1" in caplog.text)
        flyte_default.run("r1").succeeds()
        assert await second.until(1) == ["r1"]


async def test_a_connection_that_is_away_and_a_flyte_that_is_down(
    flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from airflow_provider_flyte.wait import run_ends

    monkeypatch.setattr(run_ends, "_FIRST_PAUSE", 0.05)
    caplog.set_level("INFO")
    stored = os.environ["AIRFLOW_CONN_FLYTE_DEFAULT"]
    monkeypatch.delenv("AIRFLOW_CONN_FLYTE_DEFAULT")
    async with triggerer() as first:
        first.start(trigger(), Store())
        await until(lambda: "There is no Airflow connection 'flyte_default'" in caplog.text)
        flyte_default.inject("*", status("UNAVAILABLE", "no route to Flyte"))
        monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", stored)
        await until(lambda: "No answer from Flyte, still watching: " in caplog.text)
        flyte_default.run("r1").succeeds()
        flyte_default.clear_faults()
        assert await first.until(1) == ["r1"]
    lines = [record.getMessage() for record in caplog.records]
    assert len([line for line in lines if line.startswith("Still to watch")]) == 1
    assert len([line for line in lines if line.startswith("Watching the ends of runs of task demo.train")]) == 1
    assert len([line for line in lines if line.startswith("Flyte answers again after")]) == 1


async def test_a_project_that_the_connection_may_not_be_used_for_is_not_watched(
    flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(flyte_default, allowed_projects="flytesnacks"))
    async with triggerer() as first:
        first.start(trigger(project="secret"), Store())
        await until(lambda: "project 'secret' is not allowed here" in caplog.text)
    assert not flyte_default.calls("ListRuns")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"outcomes": "succeeded"}, "outcomes is 'succeeded'"),
        ({"outcomes": ()}, "outcomes is ()"),
        ({"outcomes": ["missing"]}, r"outcomes is ['missing']"),
        ({"labels": ["team"]}, "labels is ['team']"),
        ({"labels": {"team": 1}}, "labels is {'team': 1}"),
        ({"since": "yesterday"}, "since is 'yesterday'"),
        ({"since": -1}, "since is -1"),
        ({"poll_interval": 0}, "poll_interval is 0"),
        ({"task_name": None}, "task_name is None"),
        ({"project": " "}, "project is ' '"),
        ({"flyte_conn_id": ""}, "flyte_conn_id is ''"),
    ],
)
def test_an_argument_that_makes_no_sense_is_named_when_the_file_is_parsed(
    arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(FlyteArgumentError) as caught:
        trigger(**arguments)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"labels": {"team": "ours", "a": "b"}, "outcomes": {"failed", "succeeded"}},
        {"since": datetime(2026, 11, 27, 9, tzinfo=timezone(timedelta(hours=2)))},
        {"since": timedelta(hours=1), "project": "p", "domain": "d"},
        {"since": "2026-11-27T09:00:00Z"},
        {"since": datetime.min},
    ],
)
def test_airflow_stores_it_and_makes_it_again_the_same(arguments: dict[str, Any]) -> None:
    """Whatever distinguishes two triggers survives; Airflow tells by it whether a DAG's trigger is another one."""
    from airflow.serialization.decoders import smart_decode_trigger_kwargs
    from airflow.serialization.encoders import encode_trigger

    made = trigger(**arguments)
    encoded = json.loads(json.dumps(encode_trigger(made)))
    again = triggers.FlyteRunsTrigger(
        **{name: smart_decode_trigger_kwargs(value) for name, value in encoded["kwargs"].items()}
    )
    assert again.serialize() == made.serialize()
    assert again.shared_stream_key() == made.shared_stream_key()
    path, kwargs = made.serialize()
    assert type(made).hash(path, kwargs) == type(again).hash(path, encoded["kwargs"])
