"""How projects are polled whose stream works, and what shows that it does not. In virtual time, by a table of runs."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.verdict import Outcome
from tests.support.scripted_flyte import HERE
from tests.support.virtual_time import until
from tests.support.waiting_world import World, times

RUNNING, SUCCEEDED = RunPhase.RUNNING, RunPhase.SUCCEEDED


async def streaming(world: World, *names: str, **settings: Any) -> None:
    """A watcher whose stream works, with waits for these runs."""
    world.begin(stream=True, **settings)
    for name in names:
        world.flyte.run(name, RUNNING)
    world.wait(*names)
    await until(21)
    assert world.watcher.status.stream_up


async def test_an_update_ends_a_wait_at_once(world: World) -> None:
    await streaming(world, "r1", "r2")
    world.flyte.run("r1", SUCCEEDED)
    world.flyte.run("other", SUCCEEDED)
    world.flyte.sends("r1", "other")
    await until(21.1)
    assert world.ended_at == {"r1": 21.0}
    assert (world.watcher.status.ends_by_stream, world.watcher.status.ends_by_poll) == (1, 0)


async def test_only_ends_that_somebody_waits_for_show_that_a_stream_keeps_up(world: World) -> None:
    await streaming(world, "r1", "r2")
    streams: Any = world.watcher._streams
    stream = streams._streams[HERE]
    stream.misses = 2
    for name, phase in (("other", SUCCEEDED), ("other", RUNNING), ("r1", RUNNING)):
        world.flyte.run(name, phase)
        world.flyte.sends(name)
        await asyncio.sleep(0.01)
    assert stream.misses == 2
    world.flyte.run("r1", SUCCEEDED)
    world.flyte.sends("r1")
    await asyncio.sleep(0.01)
    assert stream.misses == 0
    # An end that a poll noticed first counts too.
    world.wait("r3")
    world.flyte.run("r2", SUCCEEDED)
    await until(26)
    assert "r2" in world.outcomes
    stream.misses = 2
    world.flyte.sends("r2")
    await asyncio.sleep(0.01)
    assert stream.misses == 0


async def test_an_update_that_is_no_end_ends_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    await streaming(world, "r1", "r2")
    for phase in (RunPhase.PAUSED, 99, RUNNING):
        world.flyte.run("r1", phase)
        world.flyte.sends("r1")
        await asyncio.sleep(0.01)
    await until(30)
    assert world.results == {}
    assert world.watcher.status.ends_by_stream == 0
    assert caplog.text.count("phase 99, which this provider does not know") == 1


async def test_while_a_stream_works_a_new_wait_makes_no_round_come_sooner(world: World) -> None:
    await streaming(world, "r1")
    world.flyte.run("r2", RUNNING)
    seen = len(world.flyte.calls())
    world.wait("r2")
    await until(25.5)
    assert times(world.flyte.calls()[seen:]) == [21.0, 25.39]


async def test_an_end_that_the_stream_has_missed_is_noted_when_it_is_late(world: World) -> None:
    await streaming(world, "r1", "r2", "r3")
    world.flyte.run("r1", SUCCEEDED)
    await until(26)
    assert world.outcomes == {"r1": Outcome.SUCCEEDED}
    # It was to come with the stream, so there is no hurry, and a poll may be quicker.
    assert world.watcher.status.stream_up
    await until(30.3)
    assert len(world.flyte.calls("WatchRuns")) == 1
    assert times(world.flyte.calls()[-1:]) == [25.39]
    # The next round knows better: another stream is opened, and ends may be found by polls.
    await until(30.5)
    assert len(world.flyte.calls("WatchRuns")) == 2
    await until(31)
    assert times(world.flyte.calls()[-1:]) == [30.39]
    assert (world.watcher.status.ends_by_poll, world.watcher.status.ends_by_stream) == (1, 0)


@pytest.mark.parametrize(("interval", "rounds"), [(0.9, 2), (1.0, 1), (1.5, 1)])
async def test_after_a_second_an_update_is_late(world: World, interval: float, rounds: int) -> None:
    await streaming(world, "r1", "r2", poll_interval=interval)
    world.flyte.run("r1", SUCCEEDED)
    while not world.ended_at:
        await asyncio.sleep(0.01)
    [ended_at] = world.ended_at.values()
    await until(ended_at + interval * (rounds - 0.1))
    assert len(world.flyte.calls("WatchRuns")) == 1
    await until(ended_at + interval * (rounds + 0.1))
    assert len(world.flyte.calls("WatchRuns")) == 2


async def test_an_update_after_the_poll_is_not_late(world: World) -> None:
    await streaming(world, "r1", "r2")
    world.flyte.run("r1", SUCCEEDED)
    await until(26)
    world.flyte.sends("r1")
    await until(60)
    assert len(world.flyte.calls("WatchRuns")) == 1
    [polls] = world.watcher._projects.values()
    assert polls._pending == {}
    # It was the poll that ended the wait.
    assert (world.watcher.status.ends_by_poll, world.watcher.status.ends_by_stream) == (1, 0)


async def test_what_was_over_before_the_stream_was_opened_again_is_no_miss_of_it(world: World) -> None:
    await streaming(world, "r1", "r2")
    [polls] = world.watcher._projects.values()
    # Cut and open again between two polls, with an end in the gap of a run that its first batch does not have.
    world.flyte.first_batch = 0
    world.flyte.run("r1", SUCCEEDED)
    streams: Any = world.watcher._streams
    streams.renew()
    await until(24)
    assert world.watcher.status.stream_up
    await until(26)
    assert world.outcomes == {"r1": Outcome.SUCCEEDED}
    assert polls._pending == {}
    # An end from then on is a miss, once a poll has shown that it was not over while the stream was open.
    await until(30)
    world.flyte.run("r2", SUCCEEDED)
    while "r2" not in world.outcomes:
        await asyncio.sleep(0.01)
    assert [*polls._pending] == ["r2"]


async def test_what_is_over_before_anybody_waits_is_no_miss_of_the_stream(world: World) -> None:
    await streaming(world, "r1")
    world.flyte.run("r2", SUCCEEDED)
    world.wait("r2")
    await until(22)
    assert world.outcomes == {"r2": Outcome.SUCCEEDED}
    [polls] = world.watcher._projects.values()
    assert polls._pending == {}


@pytest.mark.parametrize(
    ("stream", "young", "seldom"), [(True, False, True), (True, True, False), (False, False, False)]
)
async def test_while_calls_are_short_projects_whose_stream_works_are_polled_seldom(
    world: World, stream: bool, young: bool, seldom: bool
) -> None:
    """Not those in which a run may be missing."""
    world.begin(stream=stream, max_calls_per_second=2.0)
    world.flyte.run("r1", RUNNING)
    world.wait("r1", *(["not-there-yet"] if young else []))
    budget = world.watcher._means.budget

    async def many_calls() -> None:
        while True:
            async with budget:
                pass

    others = [asyncio.ensure_future(many_calls()) for _ in range(10)]
    await until(200)
    for each in others:
        each.cancel()
    rounds = [asked.at for asked in world.flyte.calls() if asked.ended_only]
    pauses = [later - one for one, later in itertools.pairwise(rounds)]
    assert (min(pauses[-3:]) >= 20, max(pauses[-3:]) <= 20) == (seldom, not seldom)
