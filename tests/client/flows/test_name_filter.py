"""A backend that refuses to list runs by name: watcher, look, launch and the runs of a task's tries take it alike.

The sensor that waits for several runs is in ``test_several_runs.py``.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, RunWatcher, errors
from airflow_provider_flyte.client.flows.abort import Abort
from airflow_provider_flyte.client.flows.launch_request import Launch
from airflow_provider_flyte.client.flows.named_runs import (
    NameFilterRefused,
    details_of,
    list_by_name,
    observe_run,
    phase_of,
)
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.client.verdict import Absent, Outcome, Seen, WaitRules
from airflow_provider_flyte.testing import LocalFlyte, database_down, no_name_filter, status
from tests.client.conftest import config_for
from tests.support.clock import Clock

PROJECT, DOMAIN = "flytesnacks", "development"
REFUSALS = pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "UNIMPLEMENTED", "INTERNAL"])


def key(name: str) -> RunKey:
    return RunKey(PROJECT, DOMAIN, name)


def ask(flyte: LocalFlyte, way: str, flow: Any, **arguments: Any) -> Any:
    """Follow a flow, by a client with little patience."""
    client = FlyteClient(config_for(flyte, retry_budget=0.01))

    async def on_loop() -> Any:
        async with client:
            return await client.aexecute(flow, **arguments)

    if way == "loop":
        return asyncio.run(on_loop())
    with client:
        return client.execute(flow, **arguments)


@REFUSALS
def test_a_launch_finds_the_run_that_is_there(local_flyte: LocalFlyte, way: str, code: str) -> None:
    local_flyte.deploy("demo.train")
    local_flyte.inject("*", no_name_filter(code))

    async def on_loop() -> Any:
        async with FlyteClient(config_for(local_flyte)) as client:
            return await client.launch.aio(Launch("demo.train", run_name="r1"))

    def launched() -> Any:
        if way == "loop":
            return asyncio.run(on_loop())
        with FlyteClient(config_for(local_flyte)) as client:
            return client.launch(Launch("demo.train", run_name="r1"))

    assert [launched().new, launched().new] == [True, False]
    assert len(local_flyte.calls("CreateRun")) == 1


@REFUSALS
def test_the_runs_of_a_tasks_tries_are_found(local_flyte: LocalFlyte, way: str, code: str) -> None:
    local_flyte.run("r2").fails()
    local_flyte.inject("*", no_name_filter(code))
    found = ask(local_flyte, way, details_of([key("r1"), key("r2"), key("r3")], ""))
    assert [(each, details.action.status.phase) for each, details in found.items()] == [(key("r2"), RunPhase.FAILED)]


@REFUSALS
def test_an_observation_of_a_run(local_flyte: LocalFlyte, way: str, code: str) -> None:
    local_flyte.run("r1").move("RUNNING")
    local_flyte.inject("*", no_name_filter(code))
    assert ask(local_flyte, way, observe_run(key("r1"), ""))[0] == Seen(RunPhase.RUNNING)
    assert ask(local_flyte, way, observe_run(key("r2"), ""))[0] == Absent()


@REFUSALS
def test_an_abort_of_a_run_that_is_not_there(local_flyte: LocalFlyte, way: str, code: str) -> None:
    local_flyte.inject("*", no_name_filter(code))

    async def on_loop() -> Any:
        async with FlyteClient(config_for(local_flyte)) as client:
            return await client.abort.aio("r1", "no longer wanted")

    if way == "loop":
        done = asyncio.run(on_loop())
    else:
        with FlyteClient(config_for(local_flyte)) as client:
            done = client.abort("r1", "no longer wanted")
    assert done.outcome is Abort.MISSING


@REFUSALS
async def test_waits_end_and_a_run_that_is_not_there_is_missing(local_flyte: LocalFlyte, code: str) -> None:
    clock = Clock()
    run = local_flyte.run("r1").move("RUNNING")
    local_flyte.inject("*", no_name_filter(code))
    async with (
        FlyteClient(config_for(local_flyte)) as client,
        RunWatcher(client, stream=False, clock=clock, sleep=clock.sleep) as watcher,
    ):
        going = asyncio.ensure_future(watcher.wait("r1"))
        missing = await watcher.wait("r2", rules=WaitRules(missing_after=60))
        assert missing.outcome is Outcome.MISSING
        assert clock.now >= 60
        run.succeeds()
        assert (await going).outcome is Outcome.SUCCEEDED


def test_a_database_that_is_down_refuses_nothing(local_flyte: LocalFlyte, way: str) -> None:
    local_flyte.run("r1").move("RUNNING")
    local_flyte.inject("*", database_down())
    for flow in (phase_of(key("r1"), ""), observe_run(key("r1"), ""), details_of([key("r1")], "")):
        with pytest.raises(errors.InternalError, match="connection refused"):
            ask(local_flyte, way, flow)


def test_an_outage_that_is_over_within_the_budget_is_waited_through(local_flyte: LocalFlyte, way: str) -> None:
    local_flyte.run("r1").move("RUNNING")
    local_flyte.inject("*", database_down(times=4))
    assert ask(local_flyte, way, phase_of(key("r1"), ""), retry_for=30) == RunPhase.RUNNING


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "UNIMPLEMENTED"])
def test_not_found_of_a_broken_database_is_not_believed(local_flyte: LocalFlyte, way: str, code: str) -> None:
    """A run that is there would be launched a second time."""
    local_flyte.run("r1").move("RUNNING")
    local_flyte.inject("*", no_name_filter(code))
    local_flyte.inject("*", database_down())
    for flow in (phase_of(key("r1"), ""), observe_run(key("r1"), ""), details_of([key("r1")], "")):
        with pytest.raises(errors.InternalError, match="connection refused"):
            ask(local_flyte, way, flow)


def test_a_backend_that_lists_nothing_at_all_is_believed_before_a_launch_alone(
    local_flyte: LocalFlyte, way: str
) -> None:
    """There is nothing else to ask, and it keeps no second run of a name; a wait has time."""
    local_flyte.run("r1").move("RUNNING")
    local_flyte.inject("ListRuns", status("UNIMPLEMENTED", "no lists"))
    assert ask(local_flyte, way, phase_of(key("r1"), "")) == RunPhase.RUNNING
    assert ask(local_flyte, way, phase_of(key("r2"), "", to_launch=True)) is None
    with pytest.raises(errors.NotFoundError):
        ask(local_flyte, way, observe_run(key("r2"), ""))


def test_one_internal_is_no_refusal(local_flyte: LocalFlyte, way: str) -> None:
    local_flyte.run("r1").move("RUNNING")
    local_flyte.inject("*", no_name_filter("INTERNAL", times=1))
    assert ask(local_flyte, way, list_by_name(PROJECT, DOMAIN, ["r1"], "")) == {key("r1"): RunPhase.RUNNING}


def test_the_refusal_keeps_flytes_words(local_flyte: LocalFlyte, way: str) -> None:
    local_flyte.inject("*", no_name_filter("INTERNAL"))
    with pytest.raises(NameFilterRefused, match="invalid filter field: run_name"):
        ask(local_flyte, way, list_by_name(PROJECT, DOMAIN, ["r1"], ""))
