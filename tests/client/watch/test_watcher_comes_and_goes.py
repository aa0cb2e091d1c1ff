"""Who comes and who goes: what the watcher does for them at once, and what it leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, RunWatcher
from airflow_provider_flyte.client.verdict import Outcome, Trouble
from airflow_provider_flyte.testing import LocalFlyte, delay, status
from tests.client.conftest import config_for
from tests.support.clock import Clock


@pytest.fixture
async def client(local_flyte: LocalFlyte) -> AsyncIterator[FlyteClient]:
    async with FlyteClient(config_for(local_flyte)) as made:
        yield made


class Sleeps:
    """A sleep that nobody wakes from by itself."""

    def __init__(self) -> None:
        self.begun = 0
        self.now = 0

    async def __call__(self, seconds: float) -> None:
        self.begun += 1
        self.now += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.now -= 1


async def turns(count: int = 50) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def tasks() -> set[asyncio.Task[Any]]:
    """All but grpc's own, each of which ends when grpc has noticed that its call was cancelled."""
    return {task for task in asyncio.all_tasks() if "_AioCall" not in repr(task)}


async def asleep(sleeps: Sleeps, count: int = 1) -> None:
    while sleeps.now < count:
        await asyncio.sleep(0.001)


async def no_more_calls(flyte: LocalFlyte) -> int:
    """How many there were, once there were none for a while."""
    before = -1
    while before != (before := flyte.calls.count("ListRuns")):
        await turns(200)
    return before


@pytest.mark.parametrize("stream", [False, True])
async def test_nothing_runs_on_when_the_watcher_is_closed(
    local_flyte: LocalFlyte, client: FlyteClient, stream: bool
) -> None:
    """Its client is closed right after: a task that runs on would use it."""
    local_flyte.run("r1").move("RUNNING")
    local_flyte.run("r2", domain="staging").move("RUNNING")
    others = tasks()
    watcher = RunWatcher(client, stream=stream)
    waits = [asyncio.ensure_future(watcher.wait("r1")), asyncio.ensure_future(watcher.wait("r2", domain="staging"))]
    await local_flyte.wait_for_call_async("ListRuns", 2)
    if stream:
        await local_flyte.wait_for_call_async("WatchRuns", 2)
    await watcher.aclose()
    left = tasks() - others - set(waits)
    assert left == set()
    for wait in waits:
        with pytest.raises(asyncio.CancelledError):
            await wait
    await watcher.aclose()


async def test_nothing_runs_on_of_a_project_that_nobody_waits_in_any_more(
    local_flyte: LocalFlyte, client: FlyteClient
) -> None:
    """Its last poll may be on its way when the watcher is closed."""
    local_flyte.inject("ListRuns", delay(60))
    others = tasks()
    watcher = RunWatcher(client, stream=False)
    wait = asyncio.ensure_future(watcher.wait("r1"))
    await local_flyte.wait_for_call_async("ListRuns")
    wait.cancel()
    await turns()
    assert len(tasks() - others) >= 1
    await watcher.aclose()
    assert tasks() - others == set()


async def test_the_tasks_of_a_project_end_with_its_last_wait(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    local_flyte.run("r1").succeeds()
    others = tasks()
    async with RunWatcher(client) as watcher:
        for _ in range(2):
            assert (await watcher.wait("r1")).outcome is Outcome.SUCCEEDED
            while tasks() - others:
                await asyncio.sleep(0.001)
        assert watcher.status.waits == 0


async def test_one_who_comes_is_asked_for_at_once_and_then_all_sleep(
    local_flyte: LocalFlyte, client: FlyteClient
) -> None:
    sleeps = Sleeps()
    local_flyte.run("r1").move("RUNNING")
    local_flyte.run("r2").move("RUNNING")
    async with RunWatcher(client, stream=False, sleep=sleeps) as watcher:
        first = asyncio.ensure_future(watcher.wait("r1"))
        await asleep(sleeps)
        before = local_flyte.calls.count("ListRuns")
        second = asyncio.ensure_future(watcher.wait("r2"))
        await local_flyte.wait_for_call_async("ListRuns", before + 1)
        while watcher._projects and any(polls.waits.new for polls in watcher._projects.values()):
            await asyncio.sleep(0.001)
        assert await no_more_calls(local_flyte) == before + 1
        # It waits to be woken: what has woken it once does not do so for ever.
        await asleep(sleeps)
        begun = sleeps.begun
        await turns()
        assert sleeps.begun == begun
        assert sleeps.now == 1
        first.cancel()
        second.cancel()


@pytest.mark.parametrize(("interval", "wakes"), [(7.0, False), (5.0, False), (1.0, True)])
async def test_one_who_comes_elsewhere_wakes_the_others_only_for_a_shorter_interval(
    local_flyte: LocalFlyte, client: FlyteClient, interval: float, wakes: bool
) -> None:
    sleeps = Sleeps()
    local_flyte.run("r1").move("RUNNING")
    local_flyte.run("r2", domain="staging").move("RUNNING")
    async with RunWatcher(client, stream=False, sleep=sleeps) as watcher:
        waits = [asyncio.ensure_future(watcher.wait("r1"))]
        await asleep(sleeps)
        begun = sleeps.begun
        waits.append(asyncio.ensure_future(watcher.wait("r2", domain="staging", interval=interval)))
        await asleep(sleeps, 2)
        await turns()
        assert sleeps.begun - begun - 1 == wakes
        for each in waits:
            each.cancel()


async def test_the_pace_is_that_of_those_who_are_left(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    clock = Clock()
    local_flyte.run("r1").move("RUNNING")
    async with RunWatcher(client, stream=False, clock=clock, sleep=clock.sleep, poll_interval=20.0) as watcher:
        slow = asyncio.ensure_future(watcher.wait("r1"))
        quick = [asyncio.ensure_future(watcher.wait("r1", interval=2.0)) for _ in range(2)]
        while len(clock.slept) < 30:
            await asyncio.sleep(0.001)
        assert max(clock.slept) <= 2.0
        quick[0].cancel()
        await turns()
        seen = len(clock.slept)
        while len(clock.slept) < seen + 5:
            await asyncio.sleep(0.001)
        assert max(clock.slept) <= 2.0
        quick[1].cancel()
        await turns()
        while max(clock.slept) < 15.0:
            await asyncio.sleep(0.001)
        slow.cancel()


async def test_what_was_counted_stays_counted(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    clock = Clock()
    async with RunWatcher(client, stream=False, clock=clock, sleep=clock.sleep) as watcher:
        assert watcher.status.answered_ago is None
        for count in (1, 2, 3):
            local_flyte.run("r1").succeeds()
            await watcher.wait("r1")
            status = watcher.status
            assert (status.ends_by_poll, status.ends_by_stream, status.streams) == (count, 0, 0)
        clock.now += 7
        assert watcher.status.answered_ago == 7
        assert not watcher.status.stream_up
        assert watcher.status.calls == local_flyte.calls.count("ListRuns")


async def test_an_end_that_the_stream_has_sent_is_counted_as_its_own(
    local_flyte: LocalFlyte, client: FlyteClient
) -> None:
    sleeps = Sleeps()
    async with RunWatcher(client, sleep=sleeps) as watcher:
        for count, name in enumerate(("r1", "r2"), 1):
            run = local_flyte.run(name).move("RUNNING")
            waiting = asyncio.ensure_future(watcher.wait(name))
            await local_flyte.wait_for_call_async("WatchRuns", count)
            while not watcher.status.stream_up:
                await asyncio.sleep(0.001)
            await asleep(sleeps)
            run.succeeds()
            await waiting
            status = watcher.status
            assert (status.ends_by_stream, status.ends_by_poll, status.streams) == (count, 0, count)


async def test_a_watcher_that_was_closed_begins_anew(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    """One that broke, too: whoever comes next must not join what has ended."""
    local_flyte.run("r1").move("RUNNING")
    async with RunWatcher(client, stream=False) as watcher:
        first = asyncio.ensure_future(watcher.wait("r1"))
        await local_flyte.wait_for_call_async("ListRuns")
        local_flyte.run("r1").succeeds()
        watcher.close()
        assert watcher.status.waits == 0
        # In the same turn of the loop, before those who were ended have noticed.
        with watcher.wait_each(["r1"]) as results:
            assert (await anext(results)).outcome is Outcome.SUCCEEDED
        with pytest.raises(asyncio.CancelledError):
            await first


# -- another client


@pytest.mark.parametrize(
    ("lasting", "after", "asked"), [(True, 0.0, True), (False, 0.0, False), (False, 29.9, False), (False, 30.0, True)]
)
async def test_when_another_client_is_asked_for(client: FlyteClient, lasting: bool, after: float, asked: bool) -> None:
    clock, trouble, asks = Clock(), Trouble("away", lasting), []

    async def renew() -> FlyteClient | None:
        asks.append(clock.now)
        return None

    watcher = RunWatcher(client, renew=renew, clock=clock, sleep=clock.sleep)
    clock.now += after
    assert await watcher._current.refresh(client, trouble) is False
    assert len(asks) == asked
    # At once it is asked for only where trouble lasts, and else half a minute after the last time.
    await watcher._current.refresh(client, trouble)
    assert len(asks) == asked + (asked and lasting)
    await watcher.aclose()


async def test_those_who_are_late_get_the_client_that_the_first_one_got(client: FlyteClient) -> None:
    asks: list[str] = []
    async with FlyteClient(client.config) as other:

        async def renew() -> FlyteClient | None:
            asks.append("one")
            await asyncio.sleep(0)
            return other

        async with RunWatcher(client, renew=renew) as watcher:
            refused = Trouble("refused", lasting=True)
            assert await asyncio.gather(*(watcher._current.refresh(client, refused) for _ in range(5))) == [True] * 5
            assert asks == ["one"]
            assert watcher._current.client is other
        async with RunWatcher(client) as watcher:
            assert await watcher._current.refresh(client, refused) is False


async def test_the_streams_move_to_the_other_client_too(
    local_flyte: LocalFlyte, protocol: str, client: FlyteClient
) -> None:
    """A stream to the old one may stay open, and tell of nothing."""
    local_flyte.run("r1").move("RUNNING")
    with LocalFlyte(transports=(protocol,)) as moved:
        run = moved.run("r1").move("RUNNING")
        async with FlyteClient(config_for(moved)) as other:

            async def renew() -> FlyteClient | None:
                return other

            async with RunWatcher(client, renew=renew, poll_interval=0.5) as watcher:
                wait = asyncio.ensure_future(watcher.wait("r1"))
                await local_flyte.wait_for_call_async("WatchRuns")
                local_flyte.inject("ListRuns", status("UNAUTHENTICATED", "revoked"))
                await moved.wait_for_call_async("WatchRuns")
                run.succeeds()
                assert (await wait).outcome is Outcome.SUCCEEDED
