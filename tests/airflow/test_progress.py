"""log_progress: how far a run's child actions are stands in the task's log, on a worker and while deferred."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.testing import LocalFlyte, status
from airflow_provider_flyte.triggers import FlyteRunTrigger
from tests.support.driving import DagRun, Driven, TaskInstance, Try, lines_of, made_again
from tests.support.ends_once import LATE, ends_once

pytestmark = pytest.mark.one_transport("connect")

LINE = "INFO: Flyte run {}: 2 of 4 actions done, 1 running, 1 failed (train.shard c1)."


def has_children(run: Any) -> Any:
    run.move("RUNNING")
    run.child("c0", task="train.shard").succeeds()
    run.child("c1", task="train.shard").fails(message="no rows")
    run.child("c2", task="train.shard").move("RUNNING")
    run.child("c3", task="train.shard")
    return run


def about_progress(lines: list[str]) -> list[str]:
    return [line for line in lines if "actions done" in line or "progress" in line]


def operator(**arguments: Any) -> FlyteRunOperator:
    defaults: dict[str, Any] = {"task_id": "train", "task_name": "demo.train", "poll_interval": 0.1, "resume_after": 0}
    return FlyteRunOperator(**defaults | arguments)


async def lines_of_a_trigger(*runs: Any, expected: int = 1, **arguments: Any) -> list[str]:
    """What a trigger logs about its runs' progress; they succeed once it has logged so many lines."""
    trigger = made_again(FlyteRunTrigger(poll_interval=1.0, **arguments))
    lines = lines_of(trigger)

    async def event() -> None:
        [_] = [event async for event in trigger.run()]

    waiting = asyncio.create_task(event())
    async with held(waiting):
        while len(about_progress(lines)) < expected:
            await asyncio.sleep(0.01)
        for run in runs:
            run.succeeds()
        await waiting
    await trigger.cleanup()
    await asyncio.gather(*trigger._following, return_exceptions=True)
    return about_progress(lines)


@asynccontextmanager
async def held(waiting: asyncio.Task[None]) -> AsyncIterator[None]:
    """Cancel what waits where the test has not seen what it waits for."""
    late = asyncio.get_running_loop().call_later(LATE, asyncio.current_task().cancel)  # type: ignore[union-attr]
    try:
        yield
    finally:
        late.cancel()
        waiting.cancel()


async def test_while_deferred(flyte_default: LocalFlyte) -> None:
    run = has_children(flyte_default.run("r1"))
    assert await lines_of_a_trigger(run, run_name="r1", log_progress=True) == [LINE.format("r1")]
    assert len(flyte_default.calls("WatchActions")) == 1


async def test_of_several_runs_the_first_five(flyte_default: LocalFlyte) -> None:
    names = [f"r{number}" for number in range(7)]
    runs = [has_children(flyte_default.run(name)) for name in names]
    lines = await lines_of_a_trigger(*runs, expected=5, run_names=names, log_progress=True)
    assert sorted(lines) == [LINE.format(name) for name in names[:5]]


async def test_a_backend_that_does_not_count(flyte_default: LocalFlyte) -> None:
    flyte_default.inject("WatchActions", status("UNIMPLEMENTED", "not here"))
    run = has_children(flyte_default.run("r1"))
    [line] = await lines_of_a_trigger(run, run_name="r1", log_progress=True)
    assert line.startswith("INFO: The progress of Flyte run r1 is not logged, because Flyte does not tell it ")


async def test_who_does_not_ask_costs_no_calls(flyte_default: LocalFlyte) -> None:
    run = has_children(flyte_default.run("r1"))
    assert await lines_of_a_trigger(run, expected=0, run_name="r1") == []
    for method in ("WatchActions", "ListActions", "GetRunDetails"):
        assert not flyte_default.calls(method)


@pytest.mark.parametrize("asks", [True, False])
def test_an_operator_on_a_worker(flyte_default: LocalFlyte, asks: bool) -> None:
    flyte_default.deploy("demo.train")
    task = operator(deferrable=False, log_progress=asks, do_xcom_push=False)
    lines = lines_of(task)
    flyte_default.on_launch(lambda run: ends_once(has_children(run), lambda: not asks or about_progress(lines)))
    Driven(task, TaskInstance(), DagRun()).run()
    [run] = flyte_default.runs()
    assert about_progress(lines) == [LINE.format(run.name)] * asks
    assert bool(flyte_default.calls("WatchActions")) is asks


def test_a_deferred_operator_leaves_it_to_its_trigger(flyte_default: LocalFlyte) -> None:
    flyte_default.deploy("demo.train")
    flyte_default.on_launch(lambda run: ends_once(has_children(run), lambda: flyte_default.calls("WatchActions")))
    task = operator(deferrable=True, log_progress=True, do_xcom_push=False)
    lines = lines_of(task)
    driven = Driven(task, TaskInstance(), DagRun())
    driven.run()
    assert [each.trigger.log_progress for each in driven.deferrals] == [True]
    assert about_progress(lines) == []
    assert len(flyte_default.calls("WatchActions")) == 1


def test_a_sensor_that_pokes(flyte_default: LocalFlyte) -> None:
    has_children(flyte_default.run("r1"))
    task = Try(run_name="r1", deferrable=False, log_progress=True)
    lines = lines_of(task.sensor)
    for _ in range(3):
        assert not task.sensor.poke(task.context)
    assert about_progress(lines) == [LINE.format("r1")]
    # Again after half a minute.
    assert len(flyte_default.calls("WatchActions")) == 1


def test_a_sensor_that_defers(flyte_default: LocalFlyte) -> None:
    ends_once(has_children(flyte_default.run("r1")), lambda: flyte_default.calls("WatchActions"))
    task = Try(run_name="r1", log_progress=True)
    task.run()
    assert [each.trigger.log_progress for each in task.deferrals] == [True]
    assert len(flyte_default.calls("WatchActions")) == 1


def test_trouble_on_a_worker_is_the_polls_own(flyte_default: LocalFlyte) -> None:
    has_children(flyte_default.run("r1"))
    flyte_default.inject("WatchActions", status("INTERNAL", "a panic"))
    task = Try(run_name="r1", deferrable=False, log_progress=True)
    lines = lines_of(task.sensor)
    assert not task.sensor.poke(task.context)
    assert about_progress(lines) == []
    flyte_default.clear_faults()
    flyte_default.run("r1").succeeds()
    assert task.sensor.poke(task.context)
