"""Who shares a watcher, how long it stays, and which metrics of it Airflow gets. In virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, RunWatcher
from airflow_provider_flyte.client.errors import Status
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.compat import airflow_stats
from airflow_provider_flyte.exceptions import FlyteConfigurationError
from airflow_provider_flyte.wait import shared_watcher
from airflow_provider_flyte.wait.shared_watcher import Lease
from tests.support.scripted_flyte import Connected, ScriptedFlyte, refusal
from tests.support.virtual_time import until


class Process:
    """A triggerer's process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.loop = asyncio.get_running_loop()
        self.flyte = ScriptedFlyte()
        self.connection = Connected(self.flyte, monkeypatch)
        self.closed: list[FlyteClient] = []
        self.sent: list[tuple[float, str, Any]] = []
        defaults: Any = RunWatcher.__init__.__kwdefaults__
        monkeypatch.setitem(defaults, "clock", lambda: asyncio.get_running_loop().time())
        aclose = FlyteClient.aclose

        async def noting(client: FlyteClient) -> None:
            self.closed.append(client)
            await aclose(client)

        monkeypatch.setattr(FlyteClient, "aclose", noting)

        def send(name: str, value: Any = 1, *args: Any, tags: dict[str, str], **kwargs: Any) -> None:
            assert tags == {"flyte_conn_id": "flyte_default"}
            self.sent.append((self.loop.time(), name, value))

        for kind in ("gauge", "incr"):
            monkeypatch.setattr(airflow_stats(), kind, send, raising=False)

    @property
    def shared(self) -> Any:
        return shared_watcher._of_loop(self.loop).get("flyte_default")

    def gauges(self) -> list[tuple[float, int]]:
        """The gauges of waits that were sent, with their times."""
        return [(at, value) for at, name, value in self.sent if name == "flyte.waits"]


@pytest.fixture
async def process(monkeypatch: pytest.MonkeyPatch, no_watcher_left: None) -> Process:
    return Process(monkeypatch)


async def test_all_triggers_get_the_same_watcher(process: Process) -> None:
    first, second = Lease("flyte_default"), Lease("flyte_default")
    assert (first.ready, process.shared.users) == (None, 2)
    watchers = await asyncio.gather(first.watcher(), second.watcher())
    third = Lease("flyte_default")
    assert third.ready is watchers[0]
    assert {*watchers, await first.watcher(), await third.watcher()} == {watchers[0]}
    assert process.shared.users == 3
    for lease in (first, second, third):
        lease.release()
        # Airflow may close a trigger once more.
        lease.release()
    assert process.shared.users == 0
    assert first.ready is None
    first.retire()
    with pytest.raises(RuntimeError, match="has been released"):
        await first.watcher()


async def test_a_connection_that_could_not_be_read_is_read_again(process: Process) -> None:
    process.connection.change(timeout="soon")
    lease = Lease("flyte_default")
    for _ in range(2):
        with pytest.raises(FlyteConfigurationError):
            await lease.watcher()
    process.connection.change()
    assert await lease.watcher() is lease.ready
    lease.release()


async def test_a_cancelled_caller_takes_the_watcher_from_nobody(process: Process) -> None:
    first, second = Lease("flyte_default"), Lease("flyte_default")
    waiting = [asyncio.ensure_future(lease.watcher()) for lease in (first, second)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    assert await waiting[1] is second.ready
    assert waiting[0].cancelled()
    for lease in (first, second):
        lease.release()


async def test_a_watcher_lingers_until_the_next_trigger_comes(process: Process) -> None:
    lease = Lease("flyte_default")
    watcher = await lease.watcher()
    lease.release()
    await until(40)
    lease = Lease("flyte_default")
    # The timer that was to close it does nothing while triggers use it.
    await until(120)
    assert lease.ready is watcher
    assert process.closed == []
    lease.release()
    await until(179.9)
    assert process.shared.ready is watcher
    await until(180.1)
    assert process.shared is None
    assert len(process.closed) == 1


async def test_a_retired_watcher_serves_those_who_have_it(process: Process) -> None:
    old = Lease("flyte_default")
    watcher = await old.watcher()
    old.retire()
    new = Lease("flyte_default")
    assert await new.watcher() is not watcher
    assert old.ready is watcher
    # Its successor stays.
    old.retire()
    assert process.shared.ready is new.ready
    old.release()
    await until(0.1)
    assert len(process.closed) == 1
    assert process.shared.ready is new.ready
    new.release()


async def test_a_watcher_that_is_closed_while_it_is_made(process: Process) -> None:
    lease = Lease("flyte_default")
    waiting = asyncio.ensure_future(lease.watcher())
    await asyncio.sleep(0)
    process.shared.close()
    await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.cancelled()
    assert (process.shared, lease.ready) == (None, None)
    lease.release()


def test_a_loop_that_is_over_closes_nothing() -> None:
    loop = asyncio.new_event_loop()

    async def lease() -> Lease:
        return Lease("flyte_default")

    leased = loop.run_until_complete(lease())
    loop.close()
    leased.release()


# -- metrics


async def test_metrics_are_sent_every_ten_seconds_while_somebody_waits(process: Process) -> None:
    process.flyte.run("r1", RunPhase.RUNNING)
    lease = Lease("flyte_default")
    watcher = await lease.watcher()
    with watcher.wait_each(["r1"]):
        await until(25)
    lease.release()
    await until(45)
    lease = Lease("flyte_default")
    await until(56)
    assert process.gauges() == [(0.0, 0), (10.0, 1), (20.0, 1), (45.0, 0), (55.0, 0)]
    other = Lease("flyte_default")
    await until(60)
    # A trigger that comes in between changes nothing.
    assert len(process.gauges()) == 5
    for each in (lease, other):
        each.release()
    await until(130)
    # And once at the end.
    assert [at for at, _ in process.gauges()[5:]] == [120.0]
    # Counters hold the increase since the last time.
    calls = sum(value for _, name, value in process.sent if name == "flyte.calls")
    assert calls == len(process.flyte.calls())


# -- another client


async def test_refused_credentials_lead_to_another_client(process: Process) -> None:
    process.flyte.run("r1", RunPhase.RUNNING)
    lease = Lease("flyte_default")
    watcher = await lease.watcher()
    first = process.shared.client
    with watcher.wait_each(["r1"]) as results:
        await until(25)
        # The connection is the same, so no new client helps.
        process.flyte.fails = lambda asked: refusal(Status.UNAUTHENTICATED) if asked.rpc == "ListRuns" else None
        assert (await anext(results)).outcome.value == "unreachable"
    assert (process.shared.client, process.closed) == (first, [])
    for number in (1, 2):
        process.flyte.fails = lambda asked: None
        with watcher.wait_each(["r1"]):
            await until(30 * number)
            process.connection.change(timeout=number)
            seen = len(process.flyte.asked)

            def once(asked: Any, seen: int = seen) -> Exception | None:
                return refusal(Status.UNAUTHENTICATED) if len(process.flyte.asked) == seen + 1 else None

            process.flyte.fails = once
            await until(30 * number + 20)
            assert len(watcher) == 1
        assert len(process.closed) == number
        assert process.shared.client.config.timeout == number
        assert process.shared.client not in process.closed
    assert process.closed[0] is first
    lease.release()
