"""Ten thousand waits leave the event loop to others: they share it with every other trigger."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from airflow_provider_flyte.client import FlyteClient, RunDetails, RunWatcher
from airflow_provider_flyte.client.run_key import ProjectDomain
from airflow_provider_flyte.client.transport.selector import import_all
from airflow_provider_flyte.client.verdict import Outcome, Trouble, WaitRules, WaitState
from airflow_provider_flyte.client.watch.results import WaitResults
from airflow_provider_flyte.client.watch.waits import ProjectWaits, Wait
from airflow_provider_flyte.testing import LocalFlyte, unavailable
from tests.client.conftest import config_for

FEW, MANY = 2_500, 10_000
"""More than one poll takes in each, so that what does not grow with the waits is the same."""

BURST = 2_000
MOST = 0.5
"""How much of what all waits cost may be in one turn of the loop. Measured: a seventh while ten thousand begin."""


@pytest.fixture
def _without_collections() -> Iterator[None]:
    """Python's garbage collector goes through all that the process has, whoever made it."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("_without_collections")
async def test_the_longest_turn_does_not_grow_with_the_waits(local_flyte: LocalFlyte) -> None:
    """Not by what all of them cost at once, by the same processor's time under the same load.

    What holds the loop does so each time; what holds it once in three times is this machine.
    """
    turns: dict[int, dict[str, float]] = {FEW: {}, MANY: {}}
    for attempt in range(3):
        for count, least in turns.items():
            for stage, seconds in (await longest_turns(local_flyte, f"try-{attempt}-of-{count}", count)).items():
                least[stage] = min(seconds, least.get(stage, seconds))
        at_once = MOST * (notified_at_once(MANY) - notified_at_once(FEW))
        grown = {stage: turns[MANY][stage] - turns[FEW][stage] for stage in turns[FEW]}
        if max(grown.values()) <= at_once:
            break
    assert {stage: seconds for stage, seconds in grown.items() if seconds > at_once} == {}


def notified_at_once(count: int) -> float:
    """Seconds of this thread's processor that it takes to tell so many waits of trouble in one go."""
    waits = ProjectWaits()
    lines: list[str] = []
    for number in range(count):
        results = WaitResults(
            rules=WaitRules(), interval=1.0, on_trouble=lines.append, on_progress=None, began=0.0, close=lambda _: None
        )
        wait = Wait(ProjectDomain("p", "d"), f"r{number}", WaitState(absent_since=0.0), results)
        results.take((wait,))
        waits.add(wait)
    before = time.thread_time()
    for name in list(waits.names()):
        for _ in waits.saw(name, Trouble("away"), 1.0):
            pass
    return time.thread_time() - before


async def longest_turns(local_flyte: LocalFlyte, project: str, count: int) -> dict[str, float]:
    """The longest turn of the loop in each stage of so many waits.

    In seconds of this thread's processor, so that neither another process nor the server's threads count.
    """
    for number in range(count):
        local_flyte.run(f"r{number}", project=project).move("RUNNING")
    held: dict[str, float] = {}
    stage = "beginning"
    lines: list[str] = []

    async def beat() -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            held[stage] = max(held.get(stage, 0.0), time.thread_time() - before)

    async def until(true: Callable[[], bool]) -> None:
        while not true():
            await asyncio.sleep(0.01)

    await asyncio.to_thread(import_all)
    config = replace(config_for(local_flyte), project=project)
    async with (
        FlyteClient(config) as client,
        RunWatcher(client, poll_interval=0.2, max_calls_per_second=100) as watcher,
    ):
        await RunDetails.get.aio("r0")
        beating = asyncio.ensure_future(beat())
        waits = []
        for number in range(count):
            waits.append(asyncio.ensure_future(watcher.wait(f"r{number}", on_trouble=lines.append)))
            if number % 100 == 0:
                await asyncio.sleep(0)
        await until(
            lambda: watcher.status.stream_up and not any(each.waits.young.names for each in watcher._projects.values())
        )
        stage = "all is quiet"
        asked = watcher.status.calls
        await until(lambda: watcher.status.calls >= asked + 10)
        stage = "an outage"
        local_flyte.inject("*", unavailable())
        await until(lambda: len(lines) == count)
        stage = "its end"
        local_flyte.clear_faults()
        await until(lambda: len(lines) == 2 * count and watcher.status.stream_up)
        stage = "a burst of ends"
        await asyncio.to_thread(
            lambda: [local_flyte.run(f"r{n}", project=project).move("SUCCEEDED") for n in range(BURST)]
        )
        ended = await asyncio.gather(*waits[:BURST])
        assert {seen.outcome for seen in ended} == {Outcome.SUCCEEDED}
        stage = "everybody leaves"
        for wait in waits:
            wait.cancel()
        beating.cancel()
    return held
