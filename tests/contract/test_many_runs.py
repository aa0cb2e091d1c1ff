"""Polls about many runs: the filters that the watcher lives on, and the watcher."""

from __future__ import annotations

import asyncio

import pytest

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, RunWatcher
from airflow_provider_flyte.client.errors import InternalError
from airflow_provider_flyte.client.flows.calls import PAGE_SIZE, find_runs
from airflow_provider_flyte.client.flows.listed_runs import ended_rows
from airflow_provider_flyte.client.flows.runs_by_creation import Listing, RunRow
from airflow_provider_flyte.client.idl.common import list_pb2
from airflow_provider_flyte.client.idl.workflow import run_service_pb2
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.rpc import RunService
from airflow_provider_flyte.client.run_key import ProjectDomain
from airflow_provider_flyte.client.verdict import Outcome, WaitRules
from tests.contract.conftest import DOMAIN, ORG, PROJECT, Backend

HERE = ProjectDomain(PROJECT, DOMAIN)


def find(backend: Backend, names: list[str], *, terminal_only: bool = False) -> dict[str, int]:
    found = backend.client.execute(find_runs(PROJECT, DOMAIN, names, ORG, terminal_only=terminal_only))
    return {key.name: phase for key, phase in found.items()}


def test_one_name(backend: Backend) -> None:
    name = backend.launch()
    assert find(backend, [name]) == {name: RunPhase.QUEUED}
    assert find(backend, [name], terminal_only=True) == {}
    assert find(backend, [backend.new_name()]) == {}


def test_several_names(backend: Backend) -> None:
    running, over, missing = backend.launch(), backend.launch(), backend.new_name()
    backend.move(running, RunPhase.RUNNING)
    backend.move(over, RunPhase.RUNNING, RunPhase.SUCCEEDED)
    names = [running, over, missing]
    assert find(backend, names) == {running: RunPhase.RUNNING, over: RunPhase.SUCCEEDED}
    assert find(backend, names, terminal_only=True) == {over: RunPhase.SUCCEEDED}


@pytest.mark.parametrize(
    "phase",
    [RunPhase.SUCCEEDED, RunPhase.FAILED, RunPhase.ABORTED, RunPhase.TIMED_OUT, RunPhase.RECOVERED],
    ids=lambda phase: str(phase.name),
)
def test_each_end_is_terminal_there_too(backend: Backend, phase: RunPhase) -> None:
    names = [backend.launch(), backend.launch()]
    for name in names:
        backend.status(name, phase)
    assert find(backend, names, terminal_only=True) == dict.fromkeys(names, phase)


def test_more_runs_than_a_page_holds(backend: Backend) -> None:
    names = [backend.launch() for _ in range(PAGE_SIZE + 5)]
    assert set(find(backend, names)) == set(names)


def test_value_in_with_one_value_is_refused(backend: Backend) -> None:
    """Why a single name is asked for with EQUAL."""
    only = list_pb2.Filter(function=list_pb2.Filter.VALUE_IN, field="run_name", values=[backend.launch()])
    request = run_service_pb2.ListRunsRequest(request=list_pb2.ListRequest(limit=10, filters=[only]))
    request.project_id.organization, request.project_id.name, request.project_id.domain = ORG, PROJECT, DOMAIN
    from airflow_provider_flyte.client.flows.calls import Call

    with pytest.raises(InternalError):
        backend.client.execute(Call(RunService.ListRuns, request, lambda response: response), retry_for=0)


async def test_the_watcher_sees_every_end(backend: Backend, config: FlyteConfig) -> None:
    def end(names: dict[str, str]) -> None:
        backend.move(names["succeeds"], RunPhase.SUCCEEDED)
        backend.move(names["fails"], RunPhase.FAILED, error=("USER", "no rows"))
        backend.abort(names["aborts"], "enough")
        backend.status(names["recovers"], RunPhase.RECOVERED)
        backend.status(names["times out"], RunPhase.TIMED_OUT)

    names = {how: backend.launch() for how in ("succeeds", "fails", "aborts", "recovers", "times out")}
    for name in names.values():
        backend.move(name, RunPhase.RUNNING)
    async with FlyteClient(config) as client, RunWatcher(client, poll_interval=0.5) as watcher:
        waits = [asyncio.ensure_future(watcher.wait(name)) for name in names.values()]
        await asyncio.to_thread(end, names)
        seen = dict(zip(names, await asyncio.wait_for(asyncio.gather(*waits), 60), strict=True))
    assert {how: one.outcome for how, one in seen.items()} == {
        "succeeds": Outcome.SUCCEEDED,
        "fails": Outcome.FAILED,
        "aborts": Outcome.FAILED,
        "recovers": Outcome.SUCCEEDED,
        "times out": Outcome.FAILED,
    }
    assert {how: one.name for how, one in seen.items()} == names


async def test_the_watcher_waits_for_500_runs(backend: Backend, config: FlyteConfig) -> None:
    """With updates and without: nobody can tell by the outcome."""
    names = [backend.launch() for _ in range(500)]
    for name in names:
        backend.move(name, RunPhase.RUNNING)

    def end(some: list[str]) -> None:
        for name in some:
            backend.move(name, RunPhase.SUCCEEDED)

    async with FlyteClient(config) as client:
        for stream, some in ((True, names[:250]), (False, names[250:])):
            async with RunWatcher(client, poll_interval=1.0, stream=stream) as watcher:
                waits = asyncio.gather(*map(watcher.wait, some))
                await asyncio.to_thread(end, some)
                seen = await asyncio.wait_for(waits, 120)
                assert [one.name for one in seen] == some
                assert {one.outcome for one in seen} == {Outcome.SUCCEEDED}
                # However long the ends take, nobody asks for each run.
                assert watcher.status.calls < len(some)


async def test_the_watcher_distinguishes_missing_from_late(backend: Backend, config: FlyteConfig) -> None:
    def launch() -> None:
        backend.launch(late)
        backend.move(late, RunPhase.RUNNING, RunPhase.SUCCEEDED)

    late, missing = backend.new_name(), backend.new_name()
    async with FlyteClient(config) as client, RunWatcher(client, poll_interval=0.5) as watcher:
        waiting = asyncio.ensure_future(watcher.wait(late, rules=WaitRules(missing_after=60.0)))
        gone = await asyncio.wait_for(watcher.wait(missing, rules=WaitRules(missing_after=1.0)), 60)
        assert gone.outcome is Outcome.MISSING
        await asyncio.to_thread(launch)
        assert (await asyncio.wait_for(waiting, 60)).outcome is Outcome.SUCCEEDED


def listed(backend: Backend, listing: Listing) -> dict[str, RunRow]:
    found: dict[str, RunRow] = {}
    following: Listing | None = listing
    while following is not None:
        page = backend.client.execute(following.call(ORG))
        found.update({row.name: row for row in page.rows})
        following = page.following
    return found


def test_runs_of_a_task_by_their_creation_page_after_page(backend: Backend) -> None:
    names = [backend.launch() for _ in range(7)]
    backend.move(names[0], RunPhase.RUNNING, RunPhase.SUCCEEDED)
    backend.move(names[1], RunPhase.RUNNING)
    first = backend.client.execute(ended_rows(HERE, [names[0]], ORG))[names[0]]
    assert first.ended_at is not None
    assert first.ended_at >= first.created_at
    # From the first one on: its creation as an answer has it is one that a filter takes.
    some = listed(backend, Listing(HERE, (backend.task.name,), first.created_at, limit=2))
    assert set(names) <= set(some)
    assert some[names[0]] == first
    assert (some[names[1]].phase, some[names[1]].ended_at) == (RunPhase.RUNNING, None)
    assert list(some)[-len(names) :] == sorted(names, key=lambda name: some[name].created_at)
    not_over = listed(backend, Listing(HERE, (backend.task.name,), first.created_at, True, 2))
    assert set(names[1:]) <= set(not_over)
    assert names[0] not in not_over
    assert set(names) <= set(listed(backend, Listing(HERE, (), first.created_at)))
    # Several tasks in one list, one of which has no runs: what triggers for assets share.
    for tasks in ((backend.task.name, "no.such.task"), ("no.such.task", backend.task.name)):
        assert listed(backend, Listing(HERE, tasks, first.created_at, limit=2)) == some
        assert listed(backend, Listing(HERE, tasks, first.created_at, True, 2)) == not_over
    assert listed(backend, Listing(HERE, ("no.such.task", "no.other.task"), first.created_at)) == {}
