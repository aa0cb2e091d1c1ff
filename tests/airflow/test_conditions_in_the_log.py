"""on_paused: what a run waits for stands in the task's log, on a worker and while deferred, or fails the task."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from airflow_provider_flyte.client import RunPhase
from airflow_provider_flyte.client.flows import condition_news
from airflow_provider_flyte.compat import TaskDeferred
from airflow_provider_flyte.exceptions import FlyteRunPaused
from airflow_provider_flyte.testing import LocalFlyte, RunHandle, status
from airflow_provider_flyte.triggers import FlyteRunTrigger
from tests.airflow.test_progress import held, operator
from tests.support.driving import DagRun, Driven, TaskInstance, Try, event_of, kwargs_of, lines_of, made_again
from tests.support.ends_once import ends_once
from tests.support.own_airflow import AIRFLOW

pytestmark = pytest.mark.one_transport("connect")

WHERE = ("in the tab 'Flyte', " if AIRFLOW >= (3, 1) else "") + (
    "by `airflow flyte" if AIRFLOW >= (3, 2) else "by `python -m airflow_provider_flyte"
)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condition_news, "FIRST_AFTER", 0.0)
    monkeypatch.setattr(condition_news, "EVERY", 0.05)


def asking(flyte: LocalFlyte, name: str = "r1") -> tuple[RunHandle, RunHandle]:
    run = flyte.run(name).move("RUNNING")
    return run, run.condition("approve", prompt="Publish the\nmodel?")


def waits(condition: RunHandle) -> str:
    return (
        f"INFO: Flyte run {condition.name} waits for an answer: condition 'approve' asks for a bool: Publish the "
        f"model? Give it {WHERE} signal flytesnacks/development/{condition.name} {condition.action} VALUE "
        f"--conn-id flyte_default`, or in Flyte's console: http://"
    )


def about_conditions(lines: list[str]) -> list[str]:
    return [line for line in lines if "ondition" in line]


async def logged(lines: list[str], count: int) -> list[str]:
    while len(about_conditions(lines)) < count:
        await asyncio.sleep(0.01)
    return about_conditions(lines)


def answer(flyte: LocalFlyte, condition: RunHandle, value: bool | str) -> None:
    """As somebody does in Flyte's console."""
    from airflow_provider_flyte.client import FlyteClient, FlyteConfig

    with FlyteClient(FlyteConfig(flyte.endpoint, insecure=True, project="flytesnacks", domain="development")) as client:
        client.signal(condition.name, condition.action, value)


async def test_while_deferred(flyte_default: LocalFlyte) -> None:
    run, condition = asking(flyte_default)
    trigger = made_again(FlyteRunTrigger("r1", poll_interval=1.0, on_paused="log"))
    lines = lines_of(trigger)

    async def event() -> list[Any]:
        return [event async for event in trigger.run()]

    waiting: Any = asyncio.create_task(event())
    async with held(waiting):
        [line] = await logged(lines, 1)
        assert line.startswith(waits(condition))
        await asyncio.to_thread(answer, flyte_default, condition, False)
        [_, line] = await logged(lines, 2)
        assert line == "INFO: Condition 'approve' of Flyte run r1 was answered with False."
        run.succeeds()
        await waiting
    await trigger.cleanup()
    assert len(about_conditions(lines)) == 2


async def test_one_list_serves_all_waits(flyte_default: LocalFlyte) -> None:
    runs = [asking(flyte_default, f"r{number}") for number in range(5)]
    triggers = [made_again(FlyteRunTrigger(f"r{n}", poll_interval=1.0, on_paused="log")) for n in range(5)]
    triggers.append(made_again(FlyteRunTrigger("r0", poll_interval=1.0)))
    lines = [lines_of(trigger) for trigger in triggers]

    async def event(trigger: Any) -> None:
        [_] = [event async for event in trigger.run()]

    waiting: Any = asyncio.gather(*map(event, triggers))
    async with held(waiting):
        for (_, condition), its in zip(runs, lines, strict=False):
            [line] = await logged(its, 1)
            assert line.startswith(waits(condition))
        for run, _ in runs:
            run.succeeds()
        await waiting
    for trigger in triggers:
        await trigger.cleanup()
    assert about_conditions(lines[-1]) == []
    asked = [call.request for call in flyte_default.calls("ListRuns") if call.request.paused_actions_only]
    assert asked
    assert max(len(filters.values) for each in asked for filters in each.request.filters) == 5


async def test_who_does_not_ask_costs_no_calls(flyte_default: LocalFlyte) -> None:
    run, _ = asking(flyte_default)
    trigger = made_again(FlyteRunTrigger("r1", poll_interval=0.1))
    lines = lines_of(trigger)
    asyncio.get_running_loop().call_later(0.5, run.succeeds)
    [_] = [event async for event in trigger.run()]
    await trigger.cleanup()
    assert about_conditions(lines) == []
    assert not [call for call in flyte_default.calls("ListRuns") if call.request.paused_actions_only]
    assert not flyte_default.calls("ListActions")


async def test_a_backend_that_does_not_list_them(flyte_default: LocalFlyte) -> None:
    run, _ = asking(flyte_default)
    refused = status("UNIMPLEMENTED", "not here")
    flyte_default.inject("ListRuns", refused, when=lambda request: request.paused_actions_only)
    trigger = made_again(FlyteRunTrigger("r1", poll_interval=1.0, on_paused="log"))
    lines = lines_of(trigger)

    async def event() -> None:
        [_] = [event async for event in trigger.run()]

    waiting = asyncio.create_task(event())
    async with held(waiting):
        while not any("is not logged here" in line for line in lines):
            await asyncio.sleep(0.01)
        run.succeeds()
        await waiting
    await trigger.cleanup()
    assert len([call for call in flyte_default.calls("ListRuns") if call.request.paused_actions_only]) == 1


@pytest.mark.parametrize("deferrable", [True, False])
async def test_a_run_that_cannot_be_read_holds_up_no_other(flyte_default: LocalFlyte, deferrable: bool) -> None:
    for number in range(3):
        asking(flyte_default, f"r{number}")
    broken = status("INTERNAL", "a broken row")
    flyte_default.inject("ListActions", broken, when=lambda request: request.run_id.name == "r0")
    if not deferrable:
        task = Try(run_names=["r0", "r1", "r2"], deferrable=False)
        lines = lines_of(task.sensor)
        await asyncio.to_thread(task.sensor.poke, task.context)
    else:
        trigger = made_again(FlyteRunTrigger(run_names=["r0", "r1", "r2"], poll_interval=1.0, on_paused="log"))
        lines = lines_of(trigger)

        async def event() -> None:
            [_] = [event async for event in trigger.run()]

        async with held(asyncio.create_task(event())):
            await logged(lines, 2)
        await trigger.cleanup()
    assert sorted(line[:29] for line in about_conditions(lines)) == [
        "INFO: Flyte run r1 waits for ",
        "INFO: Flyte run r2 waits for ",
    ]


async def test_who_comes_later_is_notified_too(flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condition_news, "MOST_AGAIN", 0)
    asking(flyte_default)
    triggers = [made_again(FlyteRunTrigger("r1", poll_interval=1.0, on_paused="log")) for _ in range(2)]
    lines = [lines_of(trigger) for trigger in triggers]

    async def event(trigger: Any) -> None:
        [_] = [event async for event in trigger.run()]

    async with held(asyncio.create_task(event(triggers[0]))):
        await logged(lines[0], 1)
        async with held(asyncio.create_task(event(triggers[1]))):
            await logged(lines[1], 1)
        assert len(about_conditions(lines[0])) == 1
    for trigger in triggers:
        await trigger.cleanup()


def begins_to_ask(run: RunHandle) -> RunHandle:
    run.move("RUNNING")
    return run.condition("approve", prompt="Publish the\nmodel?")


@pytest.mark.parametrize("asks", ["log", None])
def test_an_operator_on_a_worker(flyte_default: LocalFlyte, asks: str | None) -> None:
    flyte_default.deploy("demo.train")
    task = operator(deferrable=False, on_paused=asks, do_xcom_push=False)
    lines = lines_of(task)
    conditions: list[RunHandle] = []

    def launched(run: RunHandle) -> None:
        conditions.append(begins_to_ask(run))
        ends_once(run, lambda: not asks or about_conditions(lines))

    flyte_default.on_launch(launched)
    Driven(task, TaskInstance(), DagRun()).run()
    assert len(about_conditions(lines)) == (asks is not None)
    if asks:
        assert about_conditions(lines)[0].startswith(waits(conditions[0]))


@pytest.mark.parametrize("deferrable", [True, False])
def test_an_operator_that_fails_then(flyte_default: LocalFlyte, deferrable: bool) -> None:
    flyte_default.deploy("demo.train")
    flyte_default.on_launch(begins_to_ask)
    task = operator(deferrable=deferrable, on_paused="fail", do_xcom_push=False)
    with pytest.raises(FlyteRunPaused, match="condition 'approve' asks for a bool: Publish the model") as caught:
        Driven(task, TaskInstance(), DagRun()).run()
    [run] = flyte_default.runs()
    assert (caught.value.run, run.phase) == (run.name, RunPhase.RUNNING)
    assert not flyte_default.calls("AbortRun")


def test_an_answer_before_the_worker_looks(flyte_default: LocalFlyte) -> None:
    flyte_default.deploy("demo.train")
    conditions: list[RunHandle] = []
    flyte_default.on_launch(lambda run: conditions.append(begins_to_ask(run)))
    task = operator(deferrable=True, on_paused="fail", do_xcom_push=False)
    lines = lines_of(task)
    driven = Driven(task, TaskInstance(), DagRun())
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(driven.context)
    event = event_of(deferred.value.trigger)
    assert event["ending"] == "paused"
    answer(flyte_default, conditions[0], True)
    flyte_default.runs()[0].succeeds()
    driven.resume(event, **json.loads(json.dumps(kwargs_of(deferred.value))))
    assert not [line for line in lines if line.startswith("ERROR")]


def test_a_sensor_that_pokes(flyte_default: LocalFlyte) -> None:
    _, condition = asking(flyte_default)
    task = Try(run_name="r1", deferrable=False)
    lines = lines_of(task.sensor)
    for _ in range(3):
        assert not task.sensor.poke(task.context)
    [line] = about_conditions(lines)
    assert line.startswith(waits(condition))


def test_a_name_that_a_shell_would_read(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").move("RUNNING").condition("$(x)\n", action="a;b", prompt="::group::\x1b[2J")
    task = Try(run_name="r1", deferrable=False)
    lines = lines_of(task.sensor)
    assert not task.sensor.poke(task.context)
    [line] = about_conditions(lines)
    assert " signal " not in line
    assert "\x1b" not in line
    assert "\n" not in line
