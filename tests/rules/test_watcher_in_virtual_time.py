"""Who comes to a watcher, who goes, and what it leaves behind. In virtual time, by a table of runs."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient
from airflow_provider_flyte.client.errors import ConfigError, Status
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.run_key import ProjectDomain
from airflow_provider_flyte.client.verdict import Outcome, WaitRules
from airflow_provider_flyte.client.watch.status import WatcherStatus
from tests.support.scripted_flyte import HERE, THERE, ScriptedFlyte
from tests.support.virtual_time import until
from tests.support.waiting_world import World, fails, times

RUNNING, SUCCEEDED = RunPhase.RUNNING, RunPhase.SUCCEEDED


async def names(results: Any) -> list[str]:
    with results:
        return [result.name async for result in results]


# -- waits


async def test_several_runs_as_they_end(world: World) -> None:
    world.begin()
    for name in ("r1", "r2", "r3"):
        world.flyte.run(name, RUNNING)
    found = asyncio.ensure_future(names(world.watcher.wait_each(["r1", "r2", "r3"])))
    await until(1)
    assert len(world.watcher) == world.watcher.status.waits == 3
    for name in ("r2", "r3", "r1"):
        world.flyte.run(name, SUCCEEDED)
        await asyncio.sleep(20)
    assert await found == ["r2", "r3", "r1"]
    assert len(world.watcher) == 0


async def test_a_wait_has_the_rules_that_it_names_or_the_watchers(world: World) -> None:
    world.begin(rules=WaitRules(missing_after=30.0))
    world.wait("r1")
    world.wait("r2", rules=WaitRules(missing_after=10.0))
    await until(50)
    assert world.outcomes == {"r1": Outcome.MISSING, "r2": Outcome.MISSING}
    assert (30 <= world.ended_at["r1"] <= 36, 10 <= world.ended_at["r2"] <= 16) == (True, True)
    # Counted from when the wait began.
    world.wait("r3")
    await until(79)
    assert "r3" not in world.results
    await until(87)
    assert world.outcomes["r3"] is Outcome.MISSING


@pytest.mark.parametrize(
    ("settings", "arguments", "error"),
    [
        ({}, {"interval": 0.0}, "interval"),
        ({}, {"project": ""}, "roject"),
        ({"poll_interval": 0.0}, None, "poll_interval"),
        ({"min_poll_interval": 0.0}, None, "min_poll_interval"),
        ({"max_calls_per_second": 0.0}, None, "max_calls_per_second"),
    ],
)
async def test_what_no_watcher_can_do_is_refused(
    world: World, settings: dict[str, Any], arguments: dict[str, Any] | None, error: str
) -> None:
    world.begin()
    if arguments is None:
        with pytest.raises((ConfigError, ValueError), match=error):
            world.begin(**settings)
    elif "interval" in arguments:
        with pytest.raises((ConfigError, ValueError), match=error):
            world.watcher.wait_each(["r1"], **arguments)
    assert len(world.watcher) == 0


@pytest.mark.parametrize(("interval", "wakes"), [(7.0, False), (5.0, False), (1.0, True)])
async def test_a_shorter_interval_counts_for_all_projects(world: World, interval: float, wakes: bool) -> None:
    world.begin()
    world.flyte.run("r1", RUNNING)
    world.flyte.run("r2", RUNNING, THERE)
    world.wait("r1")
    await until(21)
    world.wait("r2", domain="staging", interval=interval)
    await until(33)
    here = [asked.at for asked in world.flyte.asked if asked.where == HERE]
    assert here[-1] - here[-2] == (1.0 if wakes else 5.0)


async def test_a_time_limit_ends_the_iteration(world: World) -> None:
    world.begin()
    for name in ("r1", "r2"):
        world.flyte.run(name, RUNNING)
    found = [asyncio.ensure_future(names(world.watcher.wait_each(["r1", "r2"], timeout=limit))) for limit in (9.0, 7.0)]
    await until(6.0)
    world.flyte.run("r2", SUCCEEDED)
    await until(7.5)
    assert [each.done() for each in found] == [False, True]
    assert await found[1] == ["r2"]
    assert len(world.watcher) == 1
    await until(9.5)
    assert await found[0] == ["r2"]
    assert len(world.watcher) == 0
    assert world.watcher._deadlines._timer is None


async def test_a_caller_that_leaves_removes_its_time_limit(world: World) -> None:
    world.begin()
    results = world.watcher.wait_each(["r1"], timeout=100.0)
    results.close()
    results.close()
    assert world.watcher._deadlines._timer is None
    assert len(world.watcher) == 0


# -- projects


async def test_a_project_ends_with_its_last_wait(world: World) -> None:
    world.begin(stream=True)
    others = asyncio.all_tasks()
    for where in (HERE, THERE):
        world.flyte.run("r1", RUNNING, where)
    [first] = world.wait("r1")
    [second] = world.wait("r1", domain="staging")
    await until(3)
    assert set(world.flyte.streams) == {HERE, THERE}
    first.cancel()
    await asyncio.sleep(0.01)
    # At once, because a stream costs.
    assert set(world.flyte.streams) == {THERE}
    assert set(world.watcher._projects) == {THERE}
    second.cancel()
    await asyncio.sleep(0.01)
    assert world.flyte.streams == {}
    assert asyncio.all_tasks() - {first, second} == others
    assert world.watcher._ending == set()


async def test_a_project_whose_last_run_is_over_ends_at_once(world: World) -> None:
    world.begin(stream=True)
    others = asyncio.all_tasks()
    world.flyte.run("r1", RUNNING)
    results = world.watcher.wait_each(["r1"])
    await until(3)
    world.flyte.run("r1", SUCCEEDED)
    world.flyte.sends("r1")
    await asyncio.sleep(0.01)
    # Whoever waits has not even asked for the result.
    assert (world.flyte.streams, world.watcher._projects) == ({}, {})
    assert asyncio.all_tasks() == others
    assert await names(results) == ["r1"]


async def test_counts_outlive_their_project(world: World) -> None:
    world.begin(stream=True)
    assert world.watcher.status == WatcherStatus(0, 0, 0, True, 0, 0, None)
    for count in (1, 2):
        world.flyte.run("r1", RUNNING)
        world.wait("r1")
        await asyncio.sleep(3)
        world.flyte.run("r1", SUCCEEDED)
        world.flyte.sends("r1")
        await asyncio.sleep(0.1)
        world.flyte.run("r2", SUCCEEDED)
        world.wait("r2")
        await asyncio.sleep(3)
        status = world.watcher.status
        assert (status.ends_by_stream, status.ends_by_poll, status.waits) == (count, count, 0)
    assert (world.watcher.status.calls, world.watcher.status.streams) == (
        len(world.flyte.calls()),
        len(world.flyte.calls("WatchRuns")),
    )


async def test_a_stream_is_up_only_where_all_projects_have_one(world: World) -> None:
    world.begin(stream=True)
    for where in (HERE, THERE):
        world.flyte.run("r1", RUNNING, where)
    world.flyte.fails = fails(Status.UNIMPLEMENTED, "WatchRuns", when=lambda asked: asked.where == THERE)
    world.wait("r1")
    await until(3)
    assert world.watcher.status.stream_up
    world.wait("r1", domain="staging")
    await until(6)
    assert not world.watcher.status.stream_up
    assert not World().begin().status.stream_up


async def test_a_stream_sends_first_where_runs_are_known(world: World) -> None:
    """Without runs it sends nothing, and counts as open after two seconds."""
    world.begin(stream=True)
    world.wait("not-there-yet")
    await until(1.9)
    streams: Any = world.watcher._streams
    [stream] = streams._streams.values()
    world.flyte.streams.clear()
    assert not stream._has_runs
    world.flyte.run("r1", RUNNING, THERE)
    world.wait("r1", domain="staging")
    await until(5)
    assert streams._streams[THERE]._has_runs
    assert not world.watcher._has_runs(ProjectDomain("none", "of-these"))


async def test_an_update_of_a_project_that_nobody_waits_in_is_left_out(world: World) -> None:
    world.begin(stream=True)
    world.watcher._on_update(HERE.run("r1"), SUCCEEDED)
    assert world.watcher.status.ends_by_stream == 0


# -- trouble


async def test_what_breaks_one_project_ends_all_waits(world: World) -> None:
    """None must hang because its watcher broke."""
    world.begin(stream=True)
    world.flyte.run("r1", RUNNING)
    world.flyte.run("r2", RUNNING, THERE)
    waits = world.wait("r1") + world.wait("r2", domain="staging")
    await until(3)
    broken = ValueError("broken")

    def breaks() -> None:
        raise broken

    [polls, _] = world.watcher._projects.values()
    polls._pace.answered = breaks  # type: ignore[method-assign]
    await until(10)
    assert [wait.exception() for wait in waits] == [broken, broken]
    assert (world.flyte.streams, world.watcher._projects, world.watcher._ending) == ({}, {}, set())
    # Whoever comes next is served.
    world.flyte.run("r3", SUCCEEDED)
    world.wait("r3")
    await until(12)
    assert world.outcomes == {"r3": Outcome.SUCCEEDED}


async def test_what_breaks_a_wait_ends_all_waits(world: World) -> None:
    world.begin()
    for name in ("r1", "r2"):
        world.flyte.run(name, RUNNING)
    waits = world.wait("r1", "r2")
    await until(3)
    broken = ValueError("broken")

    def breaks(*_: Any) -> None:
        raise broken

    [polls] = world.watcher._projects.values()
    polls.waits.saw = breaks  # type: ignore[method-assign, assignment]
    world.flyte.run("r1", SUCCEEDED)
    await until(10)
    assert [wait.exception() for wait in waits] == [broken, broken]


async def test_another_client_has_its_own_streams(world: World) -> None:
    other = ScriptedFlyte()

    async def renew() -> FlyteClient:
        return other.client

    world.begin(stream=True, renew=renew)
    for flyte in (world.flyte, other):
        flyte.run("r1", RUNNING)
    world.wait("r1")
    await until(3)
    world.flyte.fails = fails(Status.UNAUTHENTICATED, "ListRuns")
    await until(10)
    assert set(other.streams) == {HERE}
    assert world.flyte.streams == {}


async def test_without_streams_another_client_needs_none(world: World) -> None:
    other = ScriptedFlyte()

    async def renew() -> FlyteClient:
        return other.client

    world.begin(renew=renew)
    other.run("r1", RUNNING)
    world.flyte.fails = fails(Status.UNAUTHENTICATED, "ListRuns")
    world.wait("r1")
    await until(10)
    assert times(other.asked)[:2] == [0.0, 0.5]
    assert world.results == {}


# -- the end


@pytest.mark.parametrize("stream", [False, True])
async def test_nothing_runs_on_when_it_is_closed(world: World, stream: bool) -> None:
    world.begin(stream=stream)
    others = asyncio.all_tasks()
    for where in (HERE, THERE):
        world.flyte.run("r1", RUNNING, where)
    waits = world.wait("r1") + world.wait("r1", domain="staging")
    world.flyte.takes = 1.0
    await until(5.5)
    # One has left a moment ago, and its last poll is on its way.
    waits[0].cancel()
    await asyncio.sleep(0)
    await world.watcher.aclose()
    assert asyncio.all_tasks() - set(waits) == others
    assert (world.flyte.streams, len(world.watcher)) == ({}, 0)
    await asyncio.gather(*waits, return_exceptions=True)
    assert [wait.cancelled() for wait in waits] == [True, True]
    await world.watcher.aclose()
    assert asyncio.all_tasks() == others
    # It may be used again.
    world.flyte.run("r2", SUCCEEDED)
    world.wait("r2")
    await until(20)
    assert world.outcomes == {"r2": Outcome.SUCCEEDED}


async def test_the_block_closes_it(world: World) -> None:
    async with world.begin() as watcher:
        assert watcher is world.watcher
        [wait] = world.wait("r1")
        await until(3)
    await asyncio.gather(wait, return_exceptions=True)
    assert wait.cancelled()


# -- progress


async def test_progress_once_a_minute(world: World) -> None:
    world.begin()
    lines: list[tuple[float, str]] = []
    loop = asyncio.get_running_loop()

    def note(line: str) -> None:
        lines.append((loop.time(), line))

    for name in ("r1", "r2"):
        world.flyte.run(name, RUNNING)
        world.wait(name, on_progress=note)
    await until(200)
    at = [time for time, _ in lines]
    assert len(lines) == 6
    assert 60 <= at[0] == at[1] <= 65
    assert 60 <= at[2] - at[0] <= 65
    assert {line for _, line in lines} == {
        "Still waiting (2 waits share this connection to Flyte). Flyte last answered 0 s ago and is polled, because "
        "there is no stream of updates."
    }
    world.flyte.fails = fails(Status.UNAVAILABLE, "ListRuns")
    await until(300)
    assert "Flyte has given no answer about the run for" in lines[-1][1]


async def test_lines_are_given_in_the_callers_own_context(world: World) -> None:
    caller: contextvars.ContextVar[str] = contextvars.ContextVar("caller", default="nobody")
    seen: list[str] = []
    world.begin()
    world.flyte.run("r1", RUNNING)
    for name in ("one", "other"):
        context = contextvars.copy_context()
        context.run(caller.set, name)
        context.run(world.wait, "r1", on_progress=lambda line: seen.append(caller.get()))
    await until(70)
    assert sorted(seen) == ["one", "other"]


@pytest.mark.parametrize(
    ("answered_ago", "stream", "line"),
    [
        (None, False, "has not answered yet and is polled, because there is no stream of updates."),
        (3.4, True, "last answered 3 s ago and sends updates by stream."),
        (0.0, True, "last answered 0 s ago and sends updates by stream."),
    ],
)
def test_the_progress_of_a_wait_in_words(answered_ago: float | None, stream: bool, line: str) -> None:
    status = WatcherStatus(3, 10, 1, stream, 1, 2, answered_ago)
    assert str(status) == f"Still waiting (3 waits share this connection to Flyte). Flyte {line}"
