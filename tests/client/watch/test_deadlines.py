"""Waits that are over their time: ``timeout`` of RunWatcher.wait_each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, RunWatcher
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.watch.results import WaitResults
from airflow_provider_flyte.testing import LocalFlyte
from tests.client.conftest import config_for


@pytest.fixture
async def watcher(local_flyte: LocalFlyte) -> AsyncIterator[RunWatcher]:
    async with FlyteClient(config_for(local_flyte)) as client, RunWatcher(client) as made:
        yield made


async def names(results: WaitResults) -> list[str]:
    with results:
        return [result.name async for result in results]


async def test_the_iteration_ends_in_time(local_flyte: LocalFlyte, watcher: RunWatcher) -> None:
    local_flyte.run("r1").move("RUNNING")
    local_flyte.run("r2").succeeds()
    began = asyncio.get_running_loop().time()
    found = await names(watcher.wait_each(["r1", "r2"], timeout=1.0))
    assert asyncio.get_running_loop().time() - began >= 1.0
    assert found == ["r2"]
    assert len(watcher) == 0


async def test_each_has_its_own_time_and_all_have_one_timer(
    local_flyte: LocalFlyte, watcher: RunWatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, timers = asyncio.get_running_loop(), []

    def call_at(when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if getattr(callback, "__self__", None) is watcher._deadlines:
            timers.append(when)
        return asyncio.BaseEventLoop.call_at(loop, when, callback, *args, context=context)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "call_at", call_at)
    local_flyte.run("r1").move("RUNNING")
    patient = [asyncio.ensure_future(names(watcher.wait_each(["r1"], timeout=1e5 + each))) for each in range(1000)]
    await asyncio.sleep(0)
    assert len(timers) == 1
    assert await asyncio.gather(*(names(watcher.wait_each(["r1"], timeout=at)) for at in (0.2, 0.1, 0.1))) == [[]] * 3
    assert not any(each.done() for each in patient)
    # Each that was to come before all others, and what was left whenever one had come; a busy machine is late for two.
    assert 1 + 2 + 1 <= len(timers) <= 1 + 2 + 2
    local_flyte.run("r1").succeeds()
    assert await asyncio.gather(*patient) == [["r1"]] * 1000


async def test_those_who_leave_early_leave_room(local_flyte: LocalFlyte, watcher: RunWatcher) -> None:
    """A deadline may be weeks away; what waits for it must not be."""
    local_flyte.run("r1").move("RUNNING")
    stays = watcher.wait_each(["r1"], timeout=3600)
    for number in range(10_000):
        watcher.wait_each(["r1"], timeout=1e6 + number).close()
    assert len(watcher._deadlines._heap) <= 3
    stays.close()
    assert watcher._deadlines._heap == []
    assert watcher._deadlines._timer is None


@pytest.mark.parametrize("first", ["the end", "the timeout"])
async def test_an_end_at_the_last_moment_is_a_result_and_nothing_hangs(
    local_flyte: LocalFlyte, watcher: RunWatcher, first: str
) -> None:
    for name in ("r1", "r2"):
        local_flyte.run(name).move("RUNNING")
    with watcher.wait_each(["r1", "r2"], timeout=3600) as results:
        waiting = asyncio.ensure_future(anext(results))
        await local_flyte.wait_for_call_async("WatchRuns")
        # Both in one turn of the loop.
        steps = [lambda: watcher._on_update(results.waits[0].key, RunPhase.SUCCEEDED), results.expire]
        for step in steps if first == "the end" else reversed(steps):
            step()
        assert (await waiting).name == "r1"
        assert [result async for result in results] == []


async def test_no_timer_stays_when_nobody_waits(local_flyte: LocalFlyte, watcher: RunWatcher) -> None:
    local_flyte.run("r1").succeeds()
    assert await names(watcher.wait_each(["r1"], timeout=3600)) == ["r1"]
    assert watcher._deadlines._timer is None
    assert await names(watcher.wait_each(["r1"], timeout=3600)) == ["r1"]
