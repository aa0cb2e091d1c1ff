"""What somebody who waits holds, hears and gets."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, RunWatcher
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.run_key import ProjectDomain
from airflow_provider_flyte.client.verdict import Outcome, Seen, Trouble, WaitRules, WaitState
from airflow_provider_flyte.client.watch.results import WaitResults
from airflow_provider_flyte.client.watch.waits import ProjectWaits, Wait
from airflow_provider_flyte.testing import LocalFlyte
from tests.client.conftest import config_for

MANY = 500
RUNNING, SUCCEEDED, AWAY = Seen(RunPhase.RUNNING), Seen(RunPhase.SUCCEEDED), Trouble("the server is away")
CALLER: contextvars.ContextVar[str] = contextvars.ContextVar("CALLER")


@pytest.fixture
def new_objects() -> Iterator[Callable[[], int]]:
    """Objects that Python's collector has to look at and that were made since the last call."""

    def count() -> int:
        gc.collect()
        new = len(gc.get_objects())
        gc.freeze()
        return new

    yield count
    gc.unfreeze()


def caller(waits: ProjectWaits, *names: str, on_trouble: Callable[[str], None]) -> WaitResults:
    results = WaitResults(
        rules=WaitRules(),
        interval=5.0,
        on_trouble=on_trouble,
        on_progress=on_trouble,
        began=0.0,
        close=lambda results: None,
    )
    results.take(tuple(Wait(ProjectDomain("p", "d"), name, WaitState(absent_since=0.0), results) for name in names))
    for wait in results.waits:
        waits.add(wait)
    return results


def see(waits: ProjectWaits, observation: Seen | Trouble, now: float) -> None:
    for name in list(waits.names()):
        list(waits.saw(name, observation, now))


async def test_an_outage_leaves_those_who_wait_as_they_are(new_objects: Callable[[], int]) -> None:
    """Whoever is woken waits with new objects: of many thousands, a collection of those alone holds the loop."""
    waits, lines = ProjectWaits(), list[tuple[str, str]]()

    def hear(line: str) -> None:
        lines.append((CALLER.get(), line))

    async def one(name: str) -> Outcome:
        CALLER.set(name)
        return (await caller(waits, name, on_trouble=hear)).outcome

    names = [f"r{number}" for number in range(MANY)]
    waiting = asyncio.gather(*(one(name) for name in names))
    await asyncio.sleep(0)
    see(waits, RUNNING, 0.0)
    new_objects()
    see(waits, AWAY, 1.0)
    await asyncio.sleep(0)
    see(waits, RUNNING, 11.0)
    await asyncio.sleep(0)
    made = new_objects()
    assert [name for name, _ in lines] == names * 2
    assert {line for _, line in lines} == {
        "No answer from Flyte, still waiting: the server is away",
        "Flyte answers again after 10 s.",
    }
    # A tuple for each line that this test keeps, and hardly anything else.
    assert made < len(lines) + MANY / 10
    see(waits, SUCCEEDED, 12.0)
    assert set(await waiting) == {Outcome.SUCCEEDED}


async def test_a_line_for_several_runs_is_passed_on_once() -> None:
    waits, lines = ProjectWaits(), list[str]()
    results = caller(waits, "r1", "r2", "r3", on_trouble=lines.append)
    see(waits, AWAY, 1.0)
    see(waits, RUNNING, 2.0)
    see(waits, AWAY, 3.0)
    away = "No answer from Flyte, still waiting: the server is away"
    assert lines == [away, "Flyte answers again after 1 s.", away]
    results.notify_progress("Still waiting.", 60.0)
    assert lines[3:] == ["Still waiting."]


async def test_an_error_of_a_callback_is_its_own_callers() -> None:
    waits, lines = ProjectWaits(), list[str]()

    def fail(line: str) -> None:
        raise LookupError(line)

    waiting = [asyncio.ensure_future(caller(waits, "r1", on_trouble=each)) for each in (fail, lines.append)]
    await asyncio.sleep(0)
    see(waits, AWAY, 1.0)
    with pytest.raises(LookupError, match="the server is away"):
        await waiting[0]
    assert len(lines) == 1
    see(waits, SUCCEEDED, 2.0)
    assert (await waiting[1]).outcome is Outcome.SUCCEEDED


async def test_a_result_is_not_lost_with_whoever_was_to_take_it() -> None:
    waits = ProjectWaits()
    results = caller(waits, "r1", "r2", on_trouble=print)
    taking = asyncio.ensure_future(anext(results))
    await asyncio.sleep(0)
    list(waits.saw("r1", SUCCEEDED, 1.0))
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    list(waits.saw("r2", SUCCEEDED, 2.0))
    assert [result.name async for result in results] == ["r1", "r2"]


async def test_a_wait_holds_five_objects(local_flyte: LocalFlyte, new_objects: Callable[[], int]) -> None:
    """Beside what a task that awaits a future holds: one coroutine, a context, the results, the wait, their tuple."""
    lines: list[str] = []
    on_trouble = lines.append
    futures: list[asyncio.Future[None]] = []

    async def bare() -> None:
        futures.append(asyncio.get_running_loop().create_future())
        await futures[-1]

    async def begun(make: Callable[[int], Coroutine[Any, Any, Any]]) -> float:
        tasks = [asyncio.ensure_future(make(number)) for number in range(MANY)]
        await asyncio.sleep(0)
        objects = new_objects()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return objects / MANY

    new_objects()
    floor = await begun(lambda _: bare())
    async with FlyteClient(config_for(local_flyte)) as client, RunWatcher(client, stream=False) as watcher:
        new_objects()
        ours = await begun(lambda number: watcher.wait(f"r{number}", on_trouble=on_trouble))
    assert ours - floor < 5.5
